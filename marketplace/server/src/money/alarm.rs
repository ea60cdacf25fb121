//! Alarms: what operators must look at, in the audit and as an event, in the transaction that found it.

use serde_json::{Value, json};
use soma_market::Refusal;

use super::journal::Owner;
use crate::audit::Act;
use crate::server::Server;
use crate::store::{PlatformUnit, StoreError};

const SERVER: &str = "server";

impl Server {
    /// A journal is taken from no more.
    pub(super) async fn alarm_quarantine(
        &self,
        unit: &mut PlatformUnit,
        owner: &Owner<'_>,
        refusal: &Refusal,
    ) -> Result<(), StoreError> {
        tracing::error!(host = %owner.host, journal = %owner.journal, code = %refusal.code, "a journal is quarantined");
        let detail = json!({
            "code": refusal.code.to_string(),
            "host": owner.host,
            "journal": owner.journal,
            "reason": refusal.reason,
        });
        unit.quarantine_host(&owner.host, &refusal.reason, self.now()).await?;
        self.alarm(unit, Act::JournalQuarantined, owner.journal, &detail).await
    }

    /// Tells operators.
    pub(super) async fn alarm(
        &self,
        unit: &mut PlatformUnit,
        act: Act,
        subject: impl ToString,
        detail: &Value,
    ) -> Result<(), StoreError> {
        let subject = subject.to_string();
        unit.audit(&self.note(&self.platform, SERVER, act, &subject, detail)).await?;
        let told = self.event(&self.platform, act.as_str(), &subject, detail);
        unit.change(&told).await
    }
}
