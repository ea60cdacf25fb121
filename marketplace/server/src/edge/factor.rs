//! The second factor of a person: add, confirm, remove.

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::body::Body;
use super::problem::Problem;
use super::reply::Reply;
use crate::identity::{GivenPassword, Principal};
use crate::login::Enrolment;
use crate::server::Server;

/// Who begins to add an authenticator.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Begin {
    /// The password, once more: a token alone does not add a factor.
    #[schema(value_type = String)]
    password: GivenPassword,
}

/// The first code of a new authenticator.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Confirm {
    /// The code that it shows.
    totp: String,
}

/// What replaces a lost authenticator, once each.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct RecoveryCodes {
    /// Shown once.
    recovery_codes: Vec<String>,
}

/// Begins to add an authenticator. Takes the token that the login returned, and the password again.
#[utoipa::path(post, path = "/v1/auth/totp", tag = "identity", request_body = Begin,
    responses((status = 200, description = "what the authenticator reads, shown once", body = Enrolment)), security(("token" = [])))]
pub(super) async fn begin(
    State(server): State<Server>,
    principal: Principal,
    Body { value, .. }: Body<Begin>,
) -> Result<Response, Problem> {
    principal.must_be_whole()?;
    let begun = server.begin_factor(&principal, value.password.take()).await?;
    Ok(Reply::ok(&begun).into_response())
}

/// Confirms it with its first code.
#[utoipa::path(put, path = "/v1/auth/totp", tag = "identity", request_body = Confirm,
    responses((status = 200, description = "recovery codes, shown once", body = RecoveryCodes)), security(("token" = [])))]
pub(super) async fn confirm(
    State(server): State<Server>,
    principal: Principal,
    Body { value, .. }: Body<Confirm>,
) -> Result<Response, Problem> {
    principal.must_be_whole()?;
    let recovery_codes = server.confirm_factor(&principal, &value.totp).await?;
    Ok(Reply::ok(&RecoveryCodes { recovery_codes }).into_response())
}

/// Removes it, with its recovery codes. Needs both factors, fresh.
#[utoipa::path(delete, path = "/v1/auth/totp", tag = "identity",
    responses((status = 204, description = "done")), security(("token" = [])))]
pub(super) async fn remove(
    State(server): State<Server>,
    principal: Principal,
) -> Result<Response, Problem> {
    principal.must_be_whole()?;
    principal.must_be_fresh(&server)?;
    if !server.remove_factor(&principal).await? {
        return Err(Problem::not_found("second factor"));
    }
    Ok(Reply::nothing().into_response())
}
