//! Installations of the token's org and environment: planned in words, made, changed, rolled back, removed.

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use serde_json::json;
use soma_market::diff::Diff;
use soma_market::install::{Gate, InstallCommand, InstallState, Installed, Revision};
use soma_market::org::{Actor, Permission};
use soma_policy::{
    Code, Digest, Grants, InstallationId, InstallationKey, InstallationSpec, Millis, Money, OrgId,
    Timestamp,
};
use utoipa::{IntoParams, ToSchema};

use super::acting::{acting, words};
use super::body::{At, Body, Search};
use super::etag::IfMatch;
use super::once::Once;
use super::page::{Listed, Paging};
use super::problem::{Problem, ProblemBody};
use super::reply::Reply;
use crate::identity::{Cap, Principal};
use crate::installs::{ChangeWish, GateWish, Planned, keep};
use crate::server::Server;
use crate::store::{HostRefusal, InstallationRow, PlatformScope, PlatformUnit};

const SCOPE: PlatformScope = PlatformScope::of("installations");
const NEED: (Cap, Permission) = (Cap::Install, Permission::InstallationManage);
/// Revisions that an installation's page lists.
const REVISIONS_MAX: u32 = 50;

/// How it is installed.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct How {
    /// Its id; the capsule's own name if left out.
    #[param(value_type = Option<String>)]
    id: Option<InstallationId>,
    /// Only says what would be.
    #[serde(default)]
    dry_run: bool,
    /// The hash of the plan that was agreed to.
    #[param(value_type = Option<String>)]
    plan: Option<Digest>,
}

/// How it is changed.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct HowChanged {
    /// Only says what would be.
    #[serde(default)]
    dry_run: bool,
    /// The hash of the plan that was agreed to.
    #[param(value_type = Option<String>)]
    plan: Option<Digest>,
    /// How the new revision is judged: `open`, `check` or `canary`.
    gate: Option<String>,
    /// How many calls it takes to judge a canary; 20 if left out.
    canary_calls: Option<u32>,
    /// The thousandths of calls that a canary gets, up to 500; 100 if left out.
    canary_share: Option<u16>,
    /// By how many thousandths more of them may fail; 0 if left out.
    canary_tolerance: Option<u16>,
    /// How long the gate may stay undecided; an hour if left out.
    within_seconds: Option<u64>,
}

/// What to upgrade to.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Upgrade {
    /// The version; the newest that the installation's range allows if left out.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    version: Option<semver::Version>,
}

/// To whom a tenant agrees.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Owner {
    /// The publisher's new owner.
    #[schema(value_type = String)]
    owner: OrgId,
}

/// Why a new revision is given up.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Why {
    /// Why.
    reason: String,
}

/// What would be.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct PlanView {
    /// What an agreement names.
    #[schema(value_type = String)]
    plan: Digest,
    /// The release.
    capsule: String,
    /// Its version.
    version: String,
    /// Who publishes it.
    #[schema(value_type = String)]
    owner: OrgId,
    /// Every right that is granted, in words.
    granted: Vec<String>,
    /// What changes in rights and limits, in words.
    changes: Vec<String>,
    /// What must be agreed to; nothing if empty.
    asks: Vec<String>,
    /// What a call costs; nothing if none.
    #[schema(value_type = Option<String>)]
    price: Option<Money>,
    /// The file of the new revision.
    #[schema(value_type = Object)]
    spec: serde_json::Value,
}

/// An installation.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct InstallationView {
    /// Its id.
    #[schema(value_type = String)]
    installation: InstallationId,
    /// `org/environment/id`.
    key: String,
    /// `publisher/name`.
    capsule: String,
    /// gating, pending, active or removed.
    state: InstallStateName,
    /// What can happen next.
    legal: Vec<&'static str>,
    /// What runs.
    active: RevisionView,
    /// What ran before.
    previous: Option<RevisionView>,
    /// What is at its health gate.
    candidate: Option<RevisionView>,
    /// Why the last new revision was given up.
    refused: Option<String>,
    /// Live hosts that do not run the active revision yet.
    waiting: Vec<String>,
    /// Hosts that cannot run a revision: which host, which revision, the code and why.
    #[schema(value_type = Vec<Object>)]
    not_running: Vec<serde_json::Value>,
    /// Another owner of the publisher's name, whom the tenant has not agreed to.
    #[schema(value_type = Option<String>)]
    owner_asked: Option<OrgId>,
    /// Since when (milliseconds).
    #[schema(value_type = String)]
    created: Timestamp,
}

/// A state by its name.
#[derive(Debug, Serialize, ToSchema)]
#[serde(transparent)]
pub(super) struct InstallStateName(String);

/// A revision.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct RevisionView {
    /// Its number.
    revision: u64,
    /// The release.
    version: String,
    /// The component.
    #[schema(value_type = String)]
    digest: Digest,
    /// What a call costs.
    #[schema(value_type = Option<String>)]
    price: Option<Money>,
    /// The accepted offer.
    #[schema(value_type = String)]
    offer: Digest,
    /// The plan that was agreed to.
    #[schema(value_type = String)]
    plan: Digest,
    /// When it was made (milliseconds).
    #[schema(value_type = String)]
    made: Timestamp,
    /// The file.
    #[schema(value_type = Object)]
    spec: serde_json::Value,
}

fn revision_view(it: &Revision) -> RevisionView {
    RevisionView {
        revision: it.number,
        version: it.version.to_string(),
        digest: it.spec.digest,
        price: it.price,
        offer: it.offer,
        plan: it.consent.plan,
        made: it.at,
        spec: serde_json::to_value(&it.spec).unwrap_or_default(),
    }
}

fn view(it: &Installed, created: Timestamp) -> InstallationView {
    let (record, state) = (it.record(), it.state());
    InstallationView {
        installation: record.key.id.clone(),
        key: record.key.to_string(),
        capsule: record.capsule.to_string(),
        state: InstallStateName(state.as_str().to_owned()),
        legal: state.moves().iter().map(|it| it.as_str()).collect(),
        active: revision_view(&record.active),
        previous: record.previous.as_ref().map(revision_view),
        candidate: record.candidate.as_ref().map(|it| revision_view(&it.revision)),
        refused: record.refused.as_ref().map(|(number, why)| format!("revision {number}: {why}")),
        waiting: record.waiting.iter().map(ToString::to_string).collect(),
        not_running: Vec::new(),
        owner_asked: record.owner_asked.clone(),
        created,
    }
}

fn plan_view(planned: &Planned) -> PlanView {
    let plan = &planned.plan;
    let facts = planned.approved.facts();
    let granted = Diff::granted(&Grants::default(), &plan.spec().grants);
    let lines = |diff: &Diff| diff.to_string().lines().map(str::to_owned).collect::<Vec<_>>();
    PlanView {
        plan: plan.hash(),
        capsule: facts.name.to_string(),
        version: facts.version.to_string(),
        owner: planned.approved.owner().clone(),
        granted: lines(&granted)
            .iter()
            .map(|it| it.trim_start_matches("+ ").replace("may now ", "may "))
            .collect(),
        changes: lines(plan.diff()),
        asks: plan.asks().iter().map(ToString::to_string).collect(),
        price: facts.price,
        spec: serde_json::to_value(plan.spec()).unwrap_or_default(),
    }
}

/// 202 while hosts or a gate are waited for, else the status that fits.
fn answer(it: &Installed, created: Timestamp, first: bool) -> Reply {
    let location = format!("/v1/installations/{}", it.record().key.id);
    let body = view(it, created);
    let reply = match (it.state(), first) {
        (InstallState::Pending | InstallState::Gating, _) => Reply::accepted(location, &body),
        (_, true) => Reply::created(location, &body),
        (_, false) => Reply::ok(&body),
    };
    reply.version(it.record().sequence)
}

fn key_of(principal: &Principal, id: InstallationId) -> InstallationKey {
    let (environment, org) = (principal.environment.clone(), principal.org.clone());
    InstallationKey { environment, id, org }
}

async fn found(unit: &mut PlatformUnit, key: &InstallationKey) -> Result<InstallationRow, Problem> {
    let row = unit.installation(key).await?;
    row.ok_or_else(|| Problem::not_found("installation"))
}

/// The token's own tenant and environment, in the file too.
fn own(principal: &Principal, spec: &InstallationSpec) -> Result<(), Problem> {
    let (tenant, environment) = (&principal.org, &principal.environment);
    if spec.tenant != *tenant || spec.environment != *environment {
        let rule = format!("the token is for `{tenant}` and `{environment}`, the file is not");
        return Err(Problem::new(Code::TenantMismatch, rule));
    }
    Ok(())
}

fn gate_of(how: &HowChanged) -> Result<GateWish, Problem> {
    let gate = match how.gate.as_deref().unwrap_or("open") {
        "open" => Gate::Open,
        "check" => Gate::Check,
        "canary" => GateWish::canary(
            how.canary_calls.unwrap_or(20),
            how.canary_share.unwrap_or(100),
            how.canary_tolerance.unwrap_or(0),
        ),
        _ => return Err(Problem::field("gate", "it is open, check or canary")),
    };
    let within = how.within_seconds.map(|seconds| Millis(seconds.saturating_mul(1000)));
    Ok(GateWish { gate, within })
}

/// Installs a capsule. The body is the installation file; the id and the plan's hash are in the query.
#[utoipa::path(post, path = "/v1/installations", tag = "installations", request_body = Object,
    params(How, ("Idempotency-Key" = Option<String>, Header, description = "one effect, however often it is sent")),
    responses((status = 200, description = "what would be", body = PlanView),
        (status = 201, description = "active: no host has to be waited for", body = InstallationView),
        (status = 202, description = "every live host is waited for", body = InstallationView),
        (status = "4XX", description = "a problem", body = ProblemBody),
        (status = 503, description = "the database does not answer", body = ProblemBody)), security(("token" = [])))]
pub(super) async fn create(
    State(server): State<Server>,
    principal: Principal,
    Search(how): Search<How>,
    once: Once,
    Body { value, digest }: Body<InstallationSpec>,
) -> Result<Response, Problem> {
    own(&principal, &value)?;
    let named = || value.capsule.name.parse();
    let id = how.id.map_or_else(named, Ok).map_err(|error| Problem::field("id", error))?;
    let key = key_of(&principal, id);
    let grounds = server.grounds().await?;
    if how.dry_run {
        let mut unit = server.store.survey(SCOPE).await?;
        acting(&server, &mut unit, &principal, NEED).await?;
        let planned = server.plan_first(&mut unit, &key, value, &grounds).await?;
        return Ok(Reply::ok(&plan_view(&planned)).into_response());
    }
    let who = (principal.org.clone(), principal.subject.to_string());
    let mut work = once.platform(&server, who.clone(), SCOPE, &digest).await?;
    let by = acting(&server, &mut work, &principal, NEED).await?;
    let planned = server.plan_first(&mut work, &key, value, &grounds).await?;
    let made = server.install(&mut work, &by, &who.1, &key, planned, how.plan).await?;
    work.done(answer(&made, server.now(), true)).await
}

/// The installations of the token's environment.
#[utoipa::path(get, path = "/v1/installations", tag = "installations", params(Paging),
    responses((status = 200, description = "a page", body = Listed<InstallationView>),
        (status = "4XX", description = "a problem", body = ProblemBody),
        (status = 503, description = "the database does not answer", body = ProblemBody)), security(("token" = [])))]
pub(super) async fn list(
    State(server): State<Server>,
    principal: Principal,
    Search(paging): Search<Paging>,
) -> Result<Response, Problem> {
    principal.must(&Cap::OrgRead)?;
    let mut unit = server.store.read(&principal.scope()).await?;
    let (after, limit) = (paging.after()?, paging.limit()?);
    let rows = unit.own_installations(&principal.environment, &after, limit + 1).await?;
    let page = paging.page(rows, |row| row.it.record().key.id.to_string())?;
    let items = page.items.iter().map(|row| view(&row.it, row.created)).collect();
    Ok(Reply::ok(&Listed { items, next: page.next }).into_response())
}

/// One installation.
#[utoipa::path(get, path = "/v1/installations/{installation}", tag = "installations", params(("installation" = String, Path)),
    responses((status = 200, description = "the installation", body = InstallationView),
        (status = "4XX", description = "a problem", body = ProblemBody),
        (status = 503, description = "the database does not answer", body = ProblemBody)), security(("token" = [])))]
pub(super) async fn show(
    State(server): State<Server>,
    principal: Principal,
    At(id): At<InstallationId>,
) -> Result<Response, Problem> {
    principal.must(&Cap::OrgRead)?;
    let mut unit = server.store.read(&principal.scope()).await?;
    let row = unit.own_installation(&principal.environment, id.as_str()).await?;
    let row = row.ok_or_else(|| Problem::not_found("installation"))?;
    let version = row.it.record().sequence;
    let refusals = unit.host_refusals(&principal.environment, &id).await?;
    let said = |it: &HostRefusal| json!({ "code": it.code, "host": it.host, "revision": it.revision.to_string(), "words": it.words });
    let not_running = refusals.iter().map(said).collect();
    let shown = InstallationView { not_running, ..view(&row.it, row.created) };
    Ok(Reply::ok(&shown).version(version).into_response())
}

/// Every revision that the installation had, newest first.
#[utoipa::path(get, path = "/v1/installations/{installation}/revisions", tag = "installations", params(("installation" = String, Path)),
    responses((status = 200, description = "the revisions", body = Listed<RevisionView>),
        (status = "4XX", description = "a problem", body = ProblemBody),
        (status = 503, description = "the database does not answer", body = ProblemBody)), security(("token" = [])))]
pub(super) async fn revisions(
    State(server): State<Server>,
    principal: Principal,
    At(id): At<InstallationId>,
) -> Result<Response, Problem> {
    principal.must(&Cap::OrgRead)?;
    let mut unit = server.store.read(&principal.scope()).await?;
    let rows = unit.own_revisions(&principal.environment, id.as_str(), REVISIONS_MAX).await?;
    if rows.is_empty() {
        return Err(Problem::not_found("installation"));
    }
    let items = rows.iter().map(revision_view).collect();
    Ok(Reply::ok(&Listed { items, next: None }).into_response())
}

/// Changes an installation to this file. What is wider, dearer or less proven must be agreed to by the plan's hash.
#[utoipa::path(put, path = "/v1/installations/{installation}", tag = "installations", request_body = Object,
    params(("installation" = String, Path), HowChanged, ("If-Match" = String, Header, description = "the ETag that was read")),
    responses((status = 200, description = "what would be, or the installation", body = InstallationView),
        (status = 202, description = "every live host, or the gate, is waited for", body = InstallationView),
        (status = "4XX", description = "a problem", body = ProblemBody),
        (status = 503, description = "the database does not answer", body = ProblemBody)), security(("token" = [])))]
pub(super) async fn update(
    State(server): State<Server>,
    principal: Principal,
    At(id): At<InstallationId>,
    Search(how): Search<HowChanged>,
    if_match: IfMatch,
    Body { value, .. }: Body<InstallationSpec>,
) -> Result<Response, Problem> {
    own(&principal, &value)?;
    let wish = ChangeWish::To(Box::new(value));
    changed(server, principal, id, how, Some(if_match), wish).await
}

/// Upgrades an installation with its grants carried over, as far as the new version declares them.
#[utoipa::path(post, path = "/v1/installations/{installation}/upgrade", tag = "installations", request_body = Upgrade,
    params(("installation" = String, Path), HowChanged),
    responses((status = 200, description = "what would be, or the installation", body = InstallationView),
        (status = 202, description = "every live host, or the gate, is waited for", body = InstallationView),
        (status = "4XX", description = "a problem", body = ProblemBody),
        (status = 503, description = "the database does not answer", body = ProblemBody)), security(("token" = [])))]
pub(super) async fn upgrade(
    State(server): State<Server>,
    principal: Principal,
    At(id): At<InstallationId>,
    Search(how): Search<HowChanged>,
    Body { value, .. }: Body<Upgrade>,
) -> Result<Response, Problem> {
    changed(server, principal, id, how, None, ChangeWish::Upgrade(value.version)).await
}

async fn changed(
    server: Server,
    principal: Principal,
    id: InstallationId,
    how: HowChanged,
    if_match: Option<IfMatch>,
    wish: ChangeWish,
) -> Result<Response, Problem> {
    let key = key_of(&principal, id);
    let gate = gate_of(&how)?;
    let grounds = server.grounds().await?;
    let mut unit = server.store.platform(SCOPE).await?;
    let by = acting(&server, &mut unit, &principal, NEED).await?;
    let row = found(&mut unit, &key).await?;
    if let Some(if_match) = if_match {
        if_match.judge(row.it.record().sequence)?;
    }
    let planned = server.plan_change(&mut unit, &row.it, wish, &grounds).await?;
    if how.dry_run {
        return Ok(Reply::ok(&plan_view(&planned)).into_response());
    }
    let who = principal.subject.to_string();
    let next = server.change(&mut unit, &by, &who, &row, planned, (how.plan, gate)).await?;
    unit.commit().await?;
    server.bell.notify_one();
    Ok(answer(&next, row.created, false).into_response())
}

/// The revision before becomes active again, after release, policy, kill orders and consent have passed again.
#[utoipa::path(post, path = "/v1/installations/{installation}/rollback", tag = "installations", params(("installation" = String, Path)),
    responses((status = 200, description = "the installation", body = InstallationView),
        (status = 202, description = "every live host is waited for", body = InstallationView),
        (status = "4XX", description = "a problem", body = ProblemBody),
        (status = 503, description = "the database does not answer", body = ProblemBody)), security(("token" = [])))]
pub(super) async fn roll_back(
    State(server): State<Server>,
    principal: Principal,
    At(id): At<InstallationId>,
) -> Result<Response, Problem> {
    let key = key_of(&principal, id);
    let grounds = server.grounds().await?;
    let mut unit = server.store.platform(SCOPE).await?;
    let by = acting(&server, &mut unit, &principal, NEED).await?;
    let row = found(&mut unit, &key).await?;
    let who = principal.subject.to_string();
    let next = server.roll_back(&mut unit, &by, &who, &row, &grounds).await?;
    unit.commit().await?;
    server.bell.notify_one();
    Ok(answer(&next, row.created, false).into_response())
}

/// Gives up the revision that is at its gate; the active one was never touched.
#[utoipa::path(post, path = "/v1/installations/{installation}/back-out", tag = "installations", request_body = Why,
    params(("installation" = String, Path)),
    responses((status = 200, description = "the installation", body = InstallationView),
        (status = "4XX", description = "a problem", body = ProblemBody),
        (status = 503, description = "the database does not answer", body = ProblemBody)), security(("token" = [])))]
pub(super) async fn back_out(
    State(server): State<Server>,
    principal: Principal,
    At(id): At<InstallationId>,
    Body { value, .. }: Body<Why>,
) -> Result<Response, Problem> {
    let reason = words("reason", &value.reason)?;
    moved(server, principal, id, NEED, |_| InstallCommand::BackOut { reason }).await
}

/// Agrees to the publisher's new owner.
#[utoipa::path(post, path = "/v1/installations/{installation}/owner", tag = "installations", request_body = Owner,
    params(("installation" = String, Path)),
    responses((status = 200, description = "the installation", body = InstallationView),
        (status = "4XX", description = "a problem", body = ProblemBody),
        (status = 503, description = "the database does not answer", body = ProblemBody)), security(("token" = [])))]
pub(super) async fn accept_owner(
    State(server): State<Server>,
    principal: Principal,
    At(id): At<InstallationId>,
    Body { value, .. }: Body<Owner>,
) -> Result<Response, Problem> {
    let need = (Cap::Install, Permission::ConsentGive);
    moved(server, principal, id, need, |by| InstallCommand::AcceptOwner { by, owner: value.owner })
        .await
}

/// Forgets the revision before: it cannot be rolled back to any more.
#[utoipa::path(delete, path = "/v1/installations/{installation}/previous", tag = "installations", params(("installation" = String, Path)),
    responses((status = 200, description = "the installation", body = InstallationView),
        (status = "4XX", description = "a problem", body = ProblemBody),
        (status = 503, description = "the database does not answer", body = ProblemBody)), security(("token" = [])))]
pub(super) async fn forget(
    State(server): State<Server>,
    principal: Principal,
    At(id): At<InstallationId>,
) -> Result<Response, Problem> {
    moved(server, principal, id, NEED, |by| InstallCommand::Forget { by }).await
}

/// Removes an installation: hosts stop it. Its id is not given again.
#[utoipa::path(delete, path = "/v1/installations/{installation}", tag = "installations", params(("installation" = String, Path)),
    responses((status = 200, description = "the installation as it was", body = InstallationView),
        (status = "4XX", description = "a problem", body = ProblemBody),
        (status = 503, description = "the database does not answer", body = ProblemBody)), security(("token" = [])))]
pub(super) async fn remove(
    State(server): State<Server>,
    principal: Principal,
    At(id): At<InstallationId>,
) -> Result<Response, Problem> {
    moved(server, principal, id, NEED, |by| InstallCommand::Remove { by }).await
}

async fn moved(
    server: Server,
    principal: Principal,
    id: InstallationId,
    need: (Cap, Permission),
    command: impl for<'a> FnOnce(&'a Actor) -> InstallCommand<'a> + Send,
) -> Result<Response, Problem> {
    let key = key_of(&principal, id);
    let mut unit = server.store.platform(SCOPE).await?;
    let by = acting(&server, &mut unit, &principal, need).await?;
    let row = found(&mut unit, &key).await?;
    let step = row.it.apply(command(&by), server.now())?;
    let who = principal.subject.to_string();
    let next = keep(&server, &mut unit, &who, &row, step).await?;
    unit.commit().await?;
    server.bell.notify_one();
    Ok(Reply::ok(&view(&next, row.created)).version(next.record().sequence).into_response())
}
