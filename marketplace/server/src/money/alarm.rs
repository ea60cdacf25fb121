//! Alarms: what operators must look at, in the audit and as an event, in the transaction that found it.

use serde_json::{Value, json};
use soma_market::Refusal;
use soma_market::settle::JournalCommand;
use soma_policy::{Code, JournalId};

use super::MoneyError;
use super::journal::Owner;
use crate::audit::Act;
use crate::server::Server;
use crate::store::{JournalRow, PlatformUnit, StoreError};

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

    /// Takes from a quarantined journal again, from where it stopped. `write_off` is the number of a receipt
    /// there that is not settled but borne by the platform.
    pub(crate) async fn lift_journal(
        &self,
        unit: &mut PlatformUnit,
        journal: JournalId,
        write_off: Option<u64>,
        actor: &str,
    ) -> Result<JournalRow, MoneyError> {
        drop(unit.book(&self.platform).await?);
        let none =
            || Refusal::new(Code::NotFound, "lift", format!("there is no journal {journal}"));
        let row = unit.journal(journal).await?.ok_or_else(none)?;
        let before = row.position;
        if let Some(seq) = write_off.filter(|seq| *seq != before.next) {
            let rule = format!("`write_off` is {seq}, and the journal goes on at {}", before.next);
            return Err(Refusal::new(Code::FieldBad, "lift", rule).into());
        }
        let position = before.apply(JournalCommand::Lift)?;
        let row = JournalRow { position, reason: None, write_off, ..row };
        unit.move_journal(&before, &row, self.now()).await?;
        unit.release_host(position.host).await?;
        let detail = json!({ "write_off": write_off.map(|seq| seq.to_string()) });
        let note = |act| self.note(&self.platform, actor, act, journal, &detail);
        unit.audit(&note(Act::JournalLifted)).await?;
        if write_off.is_some() {
            unit.audit(&note(Act::ReceiptWrittenOff)).await?;
        }
        Ok(row)
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
