//! The price book: what the platform takes for resources. One versioned document per currency.
//!
//! Rates are micro-units per unit, as fractions. A rate that is left out is zero.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{PriceError, Ratio};
use crate::amount::Currency;
use crate::receipt::Usage;
use crate::text::decimal;

/// A kind of resource that has a rate, and so a line in a charge.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum Item {
    /// One call.
    Call,
    /// CPU-seconds: thread CPU time with charged blocking work.
    Cpu,
    /// MiB-seconds: the most memory at one time × time from start to end.
    Memory,
    /// MiB sent by outbound HTTP.
    Outbound,
    /// Model tokens.
    Tokens,
}

impl Item {
    /// All of them, in the order of a charge's lines.
    pub const ALL: [Self; 5] = [Self::Call, Self::Cpu, Self::Memory, Self::Outbound, Self::Tokens];

    /// Its name, as documents and columns spell it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Call => "call",
            Self::Cpu => "cpu",
            Self::Memory => "memory",
            Self::Outbound => "outbound",
            Self::Tokens => "tokens",
        }
    }

    /// How much of it a call used, in the item's small unit.
    pub(super) fn quantity(self, usage: &Usage) -> u128 {
        match self {
            Self::Call => 1,
            Self::Cpu => u128::from(usage.cpu_us),
            // INVARIANT: two 64-bit factors never overflow 128 bits.
            Self::Memory => u128::from(usage.memory_peak) * u128::from(usage.wall_us),
            Self::Outbound => u128::from(usage.http_sent),
            // Version 1 of the receipt counts no tokens; the line is there when receipts do.
            Self::Tokens => 0,
        }
    }

    /// How many of the small unit make one that has a rate.
    pub(super) const fn unit(self) -> u64 {
        match self {
            Self::Call | Self::Tokens => 1,
            Self::Cpu => 1_000_000,
            Self::Memory => 1_000_000 << 20,
            Self::Outbound => 1 << 20,
        }
    }

    /// Whether a caller's own usage holds what the calls of its guest used of it.
    pub(super) const fn is_absorbed(self) -> bool {
        match self {
            Self::Cpu | Self::Outbound | Self::Tokens => true,
            Self::Call | Self::Memory => false,
        }
    }
}

/// The platform's rates, in micro-units per unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PriceBook {
    /// Per call.
    #[serde(default = "zero", skip_serializing_if = "is_zero")]
    pub call: Ratio,
    /// Per CPU-second.
    #[serde(default = "zero", skip_serializing_if = "is_zero")]
    pub cpu_second: Ratio,
    /// The currency of all of it.
    pub currency: Currency,
    /// Per MiB-second of memory.
    #[serde(default = "zero", skip_serializing_if = "is_zero")]
    pub mib_second: Ratio,
    /// Per MiB sent by outbound HTTP.
    #[serde(default = "zero", skip_serializing_if = "is_zero")]
    pub outbound_mib: Ratio,
    /// Per model token.
    #[serde(default = "zero", skip_serializing_if = "is_zero")]
    pub token: Ratio,
    /// Rises with each edition.
    #[serde(with = "decimal")]
    #[schemars(with = "String")]
    pub version: u64,
}

const fn zero() -> Ratio {
    Ratio::ZERO
}

fn is_zero(rate: &Ratio) -> bool {
    rate.is_zero()
}

impl PriceBook {
    /// A book that takes nothing for resources.
    #[must_use]
    pub const fn free(currency: Currency) -> Self {
        let zero = Ratio::ZERO;
        Self {
            call: zero,
            cpu_second: zero,
            currency,
            mib_second: zero,
            outbound_mib: zero,
            token: zero,
            version: 1,
        }
    }

    /// The rate of an item, in micro-units per unit.
    #[must_use]
    pub const fn rate(&self, item: Item) -> Ratio {
        match item {
            Item::Call => self.call,
            Item::Cpu => self.cpu_second,
            Item::Memory => self.mib_second,
            Item::Outbound => self.outbound_mib,
            Item::Tokens => self.token,
        }
    }

    /// One line of a charge: this much of an item, in micro-units, rounded once.
    pub(super) fn line(&self, item: Item, usage: &Usage) -> Result<i64, PriceError> {
        self.rate(item).of(item.quantity(usage), item.unit(), item.as_str())
    }
}
