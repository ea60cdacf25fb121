//! The names that an organisation publishes under, and the keys that sign for them.

use serde_json::json;
use soma_policy::{Code, OrgId, PublisherName};

use crate::client::Ask;
use crate::command::list::{items_of, word};
use crate::confirm::Consent;
use crate::context::{Context, Place};
use crate::failure::Failure;
use crate::output::{Column, Report, listed, shown};
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

/// Hand a name over: offered by one org, accepted by the other; it takes effect after a pause of 7 days
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  soma org transfer acme --to newcorp --tenant acme\n  soma org transfer acme --accept --tenant newcorp\n  soma org transfer acme --cancel --tenant acme"
)]
pub(crate) struct Transfer {
    /// The name
    name: PublisherName,
    /// Offer it to this org
    #[arg(long, value_name = "ORG", group = "step", required = true)]
    to: Option<OrgId>,
    /// Accept it
    #[arg(long, group = "step")]
    accept: bool,
    /// Stop the transfer
    #[arg(long, group = "step")]
    cancel: bool,
    #[command(flatten)]
    place: Place,
}

/// Say whether a publisher is known, and lift the freeze after a kill; operators may
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  soma org standing acme --checked true\n  soma org standing acme --checked true --unfreeze \"rotated the key\""
)]
pub(crate) struct Standing {
    /// The name
    name: PublisherName,
    /// Whether it was checked who they are
    #[arg(long, value_name = "true|false", action = clap::ArgAction::Set)]
    checked: bool,
    /// Its releases are approved by themselves again, for this reason
    #[arg(long, value_name = "TEXT")]
    unfreeze: Option<String>,
}

/// Revoke a key for good: hosts take nothing that it signed any more
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  soma org revoke-key acme SHA256:9c2e… --tenant acme --yes")]
pub(crate) struct RevokeKey {
    /// The name
    name: PublisherName,
    /// The key's fingerprint, as soma org keys shows it
    fingerprint: String,
    #[command(flatten)]
    place: Place,
    #[command(flatten)]
    consent: Consent,
}

impl Transfer {
    pub(super) fn run(self, context: &Context) -> Result<(), Failure> {
        let body = match (&self.to, self.accept) {
            (Some(to), _) => json!({ "move": "offer", "to": to }),
            (None, true) => json!({ "move": "accept" }),
            (None, false) => json!({ "move": "cancel" }),
        };
        let ask = Ask::post(format!("/v1/namespaces/{}/transfer", self.name), &body);
        let now = block_on(context.server(&self.place.tenant)?.send(ask))?.value;
        Ok(context.out.report(&shown("soma.namespace.v1", now, NAMES))?)
    }
}

impl Standing {
    pub(super) fn run(self, context: &Context) -> Result<(), Failure> {
        let body = json!({ "checked": self.checked, "unfreeze": self.unfreeze });
        let ask = Ask::put(format!("/v1/namespaces/{}/standing", self.name), &body);
        let now = block_on(context.platform()?.send(ask))?.value;
        Ok(context.out.report(&shown("soma.namespace.v1", now, NAMES))?)
    }
}

impl RevokeKey {
    pub(super) fn run(self, context: &Context) -> Result<(), Failure> {
        self.consent.require(&format!("Revoke {} for good?", self.fingerprint))?;
        let server = context.server(&self.place.tenant)?;
        let path = format!("/v1/namespaces/{}/keys", self.name);
        block_on(async {
            let page = server.get(&path).await?;
            let keys = items_of(&page);
            let found = keys.iter().find(|key| word(key.get("fingerprint")) == self.fingerprint);
            let found = found.ok_or_else(|| {
                let what =
                    format!("no key of {} has the fingerprint `{}`", self.name, self.fingerprint);
                Failure::new(Code::NotFound, what).fix(format!("soma org keys {}", self.name))
            })?;
            server.send(Ask::delete(format!("{path}/{}", word(found.get("key"))))).await
        })?;
        let value = json!({ "fingerprint": self.fingerprint, "revoked": true });
        Ok(context.out.report(&Report::new("soma.namespace.key.v1", value, "revoked"))?)
    }
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
        let items = items_of(&page);
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
