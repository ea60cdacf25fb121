//! File operations on absolute guest paths, normalised by text alone. Links are the backend's to refuse.

use std::fmt;

use crate::code::Code;
use crate::denial::{Denial, Layer};
use crate::id::shown;

const PATH_MAX: usize = 4096;
const NAME_MAX: usize = 255;

/// What is done with a file or directory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FileOp {
    /// Read content.
    Read,
    /// Read attributes.
    Stat,
    /// List a directory.
    List,
    /// Write, truncate or extend.
    Write,
    /// Make a file or directory.
    Create,
    /// Move within the mount.
    Rename,
    /// Remove.
    Delete,
}

impl FileOp {
    /// Whether it changes anything.
    #[must_use]
    pub const fn changes(self) -> bool {
        matches!(self, Self::Write | Self::Create | Self::Rename | Self::Delete)
    }

    /// Its name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Stat => "stat",
            Self::List => "list",
            Self::Write => "write",
            Self::Create => "create",
            Self::Rename => "rename",
            Self::Delete => "delete",
        }
    }
}

/// One operation on one canonical path.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct FileRequest {
    op: FileOp,
    path: Box<str>,
}

impl FileRequest {
    /// The canonical form: absolute, without `.` and empty segments.
    ///
    /// # Errors
    /// When the path is relative, goes up, is too long, or has control characters or backslashes.
    pub fn canonical(op: FileOp, path: &str) -> Result<Self, Box<Denial>> {
        let refuse = |reason: &str| {
            let operation = format!("files {} {}", op.as_str(), shown(path));
            Box::new(Denial::new(Code::FilesPath, Layer::Grant, operation, reason))
        };
        if path.len() > PATH_MAX {
            return Err(refuse("the path is longer than 4096 bytes"));
        }
        let rest = path.strip_prefix('/').ok_or_else(|| refuse("the path is not absolute"))?;
        let mut canonical = String::with_capacity(path.len());
        for segment in rest.split('/') {
            match segment {
                "" | "." => continue,
                ".." => return Err(refuse("the path goes up")),
                _ => {}
            }
            if segment.len() > NAME_MAX
                || segment.contains('\\')
                || segment.chars().any(char::is_control)
            {
                return Err(refuse(
                    "a name is longer than 255 bytes, or has a backslash or control character",
                ));
            }
            canonical.push('/');
            canonical.push_str(segment);
        }
        if canonical.is_empty() {
            canonical.push('/');
        }
        Ok(Self { op, path: canonical.into() })
    }

    /// What is done.
    #[must_use]
    pub const fn op(&self) -> FileOp {
        self.op
    }

    /// The canonical path.
    #[must_use]
    pub fn path(&self) -> &str {
        &self.path
    }

    /// Whether the path is this mount or lies below it.
    #[must_use]
    pub fn is_below(&self, mount: &str) -> bool {
        self.path.strip_prefix(mount).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    }
}

impl fmt::Display for FileRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "files {} {}", self.op.as_str(), shown(&self.path))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn paths_are_normalised_and_never_go_up() {
        for (path, form) in [("/", "/"), ("/a", "/a"), ("/a//b/./c/", "/a/b/c"), ("//a", "/a")] {
            assert_eq!(FileRequest::canonical(FileOp::Read, path).unwrap().path(), form);
        }
        let long = format!("/{}", "a".repeat(256));
        let longer = "/a".repeat(3000);
        for bad in ["", "a", "./a", "/..", "/a/../b", "/a\\b", "/a\0", "/a\n", &long, &longer] {
            let denial = FileRequest::canonical(FileOp::Write, bad).unwrap_err();
            assert_eq!(denial.code, Code::FilesPath, "{bad}");
        }
    }

    #[test]
    fn a_mount_holds_only_whole_segments() {
        let request = FileRequest::canonical(FileOp::Read, "/data/x").unwrap();
        assert!(request.is_below("/data") && request.is_below("/data/x"));
        assert!(!request.is_below("/dat") && !request.is_below("/data/x/y"));
    }

    #[test]
    fn changes_are_told_from_readings() {
        let all = [
            FileOp::Read,
            FileOp::Stat,
            FileOp::List,
            FileOp::Write,
            FileOp::Create,
            FileOp::Rename,
            FileOp::Delete,
        ];
        assert_eq!(all.map(FileOp::changes), [false, false, false, true, true, true, true]);
        assert_eq!(all.map(FileOp::as_str).join(" "), "read stat list write create rename delete");
    }

    proptest! {
        #[test]
        fn the_canonical_path_is_a_fixed_point(path in "/[ab./]{0,12}") {
            if let Ok(request) = FileRequest::canonical(FileOp::Read, &path) {
                prop_assert!(!request.path().split('/').any(|part| part == ".." || part == "."));
                prop_assert_eq!(FileRequest::canonical(FileOp::Read, request.path()), Ok(request));
            }
        }
    }
}
