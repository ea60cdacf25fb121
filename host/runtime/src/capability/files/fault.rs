//! Why a file operation did not happen, and the `wasi:filesystem` code the guest gets for it.
//!
//! The guest sees only the code. A fault that is a refusal by the grant (`Fault::is_refusal`) is also kept as a full
//! denial by whoever called, since an error code cannot name the grant that would allow the operation.

use rustix::io::Errno;
use soma_wit::standard::filesystem::types::ErrorCode;

/// One operation's failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Fault {
    #[error("`{wanted}` more bytes do not fit: `{used}` of `{quota}` are used")]
    OverBytes { wanted: u64, used: u64, quota: u64 },
    #[error("no file or directory more: `{used}` of `{quota}` are used")]
    OverInodes { used: u64, quota: u64 },
    #[error("the grant of this mount is read only")]
    ReadOnly,
    #[error("the grant of this mount is write only")]
    WriteOnly,
    #[error("the path leaves its directory")]
    Escape,
    #[error("links are neither made nor read")]
    Link,
    #[error("the path goes through a symbolic link")]
    Symlink,
    #[error("not a regular file or directory")]
    Special,
    #[error("the file has other hard links")]
    HardLinked,
    #[error("the path leaves the file system of its volume")]
    OtherDevice,
    #[error("source and target are on different mounts")]
    OtherMount,
    #[error("the descriptor was not opened for this")]
    WrongMode,
    #[error("the path is empty")]
    EmptyPath,
    #[error("the path holds a NUL character")]
    Nul,
    #[error("the path or one of its names is too long")]
    TooLong,
    #[error("directories are nested too deeply")]
    TooDeep,
    #[error("the tree holds too many entries for this operation")]
    TooMany,
    #[error("the file would be larger than any file may be")]
    TooLarge,
    #[error("the value is not valid here")]
    Invalid,
    #[error("the name is not valid UTF-8")]
    NotText,
    #[error("too many files are open")]
    Handles,
    #[error("no such file or directory")]
    NotFound,
    #[error("it exists already")]
    Exists,
    #[error("not a directory")]
    NotDirectory,
    #[error("is a directory")]
    IsDirectory,
    #[error("the operating system said `{0}`")]
    Os(Errno),
}

impl Fault {
    /// Whether the grant, and not the state of the files, is what refused.
    pub(crate) const fn is_refusal(self) -> bool {
        matches!(
            self,
            Self::OverBytes { .. }
                | Self::OverInodes { .. }
                | Self::ReadOnly
                | Self::WriteOnly
                | Self::Escape
                | Self::Link
                | Self::Symlink
                | Self::Special
                | Self::HardLinked
                | Self::OtherDevice
                | Self::OtherMount
        )
    }

    /// The nearest code that the interface has.
    pub(crate) fn code(self) -> ErrorCode {
        match self {
            Self::OverBytes { .. } | Self::OverInodes { .. } => ErrorCode::Quota,
            Self::ReadOnly => ErrorCode::ReadOnly,
            Self::Escape | Self::Link => ErrorCode::NotPermitted,
            Self::Symlink => ErrorCode::Loop,
            Self::WriteOnly | Self::Special | Self::HardLinked | Self::OtherDevice => {
                ErrorCode::Access
            }
            Self::OtherMount => ErrorCode::CrossDevice,
            Self::WrongMode => ErrorCode::BadDescriptor,
            Self::EmptyPath | Self::NotFound => ErrorCode::NoEntry,
            Self::Nul | Self::Invalid => ErrorCode::Invalid,
            Self::TooLong | Self::TooDeep => ErrorCode::NameTooLong,
            Self::TooMany => ErrorCode::Busy,
            Self::TooLarge => ErrorCode::FileTooLarge,
            Self::NotText => ErrorCode::IllegalByteSequence,
            Self::Handles => ErrorCode::InsufficientMemory,
            Self::Exists => ErrorCode::Exist,
            Self::NotDirectory => ErrorCode::NotDirectory,
            Self::IsDirectory => ErrorCode::IsDirectory,
            Self::Os(errno) => of_errno(errno),
        }
    }
}

impl From<Errno> for Fault {
    fn from(errno: Errno) -> Self {
        match errno {
            Errno::NOENT => Self::NotFound,
            Errno::EXIST => Self::Exists,
            Errno::NOTDIR => Self::NotDirectory,
            Errno::ISDIR => Self::IsDirectory,
            Errno::LOOP => Self::Symlink,
            Errno::NAMETOOLONG => Self::TooLong,
            Errno::FBIG => Self::TooLarge,
            Errno::INVAL => Self::Invalid,
            // The process, not the guest, ran out: the guest may try again with fewer open files.
            Errno::MFILE | Errno::NFILE => Self::Handles,
            other => Self::Os(other),
        }
    }
}

/// What the operating system said, for a guest. Anything unforeseen is a plain input/output error.
fn of_errno(errno: Errno) -> ErrorCode {
    match errno {
        Errno::ACCESS => ErrorCode::Access,
        Errno::PERM => ErrorCode::NotPermitted,
        Errno::ROFS => ErrorCode::ReadOnly,
        Errno::NOSPC => ErrorCode::InsufficientSpace,
        Errno::DQUOT => ErrorCode::Quota,
        Errno::NOTEMPTY => ErrorCode::NotEmpty,
        Errno::BUSY => ErrorCode::Busy,
        Errno::BADF => ErrorCode::BadDescriptor,
        Errno::NOMEM => ErrorCode::InsufficientMemory,
        Errno::MLINK => ErrorCode::TooManyLinks,
        Errno::OVERFLOW => ErrorCode::Overflow,
        Errno::XDEV => ErrorCode::CrossDevice,
        Errno::TXTBSY => ErrorCode::TextFileBusy,
        Errno::ILSEQ => ErrorCode::IllegalByteSequence,
        Errno::SPIPE => ErrorCode::InvalidSeek,
        Errno::INTR => ErrorCode::Interrupted,
        Errno::OPNOTSUPP | Errno::NOSYS => ErrorCode::Unsupported,
        _ => ErrorCode::Io,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_disk_and_a_full_quota_are_told_apart() {
        assert_eq!(Fault::from(Errno::NOSPC).code(), ErrorCode::InsufficientSpace);
        let over = Fault::OverBytes { wanted: 1, used: 1, quota: 1 };
        assert_eq!(over.code(), ErrorCode::Quota);
        assert!(over.is_refusal());
        assert!(!Fault::from(Errno::NOSPC).is_refusal());
    }

    #[test]
    fn an_unforeseen_system_error_is_an_input_output_error() {
        assert_eq!(Fault::from(Errno::NODEV).code(), ErrorCode::Io);
    }

    #[test]
    fn a_read_only_grant_and_an_escape_have_codes_of_their_own() {
        assert_eq!(Fault::ReadOnly.code(), ErrorCode::ReadOnly);
        assert_eq!(Fault::Escape.code(), ErrorCode::NotPermitted);
        assert_eq!(Fault::Symlink.code(), ErrorCode::Loop);
    }
}
