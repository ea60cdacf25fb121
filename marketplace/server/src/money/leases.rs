//! Leases: what a host asks for, closes and is asked back for.
//!
//! A wish is met out of all budgets above the installation and out of the tenant's account at once, or not
//! at all. A slice is at least what was asked for and else a part of what is left, so that several hosts
//! share. A lease whose taking the host's journal does not show yet is given again, word for word.

use std::collections::BTreeSet;

use soma_capsule::crash_point;
use soma_market::Refusal;
use soma_market::budget::{Amounts, Budget, Measure, Window};
use soma_market::lease::{LastEntry, LeaseAsk, LeaseCommand, LeaseState, grant};
use soma_market::ledger::Account;
use soma_policy::feed::{HostLease, Installed, LeaseAnswer, LeaseClose, LeaseWish, LeaseWishes};
use soma_policy::{
    BootId, Code, Currency, HostId, InstallationKey, InstallationSpec, LeaseId, Money, Timestamp,
};

use super::budgets::{bytes_a_call, bytes_a_day, key_of, left_of};
use super::{IDLE_AFTER, LOST_AFTER, MoneyError, START_FOR};
use crate::server::Server;
use crate::store::{Book, LeaseRow, PlatformScope, PlatformUnit, TermsRow};

const SCOPE: PlatformScope = PlatformScope::of("leases");
/// One request.
pub(crate) const WISHES_MAX: usize = 256;
pub(crate) const CLOSES_MAX: usize = 1024;
/// Of what is left, one lease takes this part, so that others find something.
const SHARE: i64 = 4;

/// Why a wish is not met.
enum Unmet {
    Refused(Refusal),
    Failed(MoneyError),
}

impl<E: Into<MoneyError>> From<E> for Unmet {
    fn from(error: E) -> Self {
        match error.into() {
            MoneyError::Refused(refusal) => Self::Refused(refusal),
            failed @ MoneyError::Store(_) => Self::Failed(failed),
        }
    }
}

impl Server {
    /// Answers what a host says and asks about its leases.
    pub(crate) async fn lease(
        &self,
        host: HostId,
        asked: &LeaseWishes,
    ) -> Result<LeaseAnswer, MoneyError> {
        bounded(asked)?;
        let now = self.now();
        let mut unit = self.store.platform(SCOPE).await?;
        let mut book = unit.book(&self.platform).await?;
        for close in &asked.closes {
            unit.close_lease(&mut book, host, close, now).await?;
        }
        let mut answer =
            LeaseAnswer { host, leases: Vec::new(), recalls: Vec::new(), refused: Vec::new() };
        for wish in &asked.wishes {
            match unit.meet(self, &mut book, (host, asked.boot), wish).await {
                Ok(leases) => answer.leases.extend(leases),
                Err(Unmet::Failed(error)) => return Err(error),
                Err(Unmet::Refused(refusal)) => {
                    let words = format!("{}; {}", refusal.reason, refusal.remedy);
                    answer.refused.push((wish.installation.clone(), words));
                }
            }
        }
        let wished: BTreeSet<_> = asked.wishes.iter().map(|wish| &wish.installation).collect();
        answer.recalls = unit.recall_idle((host, asked.boot), &wished, now).await?;
        unit.keep(book, now).await?;
        if !answer.leases.is_empty() {
            crash_point!("server.lease.given");
        }
        unit.commit().await?;
        if !answer.leases.is_empty() {
            crash_point!("server.lease.committed");
        }
        self.bell.notify_one();
        Ok(answer)
    }
}

/// The bytes of a slice; none where nothing is granted that moves any, whatever caps there are above it.
fn bytes_of(spec: &InstallationSpec, budgets: &[Budget]) -> Option<i64> {
    let left = left_of(budgets, Measure::Bytes).unwrap_or(0);
    let slice = (left / SHARE).max(bytes_a_call(spec).min(left));
    (bytes_a_day(spec) > 0).then_some(slice)
}

fn bounded(asked: &LeaseWishes) -> Result<(), Refusal> {
    if asked.wishes.len() <= WISHES_MAX && asked.closes.len() <= CLOSES_MAX {
        return Ok(());
    }
    let rule = format!("at most {WISHES_MAX} `wishes` and {CLOSES_MAX} `closes` at once");
    Err(Refusal::new(Code::FieldBad, "lease", rule))
}

impl PlatformUnit {
    /// What a wish brings: leases that were given already, and one more if those are known to the host.
    async fn meet(
        &mut self,
        server: &Server,
        book: &mut Book,
        (host, boot): (HostId, BootId),
        wish: &LeaseWish,
    ) -> Result<Vec<HostLease>, Unmet> {
        let (key, now) = (&wish.installation, server.now());
        let mut open = self.open_leases(host, boot, key).await?;
        open.retain(|row| now < row.lease.start_by);
        let mut leases: Vec<HostLease> = open.iter().map(|row| row.given.clone()).collect();
        let enough =
            |row: &LeaseRow| !row.seen && row.given.money.micros >= wish.at_least.micros.max(0);
        if open.iter().any(enough) {
            return Ok(leases);
        }
        let installed = self.installed(key).await?;
        let unknown = || Refusal::new(Code::NotFound, "lease", format!("`{key}` is not installed"));
        let installed = installed.ok_or_else(unknown)?;
        if !self.stands_for(&host, &key.org, &key.environment).await? {
            let reason = format!("`{key}` runs in another region than this host's");
            return Err(Refusal::new(Code::ResidencyRegion, "lease", reason).into());
        }
        leases.push(self.slice(server, book, (host, boot), wish, &installed).await?);
        Ok(leases)
    }

    /// Gives one lease more.
    async fn slice(
        &mut self,
        server: &Server,
        book: &mut Book,
        (host, boot): (HostId, BootId),
        wish: &LeaseWish,
        installed: &Installed,
    ) -> Result<HostLease, Unmet> {
        let (key, now) = (&wish.installation, server.now());
        let spec = &installed.active.spec;
        let budget = spec.budget.map(|budget| budget.limit.currency);
        let terms = self.terms_for(wish.at_least, budget).await?;
        let budgets = self.budget_chain(key, spec, now).await?;
        let account = Account::Tenant(key.org.clone());
        let currency = terms.terms.currency();
        let free = self.spendable(book, &account, currency).await?;
        let measure = Measure::Money(currency);
        let left = left_of(&budgets, measure).unwrap_or(0).min(free);
        let micros = wish.at_least.micros.max(left / SHARE).max(0);
        if free < micros {
            let holds = Money { micros: free, currency };
            return Err(self.poor(key, holds, wish.at_least).await?.into());
        }
        let start_by = Timestamp(now.plus(START_FOR).0.min(Window::day(now).end().0));
        let bytes = bytes_of(spec, &budgets);
        let money = Money { micros, currency };
        let ask = LeaseAsk {
            amounts: Amounts { bytes: bytes.unwrap_or(0), ..Amounts::of(money) },
            boot,
            host,
            id: LeaseId::from_u128(server.clock.fresh_id()),
            installation: key.clone(),
            lost_after: start_by.plus(LOST_AFTER),
            start_by,
            terms: terms.digest,
        };
        let granted = grant(ask, &budgets, now)?;
        for (before, after) in budgets.iter().zip(&granted.budgets) {
            if before != after {
                self.commit_budget(&key.org, before, after).await?;
            }
        }
        if let Some(posting) = &granted.posting {
            book.post(posting, None)?;
        }
        let given = HostLease {
            boot,
            bytes: bytes.map(i64::unsigned_abs),
            day: now.day(),
            id: granted.lease.id,
            installation: key.clone(),
            money,
            start_by,
            terms: terms.digest,
        };
        let drawn = budgets.iter().map(key_of).collect();
        let lease = granted.lease;
        let row =
            LeaseRow { lease, drawn, given: given.clone(), seen: false, touched: now, version: 1 };
        self.insert_lease(&row).await?;
        Ok(given)
    }

    /// The active terms of the currency that the installation pays in.
    async fn terms_for(
        &mut self,
        at_least: Money,
        budget: Option<Currency>,
    ) -> Result<TermsRow, MoneyError> {
        let currency = budget.unwrap_or(at_least.currency);
        if at_least.micros > 0 && at_least.currency != currency {
            let reason = format!("a call costs {at_least}, the budget is in {currency}");
            return Err(Refusal::new(Code::MoneyCurrency, "lease", reason).into());
        }
        let none = || {
            let reason = format!("no terms hold for {currency}");
            Refusal::new(Code::TermsBad, "lease", reason).fix("an operator puts terms for it")
        };
        Ok(self.active_terms(currency).await?.ok_or_else(none)?)
    }

    /// What is said to who has too little: what is left, and what others hold.
    async fn poor(
        &mut self,
        key: &InstallationKey,
        holds: Money,
        asked: Money,
    ) -> Result<Refusal, MoneyError> {
        let org = &key.org;
        let (held, leases) = self.leased_out(org, holds.currency.as_str()).await?;
        let held = Money { micros: held, ..holds };
        let reason = format!(
            "the account of `{org}` has {holds} left, {held} are reserved in {leases} leases, {asked} are asked for"
        );
        Ok(Refusal::new(Code::AccountFloor, "lease", reason))
    }

    /// The host's last word on a lease. Repeating it changes nothing.
    async fn close_lease(
        &mut self,
        book: &mut Book,
        host: HostId,
        close: &LeaseClose,
        now: Timestamp,
    ) -> Result<(), MoneyError> {
        let foreign = || {
            let reason = format!("lease {} is none of this host's", close.lease);
            Refusal::new(Code::LeaseForeign, "close", reason)
        };
        let row = self.lease(close.lease).await?.filter(|row| row.lease.host == host);
        let mut row = row.ok_or_else(foreign)?;
        if matches!(row.lease.state, LeaseState::Open | LeaseState::Recalling) {
            let last = LastEntry { journal: close.journal, seq: close.seq };
            row.lease = row.lease.apply(&LeaseCommand::Close(last), now)?.lease;
            self.update_lease(&row).await?;
            row.version += 1;
        }
        if let Some(journal) = self.journal(close.journal).await?
            && journal.position.host == host
        {
            self.finish(book, &mut row, journal.position.next, now).await?;
        }
        Ok(())
    }

    /// Ends a closing lease if its journal is settled that far.
    pub(super) async fn finish(
        &mut self,
        book: &mut Book,
        row: &mut LeaseRow,
        next: u64,
        now: Timestamp,
    ) -> Result<(), MoneyError> {
        let Some(last) = row.lease.last.filter(|last| last.seq < next) else { return Ok(()) };
        if row.lease.state == LeaseState::Closing {
            let finish = LeaseCommand::Finish { journal: last.journal, next };
            self.end(book, row, &finish, now).await?;
        }
        Ok(())
    }

    /// Finishes or loses a lease: what is left goes back to the tenant and to the budgets.
    pub(super) async fn end(
        &mut self,
        book: &mut Book,
        row: &mut LeaseRow,
        command: &LeaseCommand,
        now: Timestamp,
    ) -> Result<(), MoneyError> {
        let step = row.lease.apply(command, now)?;
        if let Some(posting) = &step.posting {
            book.post(posting, None)?;
        }
        self.give_back(row, &step.freed, now).await?;
        row.lease = step.lease;
        self.update_lease(row).await?;
        row.version += 1;
        Ok(())
    }

    /// Asks idle leases back, and those of an earlier run; says which are asked back already.
    async fn recall_idle(
        &mut self,
        (host, boot): (HostId, BootId),
        wished: &BTreeSet<&InstallationKey>,
        now: Timestamp,
    ) -> Result<Vec<LeaseId>, MoneyError> {
        let mut recalls = Vec::new();
        for mut row in self.live_leases(host).await? {
            let idle = row.lease.is_idle(row.touched, now, IDLE_AFTER)
                && !wished.contains(&row.lease.installation);
            let over = row.lease.state == LeaseState::Open
                && (row.lease.boot != boot || now >= row.lease.start_by);
            if idle || over {
                row.lease = row.lease.apply(&LeaseCommand::Recall, now)?.lease;
                self.update_lease(&row).await?;
            }
            if row.lease.state == LeaseState::Recalling {
                recalls.push(row.lease.id);
            }
        }
        Ok(recalls)
    }
}
