//! What a lease lets its calls move.

use super::*;

#[test]
fn calls_move_no_more_bytes_than_their_lease_holds_and_a_childs_are_its_callers() {
    let bench = bench();
    bench.give(HostLease { bytes: Some(100), ..lease(1, 1_000_000) });
    let (call, other) = (bench.take(1).unwrap(), bench.take(1).unwrap());
    assert_eq!(call.move_bytes(60), Ok(()));
    assert_eq!(other.move_bytes(41), Err((60, 100)));
    assert_eq!(other.move_bytes(u64::MAX), Err((60, 100)));
    assert_eq!(bench.child(&other, 1).unwrap().move_bytes(30), Ok(()));
    // Nothing starts on the caller's lease any more: its child is paid of the next one, and its bytes are the caller's.
    bench.give(HostLease { bytes: Some(1_000), ..lease(2, 1_000_000) });
    bench.recall(1);
    let child = bench.child(&call, 1).unwrap();
    assert_eq!(child.lease(), LeaseId::from_u128(2));
    assert_eq!(child.move_bytes(11), Err((90, 100)));
    assert_eq!(child.move_bytes(10), Ok(()));
}

#[test]
fn a_lease_that_holds_no_bytes_moves_none() {
    for bytes in [None, Some(0)] {
        assert_eq!(with_bytes(bytes).move_bytes(1), Err((0, 0)));
        assert_eq!(with_bytes(bytes).move_bytes(0), Ok(()));
    }
}
