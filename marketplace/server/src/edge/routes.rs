//! Every route of the server, on one screen.

use std::time::Duration;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::response::IntoResponse;
use http::{HeaderName, HeaderValue, header};
use soma_policy::Code;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::set_header::SetResponseHeaderLayer;
use tower_http::timeout::RequestBodyTimeoutLayer;
use utoipa_axum::router::{OpenApiRouter, UtoipaMethodRouterExt as _};
use utoipa_axum::routes;

use super::problem::Problem;
use super::{
    accounts, audit, bootstrap, capsules, constitution, environments, factor, feed, guard, hosts,
    installations, invitations, issuer, kills, members, money, namespaces, openapi, orgs, resets,
    reviews, revocations, secrets, session, status, submissions, users,
};
use crate::server::Server;

/// Bodies of every route that says nothing else.
const BODY_MAX: usize = 64 * 1024;
/// The report of a host.
const REPORT_MAX: usize = 512 * 1024;
/// A passport with the runs of every scenario.
const PASSPORT_MAX: usize = 4 << 20;
/// How long a body may stand still.
const BODY_STILL: Duration = Duration::from_secs(15);

/// Bodies with a component.
fn large() -> DefaultBodyLimit {
    DefaultBodyLimit::max(submissions::BODY_MAX)
}

/// Bodies with a signed constitution.
fn bundles() -> DefaultBodyLimit {
    DefaultBodyLimit::max(soma_capsule::constitution::DOCUMENT_BYTES_MAX)
}

/// The routes with their documentation.
pub(super) fn documented() -> OpenApiRouter<Server> {
    OpenApiRouter::with_openapi(openapi::frame())
        .routes(routes!(bootstrap::bootstrap))
        .routes(routes!(session::log_in))
        .routes(routes!(session::refresh))
        .routes(routes!(session::log_out))
        .routes(routes!(session::step_up))
        .routes(routes!(session::exchange))
        .routes(routes!(session::change_password))
        .routes(routes!(session::whoami))
        .routes(routes!(session::mint))
        .routes(routes!(factor::begin, factor::confirm, factor::remove))
        .routes(routes!(orgs::list, orgs::create))
        .routes(routes!(orgs::show, orgs::update))
        .routes(routes!(orgs::govern))
        .routes(routes!(environments::list, environments::create))
        .routes(routes!(environments::show))
        .routes(routes!(members::list))
        .routes(routes!(members::show, members::update, members::remove))
        .routes(routes!(invitations::list, invitations::create))
        .routes(routes!(invitations::withdraw))
        .routes(routes!(invitations::accept))
        .routes(routes!(invitations::join))
        .routes(routes!(accounts::list, accounts::create))
        .routes(routes!(accounts::show, accounts::update, accounts::remove))
        .routes(routes!(accounts::keys, accounts::create_key))
        .routes(routes!(accounts::revoke_key))
        .routes(routes!(resets::create))
        .routes(routes!(resets::take))
        .routes(routes!(users::list))
        .routes(routes!(users::show, users::update, users::erase))
        .routes(routes!(issuer::list))
        .routes(routes!(issuer::rotate))
        .routes(routes!(issuer::revoke))
        .routes(routes!(revocations::create))
        .routes(routes!(audit::list))
        .routes(routes!(audit::verify))
        // Hosts and what they are told.
        .routes(routes!(hosts::invite))
        .routes(routes!(hosts::list, hosts::join))
        .routes(routes!(hosts::show, hosts::retire))
        .routes(routes!(feed::follow))
        .routes(routes!(feed::heartbeat).layer(DefaultBodyLimit::max(REPORT_MAX)))
        .routes(routes!(feed::component))
        .routes(routes!(feed::bundle))
        .routes(routes!(feed::approval))
        .routes(routes!(feed::epoch, feed::begin_epoch))
        // Kill orders.
        .routes(routes!(kills::list, kills::give))
        .routes(routes!(kills::wanted))
        .routes(routes!(kills::sign))
        .routes(routes!(kills::lift))
        .routes(routes!(kills::receipts))
        .routes(routes!(kills::take_receipt).layer(DefaultBodyLimit::max(REPORT_MAX)))
        // The constitution.
        .routes(routes!(constitution::current, constitution::put).layer(bundles()))
        .routes(routes!(constitution::history))
        .routes(routes!(constitution::version))
        .routes(routes!(constitution::difference))
        .routes(routes!(constitution::validate).layer(bundles()))
        .routes(
            routes!(constitution::proposals::list, constitution::proposals::propose)
                .layer(bundles()),
        )
        .routes(routes!(constitution::proposals::show))
        .routes(routes!(constitution::proposals::sign).layer(bundles()))
        .routes(routes!(constitution::proposals::activate))
        // Secrets.
        .routes(
            routes!(secrets::set, secrets::show, secrets::remove)
                .layer(DefaultBodyLimit::max(secrets::BODY_MAX)),
        )
        .routes(routes!(secrets::list))
        .routes(routes!(secrets::send))
        // Behaviour review.
        .routes(routes!(reviews::next))
        .routes(routes!(reviews::hand_in).layer(DefaultBodyLimit::max(PASSPORT_MAX)))
        .routes(routes!(reviews::passport))
        // The marketplace.
        .routes(routes!(namespaces::list, namespaces::claim))
        .routes(routes!(namespaces::show))
        .routes(routes!(namespaces::transfer))
        .routes(routes!(namespaces::judge))
        .routes(routes!(namespaces::keys, namespaces::add_key))
        .routes(routes!(namespaces::revoke_key))
        .routes(routes!(submissions::list, submissions::create).layer(large()))
        .routes(routes!(submissions::create_short).layer(large()))
        .routes(routes!(submissions::show))
        .routes(routes!(submissions::review))
        .routes(routes!(submissions::publish))
        .routes(routes!(capsules::list))
        .routes(routes!(capsules::list_short))
        .routes(routes!(capsules::show))
        .routes(routes!(capsules::version))
        .routes(routes!(capsules::withdrawals::withdraw))
        .routes(routes!(capsules::withdrawals::unfreeze))
        .routes(routes!(capsules::ratings::list, capsules::ratings::rate))
        .routes(routes!(installations::list, installations::create))
        .routes(routes!(
            installations::show,
            installations::changes::update,
            installations::changes::remove
        ))
        .routes(routes!(installations::revisions))
        .routes(routes!(installations::changes::upgrade))
        .routes(routes!(installations::changes::roll_back))
        .routes(routes!(installations::changes::back_out))
        .routes(routes!(installations::changes::accept_owner))
        .routes(routes!(installations::changes::forget))
        // Money.
        .routes(routes!(money::hosts::lease).layer(DefaultBodyLimit::max(money::hosts::LEASES_MAX)))
        .routes(routes!(money::hosts::push).layer(DefaultBodyLimit::max(money::hosts::PUSH_MAX)))
        .routes(routes!(money::ledgers::accounts))
        .routes(routes!(money::ledgers::rows))
        .routes(routes!(money::export::export))
        .routes(routes!(money::statements::statement))
        .routes(routes!(money::events::list, money::events::enter))
        .routes(routes!(money::events::refund))
        .routes(routes!(money::events::credit))
        .routes(routes!(money::budgets::list, money::budgets::put, money::budgets::remove))
        .routes(routes!(money::payouts::list, money::payouts::request))
        .routes(routes!(money::payouts::step))
        .routes(routes!(money::payouts::export))
        .routes(routes!(money::payouts::earnings))
        .routes(routes!(money::terms::list, money::terms::put))
        .routes(routes!(money::terms::check))
        .routes(routes!(money::hosts::journals))
        .routes(routes!(money::hosts::lift))
        // The server itself.
        .routes(routes!(status::health))
        .routes(routes!(status::ready))
        .routes(routes!(status::version))
        .routes(routes!(status::metrics))
        .routes(routes!(status::jwks))
        .routes(routes!(openapi::serve))
}

/// The router as it is served.
pub(super) fn router(server: Server) -> Router {
    let fixed =
        |name, value| SetResponseHeaderLayer::if_not_present(name, HeaderValue::from_static(value));
    let (router, _) = documented().split_for_parts();
    let mut router = router
        .fallback(|| async { Problem::new(Code::RouteUnknown, "this server has no such route") })
        .method_not_allowed_fallback(|| async {
            Problem::new(Code::MethodNotAllowed, "the route has no such method")
        })
        .layer(DefaultBodyLimit::max(BODY_MAX))
        .layer(RequestBodyTimeoutLayer::new(BODY_STILL))
        .layer(CatchPanicLayer::custom(panicked))
        .layer(axum::middleware::from_fn_with_state(server.clone(), guard::guard))
        .layer(fixed(header::CACHE_CONTROL, "no-store"))
        .layer(fixed(header::X_CONTENT_TYPE_OPTIONS, "nosniff"))
        .layer(fixed(header::CONTENT_SECURITY_POLICY, "default-src 'none'; frame-ancestors 'none'"))
        .layer(fixed(header::REFERRER_POLICY, "no-referrer"))
        .layer(fixed(HeaderName::from_static("cross-origin-resource-policy"), "same-origin"));
    if server.tls {
        let year = "max-age=31536000; includeSubDomains";
        router = router.layer(fixed(header::STRICT_TRANSPORT_SECURITY, year));
    }
    router.with_state(server)
}

/// A panic of ours is an answer without detail, and the server lives.
fn panicked(_: Box<dyn std::any::Any + Send>) -> axum::response::Response {
    tracing::error!("a handler panicked");
    Problem::new(Code::HostFailure, "the server failed").into_response()
}
