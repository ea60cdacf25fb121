//! What is taken as a document, and what is not.

use super::*;

#[tokio::test]
async fn what_no_operator_signed_changes_nothing() {
    let house = House::new(1);
    let open = house.open().unwrap();
    let stranger = KeyPair::generate().unwrap();
    let order = order(1, "capsule:acme/csv");
    let refused = open.take(&signed(&order, &[&stranger]), Vec::new()).await.unwrap_err();
    assert_eq!(refused.code(), Code::KillSigner);
    let refused = open.take(&signed(&order, &[]), Vec::new()).await.unwrap_err();
    assert_eq!(refused.code(), Code::KillSigner);
    let other = dsse::sign_document("receipt", &order, &[&house.ada]).unwrap();
    let refused = open.take(&other, Vec::new()).await.unwrap_err();
    assert_eq!(refused.code(), Code::KillMalformed);
    let long = vec![b' '; 65 * 1024];
    let refused = open.kills.take(&long, Came::Submitted, Vec::new, || {}).await.unwrap_err();
    assert_eq!(refused.code(), Code::KillMalformed);
    assert!(open.kills.list().is_empty());
    assert!(house.stored().is_empty());
    assert!(open.kills.set().is_empty());
}

#[tokio::test]
async fn a_signed_order_with_any_byte_changed_is_refused_or_is_the_same_order() {
    let house = House::new(1);
    let open = house.open().unwrap();
    let original = order(1, "capsule:acme/csv");
    let bytes = signed(&original, &[&house.ada]).to_json();
    for at in 0..bytes.len() {
        for mask in [0x01, 0x20] {
            let mut changed = bytes.clone();
            changed[at] ^= mask;
            if open.kills.take(&changed, Came::Submitted, Vec::new, || {}).await.is_ok() {
                let orders: Vec<_> = open.kills.list().into_iter().map(|v| v.order).collect();
                assert_eq!(orders, std::slice::from_ref(&original), "byte {at}");
            }
        }
    }
}

#[tokio::test]
async fn a_repeated_order_changes_nothing_and_gives_no_second_receipt() {
    let house = House::new(1);
    let open = house.open().unwrap();
    let envelope = signed(&order(1, "capsule:acme/csv"), &[&house.ada]);
    open.take(&envelope, Vec::new()).await.unwrap();
    let again = open.take(&envelope, Vec::new()).await.unwrap();
    assert_eq!((again.state, again.receipt), ("complete", None));
    assert_eq!(open.kills.receipts(OrderId::from_u128(1)).len(), 1);
}

/// Anything at all in the place of an order; `cargo bolero test -p soma-host kill::tests::documents::any_bytes…`
/// runs it with coverage guidance.
#[test]
fn any_bytes_are_no_order() {
    let house = House::new(1);
    let trusted = house.trusted();
    bolero::check!().for_each(|bytes: &[u8]| {
        assert!(trusted.check(bytes).is_err());
    });
}

/// The envelope as a relay hands it on that adds as many signatures as an envelope may bear: half in the
/// name of an operator who has not signed yet, half of nobody.
fn with_rubbish(envelope: &Envelope, operator: &KeyPair) -> Envelope {
    let mut json: serde_json::Value = serde_json::from_slice(&envelope.to_json()).unwrap();
    let signatures = json["signatures"].as_array_mut().unwrap();
    for n in signatures.len()..dsse::SIGNATURES_MAX {
        let keyid =
            if n % 2 == 0 { operator.public().fingerprint().to_string() } else { n.to_string() };
        signatures.push(serde_json::json!({ "keyid": keyid, "sig": "cnViYmlzaA==" }));
    }
    Envelope::from_json(json.to_string().as_bytes()).unwrap()
}

#[tokio::test]
async fn signatures_that_a_relay_adds_are_not_kept_and_fill_no_places() {
    let house = House::new(2);
    let open = house.open().unwrap();
    let order = order(1, "everything");
    let relayed = with_rubbish(&signed(&order, &[&house.ada]), &house.bob);
    let accepted = open.take(&relayed, Vec::new()).await.unwrap();
    assert_eq!((accepted.state, accepted.signed), ("suspended", 1));
    let second = with_rubbish(&signed(&order, &[&house.bob]), &house.ada);
    let accepted = open.take(&second, Vec::new()).await.unwrap();
    assert_eq!(accepted.state, "complete");
    let kept = super::super::store::Folder::open(&house.dir()).unwrap().documents().unwrap();
    let signers: Vec<&str> = kept[0].envelope.key_ids().collect();
    let of = |key: &KeyPair| key.public().fingerprint().to_string();
    assert_eq!(signers, [of(&house.bob), of(&house.ada)]);
}
