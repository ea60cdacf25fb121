//! The second factor of a person: added with its first code, removed with a fresh one.

use serde_json::{Value, json};
use soma_policy::OrgId;

use super::TOTP;
use crate::asking::secret;
use crate::client::Ask;
use crate::context::Context;
use crate::failure::Failure;
use crate::output::Report;
use crate::run::block_on;

pub(super) fn change(context: &Context, org: &OrgId, add: bool) -> Result<(), Failure> {
    if add { begin(context, org) } else { remove(context, org) }
}

fn begin(context: &Context, org: &OrgId) -> Result<(), Failure> {
    let server = context.server(org)?;
    let begun = block_on(server.send(Ask::bare("/v1/auth/totp")))?.value;
    let uri = begun.get("uri").and_then(Value::as_str).unwrap_or_default();
    context.out.note(format!("give this to your authenticator:\n  {uri}"));
    let code = secret(TOTP, "the code that it shows")?;
    let confirm = Ask::put("/v1/auth/totp", &json!({ "totp": code }));
    let codes = block_on(server.send(confirm))?.value;
    let list = codes.get("recovery_codes").and_then(Value::as_array).cloned().unwrap_or_default();
    let lines: Vec<&str> = list.iter().filter_map(Value::as_str).collect();
    let text =
        format!("added · keep these recovery codes, each is good once:\n{}", lines.join("\n"));
    Ok(context.out.report(&Report::new("soma.login.factor.v1", codes, text))?)
}

fn remove(context: &Context, org: &OrgId) -> Result<(), Failure> {
    block_on(context.server(org)?.send(Ask::delete("/v1/auth/totp")))?;
    let value = json!({ "removed": true });
    Ok(context.out.report(&Report::new("soma.login.factor.v1", value, "removed"))?)
}
