//! The files of a layout: read with a bound and a digest, written whole or not at all. Names are
//! made from parsed digests alone, so that no document can point outside the folder.

use std::fs::{self, File};
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};

use serde::Serialize;
use serde::de::DeserializeOwned;
use soma_policy::{Code, Digest};

use super::documents::{Descriptor, Index, Layout};
use crate::component::bounded;
use crate::crash_point;

pub(super) const DOCUMENT_BYTES_MAX: u64 = 1 << 20;
const INDEX_BYTES_MAX: u64 = 4 << 20;
const LAYOUT_VERSION: &str = "1.0.0";

/// Why a layout cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OciError {
    /// The file system refused.
    #[error("cannot use `{path}`")]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What it said.
        #[source]
        source: io::Error,
    },
    /// The folder is not an image layout.
    #[error("`{0}` is not an OCI image layout of version 1.0")]
    NotALayout(PathBuf),
    /// A document cannot be read.
    #[error("{what} is malformed: {reason}")]
    Malformed {
        /// Which document.
        what: &'static str,
        /// Why.
        reason: String,
    },
    /// A file is larger than its kind may be, or than its descriptor says.
    #[error("{what} has {size} bytes; at most {max} are accepted")]
    Oversize {
        /// Which document.
        what: &'static str,
        /// Bytes given or claimed.
        size: u64,
        /// Bytes accepted.
        max: u64,
    },
    /// A file does not have the digest that it is named by.
    #[error("{what} does not have the digest `{expected}`")]
    Digest {
        /// Which document.
        what: &'static str,
        /// The digest it is named by.
        expected: Digest,
    },
    /// Nothing there by that name.
    #[error("the layout holds nothing named `{0}`")]
    NotFound(String),
    /// Two artifacts with one tag.
    #[error("the layout holds more than one artifact tagged `{0}`")]
    Ambiguous(String),
    /// An artifact of another kind.
    #[error("the artifact is not a WebAssembly component: {0}")]
    OtherKind(String),
    /// Not a tag.
    #[error("`{0}` is not a tag; use letters, digits, `_`, `.` and `-`")]
    Tag(String),
}

impl OciError {
    /// The stable code of this refusal.
    #[must_use]
    pub fn code(&self) -> Code {
        match self {
            Self::Digest { .. } => Code::DigestMismatch,
            _ => Code::OciLayout,
        }
    }
}

/// A layout folder.
#[derive(Debug)]
pub(super) struct Folder {
    root: PathBuf,
}

impl Folder {
    /// Opens an existing layout.
    pub(super) fn open(root: &Path) -> Result<Self, OciError> {
        let not_a_layout = || OciError::NotALayout(root.to_path_buf());
        let bytes = read_file(&root.join("oci-layout"), "oci-layout", 4096);
        let layout: Layout = bytes
            .ok()
            .and_then(|bytes| serde_json::from_slice(&bytes).ok())
            .ok_or_else(not_a_layout)?;
        if layout.image_layout_version != LAYOUT_VERSION {
            return Err(not_a_layout());
        }
        Ok(Self { root: root.to_path_buf() })
    }

    /// Opens a layout, made first if there is none. A folder with other content is refused.
    pub(super) fn open_or_create(root: &Path) -> Result<Self, OciError> {
        let marker = root.join("oci-layout");
        if !marker.exists() {
            let occupied = fs::read_dir(root).is_ok_and(|mut entries| entries.next().is_some());
            if occupied {
                return Err(OciError::NotALayout(root.to_path_buf()));
            }
            let blobs = root.join("blobs").join("sha256");
            fs::create_dir_all(&blobs).map_err(|source| io_at(&blobs, source))?;
            write_whole(&root.join("index.json"), &json("index.json", &Index::empty())?)?;
            crash_point!("capsule.layout.begun");
            let layout = Layout { image_layout_version: LAYOUT_VERSION.to_string() };
            write_whole(&marker, &json("oci-layout", &layout)?)?;
        }
        Self::open(root)
    }

    /// Holds other writers off until the lock is dropped.
    pub(super) fn lock(&self) -> Result<File, OciError> {
        let path = self.root.join("oci-layout");
        let file = File::open(&path).map_err(|source| io_at(&path, source))?;
        file.lock().map_err(|source| io_at(&path, source))?;
        Ok(file)
    }

    pub(super) fn index(&self) -> Result<Index, OciError> {
        let bytes = read_file(&self.root.join("index.json"), "index.json", INDEX_BYTES_MAX)?;
        let index: Index = parse("index.json", &bytes)?;
        if index.schema_version != 2 {
            let reason = "its schemaVersion is not 2".to_string();
            return Err(OciError::Malformed { what: "index.json", reason });
        }
        Ok(index)
    }

    pub(super) fn write_index(&self, index: &Index) -> Result<(), OciError> {
        let bytes = json("index.json", index)?;
        let size = bytes.len() as u64;
        if size > INDEX_BYTES_MAX {
            return Err(OciError::Oversize { what: "index.json", size, max: INDEX_BYTES_MAX });
        }
        write_whole(&self.root.join("index.json"), &bytes)
    }

    /// Reads what a descriptor names, and proves size and digest.
    pub(super) fn blob(
        &self,
        what: &'static str,
        descriptor: &Descriptor,
        max: u64,
    ) -> Result<Vec<u8>, OciError> {
        if descriptor.size > max {
            return Err(OciError::Oversize { what, size: descriptor.size, max });
        }
        let expected: Digest = descriptor.digest.parse().map_err(|_| OciError::Malformed {
            what,
            reason: format!("`{}` is not a digest", bounded(&descriptor.digest)),
        })?;
        let bytes = read_file(&self.path_of(&expected), what, descriptor.size)?;
        if bytes.len() as u64 != descriptor.size || Digest::of(&bytes) != expected {
            return Err(OciError::Digest { what, expected });
        }
        Ok(bytes)
    }

    /// Stores content under its digest. What is there already is the same by definition, unless
    /// it was damaged, in which case it is written anew.
    pub(super) fn put(&self, content: &[u8]) -> Result<Digest, OciError> {
        let digest = Digest::of(content);
        let path = self.path_of(&digest);
        let intact = read_file(&path, "a blob", content.len() as u64)
            .is_ok_and(|existing| existing == content);
        if !intact {
            write_whole(&path, content)?;
        }
        Ok(digest)
    }

    fn path_of(&self, digest: &Digest) -> PathBuf {
        self.root.join("blobs").join("sha256").join(digest.hex())
    }
}

pub(super) fn json<T: Serialize>(what: &'static str, document: &T) -> Result<Vec<u8>, OciError> {
    serde_json::to_vec(document)
        .map_err(|error| OciError::Malformed { what, reason: error.to_string() })
}

pub(super) fn parse<T: DeserializeOwned>(what: &'static str, bytes: &[u8]) -> Result<T, OciError> {
    serde_json::from_slice(bytes)
        .map_err(|error| OciError::Malformed { what, reason: bounded(&error.to_string()) })
}

fn io_at(path: &Path, source: io::Error) -> OciError {
    OciError::Io { path: path.to_path_buf(), source }
}

fn read_file(path: &Path, what: &'static str, max: u64) -> Result<Vec<u8>, OciError> {
    // A pipe would block the open, and a link could lead anywhere.
    let kind = fs::symlink_metadata(path).map_err(|source| io_at(path, source))?;
    if !kind.is_file() {
        return Err(io_at(path, io::Error::other("it is not a regular file")));
    }
    let file = File::open(path).map_err(|source| io_at(path, source))?;
    let mut bytes = Vec::new();
    let read = file.take(max.saturating_add(1)).read_to_end(&mut bytes);
    read.map_err(|source| io_at(path, source))?;
    if bytes.len() as u64 > max {
        return Err(OciError::Oversize { what, size: kind.len(), max });
    }
    Ok(bytes)
}

/// Writes beside, then renames: readers see the old file or the new one.
fn write_whole(path: &Path, content: &[u8]) -> Result<(), OciError> {
    let beside = path.with_extension(format!("{}.tmp", std::process::id()));
    let write = || -> io::Result<()> {
        let mut file = File::create(&beside)?;
        file.write_all(content)?;
        file.sync_all()?;
        fs::rename(&beside, path)
    };
    write().map_err(|source| {
        // The half-written file is of no use; the error that led here is the one to report.
        let _ = fs::remove_file(&beside);
        io_at(path, source)
    })
}
