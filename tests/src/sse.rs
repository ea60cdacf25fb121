//! Reads `text/event-stream` as the specification says, so that a forged event would be seen.

use serde_json::Value;

/// One event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// Its name; `message` where none was sent.
    pub name: String,
    /// Its data, lines joined.
    pub data: String,
    /// Its id.
    pub id: Option<String>,
}

impl Event {
    /// Its data as JSON, null if it is none.
    #[must_use]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.data).unwrap_or_default()
    }
}

/// Every whole event of a stream.
#[must_use]
pub fn parse(stream: &str) -> Vec<Event> {
    let text = stream.replace("\r\n", "\n").replace('\r', "\n");
    text.split("\n\n").filter_map(event).collect()
}

fn event(block: &str) -> Option<Event> {
    let mut event = Event { name: "message".to_owned(), data: String::new(), id: None };
    let mut data = Vec::new();
    for line in block.lines().filter(|line| !line.starts_with(':')) {
        let (field, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "event" => event.name = value.to_owned(),
            "data" => data.push(value),
            "id" => event.id = Some(value.to_owned()),
            _ => {}
        }
    }
    event.data = data.join("\n");
    (!data.is_empty()).then_some(event)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_are_split_where_the_specification_says() {
        let events =
            parse(": hi\n\nevent: emit\nid: 1\ndata: a\ndata: b\n\ndata: {\"x\":1}\r\n\r\n");
        assert_eq!(events.len(), 2);
        assert_eq!((events[0].name.as_str(), events[0].data.as_str()), ("emit", "a\nb"));
        assert_eq!(events[1].json()["x"], 1);
    }
}
