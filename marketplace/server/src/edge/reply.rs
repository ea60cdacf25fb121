//! Answers that a handler gives, in a form that can be stored with their effect.

use axum::response::{IntoResponse, Response};
use http::{HeaderValue, StatusCode, header};
use serde::Serialize;
use soma_policy::Code;

use super::etag::Version;
use super::problem::Problem;
use crate::store::StoredAnswer;

/// An answer.
#[derive(Debug)]
pub(crate) struct Reply {
    status: StatusCode,
    location: Option<String>,
    etag: Option<Version>,
    body: Option<String>,
    secret: bool,
}

impl Reply {
    fn with<T: Serialize + ?Sized>(status: StatusCode, body: &T) -> Self {
        let body = serde_json::to_string(body).ok();
        Self { status, location: None, etag: None, body, secret: false }
    }

    /// 200 with a body.
    pub(crate) fn ok<T: Serialize + ?Sized>(body: &T) -> Self {
        Self::with(StatusCode::OK, body)
    }

    /// 201 with a body, and where the new thing is.
    pub(crate) fn created<T: Serialize + ?Sized>(location: String, body: &T) -> Self {
        Self { location: Some(location), ..Self::with(StatusCode::CREATED, body) }
    }

    /// 202 with a body, and where to look for the end of it.
    pub(crate) fn accepted<T: Serialize + ?Sized>(location: String, body: &T) -> Self {
        Self { location: Some(location), ..Self::with(StatusCode::ACCEPTED, body) }
    }

    /// 204.
    pub(crate) fn nothing() -> Self {
        let status = StatusCode::NO_CONTENT;
        Self { status, location: None, etag: None, body: None, secret: false }
    }

    /// With the version that the thing has now.
    pub(crate) fn version(mut self, version: u64) -> Self {
        self.etag = Some(Version(version));
        self
    }

    /// Its body holds a secret: it is never stored.
    pub(crate) fn secret(mut self) -> Self {
        self.secret = true;
        self
    }

    /// The form in which it is stored with its effect.
    pub(crate) fn stored(&self, fingerprint: String) -> StoredAnswer {
        StoredAnswer {
            fingerprint,
            status: self.status.as_u16(),
            location: self.location.clone(),
            etag: self.etag.map(|etag| etag.to_string()),
            body: if self.secret { None } else { Some(self.body.clone().unwrap_or_default()) },
        }
    }
}

/// The answer that was given before, once more.
pub(super) fn again(answer: StoredAnswer) -> Response {
    let Some(body) = answer.body else {
        let what = "the answer held a secret, which was shown once";
        return Problem::new(Code::AnswerNotKept, what).at(answer.location).into_response();
    };
    let status = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::OK);
    let body = Some(body).filter(|body| !body.is_empty());
    let mut response = respond(status, answer.location, answer.etag, body);
    let replayed = header::HeaderName::from_static("idempotent-replayed");
    response.headers_mut().insert(replayed, HeaderValue::from_static("true"));
    response
}

impl IntoResponse for Reply {
    fn into_response(self) -> Response {
        let etag = self.etag.map(|etag| etag.to_string());
        respond(self.status, self.location, etag, self.body)
    }
}

fn respond(
    status: StatusCode,
    location: Option<String>,
    etag: Option<String>,
    body: Option<String>,
) -> Response {
    let mut response = match body {
        Some(body) => {
            let json = HeaderValue::from_static("application/json");
            (status, [(header::CONTENT_TYPE, json)], body).into_response()
        }
        None => status.into_response(),
    };
    for (name, value) in [(header::LOCATION, location), (header::ETAG, etag)] {
        if let Some(Ok(value)) = value.map(|value| HeaderValue::from_str(&value)) {
            response.headers_mut().insert(name, value);
        }
    }
    response
}
