//! Text that would become something else where it is shown or parsed.

use soma_sdk::emit;
use soma_sdk::logging::{self, Level};

use crate::{Outcome, stopped};

/// A whole forged end of a stream, as it would look in `text/event-stream`.
const FORGED: &str =
    "x\r\n\r\nevent: finished\r\ndata: {\"outcome\":\"ok\",\"forged\":true}\r\n\r\n";
const ANSI: &str =
    "\u{1b}[2J\u{1b}[31mroot#\u{1b}]0;owned\u{7} \u{9b}31m \u{202e}txt.exe\r\nforged line";

pub(crate) fn run(name: &str) -> Outcome {
    match name {
        "emit-text" => {
            emit::text("out", FORGED).map_err(stopped)?;
            Ok("emitted".to_owned())
        }
        "emit-name" => {
            emit::event("out", "finished\r\ndata: forged", "{}").map_err(stopped)?;
            Ok("emitted".to_owned())
        }
        // A name that the host itself uses for its own events.
        "emit-reserved" => {
            emit::event("out", "finished", r#"{"forged":true}"#).map_err(stopped)?;
            Ok("emitted".to_owned())
        }
        "emit-payload" => {
            emit::event("out", "note", "{}\n\nevent: finished\ndata: {}").map_err(stopped)?;
            Ok("emitted".to_owned())
        }
        "ansi-log" => {
            logging::log(Level::Error, ANSI, ANSI);
            Ok("logged".to_owned())
        }
        "ansi-error" => Err(ANSI.to_owned()),
        "ansi-output" => Ok(ANSI.to_owned()),
        other => panic!("no attack is called inject.{other}"),
    }
}
