//! Minting tokens with the home's issuer key.

use jsonwebtoken::{Algorithm, EncodingKey, Header};
use soma_policy::{Digest, EnvironmentId, HostId, OrgId, Timestamp, TokenId};

use super::{Claims, LIFE_SECONDS_MAX, Scope, TokenError, TrustedIssuer};
use crate::home::{HomeError, Identity, SigningKey};

/// Mints tokens for one host.
pub struct Issuer {
    key: EncodingKey,
    kid: String,
    iss: String,
    host: HostId,
    public: TrustedIssuer,
}

impl std::fmt::Debug for Issuer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Issuer({}, key {})", self.iss, self.kid)
    }
}

/// What is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenAsk {
    /// Who will hold it.
    pub subject: String,
    /// The org that it names.
    pub org: OrgId,
    /// The environment that it names.
    pub environment: EnvironmentId,
    /// What it may do; must not be empty.
    pub scopes: Vec<Scope>,
    /// How long it lives.
    pub life_seconds: u64,
    /// The constitution's hash, if known.
    pub constitution: Option<Digest>,
}

/// A new token.
#[derive(Clone, PartialEq, Eq)]
pub struct Minted {
    /// The token itself.
    pub token: String,
    /// Its name.
    pub jti: TokenId,
    /// When it ends.
    pub expires: Timestamp,
}

impl std::fmt::Debug for Minted {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Minted({}, until {})", self.jti, self.expires)
    }
}

impl Issuer {
    /// The issuer of a home.
    pub fn new(identity: &Identity, key: &SigningKey) -> Result<Self, HomeError> {
        let (x, y) = key.public_point()?;
        let iss = issuer_name(&identity.host);
        let kid = Digest::of(&key.public_spki()?).to_string().replace("sha256:", "");
        let kid = kid.chars().take(16).collect::<String>();
        let public = TrustedIssuer::new(&iss, &kid, &x, &y);
        Ok(Self {
            key: EncodingKey::from_ec_der(key.pkcs8()),
            kid,
            iss,
            host: identity.host,
            public,
        })
    }

    /// The public half, as it stands in `trust/issuers.jwks`.
    #[must_use]
    pub fn public(&self) -> &TrustedIssuer {
        &self.public
    }

    /// Mints a token that starts now.
    pub fn mint(&self, ask: TokenAsk, jti: TokenId, now: Timestamp) -> Result<Minted, TokenError> {
        if ask.life_seconds == 0 || ask.life_seconds > LIFE_SECONDS_MAX {
            return Err(TokenError::TooLong { seconds: ask.life_seconds });
        }
        if ask.scopes.is_empty() {
            return Err(TokenError::Scope { given: String::new() });
        }
        let start = now.0 / 1000;
        let exp = start.saturating_add(ask.life_seconds);
        let claims = Claims {
            iss: self.iss.clone(),
            aud: self.host.to_string(),
            sub: ask.subject,
            org: ask.org,
            env: ask.environment,
            caps: ask.scopes,
            con: ask.constitution,
            cred: None,
            jti,
            iat: start,
            nbf: start,
            exp,
        };
        let mut header = Header::new(Algorithm::ES256);
        header.kid = Some(self.kid.clone());
        let token =
            jsonwebtoken::encode(&header, &claims, &self.key).map_err(|_| TokenError::Signing)?;
        Ok(Minted { token, jti, expires: Timestamp(exp.saturating_mul(1000)) })
    }
}

/// The name under which a host mints tokens.
fn issuer_name(host: &HostId) -> String {
    format!("soma:{host}")
}
