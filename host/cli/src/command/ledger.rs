//! `soma ledger`, `soma account`, `soma budget`: what was paid for, what is there, what may be spent.

pub(crate) mod account;
pub(crate) mod budget;
pub(crate) mod treasury;

use clap::ValueEnum;

use crate::context::{Context, Place};
use crate::failure::Failure;
use crate::output::{Column, listed, shown};
use crate::run::block_on;

const ROWS: &[Column] = &[
    ("at", "/at"),
    ("service", "/service"),
    ("amount", "/amount"),
    ("capsule", "/capsule"),
    ("installation", "/installation"),
    ("from", "/debit"),
    ("to", "/credit"),
    ("cause", "/cause"),
];
const STATEMENT: &[Column] = &[
    ("org", "/org"),
    ("window", "/window"),
    ("opening", "/opening"),
    ("closing", "/closing"),
    ("lines", "/lines"),
];

/// Print rows of the ledger, or a statement
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  soma ledger --service cpu\n  soma ledger --side author --tenant acme --export csv > earned.csv\n  soma ledger --statement 2026-11 --currency EUR"
)]
pub(crate) struct Ledger {
    /// What the org paid, or what it earned
    #[arg(long, value_enum, default_value = "tenant")]
    side: Side,
    /// One capsule
    #[arg(long, value_name = "PUBLISHER/NAME")]
    capsule: Option<String>,
    /// One service, such as cpu or author-share
    #[arg(long)]
    service: Option<String>,
    /// One currency
    #[arg(long)]
    currency: Option<String>,
    /// Everything, in this form
    #[arg(long, value_name = "FORM", value_parser = ["csv", "jsonl"])]
    export: Option<String>,
    /// The sums of a UTC day (2026-11-21) or month (2026-11)
    #[arg(long, value_name = "WINDOW", conflicts_with_all = ["export", "capsule", "service"], requires = "currency")]
    statement: Option<String>,
    #[command(flatten)]
    place: Place,
}

/// Whose view.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Side {
    /// What the org paid
    Tenant,
    /// What the org earned
    Author,
}

impl Ledger {
    pub(crate) fn run(self, context: &Context) -> Result<(), Failure> {
        let server = context.server(&self.place.tenant)?;
        if let Some(form) = &self.export {
            let path = format!("/v1/billing/ledgers/export?{}", self.query(&[("format", form)]));
            return Ok(context.out.raw(&block_on(server.bytes(&path))?)?);
        }
        if let Some(window) = &self.statement {
            let path = format!("/v1/billing/statements?{}", self.query(&[("window", window)]));
            let statement = block_on(server.get(&path))?;
            return Ok(context.out.report(&shown("soma.statement.v1", statement, STATEMENT))?);
        }
        let path = format!("/v1/billing/ledgers?{}", self.query(&[]));
        let items = block_on(server.list(&path))?;
        Ok(context.out.report(&listed("soma.ledger.v1", items, ROWS, "nothing was posted"))?)
    }

    fn query(&self, more: &[(&str, &String)]) -> String {
        let side = if self.side == Side::Author { "author" } else { "tenant" };
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        query.append_pair("side", side);
        let own =
            [("capsule", &self.capsule), ("service", &self.service), ("currency", &self.currency)];
        let own = own.into_iter().filter_map(|(name, value)| value.as_ref().map(|it| (name, it)));
        for (name, value) in own.chain(more.iter().copied()) {
            query.append_pair(name, value);
        }
        query.finish()
    }
}
