//! Talking to a host over its HTTP routes.
//!
//! The address is `--host`, else what the running host wrote into the home. The token is SOMA_TOKEN, else one of
//! five minutes: from the session at the server that the host belongs to, or minted from the home of a host that
//! belongs to none. Else the command says how to get one.

pub(crate) mod problem;
mod server;
mod stream;

pub(crate) use server::{Answer, Ask, ServerClient};
pub(crate) use stream::Events;

use std::time::Duration;

use reqwest::{Method, RequestBuilder, Response};
use serde_json::Value;
use soma_host::home::Home;
use soma_host::token::{Issuer, Scope, TokenAsk};
use soma_policy::Code;

use crate::context::{ADDRESS, Context, Place};
use crate::failure::Failure;
use crate::session::Door;

/// Largest answer that is taken whole.
const ANSWER_BYTES_MAX: usize = 64 * 1024 * 1024;
/// Life of a token that a command mints for itself.
const LIFE_SECONDS: u64 = 300;

/// A host to talk to.
#[derive(Debug)]
pub(crate) struct Client<'a> {
    context: &'a Context,
    base: String,
    token: Option<&'a str>,
    http: reqwest::Client,
}

impl<'a> Client<'a> {
    pub(crate) fn new(
        context: &'a Context,
        host: Option<&str>,
        token: Option<&'a str>,
    ) -> Result<Self, Failure> {
        Ok(Self { context, base: base(context, host)?, token, http: http()? })
    }

    /// The host's address.
    pub(crate) fn base(&self) -> &str {
        &self.base
    }

    /// A request without a token, for what everybody may see.
    pub(crate) async fn open(&self, path: &str) -> Result<Value, Failure> {
        let request = self.http.get(format!("{}{path}", self.base));
        json_of(self.send(request.timeout(Duration::from_secs(5))).await?).await
    }

    /// `GET` of a JSON document.
    pub(crate) async fn get(&self, path: &str, access: &Access) -> Result<Value, Failure> {
        let request = self.request(Method::GET, path, access).await?;
        json_of(self.send(request.timeout(Duration::from_secs(30))).await?).await
    }

    /// `POST` (or another method) of a JSON document.
    pub(crate) async fn put(
        &self,
        method: Method,
        path: &str,
        access: &Access,
        body: &Value,
    ) -> Result<Value, Failure> {
        let request = self.request(method, path, access).await?.json(body);
        json_of(self.send(request.timeout(Duration::from_secs(60))).await?).await
    }

    /// `POST` of a signed document to another address: it carries its own authority, so no token goes there.
    pub(crate) async fn post_at(
        &self,
        base: &str,
        path: &str,
        body: &Value,
    ) -> Result<Value, Failure> {
        let request = self.http.post(format!("{base}{path}")).json(body);
        json_of(self.send(request.timeout(Duration::from_secs(60))).await?).await
    }

    /// A request to be filled further by the command.
    pub(crate) async fn request(
        &self,
        method: Method,
        path: &str,
        access: &Access,
    ) -> Result<RequestBuilder, Failure> {
        let request = self.http.request(method, format!("{}{path}", self.base));
        Ok(request.bearer_auth(self.token(access).await?))
    }

    /// Sends it; an answer that tells of a problem becomes a failure.
    pub(crate) async fn send(&self, request: RequestBuilder) -> Result<Response, Failure> {
        let answer = request.send().await.map_err(|e| self.unreachable(&e))?;
        if answer.status().is_success() {
            return Ok(answer);
        }
        Err(problem::failure(answer).await)
    }

    fn unreachable(&self, error: &reqwest::Error) -> Failure {
        let what = if error.is_timeout() {
            format!("the host at {} did not answer in time", self.base)
        } else {
            format!("no host answers at {}: {}", self.base, root_cause(error))
        };
        Failure::new(Code::HostUnreachable, what)
            .fix("start one with `soma up`, or name it with --host")
    }

    async fn token(&self, access: &Access) -> Result<String, Failure> {
        if let Some(token) = self.token {
            return Ok(token.to_owned());
        }
        let door = Door::new(self.context, &self.base)?;
        if door.is_open_for(&access.place.tenant)? {
            return door.narrow(access).await;
        }
        let home = self.context.home().map_err(|_| no_token())?;
        mint(self.context, &home, access.ask(self.context)).map_err(|_| no_token())
    }
}

/// What a command needs a token for.
#[derive(Debug, Clone)]
pub(crate) struct Access {
    pub(crate) place: Place,
    pub(crate) scopes: Vec<Scope>,
}

impl Access {
    pub(crate) fn new(place: &Place, scopes: &[Scope]) -> Self {
        Self { place: place.clone(), scopes: scopes.to_vec() }
    }

    fn ask(&self, _: &Context) -> TokenAsk {
        TokenAsk {
            subject: "soma-cli".to_owned(),
            org: self.place.tenant.clone(),
            environment: self.place.environment.clone(),
            scopes: self.scopes.clone(),
            life_seconds: LIFE_SECONDS,
            constitution: None,
        }
    }
}

/// A client that follows nothing and asks no proxy. Each request says how long it may take.
pub(crate) fn http() -> Result<reqwest::Client, Failure> {
    reqwest::Client::builder()
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none())
        .connect_timeout(Duration::from_secs(5))
        .user_agent(concat!("soma/", env!("CARGO_PKG_VERSION")))
        .build()
        .map_err(|e| Failure::new(Code::HostUnreachable, Failure::chain(&e)))
}

fn mint(context: &Context, home: &Home, ask: TokenAsk) -> Result<String, Failure> {
    let issuer = Issuer::new(home.identity(), &home.keys()?.issuer)?;
    Ok(issuer.mint(ask, context.token_id(), context.now())?.token)
}

fn no_token() -> Failure {
    Failure::new(Code::NoToken, "there is no token, and no home to mint one from")
        .fix("set SOMA_TOKEN (soma token new --tenant local), or name the home with --home")
}

/// Where requests go.
pub(crate) fn base(context: &Context, host: Option<&str>) -> Result<String, Failure> {
    match host {
        Some(url) => check_url(url),
        None => Ok(address_of_home(context).unwrap_or_else(|| format!("http://{ADDRESS}"))),
    }
}

fn check_url(url: &str) -> Result<String, Failure> {
    let refused = |why: &str| Failure::new(Code::Usage, format!("--host `{url}`: {why}"));
    let parsed = url::Url::parse(url).map_err(|e| refused(&e.to_string()))?;
    if !matches!(parsed.scheme(), "http" | "https") {
        return Err(refused("the scheme is http or https"));
    }
    if !parsed.username().is_empty() || parsed.password().is_some() {
        return Err(refused("a host's address holds no credentials"));
    }
    Ok(url.trim_end_matches('/').to_owned())
}

/// What runs from the home, as it says itself.
pub(crate) fn running(context: &Context) -> Option<Value> {
    let home = context.home().ok()?;
    let bytes = soma_host::home::read_bounded(&home.layout().address(), 4096).ok()?;
    serde_json::from_slice(&bytes).ok()
}

fn address_of_home(context: &Context) -> Option<String> {
    running(context)?.get("url")?.as_str().and_then(|url| check_url(url).ok())
}

pub(crate) fn root_cause(error: &dyn std::error::Error) -> String {
    let mut cause = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    cause.to_string()
}

/// A bounded JSON answer; nothing at all is `null`.
pub(crate) async fn json_of(answer: Response) -> Result<Value, Failure> {
    let bytes = bytes_of(answer, ANSWER_BYTES_MAX).await?;
    if bytes.is_empty() {
        return Ok(Value::Null);
    }
    serde_json::from_slice(&bytes).map_err(|e| {
        Failure::new(Code::HostUnreachable, format!("the host's answer is not JSON: {e}"))
    })
}

/// A bounded answer.
pub(crate) async fn bytes_of(mut answer: Response, limit: usize) -> Result<Vec<u8>, Failure> {
    let mut bytes = Vec::new();
    loop {
        let chunk = answer.chunk().await.map_err(|e| {
            Failure::new(Code::HostUnreachable, format!("the answer was cut: {}", root_cause(&e)))
        })?;
        let Some(chunk) = chunk else { return Ok(bytes) };
        if bytes.len() + chunk.len() > limit {
            return Err(Failure::new(
                Code::HostUnreachable,
                format!("the host's answer is larger than {limit} bytes"),
            ));
        }
        bytes.extend_from_slice(&chunk);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_http_without_credentials() {
        assert_eq!(check_url("http://127.0.0.1:7662/").unwrap(), "http://127.0.0.1:7662");
        for bad in ["", "127.0.0.1:1", "ftp://x", "http://a:b@x", "http://"] {
            assert!(check_url(bad).is_err(), "{bad}");
        }
    }
}
