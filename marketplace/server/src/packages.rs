//! Component files, by digest: what was submitted, its signature, and the marketplace's word on it.
//!
//! A file's name is made from a digest that was computed here, never from what came from outside. A file
//! is there whole or not at all; a component is hashed again whenever it is read. Who may read or write
//! is decided elsewhere, and what a signature is worth too.

use std::io::Write as _;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use parking_lot::Mutex;
use soma_policy::Digest;

/// The largest component.
pub(crate) const COMPONENT_BYTES_MAX: usize = 32 << 20;
/// The largest bundle.
pub(crate) const BUNDLE_BYTES_MAX: usize = 1 << 20;
/// The largest approval.
pub(crate) const APPROVAL_BYTES_MAX: usize = 64 << 10;

const COMPONENT: &str = "wasm";
const BUNDLE: &str = "bundle";
const APPROVAL: &str = "approval";
const TEMPORARY: &str = "tmp";

/// Why a file was not kept or found.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PackageError {
    /// More bytes than are taken.
    #[error("the {what} has {size} bytes; at most {max} are taken")]
    TooLarge {
        /// Which file.
        what: &'static str,
        /// Its bytes.
        size: usize,
        /// The bound.
        max: usize,
    },
    /// An approved component has one signature for good.
    #[error("`{0}` is approved with another bundle")]
    Approved(Digest),
    /// Nothing to approve.
    #[error("no component `{0}` is kept here")]
    Missing(Digest),
    /// What lies there is not what was put there.
    #[error("the file of component `{0}` is damaged; restore it from a backup")]
    Damaged(Digest),
    /// The disk.
    #[error("a component file could not be {0}")]
    Disk(&'static str, #[source] std::io::Error),
}

/// The folder of component files.
#[derive(Debug, Clone)]
pub(crate) struct Packages(Arc<Folder>);

#[derive(Debug)]
struct Folder {
    path: PathBuf,
    next: AtomicU64,
    /// Held while a bundle is compared and replaced, or approved.
    writing: Mutex<()>,
}

impl Packages {
    /// Opens the folder and removes what a crash left unfinished.
    pub(crate) fn open(path: &Path) -> Result<Self, PackageError> {
        let disk = |error| PackageError::Disk("listed", error);
        std::fs::DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(disk)?;
        for entry in std::fs::read_dir(path).map_err(disk)? {
            let file = entry.map_err(disk)?.path();
            if file.extension().is_some_and(|end| end == TEMPORARY) {
                std::fs::remove_file(&file).map_err(disk)?;
            }
        }
        let folder =
            Folder { path: path.to_owned(), next: AtomicU64::new(0), writing: Mutex::new(()) };
        Ok(Self(Arc::new(folder)))
    }

    /// Keeps a component with its bundle. The same again changes nothing; another bundle takes the place of
    /// the one before until the component is approved.
    pub(crate) async fn put(
        &self,
        component: Bytes,
        bundle: Bytes,
    ) -> Result<Digest, PackageError> {
        bounded("component", &component, COMPONENT_BYTES_MAX)?;
        bounded("bundle", &bundle, BUNDLE_BYTES_MAX)?;
        self.run("written", move |folder| {
            let digest = Digest::of(&component);
            let _alone = folder.writing.lock();
            let known = folder.read(&digest, BUNDLE, BUNDLE_BYTES_MAX)?;
            if known.as_ref().is_some_and(|known| *known != bundle)
                && folder.at(&digest, APPROVAL).exists()
            {
                return Err(PackageError::Approved(digest));
            }
            if folder.component(&digest).ok().flatten().is_none() {
                folder.write(&digest, COMPONENT, &component)?;
            }
            if known.is_none_or(|known| known != bundle) {
                folder.write(&digest, BUNDLE, &bundle)?;
            }
            Ok(digest)
        })
        .await
    }

    /// Keeps the marketplace's signed approval beside its component.
    pub(crate) async fn approve(
        &self,
        digest: Digest,
        envelope: Bytes,
    ) -> Result<(), PackageError> {
        bounded("approval", &envelope, APPROVAL_BYTES_MAX)?;
        self.run("written", move |folder| {
            let _alone = folder.writing.lock();
            folder.component(&digest)?.ok_or(PackageError::Missing(digest))?;
            folder.write(&digest, APPROVAL, &envelope)
        })
        .await
    }

    /// The component of this digest, hashed again.
    pub(crate) async fn component(&self, digest: Digest) -> Result<Option<Bytes>, PackageError> {
        self.run("read", move |folder| folder.component(&digest)).await
    }

    /// Its signature, as it was submitted.
    pub(crate) async fn bundle(&self, digest: Digest) -> Result<Option<Bytes>, PackageError> {
        self.run("read", move |folder| folder.read(&digest, BUNDLE, BUNDLE_BYTES_MAX)).await
    }

    /// Its approval, if it was published.
    pub(crate) async fn approval(&self, digest: Digest) -> Result<Option<Bytes>, PackageError> {
        self.run("read", move |folder| folder.read(&digest, APPROVAL, APPROVAL_BYTES_MAX)).await
    }

    /// The disk waits where no request does.
    async fn run<T: Send + 'static>(
        &self,
        action: &'static str,
        work: impl FnOnce(&Folder) -> Result<T, PackageError> + Send + 'static,
    ) -> Result<T, PackageError> {
        let folder = Arc::clone(&self.0);
        let done = tokio::task::spawn_blocking(move || work(&folder)).await;
        done.map_err(|error| PackageError::Disk(action, std::io::Error::other(error)))?
    }
}

fn bounded(what: &'static str, bytes: &Bytes, max: usize) -> Result<(), PackageError> {
    let size = bytes.len();
    if size > max { Err(PackageError::TooLarge { what, size, max }) } else { Ok(()) }
}

impl Folder {
    fn at(&self, digest: &Digest, end: &str) -> PathBuf {
        let hex = digest.to_string().replace(':', "-");
        self.path.join(format!("{hex}.{end}"))
    }

    fn component(&self, digest: &Digest) -> Result<Option<Bytes>, PackageError> {
        match self.read(digest, COMPONENT, COMPONENT_BYTES_MAX)? {
            Some(bytes) if Digest::of(&bytes) != *digest => Err(PackageError::Damaged(*digest)),
            found => Ok(found),
        }
    }

    fn read(&self, digest: &Digest, end: &str, max: usize) -> Result<Option<Bytes>, PackageError> {
        use std::io::Read as _;
        let disk = |error| PackageError::Disk("read", error);
        let file = match std::fs::File::open(self.at(digest, end)) {
            Ok(file) => file,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(disk(error)),
        };
        let mut bytes = Vec::new();
        file.take(max as u64 + 1).read_to_end(&mut bytes).map_err(disk)?;
        if bytes.len() > max { Err(PackageError::Damaged(*digest)) } else { Ok(Some(bytes.into())) }
    }

    /// Writes beside, syncs, renames and syncs the folder: a crash leaves the old file or the new one.
    fn write(&self, digest: &Digest, end: &str, bytes: &[u8]) -> Result<(), PackageError> {
        let place = self.at(digest, end);
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let beside =
            place.with_extension(format!("{end}-{}-{number}.{TEMPORARY}", std::process::id()));
        let written = || {
            let mut options = std::fs::OpenOptions::new();
            let mut file = options.write(true).create_new(true).mode(0o600).open(&beside)?;
            file.write_all(bytes)?;
            file.sync_all()?;
            std::fs::rename(&beside, &place)?;
            std::fs::File::open(&self.path)?.sync_all()
        };
        written().map_err(|error| {
            let _ = std::fs::remove_file(&beside);
            PackageError::Disk("written", error)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(text: &str) -> Bytes {
        Bytes::copy_from_slice(text.as_bytes())
    }

    #[tokio::test]
    async fn what_is_put_is_found_again_under_its_own_digest() {
        let folder = tempfile::tempdir().unwrap();
        let packages = Packages::open(folder.path()).unwrap();
        let digest = packages.put(bytes("wasm"), bytes("signed")).await.unwrap();
        assert_eq!(digest, Digest::of(b"wasm"));
        let again = Packages::open(folder.path()).unwrap();
        assert_eq!(again.component(digest).await.unwrap().unwrap(), "wasm");
        assert_eq!(again.bundle(digest).await.unwrap().unwrap(), "signed");
        assert_eq!(again.approval(digest).await.unwrap(), None);
        assert_eq!(again.component(Digest::of(b"other")).await.unwrap(), None);
    }

    #[tokio::test]
    async fn an_approved_component_keeps_the_bundle_that_was_approved() {
        let folder = tempfile::tempdir().unwrap();
        let packages = Packages::open(folder.path()).unwrap();
        let digest = packages.put(bytes("wasm"), bytes("first")).await.unwrap();
        packages.put(bytes("wasm"), bytes("second")).await.unwrap();
        packages.approve(digest, bytes("approved")).await.unwrap();
        packages.put(bytes("wasm"), bytes("second")).await.unwrap();
        let refused = packages.put(bytes("wasm"), bytes("third")).await.unwrap_err();
        assert!(matches!(refused, PackageError::Approved(it) if it == digest), "{refused}");
        assert_eq!(packages.bundle(digest).await.unwrap().unwrap(), "second");
        assert_eq!(packages.approval(digest).await.unwrap().unwrap(), "approved");
        let missing = packages.approve(Digest::of(b"x"), bytes("approved")).await.unwrap_err();
        assert!(matches!(missing, PackageError::Missing(_)), "{missing}");
    }

    #[tokio::test]
    async fn a_damaged_component_is_not_handed_out_and_heals_when_it_is_put_again() {
        let folder = tempfile::tempdir().unwrap();
        let packages = Packages::open(folder.path()).unwrap();
        let digest = packages.put(bytes("wasm"), bytes("signed")).await.unwrap();
        std::fs::write(packages.0.at(&digest, COMPONENT), "wasn").unwrap();
        let refused = packages.component(digest).await.unwrap_err();
        assert!(matches!(refused, PackageError::Damaged(it) if it == digest), "{refused}");
        packages.put(bytes("wasm"), bytes("signed")).await.unwrap();
        assert_eq!(packages.component(digest).await.unwrap().unwrap(), "wasm");
    }

    #[tokio::test]
    async fn too_much_is_refused_and_what_a_crash_left_is_removed() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("x.wasm-1-0.tmp"), "half").unwrap();
        let packages = Packages::open(folder.path()).unwrap();
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
        let large = Bytes::from(vec![0u8; COMPONENT_BYTES_MAX + 1]);
        let refused = packages.put(large, bytes("signed")).await.unwrap_err();
        assert!(matches!(refused, PackageError::TooLarge { what: "component", .. }), "{refused}");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    }
}
