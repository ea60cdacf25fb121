//! Streams over a file: what `read-via-stream`, `write-via-stream` and `append-via-stream` give a guest.
//!
//! A stream holds at most one operation of at most `CHUNK_MAX` bytes; there is no second buffer. Each operation is
//! decided anew, so a kill or a withdrawn grant ends a stream as well. Nothing runs on its own: an operation is carried
//! on when the guest reads, writes, polls or drops the stream, and is given up with the call. Bytes are not counted here:
//! `wasi:io` counts what crosses any stream.

mod read;
mod write;

pub(crate) use read::ReadStream;
pub(crate) use write::WriteStream;

use super::lane::{LostOperation, Stop};
use soma_wit::standard::filesystem::types::ErrorCode;
use wasmtime_wasi_io::streams::StreamError;

/// An operation's error behind `wasi:io/error`, for `filesystem-error-code`.
#[derive(Debug, thiserror::Error)]
#[error("the file operation failed with `{0:?}`")]
pub(crate) struct FailedStream(pub(crate) ErrorCode);

impl From<Stop> for StreamError {
    fn from(stop: Stop) -> Self {
        match stop {
            Stop::Fault(fault) => failed(fault.code()),
            Stop::Denied(code) => failed(code),
            Stop::Cut(cut) => Self::Trap(cut.into()),
            Stop::Lost => Self::Trap(LostOperation.into()),
        }
    }
}

fn failed(code: ErrorCode) -> StreamError {
    StreamError::LastOperationFailed(FailedStream(code).into())
}
