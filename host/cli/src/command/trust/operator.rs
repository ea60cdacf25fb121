//! `soma trust operator add|list|remove|quorum`: who may stop things, and how many of them it takes.
//!
//! The list counts only with the root key's signature; each change signs it again. A running host takes it
//! over by itself. What was ordered before stays: a complete order never lapses by an edit of this list.

use std::path::PathBuf;

use serde_json::{Value, json};
use soma_capsule::key::PublicKey;
use soma_host::home::{Home, OperatorEntry, OperatorFile, OperatorsOnDisk as _, ROOT_KEY, encoded};
use soma_policy::Code;

use crate::command::key::{KeyName, open_private};
use crate::confirm::Consent;
use crate::context::Context;
use crate::failure::Failure;
use crate::output::{Report, Table, neutral};

pub(super) const HELP: &str = "Example:\n  soma key new bob --role operator\n  soma trust operator add bob .soma/keys/bob.pub --person \"Bob\" --quorum 2";

/// Longest name of a person.
const PERSON_BYTES_MAX: usize = 128;

/// Say who may sign kill orders, and how many persons it takes
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Operator {
    Add(Add),
    List(List),
    Remove(Remove),
    Quorum(Quorum),
}

/// The key that the list is signed with.
#[derive(Debug, Clone, clap::Args)]
struct Root {
    /// The root key of this home: a name under keys/, or a file
    #[arg(long, value_name = "NAME|FILE", default_value = ROOT_KEY)]
    root: String,
}

/// Let a person sign kill orders
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  soma trust operator add bob bob.pub --person \"Bob\"\n  soma trust operator add bob bob.pub --person \"Bob\" --quorum 2\n\nA quorum counts persons, not keys: two keys of one person are one voice."
)]
pub(crate) struct Add {
    /// The name of the key
    name: KeyName,
    /// Its public key file
    key: PathBuf,
    /// The natural person who holds it
    #[arg(long, value_name = "PERSON", value_parser = person)]
    person: String,
    /// How many persons a wide order takes from now on
    #[arg(long, value_name = "N")]
    quorum: Option<u32>,
    #[command(flatten)]
    root: Root,
}

/// List the operators
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  soma trust operator list")]
pub(crate) struct List {}

/// Let a key no longer sign kill orders; what it signed before stays
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  soma trust operator remove bob --yes\n  soma trust operator remove bob --quorum 1 --yes"
)]
pub(crate) struct Remove {
    /// The name of the key
    name: KeyName,
    /// How many persons a wide order takes from now on
    #[arg(long, value_name = "N")]
    quorum: Option<u32>,
    #[command(flatten)]
    root: Root,
    #[command(flatten)]
    consent: Consent,
}

/// Say how many persons a wide order takes
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  soma trust operator quorum 2")]
pub(crate) struct Quorum {
    /// How many
    quorum: u32,
    #[command(flatten)]
    root: Root,
}

fn person(text: &str) -> Result<String, String> {
    let text = text.trim();
    let plain = !text.is_empty() && text.len() <= PERSON_BYTES_MAX;
    if plain && !text.chars().any(char::is_control) {
        return Ok(text.to_owned());
    }
    Err(format!("a person's name has 1 to {PERSON_BYTES_MAX} bytes and no control characters"))
}

impl Operator {
    pub(crate) fn run(self, context: &Context) -> Result<(), Failure> {
        match self {
            Self::Add(add) => add.run(context),
            Self::List(_) => show(context, &OperatorFile::load(context.home()?.layout())?),
            Self::Remove(remove) => remove.run(context),
            Self::Quorum(quorum) => change(context, &quorum.root, Some(quorum.quorum), |_| Ok(())),
        }
    }
}

impl Add {
    fn run(self, context: &Context) -> Result<(), Failure> {
        let key = PublicKey::from_pem(&context.read(&self.key, 16 * 1024)?)?;
        let name = self.name.to_string();
        change(context, &self.root, self.quorum, move |list| {
            if list.operators.iter().any(|known| known.name == name) {
                let what = format!("there is an operator key `{name}` already");
                return Err(Failure::new(Code::Exists, what).fix("soma trust operator list"));
            }
            let (key, person) = (encoded(&key), self.person);
            list.operators.push(OperatorEntry { name, person, key });
            Ok(())
        })
    }
}

impl Remove {
    fn run(self, context: &Context) -> Result<(), Failure> {
        let name = self.name.to_string();
        self.consent.require(&format!("Let {name} no longer sign kill orders?"))?;
        change(context, &self.root, self.quorum, |list| {
            let before = list.operators.len();
            list.operators.retain(|known| known.name != name);
            if list.operators.len() < before {
                return Ok(());
            }
            let what = format!("there is no operator key `{name}`");
            Err(Failure::new(Code::NotFound, what).fix("soma trust operator list"))
        })
    }
}

/// Changes the list under the edit lock and signs it with the root key.
fn change(
    context: &Context,
    root: &Root,
    quorum: Option<u32>,
    edit: impl FnOnce(&mut OperatorFile) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let home = context.home()?;
    // A passphrase is asked for before anybody else is kept waiting.
    let key = open_private(context, &root.root)?;
    OperatorFile::must_be_root(home.layout(), &key)?;
    let _lock = home.lock_edit()?;
    let mut list = OperatorFile::load(home.layout())?;
    edit(&mut list)?;
    list.quorum = quorum.unwrap_or(list.quorum);
    write(&home, &list, &key)?;
    if list.is_single_operator() {
        context.out.note("single-operator mode: one signature stops and lifts everything");
    }
    show(context, &list)
}

fn write(home: &Home, list: &OperatorFile, key: &soma_capsule::KeyPair) -> Result<(), Failure> {
    list.write(home.layout(), key).map_err(|error| {
        Failure::from(error).fix("give a --quorum that the persons in the list can meet")
    })
}

fn show(context: &Context, list: &OperatorFile) -> Result<(), Failure> {
    let mut table = Table::new(&["name", "person", "key"]);
    let mut items: Vec<Value> = Vec::new();
    for entry in &list.operators {
        let OperatorEntry { name, person, .. } = entry;
        let key = entry.public_key().map(|key| key.fingerprint().to_string()).unwrap_or_default();
        table.row([name.as_str(), &neutral(person), &key]);
        items.push(json!({ "name": name, "person": person, "fingerprint": key }));
    }
    let text = format!("{}\nquorum {}", table.text("nobody"), list.quorum);
    let value = json!({ "items": items, "quorum": list.quorum });
    Ok(context.out.report(&Report::new("soma.operators.v1", value, text))?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_person_has_a_name_that_can_be_printed() {
        assert_eq!(person(" Ada Lovelace ").unwrap(), "Ada Lovelace");
        for bad in ["", "  ", "a\u{1b}[31m", "a\nb", &"x".repeat(200)] {
            assert!(person(bad).is_err(), "{bad:?}");
        }
    }
}
