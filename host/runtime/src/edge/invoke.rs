//! `POST /v1/installations/{id}/calls/{function}`: JSON in; JSON or a stream of events out.

use std::sync::Arc;

use axum::extract::rejection::BytesRejection;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use axum::{Json, body::Bytes};
use http::{HeaderMap, HeaderValue, StatusCode, header};
use serde_json::Value;
use soma_policy::{CallId, Code, FunctionName, InstallationId, Millis};

use super::auth::Bearer;
use super::problem::Problem;
use super::{refusal, stream};
use crate::host::Host;
use crate::invoke::{CallReply, CallRequest};

/// Calls a function of an installation.
///
/// The body is an object with the arguments by name (docs/reference/values.md). `Accept:
/// text/event-stream` streams `started`, `emit`*, `log`*, and `finished` or `failed`. `Idempotency-Key`
/// is a call id: it runs at most once. `Soma-Timeout` (`5s`, `250ms`) shortens the installation's limit.
#[utoipa::path(
    post, path = "/v1/installations/{id}/calls/{function}", tag = "calls",
    params(("id" = String, Path), ("function" = String, Path),
        ("Idempotency-Key" = Option<String>, Header), ("Soma-Timeout" = Option<String>, Header)),
    request_body(content = Object, content_type = "application/json"),
    responses((status = 200, description = "what the function returned", content((Value = "application/json"), (String = "text/event-stream"))),
        refusal::Token, refusal::Call), security(("token" = [])))]
pub(super) async fn call(
    State(host): State<Arc<Host>>,
    bearer: Bearer,
    Path((id, function)): Path<(String, String)>,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Result<Response, Problem> {
    let stream = wants_stream(&headers)?;
    let request = CallRequest {
        caller: bearer.caller(),
        installation: bearer.installation(installation(&id)?),
        function: parse::<FunctionName>(&function, Code::FunctionUnknown)?,
        arguments: arguments(&headers, body)?,
        id: header(&headers, "idempotency-key")?
            .map(|key| parse::<CallId>(key, Code::InputType))
            .transpose()?,
        timeout: header(&headers, "soma-timeout")?
            .map(|text| parse::<Millis>(&spaced(text), Code::InputType))
            .transpose()?,
        stream,
    };
    let pending = host.call(request).await;
    if stream {
        return Ok(stream::events(pending));
    }
    Ok(answer(&pending.reply().await))
}

/// A whole answer: the result, or a problem.
pub(super) fn answer(reply: &CallReply) -> Response {
    let mut response = match Problem::of_call(reply) {
        Some(problem) => problem.into_response(),
        None => (StatusCode::OK, Json(reply.result.clone().unwrap_or_default())).into_response(),
    };
    let fields = response.headers_mut();
    let mut put = |name: &'static str, text: String| {
        if let Ok(value) = HeaderValue::from_str(&text) {
            fields.insert(name, value);
        }
    };
    put("soma-call-id", reply.call.to_string());
    put("soma-outcome", reply.outcome.as_str().to_owned());
    if let Some(charge) = reply.charge {
        put("soma-cost", charge.to_string());
    }
    if reply.outcome == soma_policy::Outcome::InDoubt {
        put("location", format!("/v1/calls/{}", reply.call));
    }
    response
}

pub(super) fn installation(id: &str) -> Result<InstallationId, Problem> {
    parse(id, Code::InstallationUnknown)
}

fn parse<T: std::str::FromStr<Err: std::fmt::Display>>(
    text: &str,
    code: Code,
) -> Result<T, Problem> {
    text.parse().map_err(|error: T::Err| Problem::new(code, error.to_string()))
}

/// `250ms` as `250 ms`.
fn spaced(text: &str) -> String {
    let unit = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(unit);
    format!("{number} {}", unit.trim())
}

fn header<'h>(headers: &'h HeaderMap, name: &str) -> Result<Option<&'h str>, Problem> {
    let value = headers.get(name).map(HeaderValue::to_str).transpose();
    value.map_err(|_| Problem::new(Code::InputType, format!("the field `{name}` is not text")))
}

fn arguments(headers: &HeaderMap, body: Result<Bytes, BytesRejection>) -> Result<Value, Problem> {
    let body = body.map_err(|error| match error.status() {
        StatusCode::PAYLOAD_TOO_LARGE => Problem::new(Code::BodyTooLarge, "the body is too large"),
        _ => Problem::new(Code::InputSyntax, "the body could not be read"),
    })?;
    if body.is_empty() {
        return Ok(Value::Object(serde_json::Map::new()));
    }
    let kind = header(headers, header::CONTENT_TYPE.as_str())?.unwrap_or("application/json");
    let kind = kind.split(';').next().unwrap_or_default().trim();
    if !kind.eq_ignore_ascii_case("application/json") {
        return Err(Problem::new(Code::MediaType, format!("`{kind}`: send application/json")));
    }
    let value: Value = serde_json::from_slice(&body)
        .map_err(|error| Problem::new(Code::InputSyntax, error.to_string()))?;
    match value {
        Value::Object(_) => Ok(value),
        _ => Err(Problem::new(Code::InputType, "the body is an object with the arguments by name")),
    }
}

fn wants_stream(headers: &HeaderMap) -> Result<bool, Problem> {
    let accept = header(headers, header::ACCEPT.as_str())?.unwrap_or("*/*");
    let mut kinds = accept.split(',').map(|kind| kind.split(';').next().unwrap_or_default().trim());
    let is =
        |kind: &str, known: &[&str]| known.iter().any(|known| kind.eq_ignore_ascii_case(known));
    if kinds.clone().any(|kind| is(kind, &["text/event-stream"])) {
        return Ok(true);
    }
    let json = ["*/*", "application/*", "application/json", "application/problem+json", ""];
    match kinds.any(|kind| is(kind, &json)) {
        true => Ok(false),
        false => Err(Problem::new(Code::NotAcceptable, "answers are JSON or text/event-stream")),
    }
}
