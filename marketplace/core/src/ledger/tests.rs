use std::collections::BTreeMap;

use soma_policy::{Code, Currency, Digest, EntryId, LeaseId, Outcome, PayoutId, Timestamp};

use super::*;
use crate::budget::Window;
use crate::earnings::EarningState;
use crate::money::fixture::{DAY, NOON, Table, eur, key, lease, org, per_call, top_up};
use crate::settle::settle;

fn tenant() -> Account {
    Account::Tenant(org("shop"))
}

fn paid() -> Posting {
    let table = Table::new(lease(10_000), per_call(1_000), Outcome::Ok);
    settle(&table.case(1)).unwrap().posting.unwrap()
}

fn ask(id: u128, micros: i64, kind: ReversalKind) -> Reversal {
    let (amount, id) = (eur(micros), EntryId::from_u128(id));
    Reversal { amount, earning: EarningState::Pending, id, kind }
}

fn accounts() -> Vec<Account> {
    let org = || org("acme");
    vec![
        tenant(),
        Account::Lease(LeaseId::from_u128(1)),
        Account::Pending(org()),
        Account::Available(org()),
        Account::Held(org()),
        Account::Paid(org()),
        Account::Revenue,
        Account::Loss,
        Account::Credits,
        Account::Adjustments,
        Account::Outside,
        Account::Tax("vat-de".parse().unwrap()),
    ]
}

#[test]
fn accounts_are_texts_that_read_back() {
    for account in accounts() {
        assert_eq!(account.to_string().parse(), Ok(account.clone()));
        let json = serde_json::to_string(&account).unwrap();
        assert_eq!(serde_json::from_str::<Account>(&json).unwrap(), account);
        let owned = account.to_string().contains(':') && account.org().is_some();
        assert_eq!(owned, account.org().is_some(), "{account}");
    }
    for bad in ["", "tenant", "tenant:", "tenant:A B", "lease:1", "bank:acme", "tax:", "revenue"] {
        assert!(bad.parse::<Account>().is_err(), "{bad}");
    }
}

#[test]
fn causes_are_texts_that_read_back() {
    let receipt = ReceiptKey { journal: crate::money::fixture::JOURNAL, seq: 7 };
    let lease = LeaseId::from_u128(1);
    let payout = |step| Cause::Payout(PayoutId::from_u128(3), step);
    for cause in [
        Cause::Receipt(receipt),
        Cause::Lease(lease),
        Cause::Slice(lease, 2),
        Cause::Residue(lease),
        Cause::Fee(key("shop/production/csv"), Window::month(NOON)),
        Cause::Entry(EntryId::from_u128(4)),
        Cause::Refund(EntryId::from_u128(5)),
        Cause::Maturity(org("acme"), Window::day(NOON)),
        payout(PayoutStep::Hold),
        payout(PayoutStep::Pay),
        payout(PayoutStep::Return),
    ] {
        assert_eq!(cause.to_string().parse(), Ok(cause.clone()), "{cause}");
        let json = serde_json::to_string(&cause).unwrap();
        assert_eq!(serde_json::from_str::<Cause>(&json).unwrap(), cause);
    }
    let good = Cause::Receipt(receipt).to_string();
    for bad in ["", "receipt", "receipt:x:1", "payout:1:hold", &format!("{good}0:1"), "gift:1"] {
        assert!(bad.parse::<Cause>().is_err(), "{bad}");
    }
    assert!(good.replace(":7", ":07").parse::<Cause>().is_err());
}

#[test]
fn a_row_moves_something_between_two_accounts_or_does_not_exist() {
    let draft =
        || Draft::new(Cause::Entry(EntryId::from_u128(1)), Currency::EUR, About::default(), NOON);
    let row = |debit, credit, amount| draft().row(TransferKind::Credit, debit, credit, amount);
    assert_eq!(row(tenant(), tenant(), 1).unwrap_err().code, Code::PostingBad);
    assert_eq!(row(tenant(), Account::Outside, -1).unwrap_err().code, Code::AmountBad);
    assert_eq!(row(tenant(), Account::Outside, 0).unwrap().finish(), None);
    assert_eq!(draft().whole().unwrap_err().code, Code::PostingBad);
}

#[test]
fn rows_read_back_whole_and_refuse_what_no_draft_makes() {
    let posting = paid();
    let json = serde_json::to_value(&posting.transfers).unwrap();
    let rows: Vec<Transfer> = serde_json::from_value(json.clone()).unwrap();
    assert_eq!(Posting::read(posting.about.clone(), false, rows.clone()).unwrap(), posting);
    for (field, value) in [
        ("amount", serde_json::json!("0")),
        ("amount", serde_json::json!("-5")),
        ("amount", serde_json::json!(5)),
        ("credit", json[0]["debit"].clone()),
        ("kind", serde_json::json!("gift")),
        ("more", serde_json::json!(1)),
    ] {
        let mut row = json[0].clone();
        row[field] = value;
        assert!(serde_json::from_value::<Transfer>(row).is_err(), "{field}");
    }
    let mut mixed = rows;
    mixed.extend(top_up(1, "shop", 5).transfers);
    let said = Posting::read(About::default(), false, mixed).unwrap_err();
    assert_eq!(said.code, Code::PostingBad);
    assert_eq!(
        Posting::read(About::default(), false, Vec::new()).unwrap_err().code,
        Code::PostingBad
    );
}

#[test]
fn posting_the_same_cause_again_makes_the_same_row_ids() {
    let (one, again) = (paid(), paid());
    assert_eq!(one, again);
    let ids: std::collections::BTreeSet<_> = one.transfers.iter().map(|row| row.id).collect();
    assert_eq!(ids.len(), one.transfers.len());
    let other = top_up(1, "shop", 5).transfers[0].id;
    assert!(!ids.contains(&other) && other != top_up(2, "shop", 5).transfers[0].id);
}

#[test]
fn a_prepaid_account_stops_at_zero_and_a_credit_account_at_its_limit() {
    let mut balances = Balances::default();
    balances.apply(&top_up(1, "shop", 100)).unwrap();
    let withdraw = |id, micros| BillingEvent {
        amount: eur(micros),
        id: EntryId::from_u128(id),
        kind: EventKind::Withdrawal,
        org: org("shop"),
        reason: "asked for".parse().unwrap(),
    };
    let before = balances.clone();
    let refused = balances.apply(&withdraw(2, 101).post(NOON).unwrap()).unwrap_err();
    assert_eq!((refused.code, &balances), (Code::AccountFloor, &before));
    assert!(refused.reason.contains("0.000001 EUR too little"), "{refused}");
    balances.fund(org("shop"), Funding::credit(eur(50)).unwrap());
    balances.apply(&withdraw(3, 150).post(NOON).unwrap()).unwrap();
    assert_eq!(balances.of(&tenant(), Currency::EUR), -50);
    assert_eq!(
        balances.apply(&withdraw(4, 1).post(NOON).unwrap()).unwrap_err().code,
        Code::AccountFloor
    );
    // What fills an account is never refused, even below its floor.
    balances.fund(org("shop"), Funding::Prepaid);
    balances.apply(&top_up(5, "shop", 10)).unwrap();
    assert_eq!(balances.of(&tenant(), Currency::EUR), -40);
    assert_eq!(Funding::credit(eur(-1)).unwrap_err().code, Code::AmountBad);
    assert_eq!(Funding::Credit { limit: u64::MAX }.floor(), i64::MIN);
}

#[test]
fn a_balance_that_would_wrap_is_refused_whole() {
    let mut balances = Balances::default();
    balances.apply(&top_up(1, "shop", i64::MAX)).unwrap();
    let before = balances.clone();
    assert_eq!(balances.apply(&top_up(2, "shop", 1)).unwrap_err().code, Code::MoneyOverflow);
    assert_eq!(balances, before);
}

#[test]
fn each_kind_of_entry_moves_between_its_two_accounts() {
    for (kind, other, effect) in [
        (EventKind::TopUp, Account::Outside, 5),
        (EventKind::Withdrawal, Account::Outside, -5),
        (EventKind::Credit, Account::Credits, 5),
        (EventKind::AdjustUp, Account::Adjustments, 5),
        (EventKind::AdjustDown, Account::Adjustments, -5),
    ] {
        let id = EntryId::from_u128(1);
        let reason = "by hand".parse().unwrap();
        let event = BillingEvent { amount: eur(5), id, kind, org: org("shop"), reason };
        let posting = event.post(NOON).unwrap();
        assert_eq!(posting.effect_on(&tenant()), effect, "{kind}");
        assert_eq!(posting.effect_on(&other), -effect, "{kind}");
        let nothing = BillingEvent { amount: eur(0), ..event };
        assert_eq!(nothing.post(NOON).unwrap_err().code, Code::AmountBad);
    }
}

#[test]
fn a_changed_row_breaks_the_chain() {
    let postings = [top_up(1, "shop", 5), paid(), top_up(2, "shop", 6)];
    let mut head = Digest::ZERO;
    let heads: Vec<Digest> = postings
        .iter()
        .map(|posting| {
            head = link(head, posting).unwrap();
            head
        })
        .collect();
    let chain = |postings: &[Posting]| {
        verify(Digest::ZERO, postings.iter().zip(heads.iter().copied())).unwrap()
    };
    assert_eq!(chain(&postings), Some(head));
    let mut changed = postings.clone();
    changed[1].transfers[0].amount += 1;
    assert_eq!(chain(&changed), None);
    let mut swapped = postings;
    swapped.swap(0, 2);
    assert_eq!(chain(&swapped), None);
}

#[test]
fn a_stored_balance_that_is_not_the_sum_of_its_rows_is_found() {
    let mut balances = Balances::default();
    let postings = [top_up(1, "shop", 5_000), top_up(2, "cafe", 7)];
    for posting in &postings {
        balances.apply(posting).unwrap();
    }
    let rows = || postings.iter().flat_map(|posting| &posting.transfers);
    assert!(differences(balances.sums(), rows()).is_empty());
    assert_eq!(trial(balances.sums()), BTreeMap::from([(Currency::EUR, 0)]));
    let mut stored = balances.sums().clone();
    stored.insert((tenant(), Currency::EUR), 5_001);
    assert_eq!(differences(&stored, rows()), [(tenant(), Currency::EUR, 5_001, 5_000)]);
    assert_eq!(trial(&stored)[&Currency::EUR], 1);
}

#[test]
fn a_refund_takes_back_share_commission_and_tax_in_proportion() {
    // 700 + 300 of the author's price, 2 + 50 + 90 for resources, 217 tax.
    let original = paid();
    assert_eq!(refundable(&original, &[]).unwrap(), eur(1_359));
    let back = reverse(&original, &[], &ask(1, 453, ReversalKind::Refund), NOON).unwrap();
    assert_eq!(back.effect_on(&tenant()), 453);
    let (share, commission) = (TransferKind::AuthorShare, TransferKind::Commission);
    assert_eq!(
        (back.total(share), back.total(commission), back.total(TransferKind::Tax)),
        (233, 100, 72)
    );
    assert!(back.transfers.iter().all(|row| row.reverses.is_some()) && !back.forced);
    let rest = refundable(&original, std::slice::from_ref(&back)).unwrap();
    assert_eq!(rest, eur(906));
    let all =
        reverse(&original, std::slice::from_ref(&back), &ask(2, 906, ReversalKind::Refund), NOON)
            .unwrap();
    let both = [back, all];
    assert_eq!(refundable(&original, &both).unwrap(), eur(0));
    for kind in [share, commission, TransferKind::Tax, TransferKind::Cpu] {
        let taken: i64 = both.iter().map(|back| back.total(kind)).sum();
        assert_eq!(taken, original.total(kind), "{kind}");
    }
    let more = reverse(&original, &both, &ask(3, 1, ReversalKind::Refund), NOON).unwrap_err();
    assert_eq!(more.code, Code::RefundTooLarge);
}

#[test]
fn a_refund_of_matured_earnings_takes_them_from_what_is_available() {
    let ask = Reversal { earning: EarningState::Available, ..ask(1, 1_359, ReversalKind::Refund) };
    let back = reverse(&paid(), &[], &ask, NOON).unwrap();
    assert_eq!(back.effect_on(&Account::Available(org("acme"))), -700);
    assert_eq!(back.effect_on(&Account::Pending(org("acme"))), 0);
}

#[test]
fn a_chargeback_of_a_top_up_passes_every_floor() {
    let mut balances = Balances::default();
    let original = top_up(1, "shop", 100);
    balances.apply(&original).unwrap();
    let gone = BillingEvent {
        amount: eur(100),
        id: EntryId::from_u128(2),
        kind: EventKind::AdjustDown,
        org: org("shop"),
        reason: "spent elsewhere".parse().unwrap(),
    };
    balances.apply(&gone.post(NOON).unwrap()).unwrap();
    let refund = reverse(&original, &[], &ask(3, 100, ReversalKind::Refund), NOON).unwrap();
    assert_eq!(balances.apply(&refund).unwrap_err().code, Code::AccountFloor);
    let back = reverse(&original, &[], &ask(3, 100, ReversalKind::Chargeback), NOON).unwrap();
    balances.apply(&back).unwrap();
    assert_eq!(balances.of(&tenant(), Currency::EUR), -100);
}

#[test]
fn what_moved_nothing_of_a_tenants_is_not_refunded() {
    let usd = Reversal { amount: "1 USD".parse().unwrap(), ..ask(1, 1, ReversalKind::Refund) };
    assert_eq!(reverse(&paid(), &[], &usd, NOON).unwrap_err().code, Code::MoneyCurrency);
    let nothing = ask(1, 0, ReversalKind::Refund);
    assert_eq!(reverse(&paid(), &[], &nothing, NOON).unwrap_err().code, Code::AmountBad);
    let refund = |original: &Posting| {
        reverse(original, &[], &ask(9, 1, ReversalKind::Refund), NOON).unwrap_err().code
    };
    let killed = Outcome::Killed(soma_policy::OrderId::from_u128(1));
    let table = Table::new(lease(10_000), per_call(1_000), killed);
    assert_eq!(refund(&settle(&table.case(1)).unwrap().posting.unwrap()), Code::PostingBad);
    let back = reverse(&paid(), &[], &ask(1, 5, ReversalKind::Refund), NOON).unwrap();
    assert_eq!(refund(&back), Code::PostingBad);
    let mut nobody = paid();
    nobody.about.org = None;
    assert_eq!(refund(&nobody), Code::PostingBad);
}

#[test]
fn a_tenants_statement_adds_up_and_leases_cancel_out_of_it() {
    let granted = {
        let installation = "shop/production/csv";
        let budgets = [crate::money::fixture::own_budget(installation, 10_000)];
        crate::lease::grant(crate::money::fixture::ask(1, installation, 10_000), &budgets, NOON)
            .unwrap()
    };
    let refund = reverse(&paid(), &[], &ask(1, 453, ReversalKind::Refund), NOON).unwrap();
    let postings =
        [top_up(1, "shop", 50_000), granted.posting.unwrap(), paid(), refund, top_up(2, "cafe", 9)];
    let month = Window::month(NOON);
    let statement = tenant_statement(&org("shop"), month, Currency::EUR, 100, &postings).unwrap();
    assert_eq!((statement.opening, statement.closing), (eur(100), eur(100 + 50_000 - 1_359 + 453)));
    let sum: i64 = statement.lines.iter().map(|(_, money)| money.micros).sum();
    assert_eq!(statement.opening.micros + sum, statement.closing.micros);
    let of = |kind, reversal| {
        let mut lines = statement.lines.iter();
        lines
            .find(|(line, _)| line.kind == kind && line.reversal == reversal)
            .map(|(_, sum)| sum.micros)
    };
    assert_eq!(
        (of(TransferKind::AuthorShare, false), of(TransferKind::AuthorShare, true)),
        (Some(-700), Some(233))
    );
    assert_eq!(
        (of(TransferKind::Lease, false), of(TransferKind::TopUp, false)),
        (None, Some(50_000))
    );
    let next = Window::month(Timestamp(month.end().0 + DAY.0));
    let empty = tenant_statement(&org("shop"), next, Currency::EUR, 7, &postings).unwrap();
    assert!(empty.lines.is_empty() && empty.closing == eur(7));
}

#[test]
fn an_authors_statement_holds_earnings_and_what_was_taken_back() {
    let refund = reverse(&paid(), &[], &ask(1, 453, ReversalKind::Refund), NOON).unwrap();
    let postings = [paid(), refund];
    let statement =
        author_statement(&org("acme"), Window::day(NOON), Currency::EUR, 0, &postings).unwrap();
    assert_eq!(statement.closing, eur(700 - 233));
    assert_eq!(statement.lines.len(), 2);
    assert!(statement.lines.iter().all(|(line, _)| line.capsule.is_some()));
    let usd = "USD".parse().unwrap();
    assert!(
        author_statement(&org("acme"), Window::day(NOON), usd, 0, &postings)
            .unwrap()
            .lines
            .is_empty()
    );
}

const PAGE: &str = include_str!("../../../../docs/reference/ledger.md");

#[test]
fn the_reference_page_lists_every_account_outcome_and_state() {
    for account in accounts() {
        let text = account.to_string();
        let kind = text.split(':').next().unwrap();
        assert!(PAGE.contains(&format!("| `{kind}")), "{kind}");
    }
    let table = soma_policy::price::OutcomeTable::standard();
    for outcome in crate::settle::tests::OUTCOMES {
        let row =
            PAGE.lines().find(|line| line.starts_with(&format!("| `{}` |", outcome.as_str())));
        let row = row.unwrap_or_else(|| panic!("{outcome}"));
        assert_eq!(row.contains("| yes |"), table.row(outcome).author, "{row}");
        let tenant = table.row(outcome).bearer == soma_policy::price::Bearer::Tenant;
        assert_eq!(row.ends_with("| tenant |"), tenant, "{row}");
    }
    for state in crate::lease::LeaseState::ALL {
        assert!(state.legal().iter().all(|legal| PAGE.contains(&format!("`{legal}`"))), "{state}");
    }
    for state in crate::payout::PayoutState::ALL {
        assert!(PAGE.contains(&format!("`{state}`")), "{state}");
        assert!(state.legal().iter().all(|legal| PAGE.contains(&format!("`{legal}`"))), "{state}");
    }
}
