//! Room `io`, part of the base world: streams, polls and errors, for whatever room made them.
//!
//! Upstream's implementation does the work. This view stands before it to count what crosses, to stop a call that is cut,
//! and to turn a full resource table into the `handles` limit. Deliberately absent: any stream of its own.

use soma_policy::LimitKind;
use soma_wit::standard::io::{error, poll, streams};
use wasmtime::Result;
use wasmtime::component::{HasData, Resource, ResourceTable};
use wasmtime_wasi_io::poll::DynPollable;
use wasmtime_wasi_io::streams::{DynInputStream, DynOutputStream, StreamError, StreamResult};

use super::full;
use crate::running::Running;
use crate::state::Ctx;

/// Names [`IoView`] to the linker.
pub(crate) struct Io;

impl HasData for Io {
    type Data<'a> = IoView<'a>;
}

/// `wasi:io` for one call.
pub(crate) struct IoView<'a> {
    running: &'a Running,
    table: &'a mut ResourceTable,
}

impl IoView<'_> {
    pub(crate) fn of(ctx: &mut Ctx) -> IoView<'_> {
        IoView { running: ctx.gate.running(), table: &mut ctx.table }
    }

    /// What a host may move to the guest at once, so that no length asks for a large buffer.
    fn at_most(&self, len: u64) -> u64 {
        len.min(self.running.meter.left(LimitKind::Hostcall).saturating_add(1))
    }

    fn came<T>(&self, bytes: usize, value: T) -> StreamResult<T> {
        self.running.charge_bytes(bytes).map_err(trap)?;
        Ok(value)
    }
}

fn trap(cut: crate::running::Cut) -> StreamError {
    StreamError::Trap(cut.into())
}

impl poll::Host for IoView<'_> {
    async fn poll(&mut self, pollables: Vec<Resource<DynPollable>>) -> Result<Vec<u32>> {
        // Four bytes each way for each pollable.
        self.running.charge_bytes(pollables.len().saturating_mul(8))?;
        poll::Host::poll(self.table, pollables).await
    }
}

impl poll::HostPollable for IoView<'_> {
    async fn ready(&mut self, pollable: Resource<DynPollable>) -> Result<bool> {
        self.running.live()?;
        poll::HostPollable::ready(self.table, pollable).await
    }

    async fn block(&mut self, pollable: Resource<DynPollable>) -> Result<()> {
        self.running.live()?;
        poll::HostPollable::block(self.table, pollable).await
    }

    fn drop(&mut self, pollable: Resource<DynPollable>) -> Result<()> {
        poll::HostPollable::drop(self.table, pollable)
    }
}

impl error::Host for IoView<'_> {}

impl error::HostError for IoView<'_> {
    fn to_debug_string(&mut self, error: Resource<wasmtime::Error>) -> Result<String> {
        // The outermost words only: causes may name files and addresses of the host.
        let words = self.table.get(&error)?.to_string();
        self.running.charge_bytes(words.len())?;
        Ok(words)
    }

    fn drop(&mut self, error: Resource<wasmtime::Error>) -> Result<()> {
        error::HostError::drop(self.table, error)
    }
}

impl streams::Host for IoView<'_> {
    fn convert_stream_error(&mut self, error: StreamError) -> Result<streams::StreamError> {
        let converted = streams::Host::convert_stream_error(self.table, error);
        full(self.running, converted)
    }
}

impl streams::HostInputStream for IoView<'_> {
    fn read(&mut self, stream: Resource<DynInputStream>, len: u64) -> StreamResult<Vec<u8>> {
        let bytes = streams::HostInputStream::read(self.table, stream, self.at_most(len))?;
        self.came(bytes.len(), bytes)
    }

    async fn blocking_read(
        &mut self,
        stream: Resource<DynInputStream>,
        len: u64,
    ) -> StreamResult<Vec<u8>> {
        let len = self.at_most(len);
        let bytes = streams::HostInputStream::blocking_read(self.table, stream, len).await?;
        self.came(bytes.len(), bytes)
    }

    fn skip(&mut self, stream: Resource<DynInputStream>, len: u64) -> StreamResult<u64> {
        let skipped = streams::HostInputStream::skip(self.table, stream, self.at_most(len))?;
        self.came(count(skipped), skipped)
    }

    async fn blocking_skip(
        &mut self,
        stream: Resource<DynInputStream>,
        len: u64,
    ) -> StreamResult<u64> {
        let len = self.at_most(len);
        let skipped = streams::HostInputStream::blocking_skip(self.table, stream, len).await?;
        self.came(count(skipped), skipped)
    }

    fn subscribe(&mut self, stream: Resource<DynInputStream>) -> Result<Resource<DynPollable>> {
        self.running.live()?;
        let made = streams::HostInputStream::subscribe(self.table, stream);
        full(self.running, made)
    }

    async fn drop(&mut self, stream: Resource<DynInputStream>) -> Result<()> {
        streams::HostInputStream::drop(self.table, stream).await
    }
}

impl streams::HostOutputStream for IoView<'_> {
    fn check_write(&mut self, stream: Resource<DynOutputStream>) -> StreamResult<u64> {
        self.running.live().map_err(trap)?;
        streams::HostOutputStream::check_write(self.table, stream)
    }

    fn write(&mut self, stream: Resource<DynOutputStream>, bytes: Vec<u8>) -> StreamResult<()> {
        self.came(bytes.len(), ())?;
        streams::HostOutputStream::write(self.table, stream, bytes)
    }

    async fn blocking_write_and_flush(
        &mut self,
        stream: Resource<DynOutputStream>,
        bytes: Vec<u8>,
    ) -> StreamResult<()> {
        self.came(bytes.len(), ())?;
        streams::HostOutputStream::blocking_write_and_flush(self.table, stream, bytes).await
    }

    fn write_zeroes(&mut self, stream: Resource<DynOutputStream>, len: u64) -> StreamResult<()> {
        self.came(count(len), ())?;
        streams::HostOutputStream::write_zeroes(self.table, stream, len)
    }

    async fn blocking_write_zeroes_and_flush(
        &mut self,
        stream: Resource<DynOutputStream>,
        len: u64,
    ) -> StreamResult<()> {
        self.came(count(len), ())?;
        streams::HostOutputStream::blocking_write_zeroes_and_flush(self.table, stream, len).await
    }

    fn flush(&mut self, stream: Resource<DynOutputStream>) -> StreamResult<()> {
        self.running.live().map_err(trap)?;
        streams::HostOutputStream::flush(self.table, stream)
    }

    async fn blocking_flush(&mut self, stream: Resource<DynOutputStream>) -> StreamResult<()> {
        self.running.live().map_err(trap)?;
        streams::HostOutputStream::blocking_flush(self.table, stream).await
    }

    fn splice(
        &mut self,
        stream: Resource<DynOutputStream>,
        from: Resource<DynInputStream>,
        len: u64,
    ) -> StreamResult<u64> {
        let len = self.at_most(len);
        let moved = streams::HostOutputStream::splice(self.table, stream, from, len)?;
        self.came(count(moved), moved)
    }

    async fn blocking_splice(
        &mut self,
        stream: Resource<DynOutputStream>,
        from: Resource<DynInputStream>,
        len: u64,
    ) -> StreamResult<u64> {
        let len = self.at_most(len);
        let moved =
            streams::HostOutputStream::blocking_splice(self.table, stream, from, len).await?;
        self.came(count(moved), moved)
    }

    fn subscribe(&mut self, stream: Resource<DynOutputStream>) -> Result<Resource<DynPollable>> {
        self.running.live()?;
        let made = streams::HostOutputStream::subscribe(self.table, stream);
        full(self.running, made)
    }

    async fn drop(&mut self, stream: Resource<DynOutputStream>) -> Result<()> {
        streams::HostOutputStream::drop(self.table, stream).await
    }
}

fn count(bytes: u64) -> usize {
    usize::try_from(bytes).unwrap_or(usize::MAX)
}
