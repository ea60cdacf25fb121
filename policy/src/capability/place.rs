//! Where a secret is placed: one slot in the requests of one http entry, never where it could frame a message.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::parts::ConfigKey;
use crate::id::CapabilityName;
use crate::pattern::PatternError;

/// Which part of a request holds a secret.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum SecretSlot {
    /// A header, by its lower-case name.
    Header(Box<str>),
    /// A query parameter.
    Query(Box<str>),
    /// A top-level field of a JSON or form body.
    Body(Box<str>),
}

/// Where the host places a secret: one slot in the requests of one http entry.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "RawPlace", into = "RawPlace")]
#[schemars(with = "RawPlace")]
pub struct SecretPlace {
    /// The http entry.
    pub http: CapabilityName,
    /// The slot.
    pub slot: SecretSlot,
    /// The text around the value: `Bearer {}`.
    pub format: Box<str>,
}

#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct RawPlace {
    /// The http entry whose requests carry the secret.
    http: CapabilityName,
    /// A header name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    header: Option<String>,
    /// A query parameter.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    query: Option<String>,
    /// A field of the body.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    body: Option<String>,
    /// The text around the value, with `{}` in its place.
    #[serde(default = "bare")]
    format: String,
}

fn bare() -> String {
    "{}".to_owned()
}

/// Headers that frame or route a message, and so are never a place for a secret.
const FRAMING: [&str; 10] = [
    "host",
    "content-length",
    "transfer-encoding",
    "connection",
    "te",
    "trailer",
    "upgrade",
    "expect",
    "content-type",
    "keep-alive",
];

impl TryFrom<RawPlace> for SecretPlace {
    type Error = PatternError;
    fn try_from(raw: RawPlace) -> Result<Self, PatternError> {
        let fail = |value: &str, rule: &str| PatternError::new("a place for a secret", value, rule);
        let slot = match (raw.header, raw.query, raw.body) {
            (Some(name), None, None) => SecretSlot::Header(header_name(&name)?),
            (None, Some(name), None) if is_field(&name) => SecretSlot::Query(name.into()),
            (None, None, Some(name)) if is_field(&name) => SecretSlot::Body(name.into()),
            (None, Some(name), None) | (None, None, Some(name)) => {
                return Err(fail(&name, "use 1 to 128 letters, digits, `.`, `_` and `-`"));
            }
            _ => return Err(fail(raw.http.as_str(), "name exactly one of header, query and body")),
        };
        let once = raw.format.matches("{}").count() == 1;
        if !once || raw.format.len() > 256 || raw.format.chars().any(char::is_control) {
            return Err(fail(&raw.format, "`format` holds `{}` once and no control characters"));
        }
        Ok(Self { http: raw.http, slot, format: raw.format.into() })
    }
}

fn header_name(name: &str) -> Result<Box<str>, PatternError> {
    let fail = |rule: &str| PatternError::new("a header for a secret", name, rule);
    let lower = name.to_ascii_lowercase();
    if lower.is_empty()
        || lower.len() > 128
        || !lower.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
    {
        return Err(fail("use letters, digits and hyphens"));
    }
    if FRAMING.contains(&lower.as_str()) {
        return Err(fail("this header frames the message"));
    }
    Ok(lower.into())
}

fn is_field(name: &str) -> bool {
    name.parse::<ConfigKey>().is_ok()
}

impl From<SecretPlace> for RawPlace {
    fn from(place: SecretPlace) -> Self {
        let (mut header, mut query, mut body) = (None, None, None);
        match place.slot {
            SecretSlot::Header(name) => header = Some(name.into()),
            SecretSlot::Query(name) => query = Some(name.into()),
            SecretSlot::Body(name) => body = Some(name.into()),
        }
        Self { http: place.http, header, query, body, format: place.format.into() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_has_exactly_one_place() {
        let place: SecretPlace =
            toml::from_str("http = \"issues\"\nheader = \"Authorization\"\nformat = \"Bearer {}\"")
                .unwrap();
        assert_eq!(place.slot, SecretSlot::Header("authorization".into()));
        let json = serde_json::to_value(&place).unwrap();
        assert_eq!(json["header"], "authorization");
        assert_eq!(serde_json::from_value::<SecretPlace>(json).unwrap(), place);
        for (bad, hint) in [
            ("http = \"a\"", "exactly one"),
            ("http = \"a\"\nheader = \"x\"\nquery = \"y\"", "exactly one"),
            ("http = \"a\"\nheader = \"Host\"", "frames"),
            ("http = \"a\"\nheader = \"x y\"", "letters"),
            ("http = \"a\"\nquery = \"x&y\"", "letters"),
            ("http = \"a\"\nbody = \"\"", "letters"),
            ("http = \"a\"\nbody = \"x\"\nformat = \"no\"", "once"),
            ("http = \"a\"\nbody = \"x\"\nformat = \"{}{}\"", "once"),
        ] {
            let said = toml::from_str::<SecretPlace>(bad).unwrap_err().to_string();
            assert!(said.contains(hint), "{said}");
        }
        for slot in ["query = \"key\"", "body = \"key\""] {
            let place: SecretPlace = toml::from_str(&format!("http = \"a\"\n{slot}")).unwrap();
            assert_eq!(&*place.format, "{}");
            assert_eq!(
                toml::from_str::<SecretPlace>(&toml::to_string(&place).unwrap()).unwrap(),
                place
            );
        }
    }
}
