//! FILE|REF: a component file with its bundle beside it, an OCI layout folder, or a digest of the store.

use std::path::{Path, PathBuf};

use soma_capsule::UnverifiedPackage;
use soma_capsule::oci::{self, Reference, Tag};
use soma_policy::{Code, Digest};

use crate::command::capsule::bundle_path;
use crate::context::Context;
use crate::failure::Failure;
use crate::project::COMPONENT_BYTES_MAX;

/// A capsule as it was found; nothing about it is proven.
#[derive(Debug)]
pub(crate) struct Found {
    pub(crate) component: Vec<u8>,
    pub(crate) bundle: Option<Vec<u8>>,
    /// Its file name, for layouts.
    pub(crate) title: String,
}

impl Found {
    pub(crate) fn open(context: &Context, reference: &str) -> Result<Self, Failure> {
        if let Ok(digest) = reference.parse::<Digest>() {
            return Self::in_store(context, &digest);
        }
        let (path, tag) = split_tag(reference);
        if path.is_dir() {
            return Self::in_layout(&path, tag);
        }
        Self::in_file(context, Path::new(reference))
    }

    fn in_file(context: &Context, path: &Path) -> Result<Self, Failure> {
        if !path.exists() {
            return Err(Failure::new(
                Code::FileNotFound,
                format!("there is no `{}`", path.display()),
            )
            .fix("give a .wasm file, an OCI layout folder, or a digest of the store"));
        }
        let bytes = path.metadata().map_or(0, |meta| meta.len());
        if bytes > COMPONENT_BYTES_MAX {
            let what = format!("`{}` has {bytes} bytes", path.display());
            return Err(Failure::new(Code::ComponentTooLarge, what));
        }
        let component = context.read(path, COMPONENT_BYTES_MAX)?;
        let beside = bundle_path(path);
        let bundle = beside.exists().then(|| context.read(&beside, 64 * 1024)).transpose()?;
        let title = path.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
        Ok(Self { component, bundle, title })
    }

    fn in_layout(folder: &Path, tag: Option<&str>) -> Result<Self, Failure> {
        let tag: Tag = match tag {
            Some(tag) => tag.parse()?,
            None => only_tag(folder)?,
        };
        let stored = oci::read_layout(folder, &Reference::Tag(tag))?;
        Ok(Self::of(stored.into_package(), "capsule.wasm"))
    }

    fn in_store(context: &Context, digest: &Digest) -> Result<Self, Failure> {
        let package = context.home()?.store().get(digest)?;
        let package = package.ok_or_else(|| {
            Failure::new(Code::CapsuleMissing, format!("{digest} is not in the home's store"))
        })?;
        Ok(Self::of(package, "capsule.wasm"))
    }

    fn of(package: UnverifiedPackage, title: &str) -> Self {
        let bundle = Some(package.bundle).filter(|b| !b.is_empty());
        Self { component: package.component, bundle, title: title.to_owned() }
    }

    /// As a package to verify; a capsule without a signature is refused here.
    pub(crate) fn into_package(self) -> Result<UnverifiedPackage, Failure> {
        let Some(bundle) = self.bundle else {
            return Err(Failure::new(
                Code::BundleMissing,
                format!("`{}` is not signed", self.title),
            )
            .fix("soma capsule sign FILE --key NAME"));
        };
        Ok(UnverifiedPackage { component: self.component, bundle })
    }
}

fn split_tag(reference: &str) -> (PathBuf, Option<&str>) {
    match reference.rsplit_once(':') {
        Some((path, tag)) if Path::new(path).is_dir() => (PathBuf::from(path), Some(tag)),
        _ => (PathBuf::from(reference), None),
    }
}

fn only_tag(folder: &Path) -> Result<Tag, Failure> {
    let mut tags = oci::tags(folder)?.into_iter();
    match (tags.next(), tags.next()) {
        (Some((tag, _)), None) => Ok(tag),
        (None, _) => {
            Err(Failure::new(Code::OciLayout, format!("`{}` holds no tag", folder.display())))
        }
        (Some(_), Some(_)) => {
            let what = format!("`{}` holds several tags", folder.display());
            Err(Failure::new(Code::Usage, what).fix("write FOLDER:TAG"))
        }
    }
}
