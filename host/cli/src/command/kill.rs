//! `soma kill SCOPE`: stop what runs and what would start. Orders are signed by operator keys; a token only
//! opens the door.

mod apply;
mod order;
mod sign;
mod wanted;

pub(crate) use order::{count, post};
pub(crate) use sign::find as find_order;

use serde_json::{Value, json};
use soma_capsule::dsse::{self, Envelope};
use soma_host::home::OPERATOR_KEY;
use soma_host::token::Scope;
use soma_policy::{KillOrder, KillScope, OrderId, Reason, Severity};

use super::key::open_private;
use crate::client::Access;
use crate::confirm::Consent;
use crate::context::{Context, Place, random_id};
use crate::failure::Failure;
use crate::output::Report;
use crate::run::block_on;

/// What DSSE calls an order.
pub(crate) const ORDER_KIND: &str = "kill-order";
/// What DSSE calls a lift.
pub(crate) const LIFT_KIND: &str = "kill-lift";

/// Stop what runs and what would start
#[derive(Debug, clap::Args)]
#[command(
    args_conflicts_with_subcommands = true,
    subcommand_negates_reqs = true,
    after_help = "Example:\n  soma kill capsule:acme/csv --reason vulnerability --dry-run\n  soma kill capsule:acme/csv@\"<1.2.4\" --reason vulnerability --yes\n  soma kill everything --reason malware --offline stop.json --yes\n\nSCOPE: digest:sha256:… capsule:NAME[@RANGE] publisher:NAME signer:SHA256:… capability:KIND tool:NAME\n       tenant:ORG installation:ORG/ENV/ID region:NAME everything"
)]
pub(crate) struct Kill {
    #[command(subcommand)]
    action: Option<Action>,
    /// What must stop
    #[arg(required = true)]
    scope: Option<KillScope>,
    /// malware, vulnerability, key-compromise, exfiltration, abuse, legal, malfunction or drill
    #[arg(long, value_name = "CODE", required_unless_present = "dry_run")]
    reason: Option<Reason>,
    /// Where the evidence lies
    #[arg(long, value_name = "URL")]
    evidence: Option<String>,
    /// low, medium, high or critical
    #[arg(long, default_value = "high", value_parser = severity)]
    severity: Severity,
    /// Only show what it would stop
    #[arg(long)]
    dry_run: bool,
    /// Write the signed order into a file instead of sending it
    #[arg(long, value_name = "FILE")]
    offline: Option<std::path::PathBuf>,
    /// The operator's key
    #[arg(long, value_name = "NAME", default_value = OPERATOR_KEY)]
    key: String,
    #[command(flatten)]
    place: Place,
    #[command(flatten)]
    consent: Consent,
}

/// What else can be done with orders.
#[derive(Debug, clap::Subcommand)]
enum Action {
    Sign(sign::Sign),
    Apply(apply::Apply),
    Wanted(wanted::Wanted),
}

fn severity(text: &str) -> Result<Severity, String> {
    let value = serde_json::from_value(Value::String(text.to_owned()));
    value.map_err(|_| "write low, medium, high or critical".to_owned())
}

impl Kill {
    pub(crate) fn run(self, context: &Context) -> Result<(), Failure> {
        match (&self.action, &self.scope) {
            (Some(Action::Sign(sign)), _) => sign.run(context),
            (Some(Action::Apply(apply)), _) => apply.run(context),
            (Some(Action::Wanted(_)), _) => wanted::Wanted::run(context),
            (None, Some(scope)) if self.dry_run => self.show_radius(context, scope),
            (None, Some(scope)) => self.give(context, scope),
            (None, None) => Err(Failure::new(soma_policy::Code::Usage, "what must stop?")),
        }
    }

    fn order(&self, context: &Context, scope: &KillScope) -> KillOrder {
        KillOrder {
            evidence: self.evidence.clone(),
            id: OrderId::from_u128(random_id()),
            issued_at: context.now(),
            reason: self.reason.unwrap_or(Reason::Drill),
            scope: scope.clone(),
            severity: self.severity,
            version: 1,
        }
    }

    fn show_radius(&self, context: &Context, scope: &KillScope) -> Result<(), Failure> {
        let client = context.client()?;
        let access = Access::new(&self.place, &[Scope::Operate]);
        let body = json!({ "scope": scope });
        let radius = block_on(client.put(
            reqwest::Method::POST,
            "/v1/kill-orders?dry_run=true",
            &access,
            &body,
        ))?;
        let text = order::radius(&radius);
        Ok(context.out.report(&Report::new("soma.kill.dry-run.v1", radius, text))?)
    }

    fn give(&self, context: &Context, scope: &KillScope) -> Result<(), Failure> {
        if self.offline.is_none() {
            self.consent.require(&format!("Stop {scope}?"))?;
        }
        let order = self.order(context, scope);
        let key = open_private(context, &self.key)?;
        let envelope = dsse::sign_document(ORDER_KIND, &order, &[&key])?;
        match &self.offline {
            Some(file) => self.write(context, &order, &envelope, file),
            None => {
                let access = Access::new(&self.place, &[Scope::Operate]);
                order::post(context, &access, &envelope)
            }
        }
    }

    fn write(
        &self,
        context: &Context,
        order: &KillOrder,
        envelope: &Envelope,
        file: &std::path::Path,
    ) -> Result<(), Failure> {
        crate::files::write_whole(file, &envelope.to_json())?;
        let text = format!(
            "wrote {} · order {} · next: soma kill apply {}",
            file.display(),
            order.id,
            file.display()
        );
        let value = json!({ "order": order.id.to_string(), "file": file });
        Ok(context.out.report(&Report::new("soma.kill.file.v1", value, text))?)
    }
}
