//! Logging in: password, second factor, then the org and environment that the token will name.

use serde::Deserialize;
use serde_json::json;
use soma_policy::{EnvironmentId, Millis, OrgId, Timestamp, UserId};
use utoipa::ToSchema;

use super::{Entered, LoginError, SCOPE};
use crate::audit::Act;
use crate::identity::{Assurance, GivenPassword, SecretText, secret_hash};
use crate::server::{RateLimiter, Server};
use crate::store::{Membership, PasswordRow, PlatformUnit, SenderRow, User, UserState};

/// How long a sender is blocked after five failures, and after each one beyond. What comes while it is blocked
/// does not count: nobody makes a block longer, and nobody makes one for anybody else.
const BLOCK: Millis = Millis(300_000);
/// Longest login name that is looked at.
const LOGIN_BYTES_MAX: usize = 128;

/// Who logs in, and for what.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct LoginAsk {
    /// The login name.
    pub(crate) login: String,
    /// The password.
    #[schema(value_type = String)]
    pub(crate) password: GivenPassword,
    /// The code that the authenticator shows.
    pub(crate) totp: Option<String>,
    /// One of the recovery codes, in place of `totp`.
    pub(crate) recovery_code: Option<String>,
    /// The org; may be left out by who belongs to one only.
    #[schema(value_type = Option<String>)]
    pub(crate) org: Option<OrgId>,
    /// The environment; `production` if left out.
    #[schema(value_type = Option<String>)]
    pub(crate) environment: Option<EnvironmentId>,
}

impl std::fmt::Debug for LoginAsk {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("LoginAsk(..)")
    }
}

/// Why somebody was not let in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Refused {
    Password,
    Factor,
    Blocked,
}

impl Refused {
    fn as_str(self) -> &'static str {
        match self {
            Self::Password => "password",
            Self::Factor => "second factor",
            Self::Blocked => "blocked",
        }
    }
}

/// An account as it is found before anything is proven.
struct Found {
    user: User,
    password: PasswordRow,
    /// What came from the same place before.
    sender: SenderRow,
}

impl Found {
    /// A sender is blocked by what it did itself; one that the account does not know also by what all did.
    fn is_blocked(&self, now: Timestamp) -> bool {
        let all = !self.sender.known && self.password.blocked_until > now;
        all || self.sender.blocked_until > now
    }
}

/// What a sender is called in rows: of one account alone, and by nobody read back.
fn named(user: UserId, sender: &str) -> String {
    secret_hash(&format!("{user}/{sender}"))
}

impl Server {
    /// Logs a person in who comes from somewhere.
    pub(crate) async fn log_in(&self, ask: LoginAsk, sender: &str) -> Result<Entered, LoginError> {
        let entered = self.try_log_in(ask, sender).await;
        self.metrics.login(match &entered {
            Ok(_) => "ok",
            Err(LoginError::Wrong | LoginError::Factor(_)) => "refused",
            Err(LoginError::TooFast(_)) => "too-fast",
            Err(_) => "failed",
        });
        entered
    }

    async fn try_log_in(&self, ask: LoginAsk, sender: &str) -> Result<Entered, LoginError> {
        let LoginAsk { login, password, totp, recovery_code, org, environment } = ask;
        let found = self.find(&login, sender).await?;
        let known = found.as_ref().map(|found| found.password.hash.clone());
        let right = self.passwords.verify(known, password.take()).await?;
        let Some(found) = found else { return Err(LoginError::Wrong) };
        let (user, now) = (found.user.user, self.now());
        let sender = named(user, sender);
        let blocked = found.is_blocked(now);
        if blocked || !right || found.user.state != UserState::Active {
            let why = if blocked { Refused::Blocked } else { Refused::Password };
            self.refuse((user, &sender), why).await?;
            return Err(LoginError::Wrong);
        }
        let mut unit = self.store.platform(SCOPE).await?;
        let proven = self.second_factor(&mut unit, user, totp.as_deref(), recovery_code.as_deref());
        let acr = match proven.await {
            Ok(acr) => acr,
            Err(LoginError::Factor(why)) => {
                drop(unit);
                if totp.is_some() || recovery_code.is_some() {
                    self.refuse((user, &sender), Refused::Factor).await?;
                }
                return Err(LoginError::Factor(why));
            }
            Err(error) => return Err(error),
        };
        unit.note_entered(user, &sender, now).await?;
        let memberships = unit.memberships_of(user).await?;
        let org = choose(org, &memberships)?;
        let environment = place(&mut unit, &org, environment).await?;
        let entered = self.begin_session(&mut unit, user, (org.clone(), environment), acr).await?;
        let detail = json!({ "acr": acr.as_str(), "token": entered.jti.to_string() });
        unit.audit(&self.note(&org, &format!("user:{user}"), Act::LoggedIn, user, &detail)).await?;
        unit.commit().await?;
        self.bell.notify_one();
        Ok(entered)
    }

    /// The account of a login name, if the attempt comes in time: each sender has its own time at each account, and all
    /// that an account does not know have one together.
    async fn find(&self, login: &str, sender: &str) -> Result<Option<Found>, LoginError> {
        let name = secret_hash(login);
        self.in_time(&self.logins, &format!("login:{name}/{sender}"))?;
        let found = self.look_up(login, sender).await?;
        if !found.as_ref().is_some_and(|found| found.sender.known) {
            self.in_time(&self.strangers, &name)?;
        }
        Ok(found)
    }

    async fn look_up(&self, login: &str, sender: &str) -> Result<Option<Found>, LoginError> {
        if login.len() > LOGIN_BYTES_MAX || login.contains('\0') {
            return Ok(None);
        }
        let mut unit = self.store.survey(SCOPE).await?;
        let Some(user) = unit.user_by_login(login).await? else { return Ok(None) };
        let Some(password) = unit.password(user.user).await? else { return Ok(None) };
        let sender = unit.login_sender(user.user, &named(user.user, sender)).await?;
        Ok(Some(Found { user, password, sender }))
    }

    pub(super) fn in_time(&self, limiter: &RateLimiter, key: &str) -> Result<(), LoginError> {
        let verdict = limiter.ask(key, self.now());
        if verdict.passes { Ok(()) } else { Err(LoginError::TooFast(verdict)) }
    }

    /// Writes a refusal down, in a unit of its own, and counts it unless there is a block already.
    async fn refuse(&self, (user, sender): (UserId, &str), why: Refused) -> Result<(), LoginError> {
        let now = self.now();
        let mut unit = self.store.platform(SCOPE).await?;
        if why != Refused::Blocked {
            unit.count_failure((user, sender), now.plus(BLOCK), now).await?;
        }
        let detail = json!({ "why": why.as_str() });
        let entry = self.note(&self.platform, "anonymous", Act::LoginFailed, user, &detail);
        unit.audit(&entry).await?;
        unit.commit().await?;
        self.bell.notify_one();
        Ok(())
    }

    /// Uses a second factor, if the account has one: each code once.
    pub(super) async fn second_factor(
        &self,
        unit: &mut PlatformUnit,
        user: UserId,
        totp: Option<&str>,
        recovery_code: Option<&str>,
    ) -> Result<Assurance, LoginError> {
        let Some(factor) = unit.totp(user).await?.filter(|factor| factor.confirmed) else {
            return Ok(Assurance::Aal1);
        };
        match (totp, recovery_code) {
            (Some(code), None) => {
                let secret = self.open_factor(user, &factor.sealed)?;
                let step = secret.step_of(code.trim(), self.now());
                let step = step.ok_or(LoginError::Factor("the code is wrong"))?;
                if !unit.use_totp_step(user, step).await? {
                    return Err(LoginError::Factor("the code was used before"));
                }
            }
            (None, Some(code)) => {
                let hash = secret_hash(&code.trim().to_ascii_lowercase());
                if !unit.use_recovery_code(user, &hash, self.now()).await? {
                    return Err(LoginError::Factor("the recovery code is wrong, or was used"));
                }
                let actor = format!("user:{user}");
                let platform = self.platform.clone();
                let entry = self.note(&platform, &actor, Act::RecoveryUsed, user, &json!({}));
                unit.audit(&entry).await?;
            }
            (None, None) => return Err(LoginError::Factor("a second factor is needed")),
            (Some(_), Some(_)) => {
                return Err(LoginError::Factor("send `totp` or `recovery_code`, not both"));
            }
        }
        Ok(Assurance::Aal2)
    }
}

fn choose(asked: Option<OrgId>, memberships: &[Membership]) -> Result<OrgId, LoginError> {
    let mine = || memberships.iter().map(|it| it.org.as_str()).collect::<Vec<_>>().join(", ");
    match (asked, memberships) {
        (_, []) => Err(LoginError::Ask("`org`: the account belongs to no org".to_owned())),
        (Some(org), _) if memberships.iter().any(|it| it.org == org) => Ok(org),
        (Some(_), _) => Err(LoginError::Ask(format!("`org`: it is one of {}", mine()))),
        (None, [only]) => Ok(only.org.clone()),
        (None, _) => Err(LoginError::Ask(format!("`org`: say which one of {}", mine()))),
    }
}

/// The environment that was asked for, or the usual one.
pub(super) async fn place(
    unit: &mut PlatformUnit,
    org: &OrgId,
    asked: Option<EnvironmentId>,
) -> Result<EnvironmentId, LoginError> {
    let missing = || LoginError::Ask("`environment`: the org has no such environment".to_owned());
    let environment = match asked {
        Some(environment) => environment,
        None => "production".parse().map_err(|_| LoginError::Failed)?,
    };
    if unit.has_environment(org, &environment).await? { Ok(environment) } else { Err(missing()) }
}

/// New recovery codes, and the hashes under which they are kept.
pub(super) fn recovery_codes() -> Result<(Vec<String>, Vec<String>), LoginError> {
    const COUNT: usize = 10;
    let drawn: Option<Vec<SecretText>> = (0..COUNT).map(|_| SecretText::draw_short()).collect();
    let drawn = drawn.ok_or(LoginError::Failed)?;
    let shown = drawn.iter().map(|code| code.expose().to_owned()).collect();
    Ok((shown, drawn.iter().map(SecretText::hash).collect()))
}
