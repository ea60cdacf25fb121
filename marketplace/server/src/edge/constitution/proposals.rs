//! Proposals: what one operator wrote and signed, and others sign before it holds.

use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use soma_policy::Digest;

use super::super::body::At;
use super::super::page::Listed;
use super::super::problem::Problem;
use super::super::reply::Reply;
use super::views::ConstitutionView;
use super::{begin, brought, end};
use crate::constitution::{Name, SCOPE};
use crate::identity::Principal;
use crate::server::Server;

/// What is proposed to follow the constitution that holds. For operators.
#[utoipa::path(get, path = "/v1/constitution/proposals", tag = "constitution",
    responses((status = 200, description = "all of them", body = Listed<ConstitutionView>)), security(("token" = [])))]
pub(in crate::edge) async fn list(
    State(server): State<Server>,
    principal: Principal,
) -> Result<Response, Problem> {
    principal.operating()?;
    let all = server.constitution_proposals().await?;
    let items: Vec<ConstitutionView> = all.into_iter().map(ConstitutionView::from).collect();
    Ok(Reply::ok(&Listed { items, next: None }).into_response())
}

/// Proposes a constitution: a DSSE envelope of kind `constitution` that at least one operator signed. For operators
/// with two fresh factors.
#[utoipa::path(post, path = "/v1/constitution/proposals", tag = "constitution", request_body = Object,
    responses((status = 201, description = "it waits for signatures", body = ConstitutionView)), security(("token" = [])))]
pub(in crate::edge) async fn propose(
    State(server): State<Server>,
    principal: Principal,
    request: Request,
) -> Result<Response, Problem> {
    let checked = brought(&server, &principal, request).await?;
    let (mut unit, actor) = begin(&server, &principal).await?;
    let standing = server.propose_constitution(&mut unit, &checked, None, &actor).await?;
    unit.commit().await?;
    server.bell.notify_one();
    let location = format!("/v1/constitution/proposals/{}", standing.row.digest);
    Ok(Reply::created(location, &ConstitutionView::from(standing)).into_response())
}

/// One proposal, or what became of it. For operators.
#[utoipa::path(get, path = "/v1/constitution/proposals/{digest}", tag = "constitution", params(("digest" = String, Path)),
    responses((status = 200, description = "the constitution", body = ConstitutionView)), security(("token" = [])))]
pub(in crate::edge) async fn show(
    State(server): State<Server>,
    principal: Principal,
    At(digest): At<Digest>,
) -> Result<Response, Problem> {
    principal.operating()?;
    let mut unit = server.store.survey(SCOPE).await?;
    let standing = server.constitution_named(&mut unit, Name::Digest(digest)).await?;
    Ok(Reply::ok(&ConstitutionView::from(standing)).into_response())
}

/// Takes a further signature: the same document, signed by another operator. For operators with two fresh factors.
#[utoipa::path(post, path = "/v1/constitution/proposals/{digest}/sign", tag = "constitution", params(("digest" = String, Path)), request_body = Object,
    responses((status = 200, description = "how it stands", body = ConstitutionView)), security(("token" = [])))]
pub(in crate::edge) async fn sign(
    State(server): State<Server>,
    principal: Principal,
    At(digest): At<Digest>,
    request: Request,
) -> Result<Response, Problem> {
    let checked = brought(&server, &principal, request).await?;
    let (mut unit, actor) = begin(&server, &principal).await?;
    let standing = server.propose_constitution(&mut unit, &checked, Some(digest), &actor).await?;
    end(&server, unit, standing).await
}

/// Makes a proposal hold that enough operators signed. Every host is told. For operators with two fresh factors.
#[utoipa::path(post, path = "/v1/constitution/proposals/{digest}/activate", tag = "constitution", params(("digest" = String, Path)),
    responses((status = 200, description = "it holds", body = ConstitutionView)), security(("token" = [])))]
pub(in crate::edge) async fn activate(
    State(server): State<Server>,
    principal: Principal,
    At(digest): At<Digest>,
) -> Result<Response, Problem> {
    let (mut unit, actor) = begin(&server, &principal).await?;
    let standing = server.activate_constitution(&mut unit, digest, &actor).await?;
    end(&server, unit, standing).await
}
