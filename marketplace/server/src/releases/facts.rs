//! What a review looked at, read back: the manifest and imports that lie with the submission.
//!
//! Nothing is taken on faith: an approval holds the hash of the facts, and others make no `Approved`.

use std::sync::Arc;

use soma_capsule::Manifest;
use soma_market::release::Release;
use soma_market::review::Approved;
use soma_policy::{CapsuleFacts, Code, Digest};

use crate::market::MarketError;
use crate::store::{PlatformUnit, SubmissionRow};

/// The manifest and the facts of a submission.
pub(crate) fn facts_of(row: &SubmissionRow) -> Result<(Manifest, Arc<CapsuleFacts>), MarketError> {
    let manifest = Manifest::from_canonical(row.manifest.as_bytes())
        .map_err(|error| MarketError::failed(format!("submission {}: {error}", row.id)))?;
    let facts = CapsuleFacts {
        name: row.capsule.clone(),
        version: row.version.clone(),
        digest: row.digest,
        declarations: manifest.capabilities.clone(),
        limits_asked: manifest.limits,
        price: manifest.price.as_ref().map(|price| price.per_call),
        signer: row.signer,
        imports: row.imports.clone(),
    };
    Ok((manifest, Arc::new(facts)))
}

/// The submission that a release's present attempt is.
pub(super) async fn present(
    unit: &mut PlatformUnit,
    release: &Release,
) -> Result<SubmissionRow, MarketError> {
    let missing = || MarketError::failed("a release has no submission");
    let id = release.attempt().ok_or_else(missing)?.id;
    unit.submission(id).await?.ok_or_else(missing)
}

/// The approval of a release with what was approved.
pub(crate) async fn approved_of(
    unit: &mut PlatformUnit,
    release: &Release,
) -> Result<(Approved, Manifest), MarketError> {
    let row = present(unit, release).await?;
    let (manifest, facts) = facts_of(&row)?;
    Ok((Approved::of(release, facts)?, manifest))
}

/// The approval of the release that a digest is bound to.
pub(crate) async fn approved(
    unit: &mut PlatformUnit,
    digest: &Digest,
) -> Result<(Approved, Manifest), MarketError> {
    let unknown =
        || MarketError::unknown(Code::ReleaseUnknown, format!("no release is bound to {digest}"));
    let release = unit.release_of(digest).await?.ok_or_else(unknown)?;
    approved_of(unit, &release).await
}
