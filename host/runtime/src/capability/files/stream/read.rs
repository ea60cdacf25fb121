//! Reading a file from an offset on.

use super::super::file::{CHUNK_MAX, FileHandle};
use super::super::lane::{Lane, Stop};
use super::super::slots::Hold;
use bytes::Bytes;
use futures::FutureExt as _;
use futures::future::BoxFuture;
use soma_policy::FileOp;
use std::sync::Arc;
use wasmtime_wasi_io::async_trait;
use wasmtime_wasi_io::poll::Pollable;
use wasmtime_wasi_io::streams::{InputStream, StreamError, StreamResult};

/// How much is read ahead for a guest that waits without saying how much it wants.
const AHEAD: usize = 16 * 1024;

/// An input stream of a file.
pub(crate) struct ReadStream {
    lane: Lane,
    file: Arc<FileHandle>,
    offset: u64,
    state: State,
    _hold: Hold,
}

enum State {
    Idle,
    Busy(BoxFuture<'static, Result<Bytes, Stop>>),
    Ready(Bytes),
    Failed(Stop),
    Ended,
}

impl ReadStream {
    pub(crate) fn new(lane: Lane, file: Arc<FileHandle>, offset: u64) -> Result<Self, Stop> {
        let hold = lane.hold(CHUNK_MAX)?;
        Ok(Self { lane, file, offset, state: State::Idle, _hold: hold })
    }

    fn start(&mut self, len: usize) {
        if matches!(self.state, State::Idle) {
            let read = read(self.lane.clone(), Arc::clone(&self.file), self.offset, len);
            self.state = State::Busy(read.boxed());
        }
    }

    fn settle(&mut self, done: Result<Bytes, Stop>) {
        self.state = match done {
            Ok(bytes) if bytes.is_empty() => State::Ended,
            Ok(bytes) => {
                self.offset = self.offset.saturating_add(bytes.len() as u64);
                State::Ready(bytes)
            }
            Err(stop) => State::Failed(stop),
        };
    }

    /// Carries on without waiting.
    fn nudge(&mut self) {
        if let State::Busy(read) = &mut self.state
            && let Some(done) = read.now_or_never()
        {
            self.settle(done);
        }
    }

    async fn finish(&mut self) {
        if let State::Busy(read) = &mut self.state {
            let done = read.await;
            self.settle(done);
        }
    }
}

async fn read(lane: Lane, file: Arc<FileHandle>, offset: u64, len: usize) -> Result<Bytes, Stop> {
    let len = len.min(CHUNK_MAX) as u64;
    let permit = lane.decide(FileOp::Read, file.mount(), file.path())?;
    let from = Arc::clone(&file);
    let bytes = lane.perform(permit, file.mount(), move || from.read(len, offset)).await?;
    Ok(bytes.into())
}

#[async_trait]
impl InputStream for ReadStream {
    fn read(&mut self, size: usize) -> StreamResult<Bytes> {
        if size > 0 {
            self.start(size);
        }
        self.nudge();
        match std::mem::replace(&mut self.state, State::Ended) {
            State::Ready(mut bytes) => {
                let now = bytes.split_to(size.min(bytes.len()));
                self.state = if bytes.is_empty() { State::Idle } else { State::Ready(bytes) };
                Ok(now)
            }
            State::Failed(stop) => Err(stop.into()),
            State::Ended => Err(StreamError::Closed),
            waiting => {
                self.state = waiting;
                Ok(Bytes::new())
            }
        }
    }

    async fn cancel(&mut self) {
        // Nothing depends on a read that nobody waits for.
        self.state = State::Ended;
    }
}

#[async_trait]
impl Pollable for ReadStream {
    async fn ready(&mut self) {
        self.start(AHEAD);
        self.finish().await;
    }
}
