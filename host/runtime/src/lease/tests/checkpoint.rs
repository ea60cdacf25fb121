//! A replay that goes on from a checkpoint comes to what a replay of everything comes to.

use super::*;

/// What a replay says of the present day and of the month.
fn told(bench: &Bench, replay: LeaseReplay, now: Timestamp) -> (Vec<MovedToday>, String, String) {
    let moved = replay.moved();
    let leases = Leases::new(Arc::new(FixedClock::new(now, 1)), bench.journal.clone(), replay);
    let standing = format!("{:?}", leases.standing(&key(), now));
    let ask = Ask {
        key: &key(),
        price: Some(money("90.00 EUR")),
        budget: budget("50.00 EUR", Period::Month, 9),
    };
    (moved, standing, leases.take(ask, None, now).unwrap_err().reason)
}

#[test]
fn a_checkpoint_after_any_entry_tells_the_same_of_the_day_and_of_the_month() {
    let bench = bench();
    let limit = budget("50.00 EUR", Period::Month, 9);
    // Two calls a day over the end of a month; one of each day ends a day later.
    let mut late: Option<Reservation> = None;
    let end = |reservation: Reservation| {
        let charge = reservation.charge(Outcome::Ok, &Usage::default());
        let entry = receipt(reservation.lease(), charge, Outcome::Ok, 7);
        bench.journal.append(&entry).wait().unwrap();
        reservation.settle(charge);
    };
    let mut now = NOON;
    for days in 0..14 {
        now = Timestamp(NOON.0 + days * DAY);
        end(bench.take("0.50 EUR", limit, now).unwrap());
        if let Some(late) = late.replace(bench.take("0.25 EUR", limit, now).unwrap()) {
            end(late);
        }
    }
    let page = bench.journal.read(0, 1000).unwrap();
    let entries: Vec<JournalEntry> = page
        .records
        .iter()
        .filter(|line| !line.head)
        .map(|line| serde_json::from_str(line.body()).unwrap())
        .collect();
    let mut whole = LeaseReplay::default();
    entries.iter().for_each(|entry| whole.see(entry));
    let expected = told(&bench, whole.clone(), now);
    assert!(expected.2.starts_with("2.00 spent"), "{expected:?}");
    for cut in 0..=entries.len() {
        let (before, after) = entries.split_at(cut);
        let mut replay = LeaseReplay::default();
        before.iter().for_each(|entry| replay.see(entry));
        let state = serde_json::to_value(replay.compacted()).unwrap();
        let mut replay: LeaseReplay = serde_json::from_value(state).unwrap();
        after.iter().for_each(|entry| replay.see(entry));
        assert_eq!(told(&bench, replay, now), expected, "after {cut} entries");
    }
    let kept = serde_json::to_string(&whole.compacted()).unwrap();
    assert_eq!(kept.matches("limit_micros").count(), 3, "older leases are added up: {kept}");
}
