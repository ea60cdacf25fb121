//! How much: money, bytes, time and rates, as exact texts with their unit.
//!
//! No floats anywhere: money is whole micro-units, sizes and spans are whole bytes and milliseconds.

mod measure;
mod money;

pub use measure::{Bytes, Millis};
pub use money::{Currency, Money, Period, Rate};

use crate::id::shown;

/// Why a text is not an amount.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{value}` is not {kind}: {rule}")]
pub struct AmountError {
    /// What it should have been, with its article.
    pub kind: &'static str,
    /// The text, cut to a printable length.
    pub value: String,
    /// The rule that it breaks, or the spelling that was probably meant.
    pub rule: String,
}

impl AmountError {
    pub(crate) fn new(kind: &'static str, value: &str, rule: impl Into<String>) -> Self {
        Self { kind, value: shown(value), rule: rule.into() }
    }
}

/// A whole decimal number without sign, blanks or leading zeros.
pub(crate) fn whole(text: &str) -> Option<u64> {
    let canonical = !text.is_empty()
        && text.bytes().all(|b| b.is_ascii_digit())
        && (text.len() == 1 || !text.starts_with('0'));
    canonical.then(|| text.parse().ok()).flatten()
}
