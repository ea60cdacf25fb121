//! How many persons it takes, to stop and to lift.

use super::*;

#[tokio::test]
async fn a_wide_order_of_one_suspends_at_once_and_lapses_after_an_hour_of_uptime() {
    let house = House::new(2);
    let open = house.open().unwrap();
    let cuts = Arc::new(AtomicU32::new(0));
    let envelope = signed(&order(1, "publisher:acme"), &[&house.ada]);
    let running = vec![target(1, "acme/csv", &cuts, false)];
    let accepted = open.take(&envelope, running).await.unwrap();
    assert_eq!((accepted.state, accepted.signed, accepted.needed), ("suspended", 1, 2));
    assert_eq!(cuts.load(Ordering::SeqCst), 1);
    open.passes(Millis(SUSPENSION.0 - 1));
    assert!(open.stops(&subject("acme/csv")));
    assert_eq!(open.kills.list()[0].lapses_in_ms.as_deref(), Some("1"));
    open.passes(Millis(1));
    assert!(!open.stops(&subject("acme/csv")));
    assert_eq!(open.kills.list()[0].state, "lapsed");
}

#[tokio::test]
async fn a_second_signature_makes_a_wide_order_last() {
    let house = House::new(2);
    let open = house.open().unwrap();
    let order = order(1, "everything");
    open.take(&signed(&order, &[&house.ada]), Vec::new()).await.unwrap();
    let accepted = open.take(&signed(&order, &[&house.bob]), Vec::new()).await.unwrap();
    assert_eq!(accepted.state, "complete");
    open.passes(Millis(2 * SUSPENSION.0));
    assert!(open.stops(&subject("acme/csv")));
    assert_eq!(open.kills.list()[0].persons, ["ada", "bob"]);
    // The stored document bears both, so that either copy is enough elsewhere.
    drop(open);
    assert_eq!(house.open().unwrap().kills.list()[0].persons, ["ada", "bob"]);
}

#[tokio::test]
async fn a_lift_takes_the_same_quorum_and_names_the_order_by_hash() {
    let house = House::new(2);
    let open = house.open().unwrap();
    let order = order(1, "everything");
    open.take(&signed(&order, &[&house.ada, &house.bob]), Vec::new()).await.unwrap();
    let half = open.take(&lift(&order, &[&house.ada]), Vec::new()).await.unwrap();
    assert_eq!((half.state, half.signed, half.needed), ("complete", 1, 2));
    assert!(open.stops(&subject("acme/csv")));
    let mut other = order.clone();
    other.reason = Reason::Drill;
    let refused = open.take(&lift(&other, &[&house.ada]), Vec::new()).await.unwrap_err();
    assert_eq!(refused.code(), Code::KillLiftHash);
    let lifted = open.take(&lift(&order, &[&house.bob]), Vec::new()).await.unwrap();
    assert_eq!(lifted.state, "lifted");
    assert!(!open.stops(&subject("acme/csv")));
    // Given again, with a higher version, it stands again.
    let again = KillOrder { version: 3, ..order };
    open.take(&signed(&again, &[&house.ada, &house.bob]), Vec::new()).await.unwrap();
    assert!(open.stops(&subject("acme/csv")));
}
