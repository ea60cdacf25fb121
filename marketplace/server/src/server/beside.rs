//! What the process that runs a server may have done without anybody's token: whoever runs it could read its keys.
//! Each of it is in the record.

mod entitle;
mod pass;

pub use pass::Pass;

use serde_json::json;
use soma_policy::feed::HostRole;
use soma_policy::{Code, Millis, OrgId, PublisherName};

use crate::audit::Act;
use crate::identity::SecretText;
use crate::login::LoginError;
use crate::market::MarketError;
use crate::server::{OpenError, Server};
use crate::store::{Enrolment, PlatformScope, StoreError};

/// How long the token lets the host join: it is used at once.
const LIVES: Millis = Millis(60_000);
/// Who did it, in the record.
const ACTOR: &str = "process";

/// Why something was not done for the process.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BesideError {
    /// The home's owner is not here.
    #[error("nobody is called `{0}` here")]
    Nobody(String),
    /// The home's owner does not belong to the org, or has other rights there.
    #[error("the owner of the home may not do this for the org `{0}`")]
    NotTheirs(OrgId),
    /// The org has no such environment.
    #[error("the org `{0}` has no environment `{1}`")]
    Environment(OrgId, soma_policy::EnvironmentId),
    /// A publisher name that is somebody else's.
    #[error("the publisher name `{0}` belongs to `{1}`")]
    Taken(PublisherName, OrgId),
    /// The rules refused it.
    #[error("{1}")]
    Refused(Code, String),
    /// The database.
    #[error("the database cannot be used: {0}")]
    Store(#[from] StoreError),
}

impl BesideError {
    /// The code that `soma explain` knows.
    #[must_use]
    pub fn code(&self) -> Code {
        match self {
            Self::Nobody(_) | Self::NotTheirs(_) => Code::MemberUnknown,
            Self::Environment(..) => Code::NotFound,
            Self::Taken(..) => Code::NamespaceTaken,
            Self::Refused(code, _) => *code,
            Self::Store(_) => Code::StoreDown,
        }
    }
}

impl From<MarketError> for BesideError {
    fn from(error: MarketError) -> Self {
        match error {
            MarketError::Refused(refusal) => Self::Refused(refusal.code, refusal.to_string()),
            MarketError::Store(error) => Self::Store(error),
            other => Self::Refused(Code::HostFailure, other.to_string()),
        }
    }
}

impl From<LoginError> for BesideError {
    fn from(error: LoginError) -> Self {
        match error {
            LoginError::Store(error) => Self::Store(error),
            other => Self::Refused(other.code(), other.to_string()),
        }
    }
}

/// A one-time token for one host. It shows itself to nobody by accident.
#[derive(Debug, Clone)]
pub struct EnrolmentCode(SecretText);

impl EnrolmentCode {
    /// The token itself, for the host.
    #[must_use]
    pub fn expose(&self) -> &str {
        self.0.expose()
    }
}

impl Server {
    /// The deployment's id.
    #[must_use]
    pub fn deployment(&self) -> &str {
        &self.deployment
    }

    /// Lets the host that runs beside this server join it, once and within a minute.
    ///
    /// # Errors
    /// When the database does not answer, or the system has no randomness to give.
    pub async fn enrolment(&self, role: HostRole) -> Result<EnrolmentCode, OpenError> {
        let no_randomness = || OpenError::Keys("the system has no randomness to give".to_owned());
        let code = SecretText::draw().ok_or_else(no_randomness)?;
        let now = self.now();
        let mut unit = self.store.platform(PlatformScope::of("enrolment")).await?;
        let expires = now.plus(LIVES);
        let made = Enrolment { role, region: None, made_by: ACTOR.to_owned(), expires };
        unit.insert_enrolment(&code.hash(), &made, now).await?;
        let detail = json!({ "role": role, "beside": true });
        let entry = self.note(&self.platform, ACTOR, Act::EnrolmentMade, "host", &detail);
        unit.audit(&entry).await?;
        unit.commit().await?;
        self.bell.notify_one();
        Ok(EnrolmentCode(code))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::on_both_databases;

    on_both_databases! {
        async fn the_process_lets_one_host_join_and_the_record_says_so(database: TestDatabase) {
            let (server, clock, _) = database.server().await;
            let code = server.enrolment(HostRole::Host).await.unwrap();
            assert!(!format!("{code:?}").contains(code.expose()));
            let hash = crate::identity::secret_hash(code.expose());
            let mut unit = server.store.platform(PlatformScope::of("test")).await.unwrap();
            let taken = unit.take_enrolment(&hash, server.now()).await.unwrap().unwrap();
            assert_eq!((taken.role, taken.made_by.as_str()), (HostRole::Host, "process"));
            assert_eq!(unit.take_enrolment(&hash, server.now()).await.unwrap(), None);
            drop(unit);
            let late = server.enrolment(HostRole::Host).await.unwrap();
            clock.advance_ms(LIVES.0 + 1);
            let hash = crate::identity::secret_hash(late.expose());
            let mut unit = server.store.platform(PlatformScope::of("test")).await.unwrap();
            assert_eq!(unit.take_enrolment(&hash, server.now()).await.unwrap(), None);
        }
    }
}
