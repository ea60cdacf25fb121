use proptest::prelude::*;
use semver::Version;
use soma_policy::{CapsuleFacts, Code, Declarations, Fingerprint, LimitsAsk};

use super::*;
use crate::ledger::{About, Account, Cause};
use crate::money::fixture::{DAY, NOON, capsule, eur, key, org, per_call, terms};

fn flat(micros: i64) -> Option<Flat> {
    Some(Flat { fee: eur(micros), per: Period::Month })
}

fn included(calls: u64) -> Option<Included> {
    Some(Included { calls, per: Period::Month })
}

fn facts(price: Option<Money>) -> CapsuleFacts {
    CapsuleFacts {
        name: capsule(),
        version: Version::new(1, 0, 0),
        digest: Digest::of(b"component"),
        declarations: Declarations::default(),
        limits_asked: LimitsAsk::default(),
        price,
        signer: Fingerprint::of_spki(b"key"),
        imports: Vec::new(),
    }
}

#[test]
fn the_digest_is_the_one_that_hosts_write_into_receipts() {
    for price in [None, Some(eur(500)), Some(eur(0))] {
        let offer = Offer::new(price, None, None, None).unwrap();
        assert_eq!(offer.digest().unwrap(), facts(price).offer());
    }
    assert_ne!(per_call(1).digest().unwrap(), per_call(2).digest().unwrap());
}

#[test]
fn offers_read_back_and_refuse_parts_that_do_not_fit() {
    let whole = Offer::new(Some(eur(5)), flat(900), included(100), Some(14)).unwrap();
    let json = serde_json::to_value(&whole).unwrap();
    assert_eq!(serde_json::from_value::<Offer>(json.clone()).unwrap(), whole);
    assert!(serde_json::from_str::<Offer>(r#"{"percall":"1 EUR"}"#).is_err());
    let usd: Money = "1 USD".parse().unwrap();
    let daily = Some(Included { calls: 1, per: Period::Day });
    for (price, fee, calls, days) in [
        (Some(eur(-1)), None, None, None),
        (None, flat(0), None, None),
        (Some(usd), flat(1), None, None),
        (None, None, included(1), None),
        (Some(eur(1)), None, included(0), None),
        (Some(eur(1)), flat(1), daily, None),
        (Some(eur(1)), None, None, Some(0)),
        (Some(eur(1)), None, None, Some(91)),
        (None, None, None, Some(7)),
        (Some(eur(0)), None, None, Some(7)),
    ] {
        assert_eq!(Offer::new(price, fee, calls, days).unwrap_err().code, Code::OfferBad);
    }
}

#[test]
fn an_offer_has_a_kind_and_a_currency() {
    let new = |price, fee, calls| Offer::new(price, fee, calls, None).unwrap();
    for (offer, kind, paid) in [
        (Offer::free(), OfferKind::Free, false),
        (new(Some(eur(0)), None, None), OfferKind::Free, false),
        (per_call(5), OfferKind::Usage, true),
        (new(None, flat(5), None), OfferKind::Flat, true),
        (new(Some(eur(1)), flat(5), None), OfferKind::Usage, true),
        (new(Some(eur(1)), flat(5), included(3)), OfferKind::Included, true),
    ] {
        assert_eq!((offer.kind(), offer.currency().is_some()), (kind, paid), "{offer:?}");
    }
}

#[test]
fn a_trial_costs_nothing_until_it_ends_and_begins_once() {
    let offer = Offer::new(Some(eur(5)), None, None, Some(7)).unwrap();
    let standing = OfferStanding { accepted_at: NOON, included_used: 0 };
    let end = Timestamp(NOON.0 + 7 * DAY.0);
    assert_eq!(offer.ask(&standing, Timestamp(end.0 - 1)).price, None);
    assert_eq!(offer.ask(&standing, end).price, Some(eur(5)));
    assert_eq!(offer.trial_days(), Some(7));
}

#[test]
fn included_calls_cost_nothing_more() {
    let offer = Offer::new(Some(eur(5)), None, included(2), None).unwrap();
    let ask = |used| offer.ask(&OfferStanding { accepted_at: NOON, included_used: used }, NOON);
    assert_eq!(ask(1), Asked { included: true, price: None });
    assert_eq!(ask(2), Asked { included: false, price: Some(eur(5)) });
    assert_eq!(offer.window(NOON).unwrap().to_string(), "2026-11");
    assert_eq!(per_call(5).window(NOON), None);
}

#[test]
fn a_fee_is_taken_once_per_window_split_and_taxed() {
    let offer = Offer::new(None, flat(1_000), None, Some(1)).unwrap();
    let about = || About { author: Some(org("acme")), ..About::default() };
    let standing = OfferStanding { accepted_at: NOON, included_used: 0 };
    let ask = |offer: &Offer, about, at| {
        fee(offer, &standing, &key("shop/production/csv"), &terms(), about, at)
    };
    assert_eq!(ask(&offer, about(), NOON).unwrap(), None);
    assert_eq!(ask(&per_call(5), about(), NOON).unwrap(), None);
    let later = NOON.plus(DAY);
    let posting = ask(&offer, about(), later).unwrap().unwrap();
    assert_eq!(posting.cause, Cause::Fee(key("shop/production/csv"), Window::month(NOON)));
    assert_eq!(posting.effect_on(&Account::Tenant(org("shop"))), -1_190);
    assert_eq!(posting.effect_on(&Account::Pending(org("acme"))), 700);
    assert_eq!(posting.effect_on(&Account::Revenue), 300);
    assert_eq!(ask(&offer, About::default(), later).unwrap_err().code, Code::PostingBad);
    let usd = Some(Flat { fee: "1 USD".parse().unwrap(), per: Period::Day });
    let usd = Offer::new(None, usd, None, None).unwrap();
    assert_eq!(ask(&usd, about(), later).unwrap_err().code, Code::MoneyCurrency);
}

#[test]
fn a_dearer_offer_is_a_rise_and_a_cheaper_one_is_not() {
    let new = |price: i64, fee: i64, calls: u64, days: u16| {
        let calls = (calls > 0 && price > 0).then_some(Included { calls, per: Period::Month });
        let fee = (fee > 0).then_some(Flat { fee: eur(fee), per: Period::Month });
        Offer::new(Some(eur(price)), fee, calls, (days > 0).then_some(days)).unwrap()
    };
    let daily = Some(Flat { fee: eur(1), per: Period::Day });
    let daily = Offer::new(None, daily, None, None).unwrap();
    let usd = Offer::new(Some("0.000001 USD".parse().unwrap()), None, None, None).unwrap();
    for (old, new, rise) in [
        (new(5, 0, 0, 0), new(6, 0, 0, 0), true),
        (new(5, 0, 0, 0), new(4, 0, 0, 0), false),
        (new(5, 0, 0, 0), new(5, 0, 0, 0), false),
        (new(5, 0, 0, 0), Offer::free(), false),
        (Offer::free(), new(1, 0, 0, 0), true),
        (new(5, 0, 0, 0), new(5, 1, 0, 0), true),
        (new(5, 0, 0, 0), new(5, 0, 10, 0), false),
        (new(5, 0, 10, 0), new(5, 0, 9, 0), true),
        (new(5, 0, 10, 0), new(4, 0, 0, 0), true),
        (new(5, 100, 0, 0), new(5, 90, 0, 0), false),
        (new(5, 100, 0, 0), new(6, 0, 0, 0), true),
        (new(5, 0, 0, 14), new(5, 0, 0, 7), true),
        (new(5, 0, 0, 7), new(5, 0, 0, 14), false),
        (new(5, 0, 0, 0), usd, true),
        (new(0, 100, 0, 0), daily, true),
    ] {
        assert_eq!(rises(&old, &new), rise, "{old:?} → {new:?}");
    }
}

fn offers() -> impl Strategy<Value = Offer> {
    (0i64..20, 0i64..200, 0u64..20).prop_map(|(price, fee, calls)| {
        let calls = (calls > 0 && price > 0).then_some(Included { calls, per: Period::Month });
        let fee = (fee > 0).then_some(Flat { fee: eur(fee), per: Period::Month });
        Offer::new(Some(eur(price)), fee, calls, None).unwrap()
    })
}

fn price_of_next(offer: &Offer, used: u64) -> i64 {
    let standing = OfferStanding { accepted_at: NOON, included_used: used };
    offer.ask(&standing, NOON).price.map_or(0, |price| price.micros)
}

proptest! {
    #[test]
    fn a_rise_is_exactly_a_number_of_calls_that_costs_more(old in offers(), new in offers()) {
        let fee = |offer: &Offer| offer.flat().map_or(0, |flat| flat.fee.micros);
        let (mut before, mut after) = (fee(&old), fee(&new));
        let mut dearer = after > before;
        // Beyond every included call, and where a higher price has caught up with a lower fee.
        for used in 0..800 {
            before += price_of_next(&old, used);
            after += price_of_next(&new, used);
            dearer |= after > before;
        }
        prop_assert_eq!(rises(&old, &new), dearer);
    }
}
