//! `soma key new|list|export`: key files of publishers and operators, as cosign keeps them.

use std::path::PathBuf;
use std::str::FromStr;

use clap::ValueEnum;
use serde_json::json;
use soma_capsule::key::{KeyPair, PublicKey};
use soma_host::home::{Home, read_bounded, write_private};
use soma_policy::Code;

use crate::context::Context;
use crate::failure::Failure;
use crate::output::{Report, Table};
use crate::passphrase::Passphrase;

pub(crate) const HELP: &str = "Example:\n  soma key new acme";

/// Largest key file.
const KEY_BYTES_MAX: u64 = 16 * 1024;

/// Make and show keys of publishers and operators
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Key {
    New(New),
    List(List),
    Export(Export),
}

/// Make a key
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  soma key new acme\n  soma key new ada --role operator\n\nThe passphrase comes from SOMA_KEY_PASSWORD, COSIGN_PASSWORD or a prompt."
)]
pub(crate) struct New {
    /// Its name: the publisher's, or the operator's
    name: KeyName,
    /// What it is for
    #[arg(long, value_enum, default_value = "publisher")]
    role: Role,
}

/// List the keys of the home
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  soma key list --output json")]
pub(crate) struct List {}

/// Print a public key
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  soma key export acme > acme.pub")]
pub(crate) struct Export {
    /// Its name
    name: KeyName,
}

/// What a key is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Role {
    /// Signs capsules
    Publisher,
    /// Signs kill orders and lifts
    Operator,
}

/// The name of a key file: a slug, so that it stays in its folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct KeyName(String);

impl FromStr for KeyName {
    type Err = soma_policy::IdError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let name: soma_policy::PublisherName = text.parse()?;
        Ok(Self(name.to_string()))
    }
}

impl std::fmt::Display for KeyName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl Key {
    pub(crate) fn run(self, context: &Context) -> Result<(), Failure> {
        match self {
            Self::New(new) => new.run(context),
            Self::List(list) => list.run(context),
            Self::Export(export) => export.run(context),
        }
    }
}

impl New {
    fn run(self, context: &Context) -> Result<(), Failure> {
        let home = context.home_or_new()?;
        let _lock = home.lock_edit()?;
        let (private, public) = paths(&home, &self.name);
        if private.exists() || public.exists() {
            return Err(Failure::new(
                Code::Exists,
                format!("there is a key `{}` already", self.name),
            )
            .fix("choose another name; a key is never replaced"));
        }
        let passphrase = Passphrase::for_new_key(&format!("key {}", self.name))?;
        let key = KeyPair::generate()?;
        write_private(&private, key.to_encrypted_pem(passphrase.bytes())?.as_bytes())?;
        write_private(&public, key.public().to_pem().as_bytes())?;
        if passphrase.bytes().is_empty() {
            context.out.warn("the key has no passphrase: whoever reads the file can sign");
        }
        let fingerprint = key.public().fingerprint().to_string();
        let next = match self.role {
            Role::Publisher => format!("soma trust add {} {}", self.name, public.display()),
            Role::Operator => {
                format!("soma trust operator add {} {} --person NAME", self.name, public.display())
            }
        };
        let text = format!(
            "created {} (0600), {} · {fingerprint}\nnext: {next}",
            private.display(),
            public.display(),
        );
        let value = json!({ "name": self.name.0, "key": private, "public": public, "fingerprint": fingerprint });
        Ok(context.out.report(&Report::new("soma.key.v1", value, text))?)
    }
}

impl List {
    fn run(self, context: &Context) -> Result<(), Failure> {
        let home = context.home()?;
        let mut table = Table::new(&["name", "private", "fingerprint"]);
        let mut items = Vec::new();
        for name in names(&home)? {
            let (private, _) = paths(&home, &name);
            let fingerprint = public_key(&home, &name)?.fingerprint().to_string();
            let held = if private.exists() { "yes" } else { "no" };
            table.row([name.0.as_str(), held, &fingerprint]);
            items.push(
                json!({ "name": name.0, "private": private.exists(), "fingerprint": fingerprint }),
            );
        }
        let text = table.text("no keys · soma key new NAME makes one");
        Ok(context.out.report(&Report::new("soma.keys.v1", json!({ "items": items }), text))?)
    }
}

impl Export {
    fn run(self, context: &Context) -> Result<(), Failure> {
        let home = context.home()?;
        let key = public_key(&home, &self.name)?;
        let value = json!({
            "name": self.name.0,
            "public": key.to_pem(),
            "fingerprint": key.fingerprint().to_string(),
        });
        Ok(context.out.report(&Report::new("soma.key.v1", value, key.to_pem()))?)
    }
}

fn paths(home: &Home, name: &KeyName) -> (PathBuf, PathBuf) {
    let folder = home.layout().keys();
    (folder.join(format!("{name}.key")), folder.join(format!("{name}.pub")))
}

fn names(home: &Home) -> Result<Vec<KeyName>, Failure> {
    let folder = home.layout().keys();
    let entries = std::fs::read_dir(&folder).map_err(|e| {
        Failure::new(Code::HomeIo, format!("cannot list `{}`: {e}", folder.display()))
    })?;
    let mut names: Vec<String> = entries
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .filter_map(|name| name.strip_suffix(".pub").map(str::to_owned))
        .collect();
    names.sort();
    Ok(names.into_iter().filter_map(|name| name.parse().ok()).collect())
}

fn public_key(home: &Home, name: &KeyName) -> Result<PublicKey, Failure> {
    let (_, public) = paths(home, name);
    if !public.exists() {
        return Err(
            Failure::new(Code::NotFound, format!("there is no key `{name}`")).fix("soma key list")
        );
    }
    Ok(PublicKey::from_pem(&read_bounded(&public, KEY_BYTES_MAX)?)?)
}

/// Opens a private key of the home, or a key file by its path; asks for its passphrase if it must.
pub(crate) fn open_private(context: &Context, name: &str) -> Result<KeyPair, Failure> {
    let path = match name.parse::<KeyName>() {
        Ok(name) => paths(&context.home()?, &name).0,
        Err(_) => PathBuf::from(name),
    };
    if !path.exists() {
        return Err(Failure::new(Code::NotFound, format!("there is no key `{name}`"))
            .fix(format!("soma key new {name}, or name a key file by its path")));
    }
    let pem = read_bounded(&path, KEY_BYTES_MAX)?;
    let given = Passphrase::from_environment().unwrap_or_else(Passphrase::empty);
    match KeyPair::from_encrypted_pem(&pem, given.bytes()) {
        Err(soma_capsule::key::KeyError::WrongPassphrase) => {
            let asked = Passphrase::prompt(&format!("key {name}"))?;
            Ok(KeyPair::from_encrypted_pem(&pem, asked.bytes())?)
        }
        other => Ok(other?),
    }
}
