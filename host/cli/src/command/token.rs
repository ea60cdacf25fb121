//! `soma token new`: mints a token, by the server or from the home of a host that belongs to none;
//! `soma token revoke`: takes one back.

mod issuer;

use std::time::Duration;

use serde_json::json;
use soma_host::token::{Issuer, Revoked as RevokedTokens, Scope, TokenAsk};
use soma_policy::{Code, Timestamp, TokenId};

use crate::client::Ask;
use crate::confirm::Consent;
use crate::context::{Context, Place};
use crate::duration::Span;
use crate::failure::Failure;
use crate::output::{Report, Table};
use crate::run::block_on;
use crate::session::Door;

pub(crate) const HELP: &str = "Example:\n  export SOMA_TOKEN=$(soma token new --tenant local --can call:issues)\n  soma token revoke 01JD7Q2M3N4P5R6S7T8V9W0XYZ --yes";

/// Mint tokens for callers, and take them back
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Token {
    New(New),
    Revoke(Revoke),
    Revoked(Revoked),
    Exchange(issuer::Exchange),
    Keys(issuer::Keys),
    Rotate(issuer::Rotate),
    Retire(issuer::Retire),
}

/// Take a token back: it opens nothing any more, and calls that run under it end
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  soma token revoke 01JD7Q2M3N4P5R6S7T8V9W0XYZ --yes\n\nA token's JTI is what `soma token new` printed beside it; receipts and the audit name it too."
)]
pub(crate) struct Revoke {
    /// The token's own name (its `jti`), never the token itself
    #[arg(value_name = "JTI", required_unless_present_any = ["of", "key", "all"])]
    tokens: Vec<TokenId>,
    /// At a server: every token of a person or account (`user:ID`, `account:NAME`)
    #[arg(long = "of", value_name = "SUBJECT")]
    of: Option<String>,
    /// At a server: every token that an API key or a session made
    #[arg(long, value_name = "KEY")]
    key: Option<String>,
    /// At a server: every token of the org
    #[arg(long)]
    all: bool,
    #[command(flatten)]
    place: Place,
    #[command(flatten)]
    consent: Consent,
}

/// List the tokens that were taken back and could still be alive
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  soma token revoked")]
pub(crate) struct Revoked {}

/// Mint a token and print it
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  soma token new --tenant local --can call:issues --ttl 1h\n  soma token new --can operate --can read:calls --ttl 10m"
)]
pub(crate) struct New {
    #[command(flatten)]
    place: Place,
    /// What it may do: `call:ID`, `call:*`, `read:calls`, `operate`, and at a server its other rights (may be repeated)
    #[arg(long = "can", value_name = "SCOPE", default_values = ["call:*", "read:calls"])]
    can: Vec<String>,
    /// How long it lives, at most 1h
    #[arg(long, value_name = "TIME", default_value = "1h")]
    ttl: Span,
    /// Who will hold it; shown in receipts and the audit
    #[arg(long = "subject", value_name = "NAME", default_value = "soma-cli")]
    subject: String,
}

impl Token {
    pub(crate) fn run(self, context: &Context) -> Result<(), Failure> {
        match self {
            Self::New(new) => new.run(context),
            Self::Exchange(it) => it.run(context),
            Self::Keys(it) => it.run(context),
            Self::Rotate(it) => it.run(context),
            Self::Retire(it) => it.run(context),
            Self::Revoke(revoke) => revoke.run(context),
            Self::Revoked(_) => {
                let path = context.home()?.layout().revoked();
                show(context, &RevokedTokens::load(&path, context.now())?)
            }
        }
    }
}

impl New {
    fn run(self, context: &Context) -> Result<(), Failure> {
        if at_server(context, &self.place)? {
            return self.by_server(context);
        }
        let scopes = self.can.iter().map(|s| s.parse()).collect::<Result<Vec<Scope>, _>>()?;
        let home = context.home()?;
        require_tenant(&home, &self.place)?;
        let issuer = Issuer::new(home.identity(), &home.keys()?.issuer)?;
        let ask = TokenAsk {
            subject: self.subject,
            org: self.place.tenant.clone(),
            environment: self.place.environment.clone(),
            scopes,
            life_seconds: Duration::from(self.ttl).as_secs(),
            constitution: None,
        };
        let minted = issuer.mint(ask, context.token_id(), context.now())?;
        context.out.note(format!("expires {} · jti {}", minted.expires, minted.jti));
        let value = json!({
            "token": minted.token,
            "jti": minted.jti.to_string(),
            "expires": minted.expires.to_string(),
        });
        Ok(context.out.report(&Report::new("soma.token.v1", value, minted.token.clone()))?)
    }
}

/// Whether tokens come from a server: there is a session at it, or the home's host belongs to one.
fn at_server(context: &Context, place: &Place) -> Result<bool, Failure> {
    Door::new(context, &context.base()?)?.is_open_for(&place.tenant)
}

impl New {
    /// A narrower token of one's own, from the server.
    fn by_server(self, context: &Context) -> Result<(), Failure> {
        let server = context.server(&self.place.tenant)?;
        let seconds = Duration::from(self.ttl).as_secs();
        let environment = &self.place.environment;
        let body = json!({ "caps": self.can, "environment": environment, "seconds": seconds });
        let made = block_on(server.send(Ask::put("/v1/tokens", &body).posted()))?.value;
        let text = |name: &str| super::list::word(made.get(name));
        let (token, jti, lives) = (text("access_token"), text("jti"), text("expires_in"));
        context.out.note(format!("expires in {lives} s · jti {jti}"));
        let value = json!({ "token": token, "jti": jti, "expires_in": lives });
        Ok(context.out.report(&Report::new("soma.token.v1", value, token))?)
    }
}

impl Revoke {
    /// What a server is asked for.
    fn wanted(&self) -> Vec<serde_json::Value> {
        let tokens = self.tokens.iter().map(|jti| json!({ "kind": "token", "subject": jti }));
        let subject = self.of.iter().map(|of| json!({ "kind": "subject", "subject": of }));
        let key = self.key.iter().map(|key| json!({ "kind": "key", "subject": key }));
        let org = self.all.then(|| json!({ "kind": "org", "subject": self.place.tenant }));
        tokens.chain(subject).chain(key).chain(org).collect()
    }

    /// At the server, which tells its hosts.
    fn by_server(&self, context: &Context) -> Result<(), Failure> {
        let server = context.server(&self.place.tenant)?;
        let revoked = block_on(async {
            let mut revoked = Vec::new();
            for body in self.wanted() {
                revoked.push(server.send(Ask::post("/v1/revocations", &body)).await?.value);
            }
            Ok(revoked)
        })?;
        let text = format!("{} revocations made", revoked.len());
        let value = json!({ "items": revoked });
        Ok(context.out.report(&Report::new("soma.revoked.v1", value, text))?)
    }

    fn run(self, context: &Context) -> Result<(), Failure> {
        self.consent.require("Take back these tokens, and end what runs under them?")?;
        if at_server(context, &self.place)? {
            return self.by_server(context);
        }
        if self.tokens.is_empty() {
            let what = "without a server tokens are taken back by their own names";
            return Err(Failure::new(Code::Usage, what).fix("soma token revoke JTI"));
        }
        let home = context.home()?;
        let _lock = home.lock_edit()?;
        let (path, now) = (home.layout().revoked(), context.now());
        let mut list = RevokedTokens::load(&path, now)?;
        for jti in self.tokens {
            list.add(jti, now)?;
        }
        list.write(&path)?;
        show(context, &list)
    }
}

fn show(context: &Context, list: &RevokedTokens) -> Result<(), Failure> {
    let mut table = Table::new(&["jti", "kept until"]);
    let mut items = Vec::new();
    for (jti, until) in list.entries() {
        let until = Timestamp(until.saturating_mul(1000));
        table.row([jti.to_string().as_str(), &until.to_string()]);
        items.push(json!({ "jti": jti.to_string(), "until": until.to_string() }));
    }
    let text = table.text("no token is revoked");
    Ok(context.out.report(&Report::new("soma.revoked.v1", json!({ "items": items }), text))?)
}

/// Refuses a tenant or environment that this home does not serve.
pub(crate) fn require_tenant(home: &soma_host::home::Home, place: &Place) -> Result<(), Failure> {
    let orgs = soma_host::home::Orgs::load(home.layout())?;
    if orgs.allows(&place.tenant, &place.environment) {
        return Ok(());
    }
    Err(Failure::new(
        Code::NotFound,
        format!(
            "there is no tenant `{}` with an environment `{}`",
            place.tenant, place.environment
        ),
    )
    .fix(format!("add it to {}", home.layout().orgs().display())))
}
