//! `soma installation`: what an installation was, what it waits for, and what its tenant may say to it.

use serde_json::{Value, json};
use soma_policy::{InstallationId, OrgId};

use super::install::server::{at, line};
use crate::client::Ask;
use crate::confirm::Consent;
use crate::context::{Context, Place};
use crate::failure::Failure;
use crate::output::{Column, Report, listed};
use crate::run::block_on;

pub(crate) const HELP: &str = "Example:\n  soma installation revisions stream\n  soma installation back-out stream --reason \"slower\"\n  soma installation owner stream newcorp --yes";

const COLUMNS: &[Column] = &[
    ("revision", "/revision"),
    ("version", "/version"),
    ("digest", "/digest"),
    ("price", "/price"),
    ("at", "/made"),
];

/// Look at an installation of a server, and decide about it
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Installation {
    Revisions(Revisions),
    BackOut(BackOut),
    Owner(Owner),
    Forget(Forget),
}

/// Every revision that it had, newest first
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  soma installation revisions stream")]
pub(crate) struct Revisions {
    /// Which
    installation: InstallationId,
    #[command(flatten)]
    place: Place,
}

/// Give up the revision that is at its gate; the active one was never touched
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  soma installation back-out stream --reason \"slower than before\""
)]
pub(crate) struct BackOut {
    /// Which
    installation: InstallationId,
    /// Why
    #[arg(long, value_name = "TEXT")]
    reason: String,
    #[command(flatten)]
    place: Place,
}

/// Agree to the publisher's new owner
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  soma installation owner stream newcorp --yes")]
pub(crate) struct Owner {
    /// Which
    installation: InstallationId,
    /// The org that owns the publisher's name now
    owner: OrgId,
    #[command(flatten)]
    place: Place,
    #[command(flatten)]
    consent: Consent,
}

/// Forget the revision before: it cannot be rolled back to any more
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  soma installation forget stream --yes")]
pub(crate) struct Forget {
    /// Which
    installation: InstallationId,
    #[command(flatten)]
    place: Place,
    #[command(flatten)]
    consent: Consent,
}

impl Installation {
    pub(crate) fn run(self, context: &Context) -> Result<(), Failure> {
        match self {
            Self::Revisions(Revisions { installation, place }) => {
                let path = format!("/v1/installations/{installation}/revisions");
                let page = block_on(async { at(context, &place).await?.get(&path).await })?;
                let items = super::list::items_of(&page);
                Ok(context.out.report(&listed("soma.revisions.v1", items, COLUMNS, "none"))?)
            }
            Self::BackOut(BackOut { installation, reason, place }) => {
                let body = json!({ "reason": reason });
                let path = format!("/v1/installations/{installation}/back-out");
                told(context, &place, Ask::post(path, &body))
            }
            Self::Owner(Owner { installation, owner, place, consent }) => {
                consent.require(&format!("Agree that {owner} publishes {installation} now?"))?;
                let path = format!("/v1/installations/{installation}/owner");
                told(context, &place, Ask::post(path, &json!({ "owner": owner })))
            }
            Self::Forget(Forget { installation, place, consent }) => {
                consent.require(&format!("Forget what {installation} was before?"))?;
                let path = format!("/v1/installations/{installation}/previous");
                told(context, &place, Ask::delete(path))
            }
        }
    }
}

fn told(context: &Context, place: &Place, ask: Ask) -> Result<(), Failure> {
    let now: Value = block_on(async { at(context, place).await?.send(ask).await })?.value;
    let text = line(&now);
    Ok(context.out.report(&Report::new("soma.installation.v1", now, text))?)
}
