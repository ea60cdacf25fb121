//! `soma service`: accounts of programs, and the API keys that they come in with.

use serde_json::{Value, json};
use soma_policy::{AccountId, EnvironmentId};

use crate::client::{Ask, ServerClient};
use crate::command::list::word;
use crate::confirm::Consent;
use crate::context::{Context, Place};
use crate::failure::Failure;
use crate::output::{Column, Report, listed, shown};
use crate::run::block_on;

pub(crate) const HELP: &str = "Example:\n  soma service new deployer --can publish\n  soma service key new deployer --days 90      (shown once)\n  SOMA_API_KEY=… soma token exchange";

const COLUMNS: &[Column] = &[
    ("account", "/account"),
    ("name", "/name"),
    ("rights", "/caps"),
    ("state", "/state"),
    ("created", "/created"),
];
const KEYS: &[Column] = &[
    ("key", "/key"),
    ("account", "/account"),
    ("environment", "/environment"),
    ("rights", "/caps"),
    ("expires", "/expires"),
    ("revoked", "/revoked"),
];

/// Accounts of programs
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Service {
    List(List),
    New(New),
    Change(Change),
    Remove(Remove),
    #[command(subcommand, after_help = HELP)]
    Key(Key),
}

/// Their keys
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Key {
    List(KeyList),
    New(KeyNew),
    Revoke(KeyRevoke),
}

/// List the org's service accounts
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  soma service list --tenant acme")]
pub(crate) struct List {
    #[command(flatten)]
    place: Place,
}

/// Make a service account
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  soma service new deployer --can publish --can org:read --tenant acme"
)]
pub(crate) struct New {
    /// Its name
    account: AccountId,
    /// As people call it; by default its name
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    /// What it may do (may be repeated)
    #[arg(long = "can", value_name = "RIGHT", required = true)]
    can: Vec<String>,
    #[command(flatten)]
    place: Place,
}

/// Change what a service account may do; its tokens end
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  soma service change deployer --state disabled")]
pub(crate) struct Change {
    /// Which
    account: AccountId,
    /// What it may do from now on (may be repeated)
    #[arg(long = "can", value_name = "RIGHT")]
    can: Vec<String>,
    /// active or disabled
    #[arg(long)]
    state: Option<String>,
    #[command(flatten)]
    place: Place,
}

/// Remove a service account with its keys; its tokens end
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  soma service remove deployer --yes")]
pub(crate) struct Remove {
    /// Which
    account: AccountId,
    #[command(flatten)]
    place: Place,
    #[command(flatten)]
    consent: Consent,
}

/// List the keys of an account, without their secrets
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  soma service key list deployer")]
pub(crate) struct KeyList {
    /// Whose
    account: AccountId,
    #[command(flatten)]
    place: Place,
}

/// Make a key and print it: it is shown once
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  soma service key new deployer --days 90")]
pub(crate) struct KeyNew {
    /// Whose
    account: AccountId,
    /// What it may do, of what the account may (may be repeated); by default all of it
    #[arg(long = "can", value_name = "RIGHT")]
    can: Vec<String>,
    /// How many days it counts
    #[arg(long, value_name = "DAYS")]
    days: Option<u32>,
    #[command(flatten)]
    place: Place,
}

/// Revoke a key; the tokens that it made end
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  soma service key revoke deployer 01JD7Q2M3N4P5R6S7T8V9W0XYZ --yes"
)]
pub(crate) struct KeyRevoke {
    /// Whose
    account: AccountId,
    /// Which
    key: String,
    #[command(flatten)]
    place: Place,
    #[command(flatten)]
    consent: Consent,
}

impl Service {
    pub(crate) fn run(self, context: &Context) -> Result<(), Failure> {
        match self {
            Self::List(List { place }) => {
                let items = block_on(context.server(&place.tenant)?.list(&accounts(&place)))?;
                let none = "no service accounts · soma service new NAME --can RIGHT";
                Ok(context.out.report(&listed("soma.services.v1", items, COLUMNS, none))?)
            }
            Self::New(new) => new.run(context),
            Self::Change(change) => change.run(context),
            Self::Remove(Remove { account, place, consent }) => {
                consent.require(&format!("Remove {account} and end its tokens?"))?;
                gone(context, &place, &one(&place, &account), json!({ "account": account }))
            }
            Self::Key(key) => key.run(context),
        }
    }
}

impl New {
    fn run(self, context: &Context) -> Result<(), Failure> {
        let name = self.name.unwrap_or_else(|| self.account.to_string());
        let body = json!({ "account": self.account, "name": name, "caps": self.can });
        let ask = Ask::post(accounts(&self.place), &body);
        let made = block_on(context.server(&self.place.tenant)?.send(ask))?.value;
        Ok(context.out.report(&shown("soma.service.v1", made, COLUMNS))?)
    }
}

impl Change {
    fn run(self, context: &Context) -> Result<(), Failure> {
        let server = context.server(&self.place.tenant)?;
        let path = one(&self.place, &self.account);
        let changed = block_on(async {
            let read = server.send(Ask::get(&path)).await?;
            let kept = |name: &str| read.value.get(name).cloned().unwrap_or(Value::Null);
            let caps = if self.can.is_empty() { kept("caps") } else { json!(self.can) };
            let state = self.state.map_or_else(|| kept("state"), |state| json!(state));
            let body = json!({ "name": kept("name"), "caps": caps, "state": state });
            server.send(Ask::patch(&path, &body).if_match(&read)).await
        })?;
        Ok(context.out.report(&shown("soma.service.v1", changed.value, COLUMNS))?)
    }
}

impl Key {
    fn run(self, context: &Context) -> Result<(), Failure> {
        match self {
            Self::List(KeyList { account, place }) => {
                let path = format!("{}/keys", one(&place, &account));
                let items = block_on(context.server(&place.tenant)?.list(&path))?;
                Ok(context.out.report(&listed("soma.service.keys.v1", items, KEYS, "no keys"))?)
            }
            Self::New(new) => new.run(context),
            Self::Revoke(KeyRevoke { account, key, place, consent }) => {
                consent.require(&format!("Revoke the key {key}?"))?;
                let path = format!("{}/keys/{key}", one(&place, &account));
                gone(context, &place, &path, json!({ "account": account, "key": key }))
            }
        }
    }
}

impl KeyNew {
    fn run(self, context: &Context) -> Result<(), Failure> {
        let environment: &EnvironmentId = &self.place.environment;
        let caps = (!self.can.is_empty()).then_some(&self.can);
        let body = json!({ "environment": environment, "caps": caps, "days": self.days });
        let path = format!("{}/keys", one(&self.place, &self.account));
        let made =
            block_on(context.server(&self.place.tenant)?.send(Ask::post(path, &body)))?.value;
        let key = made.get("key").cloned().unwrap_or(Value::Null);
        let until = shown("soma.service.key.v1", key, KEYS);
        context.out.note(until.text());
        let secret = word(made.get("api_key"));
        Ok(context.out.report(&Report::new("soma.service.key.v1", made, secret))?)
    }
}

fn accounts(place: &Place) -> String {
    format!("/v1/orgs/{}/service-accounts", place.tenant)
}

fn one(place: &Place, account: &AccountId) -> String {
    format!("{}/{account}", accounts(place))
}

fn gone(context: &Context, place: &Place, path: &str, what: Value) -> Result<(), Failure> {
    let server: ServerClient<'_> = context.server(&place.tenant)?;
    block_on(server.send(Ask::delete(path)))?;
    Ok(context.out.report(&Report::new("soma.service.v1", what, "removed"))?)
}
