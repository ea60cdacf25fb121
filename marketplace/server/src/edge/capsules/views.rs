//! The catalogue as it is shown.

use serde::Serialize;
use soma_market::finding::Finding;
use soma_market::release::Release;
use soma_policy::{CapsuleName, Digest, Fingerprint, Money, OrgId, Timestamp};
use utoipa::ToSchema;

use crate::catalogue::capabilities;
use crate::edge::problem::Problem;
use crate::releases::facts_of;
use crate::store::{CapsuleRow, SubmissionRow};

/// A capsule as a list shows it.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::edge) struct CapsuleView {
    /// `publisher/name`.
    #[schema(value_type = String)]
    capsule: CapsuleName,
    /// The org that publishes it.
    #[schema(value_type = String)]
    org: OrgId,
    /// The newest version that can be installed; none if there is none now.
    latest: Option<String>,
    /// task, tool, planner, governance, persona or http.
    kind: String,
    /// One line.
    summary: String,
    /// An SPDX expression.
    licence: String,
    /// What a call costs; nothing if none.
    #[schema(value_type = Option<String>)]
    price: Option<Money>,
    /// When that version was published (milliseconds).
    #[schema(value_type = Option<String>)]
    published: Option<Timestamp>,
    /// Thousandths of a star on average; none without ratings.
    rating: Option<u64>,
    /// How many tenants rated it.
    ratings: u64,
    /// How many tenants have it installed.
    installs: u64,
    /// Whether new releases wait since a kill.
    frozen: bool,
}

/// A capsule with its versions.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::edge) struct CapsulePage {
    /// The capsule.
    pub(super) capsule: CapsuleView,
    /// Its versions, the last published first.
    pub(super) versions: Vec<VersionLine>,
}

/// One version of a list.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::edge) struct VersionLine {
    /// The version.
    version: String,
    /// published, deprecated, yanked or revoked.
    state: String,
    /// The component.
    #[schema(value_type = Option<String>)]
    digest: Option<Digest>,
    /// When it was published (milliseconds).
    #[schema(value_type = Option<String>)]
    published: Option<Timestamp>,
    /// What to use instead, where it is deprecated.
    instead: Option<String>,
    /// Why it is deprecated, yanked or revoked.
    reason: Option<String>,
}

/// One version with all that is known of it.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::edge) struct VersionPage {
    /// Where it stands.
    release: VersionLine,
    /// Whose key signed it.
    #[schema(value_type = String)]
    signer: Fingerprint,
    /// The component's size.
    bytes: u64,
    /// What it asks for, in words.
    capabilities: Vec<String>,
    /// The same as the manifest declares it.
    #[schema(value_type = Object)]
    declared: serde_json::Value,
    /// The exported functions that the manifest describes.
    #[schema(value_type = Object)]
    functions: serde_json::Value,
    /// What a call costs; nothing if none.
    #[schema(value_type = Option<String>)]
    price: Option<Money>,
    /// The offer that an installation accepts.
    #[schema(value_type = String)]
    offer: Digest,
    /// What was found, the gravest first.
    #[schema(value_type = Vec<Object>)]
    findings: Vec<Finding>,
    /// The risk at its approval.
    risk: Option<String>,
    /// The hash of its conformance passport.
    #[schema(value_type = Option<String>)]
    passport: Option<Digest>,
    /// The bill of materials, if it came with one about this component.
    #[schema(value_type = Option<Object>)]
    sbom: Option<serde_json::Value>,
    /// The statement of its origin, if it came with one about this component.
    #[schema(value_type = Option<Object>)]
    provenance: Option<serde_json::Value>,
}

pub(super) fn view(row: &CapsuleRow) -> CapsuleView {
    CapsuleView {
        capsule: row.entry.name.clone(),
        org: row.org.clone(),
        latest: row.latest.clone(),
        kind: row.shown.kind.clone(),
        summary: row.shown.summary.clone(),
        licence: row.shown.licence.clone(),
        price: row.shown.price,
        published: row.shown.published,
        rating: row.stars.saturating_mul(1000).checked_div(row.ratings),
        ratings: row.ratings,
        installs: row.installs,
        frozen: row.entry.frozen.is_some(),
    }
}

pub(super) fn line(release: &Release) -> VersionLine {
    let record = release.record();
    VersionLine {
        version: record.version.to_string(),
        state: record.state.as_str().to_owned(),
        digest: release.digest(),
        published: record.published_at,
        instead: record.instead.as_ref().map(ToString::to_string),
        reason: record.reason.as_ref().map(ToString::to_string),
    }
}

pub(super) fn version_page(release: &Release, row: &SubmissionRow) -> Result<VersionPage, Problem> {
    let (manifest, facts) = facts_of(row)?;
    let attempt = release.attempt();
    let report = attempt.and_then(|attempt| attempt.report.as_ref());
    let json = |text: &String| serde_json::from_str(text).ok();
    let proof = attempt.map(|attempt| attempt.proof);
    let sbom = row.sbom.as_ref().filter(|_| proof.is_some_and(|proof| proof.sbom));
    let provenance = row.provenance.as_ref().filter(|_| proof.is_some_and(|it| it.provenance));
    let value = |it: Result<serde_json::Value, serde_json::Error>| it.unwrap_or_default();
    Ok(VersionPage {
        release: line(release),
        signer: row.signer,
        bytes: row.bytes,
        capabilities: capabilities(&facts.declarations),
        declared: value(serde_json::to_value(&facts.declarations)),
        functions: value(serde_json::to_value(&manifest.functions)),
        price: facts.price,
        offer: facts.offer(),
        findings: report.map(|report| report.findings.clone()).unwrap_or_default(),
        risk: report.map(|report| report.risk.score().to_string()),
        passport: report.and_then(|report| report.passport),
        sbom: sbom.and_then(json),
        provenance: provenance.and_then(json),
    })
}
