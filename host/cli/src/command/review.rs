//! `soma review`: what waits for a person, and what they decide. The reviewer is never the publisher.

use serde_json::{Value, json};
use soma_policy::OrgId;

use crate::client::Ask;
use crate::command::capsule::submission;
use crate::context::Context;
use crate::failure::Failure;
use crate::output::{Column, Report, listed};
use crate::run::block_on;

pub(crate) const HELP: &str =
    "Example:\n  soma review list\n  soma review approve 01JD7Q2M3N4P5R6S7T8V9W0XYZ";

const COLUMNS: &[Column] = &[
    ("submission", "/submission"),
    ("capsule", "/capsule"),
    ("version", "/version"),
    ("org", "/org"),
    ("state", "/state"),
    ("risk", "/risk"),
    ("at", "/submitted"),
];

/// Judge what was submitted
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Review {
    List(List),
    Show(Show),
    Approve(Approve),
    Revise(Decide),
    Reject(Decide),
    Publish(Show),
    Passport(Show),
}

/// List submissions
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  soma review list\n  soma review list --state published --tenant acme"
)]
pub(crate) struct List {
    /// In this state; `all` for every one
    #[arg(long, default_value = "in_review")]
    state: String,
    #[command(flatten)]
    by: By,
}

/// A submission: with its findings (show), what was approved and is not published yet (publish), or what was run of
/// it and what it did (passport)
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  soma review show 01JD7Q2M3N4P5R6S7T8V9W0XYZ\n  soma review passport 01JD7Q2M3N4P5R6S7T8V9W0XYZ"
)]
pub(crate) struct Show {
    /// Which
    submission: String,
    #[command(flatten)]
    by: By,
}

/// Approve and publish
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  soma review approve 01JD7Q2M3N4P5R6S7T8V9W0XYZ\n  soma review approve 01JD7Q2M3N4P5R6S7T8V9W0XYZ --reason \"the key is a test vector\"   (passes grave findings)"
)]
pub(crate) struct Approve {
    /// Which
    submission: String,
    /// Why grave findings are passed
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
    #[command(flatten)]
    by: By,
}

/// Send back for another attempt (revise), or refuse for good (reject)
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  soma review reject 01JD7Q2M3N4P5R6S7T8V9W0XYZ --reason \"copies acme/csv\""
)]
pub(crate) struct Decide {
    /// Which
    submission: String,
    /// Why; the publisher reads it
    #[arg(long, value_name = "TEXT")]
    reason: String,
    #[command(flatten)]
    by: By,
}

/// Whose session acts.
#[derive(Debug, clap::Args)]
struct By {
    /// The org whose session acts: the platform's reviewers see all, publishers their own
    #[arg(long, value_name = "ORG", default_value = "platform")]
    tenant: OrgId,
}

impl Review {
    pub(crate) fn run(self, context: &Context) -> Result<(), Failure> {
        match self {
            Self::List(it) => it.run(context),
            Self::Show(it) => {
                let path = format!("/v1/submissions/{}", it.submission);
                told(context, block_on(context.server(&it.by.tenant)?.get(&path))?)
            }
            Self::Approve(it) => {
                let mut body = json!({ "decision": "approve" });
                if let (Some(reason), Some(fields)) = (&it.reason, body.as_object_mut()) {
                    fields.insert("reason".to_owned(), json!(reason));
                }
                decide(context, &it.by, &it.submission, &body)
            }
            Self::Revise(it) => it.run(context, "revise"),
            Self::Reject(it) => it.run(context, "reject"),
            Self::Publish(it) => {
                let ask = Ask::bare(format!("/v1/submissions/{}/publish", it.submission)).once();
                told(context, block_on(context.server(&it.by.tenant)?.send(ask))?.value)
            }
            Self::Passport(it) => {
                let path = format!("/v1/passports/{}", it.submission);
                let passport = block_on(context.server(&it.by.tenant)?.get(&path))?;
                let text = serde_json::to_string_pretty(&passport).unwrap_or_default();
                Ok(context.out.report(&Report::new("soma.passport.v1", passport, text))?)
            }
        }
    }
}

impl List {
    fn run(self, context: &Context) -> Result<(), Failure> {
        let path = match self.state.as_str() {
            "all" => "/v1/submissions".to_owned(),
            state => {
                let mut query = url::form_urlencoded::Serializer::new(String::new());
                format!("/v1/submissions?{}", query.append_pair("state", state).finish())
            }
        };
        let items = block_on(context.server(&self.by.tenant)?.list(&path))?;
        Ok(context.out.report(&listed("soma.submissions.v1", items, COLUMNS, "nothing waits"))?)
    }
}

impl Decide {
    fn run(self, context: &Context, decision: &str) -> Result<(), Failure> {
        let body = json!({ "decision": decision, "reason": self.reason });
        decide(context, &self.by, &self.submission, &body)
    }
}

fn decide(context: &Context, by: &By, submission: &str, body: &Value) -> Result<(), Failure> {
    let ask = Ask::post(format!("/v1/submissions/{submission}/review"), body);
    told(context, block_on(context.server(&by.tenant)?.send(ask))?.value)
}

fn told(context: &Context, it: Value) -> Result<(), Failure> {
    let text = submission(&it);
    Ok(context.out.report(&Report::new("soma.submission.v1", it, text))?)
}
