//! What can go wrong with a journal: while it runs, when it starts, and when it is verified.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use soma_policy::Code;

use super::chain::ChainFault;
use super::frame::FrameFault;
use super::key::KeyError;

/// Why an entry was not, or will not be, recorded.
#[derive(Debug, Clone, thiserror::Error)]
pub enum JournalError {
    /// The disk refused. Nothing is appended from here on: what a failed sync left behind is unknown,
    /// and asking again could report a success that never was.
    #[error("the journal stopped: {0}")]
    Disk(#[from] DiskError),
    /// The host key could not sign.
    #[error("the journal stopped: {0}")]
    Key(#[from] KeyError),
    /// More waits to be written than the bound allows.
    #[error("the journal's queue is full")]
    Full,
    /// The entry is longer than a frame may be.
    #[error("an entry of {length} bytes is longer than the bound of {bound}")]
    TooLong {
        /// Its length.
        length: usize,
        /// The bound.
        bound: usize,
    },
    /// The entry has no canonical form.
    #[error("the entry has no canonical form: {0}")]
    Form(String),
    /// The journal was closed.
    #[error("the journal is closed")]
    Closed,
    /// The records asked for were pruned.
    #[error("records before {first} were pruned")]
    Pruned {
        /// The first that is kept.
        first: u64,
    },
    /// What is on disk is no longer what was written.
    #[error("the journal was changed under the running host: {0}")]
    Changed(Box<Fault>),
}

impl JournalError {
    /// Its code in the catalogue.
    #[must_use]
    pub const fn code(&self) -> Code {
        match self {
            Self::TooLong { .. } | Self::Form(_) => Code::JournalFrame,
            Self::Pruned { .. } => Code::JournalCursor,
            Self::Changed(_) => Code::JournalHash,
            Self::Disk(_) | Self::Key(_) | Self::Full | Self::Closed => Code::JournalWrite,
        }
    }
}

impl OpenError {
    /// Its code in the catalogue.
    #[must_use]
    pub const fn code(&self) -> Code {
        match self {
            Self::Disk(_) | Self::Key(_) | Self::Locked(_) => Code::JournalWrite,
            Self::HeadMissing(_) | Self::BelowHead { .. } => Code::JournalCut,
            Self::HeadUnreadable(_) => Code::JournalSignature,
            Self::Foreign { .. } => Code::JournalForeign,
            Self::FrontMissing { .. } | Self::Unremembered(_) => Code::JournalGap,
            Self::Unknown { .. } | Self::Fork(_) | Self::Damaged(_) => Code::JournalHash,
            Self::Append(error) => error.code(),
        }
    }
}

impl Fault {
    /// Its code in the catalogue.
    #[must_use]
    pub const fn code(&self) -> Code {
        match &self.what {
            What::Frame(FrameFault::Short) => Code::JournalTorn,
            What::Frame(_) | What::Entry(_) => Code::JournalHash,
            What::Chain(ChainFault::Sequence { .. }) => Code::JournalGap,
            What::Chain(ChainFault::Signature { .. }) => Code::JournalSignature,
            What::Chain(_) => Code::JournalHash,
        }
    }
}

/// An input or output error, and where.
#[derive(Debug, Clone, thiserror::Error)]
#[error("cannot {action} `{path}`: {source}", path = path.display())]
pub struct DiskError {
    /// What was tried.
    pub action: &'static str,
    /// On which path.
    pub path: PathBuf,
    /// What the system said.
    #[source]
    pub source: Arc<io::Error>,
}

impl DiskError {
    /// For `map_err`: what was tried, on which path.
    pub(crate) fn of(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        move |source| Self { action, path: path.to_path_buf(), source: Arc::new(source) }
    }

    /// Whether the disk is full (or the quota used up).
    #[must_use]
    pub fn is_full(&self) -> bool {
        matches!(self.source.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
    }
}

/// A place in a journal where something is wrong.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{path}` at byte {offset}: {what}", path = path.display())]
pub struct Fault {
    /// The segment.
    pub path: PathBuf,
    /// Where in it.
    pub offset: u64,
    /// The record that belongs there.
    pub seq: u64,
    /// What is wrong.
    pub what: What,
}

/// What is wrong at a place.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum What {
    /// The bytes are no frame.
    #[error("{0}")]
    Frame(#[from] FrameFault),
    /// The frame does not follow.
    #[error("{0}")]
    Chain(#[from] ChainFault),
    /// The record is whole, but its entry is none that is known.
    #[error("the entry cannot be read: {0}")]
    Entry(String),
}

/// Why a journal is not opened. Each message says what an operator can do.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The disk refused.
    #[error(transparent)]
    Disk(#[from] DiskError),
    /// The host key cannot be used.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// Another process has it.
    #[error("another process is writing the journal in `{path}`; stop it first", path = .0.display())]
    Locked(PathBuf),
    /// Records exist, but the head file does not.
    #[error(
        "`{path}` is missing, so it cannot be known how far the journal went; restore it from a \
         backup, or move the journal folder away to begin a new one (its receipts then stay unsettled)",
        path = .0.display()
    )]
    HeadMissing(PathBuf),
    /// The head file cannot be read, or this host did not seal it.
    #[error(
        "`{path}` holds no head that this host's key sealed; restore it or the host key from a backup",
        path = .0.display()
    )]
    HeadUnreadable(PathBuf),
    /// The head and the segments belong to different journals.
    #[error(
        "the head file is of journal {head}, the segments are of journal {segments}; restore the pair"
    )]
    Foreign {
        /// The journal of the head.
        head: soma_policy::JournalId,
        /// The journal of the segments.
        segments: soma_policy::JournalId,
    },
    /// The journal ends before its head: acknowledged records are gone.
    #[error(
        "the journal ends at record {found}, but its head says {head}: acknowledged records are \
         missing, and starting would hide that; restore the journal folder from a backup{}",
        fault.as_ref().map(|fault| format!(" ({fault})")).unwrap_or_default()
    )]
    BelowHead {
        /// What the head vouches for.
        head: u64,
        /// The last record that is there.
        found: u64,
        /// What ended the journal, if it was not simply short.
        fault: Option<Box<Fault>>,
    },
    /// The journal begins after the first record that its head says is kept.
    #[error(
        "the journal begins at record {found}, but its head says that {head} is kept: records are \
         missing in front; restore the journal folder from a backup"
    )]
    FrontMissing {
        /// The first record that is kept, by the head.
        head: u64,
        /// The first that is there.
        found: u64,
    },
    /// Records were pruned, and the checkpoint that stood for them is gone or does not fit.
    #[error(
        "records before {0} were pruned and no checkpoint stands for them: what they said of leases and kill \
         orders is lost; restore `journal.checkpoints` from a backup"
    )]
    Unremembered(u64),
    /// A signed entry that this version does not know.
    #[error(
        "record {seq} cannot be read: {reason}; start the version of soma that wrote it, or a later one"
    )]
    Unknown {
        /// The record.
        seq: u64,
        /// Why not.
        reason: String,
    },
    /// The record at the head is another one.
    #[error(
        "record {0} is not the one that the head file names; restore the journal folder from a backup"
    )]
    Fork(u64),
    /// A segment is damaged where no crash can have damaged it.
    #[error("the journal is damaged: {0}; restore the journal folder from a backup")]
    Damaged(Box<Fault>),
    /// The journal could not record what start-up found.
    #[error(transparent)]
    Append(#[from] JournalError),
}
