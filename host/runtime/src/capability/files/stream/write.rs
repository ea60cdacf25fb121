//! Writing a file from an offset on, or at its end.

use super::super::file::{At, CHUNK_MAX, FileHandle};
use super::super::lane::{Lane, Stop};
use super::super::slots::Hold;
use bytes::Bytes;
use futures::FutureExt as _;
use futures::future::BoxFuture;
use soma_policy::FileOp;
use std::sync::Arc;
use wasmtime_wasi_io::async_trait;
use wasmtime_wasi_io::poll::Pollable;
use wasmtime_wasi_io::streams::{OutputStream, StreamError, StreamResult};

/// An output stream of a file.
pub(crate) struct WriteStream {
    lane: Lane,
    file: Arc<FileHandle>,
    at: At,
    state: State,
    _hold: Hold,
}

enum State {
    Ready,
    Busy(BoxFuture<'static, Result<u64, Stop>>),
    Failed(Stop),
    Closed,
}

impl WriteStream {
    pub(crate) fn new(lane: Lane, file: Arc<FileHandle>, at: At) -> Result<Self, Stop> {
        let hold = lane.hold(CHUNK_MAX)?;
        Ok(Self { lane, file, at, state: State::Ready, _hold: hold })
    }

    fn settle(&mut self, done: Result<u64, Stop>) {
        self.state = match done {
            Ok(written) => {
                if let At::Offset(offset) = &mut self.at {
                    *offset = offset.saturating_add(written);
                }
                State::Ready
            }
            Err(stop) => State::Failed(stop),
        };
    }

    /// Carries on without waiting.
    fn nudge(&mut self) {
        if let State::Busy(write) = &mut self.state
            && let Some(done) = write.now_or_never()
        {
            self.settle(done);
        }
    }

    async fn finish(&mut self) {
        if let State::Busy(write) = &mut self.state {
            let done = write.await;
            self.settle(done);
        }
    }

    /// Whether the next write may begin; an error is told once, and the stream is closed from then on.
    fn state(&mut self) -> StreamResult<bool> {
        self.nudge();
        match &self.state {
            State::Ready => Ok(true),
            State::Busy(_) => Ok(false),
            State::Closed => Err(StreamError::Closed),
            State::Failed(_) => match std::mem::replace(&mut self.state, State::Closed) {
                State::Failed(stop) => Err(stop.into()),
                _ => Err(StreamError::Closed),
            },
        }
    }
}

async fn write(lane: Lane, file: Arc<FileHandle>, at: At, bytes: Bytes) -> Result<u64, Stop> {
    let permit = lane.decide(FileOp::Write, file.mount(), file.path())?;
    let to = Arc::clone(&file);
    let work = move || to.write_all(&bytes, at);
    lane.perform(permit, file.mount(), work).await
}

#[async_trait]
impl OutputStream for WriteStream {
    fn write(&mut self, bytes: Bytes) -> StreamResult<()> {
        if bytes.len() > CHUNK_MAX || !matches!(self.state, State::Ready) {
            return Err(StreamError::trap("more written than check-write allowed"));
        }
        let write = write(self.lane.clone(), Arc::clone(&self.file), self.at, bytes);
        self.state = State::Busy(write.boxed());
        self.nudge();
        Ok(())
    }

    fn flush(&mut self) -> StreamResult<()> {
        self.state().map(drop)
    }

    fn check_write(&mut self) -> StreamResult<usize> {
        Ok(if self.state()? { CHUNK_MAX } else { 0 })
    }

    async fn cancel(&mut self) {
        // A guest that drops its stream has been told that the write was taken.
        self.finish().await;
        self.state = State::Closed;
    }
}

#[async_trait]
impl Pollable for WriteStream {
    async fn ready(&mut self) {
        self.finish().await;
    }
}
