//! `soma kill apply FILE`: brings an order or a lift that was signed elsewhere to the host.

use std::path::PathBuf;

use soma_capsule::dsse::{self, Envelope};
use soma_host::token::Scope;

use crate::client::Access;
use crate::confirm::Consent;
use crate::context::{Context, Place};
use crate::failure::Failure;

/// Bring a signed order to the host
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  soma kill apply stop.json --yes")]
pub(crate) struct Apply {
    /// The signed order
    file: PathBuf,
    #[command(flatten)]
    place: Place,
    #[command(flatten)]
    consent: Consent,
}

impl Apply {
    pub(crate) fn run(&self, context: &Context) -> Result<(), Failure> {
        let bytes = context.read(&self.file, dsse::ENVELOPE_BYTES_MAX as u64)?;
        let envelope = Envelope::from_json(&bytes)?;
        self.consent.require(&format!("Carry out {}?", self.file.display()))?;
        super::post(context, &Access::new(&self.place, &[Scope::Operate]), &envelope)
    }
}
