//! The same three commands at a server: values go up and never come back.

use serde_json::{Value, json};
use soma_policy::{Code, SecretName};
use zeroize::Zeroizing;

use crate::client::{Ask, ServerClient};
use crate::context::{Context, Place};
use crate::failure::Failure;
use crate::output::{Column, Report, listed};
use crate::run::block_on;
use crate::session::Door;

const COLUMNS: &[Column] = &[
    ("name", "/name"),
    ("version", "/version"),
    ("used by", "/used_by"),
    ("hosts", "/hosts_current"),
    ("behind", "/hosts_behind"),
];

/// Whether secrets of this place are a server's: somebody is logged in there, or no home is here to keep them.
pub(super) fn is_asked(context: &Context, place: &Place) -> Result<bool, Failure> {
    if context.home().is_err() && context.token().is_some() {
        return Ok(true);
    }
    Door::new(context, &context.base()?)?.is_open_for(&place.tenant)
}

/// Gives a secret its first or next value. Of two that do so at once one is told.
pub(super) fn set(
    context: &Context,
    place: &Place,
    name: &SecretName,
    value: &[u8],
) -> Result<Report, Failure> {
    let stored = block_on(async {
        let server = at(context, place).await?;
        let path = format!("/v1/secrets/{name}");
        let ask = Ask::put(&path, &body(value));
        let ask = match server.find(&path).await? {
            Some(before) => ask.if_match(&before),
            None => ask,
        };
        server.send(ask).await
    })?;
    let users = words(&stored.value);
    let used =
        if users.is_empty() { "used by none yet".to_owned() } else { format!("used by {users}") };
    let version = stored.value.get("version").and_then(Value::as_u64).unwrap_or_default();
    let text = format!("stored {name} · version {version} · {used}");
    Ok(Report::new("soma.secret.v1", stored.value, text))
}

pub(super) fn list(context: &Context, place: &Place) -> Result<Report, Failure> {
    let items = block_on(async { at(context, place).await?.list("/v1/secrets").await })?;
    let none = "no secrets · soma secret set NAME stores one";
    Ok(listed("soma.secrets.v1", items, COLUMNS, none))
}

/// Who uses a secret, as the question before its removal names them.
pub(super) fn users(
    context: &Context,
    place: &Place,
    name: &SecretName,
) -> Result<String, Failure> {
    let path = format!("/v1/secrets/{name}");
    let found = block_on(async { at(context, place).await?.find(&path).await })?;
    let missing = || Failure::new(Code::NotFound, format!("there is no secret `{name}`"));
    Ok(words(&found.ok_or_else(missing)?.value))
}

pub(super) fn remove(
    context: &Context,
    place: &Place,
    name: &SecretName,
) -> Result<Report, Failure> {
    let path = format!("/v1/secrets/{name}");
    block_on(async { at(context, place).await?.send(Ask::delete(path)).await })?;
    let value = json!({ "name": name.to_string(), "removed": true });
    Ok(Report::new("soma.secret.v1", value, format!("removed {name}")))
}

/// The server, with a token of the place's own environment.
async fn at<'a>(context: &'a Context, place: &Place) -> Result<ServerClient<'a>, Failure> {
    let server = context.server(&place.tenant)?;
    let caps = if context.token().is_some() { None } else { Some(["install", "org:read"]) };
    match caps {
        Some(caps) => server.within(&place.environment, &caps).await,
        None => Ok(server),
    }
}

/// Text as it is; what is none goes as base64.
pub(crate) fn body(value: &[u8]) -> Value {
    match std::str::from_utf8(value) {
        Ok(text) => json!({ "value": text }),
        Err(_) => {
            use base64::Engine as _;
            let text = Zeroizing::new(base64::engine::general_purpose::STANDARD.encode(value));
            json!({ "base64": text.as_str() })
        }
    }
}

fn words(secret: &Value) -> String {
    let users = secret.get("used_by").and_then(Value::as_array);
    let users = users.into_iter().flatten().filter_map(Value::as_str);
    users.collect::<Vec<_>>().join(", ")
}
