//! `soma backup FILE` and `soma backup verify FILE`: a home in one archive, and the proof of one.

use std::path::{Path, PathBuf};

use serde_json::json;
use soma_capsule::key::PublicKey;
use soma_policy::Code;
use soma_server::continuity::{BackupRequest, Manifest, Verified, backup, verify_backup};
use soma_server::{PasswordCost, SystemClock};
use zeroize::Zeroizing;

use crate::asking::{given, secret};
use crate::context::Context;
use crate::failure::Failure;
use crate::output::Report;
use crate::roles::server::{configuration, tidy};
use crate::run::block_on;

/// The variable that holds the passphrase.
pub(super) const PASSWORD: &str = "SOMA_BACKUP_PASSWORD";
const PASSPHRASE: &str = "passphrase of the backup";

/// Back up the home into one archive, while everything runs
#[derive(Debug, clap::Args)]
#[command(
    args_conflicts_with_subcommands = true,
    subcommand_negates_reqs = true,
    after_help = "Example:\n  soma backup /backup/soma-monday.tar\n  soma backup verify /backup/soma-monday.tar\n\nKeys are sealed with a passphrase of at least twelve characters: SOMA_BACKUP_PASSWORD, or it is asked for. Without it\nnothing can be restored."
)]
pub(crate) struct Backup {
    #[command(subcommand)]
    verb: Option<Verb>,
    /// The archive; it must not be there yet
    #[arg(required = true, value_name = "FILE")]
    file: Option<PathBuf>,
}

#[derive(Debug, clap::Subcommand)]
enum Verb {
    Verify(Verify),
}

/// Prove that an archive is whole, and whose it is
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  soma backup verify /backup/soma-monday.tar\n  soma backup verify soma-monday.tar --key audit.pub\n\nWith SOMA_BACKUP_PASSWORD the sealed keys are opened too: only who knows it can have made the archive."
)]
pub(crate) struct Verify {
    /// The archive
    file: PathBuf,
    /// The public key that must have signed it
    #[arg(long, value_name = "KEY.pub")]
    key: Option<PathBuf>,
}

impl Backup {
    pub(crate) fn run(self, context: &Context) -> Result<(), Failure> {
        match (self.verb, self.file) {
            (Some(Verb::Verify(it)), _) => it.run(context),
            (None, Some(file)) => make(context, &file),
            (None, None) => Err(Failure::new(Code::Usage, "the archive is not named")),
        }
    }
}

fn make(context: &Context, file: &Path) -> Result<(), Failure> {
    let config = configuration(context.home_path())?;
    tidy(context);
    let passphrase = new_passphrase()?;
    let progress = context.out.progress("backing up");
    let request = BackupRequest {
        home: context.home_path(),
        config: &config,
        archive: file,
        passphrase: passphrase.as_bytes(),
        cost: PasswordCost::default(),
    };
    let made = block_on(async { Ok(backup(&request, &SystemClock).await?) });
    drop(progress);
    let made = made?;
    for path in &made.left_out {
        context.out.warn(format!("left out: `{path}` is neither a file nor a folder"));
    }
    let text = format!(
        "backed up {} files, {} bytes, {} sealed → {}\nnext: soma backup verify {}",
        made.manifest.files,
        made.manifest.bytes,
        made.sealed,
        file.display(),
        file.display()
    );
    let value =
        json!({ "manifest": made.manifest, "sealed": made.sealed, "left_out": made.left_out });
    Ok(context.out.report(&Report::new("soma.backup.v1", value, text))?)
}

fn new_passphrase() -> Result<Zeroizing<String>, Failure> {
    let first = Zeroizing::new(secret(PASSWORD, PASSPHRASE)?);
    if given(PASSWORD).is_none() && *Zeroizing::new(secret(PASSWORD, "again")?) != *first {
        return Err(Failure::new(Code::Usage, "the two passphrases differ"));
    }
    Ok(first)
}

/// The passphrase of an archive that is there.
pub(super) fn passphrase() -> Result<Zeroizing<String>, Failure> {
    Ok(Zeroizing::new(secret(PASSWORD, PASSPHRASE)?))
}

impl Verify {
    fn run(self, context: &Context) -> Result<(), Failure> {
        let key = self.key.map(|path| context.read(&path, 16 * 1024)).transpose()?;
        let key = key.map(|pem| PublicKey::from_pem(&pem)).transpose()?;
        let passphrase = given(PASSWORD).map(Zeroizing::new);
        let progress = context.out.progress("verifying");
        let proven = block_on(async {
            let words = passphrase.as_ref().map(|text| text.as_bytes());
            Ok(verify_backup(&self.file, key.as_ref(), words).await?)
        });
        drop(progress);
        Ok(context.out.report(&proof(&proven?))?)
    }
}

fn proof(it: &Verified) -> Report {
    let Verified { manifest, signer, authentic } = it;
    let Manifest { at, files, bytes, deployment, epoch, .. } = manifest;
    let mut text = format!(
        "verified {files} files, {bytes} bytes · made {at} · deployment {deployment} · epoch {epoch}\nsigned by {signer}"
    );
    if !authentic {
        text.push_str(
            " · whose key that is was not checked: set SOMA_BACKUP_PASSWORD, or name it with --key",
        );
    }
    let value = json!({ "manifest": manifest, "signer": signer, "authentic": authentic });
    Report::new("soma.backup.verify.v1", value, text)
}
