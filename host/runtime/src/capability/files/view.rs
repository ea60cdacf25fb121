//! The view: `wasi:filesystem` 0.2 for one call.
//!
//! A guest starts from the directories of its grants and from nothing else; with no files capability there are none,
//! no descriptor can exist, and every function refuses. Resources live in the table under our own types; the numbers
//! that guests hold are theirs. What an interface cannot carry (why, and which grant would allow it) is kept as a
//! denial with the call.

mod convert;
mod descriptor;
mod entries;

use super::dir::DirHandle;
use super::fault::Fault;
use super::file::FileHandle;
use super::lane::{Lane, Stop};
use super::open::Node;
use super::path::GuestPath;
use super::slots::Hold;
use super::stream::FailedStream;
use super::volume::Mount;
use crate::running::Cut;
use crate::state::Ctx;
use soma_policy::{FileOp, LimitKind};
use soma_wit::standard::filesystem::preopens;
use soma_wit::standard::filesystem::types::{self, Descriptor, ErrorCode};
use std::sync::Arc;
use wasmtime::component::{HasData, Resource, ResourceTable};
use wasmtime_wasi::p2::{FsError, FsResult};

/// For `add_to_linker`.
pub(crate) struct Files;

impl HasData for Files {
    type Data<'a> = FilesView<'a>;
}

/// What the files capabilities of one call come to.
#[derive(Default)]
pub(crate) struct FilesState(Option<Granted>);

struct Granted {
    lane: Lane,
    roots: Vec<Node>,
}

impl FilesState {
    /// The base world: linked, and nothing there.
    pub(crate) const fn inert() -> Self {
        Self(None)
    }

    pub(super) const fn granted(lane: Lane, roots: Vec<Node>) -> Self {
        Self(Some(Granted { lane, roots }))
    }
}

/// `wasi:filesystem` as one call sees it.
pub(crate) struct FilesView<'a> {
    table: &'a mut ResourceTable,
    state: &'a FilesState,
}

/// What a guest's descriptor stands for.
struct Handle {
    node: Node,
    lane: Lane,
    _hold: Hold,
}

impl FilesView<'_> {
    pub(crate) fn of(ctx: &mut Ctx) -> FilesView<'_> {
        FilesView::new(&mut ctx.table, &ctx.files)
    }
}

impl<'a> FilesView<'a> {
    pub(super) const fn new(table: &'a mut ResourceTable, state: &'a FilesState) -> Self {
        Self { table, state }
    }

    fn handle(&self, fd: &Resource<Descriptor>) -> FsResult<&Handle> {
        let ours = Resource::<Handle>::new_borrow(fd.rep());
        self.table.get(&ours).map_err(FsError::trap)
    }

    fn node(&self, fd: &Resource<Descriptor>) -> FsResult<(Node, Lane)> {
        let handle = self.handle(fd)?;
        Ok((handle.node.clone(), handle.lane.clone()))
    }

    fn dir(&self, fd: &Resource<Descriptor>) -> FsResult<(Arc<DirHandle>, Lane)> {
        let handle = self.handle(fd)?;
        let dir = handle.node.dir().map_err(Fault::code)?;
        Ok((Arc::clone(dir), handle.lane.clone()))
    }

    fn file(&self, fd: &Resource<Descriptor>) -> FsResult<(Arc<FileHandle>, Lane)> {
        let handle = self.handle(fd)?;
        let file = handle.node.file().map_err(Fault::code)?;
        Ok((Arc::clone(file), handle.lane.clone()))
    }

    fn push_node(&mut self, node: Node, lane: Lane) -> Result<Resource<Descriptor>, Stop> {
        let hold = lane.hold(0)?;
        let handle = Handle { node, lane: lane.clone(), _hold: hold };
        let ours = self.push(&lane, handle)?;
        Ok(Resource::new_own(ours.rep()))
    }

    /// A full table is the guest's limit on handles.
    fn push<T: Send + 'static>(&mut self, lane: &Lane, entry: T) -> Result<Resource<T>, Stop> {
        self.table.push(entry).map_err(|_| {
            lane.running().cut(Cut::Limit(LimitKind::Handles));
            Stop::Cut(lane.running().cut_reason())
        })
    }

    /// One operation on an open file.
    async fn on_file<T: Send + 'static>(
        &mut self,
        fd: Resource<Descriptor>,
        op: FileOp,
        work: impl FnOnce(&FileHandle) -> Result<T, Fault> + Send + 'static,
    ) -> FsResult<T> {
        let (file, lane) = self.file(&fd)?;
        let permit = lane.decide(op, file.mount(), file.path())?;
        let to = Arc::clone(&file);
        let done = lane.perform(permit, file.mount(), move || work(&to)).await;
        Ok(done?)
    }

    /// One operation on whatever is open.
    async fn on_node<T: Send + 'static>(
        &mut self,
        fd: Resource<Descriptor>,
        op: FileOp,
        work: impl FnOnce(&Node) -> Result<T, Fault> + Send + 'static,
    ) -> FsResult<T> {
        let (node, lane) = self.node(&fd)?;
        let permit = lane.decide(op, node.mount(), node.path())?;
        let to = node.clone();
        let done = lane.perform(permit, node.mount(), move || work(&to)).await;
        Ok(done?)
    }

    /// One operation on a path below an open directory.
    async fn on_path<T: Send + 'static>(
        &mut self,
        fd: Resource<Descriptor>,
        path: String,
        op: FileOp,
        work: impl FnOnce(&DirHandle, &str) -> Result<T, Fault> + Send + 'static,
    ) -> FsResult<T> {
        let (dir, lane) = self.dir(&fd)?;
        let whole = canonical(&lane, dir.mount(), dir.path(), &path, op)?;
        let permit = lane.decide(op, dir.mount(), &whole)?;
        let to = Arc::clone(&dir);
        let done = lane.perform(permit, dir.mount(), move || work(&to, &path)).await;
        Ok(done?)
    }

    /// What is never done for any guest.
    fn refuse(&self, fd: &Resource<Descriptor>, path: &str, fault: Fault) -> FsError {
        match self.node(fd) {
            Ok((node, lane)) => {
                let whole = format!("{}/{path}", node.path());
                lane.refused(fault, FileOp::Create, node.mount(), &whole).into()
            }
            Err(error) => error,
        }
    }
}

/// The path as it is decided upon; one that has no canonical form is refused with the text that it came as.
fn canonical(
    lane: &Lane,
    mount: &Mount,
    base: &str,
    path: &str,
    op: FileOp,
) -> Result<String, Stop> {
    lane.running().charge_bytes(path.len())?;
    match GuestPath::parse(path) {
        Ok(parsed) => Ok(parsed.below(base)),
        Err(fault) => {
            let shown: String = path.chars().take(256).collect();
            Err(lane.refused(fault, op, mount, &shown))
        }
    }
}

impl types::Host for FilesView<'_> {
    fn convert_error_code(&mut self, error: FsError) -> wasmtime::Result<ErrorCode> {
        error.downcast()
    }

    fn filesystem_error_code(
        &mut self,
        error: Resource<wasmtime::Error>,
    ) -> wasmtime::Result<Option<ErrorCode>> {
        let error = self.table.get(&error)?;
        Ok(error.downcast_ref().map(|FailedStream(code)| *code))
    }
}

impl preopens::Host for FilesView<'_> {
    fn get_directories(&mut self) -> wasmtime::Result<Vec<(Resource<Descriptor>, String)>> {
        let state = self.state;
        let Some(granted) = &state.0 else {
            return Ok(Vec::new());
        };
        let mut directories = Vec::with_capacity(granted.roots.len());
        for root in &granted.roots {
            let path = root.path().to_owned();
            let fd = match self.push_node(root.clone(), granted.lane.clone()) {
                Ok(fd) => fd,
                Err(Stop::Cut(cut)) => return Err(cut.into()),
                // The host has no descriptor to give now: the guest sees no mount and says so.
                Err(_) => break,
            };
            directories.push((fd, path));
        }
        Ok(directories)
    }
}
