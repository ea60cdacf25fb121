//! The UTC day or month that a budget, a lease or a statement belongs to. The server stamps it.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use soma_policy::{Period, Timestamp};

const DAY_MS: u64 = 86_400_000;

/// A UTC day (`2026-11-21`) or month (`2026-11`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Window {
    /// Day number of its first day, from 1970-01-01.
    first: u64,
    /// Day number of the first day after it.
    next: u64,
}

/// Why a text is no window.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a UTC day such as 2026-11-21 or month such as 2026-11")]
pub struct WindowError(String);

impl Window {
    /// The UTC day of an instant.
    #[must_use]
    pub const fn day(at: Timestamp) -> Self {
        Self { first: at.day(), next: at.day() + 1 }
    }

    /// The UTC month of an instant.
    #[must_use]
    pub fn month(at: Timestamp) -> Self {
        let first = month_start(at.day());
        // No month has more than 31 days, and none fewer than 28.
        Self { first, next: month_start(first + 31) }
    }

    /// The window of an instant.
    #[must_use]
    pub fn of(per: Period, at: Timestamp) -> Self {
        match per {
            Period::Day => Self::day(at),
            Period::Month => Self::month(at),
        }
    }

    /// Its length as a period.
    #[must_use]
    pub const fn per(self) -> Period {
        if self.next - self.first == 1 { Period::Day } else { Period::Month }
    }

    /// Its first instant.
    #[must_use]
    pub const fn start(self) -> Timestamp {
        Timestamp(self.first.saturating_mul(DAY_MS))
    }

    /// The first instant after it.
    #[must_use]
    pub const fn end(self) -> Timestamp {
        Timestamp(self.next.saturating_mul(DAY_MS))
    }

    /// Whether an instant is in it.
    #[must_use]
    pub const fn holds(self, at: Timestamp) -> bool {
        self.first <= at.day() && at.day() < self.next
    }

    /// Whether the other window is in it.
    #[must_use]
    pub const fn covers(self, inner: Self) -> bool {
        self.first <= inner.first && inner.next <= self.next
    }
}

fn date(day: u64) -> String {
    let text = Timestamp(day.saturating_mul(DAY_MS)).to_string();
    text.split_once('T').map_or_else(String::new, |(date, _)| date.to_owned())
}

fn month_start(day: u64) -> u64 {
    let date = date(day);
    let of_month = date.rsplit_once('-').and_then(|(_, day)| day.parse().ok()).unwrap_or(1u64);
    day.saturating_sub(of_month.saturating_sub(1))
}

/// The day number of a date, by the proleptic Gregorian calendar; for years from 1970.
fn day_number(year: u64, month: u64, day: u64) -> Option<u64> {
    if !(1970..=9999).contains(&year) || !(1..=12).contains(&month) || !(1..=31).contains(&day) {
        return None;
    }
    // Counted in years that begin in March, so that the leap day is the last of its year.
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let of_year = (153 * month + 2) / 5 + day - 1;
    let days = year * 365 + year / 4 - year / 100 + year / 400 + of_year;
    days.checked_sub(719_468)
}

impl fmt::Display for Window {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let date = date(self.first);
        match (self.per(), date.rsplit_once('-')) {
            (Period::Month, Some((month, _))) => f.write_str(month),
            _ => f.write_str(&date),
        }
    }
}

impl FromStr for Window {
    type Err = WindowError;
    fn from_str(text: &str) -> Result<Self, WindowError> {
        let mut parts = text.split('-').map(|part| part.parse::<u64>().ok());
        let read = (parts.next(), parts.next(), parts.next(), parts.next());
        let window = match read {
            (Some(Some(year)), Some(Some(month)), None, None) => day_number(year, month, 1)
                .map(|day| Self::month(Timestamp(day.saturating_mul(DAY_MS)))),
            (Some(Some(year)), Some(Some(month)), Some(Some(day)), None) => {
                day_number(year, month, day).map(|first| Self { first, next: first + 1 })
            }
            _ => None,
        };
        // Whatever is not written as it is shown is another window, or none.
        let refuse = || WindowError(text.chars().filter(|c| !c.is_control()).take(40).collect());
        window.filter(|window| window.to_string() == text).ok_or_else(refuse)
    }
}

impl TryFrom<String> for Window {
    type Error = WindowError;
    fn try_from(text: String) -> Result<Self, WindowError> {
        text.parse()
    }
}

impl From<Window> for String {
    fn from(window: Window) -> Self {
        window.to_string()
    }
}
