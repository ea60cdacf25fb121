//! The interface as OpenAPI 3.1, generated from the routes; the committed copy is compared by a test.

//!
//! What every operation may answer (a problem, a database that is away) stands here once; handlers say only what they
//! answer with when all went well.

use std::sync::LazyLock;

use axum::response::{IntoResponse, Response};
use http::HeaderValue;
use http::header::CONTENT_TYPE;
use utoipa::OpenApi;
use utoipa::openapi::path::Operation;
use utoipa::openapi::security::{ApiKey, ApiKeyValue, Http, HttpAuthScheme, SecurityScheme};
use utoipa::openapi::{
    ContentBuilder, Header, HeaderBuilder, ObjectBuilder, Ref, RefOr, ResponseBuilder, Type,
    response,
};

use super::problem::ProblemBody;

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Soma server",
        description = "The control plane. Errors are RFC 9457 problems with a `code` that `soma explain` knows; lists have `limit` and `cursor`; updates carry `If-Match`; what creates takes an `Idempotency-Key`.",
        license(name = "Apache-2.0")
    ),
    components(schemas(ProblemBody))
)]
struct Frame;

/// What any request may be answered with.
const PROBLEM: &str = "Problem";
/// What a request is answered with while the database is away.
const UNAVAILABLE: &str = "Unavailable";

/// The document without its routes.
pub(super) fn frame() -> utoipa::openapi::OpenApi {
    let mut frame = Frame::openapi();
    let bearer = SecurityScheme::Http(Http::new(HttpAuthScheme::Bearer));
    let components = frame.components.get_or_insert_default();
    components.add_security_scheme("token", bearer);
    let proof = SecurityScheme::ApiKey(ApiKey::Header(ApiKeyValue::with_description(
        "Soma-Host-Proof",
        "a DSSE envelope of kind `host-proof` over this request, in unpadded base64url",
    )));
    components.add_security_scheme("host", proof);
    for (name, says) in [
        (PROBLEM, "a problem: `code` says which, `remedy` what to do"),
        (UNAVAILABLE, "the database does not answer; nothing was changed"),
    ] {
        components.responses.insert(name.to_owned(), RefOr::T(problem(says)));
    }
    frame
}

/// A problem, with when to come again where that is known.
fn problem(says: &str) -> response::Response {
    let body = ContentBuilder::new().schema(Some(Ref::from_schema_name("ProblemBody"))).build();
    ResponseBuilder::new()
        .description(says)
        .content("application/problem+json", body)
        .header(
            "Retry-After",
            text("seconds until there is room, or until it is worth another try"),
        )
        .build()
}

/// A field of an answer.
fn text(says: &str) -> Header {
    let schema = ObjectBuilder::new().schema_type(Type::String).build();
    HeaderBuilder::new().schema(Some(schema)).description(Some(says)).build()
}

/// Says what an operation answers with when it is refused, and where to find what it made.
fn complete(operation: &mut Operation, path: &str) {
    let answers = &mut operation.responses.responses;
    for made in ["201", "202"] {
        if let Some(RefOr::T(answer)) = answers.get_mut(made) {
            let location = RefOr::T(text("what was made, or where to look for it"));
            answer.headers.insert("Location".to_owned(), location);
        }
    }
    let refer = |name| RefOr::Ref(Ref::from_response_name(name));
    answers.insert("4XX".to_owned(), refer(PROBLEM));
    if path.starts_with("/v1/") {
        answers.insert("503".to_owned(), refer(UNAVAILABLE));
    }
}

/// The whole document.
#[must_use]
pub fn document() -> utoipa::openapi::OpenApi {
    let mut document = super::routes::documented().into_openapi();
    for (path, item) in &mut document.paths.paths {
        let operations = [
            ("get", &mut item.get),
            ("put", &mut item.put),
            ("post", &mut item.post),
            ("patch", &mut item.patch),
            ("delete", &mut item.delete),
        ];
        for (method, operation) in operations {
            if let Some(operation) = operation {
                operation.operation_id = Some(name(method, path));
                complete(operation, path);
            }
        }
    }
    document
}

/// A name for clients that are generated: `post_orgs_org_members` of `POST /v1/orgs/{org}/members`.
fn name(method: &str, path: &str) -> String {
    let word = |c: char| if c.is_ascii_alphanumeric() { c } else { '_' };
    let path = path.trim_start_matches("/v1/").trim_start_matches(['/', '.']);
    let path: String = path.chars().filter(|c| !matches!(c, '{' | '}')).map(word).collect();
    format!("{method}_{path}")
}

/// This document, as it is served: it does not change while the process lives.
static SERVED: LazyLock<String> =
    LazyLock::new(|| serde_json::to_string(&document()).unwrap_or_default());

/// This document.
#[utoipa::path(get, path = "/openapi.json", tag = "server", responses((status = 200, description = "OpenAPI 3.1", body = Object)))]
pub(super) async fn serve() -> Response {
    let json = HeaderValue::from_static("application/json");
    ([(CONTENT_TYPE, json)], SERVED.as_str()).into_response()
}
