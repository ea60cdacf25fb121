//! `soma token keys|rotate|retire|exchange`: the keys that sign a server's tokens, and a token for an API key.

use serde_json::json;

use crate::asking::secret;
use crate::client::Ask;
use crate::command::list::word;
use crate::confirm::Consent;
use crate::context::{Context, Place};
use crate::failure::Failure;
use crate::output::{Column, Report, listed, shown};
use crate::run::block_on;
use crate::session::Door;

const API_KEY: &str = "SOMA_API_KEY";
const COLUMNS: &[Column] = &[
    ("key", "/kid"),
    ("created", "/created"),
    ("since", "/signs_from"),
    ("until", "/signs_until"),
    ("expires", "/verifies_until"),
];

/// List the keys whose tokens may still count; operators may
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  soma token keys")]
pub(crate) struct Keys {}

/// Make a new key: it signs after the overlap, and what the one before signed counts until it ends
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  soma token rotate")]
pub(crate) struct Rotate {
    /// It signs at once
    #[arg(long)]
    now: bool,
}

/// End a key and everything that it signed, now; a new key signs in its place
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  soma token retire 3J8s… --yes")]
pub(crate) struct Retire {
    /// Which
    key: String,
    #[command(flatten)]
    consent: Consent,
}

/// Print a token for the API key in SOMA_API_KEY
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  soma token exchange --can call:csv\n\nThe key comes from SOMA_API_KEY or a prompt, never from the command line."
)]
pub(crate) struct Exchange {
    /// What it may do, of what the key may (may be repeated)
    #[arg(long = "can", value_name = "SCOPE")]
    can: Vec<String>,
    #[command(flatten)]
    place: Place,
}

impl Keys {
    pub(super) fn run(self, context: &Context) -> Result<(), Failure> {
        let items = block_on(context.platform()?.list("/v1/issuer-keys"))?;
        Ok(context.out.report(&listed("soma.issuer-keys.v1", items, COLUMNS, "no keys"))?)
    }
}

impl Rotate {
    pub(super) fn run(self, context: &Context) -> Result<(), Failure> {
        let ask = Ask::post("/v1/issuer-keys", &json!({ "now": self.now }));
        let made = block_on(context.platform()?.send(ask))?.value;
        Ok(context.out.report(&shown("soma.issuer-key.v1", made, COLUMNS))?)
    }
}

impl Retire {
    pub(super) fn run(self, context: &Context) -> Result<(), Failure> {
        self.consent.require("End this key and every token that it signed?")?;
        let ask = Ask::delete(format!("/v1/issuer-keys/{}", self.key));
        block_on(context.platform()?.send(ask))?;
        let value = json!({ "kid": self.key, "retired": true });
        Ok(context.out.report(&Report::new("soma.issuer-key.v1", value, "retired"))?)
    }
}

impl Exchange {
    pub(super) fn run(self, context: &Context) -> Result<(), Failure> {
        let key = secret(API_KEY, "the API key")?;
        let caps = (!self.can.is_empty()).then_some(&self.can);
        let body = json!({ "api_key": key, "token": { "caps": caps } });
        let door = Door::new(context, &context.base()?)?;
        let made = block_on(door.open("/v1/auth/exchange", &body))?;
        let (token, lives) = (word(made.get("access_token")), word(made.get("expires_in")));
        context.out.note(format!("expires in {lives} s · jti {}", word(made.get("jti"))));
        let value = json!({ "token": token, "expires_in": lives });
        Ok(context.out.report(&Report::new("soma.token.v1", value, token))?)
    }
}
