use soma_policy::{Operator, Operators};

use super::*;
use crate::key::KeyPair;

const PERMIT: &str =
    "@id(\"all\")\n@reason(\"everything\")\npermit (principal, action, resource);\n";
const NOW: Timestamp = Timestamp(1_800_000_000_000);

fn starter() -> Constitution {
    let sources = PolicySources::starter();
    Constitution::of(&sources, "We do no harm.\n".to_owned(), "01D", None, NOW)
}

fn trusted(quorum: usize, keys: &[(&KeyPair, &str)]) -> Trusted {
    let each = keys.iter().map(|(key, person)| Operator {
        name: (*person).to_owned(),
        person: (*person).to_owned(),
        key: key.public().fingerprint(),
    });
    let operators = Operators::new(quorum, each).unwrap();
    Trusted { operators, keys: keys.iter().map(|(key, _)| key.public().clone()).collect() }
}

fn signed(document: &Constitution, keys: &[&KeyPair]) -> Vec<u8> {
    dsse::sign_document(KIND, document, keys).unwrap().to_json()
}

#[test]
fn it_holds_with_as_many_persons_as_the_quorum_says_and_no_fewer() {
    let [ada, again, bob, mallory] = std::array::from_fn(|_| KeyPair::generate().unwrap());
    let trusted = trusted(2, &[(&ada, "ada"), (&again, "ada"), (&bob, "bob")]);
    let document = starter();
    for (keys, complete) in [
        (vec![&ada], false),
        (vec![&ada, &again], false),
        (vec![&ada, &mallory], false),
        (vec![&ada, &bob], true),
    ] {
        let checked = trusted.check_constitution(&signed(&document, &keys)).unwrap();
        assert_eq!(checked.must_be_complete().is_ok(), complete);
        assert_eq!((checked.digest, checked.needed), (document.digest(), 2));
    }
    let refused = trusted.check_constitution(&signed(&document, &[&mallory])).unwrap_err();
    assert_eq!(refused.code(), Code::ConstitutionSigners);
}

#[test]
fn another_document_under_the_same_signatures_is_refused() {
    let ada = KeyPair::generate().unwrap();
    let trusted = trusted(1, &[(&ada, "ada")]);
    let bytes = signed(&starter(), &[&ada]);
    let mut value: serde_json::Value = serde_json::from_slice(&bytes).unwrap();
    let other = Constitution { principles: "We do.".to_owned(), ..starter() };
    let other: serde_json::Value = serde_json::from_slice(&signed(&other, &[&ada])).unwrap();
    value["payload"] = other["payload"].clone();
    let refused = trusted.check_constitution(value.to_string().as_bytes()).unwrap_err();
    assert_eq!(refused.code(), Code::ConstitutionSigners);
    let order = dsse::sign_document(crate::kill::ORDER_KIND, &starter(), &[&ada]).unwrap();
    let refused = trusted.check_constitution(&order.to_json()).unwrap_err();
    assert_eq!(refused.code(), Code::ConstitutionMalformed);
}

#[test]
fn each_one_follows_exactly_the_one_that_holds() {
    let first = starter();
    let here = Some((first.version, first.digest()));
    let sources = PolicySources::starter();
    let second = Constitution::of(&sources, String::new(), "01D", here, NOW);
    assert_eq!((second.version, second.follows), (2, Some(first.digest())));
    assert!(first.must_follow(None).is_ok() && second.must_follow(here).is_ok());
    for (document, here) in [
        (&first, here),
        (&second, None),
        (&second, Some((1, second.digest()))),
        (&second, Some((2, second.digest()))),
    ] {
        let refused = document.must_follow(here).unwrap_err();
        assert_eq!(refused.code(), Code::ConstitutionStale);
    }
    assert!(first.must_be_for("01D").is_ok());
    assert_eq!(first.must_be_for("01E").unwrap_err().code(), Code::ConstitutionForeign);
}

#[test]
fn what_breaks_a_rule_is_refused_by_its_field() {
    type Change = fn(&mut Constitution);
    let change: [(&str, Change); 9] = [
        ("`v`", |it| it.v = 2),
        ("`deployment`", |it| it.deployment.clear()),
        ("`follows`", |it| it.version = 0),
        ("`follows`", |it| it.version = 2),
        ("`follows`", |it| it.follows = Some(Digest::ZERO)),
        ("`policies`", |it| drop(it.policies.insert("../x.cedar".to_owned(), String::new()))),
        ("`policies`", |it| drop(it.policies.insert("x.toml".to_owned(), String::new()))),
        ("`policies`", |it| it.limits = Some(" ".repeat(TEXT_BYTES_MAX))),
        ("`principles`", |it| it.principles.push('\u{1b}')),
    ];
    for (field, change) in change {
        let mut document = starter();
        assert!(document.check().is_ok());
        change(&mut document);
        let refused = document.check().unwrap_err();
        assert!(refused.to_string().contains(field), "{refused}");
        let envelope = dsse::sign_document(KIND, &document, &[]).unwrap();
        assert_eq!(Constitution::vouched(&envelope), None);
    }
}

#[test]
fn it_takes_the_place_of_policies_and_limits_and_of_nothing_else() {
    let mut own = PolicySources::starter();
    own.region = Some("eu".parse().unwrap());
    own.limits = Some("cpu = \"9 s\"\n".to_owned());
    let mut document = starter();
    document.policies = BTreeMap::from([("a.cedar".to_owned(), PERMIT.to_owned())]);
    document.limits = Some("cpu = \"1 s\"\n".to_owned());
    let policy = document.load(&own).unwrap();
    assert_eq!(policy.ceiling().cpu.0, 1000);
    assert_eq!(policy.region(), own.region.as_ref());
    document.policies.clear();
    let refused = document.load(&own).unwrap_err();
    assert_eq!(refused.code(), Code::PolicyEmpty);
}

#[test]
fn a_difference_names_files_and_the_lines_that_only_one_has() {
    let old = starter();
    let mut new = old.clone();
    new.policies.insert("extra.cedar".to_owned(), PERMIT.to_owned());
    new.principles = "We do no harm.\nWe say why.\n".to_owned();
    let difference = Difference::between(Some(&old), &new);
    let named: Vec<(&str, &str)> =
        difference.files.iter().map(|it| (it.file.as_str(), it.change)).collect();
    assert_eq!(named, [("extra.cedar", "added"), ("principles.md", "changed")]);
    assert_eq!(difference.files[1].lines, ["+ We say why."]);
    assert!(Difference::between(Some(&new), &new).files.is_empty());
    let back = Difference::between(Some(&new), &old);
    assert_eq!(back.files[0].change, "removed");
    assert!(back.text().contains("- We say why."), "{}", back.text());
}
