use proptest::prelude::*;
use soma_policy::{Code, Currency, Money, Period, Timestamp};

use super::*;
use crate::money::fixture::{DAY, NOON, budget, eur, key, own_budget};

const SHOP: &str = "shop/production/csv";

fn levels(own: i64, environment: i64, org: i64) -> Vec<Budget> {
    let key = key(SHOP);
    vec![
        budget(Scope::Org(key.org.clone()), org),
        budget(Scope::Environment(key.org.clone(), key.environment.clone()), environment),
        own_budget(SHOP, own),
    ]
}

#[test]
fn a_window_is_a_utc_day_or_month() {
    let (day, month) = (Window::day(NOON), Window::of(Period::Month, NOON));
    assert_eq!((day.to_string(), month.to_string()), ("2026-11-21".into(), "2026-11".into()));
    assert_eq!((day.per(), month.per()), (Period::Day, Period::Month));
    assert!(day.holds(NOON) && !day.holds(day.end()) && day.holds(day.start()));
    assert!(month.covers(day) && !day.covers(month) && Window::of(Period::Day, NOON) == day);
    for text in ["2026-11", "2024-02-29", "1970-01-01", "2100-02", "1970-01", "9999-12"] {
        let window: Window = text.parse().unwrap();
        assert_eq!(window.to_string(), text);
        let json = serde_json::to_string(&window).unwrap();
        assert_eq!(serde_json::from_str::<Window>(&json).unwrap(), window);
    }
    for bad in [
        "",
        "2026",
        "2026-13",
        "2026-02-30",
        "2023-02-29",
        "1969-12",
        "2026-1",
        "2026-11-21-1",
        "x-y",
    ] {
        assert!(bad.parse::<Window>().is_err(), "{bad}");
    }
}

#[test]
fn what_is_taken_at_one_level_is_taken_at_all() {
    let levels = levels(100, 80, 1_000);
    let taken = take(&levels, &key(SHOP), &Amounts::of(eur(80)), NOON).unwrap();
    assert!(taken.iter().all(|budget| budget.committed == 80));
    let refused = take(&taken, &key(SHOP), &Amounts::of(eur(1)), NOON).unwrap_err();
    assert_eq!(refused.code, Code::BudgetCap);
    assert!(refused.reason.contains("shop/production` in 2026-11-21"), "{refused}");
    let back = give_back(&taken, &Amounts::of(eur(30)), NOON.plus(DAY)).unwrap();
    assert!(back.iter().all(|budget| budget.committed == 50 && budget.left() == budget.cap - 50));
    let more = give_back(&back, &Amounts::of(eur(51)), NOON).unwrap_err();
    assert_eq!(more.code, Code::LedgerDiffers);
}

#[test]
fn without_a_budget_of_its_own_an_installation_spends_nothing() {
    let upper = &levels(100, 100, 100)[..2];
    let refused = take(upper, &key(SHOP), &Amounts::of(eur(1)), NOON).unwrap_err();
    assert_eq!(refused.code, Code::BudgetCap);
    let bytes = Amounts { bytes: 1, ..Amounts::none(Currency::EUR) };
    assert_eq!(take(&levels(9, 9, 9), &key(SHOP), &bytes, NOON).unwrap_err().code, Code::BudgetCap);
    assert!(take(&[], &key(SHOP), &Amounts::none(Currency::EUR), NOON).unwrap().is_empty());
    let usd = Amounts::of(Money { micros: 1, currency: "USD".parse().unwrap() });
    assert_eq!(take(&levels(9, 9, 9), &key(SHOP), &usd, NOON).unwrap_err().code, Code::BudgetCap);
}

#[test]
fn anothers_budget_is_not_taken_from() {
    let foreign = [own_budget("cafe/production/csv", 100)];
    let refused = take(&foreign, &key(SHOP), &Amounts::of(eur(1)), NOON).unwrap_err();
    assert_eq!(refused.code, Code::BudgetBad);
    let shop = key(SHOP);
    assert!(!Scope::Environment(shop.org.clone(), "staging".parse().unwrap()).covers(&shop));
    assert!(Scope::Org(shop.org.clone()).covers(&shop));
}

#[test]
fn a_budget_holds_in_its_own_window_only() {
    let budget = own_budget(SHOP, 100);
    let late = budget.apply(BudgetCommand::Take(1), NOON.plus(DAY)).unwrap_err();
    assert_eq!(late.code, Code::BudgetWindow);
    let month = Budget { window: Window::month(NOON), ..budget };
    assert!(month.apply(BudgetCommand::Take(100), NOON.plus(DAY)).is_ok());
}

#[test]
fn a_lower_cap_takes_nothing_back_and_gives_nothing_more() {
    let taken = own_budget(SHOP, 100).apply(BudgetCommand::Take(60), NOON).unwrap();
    let lower = taken.apply(BudgetCommand::Recap(50), NOON).unwrap();
    assert_eq!((lower.committed, lower.left()), (60, 0));
    assert_eq!(lower.apply(BudgetCommand::Take(1), NOON).unwrap_err().code, Code::BudgetCap);
    assert!(lower.apply(BudgetCommand::Take(0), NOON).is_err());
    assert!(
        lower
            .apply(BudgetCommand::GiveBack(20), NOON)
            .unwrap()
            .apply(BudgetCommand::Take(10), NOON)
            .is_ok()
    );
    for command in [BudgetCommand::Take(-1), BudgetCommand::GiveBack(-1), BudgetCommand::Recap(-1)]
    {
        assert_eq!(taken.apply(command, NOON).unwrap_err().code, Code::AmountBad);
    }
    let huge = Budget { cap: i64::MAX, committed: i64::MAX, ..taken };
    assert_eq!(huge.apply(BudgetCommand::Take(1), NOON).unwrap_err().code, Code::MoneyOverflow);
}

#[test]
fn people_are_told_before_a_budget_is_used_up() {
    let scope = Scope::Installation(key(SHOP));
    let measure = Measure::Money(Currency::EUR);
    let open = |cap, soft| Budget::open(scope.clone(), measure, cap, soft, Window::day(NOON));
    let budget = open(100, Some(80)).unwrap();
    assert!(!budget.apply(BudgetCommand::Take(79), NOON).unwrap().is_soft());
    let near = budget.apply(BudgetCommand::Take(80), NOON).unwrap();
    assert!(near.is_soft());
    // At noon half of the day is over.
    assert_eq!(near.forecast(NOON).unwrap(), Some(160));
    assert_eq!(near.forecast(near.window.start()).unwrap(), None);
    assert_eq!(near.forecast(Timestamp(u64::MAX)).unwrap(), Some(80));
    assert_eq!(open(100, Some(101)).unwrap_err().code, Code::BudgetBad);
    assert_eq!(open(-1, None).unwrap_err().code, Code::AmountBad);
}

#[test]
fn amounts_are_compared_measure_by_measure() {
    let some = Amounts { bytes: 5, storage: 1, tokens: 3, ..Amounts::of(eur(10)) };
    let less = Amounts { bytes: 6, ..Amounts::none(Currency::EUR) };
    assert!(
        !some.covers(&less) && some.covers(&Amounts::none(Currency::EUR)) && some.covers(&some)
    );
    assert!(!some.less(&less).unwrap().is_sound() && some.plus(&less).unwrap().bytes == 11);
    assert!(!some.is_none() && Amounts::none(Currency::EUR).is_none());
    let usd = Amounts::none("USD".parse().unwrap());
    assert!(!some.covers(&usd));
    assert_eq!(some.plus(&usd).unwrap_err().code, Code::MoneyCurrency);
    let names: Vec<String> = some.each().iter().map(|(measure, _)| measure.to_string()).collect();
    assert_eq!(names, ["money:EUR", "bytes", "tokens", "storage"]);
    assert_eq!(
        (Measure::Tokens.show(3), Measure::Bytes.show(1024)),
        ("3 tokens".into(), "1 KiB".into())
    );
}

#[test]
fn a_call_that_could_overspend_is_denied_and_told_what_is_reserved() {
    let mut purse = Purse::new("5.00 EUR".parse().unwrap());
    for _ in 0..41 {
        purse = purse.reserve(eur(100_000), &key(SHOP)).unwrap();
    }
    purse = purse.settle(100_000, 60_000).unwrap();
    let denial = purse.reserve(eur(1_000_000), &key(SHOP)).unwrap_err();
    assert_eq!(
        denial.reason,
        "0.06 spent and 4.00 of 5.00 EUR reserved by 40 running calls, and this one may cost 1.00"
    );
    assert!(denial.remedy.contains("raise budget.limit in installations/shop/production/csv.toml"));
    assert_eq!(denial.code, Code::BudgetExhausted);
    let usd = purse.reserve("1 USD".parse().unwrap(), &key(SHOP)).unwrap_err();
    assert_eq!(usd.code, Code::BudgetCurrency);
    let fresh = Purse::new(eur(5)).reserve(eur(6), &key(SHOP)).unwrap_err();
    assert!(fresh.reason.starts_with("0.00 of 0.000005 EUR reserved by 0"), "{}", fresh.reason);
}

#[test]
fn what_was_not_reserved_is_not_settled() {
    let purse = Purse::new(eur(100)).reserve(eur(40), &key(SHOP)).unwrap();
    for (worst, cost) in [(41, 1), (40, 41), (40, -1), (-1, -1)] {
        assert_eq!(purse.settle(worst, cost).unwrap_err().code, Code::ReservationMissing);
    }
    let done = purse.settle(40, 10).unwrap();
    assert_eq!(done.settle(0, 0).unwrap_err().code, Code::ReservationMissing);
}

proptest! {
    #[test]
    fn windows_read_back_and_hold_their_own_days(ms in 0u64..200_000_000_000_000) {
        let at = Timestamp(ms);
        for window in [Window::day(at), Window::month(at)] {
            prop_assert_eq!(window.to_string().parse::<Window>().unwrap(), window);
            prop_assert!(window.holds(at) && window.holds(window.start()));
            prop_assert!(!window.holds(window.end()));
            prop_assert_eq!(window.end().day() - window.start().day() == 1, window.per() == Period::Day);
        }
    }

    #[test]
    fn no_order_of_reservations_overspends_a_purse(
        limit in 0i64..1_000,
        steps in prop::collection::vec((any::<bool>(), 0i64..400, 0i64..=100), 1..200),
    ) {
        let mut purse = Purse::new(eur(limit));
        let mut running: Vec<i64> = Vec::new();
        for (start, worst, percent) in steps {
            if start {
                if let Ok(next) = purse.reserve(eur(worst), &key(SHOP)) {
                    running.push(worst);
                    purse = next;
                } else {
                    prop_assert!(purse.spent + purse.reserved + worst > limit);
                }
            } else if let Some(worst) = running.pop() {
                purse = purse.settle(worst, worst * percent / 100).unwrap();
            }
            prop_assert!(purse.spent + purse.reserved <= limit);
            prop_assert_eq!(purse.reserved, running.iter().sum::<i64>());
            prop_assert_eq!(purse.running as usize, running.len());
        }
    }
}
