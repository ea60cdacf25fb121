//! Idempotency-Key: a request that is repeated has one effect and one answer.
//!
//! The answer is stored in the transaction of its effect, so both last or neither. Another body or
//! query under the same key is 422, one that is under way is 409. What failed had no effect and is not stored; a
//! secret never is.

use axum::extract::FromRequestParts;
use axum::response::{IntoResponse, Response};
use http::request::Parts;
use soma_capsule::crash_point;
use soma_policy::{Code, Digest, Millis, OrgId};

use super::problem::Problem;
use super::reply::Reply;
use crate::identity::Principal;
use crate::server::Server;
use crate::store::{
    IdempotencyScope, PlatformScope, PlatformUnit, StoreError, TenantScope, TenantUnit, Unit,
};

/// How long an answer is kept.
const KEEP: Millis = Millis(24 * 3_600_000);
const KEY_BYTES_MAX: usize = 255;

/// The key of a request, if it carries one, with the route that it is for.
#[derive(Debug)]
pub(crate) struct Once {
    key: Option<String>,
    method: String,
    route: String,
    query: Option<String>,
}

impl<S: Sync> FromRequestParts<S> for Once {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let mut values = parts.headers.get_all("idempotency-key").iter();
        let key = match (values.next(), values.next()) {
            (None, _) => None,
            (Some(value), None) => {
                let text = value.to_str().unwrap_or_default();
                let printable = text.bytes().all(|b| b.is_ascii_graphic());
                if text.is_empty() || text.len() > KEY_BYTES_MAX || !printable {
                    let rule = "it is 1 to 255 printable characters without blanks";
                    return Err(Problem::field("Idempotency-Key", rule));
                }
                Some(text.to_owned())
            }
            _ => return Err(Problem::field("Idempotency-Key", "it is sent once")),
        };
        let (method, route) = (parts.method.to_string(), parts.uri.path().to_owned());
        let query = parts.uri.query().filter(|query| !query.is_empty()).map(str::to_owned);
        Ok(Self { key, method, route, query })
    }
}

/// Work that is done once: a unit, and what its answer will be stored under.
pub(crate) struct Work<U> {
    unit: U,
    server: Server,
    stored: Option<(IdempotencyScope, String)>,
    _under_way: Option<UnderWay>,
}

impl<U> std::ops::Deref for Work<U> {
    type Target = U;
    fn deref(&self) -> &U {
        &self.unit
    }
}

impl<U> std::ops::DerefMut for Work<U> {
    fn deref_mut(&mut self) -> &mut U {
        &mut self.unit
    }
}

/// A key that is under way in this process; others are told so until it is dropped.
struct UnderWay {
    server: Server,
    scope: IdempotencyScope,
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.server.in_flight.lock().remove(&self.scope);
    }
}

/// A unit that can be ended with its answer.
pub(crate) trait Ends: std::ops::DerefMut<Target = Unit> + Send {
    /// Makes it last.
    fn end(self) -> impl Future<Output = Result<(), StoreError>> + Send;
}

impl Ends for TenantUnit {
    async fn end(self) -> Result<(), StoreError> {
        self.commit().await
    }
}

impl Ends for PlatformUnit {
    async fn end(self) -> Result<(), StoreError> {
        self.commit().await
    }
}

impl Once {
    /// Whether the request carries a key.
    pub(crate) const fn has_key(&self) -> bool {
        self.key.is_some()
    }

    /// Refuses a request without a key: where money moves, every request has one.
    pub(crate) fn must_have_key(&self) -> Result<(), Problem> {
        match self.key {
            Some(_) => Ok(()),
            None => Err(Problem::field("Idempotency-Key", "it is required where money moves")),
        }
    }

    /// Begins work for an org.
    pub(crate) async fn tenant(
        self,
        server: &Server,
        principal: &Principal,
        scope: &TenantScope,
        digest: &Digest,
    ) -> Result<Work<TenantUnit>, Problem> {
        let who = (principal.org.clone(), principal.subject.to_string());
        let under_way = self.enter(server, &who)?;
        let unit = server.store.tenant(scope).await?;
        self.begin(server, unit, under_way, digest).await
    }

    /// Begins work of the platform, by an operator or by somebody who is nobody yet.
    pub(crate) async fn platform(
        self,
        server: &Server,
        who: (OrgId, String),
        scope: PlatformScope,
        digest: &Digest,
    ) -> Result<Work<PlatformUnit>, Problem> {
        let under_way = self.enter(server, &who)?;
        let unit = server.store.platform(scope).await?;
        self.begin(server, unit, under_way, digest).await
    }

    fn enter(
        &self,
        server: &Server,
        (org, principal): &(OrgId, String),
    ) -> Result<Option<UnderWay>, Problem> {
        let Some(key) = &self.key else { return Ok(None) };
        let scope = IdempotencyScope {
            org: org.to_string(),
            principal: principal.clone(),
            method: self.method.clone(),
            route: self.route.clone(),
            key: key.clone(),
        };
        if !server.in_flight.lock().insert(scope.clone()) {
            return Err(in_flight());
        }
        Ok(Some(UnderWay { server: server.clone(), scope }))
    }

    async fn begin<U: Ends>(
        self,
        server: &Server,
        mut unit: U,
        under_way: Option<UnderWay>,
        digest: &Digest,
    ) -> Result<Work<U>, Problem> {
        let server = server.clone();
        let Some(mine) = under_way else {
            return Ok(Work { unit, server, stored: None, _under_way: None });
        };
        let fingerprint = fingerprint(digest, self.query.as_deref());
        if !unit.claim(&mine.scope).await? {
            return Err(in_flight());
        }
        let Some(before) = unit.answer(&mine.scope, server.now()).await? else {
            let stored = Some((mine.scope.clone(), fingerprint));
            return Ok(Work { unit, server, stored, _under_way: Some(mine) });
        };
        // The key is free again before it is answered: who repeats at once meets no request under way.
        unit.end().await?;
        if before.fingerprint != fingerprint {
            return Err(Problem::new(
                Code::KeyReused,
                "the key was used with another body or query",
            ));
        }
        Err(Problem::Before(Box::new(before)))
    }
}

/// What was asked: the body, and the query where there is one.
fn fingerprint(body: &Digest, query: Option<&str>) -> String {
    match query {
        None => body.to_string(),
        Some(query) => Digest::of(format!("{body}?{query}").as_bytes()).to_string(),
    }
}

fn in_flight() -> Problem {
    let mut problem = Problem::new(Code::KeyInFlight, "a request with this key is under way");
    problem.wait(1);
    problem
}

impl<U: Ends> Work<U> {
    /// Stores the answer with the effect, makes both last and gives the answer.
    pub(crate) async fn done(mut self, reply: Reply) -> Result<Response, Problem> {
        let stored = self.stored.take();
        let repeatable = stored.is_some();
        if let Some((scope, fingerprint)) = stored {
            let now = self.server.now();
            let answer = reply.stored(fingerprint);
            self.unit.store_answer(&scope, &answer, now, now.plus(KEEP)).await?;
        }
        self.unit.end().await?;
        if repeatable {
            crash_point!("server.once.committed");
        }
        self.server.bell.notify_one();
        Ok(reply.into_response())
    }
}
