//! Tables to JSON and back. Nested values are refused by name: a cell holds one value.

use serde_json::{Map, Value};

use crate::cell;
use crate::table::{Options, Row, Table};
use crate::{Place, TableError};

pub(crate) fn to_json(table: &Table, options: &Options) -> Result<String, TableError> {
    let value = |text: &str| match options.typed {
        true => cell::typed(text),
        false => Value::String(text.to_owned()),
    };
    let objects: Vec<Value> = table
        .rows
        .iter()
        .map(|row| {
            let pairs = table.header.iter().cloned().zip(row.iter().map(|text| value(text)));
            Value::Object(pairs.collect::<Map<_, _>>())
        })
        .collect();
    serde_json::to_string(&objects).map_err(|e| bad_json(&e))
}

pub(crate) fn from_json(json: &str) -> Result<Table, TableError> {
    let objects: Vec<Map<String, Value>> = match serde_json::from_str(json) {
        Ok(Value::Array(items)) => items.into_iter().map(object).collect::<Result<_, _>>()?,
        Ok(other) => return Err(TableError::NotATable(format!("found {}", kind(&other)))),
        Err(error) => return Err(bad_json(&error)),
    };
    let mut header = Row::new();
    for key in objects.iter().flat_map(Map::keys) {
        if !header.contains(key) {
            header.push(key.clone());
        }
    }
    let rows = objects
        .iter()
        .map(|object| header.iter().map(|key| text(key, object.get(key))).collect())
        .collect::<Result<_, _>>()?;
    Ok(Table { header, rows })
}

fn object(value: Value) -> Result<Map<String, Value>, TableError> {
    match value {
        Value::Object(map) => Ok(map),
        other => Err(TableError::NotATable(format!("an item is {}", kind(&other)))),
    }
}

fn text(key: &str, value: Option<&Value>) -> Result<String, TableError> {
    match value {
        None | Some(Value::Null) => Ok(String::new()),
        Some(Value::String(text)) => Ok(text.clone()),
        Some(Value::Bool(b)) => Ok(b.to_string()),
        Some(Value::Number(n)) => Ok(n.to_string()),
        Some(nested) => Err(TableError::NotATable(format!("`{key}` is {}", kind(nested)))),
    }
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "text",
        Value::Array(_) => "an array",
        Value::Object(_) => "an object",
    }
}

fn bad_json(error: &serde_json::Error) -> TableError {
    let reason = error.to_string();
    TableError::Malformed(Place { line: error.line() as u64, column: None, reason })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(typed: bool) -> Options {
        Options::parse(Some(crate::Format { delimiter: None, typed: Some(typed) })).unwrap()
    }

    #[test]
    fn a_table_goes_to_json_and_back() {
        let text = "name,moons,rings\r\nEarth,1,false\r\nSaturn,274,true\r\n";
        let table = Table::read(text, &options(true)).unwrap();
        let json = to_json(&table, &options(true)).unwrap();
        assert!(json.starts_with(r#"[{"name":"Earth","moons":1,"rings":false}"#), "{json}");
        assert_eq!(from_json(&json).unwrap().write(&options(true)).unwrap(), text);
    }

    #[test]
    fn untyped_conversion_keeps_every_cell_as_text() {
        let table = Table::read("a\n1\n", &options(false)).unwrap();
        assert_eq!(to_json(&table, &options(false)).unwrap(), r#"[{"a":"1"}]"#);
    }

    #[test]
    fn columns_are_the_union_of_the_keys() {
        let table = from_json(r#"[{"a":1},{"b":null,"c":"x"}]"#).unwrap();
        assert_eq!(table.header, ["a", "b", "c"]);
        assert_eq!(table.rows, [["1", "", ""], ["", "", "x"]]);
    }

    #[test]
    fn what_is_not_a_table_is_named() {
        for (json, reason) in [
            ("{}", "found an object"),
            ("[1]", "an item is a number"),
            (r#"[{"a":[]}]"#, "`a` is an array"),
        ] {
            match from_json(json) {
                Err(TableError::NotATable(found)) => assert_eq!(found, reason),
                _ => panic!("{json} must be refused"),
            }
        }
        assert!(matches!(from_json("[{"), Err(TableError::Malformed(_))));
    }
}
