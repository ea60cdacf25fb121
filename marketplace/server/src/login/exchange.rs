//! Tokens from other credentials: an API key for a token, a token for a narrower one.

use serde::Deserialize;
use serde_json::json;
use soma_policy::EnvironmentId;
use utoipa::ToSchema;

use super::enter::place;
use super::{Entered, Grant, LoginError, SCOPE, TOKEN_SECONDS};
use crate::audit::Act;
use crate::identity::{
    ApiKeyText, Assurance, CapSet, LIFE_SECONDS_MAX, Principal, Subject, same_secret,
};
use crate::server::Server;
use crate::store::{AccountState, OrgState};

/// How narrow a token should be.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct TokenAsk {
    /// What it may do; everything that its maker may, if left out.
    #[schema(value_type = Option<Vec<String>>)]
    pub(crate) caps: Option<CapSet>,
    /// The environment that it names; its maker's, if left out.
    #[schema(value_type = Option<String>)]
    pub(crate) environment: Option<EnvironmentId>,
    /// How many seconds it lives, at most 3600.
    #[schema(minimum = 1, maximum = 3600)]
    pub(crate) seconds: Option<u64>,
}

impl TokenAsk {
    fn seconds(&self, most: u64) -> Result<u64, LoginError> {
        match self.seconds {
            None => Ok(TOKEN_SECONDS.min(most)),
            Some(seconds) if (1..=LIFE_SECONDS_MAX).contains(&seconds) => Ok(seconds.min(most)),
            Some(_) => Err(LoginError::Ask("`seconds`: it is from 1 to 3600".to_owned())),
        }
    }

    fn caps(&self, of: &CapSet) -> Result<CapSet, LoginError> {
        let Some(asked) = &self.caps else { return Ok(of.clone()) };
        match asked.iter().find(|cap| !of.allows(cap)) {
            None => Ok(asked.clone()),
            Some(cap) => Err(LoginError::TooMuch(format!("`{cap}` is not yours to give"))),
        }
    }
}

impl Server {
    /// A token for an API key.
    pub(crate) async fn exchange(&self, key: &str, ask: &TokenAsk) -> Result<Entered, LoginError> {
        let now = self.now();
        let text = ApiKeyText::parse(key).ok_or(LoginError::ApiKey)?;
        let mut unit = self.store.platform(SCOPE).await?;
        let (org, row, hash) = unit.api_key(text.id).await?.ok_or(LoginError::ApiKey)?;
        let counts = same_secret(&hash, &text.hash()) && row.revoked.is_none() && row.expires > now;
        if !counts {
            return Err(LoginError::ApiKey);
        }
        let account = unit.account_of(&org, &row.account).await?;
        let account = account.filter(|account| account.state == AccountState::Active);
        let account = account.ok_or(LoginError::ApiKey)?;
        let open = unit.org(&org).await?.is_some_and(|org| org.state == OrgState::Active);
        if !open {
            return Err(LoginError::ApiKey);
        }
        let environment = match &ask.environment {
            Some(other) if *other != row.environment => {
                return Err(LoginError::TooMuch("the key is for another environment".to_owned()));
            }
            _ => row.environment,
        };
        let left = row.expires.since(now).0 / 1000;
        let entered = self.mint(Grant {
            subject: Subject::Account(row.account.clone()),
            org: org.clone(),
            environment,
            caps: ask.caps(&row.caps.both(&account.caps))?,
            acr: Assurance::Aal1,
            authenticated: None,
            credential: row.key.to_string(),
            whole: ask.caps.is_none(),
            seconds: ask.seconds(left.max(1))?,
        })?;
        let detail = json!({ "token": entered.jti.to_string() });
        let actor = format!("account:{}", row.account);
        unit.audit(&self.note(&org, &actor, Act::TokenMade, row.key, &detail)).await?;
        unit.commit().await?;
        self.bell.notify_one();
        Ok(entered)
    }

    /// A narrower token for a token. It never outlives the one that it is made from, and whoever holds it has proven
    /// nothing: it is for others to hold, so it is never one of two factors. Only a person's own token may name another
    /// environment of its org.
    pub(crate) async fn narrow(
        &self,
        principal: &Principal,
        ask: &TokenAsk,
    ) -> Result<Entered, LoginError> {
        let left = principal.expires.since(self.now()).0 / 1000;
        let mut unit = self.store.platform(SCOPE).await?;
        let environment = match &ask.environment {
            None => principal.environment.clone(),
            Some(same) if *same == principal.environment => same.clone(),
            Some(other) if principal.whole && principal.user().is_some() => {
                place(&mut unit, &principal.org, Some(other.clone())).await?
            }
            Some(_) => {
                return Err(LoginError::TooMuch("the token is for another environment".to_owned()));
            }
        };
        let entered = self.mint(Grant {
            subject: principal.subject.clone(),
            org: principal.org.clone(),
            environment,
            caps: ask.caps(&principal.caps)?,
            acr: Assurance::Aal1,
            authenticated: None,
            credential: principal.credential.clone(),
            whole: false,
            seconds: ask.seconds(left.max(1))?,
        })?;
        let detail = json!({ "from": principal.token.to_string() });
        let (actor, made) = (principal.subject.to_string(), entered.jti);
        unit.audit(&self.note(&principal.org, &actor, Act::TokenMade, made, &detail)).await?;
        unit.commit().await?;
        self.bell.notify_one();
        Ok(entered)
    }
}
