//! Judging a token: form, algorithm, key, signature, issuer, audience, times, claims, in this order.
//!
//! The library checks the signature and that the named claims are there; it is told not to look at
//! times, because it would read the system's clock and forgive a minute. Times are judged here.

use std::path::PathBuf;
use std::sync::Arc;

use arc_swap::ArcSwap;
use jsonwebtoken::errors::ErrorKind;
use jsonwebtoken::{Algorithm, Header, Validation};
use soma_policy::{CallScope, Caller, HostId, Timestamp, TokenId};

use super::cache::Cache;
use super::holders::Holders;
use super::issuers::{Issuers, Key, KeySet};
use super::withdrawn::Withdrawn;
use super::{
    Claims, LEEWAY_SECONDS, LIFE_SECONDS_MAX, Revoked, Scope, TOKEN_BYTES_MAX, TokenError,
};

/// Most scopes that a token may carry.
const SCOPES_MAX: usize = 64;
/// Longest subject.
const SUBJECT_BYTES_MAX: usize = 256;

/// A token whose signature and claims were found right. Its times are judged at each use.
#[derive(Debug, PartialEq, Eq)]
pub struct VerifiedToken {
    claims: Claims,
    /// The key that signed it.
    kid: String,
}

/// Under what a call runs: a token's name, and the token itself where it is known.
#[derive(Debug, Clone)]
pub(crate) struct Bearer {
    pub(crate) jti: TokenId,
    pub(crate) token: Option<Arc<VerifiedToken>>,
}

impl VerifiedToken {
    /// What it says.
    #[must_use]
    pub fn claims(&self) -> &Claims {
        &self.claims
    }

    /// Who calls, as policy sees it.
    #[must_use]
    pub fn caller(&self) -> Caller {
        let Claims { org, env, sub, jti, .. } = &self.claims;
        Caller::new(org.clone(), env.clone(), sub, Some(*jti), self.call_scope())
    }

    fn call_scope(&self) -> CallScope {
        let each = self.claims.caps.iter().map(|scope| match scope {
            Scope::CallAny => CallScope::All,
            Scope::Call(id) => CallScope::Only([id.clone()].into()),
            Scope::ReadCalls | Scope::Operate => CallScope::none(),
        });
        each.fold(CallScope::none(), CallScope::union)
    }

    /// Whether it carries a scope. `call:*` carries every `call:ID`.
    #[must_use]
    pub fn may(&self, scope: &Scope) -> bool {
        let any = matches!(scope, Scope::Call(_)) && self.claims.caps.contains(&Scope::CallAny);
        any || self.claims.caps.contains(scope)
    }

    fn judge_times(&self, now: Timestamp) -> Result<(), TokenError> {
        let now = now.0 / 1000;
        let Claims { iat, nbf, exp, .. } = self.claims;
        if exp.saturating_add(LEEWAY_SECONDS) <= now {
            return Err(TokenError::Expired { seconds: now.saturating_sub(exp) });
        }
        if nbf > now.saturating_add(LEEWAY_SECONDS) || iat > now.saturating_add(LEEWAY_SECONDS) {
            return Err(TokenError::NotYet);
        }
        Ok(())
    }
}

/// Judges tokens for one host.
#[derive(Debug)]
pub struct TokenVerifier {
    path: PathBuf,
    trusted: ArcSwap<Trusted>,
    revoked: ArcSwap<Revoked>,
    withdrawn: ArcSwap<Withdrawn>,
    holders: Holders,
    validation: Validation,
}

/// Keys together with what was judged under them: new keys begin with nothing remembered.
#[derive(Debug)]
struct Trusted {
    issuers: Issuers,
    cache: Cache,
}

impl TokenVerifier {
    /// A verifier that takes tokens of these issuers for this host.
    #[must_use]
    pub fn new(path: PathBuf, host: &HostId, issuers: Issuers) -> Self {
        let mut validation = Validation::new(Algorithm::ES256);
        validation.set_audience(&[host.to_string()]);
        validation.set_required_spec_claims(&["exp", "nbf", "iss", "aud", "sub"]);
        validation.validate_exp = false;
        validation.validate_nbf = false;
        let trusted = ArcSwap::from_pointee(Trusted { issuers, cache: Cache::default() });
        Self {
            path,
            trusted,
            revoked: ArcSwap::default(),
            withdrawn: ArcSwap::default(),
            holders: Holders::default(),
            validation,
        }
    }

    /// Takes tokens that are for every host of a deployment too.
    pub(crate) fn also_for(mut self, host: &HostId, deployment: &str) -> Self {
        self.validation.set_audience(&[host.to_string(), format!("soma:{deployment}")]);
        self
    }

    /// From now on exactly these issuers count.
    pub(crate) fn trust(&self, issuers: Issuers) {
        self.trusted.store(Arc::new(Trusted { issuers, cache: Cache::default() }));
    }

    /// From now on exactly these tokens are taken back by the server.
    pub(crate) fn withdraw(&self, withdrawn: Withdrawn) {
        self.withdrawn.store(Arc::new(withdrawn));
    }

    /// What a call runs under. `above` is what its caller runs under, if that is a call.
    pub(crate) fn bearer(&self, jti: TokenId, above: Option<&Bearer>) -> Bearer {
        match above.filter(|above| above.jti == jti) {
            Some(above) => above.clone(),
            None => Bearer { jti, token: self.holders.get(&jti) },
        }
    }

    /// Whether what a call runs under was taken back.
    pub(crate) fn is_withdrawn(&self, bearer: &Bearer) -> bool {
        let withdrawn = self.withdrawn.load();
        let gone = |token: &VerifiedToken| self.trusted.load().issuers.key(&token.kid).is_none();
        let covered = bearer.token.as_ref().is_some_and(|it| withdrawn.covers(it) || gone(it));
        covered || withdrawn.names(&bearer.jti) || self.is_revoked(&bearer.jti)
    }

    /// From now on exactly these tokens are taken back; returns those that were not before.
    pub fn revoke(&self, list: Revoked) -> Vec<TokenId> {
        let list = Arc::new(list);
        let older = self.revoked.swap(Arc::clone(&list));
        list.since(&older)
    }

    /// Whether a token was taken back. Asked again by each call once it is registered as running.
    #[must_use]
    pub fn is_revoked(&self, jti: &TokenId) -> bool {
        self.revoked.load().contains(jti)
    }

    /// Reads the issuers' file again; on an error the old keys stay.
    pub fn reload(&self) -> Result<(), TokenError> {
        let bytes = crate::home::read_bounded(&self.path, 256 * 1024)
            .map_err(|e| TokenError::Issuers { path: self.path.clone(), what: e.to_string() })?;
        let issuers = Issuers::parse(&self.path, &bytes)?;
        self.trusted.store(Arc::new(Trusted { issuers, cache: Cache::default() }));
        Ok(())
    }

    /// The public keys, for `/.well-known/jwks.json`.
    #[must_use]
    pub fn published(&self) -> KeySet {
        self.trusted.load().issuers.published()
    }

    /// Judges a token; of what was found right before only its times and its name are asked about.
    pub fn verify(&self, token: &str, now: Timestamp) -> Result<Arc<VerifiedToken>, TokenError> {
        if token.len() > TOKEN_BYTES_MAX {
            return Err(TokenError::Malformed { what: "it is longer than 8 KiB" });
        }
        let trusted = self.trusted.load();
        if let Some(known) = trusted.cache.get(token) {
            self.judge_use(&known, now)?;
            self.holders.put(&known);
            return Ok(known);
        }
        let verified = Arc::new(self.judge(&trusted.issuers, token)?);
        self.judge_use(&verified, now)?;
        trusted.cache.put(token, &verified);
        self.holders.put(&verified);
        Ok(verified)
    }

    /// What is judged at each use: the cache remembers signatures, not this.
    fn judge_use(&self, token: &VerifiedToken, now: Timestamp) -> Result<(), TokenError> {
        token.judge_times(now)?;
        if self.is_revoked(&token.claims.jti) || self.withdrawn.load().covers(token) {
            return Err(TokenError::Revoked);
        }
        Ok(())
    }

    fn judge(&self, issuers: &Issuers, token: &str) -> Result<VerifiedToken, TokenError> {
        let header = jsonwebtoken::decode_header(token)
            .map_err(|_| TokenError::Malformed { what: "its header does not read as one" })?;
        let key = find_key(issuers, &header)?;
        let mut validation = self.validation.clone();
        validation.set_issuer(&[&key.iss]);
        let data = jsonwebtoken::decode::<Claims>(token, &key.decoding, &validation)
            .map_err(|e| translate(&e))?;
        judge_claims(&data.claims)?;
        let kid = header.kid.unwrap_or_default();
        Ok(VerifiedToken { claims: data.claims, kid })
    }
}

fn find_key<'a>(issuers: &'a Issuers, header: &Header) -> Result<&'a Key, TokenError> {
    if header.alg != Algorithm::ES256 {
        return Err(TokenError::Algorithm { found: format!("{:?}", header.alg) });
    }
    if !matches!(header.typ.as_deref(), Some("JWT" | "at+jwt")) {
        return Err(TokenError::Malformed { what: "its `typ` is neither `JWT` nor `at+jwt`" });
    }
    if header.crit.is_some() {
        return Err(TokenError::Malformed { what: "its header has critical extensions" });
    }
    let kid = header.kid.as_deref().ok_or(TokenError::Malformed { what: "it names no key" })?;
    let unknown = || TokenError::UnknownKey { kid: kid.escape_debug().take(64).collect() };
    issuers.key(kid).ok_or_else(unknown)
}

fn judge_claims(claims: &Claims) -> Result<(), TokenError> {
    let wrong = |what: &str| Err(TokenError::Claims { what: what.to_owned() });
    let life = claims.exp.saturating_sub(claims.iat.min(claims.nbf));
    if life > LIFE_SECONDS_MAX {
        return Err(TokenError::TooLong { seconds: life });
    }
    if claims.exp <= claims.iat {
        return wrong("`exp` is not after `iat`");
    }
    if claims.caps.is_empty() || claims.caps.len() > SCOPES_MAX {
        return wrong("`caps` has 1 to 64 entries");
    }
    if claims.sub.is_empty() || claims.sub.len() > SUBJECT_BYTES_MAX {
        return wrong("`sub` has 1 to 256 bytes");
    }
    Ok(())
}

fn translate(error: &jsonwebtoken::errors::Error) -> TokenError {
    match error.kind() {
        ErrorKind::InvalidSignature => TokenError::Signature,
        ErrorKind::InvalidIssuer => TokenError::WrongIssuer,
        ErrorKind::InvalidAudience => TokenError::WrongAudience,
        ErrorKind::MissingRequiredClaim(name) => {
            TokenError::Claims { what: format!("`{name}` is missing") }
        }
        ErrorKind::Json(_) => {
            TokenError::Claims { what: "a claim is missing or has the wrong form".to_owned() }
        }
        _ => TokenError::Malformed { what: "it does not read as a signed token" },
    }
}
