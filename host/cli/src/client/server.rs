//! Talking to the control plane as a member of an org: documents, lists page by page, changes with their keys.

use http::HeaderMap;
use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};
use soma_policy::{Code, EnvironmentId, OrgId};
use std::time::Duration;

use super::{bytes_of, json_of, problem, root_cause};
use crate::context::{Context, Place, random_id};
use crate::failure::Failure;
use crate::session::Door;

/// Most entries of a list that are fetched.
const ITEMS_MAX: usize = 10_000;
/// The environment that every org begins with.
const PRODUCTION: &str = "production";
const PATIENCE: Duration = Duration::from_secs(60);
/// How long an upload may take, and in which pieces it goes.
const UPLOAD: Duration = Duration::from_secs(600);
const CHUNK_BYTES: usize = 64 * 1024;
/// The exit code of what is not there.
const NOT_FOUND: u8 = 5;
/// Largest export that is taken whole.
const EXPORT_BYTES_MAX: usize = 256 * 1024 * 1024;

/// A server to talk to.
#[derive(Debug)]
pub(crate) struct ServerClient<'a> {
    door: Door<'a>,
    org: OrgId,
    base: String,
    http: reqwest::Client,
    /// Shown in the place of the session's own, if there is one.
    token: Option<String>,
}

/// A request that is being put together.
#[derive(Debug, Clone)]
pub(crate) struct Ask {
    method: Method,
    path: String,
    body: Option<Value>,
    key: Option<String>,
    if_match: Option<String>,
}

/// What came back.
#[derive(Debug, Clone)]
pub(crate) struct Answer {
    pub(crate) value: Value,
    headers: HeaderMap,
}

impl Answer {
    /// A header as text; empty if it is not there.
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }
}

impl Ask {
    fn new(method: Method, path: impl Into<String>) -> Self {
        let path = path.into();
        Self { method, path, body: None, key: None, if_match: None }
    }

    pub(crate) fn get(path: impl Into<String>) -> Self {
        Self::new(Method::GET, path)
    }

    /// A POST without a body, which creates nothing that could be there twice.
    pub(crate) fn bare(path: impl Into<String>) -> Self {
        Self::new(Method::POST, path)
    }

    pub(crate) fn delete(path: impl Into<String>) -> Self {
        Self::new(Method::DELETE, path)
    }

    /// Creates something: once, however often it is sent.
    pub(crate) fn post(path: impl Into<String>, body: &Value) -> Self {
        let key = Some(fresh_key());
        Self { body: Some(body.clone()), key, ..Self::new(Method::POST, path) }
    }

    pub(crate) fn put(path: impl Into<String>, body: &Value) -> Self {
        Self { body: Some(body.clone()), ..Self::new(Method::PUT, path) }
    }

    pub(crate) fn patch(path: impl Into<String>, body: &Value) -> Self {
        Self { body: Some(body.clone()), ..Self::new(Method::PATCH, path) }
    }

    /// The same as a POST without a key: what holds a secret is never stored, and so never repeated.
    pub(crate) fn posted(mut self) -> Self {
        self.method = Method::POST;
        self
    }

    /// Only if it is still what was read.
    pub(crate) fn if_match(mut self, read: &Answer) -> Self {
        self.if_match = Some(read.header("etag").to_owned());
        self
    }

    /// Under a fresh key: it moves money.
    pub(crate) fn once(mut self) -> Self {
        self.key = Some(fresh_key());
        self
    }

    /// Under this key instead of a fresh one.
    pub(crate) fn key(mut self, key: Option<&String>) -> Self {
        if let Some(key) = key {
            self.key = Some(key.clone());
        }
        self
    }

    fn built(&self, base: &str, http: &reqwest::Client) -> RequestBuilder {
        let mut request = http.request(self.method.clone(), format!("{base}{}", self.path));
        request = request.timeout(PATIENCE);
        if let Some(body) = &self.body {
            request = request.json(body);
        }
        if let Some(key) = &self.key {
            request = request.header("idempotency-key", key);
        }
        if let Some(etag) = &self.if_match {
            request = request.header("if-match", etag);
        }
        request
    }
}

impl<'a> ServerClient<'a> {
    pub(crate) fn new(context: &'a Context, org: &OrgId) -> Result<Self, Failure> {
        let base = context.base()?;
        let door = Door::new(context, &base)?;
        Ok(Self { door, org: org.clone(), base, http: super::http()?, token: None })
    }

    /// The server at an address, to which this token is shown and no other.
    pub(crate) fn with_token(
        context: &'a Context,
        base: &str,
        org: &OrgId,
        token: &str,
    ) -> Result<Self, Failure> {
        let door = Door::new(context, base)?;
        let (base, token) = (base.to_owned(), Some(token.to_owned()));
        Ok(Self { door, org: org.clone(), base, http: super::http()?, token })
    }

    /// The same for the environment of a place: a session is for `production` until it is narrowed to another one.
    pub(crate) async fn placed(self, place: &Place, caps: &[&str]) -> Result<Self, Failure> {
        if self.door.is_given() || place.environment.as_str() == PRODUCTION {
            return Ok(self);
        }
        self.within(&place.environment, caps).await
    }

    /// The same with a token of one environment, which can do no more than this.
    pub(crate) async fn within(
        mut self,
        environment: &EnvironmentId,
        caps: &[&str],
    ) -> Result<Self, Failure> {
        let body = json!({ "caps": caps, "environment": environment });
        let entered = self.send(Ask::put("/v1/tokens", &body).posted()).await?.value;
        self.token = entered.get("access_token").and_then(Value::as_str).map(str::to_owned);
        Ok(self)
    }

    /// A document.
    pub(crate) async fn get(&self, path: &str) -> Result<Value, Failure> {
        Ok(self.send(Ask::get(path)).await?.value)
    }

    /// A document, if it is there.
    pub(crate) async fn find(&self, path: &str) -> Result<Option<Answer>, Failure> {
        match self.send(Ask::get(path)).await {
            Ok(found) => Ok(Some(found)),
            Err(failure) if failure.exit() == NOT_FOUND => Ok(None),
            Err(other) => Err(other),
        }
    }

    /// An answer as its bytes.
    pub(crate) async fn bytes(&self, path: &str) -> Result<Vec<u8>, Failure> {
        let token = self.shown().await?;
        let request =
            Ask::get(path).built(&self.base, &self.http).timeout(UPLOAD).bearer_auth(token);
        let answer = request.send().await.map_err(|e| self.unreachable(&e))?;
        match answer.status().is_success() {
            true => bytes_of(answer, EXPORT_BYTES_MAX).await,
            false => Err(problem::failure(answer).await),
        }
    }

    /// Every item of a list, page after page.
    pub(crate) async fn list(&self, path: &str) -> Result<Vec<Value>, Failure> {
        let mut items = Vec::new();
        let mut cursor = String::new();
        loop {
            let join = if path.contains('?') { '&' } else { '?' };
            let page = self.get(&format!("{path}{join}limit=100{cursor}")).await?;
            let found = page.get("items").and_then(Value::as_array);
            items.extend(found.into_iter().flatten().cloned());
            match page.get("next").and_then(Value::as_str) {
                Some(next) if items.len() < ITEMS_MAX => cursor = format!("&cursor={next}"),
                _ => return Ok(items),
            }
        }
    }

    /// Sends it with a token of the org. A token that counts no more is replaced once.
    pub(crate) async fn send(&self, ask: Ask) -> Result<Answer, Failure> {
        match self.once(&ask).await {
            Err(failure)
                if failure.code().is_some_and(is_worn)
                    && self.token.is_none()
                    && self.door.forget(&self.org)? =>
            {
                self.once(&ask).await
            }
            answered => answered,
        }
    }

    /// The token that is shown.
    async fn shown(&self) -> Result<String, Failure> {
        match &self.token {
            Some(token) => Ok(token.clone()),
            None => self.door.token(&self.org).await,
        }
    }

    async fn once(&self, ask: &Ask) -> Result<Answer, Failure> {
        let request = ask.built(&self.base, &self.http).bearer_auth(self.shown().await?);
        let answer = request.send().await.map_err(|e| self.unreachable(&e))?;
        if !answer.status().is_success() {
            return Err(problem::failure(answer).await);
        }
        let headers = answer.headers().clone();
        Ok(Answer { headers, value: json_of(answer).await? })
    }

    /// Sends a large JSON body, and says how far it is.
    pub(crate) async fn upload(
        &self,
        ask: Ask,
        sent: impl Fn(u64) + Send + Sync + 'static,
    ) -> Result<Value, Failure> {
        let token = self.shown().await?;
        let body = ask.body.as_ref().map(Value::to_string).unwrap_or_default();
        let request = Ask { body: None, ..ask }.built(&self.base, &self.http).bearer_auth(token);
        let bytes = bytes::Bytes::from(body);
        let length = bytes.len();
        let chunks = (0..length.div_ceil(CHUNK_BYTES)).map(move |at| {
            let chunk = bytes.slice(at * CHUNK_BYTES..length.min((at + 1) * CHUNK_BYTES));
            sent(chunk.len() as u64);
            Ok::<_, std::io::Error>(chunk)
        });
        let request = request
            .timeout(UPLOAD)
            .header("content-type", "application/json")
            .header("content-length", length)
            .body(reqwest::Body::wrap_stream(futures::stream::iter(chunks)));
        let answer = request.send().await.map_err(|e| self.unreachable(&e))?;
        if answer.status().is_success() {
            json_of(answer).await
        } else {
            Err(problem::failure(answer).await)
        }
    }

    fn unreachable(&self, error: &reqwest::Error) -> Failure {
        let what = format!("no server answers at {}: {}", self.base, root_cause(error));
        Failure::new(Code::HostUnreachable, what)
            .fix("start one with `soma up`, or name it with --host")
    }
}

fn fresh_key() -> String {
    format!("soma-{:032x}", random_id())
}

/// Refusals of a token that another one of the same person would not meet.
fn is_worn(code: Code) -> bool {
    matches!(code, Code::TokenExpired | Code::TokenRevoked | Code::TokenSignature)
}
