//! What the platform's treasury does and sees: terms, steps of payouts, journals of hosts, the check of the ledger.

use std::path::PathBuf;

use serde_json::{Value, json};
use soma_policy::JournalId;

use crate::client::Ask;
use crate::confirm::Consent;
use crate::context::Context;
use crate::failure::Failure;
use crate::output::{Column, Report, listed, shown};
use crate::run::block_on;

const FILE_BYTES_MAX: u64 = 256 * 1024;
const TERMS: &[Column] = &[
    ("edition", "/terms/book/version"),
    ("currency", "/terms/book/currency"),
    ("active", "/active"),
    ("digest", "/digest"),
    ("by", "/put_by"),
    ("at", "/created"),
];
const JOURNALS: &[Column] = &[
    ("journal", "/journal"),
    ("host", "/host"),
    ("state", "/state"),
    ("next", "/next"),
    ("receipts", "/receipts"),
    ("reason", "/reason"),
];

/// List the editions of what calls are charged by, or put a new one
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  soma account terms --output json\n  soma account terms --put terms.json --yes     (operators with two fresh factors)"
)]
pub(crate) struct Terms {
    /// The new edition: book, outcomes, split, taxes as JSON; its `book.version` is above the last one's
    #[arg(long, value_name = "FILE")]
    put: Option<PathBuf>,
    #[command(flatten)]
    consent: Consent,
}

/// Move a payout on; never who asked for it
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  soma account step 01JD7Q2M3N4P5R6S7T8V9W0XYZ approve --yes\n  soma account step 01JD7Q2M3N4P5R6S7T8V9W0XYZ settle --note \"bank reference 77\" --yes"
)]
pub(crate) struct Step {
    /// The payout
    payout: String,
    /// What happens to it
    #[arg(value_parser = ["approve", "settle", "fail"])]
    step: String,
    /// The provider's reference, or why it failed
    #[arg(long, value_name = "TEXT")]
    note: Option<String>,
    #[command(flatten)]
    consent: Consent,
}

/// Put every approved payout into a file for the provider
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  soma account export \"run 2026-11\" --yes --output json > payouts.json"
)]
pub(crate) struct Export {
    /// What the provider will call the file
    reference: String,
    #[command(flatten)]
    consent: Consent,
}

/// List the journals that hosts sent
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  soma account journals")]
pub(crate) struct Journals {}

/// Take from a quarantined journal again
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  soma account lift 01JD7Q2M3N4P5R6S7T8V9W0XYZ --yes\n  soma account lift 01JD7Q2M3N4P5R6S7T8V9W0XYZ --write-off 812 --yes"
)]
pub(crate) struct Lift {
    /// Which
    journal: JournalId,
    /// The next receipt, by its number, is borne by the platform: it cannot be settled
    #[arg(long, value_name = "NUMBER")]
    write_off: Option<u64>,
    #[command(flatten)]
    consent: Consent,
}

/// Price every settled receipt again and compare it with the ledger
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  soma account check && echo the ledger is what was metered")]
pub(crate) struct Check {}

impl Terms {
    pub(super) fn run(self, context: &Context) -> Result<(), Failure> {
        let server = context.platform()?;
        let Some(file) = &self.put else {
            let items = block_on(server.list("/v1/billing/terms"))?;
            let none = "no terms";
            return Ok(context.out.report(&listed("soma.terms.v1", items, TERMS, none))?);
        };
        let text = context.read(file, FILE_BYTES_MAX)?;
        let terms: Value = serde_json::from_slice(&text).map_err(|error| {
            let what = format!("`{}`: {error}", file.display());
            Failure::new(soma_policy::Code::TermsBad, what)
        })?;
        self.consent.require("Charge new leases by these terms?")?;
        let put = block_on(server.send(Ask::put("/v1/billing/terms", &terms).once()))?.value;
        Ok(context.out.report(&shown("soma.terms.edition.v1", put, TERMS))?)
    }
}

impl Step {
    pub(super) fn run(self, context: &Context) -> Result<(), Failure> {
        self.consent.require(&format!("{} payout {}?", self.step, self.payout))?;
        let mut body = json!({ "step": self.step });
        if let (Some(note), Some(fields)) = (&self.note, body.as_object_mut()) {
            fields.insert("note".to_owned(), json!(note));
        }
        let ask = Ask::post(format!("/v1/billing/payouts/{}/steps", self.payout), &body);
        let done = block_on(context.platform()?.send(ask))?.value;
        Ok(context.out.report(&shown("soma.payout.v1", done, super::account::PAYOUTS))?)
    }
}

impl Export {
    pub(super) fn run(self, context: &Context) -> Result<(), Failure> {
        self.consent.require("Give every approved payout to the provider?")?;
        let body = json!({ "reference": self.reference });
        let ask = Ask::post("/v1/billing/payouts/export", &body);
        let made = block_on(context.platform()?.send(ask))?.value;
        let items = crate::command::list::items_of(&made);
        let columns = super::account::PAYOUTS;
        Ok(context.out.report(&listed("soma.payouts.v1", items, columns, "nothing is approved"))?)
    }
}

impl Journals {
    pub(super) fn run(context: &Context) -> Result<(), Failure> {
        let items = block_on(context.platform()?.list("/v1/billing/journals"))?;
        Ok(context.out.report(&listed("soma.journals.v1", items, JOURNALS, "no journals"))?)
    }
}

impl Lift {
    pub(super) fn run(self, context: &Context) -> Result<(), Failure> {
        self.consent.require(&format!("Take from journal {} again?", self.journal))?;
        let body = match self.write_off {
            Some(number) => json!({ "write_off": number.to_string() }),
            None => json!({}),
        };
        let ask = Ask::post(format!("/v1/billing/journals/{}/lift", self.journal), &body);
        let done = block_on(context.platform()?.send(ask))?.value;
        Ok(context.out.report(&shown("soma.journal.v1", done, JOURNALS))?)
    }
}

impl Check {
    /// Exit code 4 (it does not verify) if anything differs.
    pub(super) fn run(context: &Context) -> Result<(), Failure> {
        let checked = block_on(context.platform()?.get("/v1/billing/check"))?;
        let of = |name: &str| crate::command::list::word(checked.get(name));
        let mut text = format!(
            "{} receipts priced again · {} postings · {} differ",
            of("receipts"),
            of("postings"),
            of("differing")
        );
        let differences = checked.get("differences").and_then(Value::as_array);
        for it in differences.into_iter().flatten() {
            let of = |name: &str| crate::command::list::word(it.get(name));
            text.push_str(&format!("\n  ! {} {}", of("subject"), of("words")));
        }
        let sound = checked.get("differing").and_then(Value::as_u64) == Some(0);
        context.out.report(&Report::new("soma.account.check.v1", checked, text))?;
        if sound { Ok(()) } else { Err(Failure::told(4)) }
    }
}
