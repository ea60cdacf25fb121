//! What is carried out at once: cutting, waiting, receipts, and the dry run that does none of it.

use super::*;

#[tokio::test]
async fn an_order_ends_what_it_names_and_nothing_else_and_the_host_signs_for_it() {
    let house = House::new(1);
    let open = house.open().unwrap();
    let cuts = Arc::new(AtomicU32::new(0));
    let running = vec![
        target(1, "acme/csv", &cuts, false),
        target(2, "acme/other", &cuts, false),
        target(3, "acme/csv", &cuts, true),
    ];
    let order = order(17, "capsule:acme/csv");
    let accepted = open.take(&signed(&order, &[&house.ada]), running).await.unwrap();
    assert_eq!(cuts.load(Ordering::SeqCst), 2);
    assert_eq!((accepted.killed, accepted.state, accepted.durable), (2, "complete", true));
    assert_eq!(accepted.draining.len(), 1);
    assert_eq!(accepted.draining[0].call, CallId::from_u128(3));
    assert!(open.stops(&subject("acme/csv")));
    assert!(!open.stops(&subject("acme/other")));

    let receipt = accepted.receipt.unwrap();
    let envelope = Envelope::from_json(receipt.to_string().as_bytes()).unwrap();
    let host = KeyPair::from_pkcs8_der(&house.host_key).unwrap();
    let proven = dsse::verify(&envelope, RECEIPT_KIND, &[host.public().clone()]).unwrap();
    let receipt: KillReceipt = proven.read().unwrap();
    assert_eq!((receipt.order, receipt.document), (order.id, order.hash()));
    let listed: Vec<_> = receipt.calls.iter().map(|c| (c.call, c.stopped_us.is_some())).collect();
    assert_eq!(listed, [(CallId::from_u128(3), false), (CallId::from_u128(1), true)]);
    assert_eq!(open.kills.receipts(order.id).len(), 1);
}

#[tokio::test]
async fn a_thousand_calls_are_all_cut_before_any_is_waited_for() {
    let house = House::new(1);
    let open = house.open().unwrap();
    let cuts = Arc::new(AtomicU32::new(0));
    let running: Vec<_> = (0..1000)
        .map(|call| {
            let mut target = target(call, "acme/csv", &cuts, false);
            let (joined, cuts) = (target.joined, Arc::clone(&cuts));
            target.joined = async move {
                assert_eq!(cuts.load(Ordering::SeqCst), 1000);
                joined.await;
            }
            .boxed();
            target
        })
        .collect();
    let envelope = signed(&order(1, "everything"), &[&house.ada]);
    let accepted = open.take(&envelope, running).await.unwrap();
    assert_eq!((accepted.killed, accepted.draining.len()), (1000, 0));
}

#[tokio::test]
async fn the_interrupt_comes_after_every_call_is_cut() {
    let house = House::new(1);
    let open = house.open().unwrap();
    let cuts = Arc::new(AtomicU32::new(0));
    let running = (0..10).map(|call| target(call, "acme/csv", &cuts, false)).collect();
    let envelope = signed(&order(1, "everything"), &[&house.ada]).to_json();
    let seen = Arc::clone(&cuts);
    let interrupt = move || assert_eq!(seen.load(Ordering::SeqCst), 10);
    open.kills.take(&envelope, Came::Submitted, || running, interrupt).await.unwrap();
}

#[tokio::test]
async fn the_running_calls_are_asked_for_after_new_starts_are_stopped() {
    let house = House::new(1);
    let open = house.open().unwrap();
    let envelope = signed(&order(1, "everything"), &[&house.ada]).to_json();
    let running = || {
        assert!(open.stops(&subject("acme/csv")));
        Vec::new()
    };
    open.kills.take(&envelope, Came::Submitted, running, || {}).await.unwrap();
}

#[test]
fn a_dry_run_tells_the_radius_and_stops_nothing() {
    let house = House::new(2);
    let open = house.open().unwrap();
    let cuts = Arc::new(AtomicU32::new(0));
    let running = [target(1, "acme/csv", &cuts, false), target(2, "bolt/x", &cuts, false)];
    let installed = [subject("acme/csv"), subject("acme/other"), subject("bolt/x")];
    let scope: KillScope = "publisher:acme".parse().unwrap();
    let cent: Money = "0.01 EUR".parse().unwrap();
    let radius = open.kills.radius_of(&scope, &installed, &running, |_| vec![cent]);
    assert_eq!((radius.calls, radius.needed, radius.tenants.len()), (1, 2, 1));
    assert_eq!(
        radius.installations.into_iter().collect::<Vec<_>>(),
        ["local/production/csv", "local/production/other"]
    );
    assert_eq!(radius.reserved, ["0.02 EUR".parse().unwrap()]);
    assert_eq!(cuts.load(Ordering::SeqCst), 0);
    assert!(open.kills.set().is_empty());
    assert_eq!(open.clock.now(), NOW);
}
