//! A directory entry stream: a listing, read a page at a time while the guest asks.

use super::super::dir::DirHandle;
use super::super::fault::Fault;
use super::super::lane::{Lane, Stop};
use super::super::listing::{Entry, Listing};
use super::super::slots::Hold;
use super::FilesView;
use super::convert::kind;
use parking_lot::Mutex;
use soma_policy::FileOp;
use soma_wit::standard::filesystem::types::{
    DirectoryEntry, DirectoryEntryStream, HostDirectoryEntryStream,
};
use std::sync::Arc;
use wasmtime::component::Resource;
use wasmtime_wasi::p2::{FsError, FsResult};

/// What an entry costs a guest's byte count besides its name.
const ENTRY_BYTES: usize = 16;

/// A listing with its way to the disk.
#[derive(Clone)]
pub(super) struct Entries {
    lane: Lane,
    dir: Arc<DirHandle>,
    listing: Arc<Mutex<Listing>>,
    _hold: Arc<Hold>,
}

impl Entries {
    pub(super) fn new(lane: Lane, dir: Arc<DirHandle>, listing: Listing, hold: Hold) -> Self {
        Self { lane, dir, listing: Arc::new(Mutex::new(listing)), _hold: Arc::new(hold) }
    }

    async fn next(&self) -> Result<Option<Entry>, Stop> {
        if let Some(entry) = self.ready()? {
            return Ok(Some(entry));
        }
        if self.listing.lock().ended() {
            return Ok(None);
        }
        let mount = self.dir.mount();
        let permit = self.lane.decide(FileOp::List, mount, self.dir.path())?;
        let listing = Arc::clone(&self.listing);
        let page = move || {
            listing.lock().read_page();
            Ok(())
        };
        self.lane.perform(permit, mount, page).await?;
        Ok(self.ready()?)
    }

    fn ready(&self) -> Result<Option<Entry>, Fault> {
        self.listing.lock().ready().transpose()
    }
}

impl HostDirectoryEntryStream for FilesView<'_> {
    async fn read_directory_entry(
        &mut self,
        stream: Resource<DirectoryEntryStream>,
    ) -> FsResult<Option<DirectoryEntry>> {
        let ours = Resource::<Entries>::new_borrow(stream.rep());
        let entries = self.table.get(&ours).map_err(FsError::trap)?.clone();
        let Some(entry) = entries.next().await? else {
            return Ok(None);
        };
        let bytes = entry.name.len().saturating_add(ENTRY_BYTES);
        entries.lane.running().charge_bytes(bytes).map_err(Stop::Cut)?;
        Ok(Some(DirectoryEntry { type_: kind(entry.kind), name: entry.name }))
    }

    fn drop(&mut self, stream: Resource<DirectoryEntryStream>) -> wasmtime::Result<()> {
        self.table.delete(Resource::<Entries>::new_own(stream.rep()))?;
        Ok(())
    }
}
