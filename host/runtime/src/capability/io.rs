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

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use error::HostError as _;
    use poll::{Host as _, HostPollable as _};
    use streams::{HostInputStream as _, HostOutputStream as _};
    use wasmtime_wasi::p2::pipe::{MemoryInputPipe, MemoryOutputPipe};

    use super::*;
    use crate::capability::rig::Rig;

    fn input(rig: &mut Rig, bytes: Vec<u8>) -> Resource<DynInputStream> {
        let stream: DynInputStream = Box::new(MemoryInputPipe::new(Bytes::from(bytes)));
        rig.ctx().table.push(stream).unwrap()
    }

    fn output(rig: &mut Rig) -> (Resource<DynOutputStream>, MemoryOutputPipe) {
        let pipe = MemoryOutputPipe::new(1 << 20);
        let stream: DynOutputStream = Box::new(pipe.clone());
        (rig.ctx().table.push(stream).unwrap(), pipe)
    }

    fn again<T: 'static>(resource: &Resource<T>) -> Resource<T> {
        Resource::new_borrow(resource.rep())
    }

    fn hostcall(rig: &Rig) -> u64 {
        rig.running().meter.used(LimitKind::Hostcall)
    }

    #[tokio::test]
    async fn what_crosses_is_counted_both_ways() {
        let mut rig = Rig::granting("");
        let from = input(&mut rig, vec![7; 300]);
        let (to, pipe) = output(&mut rig);
        let mut view = IoView::of(rig.ctx());
        assert_eq!(view.read(again(&from), 100).unwrap().len(), 100);
        assert_eq!(view.blocking_read(again(&from), 50).await.unwrap().len(), 50);
        assert_eq!(view.skip(again(&from), 10).unwrap(), 10);
        assert_eq!(view.splice(again(&to), again(&from), 40).unwrap(), 40);
        view.write(again(&to), vec![1; 20]).unwrap();
        view.blocking_write_and_flush(again(&to), vec![2; 5]).await.unwrap();
        view.write_zeroes(again(&to), 3).unwrap();
        assert_eq!(hostcall(&rig), 100 + 50 + 10 + 40 + 20 + 5 + 3);
        assert_eq!(pipe.contents().len(), 40 + 20 + 5 + 3);
    }

    #[tokio::test]
    async fn no_length_asks_for_more_than_the_call_may_move() {
        let mut rig = Rig::granting("");
        let most = rig.limits().hostcall.0;
        let from = input(&mut rig, vec![0; usize::try_from(most).unwrap() + 10]);
        let read = IoView::of(rig.ctx()).read(again(&from), u64::MAX);
        assert!(matches!(read, Err(StreamError::Trap(_))));
        assert_eq!(rig.cut_by(), Some(LimitKind::Hostcall));
    }

    #[tokio::test]
    async fn a_long_poll_list_is_counted() {
        let mut rig = Rig::granting("");
        let from = input(&mut rig, vec![1]);
        let pollable =
            streams::HostInputStream::subscribe(&mut IoView::of(rig.ctx()), from).unwrap();
        let list = (0..1_000).map(|_| again(&pollable)).collect();
        let ready = IoView::of(rig.ctx()).poll(list).await.unwrap();
        assert_eq!((ready.len(), hostcall(&rig)), (1_000, 8_000));
        let many = usize::try_from(rig.limits().hostcall.0).unwrap() / 8;
        let list = (0..many).map(|_| again(&pollable)).collect();
        assert!(IoView::of(rig.ctx()).poll(list).await.is_err());
        assert_eq!(rig.cut_by(), Some(LimitKind::Hostcall));
    }

    #[tokio::test]
    async fn pollables_are_handles() {
        let mut rig = Rig::granting("");
        let from = input(&mut rig, vec![1]);
        let mut subscribed = Ok(());
        for _ in 0..10_000 {
            let from = again(&from);
            subscribed =
                streams::HostInputStream::subscribe(&mut IoView::of(rig.ctx()), from).map(|_| ());
            if subscribed.is_err() {
                break;
            }
        }
        assert!(subscribed.is_err());
        assert_eq!(rig.cut_by(), Some(LimitKind::Handles));
    }

    #[tokio::test]
    async fn an_error_tells_no_causes() {
        let mut rig = Rig::granting("");
        let error = wasmtime::format_err!("/srv/secret/place").context("it failed");
        let error = rig.ctx().table.push(error).unwrap();
        let words = IoView::of(rig.ctx()).to_debug_string(error).unwrap();
        assert_eq!(words, "it failed");
    }

    #[tokio::test]
    async fn a_killed_call_moves_nothing() {
        let mut rig = Rig::granting("");
        let from = input(&mut rig, vec![1]);
        let (to, pipe) = output(&mut rig);
        let timer = streams::HostInputStream::subscribe(&mut IoView::of(rig.ctx()), again(&from));
        let timer = timer.unwrap();
        rig.kill();
        let mut view = IoView::of(rig.ctx());
        assert!(view.read(again(&from), 1).is_err());
        assert!(view.write(again(&to), vec![1]).is_err());
        assert!(view.check_write(again(&to)).is_err());
        assert!(view.block(again(&timer)).await.is_err());
        assert!(view.poll(vec![again(&timer)]).await.is_err());
        assert!(pipe.contents().is_empty());
    }
}
