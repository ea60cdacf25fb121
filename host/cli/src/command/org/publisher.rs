//! The names that an organisation publishes under, and the keys that sign for them.

use serde_json::json;
use soma_policy::{OrgId, PublisherName};

use crate::client::Ask;
use crate::context::{Context, Place};
use crate::failure::Failure;
use crate::output::{Column, listed, shown};
use crate::run::block_on;

const NAMES: &[Column] = &[
    ("name", "/namespace"),
    ("org", "/org"),
    ("checked", "/checked"),
    ("frozen", "/frozen"),
    ("transfer", "/transfer/to"),
];
const KEYS: &[Column] = &[
    ("fingerprint", "/fingerprint"),
    ("added", "/added"),
    ("by", "/added_by"),
    ("revoked", "/revoked"),
];
const KEY_BYTES_MAX: u64 = 16 * 1024;

/// Claim a publisher's name, for good
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  soma org claim acme --tenant acme\n  soma org claim soma --for acme     (an operator gives a reserved name)"
)]
pub(crate) struct Claim {
    /// The name: what stands before the slash
    name: PublisherName,
    /// Whose it becomes, when an operator gives it; names that are reserved are given so
    #[arg(long = "for", value_name = "ORG")]
    owner: Option<OrgId>,
    #[command(flatten)]
    place: Place,
}

/// List the names that the organisation publishes under
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  soma org names --tenant acme")]
pub(crate) struct Names {
    #[command(flatten)]
    place: Place,
}

/// List the keys that sign for a name
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  soma org keys acme")]
pub(crate) struct Keys {
    /// The name
    name: PublisherName,
    #[command(flatten)]
    place: Place,
}

/// Add a key that signs for a name
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  soma org key acme .soma/keys/acme.pub")]
pub(crate) struct AddKey {
    /// The name
    name: PublisherName,
    /// The public key
    #[arg(value_name = "KEY.pub")]
    key: std::path::PathBuf,
    #[command(flatten)]
    place: Place,
}

impl Claim {
    pub(super) fn run(self, context: &Context) -> Result<(), Failure> {
        let (server, body) = match &self.owner {
            Some(org) => (context.platform()?, json!({ "namespace": self.name, "org": org })),
            None => (context.server(&self.place.tenant)?, json!({ "namespace": self.name })),
        };
        let made = block_on(server.send(Ask::post("/v1/namespaces", &body)))?.value;
        Ok(context.out.report(&shown("soma.namespace.v1", made, NAMES))?)
    }
}

impl Names {
    pub(super) fn run(self, context: &Context) -> Result<(), Failure> {
        let items = block_on(context.server(&self.place.tenant)?.list("/v1/namespaces"))?;
        Ok(context.out.report(&listed("soma.namespaces.v1", items, NAMES, "no names"))?)
    }
}

impl Keys {
    pub(super) fn run(self, context: &Context) -> Result<(), Failure> {
        let path = format!("/v1/namespaces/{}/keys", self.name);
        let page = block_on(context.server(&self.place.tenant)?.get(&path))?;
        let items = crate::command::list::items_of(&page);
        Ok(context.out.report(&listed("soma.namespace.keys.v1", items, KEYS, "no keys"))?)
    }
}

impl AddKey {
    pub(super) fn run(self, context: &Context) -> Result<(), Failure> {
        let pem = String::from_utf8_lossy(&context.read(&self.key, KEY_BYTES_MAX)?).into_owned();
        let path = format!("/v1/namespaces/{}/keys", self.name);
        let ask = Ask::post(path, &json!({ "public_key": pem }));
        let made = block_on(context.server(&self.place.tenant)?.send(ask))?.value;
        Ok(context.out.report(&shown("soma.namespace.key.v1", made, KEYS))?)
    }
}
