//! What a request says: bodies, paths and queries as typed values, or a problem that names the place.

use axum::extract::{FromRequest, FromRequestParts, Path, Query, Request};
use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::request::Parts;
use serde::de::DeserializeOwned;
use serde_json::error::Category;
use soma_policy::{Code, Digest, explain_serde};

use super::problem::Problem;

/// A JSON body, with the digest of its bytes.
#[derive(Debug)]
pub(crate) struct Body<T> {
    pub(crate) value: T,
    pub(crate) digest: Digest,
}

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Body<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        must_be_json(&request)?;
        let bytes = read(request, state).await?;
        let value = parse(&bytes)?;
        must_be_object(&bytes)?;
        Ok(Self { value, digest: Digest::of(&bytes) })
    }
}

/// Refuses a list of fields without their names, which the reader of JSON would take for an object.
fn must_be_object(bytes: &[u8]) -> Result<(), Problem> {
    match bytes.trim_ascii_start().first() {
        Some(b'{') => Ok(()),
        _ => Err(Problem::new(Code::FieldBad, "the body is an object with named fields")),
    }
}

/// Refuses a body of another type.
pub(super) fn must_be_json(request: &Request) -> Result<(), Problem> {
    let kind = request.headers().get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
    let kind = kind.and_then(|kind| kind.split(';').next()).unwrap_or_default().trim();
    if kind.eq_ignore_ascii_case("application/json") {
        return Ok(());
    }
    Err(Problem::new(Code::MediaType, "send Content-Type: application/json"))
}

/// The whole body, within the route's bound.
pub(super) async fn read<S: Send + Sync>(request: Request, state: &S) -> Result<Bytes, Problem> {
    let bytes = Bytes::from_request(request, state).await;
    bytes.map_err(|rejected| match rejected.status().as_u16() {
        413 => Problem::new(Code::BodyTooLarge, "the body is larger than this route takes"),
        _ => Problem::new(Code::InputSyntax, "the body broke off, or took too long"),
    })
}

/// A JSON body as its type.
pub(super) fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Problem> {
    serde_json::from_slice(bytes).map_err(|error| read_error(&error))
}

fn read_error(error: &serde_json::Error) -> Problem {
    match error.classify() {
        Category::Data => Problem::new(Code::FieldBad, explain_serde(&error.to_string())),
        _ => Problem::new(Code::InputSyntax, error.to_string()),
    }
}

/// The parts of a path.
#[derive(Debug)]
pub(crate) struct At<T>(pub(crate) T);

impl<T: DeserializeOwned + Send, S: Send + Sync> FromRequestParts<S> for At<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        // What cannot be an id is the id of nothing.
        let path = Path::<T>::from_request_parts(parts, state).await;
        path.map(|Path(value)| Self(value)).map_err(|_| Problem::not_found("thing"))
    }
}

/// The query.
#[derive(Debug)]
pub(crate) struct Search<T>(pub(crate) T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for Search<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let query = Query::<T>::from_request_parts(parts, state).await;
        let wrong = |said: String| Problem::new(Code::FieldBad, explain_serde(&said));
        query.map(|Query(value)| Self(value)).map_err(|rejected| wrong(rejected.body_text()))
    }
}
