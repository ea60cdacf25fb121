//! The flows of identity: logging in, staying logged in, proving more, leaving, and what is revoked
//! on the way. Each flow is one unit of work, with its audit entry in it.
//!
//! Slow hashing happens before a unit is opened, never inside of one.

mod distrust;
mod enter;
mod exchange;
mod factor;
mod password;
mod refresh;
mod reset;
mod revoke;
mod step_up;

pub(crate) use enter::LoginAsk;
pub(crate) use exchange::TokenAsk;
pub(crate) use factor::Enrolment;
pub(crate) use revoke::{revocation, tell};

use serde::Serialize;
use soma_policy::{Code, EnvironmentId, Millis, OrgId, SessionId, Timestamp, TokenId, UserId};
use utoipa::ToSchema;

use crate::identity::{
    Assurance, CapSet, Claims, PasswordError, Role, SecretText, Subject, TokenError,
};
use crate::server::{Server, Verdict};
use crate::store::{OrgState, PlatformScope, PlatformUnit, Session, StoreError, UserState};

/// The scope of every flow here.
const SCOPE: PlatformScope = PlatformScope::of("identity");
/// How long a token lives that a session makes.
const TOKEN_SECONDS: u64 = 900;
/// How long a session may be refreshed.
const SESSION: Millis = Millis(12 * 3_600_000);

/// Why a flow ended otherwise.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LoginError {
    /// Unknown, locked, or the wrong password; which of them is not told.
    #[error("login or password is wrong")]
    Wrong,
    /// The second factor is missing or wrong.
    #[error("{0}")]
    Factor(&'static str),
    /// The refresh code does not count.
    #[error("the session cannot be refreshed")]
    Refresh,
    /// The API key does not count.
    #[error("the API key does not count")]
    ApiKey,
    /// Something that was asked for is not there.
    #[error("{0}")]
    Ask(String),
    /// More was asked for than there is.
    #[error("{0}")]
    TooMuch(String),
    /// It is there already.
    #[error("{0}")]
    Exists(&'static str),
    /// Too often.
    #[error("too many attempts")]
    TooFast(Verdict),
    /// Sealing or randomness failed.
    #[error("the server failed")]
    Failed,
    /// Hashing.
    #[error(transparent)]
    Password(#[from] PasswordError),
    /// Signing.
    #[error(transparent)]
    Token(#[from] TokenError),
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl LoginError {
    pub(crate) fn code(&self) -> Code {
        match self {
            Self::Wrong => Code::LoginFailed,
            Self::Factor(_) => Code::SecondFactor,
            Self::Refresh => Code::RefreshBad,
            Self::ApiKey => Code::ApiKeyBad,
            Self::Ask(_) => Code::FieldBad,
            Self::TooMuch(_) => Code::TokenRight,
            Self::Exists(_) => Code::Exists,
            Self::TooFast(_) => Code::RateLimited,
            Self::Token(error) => error.code(),
            Self::Store(_) => Code::StoreDown,
            Self::Failed | Self::Password(_) => Code::HostFailure,
        }
    }
}

/// What a login gives.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Entered {
    /// The token, for `Authorization: Bearer`.
    pub(crate) access_token: String,
    /// Always `Bearer`.
    pub(crate) token_type: &'static str,
    /// Seconds until the token ends.
    pub(crate) expires_in: u64,
    /// Good once, for the next token; none where there is nothing to refresh.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) refresh_token: Option<String>,
    /// The token's id.
    #[schema(value_type = String)]
    pub(crate) jti: TokenId,
    /// The org that it names.
    #[schema(value_type = String)]
    pub(crate) org: OrgId,
    /// The environment that it names.
    #[schema(value_type = String)]
    pub(crate) environment: EnvironmentId,
    /// What it may do.
    #[schema(value_type = Vec<String>)]
    pub(crate) caps: CapSet,
    /// How sure we are of who it is.
    pub(crate) acr: Assurance,
}

/// What a token is made of.
pub(crate) struct Grant {
    pub(crate) subject: Subject,
    pub(crate) org: OrgId,
    pub(crate) environment: EnvironmentId,
    pub(crate) caps: CapSet,
    pub(crate) acr: Assurance,
    pub(crate) authenticated: Option<Timestamp>,
    pub(crate) credential: String,
    /// Whether it is the credential's own token, not a narrower one.
    pub(crate) whole: bool,
    pub(crate) seconds: u64,
}

impl Server {
    /// Signs a token that starts now.
    pub(crate) fn mint(&self, grant: Grant) -> Result<Entered, LoginError> {
        if grant.caps.is_empty() {
            return Err(LoginError::TooMuch("nothing is left that the token might do".to_owned()));
        }
        let now = self.now();
        let start = now.0 / 1000;
        let jti = TokenId::from_u128(self.clock.fresh_id());
        let claims = Claims {
            iss: self.keyring.issuer().to_owned(),
            aud: self.keyring.audience().to_owned(),
            sub: grant.subject,
            org: grant.org.clone(),
            env: grant.environment.clone(),
            caps: grant.caps.clone(),
            con: self.market.policy.constitution(),
            acr: grant.acr,
            auth_time: grant.authenticated.map(|at| at.0 / 1000),
            cred: grant.credential,
            whole: grant.whole,
            jti,
            iat: start,
            nbf: start,
            exp: start.saturating_add(grant.seconds),
        };
        Ok(Entered {
            access_token: self.keyring.sign(&claims, now)?,
            token_type: "Bearer",
            expires_in: grant.seconds,
            refresh_token: None,
            jti,
            org: grant.org,
            environment: grant.environment,
            caps: grant.caps,
            acr: grant.acr,
        })
    }

    /// The token of a session, by what its person is in its org now; of that at most `most`.
    async fn token_of(
        &self,
        unit: &mut PlatformUnit,
        session: &Session,
        most: Option<&CapSet>,
    ) -> Result<Entered, LoginError> {
        let caps = rights(unit, session.user, &session.org).await?.ok_or(LoginError::Refresh)?;
        let caps = most.map_or(caps.clone(), |most| caps.both(most));
        self.mint(Grant {
            subject: Subject::User(session.user),
            org: session.org.clone(),
            environment: session.environment.clone(),
            caps,
            acr: session.acr,
            authenticated: Some(session.authenticated),
            credential: session.session.to_string(),
            whole: true,
            seconds: TOKEN_SECONDS,
        })
    }

    /// Begins a session for somebody who has proven who they are, and signs its first token.
    pub(crate) async fn begin_session(
        &self,
        unit: &mut PlatformUnit,
        user: UserId,
        (org, environment): (OrgId, EnvironmentId),
        acr: Assurance,
    ) -> Result<Entered, LoginError> {
        let now = self.now();
        let code = SecretText::draw().ok_or(LoginError::Failed)?;
        let session = Session {
            session: SessionId::from_u128(self.clock.fresh_id()),
            user,
            org,
            environment,
            acr,
            authenticated: now,
            expires: now.plus(SESSION),
        };
        unit.insert_session(&session, &code.hash(), now).await?;
        let entered = self.token_of(unit, &session, None).await?;
        Ok(Entered { refresh_token: Some(code.expose().to_owned()), ..entered })
    }
}

/// What an active person may do in an active org; none if there is no such membership.
pub(crate) async fn rights(
    unit: &mut PlatformUnit,
    user: UserId,
    org: &OrgId,
) -> Result<Option<CapSet>, StoreError> {
    let active = unit.user(user).await?.is_some_and(|user| user.state == UserState::Active);
    let roles = unit.org(org).await?.filter(|org| org.state == OrgState::Active);
    let (true, Some(roles)) = (active, roles) else { return Ok(None) };
    let memberships = unit.memberships_of(user).await?;
    let role: Option<Role> = memberships.iter().find(|it| it.org == *org).map(|it| it.role);
    Ok(role.map(|role| role.caps(roles.roles)))
}
