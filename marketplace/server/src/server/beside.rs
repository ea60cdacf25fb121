//! What the process that runs a server may have done without anybody's token: whoever runs it could read its keys.
//! Each of it is in the record.

use serde_json::json;
use soma_policy::Millis;
use soma_policy::feed::HostRole;

use crate::audit::Act;
use crate::identity::SecretText;
use crate::server::{OpenError, Server};
use crate::store::{Enrolment, PlatformScope};

/// How long the token lets the host join: it is used at once.
const LIVES: Millis = Millis(60_000);
/// Who did it, in the record.
const ACTOR: &str = "process";

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
