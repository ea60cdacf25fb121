//! `soma unkill ORDER`: a signed lift. It names the hash of the order that it lifts.

use reqwest::Method;
use serde_json::{Value, json};
use soma_capsule::dsse;
use soma_host::home::OPERATOR_KEY;
use soma_host::token::Scope;
use soma_policy::{Code, Lift, LiftReason, OrderId};

use super::key::open_private;
use super::kill::{LIFT_KIND, count, find_order};
use crate::client::Access;
use crate::confirm::Consent;
use crate::context::{Context, Place};
use crate::failure::Failure;
use crate::output::Report;
use crate::run::block_on;

/// Lift a kill order
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  soma unkill 01JD7Q2M3N4P5R6S7T8V9W0XYZ --reason \"fixed in 1.2.4\" --yes"
)]
pub(crate) struct Unkill {
    /// The order
    order: OrderId,
    /// Why it is right to lift it
    #[arg(long, value_name = "TEXT")]
    reason: String,
    /// The operator's key
    #[arg(long, value_name = "NAME", default_value = OPERATOR_KEY)]
    key: String,
    #[command(flatten)]
    place: Place,
    #[command(flatten)]
    consent: Consent,
}

impl Unkill {
    pub(crate) fn run(self, context: &Context) -> Result<(), Failure> {
        let reason =
            LiftReason::try_from(self.reason.clone()).map_err(|e| Failure::new(Code::Usage, e))?;
        let client = context.client()?;
        let access = Access::new(&self.place, &[Scope::Operate]);
        let order = find_order(&block_on(client.get("/v1/kill-orders", &access))?, self.order)?;
        let asked = json!({ "scope": order.scope });
        let radius = "/v1/kill-orders?dry_run=true";
        let stopped = block_on(client.put(Method::POST, radius, &access, &asked))?;
        self.consent.require(&format!("Lift order {} over {}?", order.id, order.scope))?;
        let lift = Lift::of(&order, reason, context.now());
        let key = open_private(context, &self.key)?;
        let envelope = dsse::sign_document(LIFT_KIND, &lift, &[&key])?;
        let body: Value = serde_json::from_slice(&envelope.to_json())
            .map_err(|e| Failure::new(Code::EnvelopeMalformed, e.to_string()))?;
        let path = format!("/v1/kill-orders/{}", self.order);
        let answer = block_on(client.put(Method::DELETE, &path, &access, &body))?;
        let again = count(stopped.get("installations"));
        let again = format!(" · {again} installations may start again");
        let state = answer.get("state").and_then(Value::as_str).unwrap_or("lifted");
        let again = if state == "lifted" { again } else { String::new() };
        let text = format!("order {} {state}{again}", self.order);
        let value = json!({ "order": self.order.to_string(), "answer": answer });
        Ok(context.out.report(&Report::new("soma.unkill.v1", value, text))?)
    }
}
