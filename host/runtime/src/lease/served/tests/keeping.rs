//! Asking ahead of need, closing what is drained, and the same after a restart.

use soma_policy::feed::LeaseClose;

use super::*;

impl Bench {
    fn wishes(&self) -> LeaseWishes {
        let key = key();
        let need = Need { key: &key, price: Some(eur(1)), budget: None, limits: &LIMITS };
        let served = self.leases.served.as_ref().unwrap();
        let now = self.now();
        served.sweep(|_| true, now);
        futures::executor::block_on(served.close(&self.journal, now)).unwrap();
        served.wishes(self.journal.id(), std::iter::once(need), now)
    }

    fn advance(&self, millis: u64) {
        self.clock.advance(std::time::Duration::from_millis(millis));
    }

    fn asks(&self) -> bool {
        !self.wishes().wishes.is_empty()
    }
}

fn events(entries: &[JournalEntry]) -> Vec<(LeaseId, LeaseEvent)> {
    let lease = |entry: &JournalEntry| match entry {
        JournalEntry::Lease(LeaseRecord { lease, event, .. }) => Some((*lease, *event)),
        _ => None,
    };
    entries.iter().filter_map(lease).collect()
}

#[test]
fn a_lease_is_asked_for_at_once_and_not_again_while_the_answer_is_on_its_way() {
    let bench = bench();
    let asked = bench.wishes();
    assert_eq!((asked.boot, asked.wishes.len()), (BOOT, 1));
    let worst = bench.take_worst();
    assert_eq!((asked.wishes[0].installation.clone(), asked.wishes[0].at_least), (key(), worst));
    assert!(!bench.asks());
    bench.advance(2_000);
    assert!(bench.asks(), "an answer that never came is asked for again");
}

impl Bench {
    fn take_worst(&self) -> Money {
        let origin = soma_policy::price::Origin::Outside;
        soma_policy::price::worst(&terms(), Some(eur(1)), origin, &LIMITS).unwrap()
    }
}

#[test]
fn more_is_asked_for_when_less_than_half_is_left_and_before_the_last_moment() {
    let bench = bench();
    let worst = bench.take_worst().micros;
    bench.give(lease(1, worst * 4));
    assert!(!bench.asks());
    let _first = bench.take(1).unwrap();
    let _second = bench.take(1).unwrap();
    assert!(!bench.asks(), "half is left");
    let _third = bench.take(1).unwrap();
    assert!(bench.asks());
    bench.give(lease(2, worst * 8));
    bench.advance(3_000);
    assert!(!bench.asks());
    bench.advance(HOUR - 12 * 60_000);
    assert!(!bench.asks());
    bench.advance(3 * 60_000);
    assert!(bench.asks(), "the last moment is near");
}

#[test]
fn more_is_asked_for_when_less_than_half_of_the_bytes_is_left_and_what_has_none_left_is_closed_for_the_next()
 {
    let bench = bench();
    bench.give(HostLease { bytes: Some(160), ..lease(1, 1_000_000) });
    let call = bench.take(1).unwrap();
    call.move_bytes(80).unwrap();
    assert!(!bench.asks(), "half is left");
    call.move_bytes(71).unwrap();
    assert!(bench.asks());
    bench.give(HostLease { bytes: Some(40), ..lease(2, 1_000_000) });
    bench.advance(3_000);
    assert!(!bench.asks());
    assert_eq!(bench.take(1).unwrap().lease(), LeaseId::from_u128(2));
    drop(call);
    assert_eq!(bench.wishes().closes.len(), 1);
    // The day's are used up: more would be none.
    bench.take(1).unwrap().move_bytes(40).unwrap();
    bench.give(HostLease { bytes: Some(0), ..lease(3, 1_000_000) });
    bench.advance(3_000);
    assert!(!bench.asks());
}

#[test]
fn a_refusal_is_heard_and_a_call_that_needs_more_asks_again() {
    let bench = bench();
    assert!(bench.asks());
    bench.refuse("nothing is left");
    bench.advance(3_000);
    assert!(!bench.asks());
    assert!(bench.take(1).is_err());
    assert!(bench.asks(), "a call needs it");
    bench.refuse("nothing is left");
    bench.advance(15_000);
    assert!(bench.asks());
}

#[test]
fn what_is_asked_back_is_closed_after_its_last_receipt_and_asked_for_again_when_it_is_needed() {
    let bench = bench();
    bench.give(lease(1, 1_000_000));
    let call = bench.take(1).unwrap();
    bench.recall(1);
    assert!(bench.wishes().closes.is_empty(), "a call still runs on it");
    let usage = Usage::default();
    let charge = call.charge(Outcome::Ok, &usage);
    let ticket = bench.journal.append(&receipt(call.lease(), false, charge, Outcome::Ok, usage));
    call.settle(charge);
    drop(call);
    let asked = bench.wishes();
    assert!(asked.wishes.is_empty(), "nobody needs it");
    let [LeaseClose { journal, lease, seq }] = asked.closes[..] else { panic!("{asked:?}") };
    assert_eq!((journal, lease), (bench.journal.id(), LeaseId::from_u128(1)));
    assert!(seq > ticket.wait().unwrap().seq);
    // Until the server has heard it, it is said again, word for word.
    assert_eq!(bench.wishes().closes, asked.closes);
    bench.leases.answered(&asked, answer(Vec::new()));
    assert!(bench.wishes().closes.is_empty());
    bench.advance(60_000);
    assert!(!bench.asks());
    assert_eq!(bench.take(1).unwrap_err().code, Code::LeasePending);
    assert!(bench.asks());
    bench.journal.append(&JournalEntry::Lease(mark())).wait().unwrap();
    use LeaseEvent::{Closed, Closing, Recalled, Taken};
    let id = LeaseId::from_u128(1);
    let expected = [(id, Taken), (id, Recalled), (id, Closing), (id, Closed)];
    assert_eq!(events(&bench.entries())[..4], expected);
}

/// Something to wait for: what was appended before it is durable too.
fn mark() -> LeaseRecord {
    LeaseRecord {
        at: NOON,
        currency: Currency::EUR,
        day: 0,
        event: LeaseEvent::Closed,
        given: None,
        installation: key(),
        lease: LeaseId::from_u128(u128::MAX),
        limit_micros: 0,
    }
}

#[test]
fn what_is_given_and_asked_back_in_one_answer_is_closed() {
    let bench = bench();
    let recalls = vec![LeaseId::from_u128(1)];
    let both = LeaseAnswer { recalls, ..answer(vec![lease(1, 1_000_000)]) };
    bench.leases.answered(&nothing(), both);
    assert!(bench.take(1).is_err());
    assert_eq!(bench.wishes().closes.len(), 1);
}

#[test]
fn a_close_that_the_server_refuses_keeps_nothing_else_from_being_asked() {
    let bench = bench();
    for id in 1..=3 {
        bench.give(lease(id, 1_000_000));
        bench.recall(id);
    }
    let asked = bench.wishes();
    assert_eq!(asked.closes.len(), 3);
    bench.leases.refused(&asked);
    for left in [2, 1] {
        let asked = bench.wishes();
        assert_eq!((asked.closes.len(), asked.wishes.len()), (1, 0));
        bench.leases.refused(&asked);
        assert_eq!(bench.leases.served.as_ref().unwrap().keeping.lock().closings.len(), left);
    }
    bench.leases.answered(&bench.wishes(), answer(Vec::new()));
    assert!(bench.wishes().closes.is_empty());
}

#[test]
fn an_installation_that_does_not_run_here_gives_its_leases_back() {
    let bench = bench();
    bench.give(lease(1, 1_000_000));
    let served = bench.leases.served.as_ref().unwrap();
    served.sweep(|_| false, NOON);
    assert!(bench.take(1).is_err());
    served.sweep(|_| false, NOON);
    futures::executor::block_on(served.close(&bench.journal, NOON)).unwrap();
    assert_eq!(served.wishes(bench.journal.id(), std::iter::empty(), NOON).closes.len(), 1);
}

#[test]
fn leases_of_an_earlier_run_are_closed_and_never_started_on() {
    let bench = bench();
    bench.give(lease(1, 1_000_000));
    bench.give(lease(2, 1_000_000));
    bench.recall(2);
    let asked = bench.wishes();
    bench.leases.answered(&asked, answer(Vec::new()));
    bench.journal.append(&JournalEntry::Lease(mark())).wait().unwrap();
    let mut replay = LeaseReplay::default();
    bench.entries().iter().for_each(|entry| replay.see(entry));
    for replay in [replay.clone(), replay.compacted()] {
        let again = bench_with(replay);
        assert_eq!(again.take(1).unwrap_err().code, Code::LeasePending);
        let asked = again.wishes();
        let closed: Vec<_> = asked.closes.iter().map(|close| close.lease).collect();
        assert_eq!(closed, [LeaseId::from_u128(1)]);
        // A server that gives it once more gives it to the run that is over.
        again.leases.answered(
            &asked,
            answer(vec![HostLease { boot: BootId::from_u128(8), ..lease(1, 1_000) }]),
        );
        assert!(again.take(1).is_err());
    }
}
