//! `soma budget`: caps of an org and of its environments, and what is committed of them now.

use serde_json::{Value, json};
use soma_policy::Rate;

use crate::client::Ask;
use crate::command::list::word;
use crate::confirm::Consent;
use crate::context::{Context, Place};
use crate::failure::Failure;
use crate::output::{Column, Report, Table, shown};
use crate::run::block_on;

pub(crate) const HELP: &str = "Example:\n  soma budget list\n  soma budget set \"50.00 EUR/month\"";

const CAP: &[Column] =
    &[("scope", "/scope"), ("limit", "/limit"), ("per", "/per"), ("told from", "/soft_percent")];

/// Caps on what may be spent
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Budget {
    List(List),
    Set(Set),
    Remove(Remove),
}

/// List caps, and what is committed now
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  soma budget list --tenant acme")]
pub(crate) struct List {
    #[command(flatten)]
    place: Place,
}

/// Set a cap of the org, or of one environment
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  soma budget set \"50.00 EUR/month\"\n  soma budget set \"5.00 EUR/day\" --scope local/production --soft-percent 80"
)]
pub(crate) struct Set {
    /// How much, by day or month
    #[arg(value_name = "MONEY/PERIOD")]
    limit: Rate,
    /// ORG or ORG/ENVIRONMENT; by default the org
    #[arg(long)]
    scope: Option<String>,
    /// From how many per cent people are told
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u8).range(1..=100))]
    soft_percent: Option<u8>,
    #[command(flatten)]
    place: Place,
}

/// Take a cap away
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  soma budget remove EUR --per month --yes")]
pub(crate) struct Remove {
    /// Its currency
    currency: String,
    /// day or month
    #[arg(long, value_parser = ["day", "month"])]
    per: String,
    /// ORG or ORG/ENVIRONMENT; by default the org
    #[arg(long)]
    scope: Option<String>,
    #[command(flatten)]
    place: Place,
    #[command(flatten)]
    consent: Consent,
}

impl Budget {
    pub(crate) fn run(self, context: &Context) -> Result<(), Failure> {
        match self {
            Self::List(it) => it.run(context),
            Self::Set(it) => it.run(context),
            Self::Remove(it) => it.run(context),
        }
    }
}

impl List {
    fn run(self, context: &Context) -> Result<(), Failure> {
        let page = block_on(context.server(&self.place.tenant)?.get("/v1/budgets?limit=100"))?;
        let mut table = Table::new(&["scope", "window", "committed", "of", "left", "forecast"]);
        for window in page.get("windows").and_then(Value::as_array).into_iter().flatten() {
            let of = |name: &str| word(window.get(name));
            table.row([
                of("scope"),
                of("window"),
                of("committed"),
                of("limit"),
                of("left"),
                of("forecast"),
            ]);
        }
        let mut text = table.text("nothing is committed now");
        for cap in page.get("caps").and_then(Value::as_array).into_iter().flatten() {
            let of = |name: &str| word(cap.get(name));
            text.push_str(&format!("\ncap {} {} a {}", of("scope"), of("limit"), of("per")));
        }
        Ok(context.out.report(&Report::new("soma.budgets.v1", page, text))?)
    }
}

impl Set {
    fn run(self, context: &Context) -> Result<(), Failure> {
        let scope = self.scope.unwrap_or_else(|| self.place.tenant.to_string());
        let mut body = json!({ "scope": scope, "limit": self.limit.limit, "per": self.limit.per });
        if let (Some(percent), Some(fields)) = (self.soft_percent, body.as_object_mut()) {
            fields.insert("soft_percent".to_owned(), json!(percent));
        }
        let ask = Ask::put("/v1/budgets", &body).once();
        let made = block_on(context.server(&self.place.tenant)?.send(ask))?.value;
        Ok(context.out.report(&shown("soma.budget.v1", made, CAP))?)
    }
}

impl Remove {
    fn run(self, context: &Context) -> Result<(), Failure> {
        let scope = self.scope.unwrap_or_else(|| self.place.tenant.to_string());
        self.consent.require(&format!("Take the cap of {scope} away?"))?;
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        query.append_pair("scope", &scope).append_pair("currency", &self.currency);
        query.append_pair("per", &self.per);
        let ask = Ask::delete(format!("/v1/budgets?{}", query.finish()));
        block_on(context.server(&self.place.tenant)?.send(ask))?;
        let value = json!({ "scope": scope, "removed": true });
        Ok(context.out.report(&Report::new("soma.budget.v1", value, "removed"))?)
    }
}
