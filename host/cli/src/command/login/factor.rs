//! The second factor of a person: added with its first code, removed with a fresh one.

use serde_json::{Value, json};
use soma_policy::OrgId;

use super::{PASSWORD, TOTP};
use crate::asking::{can_ask, given, secret};
use crate::client::Ask;
use crate::context::Context;
use crate::failure::Failure;
use crate::output::Report;
use crate::run::block_on;
use crate::session::Door;

/// Shows the password again, and asks for the first code where somebody can be asked; else the URI is the result, and the code comes later.
pub(super) fn begin(context: &Context, org: &OrgId) -> Result<(), Failure> {
    let own = match given(PASSWORD) {
        None => Door::new(context, &context.base()?)?.own_password(org)?,
        asked => asked,
    };
    let password = own.map_or_else(|| secret(PASSWORD, "password, once more"), Ok)?;
    let ask = Ask::put("/v1/auth/totp", &json!({ "password": password })).posted();
    let begun = block_on(context.server(org)?.send(ask))?.value;
    let uri = begun.get("uri").and_then(Value::as_str).unwrap_or_default().to_owned();
    if can_ask() {
        context.out.note(format!("give this to your authenticator:\n  {uri}"));
        return confirm(context, org);
    }
    context.out.note("next: SOMA_TOTP=… soma login --confirm-factor");
    Ok(context.out.report(&Report::new("soma.login.factor-begun.v1", begun, uri))?)
}

pub(super) fn confirm(context: &Context, org: &OrgId) -> Result<(), Failure> {
    let code = secret(TOTP, "the code that it shows")?;
    let confirm = Ask::put("/v1/auth/totp", &json!({ "totp": code }));
    let codes = block_on(context.server(org)?.send(confirm))?.value;
    let list = codes.get("recovery_codes").and_then(Value::as_array).cloned().unwrap_or_default();
    let lines: Vec<&str> = list.iter().filter_map(Value::as_str).collect();
    let text =
        format!("added · keep these recovery codes, each is good once:\n{}", lines.join("\n"));
    Ok(context.out.report(&Report::new("soma.login.factor.v1", codes, text))?)
}

pub(super) fn remove(context: &Context, org: &OrgId) -> Result<(), Failure> {
    block_on(context.server(org)?.send(Ask::delete("/v1/auth/totp")))?;
    let value = json!({ "removed": true });
    Ok(context.out.report(&Report::new("soma.login.factor.v1", value, "removed"))?)
}
