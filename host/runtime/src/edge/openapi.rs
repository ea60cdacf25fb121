//! The interface as OpenAPI 3.1, generated from the routes.

use axum::Json;
use serde_json::Value;
use utoipa::OpenApi;
use utoipa::openapi::security::{Http, HttpAuthScheme, SecurityScheme};

use super::kills::Asked;
use super::problem::ProblemBody;

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Soma host",
        description = "Runs signed capsules behind a gate. Errors are RFC 9457 problems with a `code` that `soma explain` knows. \
        Besides what each route lists, any request may meet 404 (no such route), 405 (no such method), 408 (too slow) and 431 (headers too large).",
        license(name = "Apache-2.0", identifier = "Apache-2.0")
    ),
    components(schemas(ProblemBody, Asked))
)]
struct Frame;

/// The document without its routes.
pub(super) fn frame() -> utoipa::openapi::OpenApi {
    let mut frame = Frame::openapi();
    let bearer = SecurityScheme::Http(Http::new(HttpAuthScheme::Bearer));
    frame.components.get_or_insert_default().add_security_scheme("token", bearer);
    frame
}

/// The whole document.
#[must_use]
pub fn document() -> Value {
    let document = super::routes::documented().into_openapi();
    let mut document = serde_json::to_value(document).unwrap_or_default();
    if let Some(Value::Object(schemas)) = document.pointer_mut("/components/schemas") {
        schemas.extend(super::schema::named());
        super::schema::complete_problem(schemas);
    }
    document
}

/// This document.
#[utoipa::path(get, path = "/openapi.json", tag = "host", responses((status = 200, description = "OpenAPI 3.1", body = Object)))]
pub(super) async fn serve() -> Json<Value> {
    Json(document())
}

#[cfg(test)]
mod tests {
    use super::*;

    const COMMITTED: &str = include_str!("../../../../docs/reference/openapi.json");

    #[test]
    fn the_committed_document_is_what_the_host_serves() {
        let generated = format!("{:#}\n", document());
        assert!(
            COMMITTED == generated,
            "docs/reference/openapi.json is not what the routes say; regenerate it with \
             `soma explain --openapi > docs/reference/openapi.json` and look at the difference"
        );
    }

    #[test]
    fn every_reference_in_the_document_leads_somewhere() {
        let document = document();
        let text = document.to_string();
        let refs = text.match_indices("\"$ref\":\"#").map(|(at, found)| {
            let rest = &text[at + found.len()..];
            &rest[..rest.find('"').unwrap()]
        });
        let refs: std::collections::BTreeSet<&str> = refs.collect();
        assert!(refs.len() > 10, "{refs:?}");
        for pointer in refs {
            assert!(document.pointer(pointer).is_some(), "{pointer}");
        }
    }
}
