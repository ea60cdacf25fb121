use proptest::prelude::*;
use soma_policy::price::Bearer;
use soma_policy::price::{Charge, Item};
use soma_policy::{BootId, Currency, Money};

use super::*;
use crate::budget::{Budget, Measure, Scope};
use crate::ledger::{Account, Cause, ReceiptKey};
use crate::money::fixture::{
    BOOT, HOUR, JOURNAL, NOON, ask, budget, eur, key, lease, org, own_budget, terms,
};

const SHOP: &str = "shop/production/csv";

fn amounts(micros: i64, bytes: i64) -> Amounts {
    Amounts { bytes, ..Amounts::of(eur(micros)) }
}

fn at(seq: u64) -> ReceiptKey {
    ReceiptKey { journal: JOURNAL, seq }
}

fn close(seq: u64) -> LeaseCommand {
    LeaseCommand::Close(LastEntry { journal: JOURNAL, seq })
}

fn finish(next: u64) -> LeaseCommand {
    LeaseCommand::Finish { journal: JOURNAL, next }
}

fn slice(n: u32, micros: i64) -> LeaseCommand {
    LeaseCommand::ReturnSlice { amounts: amounts(micros, 0), n }
}

fn cost(author: i64, cpu: i64) -> Charge {
    let mut resources = [0; Item::ALL.len()];
    resources[1] = cpu;
    let bearer = Bearer::Tenant;
    Charge { author, bearer, currency: Currency::EUR, resources, taxes: Vec::new() }
        .taxed(&terms())
        .unwrap()
}

#[test]
fn a_lease_takes_from_every_budget_and_from_the_account() {
    let key = key(SHOP);
    let bytes =
        Budget::open(Scope::Installation(key.clone()), Measure::Bytes, 64, None, Window::day(NOON));
    let budgets = [budget(Scope::Org(key.org.clone()), 500), own_budget(SHOP, 100), bytes.unwrap()];
    let ask = || LeaseAsk { amounts: amounts(60, 64), ..ask(1, SHOP, 0) };
    let granted = grant(ask(), &budgets, NOON).unwrap();
    assert_eq!(
        granted.budgets.iter().map(|budget| budget.committed).collect::<Vec<_>>(),
        [60, 60, 64]
    );
    let posting = granted.posting.unwrap();
    assert_eq!(posting.effect_on(&Account::Tenant(org("shop"))), -60);
    assert_eq!(
        (posting.cause, granted.lease.window),
        (Cause::Lease(granted.lease.id), Window::day(NOON))
    );
    let again = grant(ask(), &granted.budgets, NOON).unwrap_err();
    assert_eq!(again.code, Code::BudgetCap);
    let free = grant(LeaseAsk { amounts: amounts(0, 0), ..ask() }, &[], NOON).unwrap();
    assert_eq!(free.posting, None);
}

#[test]
fn a_lease_with_times_out_of_order_is_not_given() {
    let budgets = [own_budget(SHOP, 100)];
    let tomorrow = Window::day(NOON).end().plus(HOUR);
    for ask in [
        LeaseAsk { start_by: NOON, ..ask(1, SHOP, 1) },
        LeaseAsk { start_by: tomorrow, lost_after: tomorrow.plus(HOUR), ..ask(1, SHOP, 1) },
        LeaseAsk { lost_after: NOON.plus(HOUR), ..ask(1, SHOP, 1) },
    ] {
        assert_eq!(grant(ask, &budgets, NOON).unwrap_err().code, Code::LeaseStart);
    }
    let negative = LeaseAsk { amounts: amounts(1, -1), ..ask(1, SHOP, 1) };
    assert_eq!(grant(negative, &budgets, NOON).unwrap_err().code, Code::AmountBad);
}

#[test]
fn no_call_starts_after_start_by_on_an_older_boot_or_on_a_recalled_lease() {
    let lease = lease(100);
    assert_eq!(lease.may_start(BOOT, NOON), Ok(()));
    assert!(lease.may_start(BOOT, lease.start_by).unwrap_err().reason.contains("before"));
    let older = lease.may_start(BootId::from_u128(1), NOON).unwrap_err();
    assert!(older.reason.contains("started again"), "{older}");
    let recalled = lease.apply(&LeaseCommand::Recall, NOON).unwrap().lease;
    let refused = recalled.may_start(BOOT, NOON).unwrap_err();
    assert_eq!((refused.code, refused.reason.contains("recalling")), (Code::LeaseStart, true));
    assert!(lease.is_idle(NOON, NOON.plus(HOUR), HOUR) && !lease.is_idle(NOON, NOON, HOUR));
    assert!(!recalled.is_idle(NOON, NOON.plus(HOUR), HOUR));
}

#[test]
fn the_residue_returns_when_all_is_settled() {
    let spent = lease(100).spend(&cost(50, 0), &terms(), at(3), NOON).unwrap().lease;
    let closing = spent.apply(&close(9), NOON).unwrap();
    assert_eq!((closing.posting, closing.freed.is_none()), (None, true));
    let early = closing.lease.apply(&finish(9), NOON).unwrap_err();
    assert!(early.reason.contains("up to 9") && early.legal.contains(&"lose"), "{early}");
    let other = LeaseCommand::Finish { journal: JournalId::from_u128(1), next: 10 };
    assert_eq!(closing.lease.apply(&other, NOON).unwrap_err().code, Code::LeaseMove);
    let closed = closing.lease.apply(&finish(10), NOON).unwrap();
    // 50 with 19 % tax (9.5, to even).
    assert_eq!((closed.freed, closed.lease.state), (amounts(40, 0), LeaseState::Closed));
    assert_eq!(closed.posting.unwrap().effect_on(&Account::Tenant(org("shop"))), 40);
}

#[test]
fn a_host_that_does_not_close_in_time_is_lost_and_not_before() {
    let lease = lease(100);
    let early = lease.apply(&LeaseCommand::Lose, NOON).unwrap_err();
    assert_eq!((early.code, early.legal.len()), (Code::LeaseMove, 4));
    let lost = lease.apply(&LeaseCommand::Lose, lease.lost_after).unwrap();
    assert_eq!((lost.freed, lost.lease.state), (amounts(100, 0), LeaseState::Lost));
    let late = lost.lease.apply(&close(1), NOON).unwrap_err();
    assert!(late.reason.contains("none, this is final"), "{late}");
}

#[test]
fn slices_come_back_once_and_in_order() {
    let lease = lease(100);
    let one = lease.apply(&slice(1, 30), NOON).unwrap();
    assert_eq!((one.freed, one.lease.granted.money), (amounts(30, 0), eur(70)));
    assert_eq!(one.posting.unwrap().cause, Cause::Slice(lease.id, 1));
    for command in [slice(1, 30), slice(3, 1), slice(2, 71), slice(2, 0), slice(2, -1)] {
        assert_eq!(one.lease.apply(&command, NOON).unwrap_err().code, Code::LeaseMove);
    }
    let last = Lease { slices: u32::MAX, ..lease };
    assert_eq!(last.apply(&slice(0, 1), NOON).unwrap_err().code, Code::LeaseMove);
}

#[test]
fn every_illegal_move_names_the_legal_ones() {
    let commands = [LeaseCommand::Recall, slice(1, 1), close(1), finish(2), LeaseCommand::Lose];
    for state in LeaseState::ALL {
        let last = Some(LastEntry { journal: JOURNAL, seq: 1 });
        let lease = Lease { state: *state, last, ..lease(100) };
        for command in &commands {
            let result = lease.apply(command, lease.lost_after);
            let legal = state.legal().contains(&command.as_str());
            assert_eq!(result.is_ok(), legal, "{state} {}", command.as_str());
            if let Err(refusal) = result {
                assert_eq!((refusal.code, &*refusal.legal), (Code::LeaseMove, state.legal()));
                assert_eq!(refusal.state, Some(state.as_str()));
            }
        }
    }
}

#[test]
fn what_is_left_pays_the_author_before_the_resources() {
    let lease = lease(1_000);
    // 500 + 400 + 19 % = 1071 is more than is left; 500 + 19 % = 595 is not.
    let spent = lease.spend(&cost(500, 400), &terms(), at(1), NOON).unwrap();
    assert_eq!((spent.author, spent.resources), (Payer::Lease, Payer::Loss));
    assert!(spent.overdrawn && !spent.late && spent.taxes == [95]);
    assert_eq!(spent.lease.left().unwrap().money, eur(405));
    let refused = spent.lease.spend(&cost(500, 0), &terms(), at(2), NOON).unwrap_err();
    assert_eq!(refused.code, Code::LeaseExceeded);
    let only = spent.lease.spend(&cost(0, 500), &terms(), at(2), NOON).unwrap();
    assert!(only.overdrawn && only.lease == spent.lease);
}

#[test]
fn what_comes_after_the_end_is_the_platforms_and_never_more_than_the_lease_held() {
    let lost = lease(1_000).apply(&LeaseCommand::Lose, NOON.plus(HOUR).plus(HOUR)).unwrap().lease;
    let late = lost.spend(&cost(600, 50), &terms(), at(1), NOON).unwrap();
    assert_eq!((late.author, late.resources, late.late), (Payer::Loss, Payer::Loss, true));
    assert_eq!((late.lease.late, late.lease.used), (600, lost.used));
    assert!(late.taxes.is_empty());
    let more = late.lease.spend(&cost(401, 0), &terms(), at(2), NOON).unwrap_err();
    assert_eq!(more.code, Code::LeaseExceeded);
    assert!(late.lease.spend(&cost(400, 0), &terms(), at(2), NOON).is_ok());
}

#[test]
fn a_call_that_began_too_late_or_is_after_the_last_entry_is_not_the_tenants() {
    let lease = lease(1_000);
    let late = lease.spend(&cost(10, 0), &terms(), at(1), lease.start_by).unwrap();
    assert!(late.late && late.lease.left().unwrap() == lease.left().unwrap());
    let closing = lease.apply(&close(5), NOON).unwrap().lease;
    assert!(!closing.spend(&cost(10, 0), &terms(), at(5), NOON).unwrap().late);
    assert!(closing.spend(&cost(10, 0), &terms(), at(6), NOON).unwrap().late);
    let journal = JournalId::from_u128(1);
    let other = ReceiptKey { journal, seq: 1 };
    assert!(closing.spend(&cost(10, 0), &terms(), other, NOON).unwrap().late);
}

#[test]
fn what_the_platform_bears_leaves_the_lease_as_it_is() {
    let lease = lease(10);
    let spent = lease.spend(&cost(0, 500).absorbed(), &terms(), at(1), NOON).unwrap();
    assert_eq!((spent.resources, spent.late, &spent.lease), (Payer::Loss, false, &lease));
}

proptest! {
    #[test]
    fn a_lease_is_never_overspent(
        held in 0i64..5_000,
        calls in prop::collection::vec((0i64..900, 0i64..900, 0u8..8), 1..60),
    ) {
        let mut now = lease(held);
        let mut authors = 0;
        for (seq, (author, cpu, odd)) in calls.into_iter().enumerate() {
            let seq = seq as u64;
            now = match odd {
                0 => now.apply(&LeaseCommand::Recall, NOON).map_or(now, |step| step.lease),
                1 => now.apply(&close(seq), NOON).map_or(now, |step| step.lease),
                2 => now.apply(&slice(now.slices + 1, author), NOON).map_or(now, |step| step.lease),
                3 => now.apply(&LeaseCommand::Lose, now.lost_after).map_or(now, |step| step.lease),
                _ => now,
            };
            if let Ok(spent) = now.spend(&cost(author, cpu), &terms(), at(seq), NOON) {
                authors += author;
                now = spent.lease;
            }
            let left = now.left().unwrap();
            prop_assert!(left.is_sound(), "{:?}", left);
            prop_assert!(now.late <= left.money.micros);
            prop_assert!(authors <= held);
            prop_assert_eq!(left.money.micros + now.used.money.micros, now.granted.money.micros);
        }
        let _: Money = now.granted.money;
    }
}
