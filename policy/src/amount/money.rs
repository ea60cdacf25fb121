//! Money: whole micro-units with a currency, and rates of it per period.

use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{AmountError, whole};
use crate::text::string_form;

const MICROS: u64 = 1_000_000;
const KIND: &str = "an amount of money such as 0.0005 EUR";

/// A currency by its three-letter code.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Currency([u8; 3]);

impl Currency {
    /// Euro.
    pub const EUR: Self = Self(*b"EUR");

    /// Its three letters.
    #[must_use]
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or_default()
    }
}

impl fmt::Display for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Currency {
    type Err = AmountError;
    fn from_str(text: &str) -> Result<Self, AmountError> {
        match <[u8; 3]>::try_from(text.as_bytes()) {
            Ok(code) if code.iter().all(u8::is_ascii_uppercase) => Ok(Self(code)),
            _ => Err(AmountError::new("a currency", text, "write its three capital letters")),
        }
    }
}

string_form!(Currency, "Currency", "a currency such as EUR");

/// An exact amount of money.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Money {
    /// Millionths of the currency's major unit.
    pub micros: i64,
    /// The currency.
    pub currency: Currency,
}

impl Money {
    /// Nothing, in this currency.
    #[must_use]
    pub const fn zero(currency: Currency) -> Self {
        Self { micros: 0, currency }
    }

    /// The sum, unless the currencies differ or it overflows.
    #[must_use]
    pub fn checked_add(self, other: Self) -> Option<Self> {
        let micros = self.micros.checked_add(other.micros)?;
        (self.currency == other.currency).then_some(Self { micros, ..self })
    }

    /// The difference, unless the currencies differ or it overflows.
    #[must_use]
    pub fn checked_sub(self, other: Self) -> Option<Self> {
        let micros = self.micros.checked_sub(other.micros)?;
        (self.currency == other.currency).then_some(Self { micros, ..self })
    }

    /// The number alone, as in `4.10 of 5.00 EUR`.
    #[must_use]
    pub fn number(&self) -> String {
        let magnitude = self.micros.unsigned_abs();
        let mut fraction = format!("{:06}", magnitude % MICROS);
        while fraction.len() > 2 && fraction.ends_with('0') {
            fraction.pop();
        }
        let sign = if self.micros < 0 { "-" } else { "" };
        format!("{sign}{}.{fraction}", magnitude / MICROS)
    }
}

impl fmt::Display for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.number(), self.currency)
    }
}

impl FromStr for Money {
    type Err = AmountError;
    fn from_str(text: &str) -> Result<Self, AmountError> {
        let fail = |rule: &str| AmountError::new(KIND, text, rule);
        let (number, currency) = text
            .split_once(' ')
            .ok_or_else(|| fail("write a decimal number, one blank and a currency"))?;
        let currency = currency.parse().map_err(|_| fail("end it with a currency such as EUR"))?;
        let (number, negative) = match number.strip_prefix('-') {
            Some(rest) => (rest, true),
            None => (number, false),
        };
        let (units, fraction) = number.split_once('.').unwrap_or((number, "0"));
        if fraction.is_empty() || !fraction.bytes().all(|b| b.is_ascii_digit()) {
            return Err(fail("write digits after the decimal point"));
        }
        if fraction.len() > 6 {
            return Err(fail("it has parts below a millionth"));
        }
        let micros =
            micros(units, fraction, negative).ok_or_else(|| fail("it is no number in range"))?;
        Ok(Self { micros, currency })
    }
}

fn micros(units: &str, fraction: &str, negative: bool) -> Option<i64> {
    let parts: u64 = format!("{fraction:0<6}").parse().ok()?;
    let magnitude = whole(units)?.checked_mul(MICROS)?.checked_add(parts)?;
    let signed = if negative { -i128::from(magnitude) } else { i128::from(magnitude) };
    i64::try_from(signed).ok()
}

string_form!(Money, "Money", "an amount of money such as 0.0005 EUR");

/// The window over which a rate holds: UTC days and months.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Period {
    /// A UTC day.
    Day,
    /// A UTC month.
    Month,
}

impl fmt::Display for Period {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Day => "day",
            Self::Month => "month",
        })
    }
}

/// An amount of money per period: `5.00 EUR/day`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Rate {
    /// How much.
    pub limit: Money,
    /// Per what.
    pub per: Period,
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.limit, self.per)
    }
}

impl FromStr for Rate {
    type Err = AmountError;
    fn from_str(text: &str) -> Result<Self, AmountError> {
        let fail = |rule: &str| AmountError::new("a rate such as 5.00 EUR/day", text, rule);
        let (limit, per) =
            text.split_once('/').ok_or_else(|| fail("end it with /day or /month"))?;
        let per = match per {
            "day" => Period::Day,
            "month" => Period::Month,
            _ => return Err(fail("end it with /day or /month")),
        };
        Ok(Self { limit: limit.parse()?, per })
    }
}

string_form!(Rate, "Rate", "a rate such as 5.00 EUR/day");

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn every_amount_round_trips(micros: i64) {
            let money = Money { micros, currency: Currency::EUR };
            prop_assert_eq!(money.to_string().parse(), Ok(money));
        }
    }

    #[test]
    fn at_least_two_decimals_are_shown() {
        for (text, shown) in
            [("5 EUR", "5.00 EUR"), ("0.0005 EUR", "0.0005 EUR"), ("1.100 USD", "1.10 USD")]
        {
            assert_eq!(text.parse::<Money>().unwrap().to_string(), shown);
        }
    }

    #[test]
    fn other_texts_are_refused() {
        for bad in [
            "",
            "5",
            "5EUR",
            "5 eur",
            "5 EURO",
            "1,5 EUR",
            "1. EUR",
            ".5 EUR",
            "0.0000001 EUR",
            "01 EUR",
            "+1 EUR",
            "1 EUR ",
            "9999999999999999 EUR",
            "1.x EUR",
        ] {
            assert!(bad.parse::<Money>().is_err(), "{bad}");
        }
    }

    #[test]
    fn currencies_do_not_mix() {
        let (eur, usd): (Money, Money) = ("1 EUR".parse().unwrap(), "1 USD".parse().unwrap());
        assert_eq!(eur.checked_add(usd), None);
        assert_eq!(eur.checked_sub(usd), None);
        assert_eq!(eur.checked_add(eur).unwrap().to_string(), "2.00 EUR");
        assert_eq!(eur.checked_sub(eur), Some(Money::zero(Currency::EUR)));
    }

    #[test]
    fn rates_name_their_period() {
        let rate: Rate = "5.00 EUR/day".parse().unwrap();
        assert_eq!(rate.to_string(), "5.00 EUR/day");
        assert_eq!("1 EUR/month".parse::<Rate>().unwrap().per, Period::Month);
        for bad in ["5.00 EUR", "5.00 EUR/week", "x/day"] {
            assert!(bad.parse::<Rate>().is_err(), "{bad}");
        }
    }
}
