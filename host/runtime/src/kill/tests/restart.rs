//! What is not forgotten: restarts, lost and damaged files, a disk that cannot be written.

use super::*;

#[tokio::test]
async fn orders_lifts_and_receipts_survive_a_restart() {
    let house = House::new(1);
    let open = house.open().unwrap();
    let (kept, lifted) = (order(1, "capsule:acme/csv"), order(2, "capsule:acme/other"));
    open.take(&signed(&kept, &[&house.ada]), Vec::new()).await.unwrap();
    open.take(&signed(&lifted, &[&house.ada]), Vec::new()).await.unwrap();
    open.take(&lift(&lifted, &[&house.bob]), Vec::new()).await.unwrap();
    let (list, receipts) = (open.kills.list(), open.kills.receipts(kept.id));
    drop(open);
    let open = house.open().unwrap();
    assert_eq!(open.kills.list(), list);
    assert_eq!(open.kills.receipts(kept.id), receipts);
    assert!(open.stops(&subject("acme/csv")));
    assert!(!open.stops(&subject("acme/other")));
    assert_eq!(open.kills.order(kept.id), Some(kept));
}

#[tokio::test]
async fn an_order_whose_file_is_gone_comes_back_out_of_the_journal() {
    let house = House::new(1);
    let open = house.open().unwrap();
    open.take(&signed(&order(1, "capsule:acme/csv"), &[&house.ada]), Vec::new()).await.unwrap();
    drop(open);
    let stored = house.stored();
    std::fs::remove_file(&stored[0]).unwrap();
    let open = house.open().unwrap();
    assert!(open.stops(&subject("acme/csv")));
    assert_eq!(house.stored(), stored);
}

#[tokio::test]
async fn an_order_whose_journal_is_gone_stands_by_its_file() {
    let house = House::new(2);
    let open = house.open().unwrap();
    open.passes(Millis(5 * SUSPENSION.0));
    open.take(&signed(&order(1, "publisher:acme"), &[&house.ada]), Vec::new()).await.unwrap();
    drop(open);
    house.lose_journal();
    let open = house.open().unwrap();
    assert!(open.stops(&subject("acme/csv")));
    // Uptime begins where the order came, not at nought: the suspension is no longer than an hour.
    open.passes(SUSPENSION);
    assert!(!open.stops(&subject("acme/csv")));
}

#[tokio::test]
async fn a_suspension_counts_uptime_over_restarts() {
    let house = House::new(2);
    let open = house.open().unwrap();
    open.take(&signed(&order(1, "publisher:acme"), &[&house.ada]), Vec::new()).await.unwrap();
    open.passes(Millis(SUSPENSION.0 / 3 * 2));
    drop(open);
    let open = house.open().unwrap();
    assert!(open.stops(&subject("acme/csv")));
    open.passes(Millis(SUSPENSION.0 / 3 - 60_000));
    assert!(open.stops(&subject("acme/csv")));
    open.passes(Millis(120_000));
    assert!(!open.stops(&subject("acme/csv")));
}

#[tokio::test]
async fn any_damage_to_a_stored_order_stops_the_host_from_starting() {
    let house = House::new(1);
    let open = house.open().unwrap();
    open.take(&signed(&order(1, "capsule:acme/csv"), &[&house.ada]), Vec::new()).await.unwrap();
    drop(open);
    let path = house.stored().remove(0);
    let bytes = std::fs::read(&path).unwrap();
    let fails = |bytes: &[u8], what: &str| {
        std::fs::write(&path, bytes).unwrap();
        let refused =
            super::super::store::Folder::open(&house.dir()).unwrap().documents().unwrap_err();
        assert!(matches!(refused, KillOpenError::Corrupt { .. }), "{what}: {refused}");
        assert!(refused.to_string().contains("soma kill apply"), "{refused}");
    };
    for at in 0..bytes.len() {
        let mut flipped = bytes.clone();
        flipped[at] ^= 1;
        fails(&flipped, &format!("byte {at}"));
    }
    for length in 0..bytes.len() {
        fails(&bytes[..length], &format!("cut at {length}"));
    }
    assert!(house.open().is_err());
    std::fs::write(&path, &bytes).unwrap();
    std::fs::write(house.dir().join("notes.txt"), b"x").unwrap();
    assert!(matches!(house.open(), Err(KillOpenError::Corrupt { .. })));
}

#[tokio::test]
async fn an_order_that_only_a_file_knows_and_nobody_vouches_for_is_never_dropped_silently() {
    let house = House::new(1);
    let open = house.open().unwrap();
    let order = order(1, "capsule:acme/csv");
    open.take(&signed(&order, &[&house.ada]), Vec::new()).await.unwrap();
    drop(open);
    house.lose_journal();
    let refused = house.open_with(house.only_bob()).map(|_| ()).unwrap_err();
    assert!(
        matches!(refused, KillOpenError::Unrecognised { order, .. } if order == OrderId::from_u128(1))
    );
    // The way out that the message names.
    let open = house.open().unwrap();
    open.take(&signed(&order, &[&house.bob]), Vec::new()).await.unwrap();
    drop(open);
    house.lose_journal();
    assert!(house.open_with(house.only_bob()).unwrap().stops(&subject("acme/csv")));
}

#[tokio::test]
async fn an_order_works_though_nothing_can_be_written_and_says_so() {
    let house = House::new(1);
    let open = house.open().unwrap();
    let envelope = signed(&order(1, "capsule:acme/csv"), &[&house.ada]);
    open.journal.close().unwrap();
    std::fs::remove_dir_all(house.dir()).unwrap();
    let cuts = Arc::new(AtomicU32::new(0));
    let running = vec![target(1, "acme/csv", &cuts, false)];
    let accepted = open.take(&envelope, running).await.unwrap();
    assert_eq!((accepted.durable, accepted.killed), (false, 1));
    assert!(open.stops(&subject("acme/csv")));
    // Sent again once there is room, it is written down.
    assert!(!open.take(&envelope, Vec::new()).await.unwrap().durable);
    std::fs::create_dir_all(house.dir()).unwrap();
    assert!(open.take(&envelope, Vec::new()).await.unwrap().durable);
    assert_eq!(house.stored().len(), 1);
}
