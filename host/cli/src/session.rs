//! Being somebody at a server: which token a command shows, and how it comes by it.
//!
//! In this order: SOMA_TOKEN; what `soma login` left for this server; the credentials that a readable home holds for
//! its own server. Tokens live for minutes and are kept (0600) until they end, so that a command seldom logs in.
//! What goes to a host is narrowed first: a host never sees a token that could do more than the call.

mod kept;

pub(crate) use kept::{Kept, Store};

use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};
use soma_policy::{Code, OrgId};

use crate::client::{Access, json_of, problem};
use crate::context::Context;
use crate::failure::Failure;
use crate::roles::founding::Credentials;

/// A token that ends sooner than this is not used any more.
const MARGIN_MS: u64 = 30_000;
/// Life of a token that a command shows to a host.
const LIFE_SECONDS: u64 = 300;
/// How long, and how often, a command waits when the server says that it comes too fast.
const WAIT_MAX: Duration = Duration::from_secs(10);
const WAITS_MAX: u32 = 2;
/// How long the server may take to say who somebody is.
const PATIENCE: Duration = Duration::from_secs(30);

/// A server, and the way to be somebody there.
#[derive(Debug)]
pub(crate) struct Door<'a> {
    context: &'a Context,
    base: String,
    http: reqwest::Client,
}

impl<'a> Door<'a> {
    pub(crate) fn new(context: &'a Context, base: &str) -> Result<Self, Failure> {
        Ok(Self { context, base: base.to_owned(), http: crate::client::http()? })
    }

    /// Whether the token comes from the environment: it names org and environment itself.
    pub(crate) fn is_given(&self) -> bool {
        self.context.token().is_some()
    }

    /// A token for an org.
    pub(crate) async fn token(&self, org: &OrgId) -> Result<String, Failure> {
        if let Some(token) = self.context.token() {
            return Ok(token.to_owned());
        }
        if let Some(token) = self.logged_in(org).await? {
            return Ok(token);
        }
        match self.of_home(org).await? {
            Some(token) => Ok(token),
            None => Err(self.nobody(org)),
        }
    }

    /// Whether hosts behind this address take what the server mints: there is a session at it, or it is the home's
    /// own and the home's host has joined.
    pub(crate) fn is_open_for(&self, org: &OrgId) -> Result<bool, Failure> {
        if self.is_of_home() {
            let says = crate::client::running(self.context);
            let joined = says.and_then(|it| it.get("joined").and_then(Value::as_bool));
            return Ok(joined == Some(true));
        }
        let user = self.store_of_user().and_then(|store| store.find(&self.base, org));
        Ok(user.is_ok_and(|kept| kept.is_some()))
    }

    /// A token for a host: of five minutes, with nothing but what is needed.
    pub(crate) async fn narrow(&self, access: &Access) -> Result<String, Failure> {
        // To operate is a right of the platform's people, whatever tenant it is about.
        let operates = access.scopes.contains(&soma_host::token::Scope::Operate);
        let org = if operates { "platform".parse()? } else { access.place.tenant.clone() };
        let token = self.token(&org).await?;
        let caps: Vec<String> = access.scopes.iter().map(ToString::to_string).collect();
        let mut body = json!({ "caps": caps, "seconds": LIFE_SECONDS });
        if let (false, Some(fields)) = (operates, body.as_object_mut()) {
            fields.insert("environment".to_owned(), json!(access.place.environment));
        }
        let request = self.http.post(format!("{}/v1/tokens", self.base)).bearer_auth(token);
        let entered = self.ask(request.json(&body)).await?;
        text(&entered, "access_token")
    }

    /// Forgets a token that counts no more, if another one can be had without asking anybody.
    pub(crate) fn forget(&self, org: &OrgId) -> Result<bool, Failure> {
        let Some(store) = self.store_of_home()? else { return Ok(false) };
        if self.context.token().is_some() || store.find(&self.base, org)?.is_none() {
            return Ok(false);
        }
        store.forget(&self.base, org)?;
        Ok(true)
    }

    /// How the home's own person logs in, at the home's own server.
    pub(crate) fn own(&self) -> Result<Option<Credentials>, Failure> {
        match self.is_of_home() {
            true => Credentials::load(&self.context.home()?),
            false => Ok(None),
        }
    }

    /// The password of the home's own person, where it is they that a command for this org acts as.
    pub(crate) fn own_password(&self, org: &OrgId) -> Result<Option<String>, Failure> {
        let user = self.store_of_user().and_then(|store| store.find(&self.base, org));
        if self.is_given() || user.is_ok_and(|kept| kept.is_some()) {
            return Ok(None);
        }
        Ok(self.own()?.map(|own| own.password))
    }

    /// Logs in as the home's own person, and keeps what that gives in the home.
    pub(crate) async fn log_in_at_home(&self, body: &Value) -> Result<Kept, Failure> {
        let store = self.store_of_home()?.unwrap_or(self.store_of_user()?);
        let _lock = store.lock()?;
        let entered = self.post("/v1/auth/login", body).await?;
        self.keep(&store, &entered)
    }

    /// Logs in, and keeps what that gives.
    pub(crate) async fn log_in(&self, body: &Value) -> Result<Kept, Failure> {
        let entered = self.post("/v1/auth/login", body).await?;
        self.keep(&self.store_of_user()?, &entered)
    }

    /// Makes the first person of a new server, and keeps what that gives.
    pub(crate) async fn found(&self, body: &Value) -> Result<Kept, Failure> {
        let entered = self.post("/v1/bootstrap", body).await?;
        self.keep(&self.store_of_user()?, &entered)
    }

    /// Takes an invitation as somebody new.
    pub(crate) async fn accept(&self, body: &Value) -> Result<Kept, Failure> {
        let entered = self.post("/v1/invitations/accept", body).await?;
        self.keep(&self.store_of_user()?, &entered)
    }

    /// Sets a new password with an operator's code.
    pub(crate) async fn reset(&self, body: &Value) -> Result<(), Failure> {
        self.post("/v1/auth/reset", body).await.map(drop)
    }

    /// Proves the second factor again for an org, and keeps the token of it.
    pub(crate) async fn step_up(&self, org: &OrgId, body: &Value) -> Result<Kept, Failure> {
        let store = match self.store_of_user()?.find(&self.base, org)? {
            Some(_) => self.store_of_user()?,
            None => self.store_of_home()?.ok_or_else(|| self.nobody(org))?,
        };
        let token = self.token(org).await?;
        let request = self.http.post(format!("{}/v1/auth/step-up", self.base)).bearer_auth(token);
        let entered = self.ask(request.json(body)).await?;
        let mut kept = self.kept(&entered)?;
        // The session is the same: its refresh code stays good.
        kept.refresh =
            kept.refresh.or(store.find(&kept.server, org)?.and_then(|before| before.refresh));
        store.put(&kept)?;
        Ok(kept)
    }

    /// Ends the session of an org, and forgets it.
    pub(crate) async fn log_out(&self, org: &OrgId) -> Result<bool, Failure> {
        let store = self.store_of_user()?;
        let Some(kept) = store.find(&self.base, org)? else { return Ok(false) };
        let request = self.http.post(format!("{}/v1/auth/logout", self.base));
        let ended = self.ask(request.bearer_auth(&kept.token)).await;
        store.forget(&self.base, org)?;
        match ended {
            // A session that has ended already is what was wanted.
            Err(failure) if failure.exit() != 3 => Err(failure),
            _ => Ok(true),
        }
    }

    /// What `soma login` left for this server and org.
    async fn logged_in(&self, org: &OrgId) -> Result<Option<String>, Failure> {
        let Ok(store) = self.store_of_user() else { return Ok(None) };
        match store.find(&self.base, org)? {
            None => Ok(None),
            Some(kept) => self.alive(&store, kept).await,
        }
    }

    /// What the home's own credentials give, at the home's own server and nowhere else.
    async fn of_home(&self, org: &OrgId) -> Result<Option<String>, Failure> {
        let Some(store) = self.store_of_home()? else { return Ok(None) };
        let _lock = store.lock()?;
        if let Some(kept) = store.find(&self.base, org)?
            && let Some(token) = self.alive(&store, kept).await?
        {
            return Ok(Some(token));
        }
        let home = self.context.home()?;
        let Some(own) = Credentials::load(&home)? else { return Ok(None) };
        let body = json!({ "login": own.login, "password": own.password, "org": org });
        let entered = self.post("/v1/auth/login", &body).await.map_err(|failure| {
            match failure.code() == Some(Code::SecondFactor) {
                true => failure.fix(format!("SOMA_TOTP=… soma login --org {org}")),
                false => failure,
            }
        })?;
        Ok(Some(self.keep(&store, &entered)?.token))
    }

    /// The token, or the next one of its session; none when the session has ended.
    async fn alive(&self, store: &Store, kept: Kept) -> Result<Option<String>, Failure> {
        if kept.ends.0 > self.context.now().0.saturating_add(MARGIN_MS) {
            return Ok(Some(kept.token));
        }
        let Some(code) = kept.refresh else { return Ok(None) };
        match self.post("/v1/auth/refresh", &json!({ "refresh_token": code })).await {
            Ok(entered) => Ok(Some(self.keep(store, &entered)?.token)),
            Err(failure) if failure.code() == Some(Code::RefreshBad) => {
                store.forget(&kept.server, &kept.org)?;
                Ok(None)
            }
            Err(other) => Err(other),
        }
    }

    fn keep(&self, store: &Store, entered: &Value) -> Result<Kept, Failure> {
        let kept = self.kept(entered)?;
        store.put(&kept)?;
        Ok(kept)
    }

    fn kept(&self, entered: &Value) -> Result<Kept, Failure> {
        let seconds = entered.get("expires_in").and_then(Value::as_u64).unwrap_or_default();
        Ok(Kept {
            server: self.base.clone(),
            org: text(entered, "org")?.parse()?,
            token: text(entered, "access_token")?,
            refresh: text(entered, "refresh_token").ok(),
            ends: self.context.now().plus(soma_policy::Millis(seconds * 1000)),
        })
    }

    /// Asks what nobody has to be known for.
    pub(crate) async fn open(&self, path: &str, body: &Value) -> Result<Value, Failure> {
        self.post(path, body).await
    }

    async fn post(&self, path: &str, body: &Value) -> Result<Value, Failure> {
        self.ask(self.http.request(Method::POST, format!("{}{path}", self.base)).json(body)).await
    }

    /// Sends it. Who is told to wait for a moment waits.
    async fn ask(&self, request: reqwest::RequestBuilder) -> Result<Value, Failure> {
        let request = request.timeout(PATIENCE);
        let mut waits = WAITS_MAX;
        loop {
            let once =
                request.try_clone().ok_or_else(|| self.unreachable("the request is gone"))?;
            let answer = once.send().await.map_err(|e| self.unreachable(&Failure::chain(&e)))?;
            match wait_of(&answer) {
                _ if answer.status().is_success() => return json_of(answer).await,
                Some(wait) if waits > 0 => {
                    waits -= 1;
                    self.context
                        .out
                        .note(format!("the server asks to wait for {} s", wait.as_secs()));
                    tokio::time::sleep(wait).await;
                }
                _ => return Err(problem::failure(answer).await),
            }
        }
    }

    fn unreachable(&self, why: &str) -> Failure {
        Failure::new(Code::HostUnreachable, format!("no server answers at {}: {why}", self.base))
            .fix("start one with `soma up`, or name it with --host")
    }

    fn store_of_user(&self) -> Result<Store, Failure> {
        Ok(Store::new(crate::devkey::folder()?.join("sessions.json")))
    }

    /// Only for the server that runs from the home: credentials go nowhere else.
    fn store_of_home(&self) -> Result<Option<Store>, Failure> {
        let Ok(home) = self.context.home() else { return Ok(None) };
        if !self.is_of_home() {
            return Ok(None);
        }
        Ok(Some(Store::new(home.layout().state().join("sessions.json"))))
    }

    /// Whether this is the server that runs from the home: by the address that it wrote there itself.
    fn is_of_home(&self) -> bool {
        let Some(running) = crate::client::running(self.context) else { return false };
        let says =
            |name: &str| running.get(name).and_then(Value::as_str) == Some(self.base.as_str());
        running.get("server").is_some() && (says("url") || says("server"))
    }

    fn nobody(&self, org: &OrgId) -> Failure {
        Failure::new(
            Code::NoToken,
            format!("nobody is logged in at {} for the org `{org}`", self.base),
        )
        .fix(format!("soma login --org {org}, or set SOMA_TOKEN, or name the home with --home"))
    }
}

/// How long the server asks to wait, if that is not too long for somebody who watches.
fn wait_of(answer: &reqwest::Response) -> Option<Duration> {
    if answer.status() != reqwest::StatusCode::TOO_MANY_REQUESTS {
        return None;
    }
    let seconds = answer.headers().get("retry-after")?.to_str().ok()?.parse().ok()?;
    Some(Duration::from_secs(seconds)).filter(|wait| *wait <= WAIT_MAX)
}

fn text(value: &Value, name: &str) -> Result<String, Failure> {
    let found = value.get(name).and_then(Value::as_str).map(str::to_owned);
    found.ok_or_else(|| Failure::new(Code::HostUnreachable, format!("the answer has no `{name}`")))
}
