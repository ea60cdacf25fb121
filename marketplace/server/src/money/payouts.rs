//! Payouts: asked for by authors, released by operators, recorded until the provider has the last word.

use serde_json::json;
use soma_capsule::crash_point;
use soma_market::ledger::Account;
use soma_market::payout::{Payout, PayoutCommand};
use soma_market::{Refusal, Words};
use soma_policy::{Code, Money, OrgId, PayoutId};

use super::MoneyError;
use crate::audit::Act;
use crate::server::Server;
use crate::store::{PayoutRow, PlatformUnit};

/// What an operator does with a payout.
#[derive(Debug, Clone)]
pub(crate) struct PayoutMove {
    pub(crate) id: PayoutId,
    pub(crate) command: PayoutCommand,
}

impl Server {
    /// Takes a payout out of what is available to an author.
    pub(crate) async fn request_payout(
        &self,
        unit: &mut PlatformUnit,
        author: &OrgId,
        amount: Money,
        actor: &str,
    ) -> Result<PayoutRow, MoneyError> {
        let now = self.now();
        let mut book = unit.book(&self.platform).await?;
        let account = unit.account(&Account::Available(author.clone()), amount.currency).await?;
        let available = account.map_or(Money::zero(amount.currency), |row| row.balance);
        let id = PayoutId::from_u128(self.clock.fresh_id());
        let (payout, posting) = Payout::request(id, author.clone(), amount, available, now)?;
        book.post(&posting, None)?;
        unit.keep(book, now).await?;
        let row = PayoutRow { payout, requested_by: actor.to_owned(), version: 1, created: now };
        unit.insert_payout(&row).await?;
        let detail = json!({ "amount": amount });
        unit.audit(&self.note(author, actor, Act::PayoutRequested, id, &detail)).await?;
        unit.change(&self.event(author, "payout-requested", id, &detail)).await?;
        crash_point!("server.payout.requested");
        Ok(row)
    }

    /// Moves a payout on. Whoever asked for it does not approve it.
    pub(crate) async fn move_payout(
        &self,
        unit: &mut PlatformUnit,
        step: PayoutMove,
        actor: &str,
    ) -> Result<PayoutRow, MoneyError> {
        let now = self.now();
        let mut book = unit.book(&self.platform).await?;
        let unknown = || {
            Refusal::new(Code::PayoutUnknown, "pay out", format!("there is no payout {}", step.id))
        };
        let row = unit.payout(step.id).await?.ok_or_else(unknown)?;
        if matches!(step.command, PayoutCommand::Approve) && row.requested_by == actor {
            let reason = "whoever asked for a payout does not approve it";
            return Err(Refusal::new(Code::PayoutMove, "approve", reason).into());
        }
        let (payout, posting) = row.payout.apply(step.command, now)?;
        if let Some(posting) = &posting {
            book.post(posting, None)?;
        }
        let row = PayoutRow { payout, ..row };
        unit.update_payout(&row, now).await?;
        unit.keep(book, now).await?;
        let Payout { ref author, id, state, amount, .. } = row.payout;
        let detail = json!({ "amount": amount, "state": state.as_str() });
        unit.audit(&self.note(author, actor, Act::PayoutMoved, id, &detail)).await?;
        unit.change(&self.event(author, "payout-moved", id, &detail)).await?;
        crash_point!("server.payout.moved");
        Ok(PayoutRow { version: row.version + 1, ..row })
    }

    /// Puts every approved payout into a file for the provider: they are exported under its reference.
    pub(crate) async fn export_payouts(
        &self,
        unit: &mut PlatformUnit,
        reference: &Words,
        actor: &str,
    ) -> Result<Vec<PayoutRow>, MoneyError> {
        let mut exported = Vec::new();
        for row in unit.payouts_everywhere("approved", "", 1000).await? {
            let command = PayoutCommand::Export(reference.clone());
            let step = PayoutMove { id: row.payout.id, command };
            exported.push(self.move_payout(unit, step, actor).await?);
        }
        Ok(exported)
    }
}
