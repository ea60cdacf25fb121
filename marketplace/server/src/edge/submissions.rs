//! What publishers submit, what was found in it, and what reviewers decide.

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use soma_market::finding::Finding;
use soma_market::org::Permission;
use soma_market::release::{Attempt, Release, ReleaseState};
use soma_policy::{CapsuleName, Code, Digest, Fingerprint, OrgId, SubmissionId, Timestamp};
use utoipa::{IntoParams, ToSchema};

use super::acting::{acting, words};
use super::body::{At, Body, Search};
use super::once::Once;
use super::page::{Listed, Paging};
use super::problem::Problem;
use super::publisher::Publisher;
use super::reply::Reply;
use crate::examine::Papers;
use crate::identity::{Cap, Principal};
use crate::market::MarketError;
use crate::packages::{BUNDLE_BYTES_MAX, COMPONENT_BYTES_MAX};
use crate::releases::{Given, ReviewWish};
use crate::server::Server;
use crate::store::{PlatformScope, SubmissionRow};

const SCOPE: PlatformScope = PlatformScope::of("submissions");
/// The body of a submission: a component of 32 MiB in base64 with its papers.
pub(super) const BODY_MAX: usize = 52 << 20;
/// One paper.
const PAPER_BYTES_MAX: usize = 2 << 20;

/// What is submitted. Bytes are base64 with padding.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Submission {
    /// The component with its manifest inside: at most 32 MiB.
    component: String,
    /// The Sigstore bundle that `soma capsule sign` makes: at most 1 MiB.
    bundle: String,
    /// A CycloneDX or SPDX document that names the component's SHA-256: at most 2 MiB.
    #[serde(default)]
    sbom: Option<String>,
    /// An in-toto statement whose subject is the component: at most 2 MiB.
    #[serde(default)]
    provenance: Option<String>,
}

/// A submission as it stands.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct SubmissionView {
    /// Its id.
    #[schema(value_type = String)]
    submission: SubmissionId,
    /// Whose it is.
    #[schema(value_type = String)]
    org: OrgId,
    /// The capsule.
    #[schema(value_type = String)]
    capsule: CapsuleName,
    /// The version.
    version: String,
    /// Which attempt at the version.
    attempt: u32,
    /// Where its release is, or `replaced`.
    state: String,
    /// What can happen next.
    legal: Vec<&'static str>,
    /// The component.
    #[schema(value_type = String)]
    digest: Digest,
    /// Whose key signed it.
    #[schema(value_type = String)]
    signer: Fingerprint,
    /// When (milliseconds).
    #[schema(value_type = String)]
    submitted: Timestamp,
    /// What was found, the gravest first; `soma explain` knows the codes.
    #[schema(value_type = Vec<Object>)]
    findings: Vec<Finding>,
    /// The risk, from 0.000 to 1.000.
    risk: Option<String>,
    /// What the risk is made of.
    #[schema(value_type = Vec<Object>)]
    parts: serde_json::Value,
    /// What it asks for, in words.
    capabilities: Vec<String>,
    /// Why it was sent back or rejected.
    reason: Option<String>,
}

/// Which submissions.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Which {
    /// In this state only: `in_review` is the review's queue.
    state: Option<String>,
    /// At most so many, from 1 to 100.
    #[param(minimum = 1, maximum = 100)]
    limit: Option<u32>,
    /// What the page before returned as `next`.
    cursor: Option<String>,
}

/// A decision.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, rename_all = "snake_case", tag = "decision")]
pub(super) enum Review {
    /// The digest is bound to the version and published.
    Approve {
        /// Why grave findings are passed; needed where there are any.
        #[serde(default)]
        reason: Option<String>,
    },
    /// Another attempt is asked for.
    Revise {
        /// Why.
        reason: String,
    },
    /// It will not be published.
    Reject {
        /// Why.
        reason: String,
    },
}

pub(super) fn view(row: &SubmissionRow, release: Option<&Release>) -> SubmissionView {
    let attempt: Option<&Attempt> = release.and_then(|release| release.submission(row.id));
    let report = attempt.and_then(|attempt| attempt.report.as_ref());
    let verdict = attempt.and_then(|attempt| attempt.verdict.as_ref());
    let declared = crate::releases::facts_of(row);
    let present = row.state.parse::<ReleaseState>();
    let legal = present.map(|state| state.moves().iter().map(|it| it.as_str()).collect());
    SubmissionView {
        submission: row.id,
        org: row.org.clone(),
        capsule: row.capsule.clone(),
        version: row.version.to_string(),
        attempt: row.attempt,
        state: row.state.clone(),
        legal: legal.unwrap_or_default(),
        digest: row.digest,
        signer: row.signer,
        submitted: row.submitted,
        findings: report.map(|report| report.findings.clone()).unwrap_or_default(),
        risk: report.map(|report| report.risk.score().to_string()),
        parts: report.and_then(|it| serde_json::to_value(&it.risk.parts).ok()).unwrap_or_default(),
        capabilities: declared
            .map(|(_, facts)| crate::catalogue::capabilities(&facts.declarations))
            .unwrap_or_default(),
        reason: verdict.map(|verdict| verdict.reason.to_string()),
    }
}

fn bytes(field: &str, text: &str, max: usize) -> Result<Bytes, Problem> {
    if text.len() / 4 > max.div_ceil(3) {
        return Err(Problem::new(Code::BodyTooLarge, format!("`{field}` has at most {max} bytes")));
    }
    let decoded =
        STANDARD.decode(text).map_err(|_| Problem::field(field, "it is padded base64"))?;
    if decoded.len() > max {
        return Err(Problem::new(Code::BodyTooLarge, format!("`{field}` has at most {max} bytes")));
    }
    Ok(decoded.into())
}

fn paper(field: &str, text: Option<&String>) -> Result<Option<String>, Problem> {
    let Some(text) = text else { return Ok(None) };
    let given = bytes(field, text, PAPER_BYTES_MAX)?;
    let text = String::from_utf8(given.to_vec());
    let text = text.ok().filter(|text| !text.contains('\0'));
    text.map(Some).ok_or_else(|| Problem::field(field, "it is a JSON document in UTF-8"))
}

/// Submits a component: it is verified, examined, and approved or queued.
///
/// What cannot be read or is not signed by a key of its publisher is refused; everything else is kept with its findings.
#[utoipa::path(post, path = "/v1/submissions", tag = "releases", request_body = Submission,
    params(("Idempotency-Key" = Option<String>, Header, description = "one effect, however often it is sent")),
    responses((status = 201, description = "the submission", body = SubmissionView)), security(("token" = [])))]
pub(super) async fn create(
    State(server): State<Server>,
    publisher: Publisher,
    once: Once,
    Body { value, digest }: Body<Submission>,
) -> Result<Response, Problem> {
    submit(server, publisher, once, value, digest).await
}

/// Short form of submitting: the same as `POST /v1/submissions`.
#[utoipa::path(post, path = "/v1/marketplace/publish", tag = "releases", request_body = Submission,
    params(("Idempotency-Key" = Option<String>, Header, description = "one effect, however often it is sent")),
    responses((status = 201, description = "the submission", body = SubmissionView)), security(("token" = [])))]
pub(super) async fn create_short(
    State(server): State<Server>,
    publisher: Publisher,
    once: Once,
    Body { value, digest }: Body<Submission>,
) -> Result<Response, Problem> {
    submit(server, publisher, once, value, digest).await
}

async fn submit(
    server: Server,
    publisher: Publisher,
    once: Once,
    value: Submission,
    digest: Digest,
) -> Result<Response, Problem> {
    let principal = &publisher.principal;
    let papers = Papers {
        sbom: paper("sbom", value.sbom.as_ref())?,
        provenance: paper("provenance", value.provenance.as_ref())?,
    };
    let component = bytes("component", &value.component, COMPONENT_BYTES_MAX)?;
    let bundle = bytes("bundle", &value.bundle, BUNDLE_BYTES_MAX)?;
    drop(value);
    let who = (principal.org.clone(), principal.subject.to_string());
    let submitted = server.examine(principal, Given { component, bundle, papers }).await?;
    let mut work = once.platform(&server, who, SCOPE, &digest).await?;
    let (row, release) = server.keep(&mut work, principal, &submitted).await?;
    let location = format!("/v1/submissions/{}", row.id);
    let answer = work.done(Reply::created(location, &view(&row, Some(&release)))).await?;
    announce(&server, &release);
    Ok(answer)
}

/// Lets a chore look at whose installations want the release: once it is committed, and not before.
fn announce(server: &Server, release: &Release) {
    if release.state() == ReleaseState::Published {
        server.market.note_published(release.record().name.clone());
        server.bell.notify_one();
    }
}

/// The org's submissions, newest first; everybody's for reviewers.
#[utoipa::path(get, path = "/v1/submissions", tag = "releases", params(Which),
    responses((status = 200, description = "a page", body = Listed<SubmissionView>)), security(("token" = [])))]
pub(super) async fn list(
    State(server): State<Server>,
    principal: Principal,
    Search(which): Search<Which>,
) -> Result<Response, Problem> {
    let Which { state, limit, cursor } = which;
    let paging = Paging { limit, cursor };
    if let Some(state) = &state
        && state != "replaced"
    {
        state.parse::<ReleaseState>().map_err(|error| Problem::field("state", error))?;
    }
    let mut unit = server.store.survey(SCOPE).await?;
    let own = seen(&server, &mut unit, &principal).await?;
    let (after, limit) = (paging.after()?, paging.limit()?);
    let rows = unit.submissions(own.as_ref(), state.as_deref(), &after, limit + 1).await?;
    let page = paging.page(rows, |row| row.id.to_string())?;
    let mut items = Vec::new();
    for row in &page.items {
        let release = unit.release(&row.capsule, &row.version).await?;
        items.push(view(row, release.as_ref()));
    }
    Ok(Reply::ok(&Listed { items, next: page.next }).into_response())
}

/// One submission with its findings.
#[utoipa::path(get, path = "/v1/submissions/{submission}", tag = "releases", params(("submission" = String, Path)),
    responses((status = 200, description = "the submission", body = SubmissionView)), security(("token" = [])))]
pub(super) async fn show(
    State(server): State<Server>,
    principal: Principal,
    At(id): At<SubmissionId>,
) -> Result<Response, Problem> {
    let mut unit = server.store.survey(SCOPE).await?;
    let own = seen(&server, &mut unit, &principal).await?;
    let row = unit.submission(id).await?;
    let row = row.filter(|row| own.as_ref().is_none_or(|own| *own == row.org));
    let row = row.ok_or_else(|| {
        Problem::new(Code::SubmissionUnknown, format!("there is no submission `{id}`"))
    })?;
    let release = unit.release(&row.capsule, &row.version).await?;
    let version = release.as_ref().map_or(0, |release| release.record().sequence);
    Ok(Reply::ok(&view(&row, release.as_ref())).version(version).into_response())
}

/// Approves, sends back or rejects what is in review. An approval publishes.
#[utoipa::path(post, path = "/v1/submissions/{submission}/review", tag = "releases", request_body = Review,
    params(("submission" = String, Path), ("Idempotency-Key" = Option<String>, Header, description = "one effect, however often it is sent")),
    responses((status = 200, description = "the submission", body = SubmissionView)), security(("token" = [])))]
pub(super) async fn review(
    State(server): State<Server>,
    principal: Principal,
    At(id): At<SubmissionId>,
    once: Once,
    Body { value, digest }: Body<Review>,
) -> Result<Response, Problem> {
    principal.must(&Cap::Review)?;
    let (wish, overrides) = match value {
        Review::Approve { reason } => {
            let reason = reason.map(|reason| words("reason", &reason)).transpose()?;
            let overrides = reason.is_some();
            (ReviewWish::Approve(reason), overrides)
        }
        Review::Revise { reason } => (ReviewWish::Revise(words("reason", &reason)?), false),
        Review::Reject { reason } => (ReviewWish::Reject(words("reason", &reason)?), false),
    };
    let judged = server.weigh(id, wish).await?;
    let who = (principal.org.clone(), principal.subject.to_string());
    let mut work = once.platform(&server, who, SCOPE, &digest).await?;
    let need = (Cap::Review, Permission::ReviewDecide);
    let reviewer = acting(&server, &mut work, &principal, need).await?;
    // Whoever gives a reason may be passing a grave finding: that takes two fresh factors.
    if overrides && Permission::ReviewOverride.line().step_up {
        principal.must_be_fresh(&server)?;
    }
    let (row, release) = server.review(&mut work, &reviewer, judged).await?;
    let answer = work.done(Reply::ok(&view(&row, Some(&release)))).await?;
    announce(&server, &release);
    Ok(answer)
}

/// Publishes what was approved and is not published yet.
#[utoipa::path(post, path = "/v1/submissions/{submission}/publish", tag = "releases",
    params(("submission" = String, Path)),
    responses((status = 200, description = "the submission", body = SubmissionView)), security(("token" = [])))]
pub(super) async fn publish(
    State(server): State<Server>,
    principal: Principal,
    At(id): At<SubmissionId>,
) -> Result<Response, Problem> {
    let mut unit = server.store.platform(SCOPE).await?;
    let need = (Cap::Review, Permission::ReviewDecide);
    acting(&server, &mut unit, &principal, need).await?;
    let unknown =
        || MarketError::unknown(Code::SubmissionUnknown, format!("there is no submission `{id}`"));
    let row = unit.submission(id).await?.ok_or_else(unknown)?;
    let release = unit.release(&row.capsule, &row.version).await?.ok_or_else(unknown)?;
    let who = principal.subject.to_string();
    let release = server.publish_approved(&mut unit, &who, release).await?;
    let row = unit.submission(id).await?.ok_or_else(unknown)?;
    unit.commit().await?;
    announce(&server, &release);
    server.bell.notify_one();
    Ok(Reply::ok(&view(&row, Some(&release))).into_response())
}

/// Whose submissions a token sees: the org's own, or everybody's (none).
async fn seen(
    server: &Server,
    unit: &mut crate::store::PlatformUnit,
    principal: &Principal,
) -> Result<Option<OrgId>, Problem> {
    if principal.may(&Cap::Review) {
        acting(server, unit, principal, (Cap::Review, Permission::ReviewRead)).await?;
        return Ok(None);
    }
    acting(server, unit, principal, (Cap::Publish, Permission::SubmissionRead)).await?;
    Ok(Some(principal.org.clone()))
}
