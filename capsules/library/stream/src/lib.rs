//! The `soma/stream` capsule: emits output over time through `emit.lines`. Between two pieces it
//! waits in the host, so a long stream costs wall time and almost no CPU.

use soma_sdk::{clock, emit};

wit_bindgen::generate!({ path: "wit", world: "streamer" });

/// The name under `[capabilities.emit.NAME]`.
const EMITTER: &str = "lines";
const EVERY_MS: u64 = 100;

struct Stream;

impl Guest for Stream {
    fn count(to: Option<u64>, every_ms: Option<u64>) -> Result<u64, StreamError> {
        let last = to.unwrap_or(u64::MAX);
        for n in 1..=last {
            send(&format!("{n}\n"))?;
            pause(every_ms, n < last);
        }
        Ok(last)
    }

    fn lines(text: String, every_ms: Option<u64>) -> Result<u64, StreamError> {
        let total = text.lines().count() as u64;
        if total == 0 {
            return Err(StreamError::Empty);
        }
        for (n, line) in (1..).zip(text.lines()) {
            send(&format!("{line}\n"))?;
            pause(every_ms, n < total);
        }
        Ok(total)
    }

    fn progress(steps: u32, every_ms: Option<u64>) -> Result<u32, StreamError> {
        for done in 1..=steps {
            let percent = u64::from(done) * 100 / u64::from(steps);
            let payload = format!(r#"{{"done":{done},"of":{steps},"percent":{percent}}}"#);
            emit::event(EMITTER, "progress", &payload).map_err(refused)?;
            pause(every_ms, done < steps);
        }
        Ok(steps)
    }
}

fn send(text: &str) -> Result<(), StreamError> {
    emit::text(EMITTER, text).map_err(refused)
}

fn pause(every_ms: Option<u64>, more: bool) {
    if more {
        clock::wait_ms(every_ms.unwrap_or(EVERY_MS));
    }
}

fn refused(error: emit::Error) -> StreamError {
    StreamError::Emit(match error {
        emit::Error::Denied(why) => why,
        other => format!("{other:?}"),
    })
}

export!(Stream);
