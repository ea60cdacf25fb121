//! What a guest may know of a file: kind, size, times made coarse, and an opaque identity.
//!
//! Owner, mode, link count, device and inode numbers of the host stay with the host. Times are rounded down, so that
//! writing a file is not a precise clock for a guest that was granted none.

use super::inode::FileId;
use rustix::fs::{FileType, Stat, Timespec, Timestamps, UTIME_NOW, UTIME_OMIT};
use sha2::{Digest, Sha256};

/// How coarse the times of files are for guests, in nanoseconds.
const GRAIN: u32 = 10_000_000;

/// What lies at a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Meta {
    pub(crate) kind: FileType,
    pub(crate) size: u64,
    pub(crate) accessed: Moment,
    pub(crate) modified: Moment,
    pub(crate) changed: Moment,
    pub(crate) id: FileId,
}

/// Seconds and nanoseconds since 1970.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Moment {
    pub(crate) seconds: u64,
    pub(crate) nanoseconds: u32,
}

impl Moment {
    fn coarse(seconds: i64, nanoseconds: u64) -> Self {
        let nanoseconds = u32::try_from(nanoseconds).unwrap_or(0);
        Self {
            seconds: u64::try_from(seconds).unwrap_or(0),
            nanoseconds: nanoseconds - nanoseconds % GRAIN,
        }
    }
}

impl Meta {
    pub(crate) fn of(stat: &Stat) -> Self {
        Self {
            kind: FileType::from_raw_mode(stat.st_mode),
            size: u64::try_from(stat.st_size).unwrap_or(0),
            accessed: Moment::coarse(stat.st_atime, stat.st_atime_nsec),
            modified: Moment::coarse(stat.st_mtime, stat.st_mtime_nsec),
            changed: Moment::coarse(stat.st_ctime, stat.st_ctime_nsec),
            id: FileId::of(stat),
        }
    }

    /// The same for the same unchanged file, and nothing of the host's numbers in it that could be read back easily.
    pub(crate) fn hash(&self) -> (u64, u64) {
        let digest = Sha256::new()
            .chain_update(b"soma files metadata hash 1")
            .chain_update(self.id.device.to_le_bytes())
            .chain_update(self.id.inode.to_le_bytes())
            .finalize();
        let half = |from: usize| {
            digest.iter().skip(from).take(8).fold(0u64, |sum, byte| sum << 8 | u64::from(*byte))
        };
        (half(0), half(8))
    }
}

/// How a guest wants to set one time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stamp {
    Keep,
    Now,
    At(Moment),
}

/// Both times of one set-times operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Times {
    pub(crate) accessed: Stamp,
    pub(crate) modified: Stamp,
}

impl Times {
    pub(super) fn to_system(self) -> Timestamps {
        Timestamps {
            last_access: self.accessed.to_system(),
            last_modification: self.modified.to_system(),
        }
    }
}

impl Stamp {
    fn to_system(self) -> Timespec {
        match self {
            Self::Keep => Timespec { tv_sec: 0, tv_nsec: UTIME_OMIT },
            Self::Now => Timespec { tv_sec: 0, tv_nsec: UTIME_NOW },
            // Out of range: the latest that can be said. Nanoseconds are bounded so that they are never a special mark.
            Self::At(at) => Timespec {
                tv_sec: i64::try_from(at.seconds).unwrap_or(i64::MAX),
                tv_nsec: at.nanoseconds.min(999_999_999).into(),
            },
        }
    }
}
