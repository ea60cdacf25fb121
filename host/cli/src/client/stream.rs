//! Server-sent events of a host, read line by line with bounds.

use reqwest::Response;
use soma_policy::Code;

use crate::failure::Failure;

/// Longest event.
const EVENT_BYTES_MAX: usize = 16 * 1024 * 1024;

/// One event.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Event {
    pub(crate) name: String,
    pub(crate) data: String,
}

/// Events of an answer, one after the other.
#[derive(Debug)]
pub(crate) struct Events {
    answer: Response,
    buffer: Vec<u8>,
    current: Event,
    has_data: bool,
}

impl Events {
    pub(crate) fn new(answer: Response) -> Self {
        Self { answer, buffer: Vec::new(), current: Event::default(), has_data: false }
    }

    /// The next event; `None` at the end. An answer that is cut is an error, never an end.
    pub(crate) async fn next(&mut self) -> Result<Option<Event>, Failure> {
        loop {
            while let Some(line) = take_line(&mut self.buffer) {
                if let Some(event) = self.line(&line) {
                    return Ok(Some(event));
                }
            }
            let chunk = self.answer.chunk().await.map_err(|e| {
                Failure::new(
                    Code::HostUnreachable,
                    format!("the stream was cut: {}", Failure::chain(&e)),
                )
            })?;
            let Some(chunk) = chunk else { return Ok(None) };
            if self.buffer.len() + self.current.data.len() + chunk.len() > EVENT_BYTES_MAX {
                return Err(Failure::new(Code::HostUnreachable, "an event is larger than 16 MiB"));
            }
            self.buffer.extend_from_slice(&chunk);
        }
    }

    fn line(&mut self, line: &str) -> Option<Event> {
        if line.is_empty() {
            let event = std::mem::take(&mut self.current);
            return std::mem::take(&mut self.has_data).then_some(event);
        }
        let (field, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "event" => self.current.name = value.to_owned(),
            "data" => {
                if self.has_data {
                    self.current.data.push('\n');
                }
                self.current.data.push_str(value);
                self.has_data = true;
            }
            _ => {}
        }
        None
    }
}

fn take_line(buffer: &mut Vec<u8>) -> Option<String> {
    let end = buffer.iter().position(|b| *b == b'\n')?;
    let mut line: Vec<u8> = buffer.drain(..=end).collect();
    line.pop();
    if line.last() == Some(&b'\r') {
        line.pop();
    }
    Some(String::from_utf8_lossy(&line).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Vec<Event> {
        let answer = http::Response::new(text.to_owned());
        let mut events = Events::new(Response::from(answer));
        let mut read = Vec::new();
        crate::run::block_on(async {
            while let Some(event) = events.next().await? {
                read.push(event);
            }
            Ok(())
        })
        .unwrap();
        read
    }

    #[test]
    fn events_are_read_with_names_and_joined_data() {
        let events = read(
            ": hello\n\nevent: emit\ndata: {\"a\":\ndata: 1}\n\nid: 4\r\ndata: x\r\n\r\nevent: lost\n",
        );
        assert_eq!(
            events,
            [
                Event { name: "emit".into(), data: "{\"a\":\n1}".into() },
                Event { name: String::new(), data: "x".into() },
            ]
        );
    }
}
