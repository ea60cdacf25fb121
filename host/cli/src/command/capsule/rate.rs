//! `soma capsule rate|ratings|unfreeze`: what tenants say of what they ran, and a name that has releases again.

use serde_json::json;
use soma_policy::CapsuleName;

use crate::client::Ask;
use crate::context::{Context, Place};
use crate::failure::Failure;
use crate::output::{Column, listed, shown};
use crate::run::block_on;

const COLUMNS: &[Column] =
    &[("stars", "/stars"), ("version", "/version"), ("comment", "/comment"), ("at", "/at")];
const NAME: &[Column] = &[("capsule", "/capsule"), ("latest", "/latest"), ("frozen", "/frozen")];

/// Rate a capsule that the org ran; it takes the place of the earlier rating
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  soma capsule rate acme/csv 5 --comment \"fast\"")]
pub(crate) struct Rate {
    /// Which
    capsule: CapsuleName,
    /// From 1 to 5
    stars: u8,
    /// In words
    #[arg(long, value_name = "TEXT")]
    comment: Option<String>,
    #[command(flatten)]
    place: Place,
}

/// Show what tenants who ran it say
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  soma capsule ratings acme/csv")]
pub(crate) struct Ratings {
    /// Which
    capsule: CapsuleName,
    #[command(flatten)]
    place: Place,
}

/// Let a name have new releases again after a kill; operators may
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  soma capsule unfreeze acme/csv --reason \"fixed in 1.2.1\"")]
pub(crate) struct Unfreeze {
    /// Which
    capsule: CapsuleName,
    /// Why; it is in the record
    #[arg(long, value_name = "TEXT")]
    reason: String,
}

impl Rate {
    pub(super) fn run(self, context: &Context) -> Result<(), Failure> {
        let body = json!({ "stars": self.stars, "comment": self.comment });
        let ask = Ask::put(format!("/v1/capsules/{}/ratings", self.capsule), &body);
        let kept = block_on(context.server(&self.place.tenant)?.send(ask))?.value;
        Ok(context.out.report(&shown("soma.rating.v1", kept, COLUMNS))?)
    }
}

impl Ratings {
    pub(super) fn run(self, context: &Context) -> Result<(), Failure> {
        let path = format!("/v1/capsules/{}/ratings", self.capsule);
        let items = block_on(context.server(&self.place.tenant)?.list(&path))?;
        Ok(context.out.report(&listed("soma.ratings.v1", items, COLUMNS, "no ratings"))?)
    }
}

impl Unfreeze {
    pub(super) fn run(self, context: &Context) -> Result<(), Failure> {
        let path = format!("/v1/capsules/{}/unfreeze", self.capsule);
        let ask = Ask::post(path, &json!({ "reason": self.reason }));
        let now = block_on(context.platform()?.send(ask))?.value;
        Ok(context.out.report(&shown("soma.capsule.v1", now, NAME))?)
    }
}
