//! Problems as RFC 9457 has them: one mapping from errors to codes, nothing of the inside in a 5xx.

use axum::Json;
use axum::response::{IntoResponse, Response};
use http::{HeaderValue, StatusCode, header};
use soma_market::Refusal;
use soma_policy::Code;
pub(crate) use soma_policy::ProblemBody;

use super::guard::trace_id;
use super::reply;
use crate::identity::{PasswordError, TokenError};
use crate::login::LoginError;
use crate::market::MarketError;
use crate::money::MoneyError;
use crate::packages::PackageError;
use crate::server::Verdict;
use crate::store::{StoreError, StoredAnswer};

/// What is said instead of the handler's own answer.
#[derive(Debug)]
pub(crate) enum Problem {
    /// Something was not right.
    Said(Box<Said>),
    /// The answer that this idempotency key had before.
    Before(Box<StoredAnswer>),
}

/// A problem with the headers that belong to it.
#[derive(Debug)]
pub(crate) struct Said {
    body: ProblemBody,
    challenge: Option<String>,
    wait_seconds: Option<u64>,
    limit: Option<Verdict>,
    location: Option<String>,
}

impl Problem {
    pub(crate) fn new(code: Code, detail: impl Into<String>) -> Self {
        let body = ProblemBody::new(code, detail);
        let wait_seconds = matches!(body.status, 429 | 503).then_some(1);
        Self::Said(Box::new(Said {
            body,
            challenge: None,
            wait_seconds,
            limit: None,
            location: None,
        }))
    }

    /// A field of the body, the path or the query that breaks its rule.
    pub(crate) fn field(field: &str, rule: impl std::fmt::Display) -> Self {
        Self::new(Code::FieldBad, format!("`{field}`: {rule}"))
    }

    /// It is not there, or not for this token; which of the two is not told.
    pub(crate) fn not_found(what: &str) -> Self {
        Self::new(Code::NotFound, format!("there is no such {what}"))
    }

    /// Too many requests.
    pub(crate) fn too_fast(verdict: Verdict) -> Self {
        let mut problem = Self::new(Code::RateLimited, "too many requests");
        if let Self::Said(said) = &mut problem {
            said.wait_seconds = Some(verdict.wait_seconds.max(1));
            said.limit = Some(verdict);
        }
        problem
    }

    /// What RFC 9470 asks of who is not sure enough.
    pub(crate) fn step_up(max_age_seconds: u64) -> Self {
        let mut problem = Self::new(
            Code::StepUp,
            format!("two factors of the last {max_age_seconds} s are needed"),
        );
        if let Self::Said(said) = &mut problem {
            said.challenge = Some(format!(
                "Bearer realm=\"soma\", error=\"insufficient_user_authentication\", acr_values=\"aal2\", max_age=\"{max_age_seconds}\""
            ));
        }
        problem
    }

    /// The same, with where to look.
    pub(crate) fn at(mut self, location: Option<String>) -> Self {
        if let Self::Said(said) = &mut self {
            said.location = location;
        }
        self
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Exists => Self::new(Code::Exists, "it exists already"),
            StoreError::Orphan => {
                Self::new(Code::FieldBad, "what the body refers to does not exist")
            }
            StoreError::Busy => Self::new(Code::StoreDown, "the database is busy"),
            StoreError::Full | StoreError::ReadOnly | StoreError::Closed => {
                tracing::error!(%error, "the database takes nothing");
                Self::new(Code::StoreDown, error.to_string())
            }
            StoreError::Down(cause) => {
                tracing::error!(%cause, "the database does not answer");
                Self::new(Code::StoreDown, "the database does not answer")
            }
            other => {
                tracing::error!(error = %other, "the store failed");
                Self::new(Code::HostFailure, "the server failed")
            }
        }
    }
}

impl From<MarketError> for Problem {
    fn from(error: MarketError) -> Self {
        match error {
            MarketError::Refused(refusal) => (*refusal).into(),
            MarketError::Verify(error) => {
                Self::new(error.code(), error.to_string()).fix(error.remedy())
            }
            MarketError::Store(error) => error.into(),
            MarketError::Package(PackageError::TooLarge { .. }) => {
                Self::new(Code::BodyTooLarge, error.to_string())
            }
            MarketError::Package(PackageError::Approved(_)) => {
                Self::new(Code::VersionTaken, error.to_string())
            }
            MarketError::Unknown(code, what) => Self::new(code, what),
            MarketError::Raced => Self::new(Code::MoveStale, error.to_string()),
            MarketError::Busy(what) => Self::new(Code::Busy, what),
            MarketError::Package(_) | MarketError::Failed(_) => {
                tracing::error!(%error, "the marketplace failed");
                Self::new(Code::HostFailure, "the server failed")
            }
        }
    }
}

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Self {
        let mut problem = Self::new(refusal.code, refusal.reason).fix(refusal.remedy);
        if let Self::Said(said) = &mut problem {
            said.body.denials = refusal.denials.into_vec();
        }
        problem
    }
}

impl From<MoneyError> for Problem {
    fn from(error: MoneyError) -> Self {
        match error {
            MoneyError::Store(error) => error.into(),
            MoneyError::Refused(refusal) => refusal.into(),
        }
    }
}

impl From<TokenError> for Problem {
    fn from(error: TokenError) -> Self {
        Self::new(error.code(), error.to_string())
    }
}

impl From<PasswordError> for Problem {
    fn from(error: PasswordError) -> Self {
        match error {
            PasswordError::Weak(rule) => Self::new(Code::WeakPassword, rule),
            PasswordError::Busy => Self::new(Code::Busy, "too many logins at once"),
            PasswordError::Failed => Self::new(Code::HostFailure, "the server failed"),
        }
    }
}

impl From<LoginError> for Problem {
    fn from(error: LoginError) -> Self {
        match error {
            LoginError::Store(error) => error.into(),
            LoginError::Password(error) => error.into(),
            LoginError::Token(error) => error.into(),
            LoginError::TooFast(verdict) => Self::too_fast(verdict),
            LoginError::Failed => {
                tracing::error!("sealing or randomness failed");
                Self::new(Code::HostFailure, "the server failed")
            }
            other => Self::new(other.code(), other.to_string()),
        }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        match self {
            Self::Before(answer) => reply::again(*answer),
            Self::Said(said) => said.into_response(),
        }
    }
}

impl IntoResponse for Said {
    fn into_response(mut self) -> Response {
        self.body.trace_id = trace_id();
        let status = StatusCode::from_u16(self.body.status);
        let status = status.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut response = (status, Json(&self.body)).into_response();
        let fields = response.headers_mut();
        let mut set = |name: header::HeaderName, value: String| {
            if let Ok(value) = HeaderValue::from_str(&value) {
                fields.insert(name, value);
            }
        };
        set(header::CONTENT_TYPE, "application/problem+json".to_owned());
        if status == StatusCode::UNAUTHORIZED {
            let bearer = || "Bearer realm=\"soma\"".to_owned();
            set(header::WWW_AUTHENTICATE, self.challenge.unwrap_or_else(bearer));
        }
        if let Some(seconds) = self.wait_seconds {
            set(header::RETRY_AFTER, seconds.to_string());
        }
        if let Some(limit) = self.limit {
            set(header::HeaderName::from_static("x-ratelimit-limit"), limit.limit.to_string());
            let left = limit.remaining.to_string();
            set(header::HeaderName::from_static("x-ratelimit-remaining"), left);
            let reset = limit.wait_seconds.to_string();
            set(header::HeaderName::from_static("x-ratelimit-reset"), reset);
        }
        if let Some(location) = self.location {
            set(header::LOCATION, location);
        }
        response
    }
}

impl Problem {
    /// With a remedy of its own.
    pub(crate) fn fix(mut self, remedy: impl Into<String>) -> Self {
        if let Self::Said(said) = &mut self {
            said.body.remedy = remedy.into();
        }
        self
    }

    /// When to come again.
    pub(crate) fn wait(&mut self, seconds: u64) {
        if let Self::Said(said) = self {
            said.wait_seconds = Some(seconds);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_database_that_takes_nothing_is_told_as_one_that_is_down() {
        for error in [StoreError::Full, StoreError::ReadOnly, StoreError::Closed, StoreError::Busy]
        {
            let said = error.to_string();
            let answer = Problem::from(error).into_response();
            assert_eq!(answer.status(), StatusCode::SERVICE_UNAVAILABLE, "{said}");
        }
    }
}
