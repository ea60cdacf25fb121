//! `soma capsule sign [FILE] --key NAME`: a Sigstore bundle beside the component.

use std::path::{Path, PathBuf};

use serde_json::json;
use soma_capsule::{Manifest, analyse, bundle, section};
use soma_policy::{Code, Digest};

use crate::command::key::open_private;
use crate::context::Context;
use crate::failure::Failure;
use crate::output::Report;
use crate::project::{COMPONENT_BYTES_MAX, Project, short};

/// Sign a built capsule
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  soma capsule sign --key acme\n  soma capsule sign csv.wasm --key acme\n\nThe bundle can be checked with cosign:\n  cosign verify-blob --key acme.pub --bundle csv.sigstore.json --insecure-ignore-tlog csv.wasm"
)]
pub(crate) struct Sign {
    /// The component; by default what soma capsule build wrote here
    file: Option<PathBuf>,
    /// The publisher's key: a name in the home, or a key file
    #[arg(long, value_name = "NAME", required_unless_present = "dev")]
    key: Option<String>,
    /// Sign with this machine's development key, which only `soma up --dev` accepts
    #[arg(long, conflicts_with = "key")]
    dev: bool,
    /// Where to write; by default FILE with .sigstore.json
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

impl Sign {
    pub(crate) fn run(self, context: &Context) -> Result<(), Failure> {
        let file = match &self.file {
            Some(file) => file.clone(),
            None => Project::open(context, Path::new("."))?.output(),
        };
        if !file.exists() {
            return Err(Failure::new(
                Code::FileNotFound,
                format!("there is no `{}`", file.display()),
            )
            .fix("soma capsule build"));
        }
        let component = context.read(&file, COMPONENT_BYTES_MAX)?;
        // Signing says "this is mine": so it must at least be what it seems.
        let manifest = Manifest::from_canonical(section::extract(&component)?)?;
        analyse(&component)?;
        let digest = Digest::of(&component);
        let key = match &self.key {
            Some(name) => open_private(context, name)?,
            None => crate::devkey::open_or_create()?,
        };
        let bundle = bundle::sign_blob(&digest, &key)?;
        let out = self.out.clone().unwrap_or_else(|| bundle_path(&file));
        crate::files::write_whole(&out, &bundle)?;
        let (name, version) = (&manifest.name, &manifest.version);
        let text = format!("signed {name}@{version} {} → {}", short(&digest), out.display());
        let value = json!({
            "name": name.to_string(), "version": version.to_string(), "digest": digest.to_string(),
            "bundle": out, "signer": key.public().fingerprint().to_string(),
        });
        Ok(context.out.report(&Report::new("soma.capsule.sign.v1", value, text))?)
    }
}

/// `csv.wasm` → `csv.sigstore.json`.
pub(crate) fn bundle_path(file: &Path) -> PathBuf {
    file.with_extension("sigstore.json")
}
