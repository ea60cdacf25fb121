//! Instants as values: wall time for records, uptime for what must not follow a wall clock.
//!
//! Nothing here reads a clock; the host's one clock hands these in.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::IdError;
use crate::amount::Millis;
use crate::text::{decimal, string_form};

const DAY_MS: u64 = 86_400_000;

/// Milliseconds since 1970-01-01 UTC. Serialised as a decimal string, shown as RFC 3339.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
pub struct Timestamp(#[serde(with = "decimal")] pub u64);

impl Timestamp {
    /// The UTC day, counted from 1970-01-01: the window of budgets and leases.
    #[must_use]
    pub const fn day(self) -> u64 {
        self.0 / DAY_MS
    }

    /// The first instant of this one's next UTC day.
    #[must_use]
    pub const fn next_day(self) -> Self {
        Self((self.day() + 1).saturating_mul(DAY_MS))
    }

    /// This instant and so much more.
    #[must_use]
    pub const fn plus(self, span: Millis) -> Self {
        Self(self.0.saturating_add(span.0))
    }

    /// How long after `earlier`; zero when it is not.
    #[must_use]
    pub const fn since(self, earlier: Self) -> Millis {
        Millis(self.0.saturating_sub(earlier.0))
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (year, month, day) = civil(self.day());
        let ms = self.0 % DAY_MS;
        let (h, m, s) = (ms / 3_600_000, ms / 60_000 % 60, ms / 1000 % 60);
        write!(f, "{year:04}-{month:02}-{day:02}T{h:02}:{m:02}:{s:02}.{:03}Z", ms % 1000)
    }
}

impl schemars::JsonSchema for Timestamp {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Timestamp".into()
    }
    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "type": "string", "description": "milliseconds since 1970-01-01 UTC" })
    }
}

/// Year, month and day of a day number, by the proleptic Gregorian calendar.
fn civil(days: u64) -> (u64, u64, u64) {
    // Counted from 0000-03-01, so that the leap day is the last of its year.
    let shifted = days + 719_468;
    let (era, of_era) = (shifted / 146_097, shifted % 146_097);
    let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    (year_of_era + era * 400 + u64::from(month <= 2), month, day)
}

/// Milliseconds that a host has been up, over all its boots, by a monotonic clock and journalled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Uptime(pub u64);

impl Uptime {
    /// How long after `earlier`; zero when it is not.
    #[must_use]
    pub const fn since(self, earlier: Self) -> Millis {
        Millis(self.0.saturating_sub(earlier.0))
    }
}

impl fmt::Display for Uptime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

impl FromStr for Uptime {
    type Err = IdError;
    fn from_str(text: &str) -> Result<Self, IdError> {
        text.parse().map(Self).map_err(|_| IdError::new("an uptime", text, "it is milliseconds"))
    }
}

string_form!(Uptime, "Uptime", "milliseconds of uptime");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instants_print_as_rfc_3339() {
        for (ms, text) in [
            (0, "1970-01-01T00:00:00.000Z"),
            (951_782_400_000, "2000-02-29T00:00:00.000Z"),
            (1_709_164_799_999, "2024-02-28T23:59:59.999Z"),
            (4_107_542_400_000, "2100-03-01T00:00:00.000Z"),
        ] {
            assert_eq!(Timestamp(ms).to_string(), text);
        }
    }

    #[test]
    fn a_day_is_the_utc_window() {
        assert_eq!(Timestamp(DAY_MS - 1).day(), 0);
        assert_eq!(Timestamp(DAY_MS).day(), 1);
        assert_eq!(Timestamp(5).next_day(), Timestamp(DAY_MS));
        assert_eq!(Timestamp(5).plus(Millis(7)).since(Timestamp(2)), Millis(10));
        assert_eq!(Timestamp(1).since(Timestamp(2)), Millis(0));
    }

    #[test]
    fn serde_is_a_canonical_decimal_string() {
        assert_eq!(serde_json::to_string(&Timestamp(17)).unwrap(), "\"17\"");
        assert_eq!(serde_json::from_str::<Timestamp>("\"17\"").unwrap(), Timestamp(17));
        for bad in ["17", "\"017\"", "\"+1\"", "\"-1\"", "\"1.0\"", "\"99999999999999999999\""] {
            assert!(serde_json::from_str::<Timestamp>(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn uptime_is_read_and_compared() {
        assert_eq!("12".parse(), Ok(Uptime(12)));
        assert!("x".parse::<Uptime>().is_err());
        assert_eq!(Uptime(5).since(Uptime(2)), Millis(3));
    }
}
