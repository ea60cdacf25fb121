//! Which header fields pass between a client and a served capsule.
//!
//! Towards the guest by allow-list: credentials, cookies, forwarding fields and everything unknown stay outside.
//! Towards the client by block-list of what would reach beyond the capsule's own origin or its own response.

use http::header::{self, HeaderMap, HeaderName, HeaderValue};

use crate::capability::http::headers::is_forbidden;

/// Takes out of `fields` everything that a guest may not see. `host` stays, because the authority that the guest is told
/// is read from it; as a field it is forbidden to every guest and taken out by the view.
pub(crate) fn admit(fields: &mut HeaderMap) {
    // The usual request has nothing to take out; then nothing is allocated.
    while let Some(name) = fields.keys().find(|name| !passes(name)).cloned() {
        fields.remove(name);
    }
}

/// Whether a field of a request may be seen by a guest.
#[must_use]
pub fn passes(name: &HeaderName) -> bool {
    let name = name.as_str();
    matches!(
        name,
        "accept"
            | "accept-charset"
            | "accept-encoding"
            | "accept-language"
            | "access-control-request-headers"
            | "access-control-request-method"
            | "cache-control"
            | "content-disposition"
            | "content-encoding"
            | "content-language"
            | "content-length"
            | "content-type"
            | "date"
            | "depth"
            | "digest"
            | "dnt"
            | "host"
            | "idempotency-key"
            | "if-match"
            | "if-modified-since"
            | "if-none-match"
            | "if-range"
            | "if-unmodified-since"
            | "last-event-id"
            | "origin"
            | "pragma"
            | "prefer"
            | "priority"
            | "range"
            | "repr-digest"
            | "content-digest"
            | "save-data"
            | "sec-fetch-dest"
            | "sec-fetch-mode"
            | "sec-fetch-site"
            | "sec-fetch-user"
            | "sec-gpc"
            | "traceparent"
            | "tracestate"
            | "upgrade-insecure-requests"
            | "user-agent"
            | "x-requested-with"
            | "x-request-id"
    ) || is_webhook(name)
}

/// What senders of webhooks sign and name their messages with.
fn is_webhook(name: &str) -> bool {
    matches!(
        name,
        "webhook-id"
            | "webhook-timestamp"
            | "webhook-signature"
            | "stripe-signature"
            | "x-github-delivery"
            | "x-github-event"
            | "x-github-hook-id"
            | "x-gitlab-event"
            | "x-hub-signature"
            | "x-hub-signature-256"
            | "x-slack-request-timestamp"
            | "x-slack-signature"
    ) || name.starts_with("ce-")
}

/// Takes out of a guest's response what reaches beyond its origin, and makes its cookies host-only.
pub(crate) fn release(fields: &mut HeaderMap) {
    while let Some(name) = fields.keys().find(|name| is_withheld(name)).cloned() {
        fields.remove(name);
    }
    if fields.contains_key(header::SET_COOKIE) {
        keep_cookies_at_home(fields);
    }
}

fn is_withheld(name: &HeaderName) -> bool {
    is_forbidden(name)
        || matches!(
            name.as_str(),
            "strict-transport-security"
                | "content-security-policy"
                | "content-security-policy-report-only"
                | "alt-svc"
                | "service-worker-allowed"
                | "clear-site-data"
                | "public-key-pins"
                | "public-key-pins-report-only"
                | "expect-ct"
                | "nel"
                | "report-to"
                | "reporting-endpoints"
                | "www-authenticate"
                | "authentication-info"
                | "set-cookie2"
                | "origin-agent-cluster"
                | "observe-browsing-topics"
        )
}

/// Drops the `Domain` attribute of every cookie, and every cookie that cannot be read.
fn keep_cookies_at_home(fields: &mut HeaderMap) {
    let cookies: Vec<HeaderValue> =
        fields.get_all(header::SET_COOKIE).iter().filter_map(host_only).collect();
    fields.remove(header::SET_COOKIE);
    for cookie in cookies {
        fields.append(header::SET_COOKIE, cookie);
    }
}

fn host_only(cookie: &HeaderValue) -> Option<HeaderValue> {
    let text = cookie.to_str().ok()?;
    let mut parts = text.split(';');
    let pair = parts.next()?.trim();
    if !pair.contains('=') {
        return None;
    }
    let mut kept = String::with_capacity(text.len());
    kept.push_str(pair);
    for attribute in parts.map(str::trim) {
        let name = attribute.split('=').next().unwrap_or("").trim();
        if !attribute.is_empty() && !name.eq_ignore_ascii_case("domain") {
            kept.push_str("; ");
            kept.push_str(attribute);
        }
    }
    HeaderValue::from_str(&kept).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(fields: &[(&str, &str)]) -> HeaderMap {
        let pair = |(name, value): &(&str, &str)| {
            (name.parse::<HeaderName>().unwrap(), value.parse::<HeaderValue>().unwrap())
        };
        fields.iter().map(pair).collect()
    }

    #[test]
    fn credentials_cookies_and_forwarding_stay_outside() {
        let mut fields = map(&[
            ("accept", "*/*"),
            ("authorization", "Bearer t"),
            ("cookie", "a=1"),
            ("proxy-authorization", "x"),
            ("x-forwarded-for", "1.2.3.4"),
            ("forwarded", "for=1"),
            ("x-real-ip", "1.2.3.4"),
            ("via", "1.1 p"),
            ("x-api-key", "k"),
            ("x-amz-security-token", "k"),
            ("x-csrf-token", "k"),
            ("referer", "https://elsewhere.example/?token=1"),
            ("soma-call-id", "x"),
            ("host", "a--b--c.localhost"),
            ("content-type", "text/plain"),
            ("x-hub-signature-256", "sha256=1"),
        ]);
        admit(&mut fields);
        let mut left: Vec<_> = fields.keys().map(HeaderName::as_str).collect();
        left.sort_unstable();
        assert_eq!(left, ["accept", "content-type", "host", "x-hub-signature-256"]);
        assert!(is_forbidden(&header::HOST));
    }

    #[test]
    fn what_reaches_beyond_the_origin_is_withheld() {
        let mut fields = map(&[
            ("content-type", "text/html"),
            ("strict-transport-security", "max-age=1"),
            ("content-security-policy", "default-src *"),
            ("content-security-policy-report-only", "x"),
            ("alt-svc", "h3=\":443\""),
            ("service-worker-allowed", "/"),
            ("clear-site-data", "\"*\""),
            ("www-authenticate", "Basic"),
            ("connection", "close"),
            ("keep-alive", "x"),
            ("transfer-encoding", "chunked"),
            ("upgrade", "x"),
            ("trailer", "x"),
            ("nel", "{}"),
            ("soma-call-id", "forged"),
            ("x-own", "1"),
        ]);
        release(&mut fields);
        let mut left: Vec<_> = fields.keys().map(HeaderName::as_str).collect();
        left.sort_unstable();
        assert_eq!(left, ["content-type", "x-own"]);
    }

    #[test]
    fn cookies_become_host_only() {
        let table = [
            ("a=1", Some("a=1")),
            ("a=1; Domain=localhost; Path=/", Some("a=1; Path=/")),
            ("a=1;DOMAIN = .example.org;HttpOnly", Some("a=1; HttpOnly")),
            ("a=1; domain", Some("a=1")),
            ("a=domain; Secure", Some("a=domain; Secure")),
            ("no pair", None),
        ];
        for (given, kept) in table {
            let mut fields = map(&[("set-cookie", given)]);
            release(&mut fields);
            let got = fields.get("set-cookie").map(|value| value.to_str().unwrap());
            assert_eq!(got, kept, "{given}");
        }
    }

    #[test]
    fn every_cookie_is_looked_at() {
        let mut fields = map(&[("set-cookie", "a=1; Domain=x"), ("set-cookie", "b=2; Domain=y")]);
        release(&mut fields);
        let got: Vec<_> = fields.get_all("set-cookie").iter().collect();
        assert_eq!(got, ["a=1", "b=2"]);
    }

    #[test]
    fn a_value_cannot_carry_a_line_break() {
        for value in ["a\r\nset-cookie: b=1", "a\nb", "a\rb", "a\0b"] {
            assert!(HeaderValue::from_str(value).is_err());
        }
    }

    proptest::proptest! {
        #[test]
        fn no_cookie_leaves_with_a_domain(cookie in "[ -~]{0,80}") {
            if let Some(kept) = HeaderValue::from_str(&cookie).ok().as_ref().and_then(host_only) {
                let kept = kept.to_str().unwrap().to_ascii_lowercase();
                let attributes = kept.split(';').skip(1).map(|part| part.split('=').next().unwrap().trim().to_owned());
                proptest::prop_assert!(!attributes.collect::<Vec<_>>().contains(&"domain".to_owned()));
            }
        }
    }
}
