//! A folder of policy as values: read the same way by a host, by a server and by the command line.
//!
//! Every `*.cedar` file counts; `limits.toml`, `peers.toml` and its `*.pem` anchors are read if they are there.
//! A file that is too large or not text is a fault like any other: nothing is taken over in part. What the
//! texts mean, and whether they may be taken over, is soma-policy's to say.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use soma_policy::{Code, PolicySources, PolicyText};

/// Largest file of a policy folder.
pub const FILE_BYTES_MAX: u64 = 256 * 1024;
/// Most files of a policy folder.
pub const FILES_MAX: usize = 256;

/// Why a folder cannot be read whole.
#[derive(Debug, thiserror::Error)]
pub enum PolicyFolderError {
    /// There is none.
    #[error("`{}`: there is no such folder", .0.display())]
    Missing(PathBuf),
    /// More files than are read.
    #[error("`{}` has more than {FILES_MAX} files", .0.display())]
    Crowded(PathBuf),
    /// A file is too large.
    #[error("`{}` is larger than {FILE_BYTES_MAX} bytes", .0.display())]
    TooLarge(PathBuf),
    /// A file is not text.
    #[error("`{}` is not UTF-8 text", .0.display())]
    Text(PathBuf),
    /// The disk said no.
    #[error("cannot read `{}`: {error}", path.display())]
    Io {
        /// What was read.
        path: PathBuf,
        /// What the system said.
        error: io::Error,
    },
}

impl PolicyFolderError {
    /// Its code in the catalogue.
    #[must_use]
    pub const fn code(&self) -> Code {
        match self {
            Self::Missing(_) => Code::FileNotFound,
            Self::Crowded(_) | Self::TooLarge(_) => Code::PolicyTooLarge,
            Self::Text(_) | Self::Io { .. } => Code::PolicySyntax,
        }
    }

    /// The file or folder that it is about.
    #[must_use]
    pub fn path(&self) -> &Path {
        match self {
            Self::Missing(path) | Self::Crowded(path) | Self::TooLarge(path) | Self::Text(path) => {
                path
            }
            Self::Io { path, .. } => path,
        }
    }
}

/// Reads a folder. Names that begin with a dot, and files of other kinds, say nothing.
///
/// # Errors
/// [`PolicyFolderError`]; nothing of the folder counts then.
pub fn read(folder: &Path) -> Result<PolicySources, PolicyFolderError> {
    let mut sources = PolicySources::default();
    for name in names(folder)? {
        let end = Path::new(&name).extension().and_then(|end| end.to_str()).unwrap_or_default();
        match (end, name.as_str()) {
            ("cedar", _) => {
                let text = text(&folder.join(&name))?;
                sources.policies.push(PolicyText { name, text });
            }
            ("pem", _) => {
                let text = text(&folder.join(&name))?;
                sources.anchors.insert(name, text);
            }
            (_, "limits.toml") => sources.limits = Some(text(&folder.join(&name))?),
            (_, "peers.toml") => sources.peers = Some(text(&folder.join(&name))?),
            _ => {}
        }
    }
    Ok(sources)
}

/// Names of the folder that may count, in their order.
fn names(folder: &Path) -> Result<Vec<String>, PolicyFolderError> {
    let failed = |error: io::Error| match error.kind() {
        io::ErrorKind::NotFound => PolicyFolderError::Missing(folder.to_owned()),
        _ => PolicyFolderError::Io { path: folder.to_owned(), error },
    };
    let mut names = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(failed)? {
        let name = entry.map_err(failed)?.file_name();
        names.extend(name.into_string().ok().filter(|name| !name.starts_with('.')));
        if names.len() > FILES_MAX {
            return Err(PolicyFolderError::Crowded(folder.to_owned()));
        }
    }
    names.sort();
    Ok(names)
}

/// A text, if it is no longer than a file of a folder may be.
///
/// # Errors
/// When it cannot be read, is longer, or is not text.
pub fn text(path: &Path) -> Result<String, PolicyFolderError> {
    let failed = |error| PolicyFolderError::Io { path: path.to_owned(), error };
    let mut bytes = Vec::new();
    // One more than may be: a file that grows while it is read is refused all the same.
    let file = File::open(path).map_err(failed)?;
    file.take(FILE_BYTES_MAX + 1).read_to_end(&mut bytes).map_err(failed)?;
    if bytes.len() as u64 > FILE_BYTES_MAX {
        return Err(PolicyFolderError::TooLarge(path.to_owned()));
    }
    String::from_utf8(bytes).map_err(|_| PolicyFolderError::Text(path.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder(files: &[(&str, &[u8])]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for (name, text) in files {
            std::fs::write(folder.path().join(name), text).unwrap();
        }
        folder
    }

    #[test]
    fn files_count_by_their_names_and_in_their_order() {
        let folder = folder(&[
            ("b.cedar", b"b"),
            ("a.cedar", b"a"),
            (".c.cedar", b"c"),
            ("limits.toml", b"l"),
            ("ca.pem", b"p"),
            ("notes.md", b"\xff"),
        ]);
        let sources = read(folder.path()).unwrap();
        let names: Vec<&str> = sources.policies.iter().map(|it| it.name.as_str()).collect();
        assert_eq!(names, ["a.cedar", "b.cedar"]);
        assert_eq!((sources.limits.as_deref(), sources.peers), (Some("l"), None));
        assert_eq!(sources.anchors["ca.pem"], "p");
    }

    #[test]
    fn nothing_is_taken_over_in_part() {
        let large = vec![b' '; usize::try_from(FILE_BYTES_MAX).unwrap() + 1];
        for (name, text, code) in [
            ("a.cedar", large.as_slice(), Code::PolicyTooLarge),
            ("a.cedar", b"\xff".as_slice(), Code::PolicySyntax),
        ] {
            let folder = folder(&[(name, text), ("b.cedar", b"b")]);
            let refused = read(folder.path()).unwrap_err();
            assert_eq!(refused.code(), code);
            assert!(refused.path().ends_with(name), "{refused}");
        }
        let crowd: Vec<String> = (0..=FILES_MAX).map(|n| format!("{n}.cedar")).collect();
        let crowd: Vec<(&str, &[u8])> =
            crowd.iter().map(|name| (name.as_str(), &b""[..])).collect();
        let refused = read(folder(&crowd).path()).unwrap_err();
        assert!(matches!(refused, PolicyFolderError::Crowded(_)), "{refused}");
        let missing = read(Path::new("/nonexistent/policy")).unwrap_err();
        assert_eq!(missing.code(), Code::FileNotFound);
    }
}
