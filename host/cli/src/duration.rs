//! Durations as people type them: `200ms`, `5s`, `10m`, `1h`, `2d`.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

/// A duration from the command line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Span(Duration);

impl From<Span> for Duration {
    fn from(span: Span) -> Self {
        span.0
    }
}

impl FromStr for Span {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let refused =
            || "write a whole number with a unit, such as 200ms, 5s, 10m, 1h or 2d".to_owned();
        let text = text.trim();
        let at = text.find(|c: char| !c.is_ascii_digit()).ok_or_else(refused)?;
        let (number, unit) = text.split_at(at);
        let number: u64 = number.parse().map_err(|_| refused())?;
        let factor = match unit.trim_start() {
            "ms" => 1,
            "s" => 1000,
            "m" | "min" => 60_000,
            "h" => 3_600_000,
            "d" => 86_400_000,
            _ => return Err(refused()),
        };
        number.checked_mul(factor).map(|ms| Self(Duration::from_millis(ms))).ok_or_else(refused)
    }
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ms", self.0.as_millis())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_are_understood_and_others_refused() {
        for (text, ms) in [
            ("200ms", 200),
            ("5s", 5000),
            ("10m", 600_000),
            ("1h", 3_600_000),
            ("2 d", 172_800_000),
        ] {
            assert_eq!(Duration::from(text.parse::<Span>().unwrap()).as_millis(), ms, "{text}");
        }
        for bad in [
            "",
            "5",
            "s",
            "-1s",
            "1.5h",
            "5 weeks",
            "99999999999999999999d",
            "18446744073709551615h",
        ] {
            assert!(bad.parse::<Span>().is_err(), "{bad}");
        }
    }
}
