//! The keys that sign tokens, and the judgement of a token by them.
//!
//! A key is published before it signs and stays published until its last token has ended, so that
//! whoever caches the set never meets a key that it does not know. Only ES256, only our own keys:
//! what a token's header asks for chooses among these and nothing else.

use arc_swap::ArcSwap;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::errors::ErrorKind;
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use serde_json::{Value, json};
use soma_policy::{Digest, Timestamp};

use super::seal::SealError;
use super::{Claims, Sealer, TokenError};
use crate::store::IssuerKeyRow;

/// Longest life of a token.
pub(crate) const LIFE_SECONDS_MAX: u64 = 3600;
/// Difference between clocks that is forgiven.
const LEEWAY_SECONDS: u64 = 30;
/// Longest token that is looked at.
const TOKEN_BYTES_MAX: usize = 8 * 1024;

/// The keys as they stand now; swapped as a whole when they change.
pub(crate) struct Keyring {
    issuer: String,
    audience: String,
    keys: ArcSwap<Vec<LoadedKey>>,
}

struct LoadedKey {
    row: IssuerKeyRow,
    encoding: EncodingKey,
    decoding: DecodingKey,
}

/// A new key: its row, with the private half sealed.
pub(crate) struct NewKey;

impl NewKey {
    /// Draws a key that signs from `signs_from` on.
    pub(crate) fn draw(
        sealer: &Sealer,
        now: Timestamp,
        signs_from: Timestamp,
    ) -> Result<IssuerKeyRow, SealError> {
        let alg = &ECDSA_P256_SHA256_FIXED_SIGNING;
        let pkcs8 =
            EcdsaKeyPair::generate_pkcs8(alg, &SystemRandom::new()).map_err(|_| SealError)?;
        let pair = EcdsaKeyPair::from_pkcs8(alg, pkcs8.as_ref()).map_err(|_| SealError)?;
        // An uncompressed point: 4, x, y.
        let point = pair.public_key().as_ref();
        let (x, y) = (point.get(1..33), point.get(33..65));
        let (Some(x), Some(y)) = (x, y) else { return Err(SealError) };
        let kid: String = Digest::of(point).hex().chars().take(16).collect();
        let sealed = sealer.seal(&purpose(&kid), pkcs8.as_ref())?;
        Ok(IssuerKeyRow {
            kid,
            x: URL_SAFE_NO_PAD.encode(x),
            y: URL_SAFE_NO_PAD.encode(y),
            sealed,
            created: now,
            signs_from,
            signs_until: None,
            verifies_until: None,
        })
    }
}

fn purpose(kid: &str) -> String {
    format!("issuer-key/{kid}")
}

impl std::fmt::Debug for Keyring {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Keyring({}, {} keys)", self.issuer, self.keys.load().len())
    }
}

impl Keyring {
    pub(crate) fn new(issuer: String, audience: String) -> Self {
        Self { issuer, audience, keys: ArcSwap::from_pointee(Vec::new()) }
    }

    pub(crate) fn issuer(&self) -> &str {
        &self.issuer
    }

    pub(crate) fn audience(&self) -> &str {
        &self.audience
    }

    /// Takes these keys in place of those before.
    pub(crate) fn replace(
        &self,
        rows: Vec<IssuerKeyRow>,
        sealer: &Sealer,
    ) -> Result<(), SealError> {
        let load = |row: IssuerKeyRow| {
            let pkcs8 = sealer.open(&purpose(&row.kid), &row.sealed)?;
            let decoding =
                DecodingKey::from_ec_components(&row.x, &row.y).map_err(|_| SealError)?;
            Ok(LoadedKey { encoding: EncodingKey::from_ec_der(&pkcs8), decoding, row })
        };
        let keys = rows.into_iter().map(load).collect::<Result<Vec<_>, SealError>>()?;
        self.keys.store(std::sync::Arc::new(keys));
        Ok(())
    }

    /// Whether a key signs now.
    pub(crate) fn signs(&self, now: Timestamp) -> bool {
        self.keys.load().iter().any(|key| signs(&key.row, now))
    }

    /// Signs claims with the youngest key that signs now.
    pub(crate) fn sign(&self, claims: &Claims, now: Timestamp) -> Result<String, TokenError> {
        let keys = self.keys.load();
        let signing = keys.iter().filter(|key| signs(&key.row, now));
        let key = signing.max_by_key(|key| key.row.signs_from).ok_or(TokenError::Signing)?;
        let mut header = Header::new(Algorithm::ES256);
        header.kid = Some(key.row.kid.clone());
        header.typ = Some("at+jwt".to_owned());
        jsonwebtoken::encode(&header, claims, &key.encoding).map_err(|_| TokenError::Signing)
    }

    /// Judges a token: form, key, signature, issuer, audience, times. Not whether it was revoked.
    pub(crate) fn judge(&self, token: &str, now: Timestamp) -> Result<Claims, TokenError> {
        if token.len() > TOKEN_BYTES_MAX {
            return Err(TokenError::Malformed("it is longer than 8 KiB"));
        }
        let header = jsonwebtoken::decode_header(token)
            .map_err(|_| TokenError::Malformed("its header does not read as one"))?;
        let keys = self.keys.load();
        let key = find(&keys, &header, now)?;
        let mut validation = Validation::new(Algorithm::ES256);
        validation.set_issuer(&[&self.issuer]);
        validation.set_audience(&[&self.audience]);
        validation.set_required_spec_claims(&["exp", "nbf", "iss", "aud", "sub"]);
        // Times are judged below, by our own clock.
        validation.validate_exp = false;
        validation.validate_nbf = false;
        let data = jsonwebtoken::decode::<Claims>(token, &key.decoding, &validation);
        let claims = data.map_err(|error| translate(&error))?.claims;
        judge_times(&claims, now)?;
        Ok(claims)
    }

    /// The public halves, as everyone may read them.
    pub(crate) fn published(&self, now: Timestamp) -> Value {
        let keys = self.keys.load();
        let live = keys.iter().filter(|key| verifies(&key.row, now));
        let keys: Vec<Value> = live.map(|key| self.jwk(&key.row)).collect();
        json!({ "keys": keys })
    }

    /// The public half of a key.
    pub(crate) fn jwk(&self, row: &IssuerKeyRow) -> Value {
        let IssuerKeyRow { kid, x, y, .. } = row;
        json!({ "kty": "EC", "crv": "P-256", "x": x, "y": y, "kid": kid,
            "use": "sig", "alg": "ES256", "iss": self.issuer })
    }
}

fn signs(row: &IssuerKeyRow, now: Timestamp) -> bool {
    row.signs_from <= now && row.signs_until.is_none_or(|until| now < until) && verifies(row, now)
}

fn verifies(row: &IssuerKeyRow, now: Timestamp) -> bool {
    row.verifies_until.is_none_or(|until| now < until)
}

fn find<'a>(
    keys: &'a [LoadedKey],
    header: &Header,
    now: Timestamp,
) -> Result<&'a LoadedKey, TokenError> {
    if header.alg != Algorithm::ES256 {
        return Err(TokenError::Malformed("only ES256 is taken"));
    }
    if !matches!(header.typ.as_deref(), Some("at+jwt" | "JWT")) {
        return Err(TokenError::Malformed("its `typ` is neither `at+jwt` nor `JWT`"));
    }
    if header.crit.is_some() {
        return Err(TokenError::Malformed("its header has critical extensions"));
    }
    let kid = header.kid.as_deref().ok_or(TokenError::Malformed("it names no key"))?;
    let known = keys.iter().find(|key| key.row.kid == kid && verifies(&key.row, now));
    known.ok_or(TokenError::UnknownKey)
}

fn judge_times(claims: &Claims, now: Timestamp) -> Result<(), TokenError> {
    let now = now.0 / 1000;
    let Claims { iat, nbf, exp, .. } = *claims;
    if exp.saturating_sub(iat.min(nbf)) > LIFE_SECONDS_MAX {
        return Err(TokenError::TooLong);
    }
    if exp <= iat {
        return Err(TokenError::Claims);
    }
    if exp <= now {
        return Err(TokenError::Expired(now.saturating_sub(exp)));
    }
    let soon = now.saturating_add(LEEWAY_SECONDS);
    if nbf > soon || iat > soon { Err(TokenError::NotYet) } else { Ok(()) }
}

fn translate(error: &jsonwebtoken::errors::Error) -> TokenError {
    match error.kind() {
        ErrorKind::InvalidSignature => TokenError::Signature,
        ErrorKind::InvalidIssuer | ErrorKind::InvalidAudience => TokenError::Foreign,
        ErrorKind::MissingRequiredClaim(_) | ErrorKind::Json(_) => TokenError::Claims,
        _ => TokenError::Malformed("it does not read as a signed token"),
    }
}
