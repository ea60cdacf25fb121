//! Arithmetic of the ledger: checked, in micro-units of one currency, with refusals instead of wrapping.
//!
//! Rates, rounding and what a call costs are `soma_policy::price`, because hosts compute them too. Here is
//! what only a ledger needs: sums that refuse, and the division of a part over lines.

#[cfg(test)]
pub(crate) mod fixture;

use soma_policy::price::{PriceError, half_even};
use soma_policy::{Code, Currency, Money};

use crate::Refusal;

impl From<PriceError> for Refusal {
    fn from(error: PriceError) -> Self {
        Self::new(error.code(), "price", error.to_string())
    }
}

/// The sum of two amounts.
///
/// # Errors
/// [`Code::MoneyOverflow`].
pub fn add(a: i64, b: i64, what: &'static str) -> Result<i64, Refusal> {
    a.checked_add(b).ok_or_else(|| overflow(what))
}

/// The difference of two amounts.
///
/// # Errors
/// [`Code::MoneyOverflow`].
pub fn sub(a: i64, b: i64, what: &'static str) -> Result<i64, Refusal> {
    a.checked_sub(b).ok_or_else(|| overflow(what))
}

/// The sum of many amounts.
///
/// # Errors
/// [`Code::MoneyOverflow`].
pub fn sum(parts: impl IntoIterator<Item = i64>, what: &'static str) -> Result<i64, Refusal> {
    parts.into_iter().try_fold(0, |total, part| add(total, part, what))
}

/// An amount that a person or a document names: more than nothing.
///
/// # Errors
/// [`Code::AmountBad`].
pub fn positive(amount: Money, what: &'static str) -> Result<i64, Refusal> {
    let refuse = || Refusal::new(Code::AmountBad, what, format!("`{amount}` is not positive"));
    (amount.micros > 0).then_some(amount.micros).ok_or_else(refuse)
}

/// Refuses an amount of another currency.
///
/// # Errors
/// [`Code::MoneyCurrency`].
pub fn same(have: Currency, want: Currency, what: &'static str) -> Result<(), Refusal> {
    let refuse = || Refusal::new(Code::MoneyCurrency, what, format!("{have} is not {want}"));
    (have == want).then_some(()).ok_or_else(refuse)
}

pub(crate) fn overflow(what: &'static str) -> Refusal {
    Refusal::new(Code::MoneyOverflow, what, format!("{what}: beyond 64 bits of micro-units"))
}

/// Divides `part` over lines in proportion to them, none above its line: largest remainder, earlier lines
/// first among equals (Hamilton's method). The shares add up to `part` exactly.
///
/// # Errors
/// [`Code::RefundTooLarge`] when `part` is more than all lines together, [`Code::MoneyOverflow`] when a
/// line is negative or their sum is beyond 63 bits.
pub fn apportion(part: i64, lines: &[i64]) -> Result<Vec<i64>, Refusal> {
    let whole = sum(lines.iter().copied(), "apportion")?;
    if part < 0 || lines.iter().any(|line| *line < 0) {
        return Err(overflow("apportion"));
    }
    if part > whole {
        let reason = format!("{part} of {whole} micro-units");
        return Err(Refusal::new(Code::RefundTooLarge, "apportion", reason));
    }
    if whole == 0 {
        return Ok(vec![0; lines.len()]);
    }
    let exact = |line: &i64| i128::from(*line) * i128::from(part);
    let mut shares: Vec<i64> = Vec::with_capacity(lines.len());
    for line in lines {
        let floor = exact(line) / i128::from(whole);
        shares.push(i64::try_from(floor).map_err(|_| overflow("apportion"))?);
    }
    let given = sum(shares.iter().copied(), "apportion")?;
    let mut order: Vec<usize> = (0..lines.len()).collect();
    let rest_of = |at: &usize| lines.get(*at).map_or(0, |line| exact(line) % i128::from(whole));
    order.sort_by_key(|at| std::cmp::Reverse(rest_of(at)));
    // Fewer micro-units are left than lines have a remainder, so none goes to a line that is exact.
    let left = usize::try_from(part - given).unwrap_or(0);
    for at in order.into_iter().take(left) {
        if let Some(share) = shares.get_mut(at) {
            *share += 1;
        }
    }
    Ok(shares)
}

/// `spent` drawn out to the end of a window, half to even; none if no time has passed.
///
/// # Errors
/// [`Code::MoneyOverflow`].
pub fn forecast(spent: i64, elapsed_ms: u64, whole_ms: u64) -> Result<Option<i64>, Refusal> {
    let exact = u128::try_from(spent)
        .ok()
        .and_then(|spent| spent.checked_mul(u128::from(whole_ms)))
        .ok_or_else(|| overflow("forecast"))?;
    let drawn = half_even(exact, u128::from(elapsed_ms));
    drawn.map(|micros| i64::try_from(micros).map_err(|_| overflow("forecast"))).transpose()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn eur(micros: i64) -> Money {
        Money { micros, currency: Currency::EUR }
    }

    #[test]
    fn sums_refuse_and_never_wrap() {
        assert_eq!(add(i64::MAX, 1, "a sum").unwrap_err().code, Code::MoneyOverflow);
        assert_eq!(sub(i64::MIN, 1, "a difference").unwrap_err().code, Code::MoneyOverflow);
        assert_eq!(sum([1, 2, 3], "a sum").unwrap(), 6);
        assert_eq!(sum([i64::MAX, 1], "a sum").unwrap_err().code, Code::MoneyOverflow);
    }

    #[test]
    fn nothing_and_less_is_no_amount_to_move() {
        assert_eq!(positive(eur(1), "top up").unwrap(), 1);
        for bad in [0, -1] {
            assert_eq!(positive(eur(bad), "top up").unwrap_err().code, Code::AmountBad);
        }
        let usd = "USD".parse().unwrap();
        assert_eq!(same(usd, Currency::EUR, "add").unwrap_err().code, Code::MoneyCurrency);
        assert!(same(usd, usd, "add").is_ok());
    }

    #[test]
    fn a_part_goes_to_the_largest_remainders_first() {
        assert_eq!(apportion(10, &[70, 30]).unwrap(), [7, 3]);
        assert_eq!(apportion(1, &[1, 1, 1]).unwrap(), [1, 0, 0]);
        assert_eq!(apportion(5, &[3, 3, 3]).unwrap(), [2, 2, 1]);
        assert_eq!(apportion(0, &[0, 0]).unwrap(), [0, 0]);
        assert_eq!(apportion(0, &[]).unwrap(), [0; 0]);
        assert_eq!(apportion(2, &[1]).unwrap_err().code, Code::RefundTooLarge);
        assert_eq!(apportion(-1, &[1]).unwrap_err().code, Code::MoneyOverflow);
        assert_eq!(apportion(1, &[5, -1]).unwrap_err().code, Code::MoneyOverflow);
    }

    #[test]
    fn a_forecast_draws_spending_out_to_the_end() {
        assert_eq!(forecast(100, 6, 24).unwrap(), Some(400));
        assert_eq!(forecast(100, 0, 24).unwrap(), None);
        assert_eq!(forecast(-1, 1, 24).unwrap_err().code, Code::MoneyOverflow);
        assert_eq!(forecast(i64::MAX, 1, 24).unwrap_err().code, Code::MoneyOverflow);
    }

    proptest! {
        #[test]
        fn shares_add_up_and_stay_within_their_lines(
            lines in prop::collection::vec(0..1i64 << 40, 1..9),
            part in 0..1i64 << 44,
        ) {
            match apportion(part, &lines) {
                Err(refusal) => {
                    prop_assert_eq!(refusal.code, Code::RefundTooLarge);
                    prop_assert!(part > lines.iter().sum());
                }
                Ok(shares) => {
                    prop_assert_eq!(shares.iter().sum::<i64>(), part);
                    prop_assert!(shares.iter().zip(&lines).all(|(share, line)| (0..=*line).contains(share)));
                }
            }
        }
    }
}
