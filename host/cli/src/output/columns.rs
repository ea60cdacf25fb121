//! Lists of JSON documents for people: which fields stand in which column.

use serde_json::{Value, json};

use super::{Report, Table};

/// A column: its head, and where its value lies (a JSON pointer).
pub(crate) type Column = (&'static str, &'static str);

/// A list as a report.
pub(crate) fn listed(
    schema: &'static str,
    items: Vec<Value>,
    columns: &[Column],
    empty: &str,
) -> Report {
    let heads: Vec<&str> = columns.iter().map(|(head, _)| *head).collect();
    let mut table = Table::new(&heads);
    for item in &items {
        table.row(columns.iter().map(|(head, pointer)| cell(head, item.pointer(pointer))));
    }
    let text = table.text(empty);
    Report::new(schema, json!({ "items": items }), text)
}

/// One document as lines of `name  value`.
pub(crate) fn shown(schema: &'static str, item: Value, columns: &[Column]) -> Report {
    let width = columns.iter().map(|(head, _)| head.len()).max().unwrap_or_default();
    let lines = columns.iter().filter_map(|(head, pointer)| {
        let value = cell(head, item.pointer(pointer));
        (!value.is_empty()).then(|| format!("{head:width$}  {}", super::neutral(&value)))
    });
    let text = lines.collect::<Vec<_>>().join("\n");
    Report::new(schema, item, text)
}

/// A value in a word. Times are told as times: their columns are called so.
fn cell(head: &str, value: Option<&Value>) -> String {
    let text = match value {
        None | Some(Value::Null) => return String::new(),
        Some(Value::String(text)) => text.clone(),
        Some(Value::Array(list)) => {
            list.iter().map(|it| cell("", Some(it))).collect::<Vec<_>>().join(" ")
        }
        Some(Value::Object(fields)) => set_flags(fields),
        Some(other) => other.to_string(),
    };
    let is_time = matches!(head, "at" | "since" | "until" | "created" | "expires" | "seen");
    match text.parse() {
        Ok(ms) if is_time => soma_policy::Timestamp(ms).to_string(),
        _ => text,
    }
}

/// `{tenant: true, platform: false}` is `tenant`; anything else is itself.
fn set_flags(fields: &serde_json::Map<String, Value>) -> String {
    if fields.values().all(Value::is_boolean) {
        let set = fields.iter().filter(|(_, value)| **value == Value::Bool(true));
        return set.map(|(name, _)| name.as_str()).collect::<Vec<_>>().join(" ");
    }
    Value::Object(fields.clone()).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_stand_in_their_columns_in_words() {
        let items = vec![json!({ "org": "acme", "roles": { "tenant": true, "platform": false },
            "created": "1800000000000", "caps": ["a", "b"], "none": null })];
        let columns = [
            ("org", "/org"),
            ("roles", "/roles"),
            ("created", "/created"),
            ("caps", "/caps"),
            ("x", "/none"),
        ];
        let report = listed("soma.x.v1", items, &columns, "nothing");
        let line = report.text().lines().last().unwrap().split_whitespace().collect::<Vec<_>>();
        assert_eq!(line, ["acme", "tenant", "2027-01-15T08:00:00.000Z", "a", "b"]);
        assert_eq!(listed("soma.x.v1", Vec::new(), &columns, "nothing").text(), "nothing");
    }

    #[test]
    fn a_document_is_told_line_by_line_and_tamed() {
        let report = shown(
            "soma.x.v1",
            json!({ "a": "x\u{1b}[2J", "b": 1 }),
            &[("a", "/a"), ("long", "/b")],
        );
        assert_eq!(report.text(), "a     x\\u{1b}[2J\nlong  1");
    }
}
