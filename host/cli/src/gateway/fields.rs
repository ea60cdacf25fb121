//! Which header fields pass the gateway: by allow-list towards what is behind it, all but those of one connection
//! on the way back. What a client says about addresses before its own (`forwarded`, `x-forwarded-…`) never passes; the
//! server is told the client's own, for its rates.

use std::net::IpAddr;

use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use soma_host::edge::passes;

/// Fields of the interface's own that a guest does not see.
const API: [&str; 3] = ["authorization", "soma-host-proof", "soma-timeout"];

const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// Fields that are about one connection, and those that a client's neighbour would read.
const HOP: [&str; 9] = [
    "connection",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

/// Leaves what may pass to an upstream.
pub(super) fn admit(fields: &mut HeaderMap) {
    let named = named_by_connection(fields);
    while let Some(name) = fields.keys().find(|name| !may_pass(name)).cloned() {
        fields.remove(name);
    }
    for name in named {
        fields.remove(name);
    }
}

fn may_pass(name: &HeaderName) -> bool {
    !HOP.contains(&name.as_str()) && (passes(name) || API.contains(&name.as_str()))
}

/// Says to the server for whom the gateway speaks. Whatever the client said of it is gone by then.
pub(super) fn speak_for(client: IpAddr, fields: &mut HeaderMap) {
    if let Ok(value) = HeaderValue::from_str(&client.to_canonical().to_string()) {
        fields.insert(FORWARDED_FOR, value);
    }
}

/// Takes out of an answer what belongs to the connection that it came by.
pub(super) fn release(fields: &mut HeaderMap) {
    for name in named_by_connection(fields) {
        fields.remove(name);
    }
    for name in HOP {
        fields.remove(name);
    }
}

/// Fields that `connection` declares to be about this connection. A name that has to pass is not taken out by it.
fn named_by_connection(fields: &HeaderMap) -> Vec<HeaderName> {
    let kept = [header::HOST, header::AUTHORIZATION, header::CONTENT_LENGTH, header::CONTENT_TYPE];
    let values = fields.get_all(header::CONNECTION).iter().filter_map(|value| value.to_str().ok());
    let names =
        values.flat_map(|value| value.split(',')).filter_map(|name| name.trim().parse().ok());
    names.filter(|name| !kept.contains(name)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(list: &[(&'static str, &'static str)]) -> HeaderMap {
        list.iter()
            .map(|(name, value)| (HeaderName::from_static(name), value.parse().unwrap()))
            .collect()
    }

    #[test]
    fn what_is_listed_passes_and_nothing_else() {
        let mut sent = fields(&[
            ("authorization", "Bearer x"),
            ("host", "a"),
            ("content-type", "application/json"),
            ("content-length", "2"),
            ("idempotency-key", "k"),
            ("if-match", "\"1\""),
            ("last-event-id", "7"),
            ("traceparent", "00-1"),
            ("soma-host-proof", "p"),
            ("soma-timeout", "5ms"),
            ("accept", "text/event-stream"),
        ]);
        let all = sent.clone();
        for (name, value) in [
            ("cookie", "a=b"),
            ("x-forwarded-for", "10.0.0.1"),
            ("x-forwarded-host", "evil"),
            ("forwarded", "for=1.1.1.1"),
            ("x-real-ip", "1.1.1.1"),
            ("connection", "close, authorization, x-a"),
            ("transfer-encoding", "chunked"),
            ("upgrade", "websocket"),
            ("proxy-authorization", "x"),
            ("te", "trailers"),
            ("x-a", "1"),
            ("x-http-method-override", "DELETE"),
            ("x-original-url", "/admin"),
        ] {
            sent.insert(HeaderName::from_static(name), value.parse().unwrap());
        }
        admit(&mut sent);
        assert_eq!(sent, all);
    }

    #[test]
    fn the_server_is_told_the_clients_own_address_and_nothing_that_it_said() {
        let mut sent = fields(&[("x-forwarded-for", "10.0.0.1"), ("host", "a")]);
        admit(&mut sent);
        speak_for("::ffff:203.0.113.9".parse().unwrap(), &mut sent);
        assert_eq!(sent, fields(&[("host", "a"), ("x-forwarded-for", "203.0.113.9")]));
    }

    #[test]
    fn an_answer_keeps_all_but_what_is_about_the_connection() {
        let mut answer = fields(&[
            ("connection", "x-hop"),
            ("x-hop", "1"),
            ("keep-alive", "5"),
            ("transfer-encoding", "chunked"),
            ("upgrade", "h2c"),
            ("etag", "\"1\""),
            ("www-authenticate", "Bearer"),
        ]);
        release(&mut answer);
        assert_eq!(answer, fields(&[("etag", "\"1\""), ("www-authenticate", "Bearer")]));
    }
}
