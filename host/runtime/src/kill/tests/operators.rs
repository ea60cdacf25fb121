//! What another list of operators changes, on a running host and over a restart: what was complete, never.

use super::*;

#[tokio::test]
async fn a_complete_order_and_a_complete_lift_outlast_a_higher_quorum_and_a_restart() {
    let mut house = House::new(1);
    let open = house.open().unwrap();
    let (wide, lifted) = (order(1, "publisher:acme"), order(2, "tenant:local"));
    open.take(&signed(&wide, &[&house.ada]), Vec::new()).await.unwrap();
    open.take(&signed(&lifted, &[&house.ada]), Vec::new()).await.unwrap();
    open.take(&lift(&lifted, &[&house.ada]), Vec::new()).await.unwrap();
    house.quorum = 2;
    open.kills.trust(house.trusted()).unwrap();
    open.passes(Millis(2 * SUSPENSION.0));
    let states = |open: &Open| open.kills.list().iter().map(|v| v.state).collect::<Vec<_>>();
    assert_eq!(states(&open), ["complete", "lifted"]);
    assert!(open.stops(&subject("acme/csv")));
    // A new one is judged by the new quorum.
    let accepted = open.take(&signed(&order(3, "everything"), &[&house.ada]), Vec::new()).await;
    assert_eq!(accepted.unwrap().state, "suspended");
    drop(open);
    assert_eq!(states(&house.open().unwrap()), ["complete", "lifted", "suspended"]);
    house.lose_journal();
    // A file alone keeps an order complete; a lift in it is judged again.
    assert_eq!(states(&house.open().unwrap())[..2], ["complete", "complete"]);
}

#[tokio::test]
async fn what_a_removed_operator_ordered_stands_as_it_was() {
    let house = House::new(2);
    let open = house.open().unwrap();
    let (complete, half) = (order(1, "publisher:acme"), order(2, "publisher:bolt"));
    open.take(&signed(&complete, &[&house.ada, &house.bob]), Vec::new()).await.unwrap();
    open.take(&signed(&half, &[&house.ada]), Vec::new()).await.unwrap();
    open.take(&signed(&order(3, "capsule:cork/x"), &[&house.ada]), Vec::new()).await.unwrap();
    let cyd = KeyPair::generate().unwrap();
    let without_ada = house.list(2, &[("bob", &house.bob), ("cyd", &cyd)]);
    open.kills.trust(without_ada.clone()).unwrap();
    let list = open.kills.list();
    let states: Vec<_> = list.iter().map(|view| (view.state, view.persons.len())).collect();
    assert_eq!(states, [("complete", 1), ("suspended", 0), ("complete", 0)]);
    drop(open);
    // The host starts: its journal vouches for what it took.
    let open = house.open_with(without_ada).unwrap();
    assert_eq!(open.kills.list(), list);
    // The signature of somebody who left does not count towards what is not complete.
    let accepted = open.take(&signed(&half, &[&house.bob]), Vec::new()).await.unwrap();
    assert_eq!((accepted.state, accepted.signed), ("suspended", 1));
    open.passes(SUSPENSION);
    assert!(!open.stops(&subject("bolt/x")));
    assert!(open.stops(&subject("acme/csv")) && open.stops(&subject("cork/x")));
}

#[tokio::test]
async fn a_lower_quorum_completes_what_is_suspended_durably_and_revives_nothing() {
    let mut house = House::new(2);
    let open = house.open().unwrap();
    open.take(&signed(&order(1, "publisher:acme"), &[&house.ada]), Vec::new()).await.unwrap();
    open.passes(SUSPENSION);
    open.take(&signed(&order(2, "publisher:bolt"), &[&house.ada]), Vec::new()).await.unwrap();
    house.quorum = 1;
    open.kills.trust(house.trusted()).unwrap();
    let states = |open: &Open| open.kills.list().iter().map(|v| v.state).collect::<Vec<_>>();
    assert_eq!(states(&open), ["lapsed", "complete"]);
    open.kills.trust(house.list(2, &[("ada", &house.ada), ("bob", &house.bob)])).unwrap();
    drop(open);
    house.quorum = 2;
    let open = house.open().unwrap();
    open.passes(Millis(2 * SUSPENSION.0));
    assert_eq!(states(&open), ["lapsed", "complete"]);
    assert!(!open.stops(&subject("acme/csv")) && open.stops(&subject("bolt/x")));
}

#[tokio::test]
async fn a_lift_that_half_of_them_signed_lifts_nothing_once_one_is_enough() {
    let mut house = House::new(2);
    let open = house.open().unwrap();
    let wide = order(1, "publisher:acme");
    open.take(&signed(&wide, &[&house.ada, &house.bob]), Vec::new()).await.unwrap();
    open.take(&lift(&wide, &[&house.ada]), Vec::new()).await.unwrap();
    house.quorum = 1;
    open.kills.trust(house.trusted()).unwrap();
    assert!(open.stops(&subject("acme/csv")));
    drop(open);
    let open = house.open().unwrap();
    assert!(open.stops(&subject("acme/csv")));
    // Brought again by somebody who may now decide alone, it is what it says.
    open.take(&lift(&wide, &[&house.ada]), Vec::new()).await.unwrap();
    assert!(!open.stops(&subject("acme/csv")));
}

#[tokio::test]
async fn somebody_who_comes_back_is_known_by_the_signature_that_was_kept() {
    let house = House::new(2);
    let open = house.open().unwrap();
    open.take(&signed(&order(1, "publisher:acme"), &[&house.ada]), Vec::new()).await.unwrap();
    let cyd = KeyPair::generate().unwrap();
    open.kills.trust(house.list(2, &[("bob", &house.bob), ("cyd", &cyd)])).unwrap();
    assert!(open.kills.list()[0].persons.is_empty());
    open.kills.trust(house.trusted()).unwrap();
    assert_eq!(open.kills.list()[0].persons, ["ada"]);
}
