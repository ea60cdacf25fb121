//! What holds after every operation, whatever came before.

use std::collections::BTreeMap;

use soma_policy::{Outcome, Receipt};

use super::ops::Op;
use super::{EUR, World, author};
use crate::budget::{Scope, Window};
use crate::earnings::EarningState;
use crate::lease::LeaseState;
use crate::ledger::{Account, Cause, Posting, TransferKind, differences, trial};
use crate::money::fixture::org;
use crate::payout::PayoutState;
use crate::settle::{Note, recheck};

impl World {
    pub(super) fn check(&self, op: &Op) {
        self.the_sum_of_all_accounts_is_zero(op);
        self.no_lease_is_overspent(op);
        self.no_budget_is_overspent(op);
        self.each_receipt_is_settled_once_and_as_metered(op);
        self.refunds_stay_within_what_was_paid(op);
        self.authors_accounts_are_their_earnings_and_payouts(op);
    }

    fn the_sum_of_all_accounts_is_zero(&self, op: &Op) {
        assert!(trial(self.balances.sums()).values().all(|sum| *sum == 0), "after {op:?}");
        let rows = self.postings.values().flat_map(|posting| &posting.transfers);
        assert_eq!(differences(self.balances.sums(), rows), [], "after {op:?}");
        let tenant = self.balances.of(&Account::Tenant(org("shop")), EUR);
        assert!(tenant >= 0 || self.chargebacks > 0, "after {op:?}: {tenant}");
    }

    fn no_lease_is_overspent(&self, op: &Op) {
        let mut authors: BTreeMap<_, i64> = BTreeMap::new();
        for (key, settled) in &self.settled {
            let price = settled.asked.price.map_or(0, |price| price.micros);
            let paid = self.postings.get(&Cause::Receipt(*key)).map_or(0, |rows| price_of(rows));
            assert!(paid == price || settled.notes.contains(&Note::WrittenOff), "after {op:?}");
            *authors.entry(settled.receipt.facts.lease).or_default() += paid;
        }
        for lease in self.leases.values() {
            let left = lease.left().unwrap();
            let account = self.balances.of(&Account::Lease(lease.id), EUR);
            let ended = matches!(lease.state, LeaseState::Closed | LeaseState::Lost);
            assert!(left.is_sound(), "after {op:?}: {lease:?}");
            assert_eq!(
                account,
                if ended { 0 } else { left.money.micros },
                "after {op:?}: {lease:?}"
            );
            let first = self.first[&lease.id];
            assert!(lease.granted.money.micros <= first, "after {op:?}");
            assert!(
                authors.get(&lease.id).copied().unwrap_or(0) <= first,
                "after {op:?}: {lease:?}"
            );
        }
    }

    fn no_budget_is_overspent(&self, op: &Op) {
        for (scope, budget) in &self.budgets {
            assert!((0..=self.caps[scope]).contains(&budget.committed), "after {op:?}: {budget:?}");
            let of = |lease: &&crate::lease::Lease| scope.covers(&lease.installation);
            let held: i64 = self
                .leases
                .values()
                .filter(of)
                .map(|lease| match lease.state {
                    LeaseState::Closed | LeaseState::Lost => lease.used.money.micros,
                    _ => lease.granted.money.micros,
                })
                .sum();
            assert_eq!(budget.committed, held, "after {op:?}: {scope}");
            if matches!(scope, Scope::Installation(_)) {
                assert_eq!(budget.window, Window::month(crate::money::fixture::NOON));
            }
        }
    }

    fn each_receipt_is_settled_once_and_as_metered(&self, op: &Op) {
        assert!(self.settlings.values().all(|times| *times == 1), "after {op:?}");
        for (key, settled) in &self.settled {
            assert_eq!(self.taken[&(key.journal, key.seq)], settled.hash);
            let posted = self.postings.get(&Cause::Receipt(*key));
            let posted = posted.map(|posting| &**posting);
            let differs =
                recheck(&settled.receipt, &self.terms, settled.asked, &settled.notes, posted);
            assert_eq!(differs.unwrap(), [], "after {op:?}: {settled:?}");
            let tenant = posted.map_or(0, |rows| by_tenant(rows, &settled.receipt));
            if settled.receipt.outcome != Outcome::Ok {
                assert_eq!(posted.map_or(0, price_of), 0, "after {op:?}");
            }
            let spared = [Note::Late, Note::WrittenOff, Note::Gate];
            if spared.iter().any(|note| settled.notes.contains(note)) {
                assert_eq!(tenant, 0, "after {op:?}");
            }
        }
        for position in self.positions.values() {
            let taken =
                self.taken.keys().filter(|(journal, _)| *journal == position.journal).count();
            assert_eq!(taken as u64 + 1, position.next, "after {op:?}: contiguous");
        }
    }

    fn refunds_stay_within_what_was_paid(&self, op: &Op) {
        for (cause, backs) in &self.reversals {
            let Cause::Receipt(key) = cause else { panic!("{cause}") };
            let paid = by_tenant(&self.postings[cause], &self.settled[key].receipt);
            let tenant = Account::Tenant(org("shop"));
            let back: i64 = backs.iter().map(|back| back.effect_on(&tenant)).sum();
            assert!((0..=paid).contains(&back), "after {op:?}: {back} of {paid}");
        }
    }

    fn authors_accounts_are_their_earnings_and_payouts(&self, op: &Op) {
        let pending: i64 = self
            .earnings
            .values()
            .filter(|earning| earning.state == EarningState::Pending)
            .map(|earning| earning.left().micros)
            .sum();
        assert_eq!(self.balances.of(&Account::Pending(author()), EUR), pending, "after {op:?}");
        let held: i64 = self
            .payouts
            .values()
            .filter(|payout| !matches!(payout.state, PayoutState::Settled | PayoutState::Failed))
            .map(|payout| payout.amount.micros)
            .sum();
        assert_eq!(self.balances.of(&Account::Held(author()), EUR), held, "after {op:?}");
    }
}

fn price_of(rows: &Posting) -> i64 {
    rows.total(TransferKind::AuthorShare) + rows.total(TransferKind::Commission)
}

fn by_tenant(rows: &Posting, receipt: &Receipt) -> i64 {
    -rows.effect_on(&Account::Lease(receipt.facts.lease))
}
