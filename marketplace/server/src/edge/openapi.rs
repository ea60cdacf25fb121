//! The interface as OpenAPI 3.1, generated from the routes; the committed copy is compared by a test.

use axum::Json;
use utoipa::OpenApi;
use utoipa::openapi::security::{ApiKey, ApiKeyValue, Http, HttpAuthScheme, SecurityScheme};

#[derive(OpenApi)]
#[openapi(info(
    title = "Soma server",
    description = "The control plane. Errors are RFC 9457 problems with a `code` that `soma explain` knows; lists have `limit` and `cursor`; updates carry `If-Match`; what creates takes an `Idempotency-Key`.",
    license(name = "Apache-2.0")
))]
struct Frame;

/// The document without its routes.
pub(super) fn frame() -> utoipa::openapi::OpenApi {
    let mut frame = Frame::openapi();
    let bearer = SecurityScheme::Http(Http::new(HttpAuthScheme::Bearer));
    frame.components.get_or_insert_default().add_security_scheme("token", bearer);
    let proof = SecurityScheme::ApiKey(ApiKey::Header(ApiKeyValue::with_description(
        "Soma-Host-Proof",
        "a DSSE envelope of kind `host-proof` over this request, in unpadded base64url",
    )));
    frame.components.get_or_insert_default().add_security_scheme("host", proof);
    frame
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

/// This document.
#[utoipa::path(get, path = "/openapi.json", tag = "server", responses((status = 200, description = "OpenAPI 3.1", body = Object)))]
pub(super) async fn serve() -> Json<utoipa::openapi::OpenApi> {
    Json(document())
}
