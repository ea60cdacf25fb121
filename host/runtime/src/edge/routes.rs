//! Every route of a host, on one screen.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::response::IntoResponse;
use http::{HeaderName, HeaderValue, StatusCode, header};
use soma_policy::Code;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::set_header::SetResponseHeaderLayer;
use tower_http::timeout::RequestBodyTimeoutLayer;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::problem::Problem;
use super::{calls, invoke, journal, kills, openapi, status};
use crate::host::Host;

/// Arguments of a call at most, whatever the installation's own `input` limit says.
const BODY_MAX: usize = 17 << 20;
/// How long a body may stand still.
const BODY_STILL: Duration = Duration::from_secs(15);

/// The routes with their documentation.
pub(super) fn documented() -> OpenApiRouter<Arc<Host>> {
    OpenApiRouter::with_openapi(openapi::frame())
        .routes(routes!(invoke::call))
        .routes(routes!(calls::list))
        .routes(routes!(calls::show))
        .routes(routes!(calls::logs))
        .routes(routes!(status::installations))
        .routes(routes!(status::purge))
        .routes(routes!(journal::read))
        .routes(routes!(kills::give, kills::list))
        .routes(routes!(kills::sign))
        .routes(routes!(kills::lift))
        .routes(routes!(kills::receipts))
        .routes(routes!(status::health))
        .routes(routes!(status::ready))
        .routes(routes!(status::version))
        .routes(routes!(status::metrics))
        .routes(routes!(status::jwks))
        .routes(routes!(openapi::serve))
}

/// The router as it is served.
pub(super) fn router(host: Arc<Host>) -> Router {
    let fixed =
        |name, value| SetResponseHeaderLayer::if_not_present(name, HeaderValue::from_static(value));
    let (router, _) = documented().split_for_parts();
    router
        .fallback(|| async { Problem::new(Code::RouteUnknown, "this host has no such route") })
        .method_not_allowed_fallback(|| async {
            Problem::new(Code::MethodNotAllowed, "the route has no such method")
        })
        .layer(DefaultBodyLimit::max(BODY_MAX))
        .layer(RequestBodyTimeoutLayer::new(BODY_STILL))
        .layer(fixed(header::CACHE_CONTROL, "no-store"))
        .layer(fixed(header::X_CONTENT_TYPE_OPTIONS, "nosniff"))
        .layer(fixed(header::CONTENT_SECURITY_POLICY, "default-src 'none'; frame-ancestors 'none'"))
        .layer(fixed(header::REFERRER_POLICY, "no-referrer"))
        .layer(fixed(HeaderName::from_static("cross-origin-resource-policy"), "same-origin"))
        .layer(CatchPanicLayer::custom(panicked))
        .with_state(host)
}

/// A panic of ours is an answer without detail, and the host lives.
fn panicked(_: Box<dyn std::any::Any + Send>) -> axum::response::Response {
    tracing::error!("a handler panicked");
    let mut response = Problem::new(Code::HostFailure, "the host failed").into_response();
    *response.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
    response
}
