//! Service accounts and their API keys. Nobody gives an account more than they have themselves.

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use serde_json::json;
use soma_policy::{AccountId, Code, EnvironmentId, KeyId, Millis, OrgId};
use utoipa::ToSchema;

use super::body::{At, Body, Search};
use super::etag::{IfMatch, stale};
use super::limits::room;
use super::once::Once;
use super::page::{Listed, Paging};
use super::problem::Problem;
use super::reply::Reply;
use super::users::short_text;
use crate::audit::Act;
use crate::identity::{ApiKeyText, Cap, CapSet, Principal, SecretText};
use crate::login::{LoginError, revocation, tell};
use crate::server::Server;
use crate::store::{AccountState, ApiKey, Limit, RevocationKind, ServiceAccount, TenantUnit};

const DAY: Millis = Millis(24 * 3_600_000);
/// Longest life of a key, in days.
const DAYS_MAX: u64 = 365;
const DAYS: u64 = 90;

/// A new service account.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewAccount {
    /// Its id: a-z, 0-9 and inner hyphens.
    #[schema(value_type = String)]
    account: AccountId,
    /// What it is for.
    name: String,
    /// What it may do at most.
    #[schema(value_type = Vec<String>)]
    caps: CapSet,
}

/// A changed service account.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct AccountChange {
    /// What it is for.
    name: String,
    /// What it may do at most.
    #[schema(value_type = Vec<String>)]
    caps: CapSet,
    /// Whether its keys count.
    state: AccountState,
}

/// A new API key.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewKey {
    /// The one environment that its tokens name.
    #[schema(value_type = String)]
    environment: EnvironmentId,
    /// What its tokens may do at most; everything that the account may, if left out.
    #[schema(value_type = Option<Vec<String>>)]
    caps: Option<CapSet>,
    /// How many days it counts, from 1 to 365; 90 if left out.
    #[schema(minimum = 1, maximum = 365)]
    days: Option<u64>,
}

/// A key with its secret.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct MadeKey {
    /// The key.
    key: ApiKey,
    /// What the program keeps; shown once.
    api_key: String,
}

/// The org's service accounts.
#[utoipa::path(get, path = "/v1/orgs/{org}/service-accounts", tag = "service accounts", params(("org" = String, Path), Paging),
    responses((status = 200, description = "a page", body = Listed<ServiceAccount>)), security(("token" = [])))]
pub(super) async fn list(
    State(server): State<Server>,
    principal: Principal,
    At(org): At<OrgId>,
    Search(paging): Search<Paging>,
) -> Result<Response, Problem> {
    principal.must(&Cap::KeysWrite)?;
    let mut unit = server.store.read(&principal.within(&org)?).await?;
    let rows = unit.service_accounts(&paging.after()?, paging.limit()? + 1).await?;
    Ok(Reply::ok(&paging.page(rows, |it| it.account.to_string())?).into_response())
}

/// Makes a service account.
#[utoipa::path(post, path = "/v1/orgs/{org}/service-accounts", tag = "service accounts", request_body = NewAccount,
    params(("org" = String, Path), ("Idempotency-Key" = Option<String>, Header, description = "one effect, however often it is sent")),
    responses((status = 201, description = "the account", body = ServiceAccount)), security(("token" = [])))]
pub(super) async fn create(
    State(server): State<Server>,
    principal: Principal,
    At(org): At<OrgId>,
    once: Once,
    Body { value, digest }: Body<NewAccount>,
) -> Result<Response, Problem> {
    principal.must(&Cap::KeysWrite)?;
    let scope = principal.within(&org)?;
    within_own(&principal, &value.caps)?;
    let name = short_text("name", &value.name)?.to_owned();
    let mut work = once.tenant(&server, &principal, &scope, &digest).await?;
    let NewAccount { account, caps, .. } = value;
    let (state, created) = (AccountState::Active, server.now());
    let made = ServiceAccount { account, name, caps, state, version: 1, created };
    room(&mut work, &org, Limit::ServiceAccounts).await?;
    work.insert_service_account(&made).await?;
    if let Some(person) = principal.user() {
        work.answer_for(&made.account, person).await?;
    }
    let (actor, detail) = (principal.subject.to_string(), json!({ "caps": made.caps }));
    work.audit(&server.note(&org, &actor, Act::AccountMade, &made.account, &detail)).await?;
    let location = format!("/v1/orgs/{org}/service-accounts/{}", made.account);
    work.done(Reply::created(location, &made).version(1)).await
}

/// One service account.
#[utoipa::path(get, path = "/v1/orgs/{org}/service-accounts/{account}", tag = "service accounts",
    params(("org" = String, Path), ("account" = String, Path)),
    responses((status = 200, description = "the account", body = ServiceAccount)), security(("token" = [])))]
pub(super) async fn show(
    State(server): State<Server>,
    principal: Principal,
    At((org, account)): At<(OrgId, AccountId)>,
) -> Result<Response, Problem> {
    principal.must(&Cap::KeysWrite)?;
    let mut unit = server.store.read(&principal.within(&org)?).await?;
    let found = find(&mut unit, &account).await?;
    Ok(Reply::ok(&found).version(found.version).into_response())
}

/// Changes a service account. Its tokens end.
#[utoipa::path(patch, path = "/v1/orgs/{org}/service-accounts/{account}", tag = "service accounts", request_body = AccountChange,
    params(("org" = String, Path), ("account" = String, Path), ("If-Match" = String, Header, description = "the ETag that was read")),
    responses((status = 200, description = "the account", body = ServiceAccount)), security(("token" = [])))]
pub(super) async fn update(
    State(server): State<Server>,
    principal: Principal,
    At((org, account)): At<(OrgId, AccountId)>,
    if_match: IfMatch,
    Body { value, .. }: Body<AccountChange>,
) -> Result<Response, Problem> {
    principal.must(&Cap::KeysWrite)?;
    within_own(&principal, &value.caps)?;
    let mut unit = server.store.tenant(&principal.within(&org)?).await?;
    let found = find(&mut unit, &account).await?;
    let version = if_match.judge(found.version)?;
    let name = short_text("name", &value.name)?.to_owned();
    let changed = ServiceAccount { name, caps: value.caps, state: value.state, ..found };
    if !unit.update_service_account(&changed, version).await? {
        return Err(stale());
    }
    // An account for which nobody in the org answers any more gets whoever changes it.
    if let Some(person) = principal.user()
        && !unit.is_answered_for(&account).await?
    {
        unit.answer_for(&account, person).await?;
    }
    cut(&server, &mut unit, &org, RevocationKind::Subject, &format!("account:{account}")).await?;
    let actor = principal.subject.to_string();
    let detail = json!({ "caps": changed.caps, "state": changed.state.as_str() });
    unit.audit(&server.note(&org, &actor, Act::AccountChanged, &account, &detail)).await?;
    let changed = find(&mut unit, &account).await?;
    unit.commit().await?;
    server.bell.notify_one();
    Ok(Reply::ok(&changed).version(changed.version).into_response())
}

/// Removes a service account with its keys. Its tokens end.
#[utoipa::path(delete, path = "/v1/orgs/{org}/service-accounts/{account}", tag = "service accounts",
    params(("org" = String, Path), ("account" = String, Path)),
    responses((status = 204, description = "done")), security(("token" = [])))]
pub(super) async fn remove(
    State(server): State<Server>,
    principal: Principal,
    At((org, account)): At<(OrgId, AccountId)>,
) -> Result<Response, Problem> {
    principal.must(&Cap::KeysWrite)?;
    let mut unit = server.store.tenant(&principal.within(&org)?).await?;
    if !unit.remove_service_account(&account).await? {
        return Err(Problem::not_found("service account"));
    }
    cut(&server, &mut unit, &org, RevocationKind::Subject, &format!("account:{account}")).await?;
    let actor = principal.subject.to_string();
    unit.audit(&server.note(&org, &actor, Act::AccountRemoved, &account, &json!({}))).await?;
    unit.commit().await?;
    server.bell.notify_one();
    Ok(Reply::nothing().into_response())
}

/// The account's keys, without their secrets.
#[utoipa::path(get, path = "/v1/orgs/{org}/service-accounts/{account}/keys", tag = "service accounts",
    params(("org" = String, Path), ("account" = String, Path), Paging),
    responses((status = 200, description = "a page", body = Listed<ApiKey>)), security(("token" = [])))]
pub(super) async fn keys(
    State(server): State<Server>,
    principal: Principal,
    At((org, account)): At<(OrgId, AccountId)>,
    Search(paging): Search<Paging>,
) -> Result<Response, Problem> {
    principal.must(&Cap::KeysWrite)?;
    let mut unit = server.store.read(&principal.within(&org)?).await?;
    find(&mut unit, &account).await?;
    let rows = unit.api_keys(&account, &paging.after()?, paging.limit()? + 1).await?;
    Ok(Reply::ok(&paging.page(rows, |it| it.key.to_string())?).into_response())
}

/// Makes a key. Its secret is shown once.
#[utoipa::path(post, path = "/v1/orgs/{org}/service-accounts/{account}/keys", tag = "service accounts", request_body = NewKey,
    params(("org" = String, Path), ("account" = String, Path), ("Idempotency-Key" = Option<String>, Header, description = "one effect, however often it is sent")),
    responses((status = 201, description = "the key", body = MadeKey)), security(("token" = [])))]
pub(super) async fn create_key(
    State(server): State<Server>,
    principal: Principal,
    At((org, account)): At<(OrgId, AccountId)>,
    once: Once,
    Body { value, digest }: Body<NewKey>,
) -> Result<Response, Problem> {
    principal.must(&Cap::KeysWrite)?;
    let scope = principal.within(&org)?;
    let days = value.days.unwrap_or(DAYS);
    if !(1..=DAYS_MAX).contains(&days) {
        return Err(Problem::field("days", "it is from 1 to 365"));
    }
    let mut work = once.tenant(&server, &principal, &scope, &digest).await?;
    let owner = find(&mut work, &account).await?;
    let caps = value.caps.unwrap_or_else(|| owner.caps.clone());
    within_own(&principal, &caps)?;
    if !owner.caps.covers(&caps) {
        return Err(Problem::field("caps", "a key holds at most what its account holds"));
    }
    let now = server.now();
    let id = KeyId::from_u128(server.clock.fresh_id());
    let text = ApiKeyText::new(id, SecretText::draw().ok_or(LoginError::Failed)?);
    let environment = value.environment;
    let expires = now.plus(Millis(DAY.0 * days));
    let key = ApiKey { key: id, account, environment, caps, created: now, expires, revoked: None };
    room(&mut work, &org, Limit::Keys).await?;
    work.insert_api_key(&key, &text.hash()).await?;
    let (actor, detail) =
        (principal.subject.to_string(), json!({ "caps": key.caps, "account": key.account }));
    work.audit(&server.note(&org, &actor, Act::KeyMade, id, &detail)).await?;
    let location = format!("/v1/orgs/{org}/service-accounts/{}/keys/{id}", key.account);
    let made = MadeKey { key, api_key: text.expose().to_string() };
    work.done(Reply::created(location, &made).secret()).await
}

/// Revokes a key. The tokens that it made end.
#[utoipa::path(delete, path = "/v1/orgs/{org}/service-accounts/{account}/keys/{key}", tag = "service accounts",
    params(("org" = String, Path), ("account" = String, Path), ("key" = String, Path)),
    responses((status = 204, description = "done")), security(("token" = [])))]
pub(super) async fn revoke_key(
    State(server): State<Server>,
    principal: Principal,
    At((org, account, key)): At<(OrgId, AccountId, KeyId)>,
) -> Result<Response, Problem> {
    principal.must(&Cap::KeysWrite)?;
    let mut unit = server.store.tenant(&principal.within(&org)?).await?;
    if !unit.revoke_api_key(&account, key, server.now()).await? {
        return Err(Problem::not_found("key that still counts"));
    }
    cut(&server, &mut unit, &org, RevocationKind::Key, &key.to_string()).await?;
    let actor = principal.subject.to_string();
    unit.audit(&server.note(&org, &actor, Act::KeyRevoked, key, &json!({}))).await?;
    unit.commit().await?;
    server.bell.notify_one();
    Ok(Reply::nothing().into_response())
}

async fn find(unit: &mut TenantUnit, account: &AccountId) -> Result<ServiceAccount, Problem> {
    let found = unit.service_account(account).await?;
    found.ok_or_else(|| Problem::not_found("service account"))
}

/// Nobody gives more than they have; running the marketplace is never given to a program.
fn within_own(principal: &Principal, caps: &CapSet) -> Result<(), Problem> {
    if caps.allows(&Cap::Operate) {
        return Err(Problem::field("caps", "`operate` is for persons alone"));
    }
    match caps.iter().find(|cap| !principal.may(cap)) {
        None => Ok(()),
        Some(cap) => {
            Err(Problem::new(Code::TokenRight, format!("the token does not hold `{cap}` itself")))
        }
    }
}

async fn cut(
    server: &Server,
    unit: &mut TenantUnit,
    org: &OrgId,
    kind: RevocationKind,
    subject: &str,
) -> Result<(), Problem> {
    let revoked = revocation(org, kind, subject, server.now());
    unit.revoke(&revoked).await?;
    Ok(tell(server, unit, &revoked).await?)
}
