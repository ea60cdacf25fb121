//! Standard output and error as an output stream that cuts what is written into lines of the guest's log.
//!
//! Never waits: the log takes every line until its limit ends the call. A line without an end is kept until it is long, the
//! stream is dropped, or the guest flushes and nothing more comes.

use bytes::Bytes;
use wasmtime_wasi_io::async_trait;
use wasmtime_wasi_io::poll::Pollable;
use wasmtime_wasi_io::streams::{OutputStream, StreamError, StreamResult};

use crate::capability::logging::{GuestLog, MESSAGE_MAX};

/// Bytes that a guest may write at once.
const WRITE_MAX: usize = 64 * 1024;

/// One of the two streams.
pub(super) struct Lines {
    log: GuestLog,
    name: &'static str,
    open: Vec<u8>,
}

impl Lines {
    pub(super) fn new(log: GuestLog, name: &'static str) -> Self {
        Self { log, name, open: Vec::new() }
    }

    fn take(&mut self, mut bytes: &[u8]) -> StreamResult<()> {
        while !bytes.is_empty() {
            let end = bytes.iter().position(|byte| *byte == b'\n');
            let room = MESSAGE_MAX.saturating_sub(self.open.len());
            let (line, rest) = match end {
                Some(end) if end <= room => {
                    (bytes.get(..end).unwrap_or_default(), bytes.get(end + 1..).unwrap_or_default())
                }
                _ => bytes.split_at(room.min(bytes.len())),
            };
            let whole = line.len() == room || end.is_some_and(|end| end <= room);
            self.open.extend_from_slice(line);
            bytes = rest;
            if whole {
                self.write_open()?;
            }
        }
        Ok(())
    }

    fn write_open(&mut self) -> StreamResult<()> {
        let line = std::mem::take(&mut self.open);
        let text = String::from_utf8_lossy(&line);
        self.log.write(self.name, "", &text).map_err(|cut| StreamError::Trap(cut.into()))
    }
}

#[async_trait]
impl Pollable for Lines {
    async fn ready(&mut self) {}
}

#[async_trait]
impl OutputStream for Lines {
    fn check_write(&mut self) -> StreamResult<usize> {
        Ok(WRITE_MAX)
    }

    fn write(&mut self, bytes: Bytes) -> StreamResult<()> {
        if bytes.len() > WRITE_MAX {
            return Err(StreamError::trap("more was written than check-write allowed"));
        }
        self.take(&bytes)
    }

    fn flush(&mut self) -> StreamResult<()> {
        Ok(())
    }
}

impl Drop for Lines {
    fn drop(&mut self) {
        if !self.open.is_empty() {
            // The call is over or the guest closed the stream: a limit met here has ended it already.
            let _ = self.write_open();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::capability::rig::Rig;

    fn lines(rig: &Rig) -> Lines {
        Lines::new(rig.log(), "stdout")
    }

    fn written(rig: &Rig) -> Vec<String> {
        rig.lines().into_iter().map(|line| line.message).collect()
    }

    #[test]
    fn what_is_written_piecewise_becomes_whole_lines() {
        let rig = Rig::default();
        let mut out = lines(&rig);
        for piece in ["on", "e\ntwo\n\nth", "ree"] {
            out.write(Bytes::from(piece)).unwrap();
        }
        assert_eq!(written(&rig), ["one", "two", ""]);
        drop(out);
        assert_eq!(written(&rig), ["one", "two", "", "three"]);
    }

    #[test]
    fn a_line_without_end_is_cut_at_its_longest() {
        let rig = Rig::default();
        let mut out = lines(&rig);
        out.write(Bytes::from(vec![b'x'; MESSAGE_MAX * 2 + 5])).unwrap();
        assert_eq!(written(&rig).iter().map(String::len).collect::<Vec<_>>(), [MESSAGE_MAX; 2]);
    }

    #[test]
    fn bytes_that_are_no_text_are_replaced() {
        let rig = Rig::default();
        lines(&rig).write(Bytes::from_static(b"a\xffb\n")).unwrap();
        assert_eq!(written(&rig), ["a\u{fffd}b"]);
    }

    #[test]
    fn a_flood_ends_at_the_log_limit() {
        let rig = Rig::default();
        let mut out = lines(&rig);
        let flood = Bytes::from(vec![b'\n'; WRITE_MAX]);
        let mut result = Ok(());
        for _ in 0..64 {
            result = result.and_then(|()| out.write(flood.clone()));
        }
        assert!(matches!(result, Err(StreamError::Trap(_))));
        assert_eq!(rig.cut_by(), Some(soma_policy::LimitKind::Log));
    }

    #[test]
    fn more_than_allowed_at_once_traps() {
        let rig = Rig::default();
        let too_much = Bytes::from(vec![0; WRITE_MAX + 1]);
        assert!(matches!(lines(&rig).write(too_much), Err(StreamError::Trap(_))));
    }
}
