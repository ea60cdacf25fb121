use soma_policy::Currency;

use super::*;
use crate::money::fixture::{DAY, NOON, eur, org};

fn earned(micros: i64) -> Earning {
    let day = Earning::open(org("acme"), Currency::EUR, NOON);
    day.apply(EarningCommand::Earn(eur(micros)), NOON).unwrap().0
}

#[test]
fn earnings_become_available_when_their_time_has_passed() {
    let earning = earned(700).apply(EarningCommand::Reverse(eur(200)), NOON).unwrap().0;
    let due = earning.window.end().plus(DAY);
    let early = earning.apply(EarningCommand::Mature(DAY), Timestamp(due.0 - 1)).unwrap_err();
    assert_eq!((early.code, early.legal.len()), (Code::EarningMove, 3));
    assert!(early.reason.contains("2026-11-23T00:00:00"), "{early}");
    let (mature, posting) = earning.apply(EarningCommand::Mature(DAY), due).unwrap();
    let posting = posting.unwrap();
    assert_eq!(posting.effect_on(&Account::Available(org("acme"))), 500);
    assert_eq!(posting.effect_on(&Account::Pending(org("acme"))), -500);
    let again = mature.apply(EarningCommand::Mature(DAY), due).unwrap_err();
    assert_eq!((again.code, &*again.legal), (Code::EarningMove, &["reverse"][..]));
}

#[test]
fn a_day_that_earned_nothing_matures_without_a_row() {
    let day = Earning::open(org("acme"), Currency::EUR, NOON);
    let (_, posting) = day.apply(EarningCommand::Mature(DAY), NOON.plus(DAY).plus(DAY)).unwrap();
    assert_eq!(posting, None);
}

#[test]
fn a_day_that_is_over_earns_nothing_more() {
    let over = earned(1).apply(EarningCommand::Earn(eur(1)), NOON.plus(DAY)).unwrap_err();
    assert_eq!(over.code, Code::EarningMove);
    let bad = |money| earned(1).apply(EarningCommand::Earn(money), NOON).unwrap_err().code;
    assert_eq!(bad(eur(-1)), Code::AmountBad);
    assert_eq!(bad("1 USD".parse().unwrap()), Code::MoneyCurrency);
    assert_eq!(bad(eur(i64::MAX)), Code::MoneyOverflow);
}

#[test]
fn no_more_is_taken_back_than_was_earned_before_and_after_maturity() {
    let (mature, _) =
        earned(100).apply(EarningCommand::Mature(DAY), NOON.plus(DAY).plus(DAY)).unwrap();
    for earning in [earned(100), mature] {
        let reversed = earning.apply(EarningCommand::Reverse(eur(60)), NOON).unwrap().0;
        assert_eq!(reversed.left(), eur(40));
        let more = reversed.apply(EarningCommand::Reverse(eur(41)), NOON).unwrap_err();
        assert_eq!(more.code, Code::RefundTooLarge);
        assert_eq!(
            reversed.apply(EarningCommand::Reverse(eur(0)), NOON).unwrap_err().code,
            Code::AmountBad
        );
    }
    let usd = EarningCommand::Reverse("1 USD".parse().unwrap());
    assert_eq!(earned(1).apply(usd, NOON).unwrap_err().code, Code::MoneyCurrency);
}
