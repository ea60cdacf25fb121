//! What becomes of an installation: another file, another version, the revision before, none at all.

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use soma_capsule::crash_point;
use soma_market::install::{Gate, InstallCommand};
use soma_market::org::{Actor, Permission};
use soma_policy::{Code, Digest, InstallationId, InstallationKey, InstallationSpec, Millis, OrgId};
use utoipa::{IntoParams, ToSchema};

use super::views::{InstallationView, PlanOrInstallation, answer, plan_view, view};
use super::{NEED, SCOPE, found, key_of, own};
use crate::edge::acting::{acting, words};
use crate::edge::body::{At, Body, Search};
use crate::edge::etag::{IfMatch, Seen};
use crate::edge::once::{Once, Work};
use crate::edge::problem::Problem;
use crate::edge::reply::Reply;
use crate::identity::{Cap, Principal};
use crate::installs::{ChangeWish, GateWish, keep};
use crate::server::Server;
use crate::store::{InstallationRow, PlatformUnit};

/// How it is changed.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(in crate::edge) struct HowChanged {
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
pub(in crate::edge) struct Upgrade {
    /// The version; the newest that the installation's range allows if left out.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    version: Option<semver::Version>,
}

/// To whom a tenant agrees.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::edge) struct Owner {
    /// The publisher's new owner.
    #[schema(value_type = String)]
    owner: OrgId,
}

/// Why a new revision is given up.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::edge) struct Why {
    /// Why.
    reason: String,
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

/// Changes an installation to this file. What is wider, dearer or less proven must be agreed to by the plan's hash.
#[utoipa::path(put, path = "/v1/installations/{installation}", tag = "installations", request_body = Object,
    params(("installation" = String, Path), HowChanged, ("If-Match" = String, Header, description = "the ETag that was read"),
        ("Idempotency-Key" = Option<String>, Header, description = "one effect, however often it is sent")),
    responses((status = 200, description = "what would be, or the installation", body = PlanOrInstallation),
        (status = 202, description = "every live host, or the gate, is waited for", body = InstallationView)), security(("token" = [])))]
pub(in crate::edge) async fn update(
    State(server): State<Server>,
    principal: Principal,
    At(id): At<InstallationId>,
    Search(how): Search<HowChanged>,
    if_match: IfMatch,
    once: Once,
    Body { value, digest }: Body<InstallationSpec>,
) -> Result<Response, Problem> {
    own(&principal, &value)?;
    let wish = ChangeWish::To(Box::new(value));
    let meant = Meant { seen: Some(if_match), once, digest };
    Box::pin(changed(server, principal, id, how, meant, wish)).await
}

/// Upgrades an installation with its grants carried over, as far as the new version declares them.
#[utoipa::path(post, path = "/v1/installations/{installation}/upgrade", tag = "installations", request_body = Upgrade,
    params(("installation" = String, Path), HowChanged, ("If-Match" = Option<String>, Header, description = "only if it is still the one that was read"),
        ("Idempotency-Key" = Option<String>, Header, description = "one effect, however often it is sent")),
    responses((status = 200, description = "what would be, or the installation", body = PlanOrInstallation),
        (status = 202, description = "every live host, or the gate, is waited for", body = InstallationView)), security(("token" = [])))]
pub(in crate::edge) async fn upgrade(
    State(server): State<Server>,
    principal: Principal,
    At(id): At<InstallationId>,
    Search(how): Search<HowChanged>,
    Seen(seen): Seen,
    once: Once,
    Body { value, digest }: Body<Upgrade>,
) -> Result<Response, Problem> {
    let wish = ChangeWish::Upgrade(value.version);
    let meant = Meant { seen, once, digest };
    Box::pin(changed(server, principal, id, how, meant, wish)).await
}

/// Which version a request is meant for, and under which key it is sent.
struct Meant {
    seen: Option<IfMatch>,
    once: Once,
    digest: Digest,
}

impl Meant {
    /// The work of the request; a repeat is answered before it begins.
    async fn work(
        self,
        server: &Server,
        principal: &Principal,
    ) -> Result<(Work<PlatformUnit>, Option<IfMatch>), Problem> {
        let who = (principal.org.clone(), principal.subject.to_string());
        let work = self.once.platform(server, who, SCOPE, &self.digest).await?;
        Ok((work, self.seen))
    }
}

/// The installation, if it still is the one that was read.
async fn seen_as(
    unit: &mut PlatformUnit,
    key: &InstallationKey,
    seen: Option<IfMatch>,
) -> Result<InstallationRow, Problem> {
    let row = found(unit, key).await?;
    if let Some(seen) = seen {
        seen.judge(row.it.record().sequence)?;
    }
    Ok(row)
}

async fn changed(
    server: Server,
    principal: Principal,
    id: InstallationId,
    how: HowChanged,
    meant: Meant,
    wish: ChangeWish,
) -> Result<Response, Problem> {
    let key = key_of(&principal, id);
    let gate = gate_of(&how)?;
    let grounds = server.grounds().await?;
    if how.dry_run {
        let mut unit = server.store.platform(SCOPE).await?;
        acting(&server, &mut unit, &principal, NEED).await?;
        let row = seen_as(&mut unit, &key, meant.seen).await?;
        let planned = server.plan_change(&mut unit, &row.it, wish, &grounds).await?;
        return Ok(Reply::ok(&plan_view(&planned)).into_response());
    }
    let (mut work, seen) = meant.work(&server, &principal).await?;
    let by = acting(&server, &mut work, &principal, NEED).await?;
    let row = seen_as(&mut work, &key, seen).await?;
    let planned = server.plan_change(&mut work, &row.it, wish, &grounds).await?;
    let who = principal.subject.to_string();
    let next = server.change(&mut work, &by, &who, &row, planned, (how.plan, gate)).await?;
    let answer = work.done(answer(&next, row.created, false)).await?;
    crash_point!("server.upgrade.committed");
    Ok(answer)
}

/// The revision before becomes active again, after release, policy, kill orders and consent have passed again. A second
/// one would lead back: the request says which version it is meant for, or carries a key, or both.
#[utoipa::path(post, path = "/v1/installations/{installation}/rollback", tag = "installations",
    params(("installation" = String, Path), ("If-Match" = Option<String>, Header, description = "only if it is still the one that was read"),
        ("Idempotency-Key" = Option<String>, Header, description = "one effect, however often it is sent")),
    responses((status = 200, description = "the installation", body = InstallationView),
        (status = 202, description = "every live host is waited for", body = InstallationView)), security(("token" = [])))]
pub(in crate::edge) async fn roll_back(
    State(server): State<Server>,
    principal: Principal,
    At(id): At<InstallationId>,
    Seen(seen): Seen,
    once: Once,
) -> Result<Response, Problem> {
    if seen.is_none() && !once.has_key() {
        let rule = "send If-Match or Idempotency-Key: a repeated rollback leads back";
        return Err(Problem::new(Code::PreconditionMissing, rule));
    }
    let key = key_of(&principal, id);
    let grounds = server.grounds().await?;
    let meant = Meant { seen, once, digest: Digest::of(b"") };
    let (mut work, seen) = meant.work(&server, &principal).await?;
    let by = acting(&server, &mut work, &principal, NEED).await?;
    let row = seen_as(&mut work, &key, seen).await?;
    let who = principal.subject.to_string();
    let next = server.roll_back(&mut work, &by, &who, &row, &grounds).await?;
    let answer = work.done(answer(&next, row.created, false)).await?;
    crash_point!("server.rollback.committed");
    Ok(answer)
}

/// Gives up the revision that is at its gate; the active one was never touched.
#[utoipa::path(post, path = "/v1/installations/{installation}/back-out", tag = "installations", request_body = Why,
    params(("installation" = String, Path), ("If-Match" = Option<String>, Header, description = "only if it is still the one that was read"),
        ("Idempotency-Key" = Option<String>, Header, description = "one effect, however often it is sent")),
    responses((status = 200, description = "the installation", body = InstallationView)), security(("token" = [])))]
pub(in crate::edge) async fn back_out(
    State(server): State<Server>,
    principal: Principal,
    At(id): At<InstallationId>,
    Seen(seen): Seen,
    once: Once,
    Body { value, digest }: Body<Why>,
) -> Result<Response, Problem> {
    let reason = words("reason", &value.reason)?;
    let meant = Meant { seen, once, digest };
    moved(server, principal, id, meant, NEED, |_| InstallCommand::BackOut { reason }).await
}

/// Agrees to the publisher's new owner.
#[utoipa::path(post, path = "/v1/installations/{installation}/owner", tag = "installations", request_body = Owner,
    params(("installation" = String, Path), ("If-Match" = Option<String>, Header, description = "only if it is still the one that was read"),
        ("Idempotency-Key" = Option<String>, Header, description = "one effect, however often it is sent")),
    responses((status = 200, description = "the installation", body = InstallationView)), security(("token" = [])))]
pub(in crate::edge) async fn accept_owner(
    State(server): State<Server>,
    principal: Principal,
    At(id): At<InstallationId>,
    Seen(seen): Seen,
    once: Once,
    Body { value, digest }: Body<Owner>,
) -> Result<Response, Problem> {
    let need = (Cap::Install, Permission::ConsentGive);
    let meant = Meant { seen, once, digest };
    let owner = value.owner;
    moved(server, principal, id, meant, need, |by| InstallCommand::AcceptOwner { by, owner }).await
}

/// Forgets the revision before: it cannot be rolled back to any more.
#[utoipa::path(delete, path = "/v1/installations/{installation}/previous", tag = "installations",
    params(("installation" = String, Path), ("If-Match" = Option<String>, Header, description = "only if it is still the one that was read"),
        ("Idempotency-Key" = Option<String>, Header, description = "one effect, however often it is sent")),
    responses((status = 200, description = "the installation", body = InstallationView)), security(("token" = [])))]
pub(in crate::edge) async fn forget(
    State(server): State<Server>,
    principal: Principal,
    At(id): At<InstallationId>,
    Seen(seen): Seen,
    once: Once,
) -> Result<Response, Problem> {
    let meant = Meant { seen, once, digest: Digest::of(b"") };
    moved(server, principal, id, meant, NEED, |by| InstallCommand::Forget { by }).await
}

/// Removes an installation: hosts stop it. Its id is not given again.
#[utoipa::path(delete, path = "/v1/installations/{installation}", tag = "installations",
    params(("installation" = String, Path), ("If-Match" = Option<String>, Header, description = "only if it is still the one that was read"),
        ("Idempotency-Key" = Option<String>, Header, description = "one effect, however often it is sent")),
    responses((status = 200, description = "the installation as it was", body = InstallationView)), security(("token" = [])))]
pub(in crate::edge) async fn remove(
    State(server): State<Server>,
    principal: Principal,
    At(id): At<InstallationId>,
    Seen(seen): Seen,
    once: Once,
) -> Result<Response, Problem> {
    let meant = Meant { seen, once, digest: Digest::of(b"") };
    moved(server, principal, id, meant, NEED, |by| InstallCommand::Remove { by }).await
}

async fn moved(
    server: Server,
    principal: Principal,
    id: InstallationId,
    meant: Meant,
    need: (Cap, Permission),
    command: impl for<'a> FnOnce(&'a Actor) -> InstallCommand<'a> + Send,
) -> Result<Response, Problem> {
    let key = key_of(&principal, id);
    let (mut work, seen) = meant.work(&server, &principal).await?;
    let by = acting(&server, &mut work, &principal, need).await?;
    let row = seen_as(&mut work, &key, seen).await?;
    let step = row.it.apply(command(&by), server.now())?;
    let who = principal.subject.to_string();
    let next = keep(&server, &mut work, &who, &row, step).await?;
    work.done(Reply::ok(&view(&next, row.created)).version(next.record().sequence)).await
}
