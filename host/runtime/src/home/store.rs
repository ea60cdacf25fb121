//! Components kept by digest: an OCI image layout for each, `store/sha256-HEX/`.
//!
//! What is kept is unverified: whoever reads it verifies it, at every load.

use std::path::PathBuf;

use soma_capsule::oci::{self, Artifact, OciError, Reference, Tag};
use soma_capsule::{Analysis, UnverifiedPackage};
use soma_policy::{Digest, Timestamp};

use super::{HomeError, file};

/// The tag under which a layout holds its one capsule.
const TAG: &str = "capsule";
/// Apart from the layouts, which hold nothing of others: that the marketplace published a digest, and as what.
const APPROVALS: &str = "approvals";
const APPROVAL_BYTES_MAX: u64 = 64 * 1024;

/// The components of a home.
#[derive(Debug, Clone)]
pub struct ComponentStore {
    folder: PathBuf,
}

impl ComponentStore {
    pub(crate) fn new(folder: PathBuf) -> Self {
        Self { folder }
    }

    /// Where a digest lies.
    #[must_use]
    pub fn path(&self, digest: &Digest) -> PathBuf {
        self.folder.join(digest.to_string().replace(':', "-"))
    }

    /// Whether a digest is here. A layout that was begun and not finished holds nothing.
    #[must_use]
    pub fn contains(&self, digest: &Digest) -> bool {
        let tags = oci::tags(&self.path(digest));
        tags.is_ok_and(|tags| tags.iter().any(|(tag, _)| tag.as_str() == TAG))
    }

    /// Keeps a package; keeping it twice adds its newest signature. What a crash left half made, or what was
    /// damaged, is made anew.
    pub fn put(
        &self,
        package: &UnverifiedPackage,
        title: &str,
        analysis: &Analysis,
        now: Timestamp,
    ) -> Result<Digest, HomeError> {
        let digest = Digest::of(&package.component);
        let path = self.path(&digest);
        let artifact = Artifact {
            component: &package.component,
            bundle: &package.bundle,
            title,
            analysis,
            created: now,
        };
        let refused = |source: OciError| HomeError::Stored { path: path.clone(), source };
        let tag: Tag = TAG.parse().map_err(refused)?;
        file::make_folder(&path)?;
        match oci::write_layout(&path, &tag, &artifact) {
            // The folder is this digest's alone: nothing of anybody else can be in it.
            Err(OciError::NotALayout(_) | OciError::Malformed { .. }) => {
                let gone = std::fs::remove_dir_all(&path);
                gone.map_err(|e| HomeError::io("remove", &path, e))?;
                file::make_folder(&path)?;
                oci::write_layout(&path, &tag, &artifact).map_err(refused)?;
            }
            written => drop(written.map_err(refused)?),
        }
        Ok(digest)
    }

    /// Keeps the marketplace's word on a digest, unverified. It comes before the package: what is here has one.
    pub fn put_approval(&self, digest: &Digest, envelope: &[u8]) -> Result<(), HomeError> {
        file::make_folder(&self.folder.join(APPROVALS))?;
        file::write_private(&self.approval_path(digest), envelope)
    }

    /// The marketplace's word on a digest; `None` if it is not here.
    pub fn approval(&self, digest: &Digest) -> Result<Option<Vec<u8>>, HomeError> {
        file::read_if_there(&self.approval_path(digest), APPROVAL_BYTES_MAX)
    }

    fn approval_path(&self, digest: &Digest) -> PathBuf {
        let name = format!("{}.json", digest.to_string().replace(':', "-"));
        self.folder.join(APPROVALS).join(name)
    }

    /// The package of a digest; `None` if it is not here.
    pub fn get(&self, digest: &Digest) -> Result<Option<UnverifiedPackage>, HomeError> {
        if !self.contains(digest) {
            return Ok(None);
        }
        let path = self.path(digest);
        let refused = |source: OciError| HomeError::Stored { path: path.clone(), source };
        let tag: Tag = TAG.parse().map_err(refused)?;
        let stored = oci::read_layout(&path, &Reference::Tag(tag)).map_err(refused)?;
        Ok(Some(stored.into_package()))
    }
}
