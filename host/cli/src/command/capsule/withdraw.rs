//! What becomes of a published release: deprecated, yanked, given back, revoked.

use serde_json::{Value, json};
use soma_policy::CapsuleName;

use crate::client::Ask;
use crate::command::list::word;
use crate::confirm::Consent;
use crate::context::{Context, Place};
use crate::failure::Failure;
use crate::output::Report;
use crate::run::block_on;

/// `publisher/name@version`.
#[derive(Debug, Clone)]
pub(crate) struct Release {
    pub(crate) name: CapsuleName,
    pub(crate) version: semver::Version,
}

impl std::str::FromStr for Release {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (name, version) = text.split_once('@').ok_or("write PUBLISHER/NAME@VERSION")?;
        let name = name.parse().map_err(|e: soma_policy::IdError| e.to_string())?;
        let version = version.parse().map_err(|e: semver::Error| e.to_string())?;
        Ok(Self { name, version })
    }
}

impl Release {
    pub(crate) fn path(&self) -> String {
        format!("/v1/capsules/{}/versions/{}", self.name, self.version)
    }
}

/// Which release, and why.
#[derive(Debug, clap::Args)]
struct Which {
    /// PUBLISHER/NAME@VERSION
    release: Release,
    /// Why; shown to everybody who uses it
    #[arg(long, value_name = "TEXT")]
    reason: String,
    #[command(flatten)]
    place: Place,
}

/// Say that something else is better
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  soma capsule deprecate acme/csv@1.0.0 --reason \"slow on large files\" --instead 1.1.0"
)]
pub(crate) struct Deprecate {
    #[command(flatten)]
    which: Which,
    /// The version to use instead
    #[arg(long, value_name = "VERSION")]
    instead: Option<semver::Version>,
}

/// Take a release back for now: nobody can install it any more
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  soma capsule yank acme/csv@1.0.0 --reason \"wrong totals\"")]
pub(crate) struct Yank {
    #[command(flatten)]
    which: Which,
}

/// Give a yanked release back
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  soma capsule unyank acme/csv@1.0.0 --reason \"it was the data\""
)]
pub(crate) struct Unyank {
    #[command(flatten)]
    which: Which,
}

/// Take a release back for good: it never runs again
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  soma capsule revoke acme/csv@1.0.0 --reason \"leaks\" --yes")]
pub(crate) struct Revoke {
    #[command(flatten)]
    which: Which,
    #[command(flatten)]
    consent: Consent,
}

impl Deprecate {
    pub(crate) fn run(self, context: &Context) -> Result<(), Failure> {
        let mut more = json!({});
        if let (Some(instead), Some(fields)) = (&self.instead, more.as_object_mut()) {
            fields.insert("instead".to_owned(), json!(instead.to_string()));
        }
        withdraw(context, &self.which, "deprecate", more)
    }
}

impl Yank {
    pub(crate) fn run(self, context: &Context) -> Result<(), Failure> {
        withdraw(context, &self.which, "yank", json!({}))
    }
}

impl Unyank {
    pub(crate) fn run(self, context: &Context) -> Result<(), Failure> {
        withdraw(context, &self.which, "unyank", json!({}))
    }
}

impl Revoke {
    pub(crate) fn run(self, context: &Context) -> Result<(), Failure> {
        let Release { name, version } = &self.which.release;
        self.consent.require(&format!("Revoke {name}@{version} for good?"))?;
        withdraw(context, &self.which, "revoke", json!({}))
    }
}

fn withdraw(context: &Context, which: &Which, how: &str, more: Value) -> Result<(), Failure> {
    let mut body = json!({ "move": how, "reason": which.reason });
    if let (Some(fields), Value::Object(more)) = (body.as_object_mut(), more) {
        fields.extend(more);
    }
    let path = format!("{}/withdrawal", which.release.path());
    let done = block_on(context.server(&which.place.tenant)?.send(Ask::post(path, &body)))?.value;
    let state = word(done.pointer("/release/state"));
    let mut text = format!("{}@{} is {state}", which.release.name, which.release.version);
    if let Some(digest) = done.get("kill").filter(|kill| !kill.is_null()) {
        let digest = word(Some(digest));
        text.push_str(&format!("\noperators are asked: soma kill digest:{digest} --reason …"));
    }
    Ok(context.out.report(&Report::new("soma.release.v1", done, text))?)
}
