//! Publishers' names: claimed once, handed over with a pause, and the keys that sign for them.

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use serde_json::json;
use soma_capsule::PublicKey;
use soma_market::namespace::{Namespace, NamespaceCommand};
use soma_market::org::Permission;
use soma_policy::{Code, OrgId, PublisherName};
use utoipa::ToSchema;

use super::acting::{acting, words};
use super::body::{At, Body, Search};
use super::limits::room;
use super::once::Once;
use super::page::{Listed, Paging};
use super::problem::Problem;
use super::reply::Reply;
use crate::audit::Act;
use crate::identity::{Cap, Principal};
use crate::market::MarketError;
use crate::releases::{add_signing_key, tell_keys};
use crate::server::Server;
use crate::store::{Limit, NamespaceRow, PlatformScope, PlatformUnit, SigningKey};

const SCOPE: PlatformScope = PlatformScope::of("publisher names");

/// A publisher's name.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct NamespaceView {
    /// The name.
    #[schema(value_type = String)]
    namespace: PublisherName,
    /// Whose it is.
    #[schema(value_type = String)]
    org: OrgId,
    /// Whether the platform checked who the publisher is.
    checked: bool,
    /// Whether its releases are not approved by themselves since a kill.
    frozen: bool,
    /// A transfer under way: to whom, when it was offered, accepted, and when it takes effect.
    #[schema(value_type = Option<Object>)]
    transfer: Option<serde_json::Value>,
    /// Every owner with the moment it began (milliseconds), the present one last.
    #[schema(value_type = Vec<Object>)]
    history: Vec<serde_json::Value>,
}

/// A name to claim.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Claim {
    /// The name: a-z, 0-9 and inner hyphens.
    #[schema(value_type = String)]
    namespace: PublisherName,
    /// For which org; operators only. The token's own if left out.
    #[schema(value_type = Option<String>)]
    #[serde(default)]
    org: Option<OrgId>,
}

/// A move of a transfer.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, rename_all = "lowercase", tag = "move")]
pub(super) enum TransferMove {
    /// The owner offers the name.
    Offer {
        /// To whom.
        #[schema(value_type = String)]
        to: OrgId,
    },
    /// The other side accepts; the pause begins.
    Accept {},
    /// Either side, or the platform, stops it.
    Cancel {},
}

/// What the platform found out about a publisher.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Standing {
    /// Whether it was checked who they are.
    checked: bool,
    /// Lifts the freeze after a kill, for this reason.
    #[serde(default)]
    unfreeze: Option<String>,
}

/// A key that will sign.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewSigningKey {
    /// The public key: SPKI in PEM.
    public_key: String,
}

fn view(row: &NamespaceRow) -> NamespaceView {
    let it: &Namespace = &row.it;
    let transfer = it.transfer.as_ref().map(|transfer| {
        json!({
            "accepted": transfer.accepted.map(|(at, _)| at), "offered": transfer.offered_at,
            "ready": transfer.ready_at(), "to": transfer.to,
        })
    });
    let history = it
        .history
        .iter()
        .map(|entry| json!({ "org": entry.owner, "since": entry.since }))
        .collect();
    NamespaceView {
        namespace: it.name.clone(),
        org: it.owner.clone(),
        checked: row.checked,
        frozen: it.frozen.is_some(),
        transfer,
        history,
    }
}

async fn found(unit: &mut PlatformUnit, name: &PublisherName) -> Result<NamespaceRow, Problem> {
    let unknown = || Problem::new(Code::NamespaceUnknown, format!("nobody claimed `{name}` yet"));
    unit.namespace(name).await?.ok_or_else(unknown)
}

/// Claims a publisher's name. Reserved names are given out by operators.
#[utoipa::path(post, path = "/v1/namespaces", tag = "publishers", request_body = Claim,
    params(("Idempotency-Key" = Option<String>, Header, description = "one effect, however often it is sent")),
    responses((status = 201, description = "the name", body = NamespaceView)), security(("token" = [])))]
pub(super) async fn claim(
    State(server): State<Server>,
    principal: Principal,
    once: Once,
    Body { value, digest }: Body<Claim>,
) -> Result<Response, Problem> {
    let operates = principal.may(&Cap::Operate);
    let need = match operates {
        true => (Cap::Operate, Permission::NamespaceRule),
        false => (Cap::Publish, Permission::NamespaceManage),
    };
    let who = (principal.org.clone(), principal.subject.to_string());
    let mut work = once.platform(&server, who.clone(), SCOPE, &digest).await?;
    let actor = acting(&server, &mut work, &principal, need).await?;
    let owner = value.org.unwrap_or_else(|| principal.org.clone());
    let taken = work.namespace(&value.namespace).await?;
    let now = server.now();
    let publishes = work.org(&owner).await?.is_some_and(|org| org.roles.publisher);
    if !publishes {
        return Err(Problem::field("org", "a publisher's name belongs to an org that publishes"));
    }
    // Operators give names beyond what an org may take by itself.
    if !operates {
        room(&mut work, &owner, Limit::Namespaces).await?;
    }
    let it =
        Namespace::claim(value.namespace, taken.as_ref().map(|row| &row.it), owner, &actor, now)?;
    let row = NamespaceRow { it, checked: operates };
    work.insert_namespace(&row, now).await?;
    let (org, name) = (row.it.owner.clone(), row.it.name.clone());
    let note = server.note(&org, &who.1, Act::NamespaceClaimed, &name, &json!({}));
    work.audit(&note).await?;
    work.done(Reply::created(format!("/v1/namespaces/{name}"), &view(&row))).await
}

/// The org's names; every name for operators.
#[utoipa::path(get, path = "/v1/namespaces", tag = "publishers", params(Paging),
    responses((status = 200, description = "a page", body = Listed<NamespaceView>)), security(("token" = [])))]
pub(super) async fn list(
    State(server): State<Server>,
    principal: Principal,
    Search(paging): Search<Paging>,
) -> Result<Response, Problem> {
    principal.must(&Cap::OrgRead)?;
    let own = (!principal.may(&Cap::Operate)).then_some(&principal.org);
    let mut unit = server.store.survey(SCOPE).await?;
    let rows = unit.namespaces(own, &paging.after()?, paging.limit()? + 1).await?;
    let page = paging.page(rows, |row| row.it.name.to_string())?;
    let items = page.items.iter().map(view).collect();
    Ok(Reply::ok(&Listed { items, next: page.next }).into_response())
}

/// One name: whose it is and whose it was.
#[utoipa::path(get, path = "/v1/namespaces/{namespace}", tag = "publishers", params(("namespace" = String, Path)),
    responses((status = 200, description = "the name", body = NamespaceView)), security(("token" = [])))]
pub(super) async fn show(
    State(server): State<Server>,
    _: Principal,
    At(name): At<PublisherName>,
) -> Result<Response, Problem> {
    let mut unit = server.store.survey(SCOPE).await?;
    Ok(Reply::ok(&view(&found(&mut unit, &name).await?)).into_response())
}

/// Offers a name to another org, accepts it, or stops the transfer. It takes effect after a pause of 7 days.
#[utoipa::path(post, path = "/v1/namespaces/{namespace}/transfer", tag = "publishers", request_body = TransferMove,
    params(("namespace" = String, Path)),
    responses((status = 200, description = "the name", body = NamespaceView)), security(("token" = [])))]
pub(super) async fn transfer(
    State(server): State<Server>,
    principal: Principal,
    At(name): At<PublisherName>,
    Body { value, .. }: Body<TransferMove>,
) -> Result<Response, Problem> {
    let need = match principal.may(&Cap::Operate) {
        true => (Cap::Operate, Permission::NamespaceRule),
        false => (Cap::Publish, Permission::NamespaceManage),
    };
    let mut unit = server.store.platform(SCOPE).await?;
    let actor = acting(&server, &mut unit, &principal, need).await?;
    let row = found(&mut unit, &name).await?;
    let by = &actor;
    let command = match value {
        TransferMove::Offer { to } => {
            let publishes = unit.org(&to).await?.is_some_and(|org| org.roles.publisher);
            if !publishes {
                return Err(Problem::field("to", "it is an org that publishes"));
            }
            NamespaceCommand::Offer { by, to }
        }
        TransferMove::Accept {} => NamespaceCommand::Accept { by },
        TransferMove::Cancel {} => NamespaceCommand::Cancel { by },
    };
    let next = row.it.apply(command, server.now())?.next;
    changed(&server, unit, &principal, &row, next).await
}

/// Says whether a publisher is known, and lifts the freeze after a kill. For operators.
#[utoipa::path(put, path = "/v1/namespaces/{namespace}/standing", tag = "publishers", request_body = Standing,
    params(("namespace" = String, Path)),
    responses((status = 200, description = "the name", body = NamespaceView)), security(("token" = [])))]
pub(super) async fn judge(
    State(server): State<Server>,
    principal: Principal,
    At(name): At<PublisherName>,
    Body { value, .. }: Body<Standing>,
) -> Result<Response, Problem> {
    let mut unit = server.store.platform(SCOPE).await?;
    let need = (Cap::Operate, Permission::NamespaceRule);
    let actor = acting(&server, &mut unit, &principal, need).await?;
    let row = found(&mut unit, &name).await?;
    unit.check_namespace(&name, value.checked).await?;
    let next = match &value.unfreeze {
        None => row.it.clone(),
        Some(reason) => {
            let reason = words("unfreeze", reason)?;
            row.it.apply(NamespaceCommand::Unfreeze { by: &actor, reason }, server.now())?.next
        }
    };
    changed(&server, unit, &principal, &row, next).await
}

async fn changed(
    server: &Server,
    mut unit: PlatformUnit,
    principal: &Principal,
    row: &NamespaceRow,
    next: Namespace,
) -> Result<Response, Problem> {
    if next != row.it && !unit.update_namespace(row.it.sequence, &next).await? {
        return Err(MarketError::Raced.into());
    }
    let (who, name) = (principal.subject.to_string(), &next.name);
    let detail = json!({ "transfer": next.transfer.as_ref().map(|it| it.to.clone()) });
    unit.audit(&server.note(&next.owner, &who, Act::NamespaceChanged, name, &detail)).await?;
    let after = found(&mut unit, name).await?;
    unit.commit().await?;
    server.bell.notify_one();
    Ok(Reply::ok(&view(&after)).into_response())
}

/// The keys that sign for a publisher, the revoked ones too.
#[utoipa::path(get, path = "/v1/namespaces/{namespace}/keys", tag = "publishers", params(("namespace" = String, Path)),
    responses((status = 200, description = "the keys", body = Listed<SigningKey>)), security(("token" = [])))]
pub(super) async fn keys(
    State(server): State<Server>,
    _: Principal,
    At(name): At<PublisherName>,
) -> Result<Response, Problem> {
    let mut unit = server.store.survey(SCOPE).await?;
    found(&mut unit, &name).await?;
    let items = unit.signing_keys(&name).await?;
    Ok(Reply::ok(&Listed { items, next: None }).into_response())
}

/// Adds a key that signs for the publisher.
#[utoipa::path(post, path = "/v1/namespaces/{namespace}/keys", tag = "publishers", request_body = NewSigningKey,
    params(("namespace" = String, Path), ("Idempotency-Key" = Option<String>, Header, description = "one effect, however often it is sent")),
    responses((status = 201, description = "the key", body = SigningKey)), security(("token" = [])))]
pub(super) async fn add_key(
    State(server): State<Server>,
    principal: Principal,
    At(name): At<PublisherName>,
    once: Once,
    Body { value, digest }: Body<NewSigningKey>,
) -> Result<Response, Problem> {
    let key = PublicKey::from_pem(value.public_key.as_bytes())
        .map_err(|error| Problem::field("public_key", error))?;
    let who = (principal.org.clone(), principal.subject.to_string());
    let mut work = once.platform(&server, who, SCOPE, &digest).await?;
    let row = managed(&server, &mut work, &principal, &name).await?;
    let by = principal.subject.to_string();
    let made = add_signing_key(&server, &mut work, &row.it, &key, &by).await?;
    work.done(Reply::created(format!("/v1/namespaces/{name}/keys/{}", made.key), &made)).await
}

/// Revokes a key, for good: hosts take nothing that it signed any more.
#[utoipa::path(delete, path = "/v1/namespaces/{namespace}/keys/{signing_key}", tag = "publishers",
    params(("namespace" = String, Path), ("signing_key" = String, Path)),
    responses((status = 204, description = "done")), security(("token" = [])))]
pub(super) async fn revoke_key(
    State(server): State<Server>,
    principal: Principal,
    At((name, key)): At<(PublisherName, String)>,
) -> Result<Response, Problem> {
    let mut unit = server.store.platform(SCOPE).await?;
    let row = managed(&server, &mut unit, &principal, &name).await?;
    let hex = key.len() == 64 && key.bytes().all(|b| b.is_ascii_hexdigit());
    if !hex || !unit.revoke_signing_key(&name, &key, server.now()).await? {
        return Err(Problem::not_found("key that counts"));
    }
    tell_keys(&server, &mut unit, &row.it.owner, &name).await?;
    let (who, detail) = (principal.subject.to_string(), json!({ "key": key }));
    let note = server.note(&row.it.owner, &who, Act::SigningKeyRevoked, &name, &detail);
    unit.audit(&note).await?;
    unit.commit().await?;
    server.bell.notify_one();
    Ok(Reply::nothing().into_response())
}

/// The name, if this token may manage it.
async fn managed(
    server: &Server,
    unit: &mut PlatformUnit,
    principal: &Principal,
    name: &PublisherName,
) -> Result<NamespaceRow, Problem> {
    let need = (Cap::Publish, Permission::NamespaceManage);
    let actor = acting(server, unit, principal, need).await?;
    let row = found(unit, name).await?;
    actor.may_in(Permission::NamespaceManage, &row.it.owner)?;
    Ok(row)
}
