//! The catalogue: what can be installed, who says what of it, and what its publisher takes back.

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use semver::Version;
use serde::{Deserialize, Serialize};
use serde_json::json;
use soma_market::finding::Finding;
use soma_market::org::Permission;
use soma_market::rating::{Rating, Stars};
use soma_market::release::{EntryCommand, Release};
use soma_policy::{CapsuleName, Code, Digest, Fingerprint, Money, OrgId, PublisherName, Timestamp};
use utoipa::{IntoParams, ToSchema};

use super::acting::{acting, words};
use super::body::{At, Body, Search};
use super::page::{Listed, Paging};
use super::problem::{Problem, ProblemBody};
use super::reply::Reply;
use crate::audit::Act;
use crate::catalogue::{Query, capabilities};
use crate::identity::{Cap, Principal};
use crate::market::{MarketError, actor, org_of};
use crate::releases::{Withdrawal, facts_of};
use crate::server::Server;
use crate::store::{CapsuleRow, PlatformScope, PlatformUnit, SubmissionRow};

const SCOPE: PlatformScope = PlatformScope::of("catalogue");
/// Versions that a capsule's page lists.
const VERSIONS_MAX: u32 = 100;

/// A capsule as a list shows it.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct CapsuleView {
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
pub(super) struct CapsulePage {
    /// The capsule.
    capsule: CapsuleView,
    /// Its versions, the last published first.
    versions: Vec<VersionLine>,
}

/// One version of a list.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct VersionLine {
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
pub(super) struct VersionPage {
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

/// What is searched for. Every filter must hold.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct CapsuleSearch {
    /// Words of name, summary and functions; the beginning of a name's word does too.
    q: Option<String>,
    /// Asks for this capability: `http`, `secret`, `kv` …
    capability: Option<String>,
    /// Is of this kind: `task`, `tool` …
    kind: Option<String>,
    /// By this publisher.
    #[param(value_type = Option<String>)]
    publisher: Option<PublisherName>,
    /// Costs nothing, or something.
    free: Option<bool>,
    /// A call costs at most so many millionths, whatever the currency.
    price_max: Option<i64>,
    /// At most so many, from 1 to 100.
    #[param(minimum = 1, maximum = 100)]
    limit: Option<u32>,
    /// What the page before returned as `next`.
    cursor: Option<String>,
}

/// What becomes of a release.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, rename_all = "snake_case", tag = "move")]
pub(super) enum WithdrawalMove {
    /// Something else is better.
    Deprecate {
        /// Why.
        reason: String,
        /// What to use instead.
        #[serde(default)]
        #[schema(value_type = Option<String>)]
        instead: Option<Version>,
    },
    /// Taken back for now: no new installation.
    Yank {
        /// Why.
        reason: String,
    },
    /// Given back.
    Unyank {
        /// Why.
        reason: String,
    },
    /// Taken back for good: never run again.
    Revoke {
        /// Why.
        reason: String,
    },
}

/// A release that was withdrawn.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Withdrawn {
    /// Where it stands.
    release: VersionLine,
    /// The digest that operators are asked to kill, after a revocation.
    #[schema(value_type = Option<String>)]
    kill: Option<Digest>,
}

/// Why a name may have releases again.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Unfreeze {
    /// Why.
    reason: String,
}

/// Stars and a comment.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewRating {
    /// One to five.
    #[schema(minimum = 1, maximum = 5)]
    stars: u8,
    /// In words.
    comment: Option<String>,
}

/// What one tenant says.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct RatingView {
    /// One to five.
    stars: u8,
    /// In words.
    comment: Option<String>,
    /// The version that was run last.
    version: String,
    /// When (milliseconds).
    #[schema(value_type = String)]
    at: Timestamp,
}

fn view(row: &CapsuleRow) -> CapsuleView {
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

fn line(release: &Release) -> VersionLine {
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

fn rating_view(it: &Rating) -> RatingView {
    let comment = it.comment.as_ref().map(ToString::to_string);
    RatingView { stars: it.stars.into(), comment, version: it.version.to_string(), at: it.at }
}

fn name_of(publisher: PublisherName, name: &str) -> Result<CapsuleName, Problem> {
    format!("{publisher}/{name}").parse().map_err(|_| unknown())
}

fn unknown() -> Problem {
    Problem::new(Code::ReleaseUnknown, "there is no such capsule or version")
}

/// Searches the catalogue.
#[utoipa::path(get, path = "/v1/capsules", tag = "catalogue", params(CapsuleSearch),
    responses((status = 200, description = "a page, by name", body = Listed<CapsuleView>),
        (status = "4XX", description = "a problem", body = ProblemBody),
        (status = 503, description = "the database does not answer", body = ProblemBody)), security(("token" = [])))]
pub(super) async fn list(
    State(server): State<Server>,
    _: Principal,
    Search(asked): Search<CapsuleSearch>,
) -> Result<Response, Problem> {
    search(&server, asked).await
}

/// Short form of the catalogue: the same as `GET /v1/capsules`.
#[utoipa::path(get, path = "/v1/marketplace/capsules", tag = "catalogue", params(CapsuleSearch),
    responses((status = 200, description = "a page, by name", body = Listed<CapsuleView>),
        (status = "4XX", description = "a problem", body = ProblemBody),
        (status = 503, description = "the database does not answer", body = ProblemBody)), security(("token" = [])))]
pub(super) async fn list_short(
    State(server): State<Server>,
    _: Principal,
    Search(asked): Search<CapsuleSearch>,
) -> Result<Response, Problem> {
    search(&server, asked).await
}

async fn search(server: &Server, asked: CapsuleSearch) -> Result<Response, Problem> {
    let CapsuleSearch { q, capability, kind, publisher, free, price_max, limit, cursor } = asked;
    let paging = Paging { limit, cursor };
    for (field, value) in [("q", &q), ("capability", &capability), ("kind", &kind)] {
        if value.as_ref().is_some_and(|it| it.len() > 200 || it.contains('\0')) {
            return Err(Problem::field(field, "it has at most 200 bytes of plain text"));
        }
    }
    let query = Query { words: q.unwrap_or_default(), capability, kind, publisher, free };
    let Some(tokens) = query.tokens() else {
        return Err(Problem::field("q", "words and filters together are at most 8"));
    };
    let (after, limit) = (paging.after()?, paging.limit()?);
    let mut unit = server.store.survey(SCOPE).await?;
    let rows = unit.search(&tokens, price_max, &after, limit + 1).await?;
    let page = paging.page(rows, |row| row.entry.name.to_string())?;
    let items = page.items.iter().map(view).collect();
    Ok(Reply::ok(&Listed { items, next: page.next }).into_response())
}

/// One capsule with its versions.
#[utoipa::path(get, path = "/v1/capsules/{publisher}/{name}", tag = "catalogue",
    params(("publisher" = String, Path), ("name" = String, Path)),
    responses((status = 200, description = "the capsule", body = CapsulePage),
        (status = "4XX", description = "a problem", body = ProblemBody),
        (status = 503, description = "the database does not answer", body = ProblemBody)), security(("token" = [])))]
pub(super) async fn show(
    State(server): State<Server>,
    _: Principal,
    At((publisher, name)): At<(PublisherName, String)>,
) -> Result<Response, Problem> {
    let name = name_of(publisher, &name)?;
    let mut unit = server.store.survey(SCOPE).await?;
    let row = unit.capsule(&name).await?.ok_or_else(unknown)?;
    let versions: Vec<VersionLine> =
        unit.published(&name, VERSIONS_MAX).await?.iter().map(line).collect();
    if versions.is_empty() {
        return Err(unknown());
    }
    Ok(Reply::ok(&CapsulePage { capsule: view(&row), versions }).into_response())
}

/// One version: what it asks for in words, findings, bill of materials, signer.
#[utoipa::path(get, path = "/v1/capsules/{publisher}/{name}/versions/{version}", tag = "catalogue",
    params(("publisher" = String, Path), ("name" = String, Path), ("version" = String, Path)),
    responses((status = 200, description = "the version", body = VersionPage),
        (status = "4XX", description = "a problem", body = ProblemBody),
        (status = 503, description = "the database does not answer", body = ProblemBody)), security(("token" = [])))]
pub(super) async fn version(
    State(server): State<Server>,
    _: Principal,
    At((publisher, name, version)): At<(PublisherName, String, Version)>,
) -> Result<Response, Problem> {
    let name = name_of(publisher, &name)?;
    let mut unit = server.store.survey(SCOPE).await?;
    let release = unit.release(&name, &version).await?;
    let release = release.filter(|it| it.record().published_at.is_some()).ok_or_else(unknown)?;
    let id = release.attempt().map(|attempt| attempt.id).ok_or_else(unknown)?;
    let row = unit.submission(id).await?.ok_or_else(unknown)?;
    Ok(Reply::ok(&version_page(&release, &row)?).into_response())
}

fn version_page(release: &Release, row: &SubmissionRow) -> Result<VersionPage, Problem> {
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

/// Deprecates, yanks, gives back or revokes a release. A revocation asks operators for a kill of its digest.
#[utoipa::path(post, path = "/v1/capsules/{publisher}/{name}/versions/{version}/withdrawal", tag = "releases",
    request_body = WithdrawalMove, params(("publisher" = String, Path), ("name" = String, Path), ("version" = String, Path)),
    responses((status = 200, description = "the release", body = Withdrawn),
        (status = "4XX", description = "a problem", body = ProblemBody),
        (status = 503, description = "the database does not answer", body = ProblemBody)), security(("token" = [])))]
pub(super) async fn withdraw(
    State(server): State<Server>,
    principal: Principal,
    At((publisher, name, version)): At<(PublisherName, String, Version)>,
    Body { value, .. }: Body<WithdrawalMove>,
) -> Result<Response, Problem> {
    let name = name_of(publisher, &name)?;
    let revokes = matches!(value, WithdrawalMove::Revoke { .. });
    let wish = match value {
        WithdrawalMove::Deprecate { reason, instead } => {
            Withdrawal::Deprecate(instead, words("reason", &reason)?)
        }
        WithdrawalMove::Yank { reason } => Withdrawal::Yank(words("reason", &reason)?),
        WithdrawalMove::Unyank { reason } => Withdrawal::Unyank(words("reason", &reason)?),
        WithdrawalMove::Revoke { reason } => Withdrawal::Revoke(words("reason", &reason)?),
    };
    let cap = if principal.may(&Cap::Operate) { Cap::Operate } else { Cap::Publish };
    let permission = match revokes {
        true => Permission::ReleaseRevoke,
        false => Permission::ReleaseWithdraw,
    };
    let mut unit = server.store.platform(SCOPE).await?;
    let by = acting(&server, &mut unit, &principal, (cap, permission)).await?;
    let (release, kill) = server.withdraw(&mut unit, &by, (&name, &version), wish).await?;
    unit.commit().await?;
    server.bell.notify_one();
    Ok(Reply::ok(&Withdrawn { release: line(&release), kill }).into_response())
}

/// Lets a name have new releases again after a kill. For operators.
#[utoipa::path(post, path = "/v1/capsules/{publisher}/{name}/unfreeze", tag = "releases", request_body = Unfreeze,
    params(("publisher" = String, Path), ("name" = String, Path)),
    responses((status = 200, description = "the capsule", body = CapsuleView),
        (status = "4XX", description = "a problem", body = ProblemBody),
        (status = 503, description = "the database does not answer", body = ProblemBody)), security(("token" = [])))]
pub(super) async fn unfreeze(
    State(server): State<Server>,
    principal: Principal,
    At((publisher, name)): At<(PublisherName, String)>,
    Body { value, .. }: Body<Unfreeze>,
) -> Result<Response, Problem> {
    let name = name_of(publisher, &name)?;
    let reason = words("reason", &value.reason)?;
    let mut unit = server.store.platform(SCOPE).await?;
    let need = (Cap::Operate, Permission::NamespaceRule);
    let by = acting(&server, &mut unit, &principal, need).await?;
    let row = unit.capsule(&name).await?.ok_or_else(unknown)?;
    let detail = json!({ "reason": reason });
    let next = row.entry.apply(EntryCommand::Unfreeze { by: &by, reason }, server.now())?;
    if !unit.update_entry(row.entry.sequence, &next).await? {
        return Err(MarketError::Raced.into());
    }
    let who = principal.subject.to_string();
    unit.audit(&server.note(&row.org, &who, Act::NameUnfrozen, &name, &detail)).await?;
    let row = unit.capsule(&name).await?.ok_or_else(unknown)?;
    unit.commit().await?;
    server.bell.notify_one();
    Ok(Reply::ok(&view(&row)).into_response())
}

/// Ratings of a capsule.
#[utoipa::path(get, path = "/v1/capsules/{publisher}/{name}/ratings", tag = "catalogue",
    params(("publisher" = String, Path), ("name" = String, Path), Paging),
    responses((status = 200, description = "a page", body = Listed<RatingView>),
        (status = "4XX", description = "a problem", body = ProblemBody),
        (status = 503, description = "the database does not answer", body = ProblemBody)), security(("token" = [])))]
pub(super) async fn ratings(
    State(server): State<Server>,
    _: Principal,
    At((publisher, name)): At<(PublisherName, String)>,
    Search(paging): Search<Paging>,
) -> Result<Response, Problem> {
    let name = name_of(publisher, &name)?;
    let mut unit = server.store.survey(SCOPE).await?;
    let rows = unit.ratings(&name, &paging.after()?, paging.limit()? + 1).await?;
    let page = paging.page(rows, |row| row.tenant.to_string())?;
    let items = page.items.iter().map(rating_view).collect();
    Ok(Reply::ok(&Listed { items, next: page.next }).into_response())
}

/// Rates a capsule that the org ran; it takes the place of the org's earlier rating.
#[utoipa::path(put, path = "/v1/capsules/{publisher}/{name}/ratings", tag = "catalogue", request_body = NewRating,
    params(("publisher" = String, Path), ("name" = String, Path)),
    responses((status = 200, description = "the rating", body = RatingView),
        (status = "4XX", description = "a problem", body = ProblemBody),
        (status = 503, description = "the database does not answer", body = ProblemBody)), security(("token" = [])))]
pub(super) async fn rate(
    State(server): State<Server>,
    principal: Principal,
    At((publisher, name)): At<(PublisherName, String)>,
    Body { value, .. }: Body<NewRating>,
) -> Result<Response, Problem> {
    principal.must(&Cap::OrgRead)?;
    let name = name_of(publisher, &name)?;
    let stars = Stars::try_from(value.stars)?;
    let comment = value.comment.map(|text| words("comment", &text)).transpose()?;
    let mut unit = server.store.platform(SCOPE).await?;
    let rating = rating(&server, &mut unit, &principal, &name, (stars, comment)).await?;
    unit.keep_rating(&rating).await?;
    let (who, detail) = (principal.subject.to_string(), json!({ "stars": value.stars }));
    unit.audit(&server.note(&principal.org, &who, Act::CapsuleRated, &name, &detail)).await?;
    unit.commit().await?;
    server.bell.notify_one();
    Ok(Reply::ok(&rating_view(&rating)).into_response())
}

async fn rating(
    server: &Server,
    unit: &mut PlatformUnit,
    principal: &Principal,
    name: &CapsuleName,
    said: (Stars, Option<soma_market::Words>),
) -> Result<Rating, Problem> {
    let row = unit.capsule(name).await?.ok_or_else(unknown)?;
    let by = actor(unit, principal).await?;
    let publisher = org_of(unit, &row.org, server.now()).await?;
    let ran = unit.ran(&principal.org, name).await?;
    Ok(Rating::give(name.clone(), said, &by, &publisher, ran.as_ref(), server.now())?)
}
