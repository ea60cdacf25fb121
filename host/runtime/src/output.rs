//! What leaves a call while it runs: emitted chunks, events and log lines, in order and bounded.
//!
//! The log is kept with the call (newest lines win over none: when the byte limit is met the call
//! ends, nothing is silently cut). Chunks go to whoever streams the call; without a reader they are
//! collected for the reply. Deliberately absent: any formatting; the edge encodes.

use std::sync::Arc;

use parking_lot::Mutex;
use soma_policy::Timestamp;
use tokio::sync::mpsc;

/// Chunks that may wait for a slow reader.
const QUEUE_MAX: usize = 64;

/// One line of a guest's log.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct LogLine {
    /// When the host took it.
    pub at: Timestamp,
    /// trace, debug, info, warn, error, critical, stdout or stderr.
    pub level: &'static str,
    /// The guest's own name for where it comes from.
    pub context: String,
    /// The guest's words, as it sent them; renderers neutralise control characters.
    pub message: String,
}

/// What a streamed call tells while it runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CallEvent {
    /// A chunk of output.
    Chunk(Vec<u8>),
    /// A named event with a JSON payload.
    Event {
        /// The guest's name for it.
        name: String,
        /// JSON text, checked to be JSON.
        payload: String,
    },
    /// A log line.
    Log(LogLine),
}

/// The way out of one call.
#[derive(Clone)]
pub(crate) struct Output {
    stream: Option<mpsc::Sender<CallEvent>>,
    collected: Arc<Mutex<Vec<CallEvent>>>,
    log: Arc<Mutex<Vec<LogLine>>>,
}

/// Nobody reads any more.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Closed;

impl Output {
    /// With a reader: chunks go to it as they come.
    pub(crate) fn streamed() -> (Self, mpsc::Receiver<CallEvent>) {
        let (sender, receiver) = mpsc::channel(QUEUE_MAX);
        (Self { stream: Some(sender), ..Self::collected() }, receiver)
    }

    /// Without one: they are part of the reply.
    pub(crate) fn collected() -> Self {
        Self { stream: None, collected: Arc::default(), log: Arc::default() }
    }

    /// Sends a chunk or event; waits for a slow reader. The caller has charged its bytes.
    pub(crate) async fn send(&self, event: CallEvent) -> Result<(), Closed> {
        match &self.stream {
            Some(stream) => stream.send(event).await.map_err(|_| Closed),
            None => {
                self.collected.lock().push(event);
                Ok(())
            }
        }
    }

    /// Keeps a log line, and shows it to a reader that keeps up.
    pub(crate) fn log(&self, line: LogLine) {
        if let Some(stream) = &self.stream {
            // Logs never hold a guest up: a full queue drops the live view, the kept log has it.
            let _ = stream.try_send(CallEvent::Log(line.clone()));
        }
        self.log.lock().push(line);
    }

    pub(crate) fn take_collected(&self) -> Vec<CallEvent> {
        std::mem::take(&mut *self.collected.lock())
    }

    pub(crate) fn lines(&self) -> Vec<LogLine> {
        self.log.lock().clone()
    }
}
