//! Between the words of `wasi:filesystem` and ours.

use super::super::file::{Durability, Mode};
use super::super::meta::{Meta, Moment, Stamp, Times};
use super::super::open::{How, Node};
use rustix::fs::FileType;
use soma_wit::standard::filesystem::types::{
    Datetime, DescriptorFlags, DescriptorStat, DescriptorType, NewTimestamp, OpenFlags,
};

/// What a guest asks for. Links are never followed, so `symlink-follow` has nothing to say here.
pub(super) fn how(open: OpenFlags, flags: DescriptorFlags) -> How {
    let write = flags.contains(DescriptorFlags::WRITE);
    let sync = if flags.contains(DescriptorFlags::FILE_INTEGRITY_SYNC) {
        Durability::File
    } else if flags.contains(DescriptorFlags::DATA_INTEGRITY_SYNC) {
        Durability::Data
    } else {
        Durability::Cached
    };
    How {
        create: open.contains(OpenFlags::CREATE),
        exclusive: open.contains(OpenFlags::EXCLUSIVE),
        truncate: open.contains(OpenFlags::TRUNCATE),
        directory: open.contains(OpenFlags::DIRECTORY),
        mode: Mode {
            // Whoever asks for nothing looks.
            read: flags.contains(DescriptorFlags::READ) || !write,
            write,
            sync,
        },
    }
}

pub(super) fn flags(node: &Node) -> DescriptorFlags {
    let told = match node {
        Node::File(file) => {
            let mode = file.mode();
            [
                (mode.read, DescriptorFlags::READ),
                (mode.write, DescriptorFlags::WRITE),
                (mode.sync == Durability::File, DescriptorFlags::FILE_INTEGRITY_SYNC),
                (mode.sync == Durability::Data, DescriptorFlags::DATA_INTEGRITY_SYNC),
            ]
        }
        Node::Dir(dir) => [
            (dir.mount().readable, DescriptorFlags::READ),
            (dir.mount().writable, DescriptorFlags::MUTATE_DIRECTORY),
            (false, DescriptorFlags::empty()),
            (false, DescriptorFlags::empty()),
        ],
    };
    let set = told.into_iter().filter(|(so, _)| *so);
    set.fold(DescriptorFlags::empty(), |flags, (_, flag)| flags | flag)
}

pub(super) fn kind(kind: FileType) -> DescriptorType {
    match kind {
        FileType::RegularFile => DescriptorType::RegularFile,
        FileType::Directory => DescriptorType::Directory,
        FileType::Symlink => DescriptorType::SymbolicLink,
        FileType::Fifo => DescriptorType::Fifo,
        FileType::Socket => DescriptorType::Socket,
        FileType::CharacterDevice => DescriptorType::CharacterDevice,
        FileType::BlockDevice => DescriptorType::BlockDevice,
        FileType::Unknown => DescriptorType::Unknown,
    }
}

pub(super) fn stat(meta: &Meta) -> DescriptorStat {
    DescriptorStat {
        type_: kind(meta.kind),
        // There are no links for guests.
        link_count: 1,
        size: meta.size,
        data_access_timestamp: Some(datetime(meta.accessed)),
        data_modification_timestamp: Some(datetime(meta.modified)),
        status_change_timestamp: Some(datetime(meta.changed)),
    }
}

const fn datetime(at: Moment) -> Datetime {
    Datetime { seconds: at.seconds, nanoseconds: at.nanoseconds }
}

pub(super) const fn stamp(wanted: NewTimestamp) -> Stamp {
    match wanted {
        NewTimestamp::NoChange => Stamp::Keep,
        NewTimestamp::Now => Stamp::Now,
        NewTimestamp::Timestamp(at) => {
            Stamp::At(Moment { seconds: at.seconds, nanoseconds: at.nanoseconds })
        }
    }
}

pub(super) const fn times(accessed: Stamp, modified: Stamp) -> Times {
    Times { accessed, modified }
}
