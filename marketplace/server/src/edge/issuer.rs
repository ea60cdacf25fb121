//! The keys that sign tokens: seen, rotated with an overlap, revoked at once. For operators.

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::json;
use soma_policy::Millis;
use utoipa::ToSchema;

use super::body::{At, Body, Search};
use super::once::Once;
use super::page::{Listed, Paging};
use super::problem::Problem;
use super::reply::Reply;
use crate::audit::Act;
use crate::identity::{LIFE_SECONDS_MAX, NewKey, Principal};
use crate::login::LoginError;
use crate::server::{OpenError, Server};
use crate::store::{IssuerKeyRow, PlatformUnit};

/// How a rotation goes.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Rotation {
    /// Sign with the new key at once, without waiting until caches know it.
    now: bool,
}

/// Keys whose tokens may still count.
#[utoipa::path(get, path = "/v1/issuer-keys", tag = "issuer", params(Paging),
    responses((status = 200, description = "the keys, without their private halves", body = Listed<IssuerKeyRow>)), security(("token" = [])))]
pub(super) async fn list(
    State(server): State<Server>,
    principal: Principal,
    Search(paging): Search<Paging>,
) -> Result<Response, Problem> {
    let mut unit = server.store.survey(principal.operating()?).await?;
    let after = paging.after()?;
    let mut rows = unit.issuer_keys(server.now()).await?;
    rows.sort_by(|a, b| a.kid.cmp(&b.kid));
    rows.retain(|row| row.kid > after);
    Ok(Reply::ok(&paging.page(rows, |row| row.kid.clone())?).into_response())
}

/// A new key: published now, signing after the overlap; the one before verifies until its last token ends.
#[utoipa::path(post, path = "/v1/issuer-keys", tag = "issuer", request_body = Rotation,
    params(("Idempotency-Key" = Option<String>, Header, description = "one effect, however often it is sent")),
    responses((status = 201, description = "the new key", body = IssuerKeyRow)), security(("token" = [])))]
pub(super) async fn rotate(
    State(server): State<Server>,
    principal: Principal,
    once: Once,
    Body { value, digest }: Body<Rotation>,
) -> Result<Response, Problem> {
    let scope = principal.operating()?;
    principal.must_be_fresh(&server)?;
    let who = (principal.org.clone(), principal.subject.to_string());
    let mut work = once.platform(&server, who, scope, &digest).await?;
    let overlap = if value.now { 0 } else { server.key_overlap_ms };
    let key = add_key(&server, &mut work, overlap).await?;
    let (actor, detail) = (principal.subject.to_string(), json!({ "now": value.now }));
    let entry = server.note(&principal.org, &actor, Act::IssuerKeyRotated, &key.kid, &detail);
    work.audit(&entry).await?;
    let answer = work.done(Reply::created(format!("/v1/issuer-keys/{}", key.kid), &key)).await?;
    reload(&server).await?;
    Ok(answer)
}

/// Ends a key and everything that it signed, now. A new key signs in its place.
#[utoipa::path(delete, path = "/v1/issuer-keys/{kid}", tag = "issuer", params(("kid" = String, Path)),
    responses((status = 204, description = "done; the caller's own token may have ended too")), security(("token" = [])))]
pub(super) async fn revoke(
    State(server): State<Server>,
    principal: Principal,
    At(kid): At<String>,
) -> Result<Response, Problem> {
    let scope = principal.operating()?;
    principal.must_be_fresh(&server)?;
    let mut unit = server.store.platform(scope).await?;
    unit.lock_deployment().await?;
    if kid.contains('\0') || !unit.revoke_issuer_key(&kid, server.now()).await? {
        return Err(Problem::not_found("key that still counts"));
    }
    let now = server.now();
    let signing = unit.issuer_keys(now).await?;
    if !signing.iter().any(|row| row.signs_from <= now && row.signs_until.is_none_or(|it| now < it))
    {
        add_key(&server, &mut unit, 0).await?;
    }
    unit.change(&server.issuer_gone(&kid)).await?;
    let actor = principal.subject.to_string();
    let entry = server.note(&principal.org, &actor, Act::IssuerKeyRevoked, &kid, &json!({}));
    unit.audit(&entry).await?;
    unit.commit().await?;
    server.bell.notify_one();
    reload(&server).await?;
    Ok(Reply::nothing().into_response())
}

/// A key that signs after `overlap`; every other one stops then.
async fn add_key(
    server: &Server,
    unit: &mut PlatformUnit,
    overlap: u64,
) -> Result<IssuerKeyRow, Problem> {
    let now = server.now();
    let signs_from = now.plus(Millis(overlap));
    let key = NewKey::draw(&server.sealer, now, signs_from).map_err(|_| LoginError::Failed)?;
    unit.insert_issuer_key(&key).await?;
    let ends = signs_from.plus(Millis((LIFE_SECONDS_MAX + 60) * 1000));
    unit.retire_issuer_keys(&key.kid, signs_from, ends).await?;
    unit.change(&server.issuer_told(&key)).await?;
    Ok(key)
}

async fn reload(server: &Server) -> Result<(), Problem> {
    server.reload_keys().await.map_err(|error| match error {
        OpenError::Store(error) => error.into(),
        _ => LoginError::Failed.into(),
    })
}
