//! Installations of the token's org and environment: planned in words, made, shown. What becomes of one is in
//! `changes`, how it is shown in `views`.

pub(super) mod changes;
mod views;

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use soma_market::org::Permission;
use soma_policy::{Code, Digest, InstallationId, InstallationKey, InstallationSpec};
use utoipa::IntoParams;

use self::views::{
    InstallationView, PlanView, RevisionView, answer, plan_view, revision_view, view,
};
use super::acting::acting;
use super::body::{At, Body, Search};
use super::once::Once;
use super::page::{Listed, Paging};
use super::problem::Problem;
use super::reply::Reply;
use crate::identity::{Cap, Principal};
use crate::server::Server;
use crate::store::{InstallationRow, PlatformScope, PlatformUnit};

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

/// Installs a capsule. The body is the installation file; the id and the plan's hash are in the query.
#[utoipa::path(post, path = "/v1/installations", tag = "installations", request_body = Object,
    params(How, ("Idempotency-Key" = Option<String>, Header, description = "one effect, however often it is sent")),
    responses((status = 200, description = "what would be", body = PlanView),
        (status = 201, description = "active: no host has to be waited for", body = InstallationView),
        (status = 202, description = "every live host is waited for", body = InstallationView)), security(("token" = [])))]
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
    responses((status = 200, description = "a page", body = Listed<InstallationView>)), security(("token" = [])))]
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
    responses((status = 200, description = "the installation", body = InstallationView)), security(("token" = [])))]
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
    let shown = view(&row.it, row.created).refused_by(&refusals);
    Ok(Reply::ok(&shown).version(version).into_response())
}

/// Every revision that the installation had, newest first.
#[utoipa::path(get, path = "/v1/installations/{installation}/revisions", tag = "installations", params(("installation" = String, Path)),
    responses((status = 200, description = "the revisions", body = Listed<RevisionView>)), security(("token" = [])))]
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
