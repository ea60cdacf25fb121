//! `soma trust add|list|remove`: whose signature counts, publisher by publisher; `soma trust operator …`:
//! who may stop things.

mod operator;

use std::path::PathBuf;

use serde_json::json;
use soma_capsule::TrustStore;
use soma_capsule::key::PublicKey;
use soma_host::home::write_private;
use soma_policy::{Code, PublisherName};

use crate::confirm::Consent;
use crate::context::Context;
use crate::failure::Failure;
use crate::output::{Report, Table};

pub(crate) const HELP: &str = "Example:\n  soma trust add acme acme.pub\n  soma trust operator add ada ada.pub --person \"Ada Lovelace\"";

/// Say whose signature counts: publishers' for capsules, operators' for kill orders
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Trust {
    Add(Add),
    List(List),
    Remove(Remove),
    #[command(subcommand, after_help = operator::HELP)]
    Operator(operator::Operator),
}

/// Let a key sign capsules of a publisher
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  soma trust add acme acme.pub\n\nCheck the fingerprint with the publisher first."
)]
pub(crate) struct Add {
    /// The publisher
    publisher: PublisherName,
    /// Its public key file
    key: PathBuf,
}

/// List publishers and their keys
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  soma trust list")]
pub(crate) struct List {}

/// Withdraw trust in a key of a publisher; its installations end
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  soma trust remove acme acme.pub --yes\n  soma trust remove acme SHA256:9c2e… --yes"
)]
pub(crate) struct Remove {
    /// The publisher
    publisher: PublisherName,
    /// The public key file, or its fingerprint
    key: String,
    #[command(flatten)]
    consent: Consent,
}

impl Trust {
    pub(crate) fn run(self, context: &Context) -> Result<(), Failure> {
        match self {
            Self::Add(add) => add.run(context),
            Self::List(list) => list.run(context),
            Self::Remove(remove) => remove.run(context),
            Self::Operator(operator) => operator.run(context),
        }
    }
}

impl Add {
    fn run(self, context: &Context) -> Result<(), Failure> {
        let key = PublicKey::from_pem(&context.read(&self.key, 16 * 1024)?)?;
        let fingerprint = key.fingerprint().to_string();
        if crate::devkey::fingerprint(context)?.as_deref() == Some(&fingerprint) {
            return Err(Failure::new(
                Code::DevKeyRefused,
                "this is the development key of this machine",
            )
            .fix("use a publisher key (soma key new NAME), or start with soma up --dev"));
        }
        let home = context.home_or_new()?;
        let _lock = home.lock_edit()?;
        let mut store = TrustStore::load(&home.layout().publishers())?;
        store.pin(self.publisher.clone(), key.clone())?;
        let folder = home.layout().publisher(&self.publisher);
        soma_host::home::make_folder(&folder)?;
        write_private(&folder.join(file_name(&fingerprint)), key.to_pem().as_bytes())?;
        let text = format!("{}/* may be signed by {fingerprint}", self.publisher);
        let value = json!({ "publisher": self.publisher.to_string(), "fingerprint": fingerprint });
        Ok(context.out.report(&Report::new("soma.trust.v1", value, text))?)
    }
}

impl List {
    fn run(self, context: &Context) -> Result<(), Failure> {
        let store = TrustStore::load(&context.home()?.layout().publishers())?;
        let mut table = Table::new(&["publisher", "key"]);
        let mut items = Vec::new();
        for (publisher, keys) in store.publishers() {
            for key in keys {
                let fingerprint = key.fingerprint().to_string();
                table.row([publisher.as_str(), &fingerprint]);
                items.push(
                    json!({ "publisher": publisher.to_string(), "fingerprint": fingerprint }),
                );
            }
        }
        let text = table.text("nobody is trusted · soma trust add PUBLISHER KEY.pub");
        Ok(context.out.report(&Report::new("soma.trusts.v1", json!({ "items": items }), text))?)
    }
}

impl Remove {
    fn run(self, context: &Context) -> Result<(), Failure> {
        let home = context.home()?;
        let fingerprint = if self.key.starts_with("SHA256:") {
            self.key.clone()
        } else {
            let bytes = context.read(&PathBuf::from(&self.key), 16 * 1024)?;
            PublicKey::from_pem(&bytes)?.fingerprint().to_string()
        };
        let file = find(&home.layout().publisher(&self.publisher), &fingerprint)?;
        let Some(file) = file else {
            let what = format!("{} is not trusted for {}", fingerprint, self.publisher);
            return Err(Failure::new(Code::NotFound, what).fix("soma trust list"));
        };
        self.consent.require(&format!(
            "Withdraw trust in {fingerprint} for {}? What it signed stops running.",
            self.publisher
        ))?;
        let _lock = home.lock_edit()?;
        soma_host::home::remove(&file)?;
        let text = format!("{}/* may no longer be signed by {fingerprint}", self.publisher);
        let value = json!({
            "publisher": self.publisher.to_string(), "fingerprint": fingerprint, "removed": true,
        });
        Ok(context.out.report(&Report::new("soma.trust.v1", value, text))?)
    }
}

/// The key file with this fingerprint, whatever its name.
fn find(folder: &std::path::Path, fingerprint: &str) -> Result<Option<PathBuf>, Failure> {
    for name in soma_host::home::names_in(folder)? {
        let path = folder.join(&name);
        if !name.ends_with(".pub") {
            continue;
        }
        let bytes = soma_host::home::read_bounded(&path, 16 * 1024)?;
        if PublicKey::from_pem(&bytes)?.fingerprint().to_string() == fingerprint {
            return Ok(Some(path));
        }
    }
    Ok(None)
}

/// A file name from a fingerprint: base64 has letters that a path must not have.
fn file_name(fingerprint: &str) -> String {
    let letters = fingerprint.chars().filter(char::is_ascii_alphanumeric);
    format!("{}.pub", letters.take(24).collect::<String>())
}
