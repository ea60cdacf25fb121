//! A server with a first operator and two orgs, and a client that speaks to its router.

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use http::{HeaderMap, Request};
use http_body_util::BodyExt as _;
use serde_json::{Value, json};
use tower::ServiceExt as _;
use zeroize::Zeroizing;

use crate::clock::{Clock as _, FixedClock};
use crate::config::{Rates, ServerConfig};
use crate::edge::guard::Peer;
use crate::edge::routes;
use crate::fixture::{START, TestDatabase};
use crate::identity::TotpSecret;
use crate::server::Server;

pub(super) const PASSWORD: &str = "correct horse battery staple";

/// What came back.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) headers: HeaderMap,
    pub(super) body: Value,
}

impl Answer {
    /// The body, if the status is this one.
    #[track_caller]
    pub(super) fn expect(self, status: u16) -> Value {
        assert_eq!(self.status, status, "{}", self.body);
        self.body
    }

    /// A problem with this status and code.
    #[track_caller]
    pub(super) fn refused(self, status: u16, code: &str) -> Value {
        assert_eq!(
            (self.status, self.body["code"].as_str()),
            (status, Some(code)),
            "{}",
            self.body
        );
        assert_eq!(self.headers["content-type"], "application/problem+json");
        for field in ["type", "title", "status", "detail", "code", "remedy", "trace_id"] {
            assert!(!self.body[field].is_null(), "{field}: {}", self.body);
        }
        self.body
    }

    pub(super) fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }
}

/// A request that is being put together.
pub(super) struct Ask {
    router: Router,
    request: http::request::Builder,
    body: Option<Vec<u8>>,
}

impl Ask {
    pub(super) fn token(self, token: &str) -> Self {
        self.header("authorization", &format!("Bearer {token}"))
    }

    pub(super) fn header(mut self, name: &str, value: &str) -> Self {
        self.request = self.request.header(name, value);
        self
    }

    pub(super) fn json(mut self, body: &Value) -> Self {
        self.body = Some(serde_json::to_vec(body).unwrap());
        self.header("content-type", "application/json")
    }

    /// As if the listener had taken the connection from there.
    pub(super) fn from(mut self, address: &str) -> Self {
        self.request = self.request.extension(Peer(address.parse().unwrap()));
        self
    }

    pub(super) fn raw(mut self, body: &[u8]) -> Self {
        self.body = Some(body.to_vec());
        self
    }

    pub(super) async fn send(self) -> Answer {
        let body = self.body.map_or_else(Body::empty, Body::from);
        let response = self.router.oneshot(self.request.body(body).unwrap()).await.unwrap();
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let bytes = response.into_body().collect().await.unwrap().to_bytes();
        let body = serde_json::from_slice(&bytes)
            .unwrap_or_else(|_| Value::String(String::from_utf8_lossy(&bytes).into_owned()));
        Answer { status, headers, body }
    }
}

/// Somebody who is logged in.
#[derive(Debug, Clone)]
pub(super) struct Someone {
    pub(super) token: String,
    pub(super) refresh: String,
    pub(super) user: String,
}

pub(super) struct Stage {
    pub(super) server: Server,
    pub(super) clock: Arc<FixedClock>,
    pub(super) router: Router,
    pub(super) code: String,
    pub(super) database: TestDatabase,
}

impl Stage {
    /// Nobody has come yet.
    pub(super) async fn empty(database: TestDatabase) -> Self {
        let (server, clock, code) = database.server().await;
        let router = routes::router(server.clone());
        let code = code.unwrap().expose().to_owned();
        Self { server, clock, router, code, database }
    }

    /// The same where requests may come only so fast.
    pub(super) async fn limited(database: TestDatabase, rates: Rates) -> Self {
        let config = ServerConfig { rates, ..database.config() };
        let clock = Arc::new(FixedClock::new(START));
        let (server, code) = Server::open(&config, clock.clone()).await.unwrap();
        let router = routes::router(server.clone());
        let code = code.unwrap().expose().to_owned();
        Self { server, clock, router, code, database }
    }

    pub(super) fn ask(&self, method: &str, path: &str) -> Ask {
        let request = Request::builder().method(method).uri(path);
        Ask { router: self.router.clone(), request, body: None }
    }

    pub(super) async fn get(&self, path: &str, token: &str) -> Answer {
        self.ask("GET", path).token(token).send().await
    }

    pub(super) async fn post(&self, path: &str, token: &str, body: &Value) -> Answer {
        self.ask("POST", path).token(token).json(body).send().await
    }

    pub(super) async fn delete(&self, path: &str, token: &str) -> Answer {
        self.ask("DELETE", path).token(token).send().await
    }

    /// All rows of one table.
    pub(super) async fn dump_of(&self, table: &str) -> String {
        let dump = self.database.dump().await;
        let found = dump.into_iter().find(|(name, _)| name == table);
        found.map(|(_, rows)| rows).unwrap()
    }

    /// Time goes on.
    pub(super) fn pass_seconds(&self, seconds: u64) {
        self.clock.advance_ms(seconds * 1000);
    }

    pub(super) fn person(login: &str) -> Value {
        json!({ "login": login, "name": login.to_uppercase(), "password": PASSWORD })
    }

    pub(super) async fn bootstrap(&self) -> Someone {
        let body = json!({ "code": self.code, "person": Self::person("root.person") });
        let made = self.ask("POST", "/v1/bootstrap").json(&body).send().await;
        self.someone(made.expect(201)).await
    }

    async fn someone(&self, entered: Value) -> Someone {
        let token = entered["access_token"].as_str().unwrap().to_owned();
        let refresh = entered["refresh_token"].as_str().unwrap_or_default().to_owned();
        let me = self.get("/v1/auth/whoami", &token).await.expect(200);
        let user = me["subject"].as_str().unwrap().trim_start_matches("user:").to_owned();
        Someone { token, refresh, user }
    }

    /// Adds an authenticator; gives its secret.
    pub(super) async fn enrol(&self, who: &Someone) -> TotpSecret {
        self.enrol_with_codes(who).await.0
    }

    pub(super) async fn enrol_with_codes(&self, who: &Someone) -> (TotpSecret, Vec<String>) {
        let again = json!({ "password": PASSWORD });
        let begun = self.post("/v1/auth/totp", &who.token, &again).await.expect(200);
        let uri = begun["uri"].as_str().unwrap().to_owned();
        let text = uri.split("secret=").nth(1).unwrap().split('&').next().unwrap();
        let secret = TotpSecret::from_bytes(Zeroizing::new(base32(text)));
        let code = json!({ "totp": secret.code_at(self.clock.now()) });
        let put = self.ask("PUT", "/v1/auth/totp").token(&who.token).json(&code);
        let shown = put.send().await.expect(200)["recovery_codes"].clone();
        (secret, serde_json::from_value(shown).unwrap())
    }

    /// The first operator with two fresh factors.
    pub(super) async fn operator(&self) -> (Someone, TotpSecret) {
        let who = self.bootstrap().await;
        let secret = self.enrol(&who).await;
        let token = self.step_up(&who.token, &secret).await;
        (Someone { token, ..who }, secret)
    }

    /// Proves the second factor again, with the next code.
    pub(super) async fn step_up(&self, token: &str, secret: &TotpSecret) -> String {
        self.pass_seconds(30);
        let code = json!({ "totp": secret.code_at(self.clock.now()) });
        let entered = self.post("/v1/auth/step-up", token, &code).await.expect(200);
        entered["access_token"].as_str().unwrap().to_owned()
    }

    /// An org with its owner.
    pub(super) async fn org(&self, operator: &Someone, org: &str) -> Someone {
        let body =
            json!({ "org": org, "name": org, "roles": { "tenant": true, "publisher": true } });
        let made = self.post("/v1/orgs", &operator.token, &body).await.expect(201);
        let code = made["head"]["code"].as_str().unwrap().to_owned();
        self.accept(&code, &format!("{org}.owner")).await
    }

    pub(super) async fn accept(&self, code: &str, login: &str) -> Someone {
        let body = json!({ "code": code, "person": Self::person(login) });
        let entered = self.ask("POST", "/v1/invitations/accept").json(&body).send().await;
        self.someone(entered.expect(201)).await
    }

    /// A member of an org with a role, invited by somebody who may.
    pub(super) async fn member(&self, by: &Someone, org: &str, role: &str) -> Someone {
        let path = format!("/v1/orgs/{org}/invitations");
        let offered = self.post(&path, &by.token, &json!({ "role": role })).await.expect(201);
        let code = offered["code"].as_str().unwrap().to_owned();
        let second = if role == "owner" { "second." } else { "" };
        self.accept(&code, &format!("{second}{org}.{role}")).await
    }

    pub(super) async fn log_in(&self, login: &str, more: Value) -> Answer {
        let mut body = json!({ "login": login, "password": PASSWORD });
        for (key, value) in more.as_object().unwrap() {
            body[key] = value.clone();
        }
        self.ask("POST", "/v1/auth/login").json(&body).send().await
    }
}

fn base32(text: &str) -> Vec<u8> {
    let (mut bytes, mut held, mut bits) = (Vec::new(), 0u32, 0);
    for c in text.bytes() {
        let digit = if c.is_ascii_digit() { c - b'2' + 26 } else { c - b'A' };
        held = (held << 5) | u32::from(digit);
        bits += 5;
        if bits >= 8 {
            bits -= 8;
            bytes.push((held >> bits) as u8);
            held &= (1 << bits) - 1;
        }
    }
    bytes
}
