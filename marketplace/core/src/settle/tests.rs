use soma_policy::{CallId, Digest, LeaseId, LimitKind, OrderId, Outcome, Usage};

use super::*;
use crate::budget::Amounts;
use crate::lease::LeaseCommand;
use crate::ledger::{Account, TransferKind};
use crate::money::fixture::{
    HOST, JOURNAL, NOON, Table, digested, eur, key, lease, org, per_call, terms,
};

pub(crate) const OUTCOMES: [Outcome; 12] = [
    Outcome::Ok,
    Outcome::GuestError,
    Outcome::Denied,
    Outcome::Budget,
    Outcome::Limit(LimitKind::Cpu),
    Outcome::Killed(OrderId::from_u128(1)),
    Outcome::Interrupted,
    Outcome::Trapped,
    Outcome::HostFailure,
    Outcome::Busy,
    Outcome::InDoubt,
    Outcome::Cancelled,
];

fn table(outcome: Outcome) -> Table {
    Table::new(lease(10_000), per_call(1_000), outcome)
}

fn paid(asked: i64, table: &Table) -> Asked {
    let earns = table.receipt.outcome == Outcome::Ok;
    Asked { included: false, price: earns.then(|| eur(asked)) }
}

#[test]
fn a_call_that_returned_pays_author_platform_and_tax() {
    let table = table(Outcome::Ok);
    let done = settle(&table.case(1)).unwrap();
    let rows = done.posting.unwrap();
    assert_eq!(rows.effect_on(&Account::Pending(org("acme"))), 700);
    assert_eq!(rows.effect_on(&Account::Revenue), 300 + 2 + 50 + 90);
    assert_eq!(rows.effect_on(&Account::Tax("vat-de".parse().unwrap())), 217);
    assert_eq!(rows.effect_on(&Account::Lease(table.lease.id)), -1_359);
    assert_eq!((done.earned, done.tenant, done.loss), (eur(700), eur(1_359), eur(0)));
    assert_eq!(done.lease.used, Amounts { bytes: 0, ..Amounts::of(eur(1_359)) });
    assert_eq!(
        (rows.about.capsule, rows.about.installation),
        (Some(table.capsule), Some(key("shop/production/csv")))
    );
}

#[test]
fn each_outcome_is_settled_by_its_row() {
    for outcome in OUTCOMES {
        let table = table(outcome);
        let done = settle(&table.case(1)).unwrap();
        let (tenant, loss) = match outcome {
            Outcome::Ok => (1_359, 0),
            Outcome::GuestError | Outcome::Limit(_) | Outcome::Trapped | Outcome::Cancelled => {
                (169, 0)
            }
            Outcome::Denied | Outcome::Budget => (167, 0),
            Outcome::Killed(_) | Outcome::Interrupted | Outcome::HostFailure => (0, 142),
            Outcome::Busy | Outcome::InDoubt => (0, 0),
        };
        assert_eq!((done.tenant, done.loss), (eur(tenant), eur(loss)), "{outcome}");
        assert_eq!(done.earned.micros > 0, outcome == Outcome::Ok, "{outcome}");
        let checked = recheck(
            &table.receipt,
            &table.terms,
            paid(1_000, &table),
            &done.notes,
            done.posting.as_ref(),
        );
        assert_eq!(checked.unwrap(), [], "{outcome}");
    }
}

#[test]
fn settling_is_a_function_of_its_inputs() {
    let table = table(Outcome::Ok);
    assert_eq!(settle(&table.case(1)).unwrap(), settle(&table.case(1)).unwrap());
    let other = settle(&table.case(2)).unwrap().posting.unwrap();
    let ids = |rows: &Posting| rows.transfers.iter().map(|row| row.id).collect::<Vec<_>>();
    assert_ne!(ids(&other), ids(&settle(&table.case(1)).unwrap().posting.unwrap()));
}

#[test]
fn a_health_gates_call_is_not_billed() {
    let mut table = table(Outcome::Ok);
    table.lease.granted.bytes = 1 << 20;
    let done = settle(&Case { gate: true, ..table.case(1) }).unwrap();
    assert_eq!((done.tenant, done.earned, done.loss), (eur(0), eur(0), eur(142)));
    assert_eq!((&*done.notes, done.lease.used.money), (&[Note::Gate][..], eur(0)));
    let checked = recheck(
        &table.receipt,
        &table.terms,
        paid(1_000, &table),
        &done.notes,
        done.posting.as_ref(),
    );
    assert_eq!(checked.unwrap(), []);
}

#[test]
fn a_receipt_of_anothers_lease_offer_or_terms_is_refused() {
    let good = || table(Outcome::Ok);
    let refused = |table: &Table, what: &str| {
        let refusal = settle(&table.case(1)).unwrap_err();
        assert_eq!(refusal.code, Code::LeaseForeign);
        assert!(refusal.reason.contains(what) && quarantines(refusal.code), "{refusal}");
    };
    type Edit = (&'static str, fn(&mut Table));
    let edits: [Edit; 7] = [
        ("version", |table| table.receipt.v = 2),
        ("lease", |table| table.receipt.facts.lease = LeaseId::from_u128(9)),
        ("org", |table| table.receipt.facts.org = org("cafe")),
        ("environment", |table| table.receipt.facts.environment = "staging".parse().unwrap()),
        ("installation", |table| table.receipt.facts.installation = "other".parse().unwrap()),
        ("offer", |table| table.offer = digested(per_call(1))),
        ("terms", |table| table.lease.terms = Digest::ZERO),
    ];
    for (what, edit) in edits {
        let mut table = good();
        edit(&mut table);
        refused(&table, what);
    }
    let table = good();
    let other = Case { host: soma_policy::HostId::from_u128(1), ..table.case(1) };
    assert!(settle(&other).unwrap_err().reason.contains("another host"));
}

#[test]
fn a_tools_call_is_paid_from_its_callers_lease_and_its_resources_once() {
    let mut table = table(Outcome::Ok);
    table.receipt.facts.parent = Some(CallId::from_u128(7));
    table.receipt.facts.installation = "tool".parse().unwrap();
    let done = settle(&table.case(1)).unwrap();
    let rows = done.posting.unwrap();
    // The price and the rate per call; CPU time and bytes are in the caller's receipt.
    assert_eq!((rows.total(TransferKind::Cpu), rows.total(TransferKind::Call)), (0, 2));
    assert_eq!((done.tenant, done.lease.used.bytes), (eur(1_192), 0));
    assert_eq!(rows.about.installation.unwrap().id.as_str(), "tool");
}

#[test]
fn a_late_receipt_is_the_platforms_loss() {
    let mut table = table(Outcome::Ok);
    table.lease = table.lease.apply(&LeaseCommand::Lose, table.lease.lost_after).unwrap().lease;
    let done = settle(&table.case(1)).unwrap();
    assert_eq!((done.tenant, done.loss, done.earned), (eur(0), eur(1_142), eur(700)));
    assert_eq!((&*done.notes, done.lease.late), (&[Note::Late][..], 1_000));
    let rows = done.posting.unwrap();
    assert_eq!(rows.total(TransferKind::Tax), 0);
    let checked =
        recheck(&table.receipt, &table.terms, paid(1_000, &table), &done.notes, Some(&rows));
    assert_eq!(checked.unwrap(), []);
}

#[test]
fn a_price_beyond_the_lease_is_refused_until_an_operator_writes_it_off() {
    let table = Table::new(lease(1_000), per_call(1_000), Outcome::Ok);
    let refused = settle(&table.case(1)).unwrap_err();
    assert_eq!((refused.code, quarantines(refused.code)), (Code::LeaseExceeded, true));
    let done = write_off(&table.case(1)).unwrap();
    assert_eq!((done.tenant, done.earned, done.loss), (eur(0), eur(0), eur(142)));
    assert_eq!((&*done.notes, &done.lease), (&[Note::WrittenOff][..], &table.lease));
    assert!(!quarantines(Code::EntriesMissing));
}

#[test]
fn a_receipt_that_cannot_be_priced_is_refused_and_can_be_written_off() {
    let mut table = table(Outcome::Ok);
    table.receipt.usage = Usage { cpu_us: u64::MAX, http_sent: u64::MAX, ..Usage::default() };
    let book = soma_policy::price::PriceBook {
        cpu_second: "18446744073709551615/1".parse().unwrap(),
        ..*table.terms.book()
    };
    let split = table.terms.split();
    let terms = Terms::new(book, table.terms.outcomes().clone(), split, Vec::new()).unwrap();
    table.terms = digested(terms);
    table.lease.terms = table.terms.sum();
    let refused = settle(&table.case(1)).unwrap_err();
    assert_eq!((refused.code, quarantines(refused.code)), (Code::MoneyOverflow, true));
    let done = write_off(&table.case(1)).unwrap();
    assert_eq!((done.posting, done.loss), (None, eur(0)));
    let checked = recheck(&table.receipt, &table.terms, paid(1_000, &table), &done.notes, None);
    assert_eq!(checked.unwrap(), []);
}

#[test]
fn bytes_are_counted_up_to_what_the_lease_holds() {
    let mut table = table(Outcome::Ok);
    table.lease.granted.bytes = (1 << 20) + 10;
    let done = settle(&table.case(1)).unwrap();
    assert_eq!((done.lease.used.bytes, done.notes.len()), (1 << 20, 0));
    table.lease = done.lease;
    let more = settle(&table.case(2)).unwrap();
    assert_eq!((more.lease.used.bytes, &*more.notes), ((1 << 20) + 10, &[Note::OverQuota][..]));
    assert!(more.lease.left().unwrap().is_sound());
}

#[test]
fn a_posted_line_that_differs_from_the_meter_is_found() {
    let table = table(Outcome::Ok);
    let done = settle(&table.case(1)).unwrap();
    let mut rows = done.posting.unwrap();
    rows.transfers.retain(|row| row.kind != TransferKind::Cpu);
    let asked = paid(1_000, &table);
    let found = recheck(&table.receipt, &table.terms, asked, &done.notes, Some(&rows)).unwrap();
    assert_eq!((found[0].line, found[0].posted, found[0].priced), (TransferKind::Cpu, 0, 50));
    // The tax was on the line that is missing, too.
    assert_eq!(found.len(), 2);
    assert_eq!(found[0].refusal("receipt:1").code, Code::LedgerDiffers);
    assert_eq!(recheck(&table.receipt, &table.terms, asked, &[], None).unwrap().len(), 4);
}

fn entry(seq: u64, content: &str, prev: Digest) -> Entry {
    Entry { hash: Digest::of(content.as_bytes()), prev, seq }
}

fn chain(count: u64) -> Vec<Entry> {
    let mut prev = Digest::ZERO;
    let next = |seq: u64| {
        let entry = entry(seq, &format!("entry {seq}"), prev);
        prev = entry.hash;
        entry
    };
    (1..=count).map(next).collect()
}

#[test]
fn entries_are_taken_in_order_and_each_once() {
    let chain = chain(3);
    let mut position = Position::start(HOST, JOURNAL, 1);
    for entry in &chain {
        let Arrival::Next(next) = position.arrive(entry, None).unwrap() else { panic!("known") };
        position = next;
        assert_eq!(position.arrive(entry, Some(entry.hash)).unwrap(), Arrival::Known);
    }
    assert_eq!((position.next, position.head), (4, chain[2].hash));
    let gap = Position::start(HOST, JOURNAL, 1).arrive(&chain[1], None).unwrap_err();
    assert_eq!(gap.code, Code::EntriesMissing);
    assert!(gap.reason.contains("goes on at 1"), "{gap}");
    let pruned = position.arrive(&chain[0], None).unwrap_err();
    assert_eq!(pruned.code, Code::EntriesMissing);
    let last = Position { next: u64::MAX, ..position };
    let end = Entry { seq: u64::MAX, ..entry(1, "last", position.head) };
    assert_eq!(last.arrive(&end, None).unwrap_err().code, Code::MoneyOverflow);
}

#[test]
fn two_entries_in_one_place_are_a_fork() {
    let start = Position::start(HOST, JOURNAL, 1);
    let chain = chain(2);
    let other = entry(1, "another", Digest::ZERO);
    assert_eq!(start.arrive(&other, Some(chain[0].hash)).unwrap_err().code, Code::JournalForked);
    let Arrival::Next(one) = start.arrive(&chain[0], None).unwrap() else { panic!("known") };
    let after_another = entry(2, "entry 2", other.hash);
    let forked = one.arrive(&after_another, None).unwrap_err();
    assert!(forked.code == Code::JournalForked && quarantines(forked.code), "{forked}");
}

#[test]
fn of_two_entries_for_one_place_in_a_batch_neither_is_taken() {
    let chain = chain(3);
    let twin = entry(2, "twin", chain[0].hash);
    let batch = [chain[0], chain[1], twin, chain[2]];
    let taken = Position::start(HOST, JOURNAL, 1).arrive_all(&batch, |_| None);
    assert_eq!((&*taken.accepted, taken.position.next), (&[0][..], 2));
    assert_eq!(taken.position.state, JournalState::Quarantined);
    assert_eq!(taken.refusal.unwrap().code, Code::JournalForked);
}

#[test]
fn a_batch_is_taken_up_to_its_gap_and_repeats_do_nothing() {
    let chain = chain(4);
    let batch = [chain[0], chain[0], chain[1], chain[3]];
    let taken = Position::start(HOST, JOURNAL, 1).arrive_all(&batch, |_| None);
    assert_eq!((&*taken.accepted, taken.position.next), (&[0, 2][..], 3));
    assert_eq!(taken.position.state, JournalState::Good);
    assert_eq!(taken.refusal.unwrap().code, Code::EntriesMissing);
    let known = |seq: u64| (seq <= 2).then(|| chain[seq as usize - 1].hash);
    let rest = taken.position.arrive_all(&chain, known);
    assert_eq!((&*rest.accepted, rest.refusal), (&[2, 3][..], None));
}

#[test]
fn a_quarantined_journal_is_taken_from_again_when_an_operator_lifts_it() {
    let good = Position::start(HOST, JOURNAL, 1);
    let held = good.apply(JournalCommand::Quarantine).unwrap();
    assert_eq!(held.arrive(&chain(1)[0], None).unwrap_err().code, Code::JournalQuarantined);
    assert_eq!(&*held.apply(JournalCommand::Quarantine).unwrap_err().legal, &["lift"]);
    assert_eq!(&*good.apply(JournalCommand::Lift).unwrap_err().legal, &["quarantine"]);
    let again = held.apply(JournalCommand::Lift).unwrap();
    assert_eq!(again, good);
    assert!(again.arrive(&chain(1)[0], None).is_ok());
}

#[test]
fn included_calls_are_used_by_calls_that_would_pay() {
    let included = crate::offer::Included { calls: 1, per: soma_policy::Period::Month };
    let offer = Offer::new(Some(eur(1_000)), None, Some(included), None).unwrap();
    let used = |outcome, included_used| {
        let table = Table::new(lease(10_000), offer.clone(), outcome);
        let standing = OfferStanding { accepted_at: NOON, included_used };
        let done = settle(&Case { standing, ..table.case(1) }).unwrap();
        (done.included, done.earned.micros)
    };
    assert_eq!(used(Outcome::Ok, 0), (true, 0));
    assert_eq!(used(Outcome::Ok, 1), (false, 700));
    assert_eq!(used(Outcome::Trapped, 0), (false, 0));
    assert_eq!(terms().taxes().len(), 1);
}
