//! The issuers whose tokens are taken: `trust/issuers.jwks`.
//!
//! A JWK Set in which each key also says whose it is (`iss`): a key vouches for its own issuer only.

use std::collections::HashMap;
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::DecodingKey;
use serde::{Deserialize, Serialize};
use soma_policy::feed::IssuerState;
use utoipa::ToSchema;

use super::TokenError;

/// Most keys that a set may have.
const KEYS_MAX: usize = 64;
/// Longest name of a key.
const KID_BYTES_MAX: usize = 128;

/// One public key as it stands in the file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TrustedIssuer {
    /// Always `EC`.
    pub kty: String,
    /// Always `P-256`.
    pub crv: String,
    /// The point's x.
    pub x: String,
    /// The point's y.
    pub y: String,
    /// The key's name.
    pub kid: String,
    /// Always `sig`.
    #[serde(rename = "use")]
    pub purpose: String,
    /// Always `ES256`.
    pub alg: String,
    /// Whose key it is.
    pub iss: String,
}

/// The file's form, and that of `/.well-known/jwks.json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = JwkSet)]
pub struct KeySet {
    /// The keys.
    pub keys: Vec<TrustedIssuer>,
}

/// The trusted keys, ready for use.
#[derive(Debug, Default)]
pub struct Issuers {
    keys: HashMap<String, Key>,
    set: Vec<TrustedIssuer>,
}

pub(crate) struct Key {
    pub(crate) iss: String,
    pub(crate) decoding: DecodingKey,
}

impl std::fmt::Debug for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Key(of {})", self.iss)
    }
}

impl Issuers {
    /// Reads a JWK Set; `path` is for messages only.
    pub fn parse(path: &Path, bytes: &[u8]) -> Result<Self, TokenError> {
        let refused = |what: String| TokenError::Issuers { path: path.to_owned(), what };
        let set: KeySet = serde_json::from_slice(bytes).map_err(|e| refused(e.to_string()))?;
        if set.keys.len() > KEYS_MAX {
            return Err(refused(format!("more than {KEYS_MAX} keys")));
        }
        let mut keys = HashMap::with_capacity(set.keys.len());
        for entry in &set.keys {
            let key =
                entry.check().map_err(|what| refused(format!("key `{}`: {what}", entry.kid)))?;
            if keys.insert(entry.kid.clone(), key).is_some() {
                return Err(refused(format!("key `{}` is there twice", entry.kid)));
            }
        }
        Ok(Self { keys, set: set.keys })
    }

    /// The keys that a server names. One that cannot be used counts for nobody, and is told.
    pub(crate) fn of_feed<'a>(each: impl Iterator<Item = (&'a str, &'a IssuerState)>) -> Self {
        let mut this = Self::default();
        for (kid, state) in each {
            let read = TrustedIssuer::of_feed(kid, state);
            match read.and_then(|entry| Ok((entry.check()?, entry))) {
                Ok((key, entry)) if this.set.len() < KEYS_MAX => {
                    this.keys.insert(kid.to_owned(), key);
                    this.set.push(entry);
                }
                Ok(_) => tracing::error!(%kid, "an issuer's key is one too many"),
                Err(error) => tracing::error!(%kid, %error, "an issuer's key is not used"),
            }
        }
        this
    }

    pub(crate) fn key(&self, kid: &str) -> Option<&Key> {
        self.keys.get(kid)
    }

    /// The set as it is published at `/.well-known/jwks.json`.
    #[must_use]
    pub fn published(&self) -> KeySet {
        KeySet { keys: self.set.clone() }
    }
}

impl TrustedIssuer {
    pub(crate) fn new(iss: &str, kid: &str, x: &[u8; 32], y: &[u8; 32]) -> Self {
        Self {
            kty: "EC".to_owned(),
            crv: "P-256".to_owned(),
            x: URL_SAFE_NO_PAD.encode(x),
            y: URL_SAFE_NO_PAD.encode(y),
            kid: kid.to_owned(),
            purpose: "sig".to_owned(),
            alg: "ES256".to_owned(),
            iss: iss.to_owned(),
        }
    }

    /// A key of a server: what its JWK leaves out is what the only kind of key has.
    fn of_feed(kid: &str, state: &IssuerState) -> Result<Self, &'static str> {
        let text = |name: &str| state.jwk.get(name).and_then(serde_json::Value::as_str);
        if text("kid").is_some_and(|named| named != kid) {
            return Err("its JWK names another key");
        }
        let or = |name: &str, usual: &str| text(name).unwrap_or(usual).to_owned();
        Ok(Self {
            kty: or("kty", "EC"),
            crv: or("crv", "P-256"),
            x: or("x", ""),
            y: or("y", ""),
            kid: kid.to_owned(),
            purpose: or("use", "sig"),
            alg: or("alg", "ES256"),
            iss: state.issuer.clone(),
        })
    }

    fn check(&self) -> Result<Key, &'static str> {
        if (self.kty.as_str(), self.crv.as_str(), self.alg.as_str()) != ("EC", "P-256", "ES256") {
            return Err("only EC P-256 keys for ES256 are taken");
        }
        if self.purpose != "sig" {
            return Err("its `use` is not `sig`");
        }
        if self.iss.is_empty() || self.kid.is_empty() || self.kid.len() > KID_BYTES_MAX {
            return Err("it needs `iss` and a `kid` of at most 128 bytes");
        }
        for part in [&self.x, &self.y] {
            if URL_SAFE_NO_PAD.decode(part).map(|p| p.len()) != Ok(32) {
                return Err("x and y have 32 bytes each in base64url");
            }
        }
        let decoding = DecodingKey::from_ec_components(&self.x, &self.y)
            .map_err(|_| "x and y are no point")?;
        Ok(Key { iss: self.iss.clone(), decoding })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(edit: impl Fn(&mut serde_json::Value)) -> Vec<u8> {
        let key = TrustedIssuer::new("soma:x", "k1", &[1; 32], &[2; 32]);
        let mut value = serde_json::to_value(key).unwrap();
        edit(&mut value);
        serde_json::to_vec(&serde_json::json!({ "keys": [value] })).unwrap()
    }

    #[test]
    fn keys_for_other_uses_or_algorithms_are_refused() {
        let path = Path::new("issuers.jwks");
        for (field, bad) in [
            ("alg", "HS256"),
            ("kty", "oct"),
            ("use", "enc"),
            ("iss", ""),
            ("x", "AA"),
            ("crv", "P-384"),
        ] {
            let refused = Issuers::parse(path, &text(|v| v[field] = bad.into()));
            assert!(refused.is_err(), "{field}={bad}");
        }
        assert!(Issuers::parse(path, &text(|_| ())).is_ok());
    }

    #[test]
    fn a_key_name_is_there_once() {
        let key = TrustedIssuer::new("soma:x", "k1", &[1; 32], &[2; 32]);
        let bytes = serde_json::to_vec(&KeySet { keys: vec![key.clone(), key] }).unwrap();
        let refused = Issuers::parse(Path::new("issuers.jwks"), &bytes).unwrap_err();
        assert!(refused.to_string().contains("twice"), "{refused}");
    }
}
