//! `soma restore FILE`: a home from an archive, with a new epoch of the feed that the root key signs.

use std::path::PathBuf;

use serde_json::json;
use soma_capsule::dsse;
use soma_policy::Code;
use soma_policy::feed::kind;
use soma_server::SystemClock;
use soma_server::continuity::{ChainReport, restore};

use super::backup::passphrase;
use super::key::open_private;
use crate::context::Context;
use crate::failure::Failure;
use crate::output::Report;
use crate::run::block_on;

/// Bring a home back from an archive
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  soma restore /backup/soma-monday.tar --home /var/lib/soma\n  soma restore soma-monday.tar --root /media/usb/root.key\n\nThe home must not be there, or be empty. Hosts take over the restored state by a new epoch, which the root key signs:\nthe one in the archive, or --root. Restore the same archive a second time with a higher --epoch."
)]
pub(crate) struct Restore {
    /// The archive
    file: PathBuf,
    /// The root key of the home, if it is kept elsewhere
    #[arg(long, value_name = "FILE")]
    root: Option<PathBuf>,
    /// The epoch that begins; by default the next one
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    epoch: Option<u64>,
}

impl Restore {
    pub(crate) fn run(self, context: &Context) -> Result<(), Failure> {
        let home = context.home_path().to_owned();
        crate::roles::server::tidy(context);
        let passphrase = passphrase()?;
        let progress = context.out.progress("proving the archive");
        let restoring =
            block_on(async { Ok(restore(&self.file, &home, passphrase.as_bytes()).await?) });
        drop(progress);
        let restoring = restoring?;
        let root = self.root.unwrap_or_else(|| restoring.folder().join("keys/root.key"));
        let named =
            root.to_str().ok_or_else(|| Failure::new(Code::Usage, "a path that is text"))?;
        let root = open_private(context, named).map_err(|failure| {
            failure.fix("the root key signs the new epoch: name its file with --root")
        })?;
        let raise = restoring.epoch(self.epoch, &SystemClock);
        let signed = dsse::sign_document(kind::EPOCH, &raise, &[&root])?.to_json();
        let made = restoring.manifest().at;
        let clock = std::sync::Arc::new(SystemClock);
        let chains = block_on(async { Ok(restoring.finish(&signed, clock).await?) })?;
        for chain in &chains {
            tell(context, chain);
        }
        let text = format!(
            "restored {} as of {made} · epoch {} · next: soma up {}",
            home.display(),
            raise.epoch,
            home.display()
        );
        let value = json!({
            "home": home, "made": made, "epoch": raise.epoch.to_string(), "chains": chains,
        });
        context.out.report(&Report::new("soma.restore.v1", value, text))?;
        if chains.iter().all(|chain| chain.findings.is_empty()) {
            return Ok(());
        }
        // It is back as it was backed up, and what was wrong then is wrong now.
        Err(Failure::told(4))
    }
}

fn tell(context: &Context, chain: &ChainReport) {
    for finding in &chain.findings {
        context.out.warn(format!(
            "the {} chain was not sound when it was backed up: {finding}",
            chain.chain
        ));
    }
}
