//! Which header fields a guest may write and read, and how many of them.
//!
//! The host owns everything that frames a message, names its target, or speaks of proxies. Values are not looked at here:
//! `HeaderValue` cannot hold CR, LF or NUL.

use http::{HeaderMap, HeaderName};

/// Fields of one message, both ways.
pub(crate) const FIELDS_MAX: usize = 128;
/// Bytes of names and values of one message, both ways.
pub(crate) const FIELD_BYTES_MAX: usize = 32 * 1024;
/// Bytes of a request target.
pub(crate) const TARGET_BYTES_MAX: usize = 8 * 1024;

/// True of a field that no guest may set on a message, and that no guest is shown.
pub(crate) fn is_forbidden(name: &HeaderName) -> bool {
    let name = name.as_str();
    is_hop_by_hop(name)
        || matches!(
            name,
            "host"
                | "expect"
                | "via"
                | "forwarded"
                | "max-forwards"
                | "early-data"
                | "alt-used"
                | "x-real-ip"
                | "x-client-ip"
                | "x-cluster-client-ip"
                | "true-client-ip"
                | "x-original-host"
                | "x-original-url"
                | "x-rewrite-url"
                | "x-http-method-override"
                | "x-http-method"
                | "x-method-override"
        )
        || name.starts_with("x-forwarded-")
        || name == "x-forwarded"
        || name.starts_with("proxy-")
        || name.starts_with("cf-connecting-")
        || name.starts_with("soma-")
}

/// True of a field that means something to one connection only.
pub(crate) fn is_hop_by_hop(name: &str) -> bool {
    matches!(
        name,
        "connection"
            | "keep-alive"
            | "proxy-connection"
            | "te"
            | "trailer"
            | "transfer-encoding"
            | "upgrade"
            | "http2-settings"
    )
}

/// A message whose header section is larger than the host will hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{fields} header fields of {bytes} bytes are more than {FIELDS_MAX} of {FIELD_BYTES_MAX}")]
pub(crate) struct TooManyFields {
    pub(crate) fields: usize,
    pub(crate) bytes: usize,
}

/// The bytes of names and values, or an error when there are too many of either.
pub(crate) fn measure(fields: &HeaderMap) -> Result<usize, TooManyFields> {
    let count = fields.len();
    let bytes = fields.iter().map(|(name, value)| name.as_str().len() + value.len() + 4).sum();
    if count > FIELDS_MAX || bytes > FIELD_BYTES_MAX {
        return Err(TooManyFields { fields: count, bytes });
    }
    Ok(bytes)
}

/// Removes what the guest must neither send nor see, whoever put it there.
pub(crate) fn strip(fields: &mut HeaderMap) {
    let unwanted: Vec<HeaderName> =
        fields.keys().filter(|name| is_forbidden(name)).cloned().collect();
    for name in unwanted {
        fields.remove(name);
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn fields_of_the_host_are_forbidden_and_others_are_not() {
        for name in [
            "Host",
            "Connection",
            "Keep-Alive",
            "TE",
            "Trailer",
            "Transfer-Encoding",
            "Upgrade",
            "HTTP2-Settings",
            "Proxy-Authorization",
            "Proxy-Connection",
            "Proxy-Anything",
            "Forwarded",
            "X-Forwarded-For",
            "X-Forwarded-Host",
            "X-Real-IP",
            "Via",
            "Expect",
            "X-HTTP-Method-Override",
            "X-Original-URL",
            "CF-Connecting-IP",
            "Soma-Call-Id",
        ] {
            assert!(is_forbidden(&name.parse().unwrap()), "{name} is the host's");
        }
        for name in ["Accept", "Authorization", "Content-Length", "Cookie", "X-Api-Version", "ETag"]
        {
            assert!(!is_forbidden(&name.parse().unwrap()), "{name} is the guest's");
        }
    }

    #[test]
    fn a_flood_of_fields_is_refused_by_count_and_by_size() {
        let mut fields = HeaderMap::new();
        for _ in 0..FIELDS_MAX {
            fields.append("x-a", HeaderValue::from_static("1"));
        }
        assert!(measure(&fields).is_ok());
        fields.append("x-a", HeaderValue::from_static("1"));
        assert_eq!(measure(&fields).unwrap_err().fields, FIELDS_MAX + 1);

        let mut large = HeaderMap::new();
        large.insert("x-a", HeaderValue::from_bytes(&vec![b'a'; FIELD_BYTES_MAX]).unwrap());
        assert!(measure(&large).is_err());
    }

    #[test]
    fn stripping_leaves_the_guests_own_fields() {
        let mut fields = HeaderMap::new();
        fields.insert("host", HeaderValue::from_static("elsewhere.example"));
        fields.append("x-forwarded-for", HeaderValue::from_static("1.2.3.4"));
        fields.append("x-forwarded-for", HeaderValue::from_static("5.6.7.8"));
        fields.insert("accept", HeaderValue::from_static("text/plain"));
        strip(&mut fields);
        assert_eq!(fields.len(), 1);
        assert_eq!(fields["accept"], "text/plain");
    }
}
