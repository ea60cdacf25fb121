use super::*;
use crate::money::fixture::{NOON, eur, org};

fn words(text: &str) -> Words {
    text.parse().unwrap()
}

fn commands() -> [PayoutCommand; 4] {
    [
        PayoutCommand::Approve,
        PayoutCommand::Export(words("file 7")),
        PayoutCommand::Settle(words("bank 9")),
        PayoutCommand::Fail(words("account closed")),
    ]
}

fn request(micros: i64, available: i64) -> Result<(Payout, Posting), Refusal> {
    Payout::request(PayoutId::from_u128(1), org("acme"), eur(micros), eur(available), NOON)
}

#[test]
fn a_payout_goes_from_request_to_the_providers_word() {
    let (payout, hold) = request(500, 700).unwrap();
    assert_eq!(hold.effect_on(&Account::Held(org("acme"))), 500);
    let [approve, export, settle, _] = commands();
    let (payout, none) = payout.apply(approve, NOON).unwrap();
    assert_eq!((payout.state, none), (PayoutState::Approved, None));
    let (payout, _) = payout.apply(export, NOON).unwrap();
    assert_eq!(payout.note.as_ref().unwrap().as_str(), "file 7");
    let (payout, paid) = payout.apply(settle, NOON).unwrap();
    let paid = paid.unwrap();
    assert_eq!(paid.effect_on(&Account::Paid(org("acme"))), 500);
    assert_eq!(paid.effect_on(&Account::Held(org("acme"))), -500);
    assert_eq!(payout.state, PayoutState::Settled);
}

#[test]
fn what_failed_is_available_again() {
    let (payout, _) = request(500, 500).unwrap();
    let [.., fail] = commands();
    let (failed, posting) = payout.apply(fail, NOON).unwrap();
    assert_eq!(posting.unwrap().effect_on(&Account::Available(org("acme"))), 500);
    assert_eq!(failed.state, PayoutState::Failed);
}

#[test]
fn no_more_is_requested_than_is_available() {
    assert_eq!(request(501, 500).unwrap_err().code, Code::PayoutTooLarge);
    assert_eq!(request(1, -500).unwrap_err().code, Code::PayoutTooLarge);
    assert_eq!(request(0, 500).unwrap_err().code, Code::AmountBad);
    let usd = "5 USD".parse().unwrap();
    let other = Payout::request(PayoutId::from_u128(1), org("acme"), usd, eur(9_000_000), NOON);
    assert_eq!(other.unwrap_err().code, Code::MoneyCurrency);
}

#[test]
fn every_illegal_move_names_the_legal_ones() {
    for state in PayoutState::ALL {
        let payout = Payout { state: *state, ..request(5, 5).unwrap().0 };
        for command in commands() {
            let (tried, result) = (command.as_str(), payout.apply(command, NOON));
            assert_eq!(result.is_ok(), state.legal().contains(&tried), "{state} {tried}");
            if let Err(refusal) = result {
                assert_eq!((refusal.code, &*refusal.legal), (Code::PayoutMove, state.legal()));
            }
        }
    }
}
