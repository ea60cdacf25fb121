//! People who cannot log in any more: an operator lets them in again, and they set a new password.

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use soma_policy::{Timestamp, UserId};
use utoipa::ToSchema;

use super::body::{At, Body};
use super::problem::Problem;
use super::reply::Reply;
use crate::identity::{GivenPassword, Principal};
use crate::server::Server;

/// What is taken away besides the blocks.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub(super) struct NewReset {
    /// The second factor with its recovery codes, because it is lost. Every session of the person ends.
    factors: bool,
}

/// The way back in.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Reset {
    /// Whose.
    #[schema(value_type = String)]
    user: UserId,
    /// For the person alone: sets a new password, once. Shown once.
    code: String,
    /// Until when (milliseconds).
    #[schema(value_type = String)]
    expires: Timestamp,
}

/// A code and what is set with it.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ResetPassword {
    /// The code that the operator handed over.
    code: String,
    /// The password from now on: at least 12 characters.
    #[schema(value_type = String)]
    password: GivenPassword,
}

/// Lets a person in again: every block ends, and a code is made for a new password. For operators with two fresh factors.
#[utoipa::path(post, path = "/v1/users/{user}/resets", tag = "users", request_body = NewReset, params(("user" = String, Path)),
    responses((status = 200, description = "the code, shown once", body = Reset)), security(("token" = [])))]
pub(super) async fn create(
    State(server): State<Server>,
    principal: Principal,
    At(user): At<UserId>,
    Body { value, .. }: Body<NewReset>,
) -> Result<Response, Problem> {
    principal.operating()?;
    principal.must_be_whole()?;
    principal.must_be_fresh(&server)?;
    if principal.user() == Some(user) {
        return Err(Problem::field("user", "it is another operator's to reset, not one's own"));
    }
    let made = server.reset_person(&principal, user, value.factors).await?;
    let (code, expires) = made.ok_or_else(|| Problem::not_found("person"))?;
    let code = code.expose().to_owned();
    Ok(Reply::ok(&Reset { user, code, expires }).into_response())
}

/// Sets a new password with the code that an operator handed over; every session and token of the person ends.
#[utoipa::path(post, path = "/v1/auth/reset", tag = "identity", request_body = ResetPassword,
    responses((status = 204, description = "done")))]
pub(super) async fn take(
    State(server): State<Server>,
    Body { value, .. }: Body<ResetPassword>,
) -> Result<Response, Problem> {
    if !server.reset_password(&value.code, value.password.take()).await? {
        return Err(Problem::not_found("open reset"));
    }
    Ok(Reply::nothing().into_response())
}
