//! `soma constitution`: what the operators of a deployment hold everybody to. Written in a folder, signed by
//! as many operators as the quorum says, activated at the server, followed by its hosts.
//!
//! What is signed is made here, from the folder and from what holds at the server; the server's word is only
//! taken for which one that is.

mod read;
mod write;

use serde_json::Value;
use soma_capsule::constitution::Constitution;

use crate::context::Context;
use crate::failure::Failure;
use crate::output::Column;

pub(crate) const HELP: &str = "Example:\n  soma constitution propose policy --key ada\n  soma constitution sign sha256:3b1f… --key bob\n  soma constitution activate sha256:3b1f… --yes";

const COLUMNS: &[Column] = &[
    ("version", "/version"),
    ("digest", "/digest"),
    ("signed", "/signed"),
    ("needed", "/needed"),
    ("activated", "/activated"),
    ("by", "/put_by"),
];

/// What everybody is held to
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Law {
    Show(read::Show),
    Check(write::Check),
    Propose(write::Propose),
    Proposals(read::Proposals),
    Sign(write::Sign),
    Activate(write::Activate),
    History(read::History),
    Diff(read::Diff),
}

impl Law {
    pub(crate) fn run(self, context: &Context) -> Result<(), Failure> {
        match self {
            Self::Show(it) => it.run(context),
            Self::Check(it) => it.run(context),
            Self::Propose(it) => it.run(context),
            Self::Proposals(it) => it.run(context),
            Self::Sign(it) => it.run(context),
            Self::Activate(it) => it.run(context),
            Self::History(it) => it.run(context),
            Self::Diff(it) => it.run(context),
        }
    }
}

/// The document of an answer.
fn document(answer: &Value) -> Option<Constitution> {
    serde_json::from_value(answer.get("document")?.clone()).ok()
}
