//! A guest with one mount, driven through the interface without a component around it.

use super::super::lane::{Lane, Tenant};
use super::super::open::Node;
use super::super::slots::Slots;
use super::super::view::{FilesState, FilesView};
use super::super::volume::Mount;
use super::Bench;
use super::call::{Call, call};
use crate::running::Cut;
use soma_policy::Code;
use soma_wit::standard::filesystem::preopens::Host as _;
use soma_wit::standard::filesystem::types::{
    Descriptor, DescriptorFlags, ErrorCode, HostDescriptor as _, OpenFlags, PathFlags,
};
use std::sync::Arc;
use wasmtime::component::{Resource, ResourceTable};
use wasmtime_wasi::p2::{FsError, FsResult};
use wasmtime_wasi_io::streams::{DynInputStream, DynOutputStream};

/// One guest with one mount at `/data`.
pub(super) struct Guest {
    pub(super) bench: Bench,
    pub(super) call: Call,
    pub(super) table: ResourceTable,
    state: FilesState,
    pub(super) tenant: Arc<Tenant>,
}

pub(super) fn lend(fd: &Resource<Descriptor>) -> Resource<Descriptor> {
    Resource::new_borrow(fd.rep())
}

impl Guest {
    pub(super) fn new(access: &str, bytes: u64) -> Self {
        Self::over(Bench::new(), access, bytes)
    }

    pub(super) fn over(bench: Bench, access: &str, bytes: u64) -> Self {
        Self::of(bench, access, bytes, call(access, bytes))
    }

    pub(super) fn of(bench: Bench, access: &str, bytes: u64, call: Call) -> Self {
        let tenant = Arc::new(Tenant::new(&Arc::new(Slots::new(100_000, None))));
        let mount = Arc::new(Mount {
            readable: access != "write",
            ..Arc::into_inner(bench.mount(access != "read", bytes, 20)).unwrap()
        });
        let lane = Lane::new(call.gate.clone(), Arc::clone(&tenant));
        let state = FilesState::granted(lane, vec![Node::root(&mount).unwrap()]);
        Self { bench, call, table: ResourceTable::new(), state, tenant }
    }

    pub(super) fn view(&mut self) -> FilesView<'_> {
        FilesView::new(&mut self.table, &self.state)
    }

    pub(super) fn root(&mut self) -> Resource<Descriptor> {
        let mut directories = self.view().get_directories().unwrap();
        let (root, path) = directories.pop().unwrap();
        assert_eq!(path, "/data");
        root
    }

    pub(super) async fn open(
        &mut self,
        path: &str,
        open: OpenFlags,
        flags: DescriptorFlags,
    ) -> FsResult<Resource<Descriptor>> {
        let root = self.root();
        let none = PathFlags::empty();
        self.view().open_at(root, none, path.to_owned(), open, flags).await
    }

    pub(super) async fn make(&mut self, path: &str) -> FsResult<Resource<Descriptor>> {
        let both = DescriptorFlags::READ | DescriptorFlags::WRITE;
        self.open(path, OpenFlags::CREATE, both).await
    }

    pub(super) async fn look(&mut self, path: &str) -> FsResult<Resource<Descriptor>> {
        self.open(path, OpenFlags::empty(), DescriptorFlags::READ).await
    }

    pub(super) fn denials(&self) -> Vec<Code> {
        let (denials, _) = self.call.gate.running().denials();
        denials.into_iter().map(|denial| denial.code).collect()
    }

    pub(super) fn output(&mut self, fd: &Resource<Descriptor>) -> DynOutputStream {
        let stream = self.view().append_via_stream(lend(fd)).unwrap();
        self.table.delete(stream).unwrap()
    }

    pub(super) fn input(&mut self, fd: &Resource<Descriptor>) -> DynInputStream {
        let stream = self.view().read_via_stream(lend(fd), 0).unwrap();
        self.table.delete(stream).unwrap()
    }
}

pub(super) fn code(error: FsError) -> ErrorCode {
    error.downcast().expect("an error code, not a trap")
}

pub(super) fn cut(error: FsError) -> Cut {
    match error.downcast() {
        Ok(code) => panic!("`{code:?}` where the call should have ended"),
        Err(trap) => trap.downcast().expect("a cut"),
    }
}
