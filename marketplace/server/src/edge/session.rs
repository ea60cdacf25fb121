//! Logging in and out, fresh and narrower tokens, the password, and who a token is.

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use soma_policy::{EnvironmentId, OrgId, TokenId};
use utoipa::ToSchema;

use super::body::Body;
use super::problem::Problem;
use super::reply::Reply;
use super::sender::Sender;
use crate::identity::{Assurance, CapSet, GivenPassword, Principal};
use crate::login::{Entered, LoginAsk, TokenAsk};
use crate::server::Server;

/// A refresh code.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Refresh {
    /// The code that the login, or the refresh before, returned.
    refresh_token: String,
}

/// A second factor.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct StepUp {
    /// The code that the authenticator shows.
    totp: Option<String>,
    /// One of the recovery codes, in its place.
    recovery_code: Option<String>,
}

/// An API key, and how narrow its token should be.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Exchange {
    /// The key: `soma_…`.
    api_key: String,
    /// How narrow; everything that the key allows, if left out.
    #[serde(default)]
    token: TokenAsk,
}

/// Two passwords.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewPassword {
    /// The one until now.
    #[schema(value_type = String)]
    old: GivenPassword,
    /// The one from now on: at least 12 characters.
    #[schema(value_type = String)]
    new: GivenPassword,
}

/// Who a token is.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct WhoAmI {
    /// `user:ID` or `account:NAME`.
    subject: String,
    /// The org that it names.
    #[schema(value_type = String)]
    org: OrgId,
    /// The environment that it names.
    #[schema(value_type = String)]
    environment: EnvironmentId,
    /// What it may do.
    #[schema(value_type = Vec<String>)]
    caps: CapSet,
    /// How sure we are of who it is.
    acr: Assurance,
    /// Whether it was narrowed: it then never touches what proves its person.
    narrowed: bool,
    /// The token's id.
    #[schema(value_type = String)]
    jti: TokenId,
    /// When it ends (milliseconds).
    expires: String,
}

/// Logs a person in.
#[utoipa::path(post, path = "/v1/auth/login", tag = "identity", request_body = LoginAsk,
    responses((status = 200, description = "a token", body = Entered)))]
pub(super) async fn log_in(
    State(server): State<Server>,
    Sender(sender): Sender,
    Body { value, .. }: Body<LoginAsk>,
) -> Result<Response, Problem> {
    Ok(Reply::ok(&server.log_in(value, &sender).await?).into_response())
}

/// The next token of a session. The code is good once.
#[utoipa::path(post, path = "/v1/auth/refresh", tag = "identity", request_body = Refresh,
    responses((status = 200, description = "a token", body = Entered)))]
pub(super) async fn refresh(
    State(server): State<Server>,
    Body { value, .. }: Body<Refresh>,
) -> Result<Response, Problem> {
    Ok(Reply::ok(&server.refresh(&value.refresh_token).await?).into_response())
}

/// Ends the session, and every token that it made. Takes the token that the login returned.
#[utoipa::path(post, path = "/v1/auth/logout", tag = "identity",
    responses((status = 204, description = "done")), security(("token" = [])))]
pub(super) async fn log_out(
    State(server): State<Server>,
    principal: Principal,
) -> Result<Response, Problem> {
    principal.must_be_whole()?;
    server.log_out(&principal).await?;
    Ok(Reply::nothing().into_response())
}

/// Proves the second factor again, for what asks for a fresh one.
#[utoipa::path(post, path = "/v1/auth/step-up", tag = "identity", request_body = StepUp,
    responses((status = 200, description = "a token of two fresh factors", body = Entered)), security(("token" = [])))]
pub(super) async fn step_up(
    State(server): State<Server>,
    principal: Principal,
    Body { value, .. }: Body<StepUp>,
) -> Result<Response, Problem> {
    principal.must_be_whole()?;
    let (totp, code) = (value.totp.as_deref(), value.recovery_code.as_deref());
    Ok(Reply::ok(&server.step_up(&principal, totp, code).await?).into_response())
}

/// A token for an API key.
#[utoipa::path(post, path = "/v1/auth/exchange", tag = "identity", request_body = Exchange,
    responses((status = 200, description = "a token", body = Entered)))]
pub(super) async fn exchange(
    State(server): State<Server>,
    Body { value, .. }: Body<Exchange>,
) -> Result<Response, Problem> {
    Ok(Reply::ok(&server.exchange(&value.api_key, &value.token).await?).into_response())
}

/// Changes the password; every session and token of the person ends.
#[utoipa::path(put, path = "/v1/auth/password", tag = "identity", request_body = NewPassword,
    responses((status = 204, description = "done")), security(("token" = [])))]
pub(super) async fn change_password(
    State(server): State<Server>,
    principal: Principal,
    Body { value, .. }: Body<NewPassword>,
) -> Result<Response, Problem> {
    principal.must_be_whole()?;
    server.change_password(&principal, value.old.take(), value.new.take()).await?;
    Ok(Reply::nothing().into_response())
}

/// Who the token is.
#[utoipa::path(get, path = "/v1/auth/whoami", tag = "identity",
    responses((status = 200, description = "the token's holder", body = WhoAmI)), security(("token" = [])))]
pub(super) async fn whoami(principal: Principal) -> Response {
    let Principal { subject, org, environment, caps, acr, whole, token, expires, .. } = principal;
    let (subject, expires) = (subject.to_string(), expires.0.to_string());
    let narrowed = !whole;
    let me = WhoAmI { subject, org, environment, caps, acr, narrowed, jti: token, expires };
    Reply::ok(&me).into_response()
}

/// A narrower token for this one. It never outlives it, is no proof of two factors, and never becomes more again.
#[utoipa::path(post, path = "/v1/tokens", tag = "identity", request_body = TokenAsk,
    responses((status = 200, description = "a token", body = Entered)), security(("token" = [])))]
pub(super) async fn mint(
    State(server): State<Server>,
    principal: Principal,
    Body { value, .. }: Body<TokenAsk>,
) -> Result<Response, Problem> {
    Ok(Reply::ok(&server.narrow(&principal, &value).await?).into_response())
}
