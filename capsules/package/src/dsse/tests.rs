use std::sync::LazyLock;

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::fixture::Damage;

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Order {
    reason: String,
    scope: String,
}

fn order() -> Order {
    Order { reason: "malware".into(), scope: "publisher:evil".into() }
}

fn keys<const N: usize>() -> [KeyPair; N] {
    std::array::from_fn(|_| KeyPair::generate().unwrap())
}

fn public(keys: &[KeyPair]) -> Vec<PublicKey> {
    keys.iter().map(|key| key.public().clone()).collect()
}

#[test]
fn a_document_with_several_signatures_names_each_signer_once() {
    let [a, b, c] = keys();
    let mut envelope = sign_document("kill-order", &order(), &[&a]).unwrap();
    envelope.add_signature(&b).unwrap();
    envelope.add_signature(&b).unwrap();
    let envelope = Envelope::from_json(&envelope.to_json()).unwrap();
    assert_eq!(envelope.key_ids().count(), 2);
    let all = public(&[a, b, c]);
    let verified = verify(&envelope, "kill-order", &all).unwrap();
    assert_eq!(verified.signers(), [all[0].fingerprint(), all[1].fingerprint()]);
    assert_eq!(verified.read::<Order>().unwrap(), order());
    assert_eq!(verified.payload(), envelope.unverified_payload());
    assert_eq!(envelope.payload_type(), "application/vnd.soma.kill-order.v1+json");
}

#[test]
fn a_key_given_twice_counts_once() {
    let [a] = keys();
    let envelope = sign_document("lift", &order(), &[&a]).unwrap();
    let twice = [a.public().clone(), a.public().clone()];
    assert_eq!(verify(&envelope, "lift", &twice).unwrap().signers().len(), 1);
}

#[test]
fn a_document_of_another_kind_is_refused() {
    let [a] = keys();
    let envelope = sign_document("lift", &order(), &[&a]).unwrap();
    let error = verify(&envelope, "kill-order", &public(&[a])).unwrap_err();
    assert!(matches!(&error, DsseError::OtherType { found, .. } if found.contains("lift")));
    assert_eq!(error.code(), Code::EnvelopeMalformed);
}

#[test]
fn unknown_signers_prove_nothing() {
    let [a, b] = keys();
    let envelope = sign_document("lift", &order(), &[&a]).unwrap();
    let error = verify(&envelope, "lift", &public(&[b])).unwrap_err();
    assert_eq!((error.clone(), error.code()), (DsseError::Unsigned, Code::EnvelopeSignature));
    assert_eq!(verify(&envelope, "lift", &[]).unwrap_err(), DsseError::Unsigned);
    let empty = sign_document("lift", &order(), &[]).unwrap();
    assert_eq!(verify(&empty, "lift", &public(&[a])).unwrap_err(), DsseError::Unsigned);
}

fn tampered(change: impl FnOnce(&mut Value)) -> (Envelope, KeyPair) {
    let [a] = keys();
    let envelope = sign_document("lift", &order(), &[&a]).unwrap();
    let mut value: Value = serde_json::from_slice(&envelope.to_json()).unwrap();
    change(&mut value);
    (Envelope::from_json(value.to_string().as_bytes()).unwrap(), a)
}

#[test]
fn what_was_changed_after_signing_is_refused() {
    let other = STANDARD.encode(br#"{"reason":"error","scope":"publisher:evil"}"#);
    let (envelope, key) = tampered(|value| value["payload"] = json!(other));
    let error = verify(&envelope, "lift", &[key.public().clone()]).unwrap_err();
    assert_eq!(error, DsseError::BadSignature(key.public().fingerprint()));

    let (envelope, key) = tampered(|value| value["payloadType"] = json!(payload_type("order")));
    let error = verify(&envelope, "order", &[key.public().clone()]).unwrap_err();
    assert!(matches!(error, DsseError::BadSignature(_)), "the type is signed too");

    let (envelope, key) = tampered(|value| value["signatures"][0]["sig"] = json!("AAAA"));
    let error = verify(&envelope, "lift", &[key.public().clone()]).unwrap_err();
    assert!(matches!(error, DsseError::BadSignature(_)));

    let (envelope, key) = tampered(|value| value["signatures"][0]["keyid"] = json!(""));
    let error = verify(&envelope, "lift", &[key.public().clone()]).unwrap_err();
    assert_eq!(error, DsseError::Unsigned);
}

#[test]
fn rubbish_beside_a_good_signature_does_not_stop_a_document() {
    let [a, b] = keys();
    let good = sign_document("lift", &order(), &[&a, &b]).unwrap();
    let mut value: Value = serde_json::from_slice(&good.to_json()).unwrap();
    let first = value["signatures"][0].clone();
    value["signatures"][1]["sig"] = first["sig"].clone();
    let envelope = Envelope::from_json(value.to_string().as_bytes()).unwrap();
    let verified = verify(&envelope, "lift", &public(&[a, b])).unwrap();
    assert_eq!(verified.signers().len(), 1, "only what fits counts");

    let [c] = keys();
    let mut poisoned = sign_document("lift", &order(), &[&c]).unwrap();
    let mut rubbish: Value = serde_json::from_slice(&poisoned.to_json()).unwrap();
    rubbish["signatures"][0]["sig"] = json!("AAAA");
    poisoned.merge(&Envelope::from_json(rubbish.to_string().as_bytes()).unwrap()).unwrap();
    assert_eq!(poisoned.key_ids().count(), 2);
    let verified = verify(&poisoned, "lift", &public(&[c])).unwrap();
    assert_eq!(verified.signers().len(), 1);
    assert_eq!(verified.proven().key_ids().count(), 1, "the rubbish is not kept");
}

#[test]
fn copies_of_one_document_share_their_signatures() {
    let [a, b] = keys();
    let mut first = sign_document("lift", &order(), &[&a]).unwrap();
    let second = sign_document("lift", &order(), &[&b]).unwrap();
    first.merge(&second).unwrap();
    first.merge(&second).unwrap();
    assert_eq!(verify(&first, "lift", &public(&[a, b])).unwrap().signers().len(), 2);
    let other = sign_document("order", &order(), &[]).unwrap();
    assert!(matches!(first.merge(&other), Err(DsseError::Malformed(_))));
}

#[test]
fn a_payload_in_another_form_is_refused() {
    let [a] = keys();
    let spaced = br#"{"reason": "malware", "scope": "publisher:evil"}"#;
    let envelope = sign("lift", spaced, &[&a]).unwrap();
    let verified = verify(&envelope, "lift", &public(&[a])).unwrap();
    assert!(matches!(verified.read::<Order>(), Err(DsseError::Payload(_))));
    let [a] = keys();
    let envelope = sign("lift", b"[]", &[&a]).unwrap();
    let verified = verify(&envelope, "lift", &public(&[a])).unwrap();
    assert!(matches!(verified.read::<Order>(), Err(DsseError::Payload(_))));
    assert!(matches!(sign_document("lift", &1.5, &[]), Err(DsseError::Payload(_))));
}

#[test]
fn envelopes_are_bounded() {
    let error = Envelope::from_json(&vec![b' '; ENVELOPE_BYTES_MAX + 1]).unwrap_err();
    assert!(matches!(error, DsseError::Oversize { .. }));
    let many: Vec<Value> = (0..=SIGNATURES_MAX).map(|_| json!({"sig": "AAAA"})).collect();
    let text = json!({"payload": "", "payloadType": "x", "signatures": many}).to_string();
    assert_eq!(Envelope::from_json(text.as_bytes()).unwrap_err(), DsseError::TooManySignatures);
    for text in ["", "[]", "{}", r#"{"payload":"!","payloadType":"x","signatures":[]}"#] {
        let error = Envelope::from_json(text.as_bytes()).unwrap_err();
        assert!(matches!(error, DsseError::Malformed(_)), "{text}: {error}");
    }
    let full = json!({"payload": "e30=", "payloadType": "x", "signatures": many[1..]}).to_string();
    let mut full = Envelope::from_json(full.as_bytes()).unwrap();
    let [a] = keys();
    assert_eq!(full.add_signature(&a).unwrap_err(), DsseError::TooManySignatures);
}

#[test]
fn both_alphabets_of_base64_are_read() {
    let text = r#"{"payload":"-_-_","payloadType":"x","signatures":[]}"#;
    assert_eq!(
        Envelope::from_json(text.as_bytes()).unwrap().unverified_payload(),
        [0xfb, 0xff, 0xbf]
    );
}

static SIGNED: LazyLock<(Vec<u8>, PublicKey)> = LazyLock::new(|| {
    let [a] = keys();
    let envelope = sign_document("lift", &order(), &[&a]).unwrap();
    (envelope.to_json(), a.public().clone())
});

proptest! {
    #[test]
    fn no_damage_panics_or_verifies_as_another_document(damage in Damage::any()) {
        let (signed, key) = &*SIGNED;
        let genuine = Envelope::from_json(signed).unwrap();
        if let Ok(envelope) = Envelope::from_json(&Damage::apply(&damage, signed))
            && let Ok(verified) = verify(&envelope, "lift", std::slice::from_ref(key))
        {
            prop_assert_eq!(verified.payload(), genuine.unverified_payload());
        }
    }
}
