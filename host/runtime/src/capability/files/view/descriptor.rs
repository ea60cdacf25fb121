//! The functions of a descriptor, each: what is asked, what has to be charged, what the engine does.

use super::super::fault::Fault;
use super::super::file::{At, CHUNK_MAX};
use super::super::lane::Stop;
use super::super::listing::ROOM;
use super::super::open::Node;
use super::super::stream::{ReadStream, WriteStream};
use super::convert::{how, stamp, stat, times};
use super::entries::Entries;
use super::{FilesView, Handle, canonical};
use soma_policy::FileOp;
use soma_wit::standard::filesystem::types::{
    self, Descriptor, DescriptorFlags, DescriptorStat, DescriptorType, DirectoryEntryStream,
    ErrorCode, HostDescriptor, MetadataHashValue, NewTimestamp, OpenFlags, PathFlags,
};
use std::sync::Arc;
use wasmtime::component::Resource;
use wasmtime_wasi::p2::{FsError, FsResult};
use wasmtime_wasi_io::streams::{DynInputStream, DynOutputStream};

/// Most bytes of one `write`; a longer one is written in part and says so.
const WRITE_MAX: usize = 4 * CHUNK_MAX;

impl HostDescriptor for FilesView<'_> {
    fn read_via_stream(
        &mut self,
        fd: Resource<Descriptor>,
        offset: u64,
    ) -> FsResult<Resource<DynInputStream>> {
        let (file, lane) = self.file(&fd)?;
        readable(self, &fd)?;
        let stream: DynInputStream = Box::new(ReadStream::new(lane.clone(), file, offset)?);
        Ok(self.push(&lane, stream)?)
    }

    fn write_via_stream(
        &mut self,
        fd: Resource<Descriptor>,
        offset: u64,
    ) -> FsResult<Resource<DynOutputStream>> {
        output(self, &fd, At::Offset(offset))
    }

    fn append_via_stream(
        &mut self,
        fd: Resource<Descriptor>,
    ) -> FsResult<Resource<DynOutputStream>> {
        output(self, &fd, At::End)
    }

    /// Advice changes nothing that a guest can see; none is passed on.
    async fn advise(
        &mut self,
        fd: Resource<Descriptor>,
        _offset: u64,
        _length: u64,
        _advice: types::Advice,
    ) -> FsResult<()> {
        let (_, lane) = self.file(&fd)?;
        Ok(lane.running().live().map_err(Stop::Cut)?)
    }

    async fn sync_data(&mut self, fd: Resource<Descriptor>) -> FsResult<()> {
        sync(self, fd, true).await
    }

    async fn sync(&mut self, fd: Resource<Descriptor>) -> FsResult<()> {
        sync(self, fd, false).await
    }

    async fn get_flags(&mut self, fd: Resource<Descriptor>) -> FsResult<DescriptorFlags> {
        let (node, lane) = self.node(&fd)?;
        lane.running().live().map_err(Stop::Cut)?;
        Ok(super::convert::flags(&node))
    }

    async fn get_type(&mut self, fd: Resource<Descriptor>) -> FsResult<DescriptorType> {
        let (node, lane) = self.node(&fd)?;
        lane.running().live().map_err(Stop::Cut)?;
        Ok(match node {
            Node::File(_) => DescriptorType::RegularFile,
            Node::Dir(_) => DescriptorType::Directory,
        })
    }

    async fn set_size(&mut self, fd: Resource<Descriptor>, size: u64) -> FsResult<()> {
        self.on_file(fd, FileOp::Write, move |file| file.set_size(size)).await
    }

    async fn set_times(
        &mut self,
        fd: Resource<Descriptor>,
        accessed: NewTimestamp,
        modified: NewTimestamp,
    ) -> FsResult<()> {
        let times = times(stamp(accessed), stamp(modified));
        self.on_node(fd, FileOp::Write, move |node| match node {
            Node::File(file) => file.set_times(times),
            Node::Dir(dir) => dir.set_times(times),
        })
        .await
    }

    async fn read(
        &mut self,
        fd: Resource<Descriptor>,
        length: u64,
        offset: u64,
    ) -> FsResult<(Vec<u8>, bool)> {
        let (_, lane) = self.file(&fd)?;
        let bytes = self.on_file(fd, FileOp::Read, move |file| file.read(length, offset)).await?;
        lane.running().charge_bytes(bytes.len()).map_err(Stop::Cut)?;
        let ended = bytes.is_empty() && length > 0;
        Ok((bytes, ended))
    }

    async fn write(
        &mut self,
        fd: Resource<Descriptor>,
        mut bytes: Vec<u8>,
        offset: u64,
    ) -> FsResult<u64> {
        let (_, lane) = self.file(&fd)?;
        bytes.truncate(WRITE_MAX);
        lane.running().charge_bytes(bytes.len()).map_err(Stop::Cut)?;
        self.on_file(fd, FileOp::Write, move |file| file.write(&bytes, At::Offset(offset))).await
    }

    async fn read_directory(
        &mut self,
        fd: Resource<Descriptor>,
    ) -> FsResult<Resource<DirectoryEntryStream>> {
        let (dir, lane) = self.dir(&fd)?;
        let hold = lane.hold(ROOM)?;
        let permit = lane.decide(FileOp::List, dir.mount(), dir.path())?;
        let of = Arc::clone(&dir);
        let listing = lane.perform(permit, dir.mount(), move || of.list()).await?;
        let entries = Entries::new(lane.clone(), dir, listing, hold);
        let ours = self.push(&lane, entries)?;
        Ok(Resource::new_own(ours.rep()))
    }

    async fn create_directory_at(
        &mut self,
        fd: Resource<Descriptor>,
        path: String,
    ) -> FsResult<()> {
        self.on_path(fd, path, FileOp::Create, |dir, path| dir.make_dir(path)).await
    }

    async fn stat(&mut self, fd: Resource<Descriptor>) -> FsResult<DescriptorStat> {
        let meta = self.on_node(fd, FileOp::Stat, Node::meta).await?;
        Ok(stat(&meta))
    }

    async fn stat_at(
        &mut self,
        fd: Resource<Descriptor>,
        _flags: PathFlags,
        path: String,
    ) -> FsResult<DescriptorStat> {
        let meta = self.on_path(fd, path, FileOp::Stat, |dir, path| dir.meta_at(path)).await?;
        Ok(stat(&meta))
    }

    async fn set_times_at(
        &mut self,
        fd: Resource<Descriptor>,
        _flags: PathFlags,
        path: String,
        accessed: NewTimestamp,
        modified: NewTimestamp,
    ) -> FsResult<()> {
        let times = times(stamp(accessed), stamp(modified));
        self.on_path(fd, path, FileOp::Write, move |dir, path| dir.set_times_at(path, times)).await
    }

    async fn link_at(
        &mut self,
        fd: Resource<Descriptor>,
        _flags: PathFlags,
        _old_path: String,
        _new_descriptor: Resource<Descriptor>,
        new_path: String,
    ) -> FsResult<()> {
        Err(self.refuse(&fd, &new_path, Fault::Link))
    }

    async fn open_at(
        &mut self,
        fd: Resource<Descriptor>,
        _flags: PathFlags,
        path: String,
        open: OpenFlags,
        flags: DescriptorFlags,
    ) -> FsResult<Resource<Descriptor>> {
        let (dir, lane) = self.dir(&fd)?;
        let how = how(open, flags);
        let op = how.op();
        if flags.contains(DescriptorFlags::MUTATE_DIRECTORY) && !dir.mount().writable {
            return Err(lane.refused(Fault::ReadOnly, op, dir.mount(), dir.path()).into());
        }
        let node = self.on_path(fd, path, op, move |dir, path| dir.open_at(path, how)).await?;
        Ok(self.push_node(node, lane)?)
    }

    async fn readlink_at(&mut self, fd: Resource<Descriptor>, path: String) -> FsResult<String> {
        Err(self.refuse(&fd, &path, Fault::Link))
    }

    async fn remove_directory_at(
        &mut self,
        fd: Resource<Descriptor>,
        path: String,
    ) -> FsResult<()> {
        self.on_path(fd, path, FileOp::Delete, |dir, path| dir.remove_dir(path)).await
    }

    async fn rename_at(
        &mut self,
        fd: Resource<Descriptor>,
        old_path: String,
        new_fd: Resource<Descriptor>,
        new_path: String,
    ) -> FsResult<()> {
        let (target, lane) = self.dir(&new_fd)?;
        let to = canonical(&lane, target.mount(), target.path(), &new_path, FileOp::Create)?;
        let permit = lane.decide(FileOp::Create, target.mount(), &to)?;
        self.on_path(fd, old_path, FileOp::Rename, move |dir, old| {
            // Both ends were permitted; the permit of the target ends with the move.
            let _permitted = permit;
            dir.rename(old, &target, &new_path)
        })
        .await
    }

    async fn symlink_at(
        &mut self,
        fd: Resource<Descriptor>,
        _old_path: String,
        new_path: String,
    ) -> FsResult<()> {
        Err(self.refuse(&fd, &new_path, Fault::Link))
    }

    async fn unlink_file_at(&mut self, fd: Resource<Descriptor>, path: String) -> FsResult<()> {
        self.on_path(fd, path, FileOp::Delete, |dir, path| dir.remove_file(path)).await
    }

    async fn is_same_object(
        &mut self,
        one: Resource<Descriptor>,
        other: Resource<Descriptor>,
    ) -> wasmtime::Result<bool> {
        let id = |fd| self.handle(fd).map(|handle| handle.node.id());
        let same = id(&one).and_then(|one| Ok(one == id(&other)?));
        same.map_err(|error| {
            error.downcast().map_or_else(|trap| trap, |code: ErrorCode| code.into())
        })
    }

    async fn metadata_hash(&mut self, fd: Resource<Descriptor>) -> FsResult<MetadataHashValue> {
        let meta = self.on_node(fd, FileOp::Stat, Node::meta).await?;
        Ok(hash(meta.hash()))
    }

    async fn metadata_hash_at(
        &mut self,
        fd: Resource<Descriptor>,
        _flags: PathFlags,
        path: String,
    ) -> FsResult<MetadataHashValue> {
        let meta = self.on_path(fd, path, FileOp::Stat, |dir, path| dir.meta_at(path)).await?;
        Ok(hash(meta.hash()))
    }

    fn drop(&mut self, fd: Resource<Descriptor>) -> wasmtime::Result<()> {
        self.table.delete(Resource::<Handle>::new_own(fd.rep()))?;
        Ok(())
    }
}

const fn hash((lower, upper): (u64, u64)) -> MetadataHashValue {
    MetadataHashValue { lower, upper }
}

/// A mount that may not be written has nothing to make durable.
async fn sync(view: &mut FilesView<'_>, fd: Resource<Descriptor>, data: bool) -> FsResult<()> {
    let (node, lane) = view.node(&fd)?;
    lane.running().live().map_err(Stop::Cut)?;
    if !node.mount().writable {
        return Ok(());
    }
    view.on_node(fd, FileOp::Write, move |node| match node {
        Node::File(file) => file.sync(data),
        Node::Dir(dir) => dir.sync(data),
    })
    .await
}

fn readable(view: &FilesView<'_>, fd: &Resource<Descriptor>) -> FsResult<()> {
    let (file, lane) = view.file(fd)?;
    lane.decide(FileOp::Read, file.mount(), file.path())?;
    file.require_read()
        .map_err(|fault| lane.refused(fault, FileOp::Read, file.mount(), file.path()))?;
    Ok(())
}

fn output(
    view: &mut FilesView<'_>,
    fd: &Resource<Descriptor>,
    at: At,
) -> Result<Resource<DynOutputStream>, FsError> {
    let (file, lane) = view.file(fd)?;
    lane.decide(FileOp::Write, file.mount(), file.path())?;
    file.require_write()
        .map_err(|fault| lane.refused(fault, FileOp::Write, file.mount(), file.path()))?;
    let stream: DynOutputStream = Box::new(WriteStream::new(lane.clone(), file, at)?);
    Ok(view.push(&lane, stream)?)
}
