use proptest::prelude::*;

use super::outcomes::EXAMPLES;
use super::*;
use crate::amount::{Bytes, Millis};
use crate::limits::Limits;
use crate::outcome::Outcome;
use crate::receipt::Usage;

fn ratio(text: &str) -> Ratio {
    text.parse().unwrap()
}

fn book() -> PriceBook {
    PriceBook {
        call: ratio("2/1"),
        cpu_second: ratio("50/1"),
        mib_second: ratio("1/10"),
        outbound_mib: ratio("90/1"),
        version: 3,
        ..PriceBook::free(Currency::EUR)
    }
}

fn vat() -> Tax {
    Tax { name: "vat-de".parse().unwrap(), rate: ratio("19/100") }
}

fn terms() -> Terms {
    Terms::new(book(), OutcomeTable::standard(), Split::standard(), vec![vat()]).unwrap()
}

fn eur(text: &str) -> Option<Money> {
    Some(format!("{text} EUR").parse().unwrap())
}

const USED: Usage = Usage {
    cpu_us: 500_000,
    hostcall: 0,
    http_received: 1 << 30,
    http_requests: 1,
    http_sent: 2 << 20,
    input: 0,
    log: 0,
    memory_peak: 64 << 20,
    output: 0,
    wall_us: 2_000_000,
};

#[test]
fn each_line_is_rate_times_quantity_rounded_once() {
    let charge = charge(&terms(), eur("0.0005"), Origin::Outside, &USED, Outcome::Ok).unwrap();
    // 1 call, half a CPU-second, 64 MiB for 2 s at a tenth (12.8), 2 MiB sent, no tokens.
    assert_eq!((charge.resources, charge.author), ([2, 25, 13, 180, 0], 500));
    // 19 % of 720 is 136.8.
    assert_eq!((charge.taxes.as_slice(), charge.total().unwrap().micros), (&[137][..], 857));
}

#[test]
fn every_outcome_has_its_row_and_none_that_failed_pays_the_author() {
    let table = OutcomeTable::standard();
    assert_eq!(EXAMPLES.len(), OutcomeKind::ALL.len());
    for outcome in EXAMPLES {
        let kind = OutcomeKind::of(*outcome);
        assert_eq!(kind.as_str(), outcome.as_str());
        assert_eq!(serde_json::to_value(kind).unwrap(), kind.as_str());
        let row = table.row(*outcome);
        assert_eq!(row.author, *outcome == Outcome::Ok, "{outcome}");
        let charged = charge(&terms(), eur("1"), Origin::Outside, &USED, *outcome).unwrap();
        assert_eq!(charged.author > 0, *outcome == Outcome::Ok, "{outcome}");
        assert_eq!(charged.taxes.is_empty(), row.bearer == Bearer::Platform, "{outcome}");
    }
    for free in [Outcome::Busy, Outcome::InDoubt] {
        let charged = charge(&terms(), eur("1"), Origin::Outside, &USED, free).unwrap();
        assert_eq!(charged.total().unwrap().micros, 0, "{free}");
    }
}

#[test]
fn what_never_ran_pays_nothing_for_the_call_itself() {
    let never = Usage::default();
    for outcome in [Outcome::Denied, Outcome::Budget] {
        let charged = charge(&terms(), eur("1"), Origin::Outside, &never, outcome).unwrap();
        assert_eq!(charged.total().unwrap().micros, 0, "{outcome}");
    }
    assert_eq!(
        charge(&terms(), None, Origin::Outside, &never, Outcome::Trapped).unwrap().resources[0],
        2
    );
}

#[test]
fn a_table_that_breaks_the_rules_is_refused() {
    let good = serde_json::to_value(OutcomeTable::standard()).unwrap();
    let read = |json: &serde_json::Value| serde_json::from_value::<OutcomeTable>(json.clone());
    assert_eq!(read(&good).unwrap(), OutcomeTable::standard());
    let broken = |edit: &dyn Fn(&mut serde_json::Value)| {
        let mut json = good.clone();
        edit(&mut json);
        read(&json).unwrap_err().to_string()
    };
    let missing = broken(&|json| {
        json["rows"].as_object_mut().unwrap().shift_remove("trapped");
    });
    assert!(missing.contains("no row for `trapped`"), "{missing}");
    for kind in OutcomeKind::ALL.iter().filter(|kind| !["ok", "cancelled"].contains(&kind.as_str()))
    {
        let said = broken(&|json| json["rows"][kind.as_str()]["author"] = true.into());
        assert!(said.contains("author's price"), "{said}");
    }
    for kind in ["killed", "interrupted", "host-failure", "busy", "in-doubt"] {
        let said = broken(&|json| json["rows"][kind]["bearer"] = "tenant".into());
        assert!(said.contains("not the tenant's to bear"), "{said}");
    }
    let unknown = broken(&|json| json["rows"]["okay"] = json["rows"]["ok"].clone());
    assert!(unknown.contains("unknown variant"), "{unknown}");
    let mut cancelled = good.clone();
    cancelled["rows"]["cancelled"]["author"] = true.into();
    cancelled["version"] = "2".into();
    assert_eq!(read(&cancelled).unwrap().version(), 2);
}

#[test]
fn terms_are_checked_and_have_one_digest() {
    let terms = terms();
    let json = serde_json::to_value(&terms).unwrap();
    let back: Terms = serde_json::from_value(json.clone()).unwrap();
    assert_eq!((&back, back.digest().unwrap()), (&terms, terms.digest().unwrap()));
    assert_ne!(terms.digest().unwrap(), Terms::free(Currency::EUR).digest().unwrap());
    assert_eq!((back.book().version, back.currency()), (3, Currency::EUR));
    for (field, value) in [
        ("split", serde_json::json!("11/10")),
        ("taxes", serde_json::json!([vat(), vat()])),
        ("taxes", serde_json::json!([{ "name": "vat", "rate": "2/1" }])),
        ("taxes", serde_json::json!([{ "name": "V A T", "rate": "1/10" }])),
        ("extra", serde_json::json!(1)),
    ] {
        let mut json = json.clone();
        json[field] = value;
        assert!(serde_json::from_value::<Terms>(json).is_err(), "{field}");
    }
}

#[test]
fn a_price_book_that_is_silent_takes_nothing() {
    let book: PriceBook = serde_json::from_str(r#"{"currency":"EUR","version":"1"}"#).unwrap();
    assert_eq!(book, PriceBook::free(Currency::EUR));
    assert!(
        serde_json::from_str::<PriceBook>(r#"{"currency":"EUR","version":"1","cpu":"1/1"}"#)
            .is_err()
    );
    assert_eq!(serde_json::to_string(&book).unwrap(), r#"{"currency":"EUR","version":"1"}"#);
}

#[test]
fn prices_of_another_currency_or_below_zero_are_refused() {
    let usd = Some("1 USD".parse().unwrap());
    let ask = |price| charge(&terms(), price, Origin::Outside, &USED, Outcome::Ok);
    assert_eq!(ask(usd).unwrap_err().code(), Code::MoneyCurrency);
    assert_eq!(ask(eur("-1")).unwrap_err().code(), Code::OfferBad);
    assert!(ask(Some("0 USD".parse().unwrap())).is_ok());
    // A price that the outcome does not ask for is not looked at.
    assert!(charge(&terms(), usd, Origin::Outside, &USED, Outcome::Trapped).is_ok());
}

#[test]
fn absurd_usage_is_refused_not_wrapped() {
    let absurd = Usage { memory_peak: u64::MAX, wall_us: u64::MAX, ..Usage::default() };
    let said = charge(&terms(), None, Origin::Outside, &absurd, Outcome::Ok).unwrap_err();
    assert_eq!(said.code(), Code::MoneyOverflow);
    assert!(said.to_string().contains("memory"), "{said}");
    let rich = Some(Money { micros: i64::MAX, currency: Currency::EUR });
    let said = charge(&terms(), rich, Origin::Outside, &USED, Outcome::Ok).unwrap_err();
    assert_eq!(said.code(), Code::MoneyOverflow);
    assert!(Split::standard().divide(-1).is_err() && terms().tax(-1).is_err());
}

#[test]
fn a_guests_own_call_is_not_billed_twice_for_what_its_caller_absorbs() {
    let child = charge(&terms(), eur("0.1"), Origin::Guest, &USED, Outcome::Ok).unwrap();
    assert_eq!((child.resources, child.author), ([2, 0, 13, 0, 0], 100_000));
}

#[test]
fn what_the_platform_absorbs_has_no_tax() {
    let charged = charge(&terms(), eur("1"), Origin::Outside, &USED, Outcome::Ok).unwrap();
    let net = charged.net().unwrap();
    let absorbed = charged.absorbed().taxed(&terms()).unwrap();
    assert_eq!((absorbed.total().unwrap().micros, absorbed.bearer), (net, Bearer::Platform));
}

fn amounts() -> impl Strategy<Value = (u64, u64, u64, u64)> {
    (0..600_000u64, 0..(8u64 << 20), 0..(64u64 << 20), 0..10_000_000u64)
}

proptest! {
    #[test]
    fn nothing_within_its_limits_costs_more_than_the_worst_case(
        (cpu_us, http_sent, memory_peak, wall_us) in amounts(),
        outcome in prop::sample::select(EXAMPLES),
        price in 0..i64::from(u32::MAX),
        origin in prop::sample::select(&[Origin::Outside, Origin::Guest][..]),
    ) {
        let usage = Usage { cpu_us, http_sent, memory_peak, wall_us, ..Usage::default() };
        let limits = Limits { cpu: Millis(600), memory: Bytes::mib(64), ..Limits::DEFAULT };
        let price = Some(Money { micros: price, currency: Currency::EUR });
        let cost = charge(&terms(), price, origin, &usage, outcome).unwrap().total().unwrap();
        let worst = worst(&terms(), price, origin, &limits).unwrap();
        prop_assert!(cost.micros <= worst.micros, "{} > {}", cost, worst);
    }

    #[test]
    fn a_split_neither_makes_nor_loses_a_micro_unit(
        micros in 0..i64::MAX,
        num in 0u64..=1000,
        den in 1u64..=1000,
    ) {
        let split = Ratio::new(num, den).unwrap();
        match Split::new(split) {
            Err(_) => prop_assert!(num > den),
            Ok(split) => {
                let (author, platform) = split.divide(micros).unwrap();
                prop_assert_eq!(author.checked_add(platform), Some(micros));
                prop_assert!(author >= 0 && platform >= 0);
            }
        }
    }
}
