//! Behaviour review over HTTP: for hosts of the role `review` alone, and the passport for those who may see it.

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use http::header::CONTENT_TYPE;
use serde::Deserialize;
use soma_policy::SubmissionId;
use soma_policy::feed::HostRole;

use super::body::At;
use super::problem::Problem;
use super::proven::{Proven, ProvenBytes};
use crate::server::Server;

/// An empty object: there is nothing to choose.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Anything {}

/// A submission to be watched.
#[utoipa::path(post, path = "/v1/feed/reviews/next", tag = "feed", request_body = Object,
    responses((status = 200, description = "the submission", body = Object),
        (status = 204, description = "nothing waits")), security(("host" = [])))]
pub(super) async fn next(
    State(server): State<Server>,
    Proven { host, value: Anything {} }: Proven<Anything>,
) -> Result<Response, Problem> {
    host.must_be(&[HostRole::Review])?;
    Ok(match server.next_review(&host).await? {
        Some(job) => axum::Json(job).into_response(),
        None => StatusCode::NO_CONTENT.into_response(),
    })
}

/// Takes the passport of a submission (a DSSE envelope of kind `conformance-passport`).
#[utoipa::path(post, path = "/v1/feed/reviews/{submission}", tag = "feed", params(("submission" = String, Path)),
    request_body = Object,
    responses((status = 204, description = "taken")), security(("host" = [])))]
pub(super) async fn hand_in(
    State(server): State<Server>,
    At(submission): At<SubmissionId>,
    ProvenBytes { host, body }: ProvenBytes,
) -> Result<StatusCode, Problem> {
    host.must_be(&[HostRole::Review])?;
    server.take_passport(&host, submission, &body).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// The signed passport of a release: what was run, and what it did.
#[utoipa::path(get, path = "/v1/passports/{submission}", tag = "catalogue", params(("submission" = String, Path)),
    responses((status = 200, description = "a DSSE envelope of kind `conformance-passport`", body = Object)), security(("token" = [])))]
pub(super) async fn passport(
    State(server): State<Server>,
    principal: crate::identity::Principal,
    At(submission): At<SubmissionId>,
) -> Result<Response, Problem> {
    let found = server.passport(&principal, submission).await?;
    let found = found.ok_or_else(|| Problem::not_found("passport"))?;
    Ok(([(CONTENT_TYPE, "application/json")], found).into_response())
}
