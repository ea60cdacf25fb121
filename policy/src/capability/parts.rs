//! The small types that declarations and grants are made of.

use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::amount::Bytes;
use crate::id::CapabilityName;
use crate::pattern::PatternError;
use crate::text::string_form;

/// Bytes sent and received.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Transfer {
    /// Bytes sent, head and body.
    pub request: Bytes,
    /// Bytes received, head and body.
    pub response: Bytes,
}

impl Transfer {
    /// Whether both amounts are at least those of `inner`.
    #[must_use]
    pub fn covers(&self, inner: &Self) -> bool {
        self.request >= inner.request && self.response >= inner.response
    }
}

/// Reading, writing or both.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Access {
    /// Read only.
    Read,
    /// Write only.
    Write,
    /// Both.
    ReadWrite,
}

impl Access {
    /// Whether reading is allowed.
    #[must_use]
    pub const fn reads(self) -> bool {
        matches!(self, Self::Read | Self::ReadWrite)
    }

    /// Whether writing is allowed.
    #[must_use]
    pub const fn writes(self) -> bool {
        matches!(self, Self::Write | Self::ReadWrite)
    }

    /// Whether all that `inner` allows is allowed.
    #[must_use]
    pub const fn covers(self, inner: Self) -> bool {
        (self.reads() || !inner.reads()) && (self.writes() || !inner.writes())
    }
}

impl fmt::Display for Access {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Read => "read",
            Self::Write => "write",
            Self::ReadWrite => "read-write",
        })
    }
}

/// What data carries with it when one capsule hands it to another.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum Label {
    /// Read from the tenant's stores: kv, files, configuration.
    TenantData,
    /// Received in answer to a request that carried a secret.
    SecretDerived,
}

impl Label {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::TenantData, Self::SecretDerived];
}

impl fmt::Display for Label {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::TenantData => "tenant-data",
            Self::SecretDerived => "secret-derived",
        })
    }
}

/// A set of labels. The empty one is what fresh data has, and what no sink needs clearance for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize, JsonSchema)]
#[serde(from = "Vec<Label>", into = "Vec<Label>")]
#[schemars(with = "Vec<Label>")]
pub struct LabelSet(u8);

impl LabelSet {
    /// No label.
    pub const EMPTY: Self = Self(0);

    pub(crate) const fn bits(self) -> u8 {
        self.0
    }

    pub(crate) const fn from_bits(bits: u8) -> Self {
        Self(bits)
    }

    /// This set and one label more.
    #[must_use]
    pub const fn with(self, label: Label) -> Self {
        Self(self.0 | 1 << label as u8)
    }

    /// Both sets.
    #[must_use]
    pub const fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Whether the label is in the set.
    #[must_use]
    pub const fn has(self, label: Label) -> bool {
        self.0 & (1 << label as u8) != 0
    }

    /// Whether every label of `inner` is in this set.
    #[must_use]
    pub const fn covers(self, inner: Self) -> bool {
        self.0 & inner.0 == inner.0
    }

    /// Whether there is none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.0 == 0
    }

    /// The labels, in a fixed order.
    pub fn iter(self) -> impl Iterator<Item = Label> {
        Label::ALL.into_iter().filter(move |label| self.has(*label))
    }

    /// The labels of `self` that are not in `cleared`.
    #[must_use]
    pub const fn beyond(self, cleared: Self) -> Self {
        Self(self.0 & !cleared.0)
    }
}

impl From<Vec<Label>> for LabelSet {
    fn from(labels: Vec<Label>) -> Self {
        labels.into_iter().fold(Self::EMPTY, Self::with)
    }
}

impl From<LabelSet> for Vec<Label> {
    fn from(set: LabelSet) -> Self {
        set.iter().collect()
    }
}

impl fmt::Display for LabelSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, label) in self.iter().enumerate() {
            write!(f, "{}\"{label}\"", if index == 0 { "" } else { ", " })?;
        }
        Ok(())
    }
}

/// A key of the configuration: letters, digits, `.`, `_` and `-`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ConfigKey(Box<str>);

impl ConfigKey {
    /// The key as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for ConfigKey {
    type Err = PatternError;
    fn from_str(text: &str) -> Result<Self, PatternError> {
        let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-');
        if (1..=128).contains(&text.len()) && text.bytes().all(plain) {
            return Ok(Self(text.into()));
        }
        let rule = "use 1 to 128 letters, digits, `.`, `_` and `-`; patterns are not used here";
        Err(PatternError::new("a configuration key", text, rule))
    }
}

impl fmt::Display for ConfigKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::borrow::Borrow<str> for ConfigKey {
    fn borrow(&self) -> &str {
        &self.0
    }
}

string_form!(ConfigKey, "ConfigKey", "a configuration key");

/// Where a guest sees a mount: an absolute path without `.`, `..` and empty segments.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct GuestPath(Box<str>);

impl GuestPath {
    /// The path as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for GuestPath {
    type Err = PatternError;
    fn from_str(text: &str) -> Result<Self, PatternError> {
        let fail = |rule: &str| PatternError::new("a mount such as /data", text, rule);
        let Some(rest) = text.strip_prefix('/') else {
            return Err(fail(&format!("it is absolute; did you mean \"/{text}\"?")));
        };
        let plain = |part: &str| {
            !part.is_empty()
                && part != "."
                && part != ".."
                && !part.contains('\\')
                && !part.chars().any(char::is_control)
        };
        if text.len() > 256 || !rest.split('/').all(plain) {
            return Err(fail("use at most 256 bytes, without `.`, `..`, `\\` and empty segments"));
        }
        Ok(Self(text.into()))
    }
}

impl fmt::Display for GuestPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

string_form!(GuestPath, "GuestPath", "an absolute mount such as /data");

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
    fn access_covers_what_it_includes() {
        assert!(Access::ReadWrite.covers(Access::Read) && Access::ReadWrite.covers(Access::Write));
        assert!(!Access::Read.covers(Access::ReadWrite) && !Access::Write.covers(Access::Read));
        assert_eq!(Access::ReadWrite.to_string(), "read-write");
    }

    #[test]
    fn labels_are_a_set() {
        let set = LabelSet::from(vec![Label::SecretDerived, Label::TenantData, Label::TenantData]);
        assert_eq!(serde_json::to_string(&set).unwrap(), r#"["tenant-data","secret-derived"]"#);
        assert_eq!(set.to_string(), r#""tenant-data", "secret-derived""#);
        assert_eq!(
            set.beyond(LabelSet::EMPTY.with(Label::TenantData)).to_string(),
            r#""secret-derived""#
        );
        assert!(
            set.covers(LabelSet::EMPTY)
                && !LabelSet::EMPTY.covers(set)
                && LabelSet::EMPTY.is_empty()
        );
        assert_eq!(LabelSet::EMPTY.union(set), set);
    }

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

    #[test]
    fn mounts_and_keys_are_checked() {
        assert_eq!("/data/in".parse::<GuestPath>().unwrap().as_str(), "/data/in");
        for bad in ["data", "/", "/a/../b", "/a//b", "/a\\b", "/a/", "/."] {
            assert!(bad.parse::<GuestPath>().is_err(), "{bad}");
        }
        assert_eq!("api.region".parse::<ConfigKey>().unwrap().to_string(), "api.region");
        for bad in ["", "a b", "a*", &"x".repeat(129)] {
            assert!(bad.parse::<ConfigKey>().is_err(), "{bad}");
        }
    }
}
