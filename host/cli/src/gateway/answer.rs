//! What a client gets from the gateway: an upstream's answer as it comes, or the gateway's own words.

use bytes::Bytes;
use http::{HeaderValue, Response, StatusCode, header};
use http_body_util::{Either, Full};
use hyper::body::Incoming;
use serde_json::{Value, json};
use soma_policy::Code;

/// A body: an upstream's, handed on as it arrives and cut where it is cut, or one of our own.
pub(super) type Answer = Response<Either<Full<Bytes>, Incoming>>;

/// An upstream's answer.
pub(super) fn forwarded(answer: Response<Incoming>) -> Answer {
    answer.map(Either::Right)
}

/// A problem as RFC 9457 has it, with the status of its code.
pub(super) fn problem(code: Code, detail: &str) -> Answer {
    let entry = code.entry();
    let body = json!({
        "type": format!("https://soma.dev/errors/{}", entry.id),
        "title": entry.title,
        "status": entry.http,
        "code": entry.id,
        "detail": detail,
        "remedy": entry.remedy,
        "denials": [],
    });
    let status = StatusCode::from_u16(entry.http).unwrap_or(StatusCode::SERVICE_UNAVAILABLE);
    text(status, "application/problem+json", body.to_string())
}

/// A JSON document.
pub(super) fn document(status: StatusCode, value: &Value) -> Answer {
    text(status, "application/json", value.to_string())
}

/// A text of this type.
pub(super) fn text(status: StatusCode, kind: &'static str, body: String) -> Answer {
    let mut response = Response::new(Either::Left(Full::new(Bytes::from(body))));
    *response.status_mut() = status;
    let fields = response.headers_mut();
    for (name, value) in [
        (header::CONTENT_TYPE, kind),
        (header::CACHE_CONTROL, "no-store"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::CONTENT_SECURITY_POLICY, "default-src 'none'; frame-ancestors 'none'"),
        (header::REFERRER_POLICY, "no-referrer"),
    ] {
        fields.insert(name, HeaderValue::from_static(value));
    }
    response
}
