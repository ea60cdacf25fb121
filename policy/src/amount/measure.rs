//! Sizes (`64 KiB`) and spans (`200 ms`): a whole number, one blank, a unit.

use std::fmt;
use std::str::FromStr;

use super::{AmountError, whole};
use crate::text::string_form;

const SIZES: [(&str, u64); 5] =
    [("TiB", 1 << 40), ("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10), ("B", 1)];
const SPANS: [(&str, u64); 4] = [("h", 3_600_000), ("min", 60_000), ("s", 1000), ("ms", 1)];

fn read(text: &str, units: &[(&str, u64)]) -> Result<u64, String> {
    let names = || units.iter().rev().map(|(unit, _)| *unit).collect::<Vec<_>>().join(", ");
    let form = || format!("write a whole number, one blank and one of {}", names());
    let (number, unit) =
        text.split_once(' ').ok_or_else(|| near(text, units).unwrap_or_else(form))?;
    let number = whole(number).ok_or_else(form)?;
    let Some((_, factor)) = units.iter().find(|(known, _)| *known == unit) else {
        return Err(near(text, units).unwrap_or_else(form));
    };
    number.checked_mul(*factor).ok_or_else(|| "it is too large".to_owned())
}

/// The right spelling of a slip such as `64KB` or `10 sec`.
fn near(text: &str, units: &[(&str, u64)]) -> Option<String> {
    let split = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at_checked(split)?;
    let number = whole(number)?;
    let unit = unit.trim().to_ascii_lowercase();
    let meant = match unit.as_str() {
        "" | "b" | "byte" | "bytes" => "B",
        "k" | "kb" | "kib" => "KiB",
        "m" | "mb" | "mib" => "MiB",
        "g" | "gb" | "gib" => "GiB",
        "t" | "tb" | "tib" => "TiB",
        "ms" | "msec" | "millis" => "ms",
        "s" | "sec" | "secs" | "seconds" => "s",
        "min" | "mins" | "minutes" => "min",
        "h" | "hr" | "hours" => "h",
        _ => return None,
    };
    let known = units.iter().any(|(name, _)| *name == meant);
    known.then(|| format!("did you mean \"{number} {meant}\"?"))
}

fn write(value: u64, units: &[(&str, u64)], f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let exact = |(_, factor): &&(&str, u64)| value != 0 && value.is_multiple_of(*factor);
    match units.iter().find(exact).or(units.last()) {
        Some((unit, factor)) => write!(f, "{} {unit}", value / factor),
        None => Err(fmt::Error),
    }
}

macro_rules! measure {
    ($(#[$doc:meta])* $name:ident, $kind:literal, $units:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
        pub struct $name(pub u64);

        impl FromStr for $name {
            type Err = AmountError;
            fn from_str(text: &str) -> Result<Self, AmountError> {
                read(text, &$units).map(Self).map_err(|rule| AmountError::new($kind, text, rule))
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write(self.0, &$units, f)
            }
        }

        string_form!($name, stringify!($name), $kind);
    };
}

measure!(
    /// A size in bytes: `512 B`, `64 KiB`, `2 MiB`.
    Bytes,
    "a size such as 64 KiB",
    SIZES
);

measure!(
    /// A span in milliseconds: `200 ms`, `8 s`, `5 min`.
    Millis,
    "a span such as 200 ms",
    SPANS
);

impl Bytes {
    /// So many KiB.
    #[must_use]
    pub const fn kib(count: u64) -> Self {
        Self(count << 10)
    }

    /// So many MiB.
    #[must_use]
    pub const fn mib(count: u64) -> Self {
        Self(count << 20)
    }
}

impl Millis {
    /// As a duration.
    #[must_use]
    pub const fn duration(self) -> std::time::Duration {
        std::time::Duration::from_millis(self.0)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn every_amount_round_trips(n: u64) {
            prop_assert_eq!(Bytes(n).to_string().parse(), Ok(Bytes(n)));
            prop_assert_eq!(Millis(n).to_string().parse(), Ok(Millis(n)));
        }
    }

    #[test]
    fn the_largest_exact_unit_is_shown() {
        assert_eq!(Bytes::kib(64).to_string(), "64 KiB");
        assert_eq!(Bytes::mib(2).to_string(), "2 MiB");
        assert_eq!(Bytes(1025).to_string(), "1025 B");
        assert_eq!(Bytes(0).to_string(), "0 B");
        assert_eq!(Millis(8000).to_string(), "8 s");
        assert_eq!(Millis(90_000).to_string(), "90 s");
        assert_eq!(Millis(8000).duration().as_secs(), 8);
    }

    #[test]
    fn slips_are_answered_with_the_right_spelling() {
        for (slip, meant) in
            [("64KB", "64 KiB"), ("64 kb", "64 KiB"), ("12", "12 B"), ("2 mb", "2 MiB")]
        {
            let said = slip.parse::<Bytes>().unwrap_err().to_string();
            assert!(said.contains(&format!("\"{meant}\"")), "{said}");
        }
        let said = "8sec".parse::<Millis>().unwrap_err().to_string();
        assert!(said.contains("\"8 s\""), "{said}");
    }

    #[test]
    fn other_texts_are_refused() {
        for bad in
            ["", " ", "x", "-1 B", "1.5 KiB", "01 B", "1  B", "1 B ", "99999999999 TiB", "1 s"]
        {
            assert!(bad.parse::<Bytes>().is_err(), "{bad}");
        }
    }
}
