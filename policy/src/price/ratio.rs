//! Exact fractions, and the one rounding of the whole ledger.
//!
//! Half to even (IEEE 754-2019 §4.3.1 `roundTiesToEven`): over many small lines it favours nobody, and it
//! never falls when its argument rises, so that the price of a worst case bounds the price of every case.

use std::fmt;
use std::num::NonZeroU64;
use std::str::FromStr;

use super::PriceError;
use crate::amount::{AmountError, whole};
use crate::text::string_form;

const KIND: &str = "a fraction such as 7/10";

/// A fraction that is not negative: `7/10`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Ratio {
    num: u64,
    den: NonZeroU64,
}

impl Ratio {
    /// Nothing.
    pub const ZERO: Self = Self { num: 0, den: NonZeroU64::MIN };

    /// `num / den`; none if `den` is zero.
    #[must_use]
    pub const fn new(num: u64, den: u64) -> Option<Self> {
        match NonZeroU64::new(den) {
            Some(den) => Some(Self { num, den }),
            None => None,
        }
    }

    /// Whether it is nothing.
    #[must_use]
    pub const fn is_zero(self) -> bool {
        self.num == 0
    }

    /// Whether it is at most the whole.
    #[must_use]
    pub const fn is_part(self) -> bool {
        self.num <= self.den.get()
    }

    /// `quantity / unit × self`, rounded once, half to even. `what` names the line if it overflows.
    ///
    /// # Errors
    /// [`PriceError::Overflow`] beyond 63 bits.
    pub fn of(self, quantity: u128, unit: u64, what: &'static str) -> Result<i64, PriceError> {
        let exact = quantity.checked_mul(u128::from(self.num));
        // INVARIANT: two 64-bit factors never overflow 128 bits.
        let parts = u128::from(self.den.get()) * u128::from(unit);
        let rounded = exact.and_then(|exact| half_even(exact, parts));
        rounded.and_then(|amount| i64::try_from(amount).ok()).ok_or(PriceError::Overflow(what))
    }
}

/// `num / den` rounded to a whole, half to even; none if `den` is zero.
#[must_use]
pub const fn half_even(num: u128, den: u128) -> Option<u128> {
    if den == 0 {
        return None;
    }
    let (quotient, rest) = (num / den, num % den);
    // `rest < den`, so the other side of the comparison cannot underflow as twice the rest could overflow.
    let other = den - rest;
    let up = rest > other || (rest == other && quotient % 2 == 1);
    Some(if up { quotient + 1 } else { quotient })
}

impl fmt::Display for Ratio {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.num, self.den)
    }
}

impl FromStr for Ratio {
    type Err = AmountError;
    fn from_str(text: &str) -> Result<Self, AmountError> {
        let fail = |rule: &str| AmountError::new(KIND, text, rule);
        let (num, den) = text.split_once('/').ok_or_else(|| fail("write two numbers and a /"))?;
        let read = |part: &str| whole(part).ok_or_else(|| fail("both of its parts are whole"));
        Self::new(read(num)?, read(den)?).ok_or_else(|| fail("its lower part is not zero"))
    }
}

string_form!(Ratio, "Ratio", "a fraction such as 7/10");

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn ties_go_to_the_even_neighbour() {
        for (num, den, whole) in
            [(0, 7, 0), (1, 2, 0), (3, 2, 2), (5, 2, 2), (7, 2, 4), (2, 3, 1), (1, 3, 0), (9, 3, 3)]
        {
            assert_eq!(half_even(num, den), Some(whole), "{num}/{den}");
        }
        assert_eq!(half_even(u128::MAX, u128::MAX), Some(1));
        assert_eq!(half_even(1, 0), None);
    }

    #[test]
    fn other_texts_are_no_fractions() {
        for bad in ["", "7", "7/0", "-1/2", "1/2/3", "1.5/2", "01/2", "1/ 2", "a/b"] {
            assert!(bad.parse::<Ratio>().is_err(), "{bad}");
        }
        assert!(Ratio::new(1, 0).is_none());
    }

    proptest! {
        #[test]
        fn rounding_is_within_a_half_and_never_falls(num: u64, den in 1..u64::MAX, more: u32) {
            let (num, den) = (u128::from(num), u128::from(den));
            let rounded = half_even(num, den).unwrap();
            prop_assert!((rounded * den).abs_diff(num) * 2 <= den);
            prop_assert!(half_even(num + u128::from(more), den).unwrap() >= rounded);
        }

        #[test]
        fn fractions_round_trip(num: u64, den in 1..u64::MAX) {
            let ratio = Ratio::new(num, den).unwrap();
            prop_assert_eq!(ratio.to_string().parse(), Ok(ratio));
        }

        #[test]
        fn what_does_not_fit_is_refused_and_never_wrapped(quantity: u128, num: u64, den in 1..u64::MAX) {
            let ratio = Ratio::new(num, den).unwrap();
            if let Ok(amount) = ratio.of(quantity, 1, "a test") {
                let exact = quantity.checked_mul(u128::from(num)).unwrap();
                let back = u128::from(amount.unsigned_abs()) * u128::from(den);
                prop_assert!(back.abs_diff(exact) <= u128::from(den));
            }
        }
    }
}
