//! Which side a request is for. Decided by host name, method and the path as it was sent: no decoding and no
//! normalising, so what is decided about is what is forwarded.

use http::Method;

/// A side of the gateway.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Side {
    /// The gateway answers itself.
    Own,
    /// A host, by a route of the interface.
    Host,
    /// A host, for the capsule that it serves under this name.
    App,
    /// The server.
    Server,
}

/// Who keeps installations and kill orders.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kept {
    /// The server; its hosts follow its feed.
    ByServer,
    /// The host's own files: it has not joined the server.
    ByHost,
}

/// The side that serves this path of the interface.
pub(super) fn side(method: &Method, path: &str, kept: Kept) -> Side {
    if matches!(path, "/health" | "/ready" | "/version" | "/metrics") {
        return Side::Own;
    }
    let Some(rest) = path.strip_prefix("/v1/") else { return Side::Server };
    let mut parts = rest.split('/');
    let (first, second, third) = (parts.next(), parts.next(), parts.next());
    match (first, second, third) {
        (Some("calls" | "journal"), ..) | (Some("installations"), Some(_), Some("calls")) => {
            Side::Host
        }
        // What an installation kept lies where it ran.
        (Some("installations"), Some(_), Some("data")) if *method == Method::DELETE => Side::Host,
        (Some("installations" | "kill-orders"), ..) if kept == Kept::ByHost => Side::Host,
        _ => Side::Server,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_and_their_records_go_to_a_host_and_all_else_to_the_server() {
        for (path, expected) in [
            ("/health", Side::Own),
            ("/ready", Side::Own),
            ("/version", Side::Own),
            ("/metrics", Side::Own),
            ("/v1/calls", Side::Host),
            ("/v1/calls/01JD/logs", Side::Host),
            ("/v1/journal", Side::Host),
            ("/v1/installations/issues/calls/list-issues", Side::Host),
            ("/v1/installations", Side::Server),
            ("/v1/installations/issues", Side::Server),
            ("/v1/installations/calls", Side::Server),
            ("/v1/kill-orders", Side::Server),
            ("/v1/feed/journal", Side::Server),
            ("/v1/orgs/calls", Side::Server),
            ("/v1//calls", Side::Server),
            ("/v1/callsx", Side::Server),
            ("/v1/x/../calls", Side::Server),
            ("/V1/calls", Side::Server),
            ("/health/", Side::Server),
            ("/", Side::Server),
            ("*", Side::Server),
        ] {
            assert_eq!(side(&Method::GET, path, Kept::ByServer), expected, "{path}");
        }
        let data = "/v1/installations/issues/data";
        assert_eq!(side(&Method::DELETE, data, Kept::ByServer), Side::Host);
        assert_eq!(side(&Method::GET, data, Kept::ByServer), Side::Server);
    }

    #[test]
    fn a_host_of_files_keeps_its_own_installations_and_orders() {
        for path in ["/v1/installations", "/v1/kill-orders/01JD/sign", "/v1/installations/a"] {
            assert_eq!(side(&Method::POST, path, Kept::ByHost), Side::Host, "{path}");
        }
        assert_eq!(side(&Method::GET, "/v1/orgs", Kept::ByHost), Side::Server);
    }
}
