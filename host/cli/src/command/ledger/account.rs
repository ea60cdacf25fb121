//! `soma account`: balances, what the platform enters, refunds, payouts. What moves money is sent under a key of its own.

use serde_json::{Value, json};
use soma_policy::{Money, OrgId};

use super::treasury;
use crate::client::Ask;
use crate::confirm::Consent;
use crate::context::{Context, Place};
use crate::failure::Failure;
use crate::output::{Column, listed, shown};
use crate::run::block_on;

pub(crate) const HELP: &str = "Example:\n  soma account list\n  soma account enter local top-up \"25.00 EUR\" --reason \"invoice 7\" --yes";

const ACCOUNTS: &[Column] = &[
    ("account", "/account"),
    ("org", "/org"),
    ("balance", "/balance"),
    ("least", "/least"),
    ("leased", "/leased"),
];
const EVENTS: &[Column] = &[
    ("id", "/id"),
    ("org", "/org"),
    ("kind", "/kind"),
    ("amount", "/amount"),
    ("reason", "/reason"),
    ("by", "/entered_by"),
    ("at", "/at"),
];
pub(super) const PAYOUTS: &[Column] = &[
    ("id", "/id"),
    ("org", "/org"),
    ("amount", "/amount"),
    ("state", "/state"),
    ("note", "/note"),
    ("created", "/created"),
];

const EARNINGS: &[Column] = &[
    ("day", "/day"),
    ("earned", "/earned"),
    ("left", "/left"),
    ("state", "/state"),
    ("due", "/due"),
];

/// Accounts and what moves them
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Account {
    List(List),
    Events(Events),
    Enter(Enter),
    Refund(Refund),
    Credit(Credit),
    Earnings(Earnings),
    Payouts(Payouts),
    Payout(Payout),
    Step(treasury::Step),
    Export(treasury::Export),
    Terms(treasury::Terms),
    Journals(treasury::Journals),
    Lift(treasury::Lift),
    Check(treasury::Check),
}

/// List balances
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  soma account list --tenant acme")]
pub(crate) struct List {
    #[command(flatten)]
    place: Place,
}

/// List top-ups, credits, adjustments and refunds
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  soma account events")]
pub(crate) struct Events {
    #[command(flatten)]
    place: Place,
}

/// Enter money of an org; operators with two fresh factors may
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  soma account enter local top-up \"25.00 EUR\" --reason \"invoice 7\" --yes"
)]
pub(crate) struct Enter {
    /// Whose account
    org: OrgId,
    /// What it is
    #[arg(value_parser = ["top-up", "withdrawal", "credit", "adjust-up", "adjust-down"])]
    kind: String,
    /// How much
    amount: Money,
    #[command(flatten)]
    how: How,
}

/// Give a part of what was paid back
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  soma account refund receipt:01JD7Q2M3N4P5R6S7T8V9W0XYZ:42 \"0.0005 EUR\" --reason \"wrong answer\" --yes"
)]
pub(crate) struct Refund {
    /// The cause of what was posted
    original: String,
    /// How much of it
    amount: Money,
    /// The payer's bank took it back
    #[arg(long)]
    chargeback: bool,
    #[command(flatten)]
    how: How,
}

/// Let an org's account go below zero, to a limit
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  soma account credit acme \"100.00 EUR\" --yes")]
pub(crate) struct Credit {
    /// Whose account
    org: OrgId,
    /// How far
    limit: Money,
    #[command(flatten)]
    consent: Consent,
}

/// List what was earned by day, and when it can be paid out
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  soma account earnings --tenant acme")]
pub(crate) struct Earnings {
    #[command(flatten)]
    place: Place,
}

/// List payouts
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  soma account payouts --tenant acme")]
pub(crate) struct Payouts {
    #[command(flatten)]
    place: Place,
}

/// Ask for a payout of what was earned; needs two fresh factors
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  soma account payout \"25.00 EUR\" --tenant acme --yes")]
pub(crate) struct Payout {
    /// How much
    amount: Money,
    #[command(flatten)]
    place: Place,
    /// One effect, however often it is sent under this key
    #[arg(long, value_name = "KEY")]
    idempotency_key: Option<String>,
    #[command(flatten)]
    consent: Consent,
}

/// Why, and under which key.
#[derive(Debug, clap::Args)]
struct How {
    /// Why, or the provider's reference
    #[arg(long, value_name = "TEXT")]
    reason: String,
    /// One effect, however often it is sent under this key
    #[arg(long, value_name = "KEY")]
    idempotency_key: Option<String>,
    #[command(flatten)]
    consent: Consent,
}

impl Account {
    pub(crate) fn run(self, context: &Context) -> Result<(), Failure> {
        match self {
            Self::List(it) => {
                rows(context, &it.place, "/v1/accounts", ACCOUNTS, "soma.accounts.v1")
            }
            Self::Events(it) => {
                rows(context, &it.place, "/v1/billing/events", EVENTS, "soma.account.events.v1")
            }
            Self::Step(it) => it.run(context),
            Self::Export(it) => it.run(context),
            Self::Terms(it) => it.run(context),
            Self::Journals(_) => treasury::Journals::run(context),
            Self::Lift(it) => it.run(context),
            Self::Check(_) => treasury::Check::run(context),
            Self::Earnings(it) => {
                rows(context, &it.place, "/v1/billing/earnings", EARNINGS, "soma.earnings.v1")
            }
            Self::Payouts(it) => {
                rows(context, &it.place, "/v1/billing/payouts", PAYOUTS, "soma.payouts.v1")
            }
            Self::Enter(Enter { org, kind, amount, how }) => {
                let body =
                    json!({ "org": org, "kind": kind, "amount": amount, "reason": how.reason });
                entered(
                    context,
                    &format!("Enter {kind} of {amount} for {org}?"),
                    "/v1/billing/events",
                    &body,
                    &how,
                )
            }
            Self::Refund(Refund { original, amount, chargeback, how }) => {
                let kind = if chargeback { "chargeback" } else { "refund" };
                let body = json!({ "kind": kind, "original": original, "amount": amount, "reason": how.reason });
                entered(
                    context,
                    &format!("Give {amount} of {original} back?"),
                    "/v1/billing/refunds",
                    &body,
                    &how,
                )
            }
            Self::Credit(Credit { org, limit, consent }) => {
                consent.require(&format!("Let {org} go {limit} below zero?"))?;
                let ask = Ask::put(format!("/v1/billing/credit/{org}"), &json!({ "limit": limit }));
                let done = block_on(context.platform()?.send(ask.once()))?.value;
                Ok(context.out.report(&shown(
                    "soma.account.credit.v1",
                    done,
                    &[("limit", "/limit")],
                ))?)
            }
            Self::Payout(it) => {
                it.consent.require(&format!("Ask for a payout of {}?", it.amount))?;
                let ask = Ask::post("/v1/billing/payouts", &json!({ "amount": it.amount }));
                let ask = ask.key(it.idempotency_key.as_ref());
                let made = block_on(context.server(&it.place.tenant)?.send(ask))?.value;
                Ok(context.out.report(&shown("soma.payout.v1", made, PAYOUTS))?)
            }
        }
    }
}

fn rows(
    context: &Context,
    place: &Place,
    path: &str,
    columns: &[Column],
    schema: &'static str,
) -> Result<(), Failure> {
    let items = block_on(context.server(&place.tenant)?.list(path))?;
    Ok(context.out.report(&listed(schema, items, columns, "nothing yet"))?)
}

fn entered(
    context: &Context,
    question: &str,
    path: &str,
    body: &Value,
    how: &How,
) -> Result<(), Failure> {
    how.consent.require(question)?;
    let ask = Ask::post(path, body).key(how.idempotency_key.as_ref());
    let made = block_on(context.platform()?.send(ask))?.value;
    Ok(context.out.report(&shown("soma.account.event.v1", made, EVENTS))?)
}
