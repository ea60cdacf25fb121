use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::id::Timestamp;

fn change(n: u64) -> Change {
    let payload = if n.is_multiple_of(3) { json!(null) } else { json!({ "v": n.to_string() }) };
    Change { at: Timestamp(n), payload, subject: format!("s/{n}"), topic: Topic::Terms }
}

fn batch(from: FeedHead, changes: Vec<Change>) -> Batch {
    let head = changes.iter().fold(from, |head, change| head.after(change).unwrap());
    Batch { changes, deployment: "d".to_owned(), from, head }
}

#[test]
fn a_batch_applies_at_the_place_that_it_follows_and_nowhere_else() {
    let start = FeedHead::start(1);
    let first = batch(start, vec![change(1), change(2)]);
    let second = batch(first.head, vec![change(3)]);
    assert_eq!((first.check(&start), second.check(&first.head)), (Ok(()), Ok(())));
    for here in [second.head, FeedHead::start(2), FeedHead { n: 1, ..start }] {
        assert!(matches!(first.check(&here), Err(ChainFault::Elsewhere { .. })), "{here:?}");
    }
    let forked = batch(start, vec![change(1), change(4)]);
    assert!(matches!(second.check(&forked.head), Err(ChainFault::Elsewhere { .. })));
}

#[test]
fn every_part_of_a_change_is_in_its_hash() {
    let (start, it) = (FeedHead::start(1), change(1));
    let head = start.after(&it).unwrap();
    let others = [
        Change { at: Timestamp(2), ..it.clone() },
        Change { payload: json!(null), ..it.clone() },
        Change { subject: "x".to_owned(), ..it.clone() },
        Change { topic: Topic::Kill, ..it.clone() },
    ];
    for other in others {
        assert_ne!(start.after(&other).unwrap().hash, head.hash, "{other:?}");
    }
    assert_ne!(FeedHead::start(2).after(&it).unwrap().hash, head.hash);
    assert_ne!(FeedHead { n: 1, ..start }.after(&it).unwrap().hash, head.hash);
    let last = FeedHead { n: u64::MAX, ..start };
    assert_eq!(last.after(&it), Err(ChainFault::Full));
}

#[test]
fn a_class_is_that_of_the_widest_grant() {
    let class = |text: &str| RiskClass::of(&toml::from_str(text).unwrap());
    assert_eq!(class(crate::fixture::GRANTED), RiskClass::High);
    let kv = "[kv.cache]\nprefix = \"etag/\"\naccess = \"read\"\nquota = \"1 MiB\"\n";
    assert_eq!(class(kv), RiskClass::Medium);
    assert_eq!(class("[logging]\nper_call = \"1 KiB\"\n"), RiskClass::Low);
    assert_eq!(class(""), RiskClass::Low);
    let spans = [RiskClass::Low, RiskClass::Medium, RiskClass::High].map(|it| it.lease().0);
    assert_eq!(spans, [900_000, 300_000, 30_000]);
}

#[test]
fn topics_read_back_as_they_are_written() {
    for topic in Topic::ALL {
        assert_eq!(Topic::named(topic.as_str()), Some(topic));
        assert_eq!(serde_json::to_value(topic).unwrap(), json!(topic.as_str()));
    }
    assert_eq!(Topic::named("topic"), None);
}

#[test]
fn a_state_is_read_from_a_signed_document_as_its_type_wrote_it() {
    let state = json!({ "schema": 1, "below": -3, "wide": "18446744073709551615", "list": [4_294_967_295_u32] });
    let text = payload_text(&state).unwrap();
    assert_eq!(
        text,
        r#"{"below":-3,"list":[4294967295],"schema":1,"wide":"18446744073709551615"}"#
    );
    let it = Change { payload: state.clone(), ..change(1) };
    let bytes = crate::canonical::to_vec(&it).unwrap();
    let read: Change = serde_json::from_slice(&bytes).unwrap();
    assert_eq!(read.payload, state);
    assert!(payload_text(&json!(0.5)).is_err());
}

proptest! {
    #[test]
    fn however_a_feed_is_cut_into_batches_it_leads_to_one_head(count in 1_u64..40, cut in 0_usize..40) {
        let changes: Vec<Change> = (1..=count).map(change).collect();
        let cut = cut.min(changes.len());
        let start = FeedHead::start(3);
        let whole = batch(start, changes.clone());
        let first = batch(start, changes[..cut].to_vec());
        let second = batch(first.head, changes[cut..].to_vec());
        prop_assert_eq!(second.head, whole.head);
        prop_assert_eq!(second.check(&first.head), Ok(()));
    }

    #[test]
    fn a_change_that_was_touched_does_not_lead_to_the_head(count in 1_u64..20, at in 0_usize..20) {
        let mut it = batch(FeedHead::start(1), (1..=count).map(change).collect());
        let at = at % it.changes.len();
        it.changes[at].subject.push('x');
        prop_assert_eq!(it.check(&FeedHead::start(1)), Err(ChainFault::Head));
    }
}
