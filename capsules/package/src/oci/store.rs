//! Putting a signed component into a layout, and reading it back.

use std::path::Path;

use soma_policy::Digest;

use super::documents::{
    Descriptor, EMPTY_BODY, Index, MANIFEST, Manifest, REF_NAME, WASM, WASM_CONFIG, WasmConfig,
};
use super::layout::{DOCUMENT_BYTES_MAX, Folder, OciError, json, parse};
use super::{Artifact, Reference, Stored, Tag};
use crate::bundle::{BUNDLE_BYTES_MAX, BUNDLE_MEDIA_TYPE};
use crate::component::ShapeLimits;
use crate::crash_point;

/// Most artifacts in one layout, referrers included.
const ARTIFACTS_MAX: usize = 10_000;

/// Most bundles read for one component.
const BUNDLES_MAX: usize = 16;

/// Adds a signed component to a layout under a tag, which moves if it was taken. Returns the
/// digest of its OCI manifest.
///
/// # Errors
/// When the folder is not a layout, cannot be written, or is full.
pub fn write_layout(folder: &Path, tag: &Tag, artifact: &Artifact<'_>) -> Result<Digest, OciError> {
    let folder = Folder::open_or_create(folder)?;
    let lock = folder.lock()?;
    let mut index = folder.index()?;
    let subject = put_component(&folder, artifact)?;
    crash_point!("capsule.layout.component");
    let referrer = put_bundle(&folder, artifact.bundle, subject.clone())?;
    let digest = digest_of(&subject)?;
    index.manifests.retain(|entry| {
        let moved = entry.tag() == Some(tag.as_str());
        !moved && entry.digest != referrer.digest
    });
    if index.manifests.len() + 2 > ARTIFACTS_MAX {
        let (size, max) = (index.manifests.len() as u64, ARTIFACTS_MAX as u64);
        return Err(OciError::Oversize { what: "the list of artifacts", size, max });
    }
    index.manifests.push(subject.annotated(REF_NAME, tag.as_str()));
    index.manifests.push(referrer);
    // The index goes last: until then nothing points at the new blobs.
    folder.write_index(&index)?;
    drop(lock);
    Ok(digest)
}

fn digest_of(descriptor: &Descriptor) -> Result<Digest, OciError> {
    descriptor.digest.parse().map_err(|_| OciError::Malformed {
        what: "a descriptor",
        reason: "its digest cannot be read".to_string(),
    })
}

fn put_component(folder: &Folder, artifact: &Artifact<'_>) -> Result<Descriptor, OciError> {
    folder.put(artifact.component)?;
    let config = json("the configuration", &WasmConfig::of(artifact))?;
    folder.put(&config)?;
    let manifest = json("the manifest", &Manifest::of_component(artifact, &config))?;
    folder.put(&manifest)?;
    Ok(Descriptor::of(MANIFEST, &manifest))
}

fn put_bundle(folder: &Folder, bundle: &[u8], subject: Descriptor) -> Result<Descriptor, OciError> {
    folder.put(bundle)?;
    folder.put(EMPTY_BODY)?;
    let manifest = json("the manifest of the bundle", &Manifest::of_bundle(bundle, subject))?;
    folder.put(&manifest)?;
    let mut descriptor = Descriptor::of(MANIFEST, &manifest);
    descriptor.artifact_type = Some(BUNDLE_MEDIA_TYPE.to_string());
    Ok(descriptor)
}

/// Reads a component and the bundles attached to it, every byte checked against its digest.
///
/// # Errors
/// When the layout, a document or a blob is not what it claims to be, or nothing has that name.
pub fn read_layout(folder: &Path, reference: &Reference) -> Result<Stored, OciError> {
    let folder = Folder::open(folder)?;
    let index = folder.index()?;
    let entry = find(&index, reference)?;
    let manifest = read_manifest(&folder, entry)?;
    let component = read_component(&folder, &manifest)?;
    let bundles = read_bundles(&folder, &index, &entry.digest)?;
    Ok(Stored { manifest: digest_of(entry)?, component, bundles })
}

/// The tags of a layout with the digests of their OCI manifests.
///
/// # Errors
/// When the folder is not a layout or its index cannot be read.
pub fn tags(folder: &Path) -> Result<Vec<(Tag, Digest)>, OciError> {
    let index = Folder::open(folder)?.index()?;
    let each = index.manifests.iter().filter_map(|entry| Some((entry.tag()?, entry)));
    each.map(|(tag, entry)| Ok((tag.parse()?, digest_of(entry)?))).collect()
}

fn find<'a>(index: &'a Index, reference: &Reference) -> Result<&'a Descriptor, OciError> {
    let mut found = index.manifests.iter().filter(|entry| names(reference, entry));
    let first = found.next().ok_or_else(|| OciError::NotFound(reference.to_string()))?;
    // One manifest may carry several tags; two manifests may not share one.
    if found.any(|other| other.digest != first.digest) {
        return Err(OciError::Ambiguous(reference.to_string()));
    }
    Ok(first)
}

fn names(reference: &Reference, entry: &Descriptor) -> bool {
    match reference {
        Reference::Tag(tag) => entry.tag() == Some(tag.as_str()),
        Reference::Digest(digest) => entry.digest == digest.to_string(),
    }
}

fn read_manifest(folder: &Folder, entry: &Descriptor) -> Result<Manifest, OciError> {
    if entry.media_type != MANIFEST {
        return Err(other_kind("its descriptor is not of an image manifest"));
    }
    let bytes = folder.blob("the manifest", entry, DOCUMENT_BYTES_MAX)?;
    let manifest: Manifest = parse("the manifest", &bytes)?;
    let typed = manifest.media_type.is_empty() || manifest.media_type == MANIFEST;
    if manifest.schema_version != 2 || !typed {
        return Err(other_kind("its manifest is not an image manifest"));
    }
    Ok(manifest)
}

fn read_component(folder: &Folder, manifest: &Manifest) -> Result<Vec<u8>, OciError> {
    if manifest.config.media_type != WASM_CONFIG {
        return Err(other_kind("its configuration is of another type"));
    }
    let [layer] = manifest.layers.as_slice() else {
        return Err(other_kind("it does not have exactly one layer"));
    };
    if layer.media_type != WASM {
        return Err(other_kind("its layer is not `application/wasm`"));
    }
    let config = folder.blob("the configuration", &manifest.config, DOCUMENT_BYTES_MAX)?;
    let config: WasmConfig = parse("the configuration", &config)?;
    if config.layer_digests != [layer.digest.clone()] {
        return Err(other_kind("its configuration names another layer"));
    }
    folder.blob("the component", layer, ShapeLimits::DEFAULT.bytes)
}

fn read_bundles(folder: &Folder, index: &Index, subject: &str) -> Result<Vec<Vec<u8>>, OciError> {
    let mut bundles = Vec::new();
    let typed = |entry: &&Descriptor| entry.artifact_type.as_deref() == Some(BUNDLE_MEDIA_TYPE);
    for entry in index.manifests.iter().filter(typed).take(ARTIFACTS_MAX) {
        let manifest = read_manifest(folder, entry)?;
        if manifest.subject.as_ref().is_none_or(|found| found.digest != subject) {
            continue;
        }
        let [layer] = manifest.layers.as_slice() else {
            return Err(other_kind("its bundle does not have exactly one layer"));
        };
        if layer.media_type != BUNDLE_MEDIA_TYPE {
            return Err(other_kind("its bundle is of another type"));
        }
        bundles.push(folder.blob("the bundle", layer, BUNDLE_BYTES_MAX as u64)?);
        if bundles.len() > BUNDLES_MAX {
            bundles.remove(0);
        }
    }
    Ok(bundles)
}

fn other_kind(reason: &str) -> OciError {
    OciError::OtherKind(reason.to_string())
}
