//! What happens to the world, and in which hostile orders.

use proptest::prelude::*;
use soma_policy::{LeaseId, Millis, PayoutId, Timestamp};

use super::host;
use super::{EUR, INSTALLATIONS, Settled, World, author, offer};
use crate::Refusal;
use crate::budget::{Amounts, BudgetCommand, Scope};
use crate::earnings::{Earning, EarningCommand, EarningState};
use crate::lease::{LastEntry, Lease, LeaseAsk, LeaseCommand, grant};
use crate::ledger::{Account, Cause, ReceiptKey, Reversal, ReversalKind, reverse};
use crate::money::fixture::{BOOT, capsule, digested, eur, key, org, top_up};
use crate::offer::OfferStanding;
use crate::payout::{Payout, PayoutCommand};
use crate::settle::{
    Case, Entry, JournalCommand, JournalState, Note, Settlement, quarantines, settle, write_off,
};

#[derive(Debug, Clone)]
pub(super) enum Op {
    TopUp(i64),
    Lease { host: usize, installation: usize, micros: i64 },
    Call { host: usize, lease: usize, outcome: usize, cpu_us: u64, forged: bool },
    Push { host: usize, from: usize, count: usize, twin: Option<usize> },
    Recall { lease: usize },
    Slice { lease: usize, n: u32, micros: i64 },
    Close { lease: usize },
    Finish { lease: usize },
    Lose { lease: usize },
    Recap { installation: usize, cap: i64 },
    Refund { settled: usize, percent: i64, chargeback: bool },
    Mature,
    Payout { micros: i64 },
    MovePayout { payout: usize, step: usize },
    WriteOff { host: usize },
    Lift { host: usize },
    Tick(u64),
}

pub(super) fn any_op() -> impl Strategy<Value = Op> {
    let (host, lease) = (0..2usize, 0..6usize);
    prop_oneof![
        2 => (1i64..20_000).prop_map(Op::TopUp),
        4 => (host.clone(), 0..3usize, 0i64..9_000)
            .prop_map(|(host, installation, micros)| Op::Lease { host, installation, micros }),
        16 => (host.clone(), lease.clone(), 0..8usize, 0u64..400_000, prop::bool::weighted(0.03))
            .prop_map(|(host, lease, outcome, cpu_us, forged)| Op::Call { host, lease, outcome, cpu_us, forged }),
        12 => (host.clone(), 0..20usize, 1..20usize, prop::option::weighted(0.05, 0..20usize))
            .prop_map(|(host, back, count, twin)| Op::Push { host, from: back, count, twin }),
        1 => lease.clone().prop_map(|lease| Op::Recall { lease }),
        2 => (lease.clone(), 0u32..4, 0i64..3_000).prop_map(|(lease, n, micros)| Op::Slice { lease, n, micros }),
        2 => lease.clone().prop_map(|lease| Op::Close { lease }),
        3 => lease.clone().prop_map(|lease| Op::Finish { lease }),
        2 => lease.prop_map(|lease| Op::Lose { lease }),
        1 => (0..3usize, 0i64..20_000).prop_map(|(installation, cap)| Op::Recap { installation, cap }),
        3 => (0..20usize, 1i64..130, prop::bool::weighted(0.2))
            .prop_map(|(settled, percent, chargeback)| Op::Refund { settled, percent, chargeback }),
        2 => Just(Op::Mature),
        2 => (1i64..2_000).prop_map(|micros| Op::Payout { micros }),
        3 => (0..4usize, 0..4usize).prop_map(|(payout, step)| Op::MovePayout { payout, step }),
        1 => host.clone().prop_map(|host| Op::WriteOff { host }),
        1 => host.prop_map(|host| Op::Lift { host }),
        3 => prop_oneof![4 => 0u64..5, 1 => Just(13u64)].prop_map(Op::Tick),
    ]
}

impl World {
    pub(super) fn step(&mut self, op: &Op) -> Result<(), Refusal> {
        match *op {
            Op::TopUp(micros) => {
                let id = self.id();
                self.post(Some(top_up(id, "shop", micros)))
            }
            Op::Lease { host, installation, micros } => self.lease(host, installation, micros),
            Op::Call { host, lease, outcome, cpu_us, forged } => {
                self.call(host, lease, outcome, cpu_us, forged);
                Ok(())
            }
            Op::Push { host, from, count, twin } => self.push(host, from, count, twin),
            Op::Recall { lease } => self.move_lease(lease, &LeaseCommand::Recall),
            Op::Slice { lease, n, micros } => {
                let amounts = Amounts::of(eur(micros));
                self.move_lease(lease, &LeaseCommand::ReturnSlice { amounts, n })
            }
            Op::Close { lease } => self.close(lease),
            Op::Finish { lease } => self.finish(lease),
            Op::Lose { lease } => self.move_lease(lease, &LeaseCommand::Lose),
            Op::Recap { installation, cap } => self.recap(installation, cap),
            Op::Refund { settled, percent, chargeback } => {
                self.refund(settled, percent, chargeback)
            }
            Op::Mature => self.mature(),
            Op::Payout { micros } => self.payout(micros),
            Op::MovePayout { payout, step } => self.move_payout(payout, step),
            Op::WriteOff { host } => self.write_off(host),
            Op::Lift { host } => {
                let journal = self.hosts[host].journal;
                let lifted = self.positions[&journal].apply(JournalCommand::Lift)?;
                self.positions.insert(journal, lifted);
                Ok(())
            }
            Op::Tick(hours) => {
                self.now = self.now.plus(Millis(hours * 3_600_000));
                Ok(())
            }
        }
    }

    fn lease(&mut self, host: usize, installation: usize, micros: i64) -> Result<(), Refusal> {
        let id = LeaseId::from_u128(self.id());
        let day_end = crate::budget::Window::day(self.now).end();
        let start_by = Timestamp(self.now.plus(Millis(7_200_000)).0.min(day_end.0));
        let ask = LeaseAsk {
            amounts: Amounts::of(eur(micros)),
            boot: BOOT,
            host: self.hosts[host].host,
            id,
            installation: key(INSTALLATIONS[installation]),
            lost_after: start_by.plus(Millis(3_600_000)),
            start_by,
            terms: self.terms.sum(),
        };
        let granted = grant(ask, &self.chain(&key(INSTALLATIONS[installation])), self.now)?;
        self.post(granted.posting)?;
        self.keep(granted.budgets);
        self.first.insert(id, micros);
        self.leases.insert(id, granted.lease);
        Ok(())
    }

    fn pick(&self, at: usize) -> Option<Lease> {
        self.leases.values().nth(at % self.leases.len().max(1)).cloned()
    }

    /// A host writes what it likes: on leases of others, after their end, beyond what they hold.
    fn call(&mut self, host: usize, lease: usize, outcome: usize, cpu_us: u64, forged: bool) {
        let Some(lease) = self.pick(lease) else { return };
        let host = if forged {
            host
        } else {
            self.hosts.iter().position(|own| own.host == lease.host).unwrap()
        };
        let (call, at) = (self.id(), self.now);
        let receipt = host::receipt(&lease, &offer(&lease.installation), outcome, cpu_us, call, at);
        self.hosts[host].write(receipt);
    }

    fn push(
        &mut self,
        host: usize,
        from: usize,
        count: usize,
        twin: Option<usize>,
    ) -> Result<(), Refusal> {
        let journal = self.hosts[host].journal;
        let position = self.positions[&journal];
        // Mostly from where it should go on, sometimes from before or after.
        let from = (position.next as usize).saturating_sub(1 + from % 3) + from / 17;
        let batch = self.hosts[host].batch(from, count, twin);
        let frames: Vec<Entry> = batch.iter().map(|(entry, _)| *entry).collect();
        let taken = position.arrive_all(&frames, |seq| self.taken.get(&(journal, seq)).copied());
        let mut reached = taken.position;
        for at in &taken.accepted {
            let (entry, receipt) = &batch[*at];
            let key = ReceiptKey { journal, seq: entry.seq };
            match self.settle_one(host, key, receipt) {
                Ok(settlement) => self.keep_settlement(key, entry, receipt, settlement, host)?,
                Err(refusal) => {
                    assert!(quarantines(refusal.code), "{refusal}");
                    let state = JournalState::Quarantined;
                    reached = self.positions[&journal];
                    reached.state = state;
                    break;
                }
            }
        }
        if taken.accepted.is_empty() || reached.state == JournalState::Quarantined {
            let state = reached.state;
            reached = self.positions[&journal];
            reached.state = state;
        }
        self.positions.insert(journal, reached);
        Ok(())
    }

    fn case<'a>(&self, host: usize, key: ReceiptKey, parts: &'a Parts) -> Case<'a> {
        Case {
            at: self.now,
            author: &parts.author,
            capsule: &parts.capsule,
            gate: false,
            host: self.hosts[host].host,
            key,
            lease: &parts.lease,
            offer: &parts.offer,
            receipt: &parts.receipt,
            standing: OfferStanding { accepted_at: Timestamp(0), included_used: self.included },
            terms: &parts.terms,
        }
    }

    fn settle_one(
        &self,
        host: usize,
        key: ReceiptKey,
        receipt: &soma_policy::Receipt,
    ) -> Result<Settlement, Refusal> {
        let parts = self.parts(receipt);
        settle(&self.case(host, key, &parts))
    }

    fn parts(&self, receipt: &soma_policy::Receipt) -> Parts {
        let lease = self.leases[&receipt.facts.lease].clone();
        let offer = digested(offer(&lease.installation));
        let (author, capsule, terms) = (author(), capsule(), self.terms.clone());
        Parts { author, capsule, lease, offer, receipt: receipt.clone(), terms }
    }

    fn keep_settlement(
        &mut self,
        key: ReceiptKey,
        entry: &Entry,
        receipt: &std::sync::Arc<soma_policy::Receipt>,
        done: Settlement,
        host: usize,
    ) -> Result<(), Refusal> {
        let journal = key.journal;
        let parts = self.parts(receipt);
        let standing = OfferStanding { accepted_at: Timestamp(0), included_used: self.included };
        let mut asked = parts.offer.ask(&standing, receipt.facts.started_at);
        if receipt.outcome != soma_policy::Outcome::Ok {
            asked.price = None;
        }
        self.post(done.posting)?;
        self.leases.insert(done.lease.id, done.lease);
        self.included += u64::from(done.included);
        let day = crate::budget::Window::day(self.now);
        let earning = self.earnings.remove(&day);
        let earning = earning.unwrap_or_else(|| Earning::open(author(), EUR, self.now));
        let earning = earning.apply(EarningCommand::Earn(done.earned), self.now)?.0;
        self.earnings.insert(day, earning);
        *self.settlings.entry(key).or_default() += 1;
        let settled =
            Settled { asked, hash: entry.hash, notes: done.notes, receipt: receipt.clone() };
        self.settled.insert(key, settled);
        self.taken.insert((journal, entry.seq), entry.hash);
        let position = self.positions[&journal];
        let next = entry.seq + 1;
        let host = self.hosts[host].host;
        self.positions
            .insert(journal, crate::settle::Position { head: entry.hash, host, next, ..position });
        Ok(())
    }

    fn move_lease(&mut self, at: usize, command: &LeaseCommand) -> Result<(), Refusal> {
        let Some(lease) = self.pick(at) else { return Ok(()) };
        let step = lease.apply(command, self.now)?;
        self.post(step.posting)?;
        self.give_back(&lease.installation, &step.freed)?;
        self.leases.insert(lease.id, step.lease);
        Ok(())
    }

    fn close(&mut self, at: usize) -> Result<(), Refusal> {
        let Some(lease) = self.pick(at) else { return Ok(()) };
        let host = self.hosts.iter().find(|host| host.host == lease.host).unwrap();
        let last = LastEntry { journal: host.journal, seq: host.written.len() as u64 };
        self.move_lease(at, &LeaseCommand::Close(last))
    }

    fn finish(&mut self, at: usize) -> Result<(), Refusal> {
        let Some(lease) = self.pick(at) else { return Ok(()) };
        let host = self.hosts.iter().find(|host| host.host == lease.host).unwrap();
        let (journal, next) = (host.journal, self.positions[&host.journal].next);
        self.move_lease(at, &LeaseCommand::Finish { journal, next })
    }

    fn recap(&mut self, installation: usize, cap: i64) -> Result<(), Refusal> {
        let scope = Scope::Installation(key(INSTALLATIONS[installation]));
        let budget = self.budgets[&scope].apply(BudgetCommand::Recap(cap), self.now)?;
        let highest = self.caps.entry(scope).or_default();
        *highest = cap.max(*highest);
        self.keep(vec![budget]);
        Ok(())
    }

    fn refund(&mut self, settled: usize, percent: i64, chargeback: bool) -> Result<(), Refusal> {
        let Some(key) = self.settled.keys().nth(settled % self.settled.len().max(1)) else {
            return Ok(());
        };
        let cause = Cause::Receipt(*key);
        let Some(original) = self.postings.get(&cause).cloned() else { return Ok(()) };
        let day = crate::budget::Window::day(original.at);
        let earning = self.earnings[&day].clone();
        let earlier = self.reversals.get(&cause).cloned().unwrap_or_default();
        let earlier: Vec<_> = earlier.iter().map(|back| (**back).clone()).collect();
        let paid: i64 = original.transfers.iter().map(|row| row.amount).sum();
        let kind = if chargeback { ReversalKind::Chargeback } else { ReversalKind::Refund };
        let amount = eur(paid * percent / 100);
        let ask = Reversal { amount, earning: earning.state, id: self.entry(), kind };
        let back = reverse(&original, &earlier, &ask, self.now)?;
        let share = back.total(crate::ledger::TransferKind::AuthorShare);
        if share > 0 {
            let earning = earning.apply(EarningCommand::Reverse(eur(share)), self.now)?.0;
            self.earnings.insert(day, earning);
        }
        self.chargebacks += i64::from(chargeback);
        self.post(Some(back.clone()))?;
        self.reversals.entry(cause).or_default().push(std::sync::Arc::new(back));
        Ok(())
    }

    fn mature(&mut self) -> Result<(), Refusal> {
        let pending = |earning: &&Earning| earning.state == EarningState::Pending;
        let Some(earning) = self.earnings.values().find(pending).cloned() else { return Ok(()) };
        let (earning, posting) = earning.apply(EarningCommand::Mature(Millis(0)), self.now)?;
        self.post(posting)?;
        self.earnings.insert(earning.window, earning);
        Ok(())
    }

    fn payout(&mut self, micros: i64) -> Result<(), Refusal> {
        let id = PayoutId::from_u128(self.id());
        let available = eur(self.balances.of(&Account::Available(author()), EUR));
        let (payout, posting) = Payout::request(id, author(), eur(micros), available, self.now)?;
        self.post(Some(posting))?;
        self.payouts.insert(id, payout);
        Ok(())
    }

    fn move_payout(&mut self, at: usize, step: usize) -> Result<(), Refusal> {
        let Some(payout) = self.payouts.values().nth(at % self.payouts.len().max(1)) else {
            return Ok(());
        };
        let words = || "7".parse().unwrap();
        let command = match step {
            0 => PayoutCommand::Approve,
            1 => PayoutCommand::Export(words()),
            2 => PayoutCommand::Settle(words()),
            _ => PayoutCommand::Fail(words()),
        };
        let (payout, posting) = payout.apply(command, self.now)?;
        self.post(posting)?;
        self.payouts.insert(payout.id, payout);
        Ok(())
    }

    /// An operator looks at a quarantined host's next entry and lets the platform bear it.
    fn write_off(&mut self, host: usize) -> Result<(), Refusal> {
        let position = self.positions[&self.hosts[host].journal];
        let batch = self.hosts[host].batch(position.next as usize - 1, 1, None);
        let (JournalState::Quarantined, Some((entry, receipt))) = (position.state, batch.first())
        else {
            return Ok(());
        };
        let key = ReceiptKey { journal: position.journal, seq: entry.seq };
        let parts = self.parts(receipt);
        let done = write_off(&self.case(host, key, &parts))?;
        assert!(done.notes.contains(&Note::WrittenOff) && done.earned == eur(0));
        self.keep_settlement(key, entry, receipt, done, host)?;
        let lifted = self.positions[&position.journal].apply(JournalCommand::Lift)?;
        self.positions.insert(position.journal, lifted);
        assert_eq!(parts.lease.installation.org, org("shop"));
        Ok(())
    }
}

/// What a case borrows.
struct Parts {
    author: soma_policy::OrgId,
    capsule: soma_policy::CapsuleName,
    lease: Lease,
    offer: crate::Digested<crate::offer::Offer>,
    receipt: soma_policy::Receipt,
    terms: std::sync::Arc<crate::Digested<soma_policy::price::Terms>>,
}
