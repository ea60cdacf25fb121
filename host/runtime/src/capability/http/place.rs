//! Putting a secret's value into a request that its rule names.
//!
//! The value goes in after every decision about the request has been taken, and is never part of what a policy, a denial
//! or a log line sees. A request that already carries the field is refused rather than overwritten in silence, except for
//! a header, where the guest cannot have set it: the field is forbidden to it.

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Uri, header};
use zeroize::Zeroizing;

/// Where in a request a value goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Spot {
    /// A header field.
    Header(HeaderName),
    /// A parameter of the query.
    Query(String),
    /// A top-level field of a JSON object or of a form.
    Body(String),
}

/// Why a value could not be placed. The texts never hold the value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum PlaceError {
    #[error("the value holds characters that the place cannot carry")]
    Characters,
    #[error("the request already carries `{0}`, where the secret goes")]
    Occupied(String),
    #[error("the secret goes into the body, which is neither a JSON object nor a form")]
    Body,
}

/// The rule's format with the value in place of `{}`.
pub(crate) fn formatted(format: &str, value: &[u8]) -> Zeroizing<Vec<u8>> {
    let (head, tail) = format.split_once("{}").unwrap_or((format, ""));
    let mut text = Zeroizing::new(Vec::with_capacity(head.len() + value.len() + tail.len()));
    text.extend_from_slice(head.as_bytes());
    text.extend_from_slice(value);
    text.extend_from_slice(tail.as_bytes());
    text
}

pub(crate) fn into_header(
    fields: &mut HeaderMap,
    name: &HeaderName,
    text: &[u8],
) -> Result<(), PlaceError> {
    let mut value = HeaderValue::from_bytes(text).map_err(|_| PlaceError::Characters)?;
    value.set_sensitive(true);
    fields.insert(name.clone(), value);
    Ok(())
}

pub(crate) fn into_query(uri: &Uri, name: &str, text: &[u8]) -> Result<Uri, PlaceError> {
    let query = uri.query().unwrap_or("");
    if url::form_urlencoded::parse(query.as_bytes()).any(|(key, _)| key == name) {
        return Err(PlaceError::Occupied(name.to_owned()));
    }
    let text = std::str::from_utf8(text).map_err(|_| PlaceError::Characters)?;
    let mut pairs = url::form_urlencoded::Serializer::new(String::new());
    pairs.append_pair(name, text);
    let pair = pairs.finish();
    let joint = if query.is_empty() { "" } else { "&" };
    let target = Zeroizing::new(format!("{}?{query}{joint}{pair}", uri.path()));
    let mut parts = uri.clone().into_parts();
    parts.path_and_query = Some(target.parse().map_err(|_| PlaceError::Characters)?);
    Uri::from_parts(parts).map_err(|_| PlaceError::Characters)
}

pub(crate) fn into_body(
    fields: &HeaderMap,
    body: &[u8],
    name: &str,
    text: &[u8],
) -> Result<Bytes, PlaceError> {
    let text = std::str::from_utf8(text).map_err(|_| PlaceError::Characters)?;
    match media_type(fields) {
        Some("application/json") => into_json(body, name, text),
        Some("application/x-www-form-urlencoded") => into_form(body, name, text),
        _ => Err(PlaceError::Body),
    }
}

fn media_type(fields: &HeaderMap) -> Option<&str> {
    let mut values = fields.get_all(header::CONTENT_TYPE).iter();
    let only = values.next()?;
    if values.next().is_some() || fields.contains_key(header::CONTENT_ENCODING) {
        return None;
    }
    only.to_str().ok()?.split(';').next().map(str::trim)
}

fn into_json(body: &[u8], name: &str, text: &str) -> Result<Bytes, PlaceError> {
    let mut object: serde_json::Map<String, serde_json::Value> =
        serde_json::from_slice(body).map_err(|_| PlaceError::Body)?;
    if object.contains_key(name) {
        return Err(PlaceError::Occupied(name.to_owned()));
    }
    object.insert(name.to_owned(), serde_json::Value::String(text.to_owned()));
    let whole = serde_json::to_vec(&object).map_err(|_| PlaceError::Body)?;
    Ok(Bytes::from(whole))
}

fn into_form(body: &[u8], name: &str, text: &str) -> Result<Bytes, PlaceError> {
    if url::form_urlencoded::parse(body).any(|(key, _)| key == name) {
        return Err(PlaceError::Occupied(name.to_owned()));
    }
    let body = std::str::from_utf8(body).map_err(|_| PlaceError::Body)?;
    let mut pairs = url::form_urlencoded::Serializer::new(body.to_owned());
    pairs.append_pair(name, text);
    Ok(Bytes::from(pairs.finish()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(content_type: &'static str) -> HeaderMap {
        let mut fields = HeaderMap::new();
        fields.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
        fields
    }

    #[test]
    fn a_header_carries_the_formatted_value_and_hides_it_from_debug() {
        let mut map = HeaderMap::new();
        let text = formatted("Bearer {}", b"s3cret");
        into_header(&mut map, &header::AUTHORIZATION, &text).unwrap();
        assert_eq!(map["authorization"], "Bearer s3cret");
        assert!(!format!("{map:?}").contains("s3cret"));
    }

    #[test]
    fn a_value_that_would_split_the_header_is_refused_without_being_shown() {
        let mut map = HeaderMap::new();
        for value in [b"a\r\nx-evil: 1".as_slice(), b"a\nb", b"a\0b"] {
            let refused = into_header(&mut map, &header::AUTHORIZATION, &formatted("{}", value));
            assert_eq!(refused, Err(PlaceError::Characters));
        }
        assert!(map.is_empty());
    }

    #[test]
    fn a_query_keeps_what_the_guest_asked_and_ends_with_the_value() {
        let table = [
            ("https://a.example/p", "https://a.example/p?key=a%26b"),
            ("https://a.example/p?q=1", "https://a.example/p?q=1&key=a%26b"),
        ];
        for (before, after) in table {
            let uri = into_query(&before.parse().unwrap(), "key", b"a&b").unwrap();
            assert_eq!(uri.to_string(), after);
        }
    }

    #[test]
    fn a_field_that_the_guest_already_set_is_refused() {
        let uri: Uri = "https://a.example/p?k%65y=mine".parse().unwrap();
        assert_eq!(into_query(&uri, "key", b"v"), Err(PlaceError::Occupied("key".into())));
        let json = into_body(&fields("application/json"), br#"{"key":1}"#, "key", b"v");
        assert_eq!(json, Err(PlaceError::Occupied("key".into())));
        let form =
            into_body(&fields("application/x-www-form-urlencoded"), b"a=1&key=2", "key", b"v");
        assert_eq!(form, Err(PlaceError::Occupied("key".into())));
    }

    #[test]
    fn a_body_gains_the_field_by_its_media_type() {
        let json =
            into_body(&fields("application/json; charset=utf-8"), br#"{"a":1}"#, "key", b"q\"v")
                .unwrap();
        assert_eq!(json, br#"{"a":1,"key":"q\"v"}"#.as_slice());
        let form =
            into_body(&fields("application/x-www-form-urlencoded"), b"a=1", "key", b"v w").unwrap();
        assert_eq!(form, b"a=1&key=v+w".as_slice());
        let text = into_body(&fields("text/plain"), b"a", "key", b"v");
        assert_eq!(text, Err(PlaceError::Body));
        let list = into_body(&fields("application/json"), b"[1]", "key", b"v");
        assert_eq!(list, Err(PlaceError::Body));
    }
}
