//! Who pays for a call that ended so: one table, outcome × {resources, author's price, bearer}.
//!
//! The table is the operator's to edit, within two rules that it cannot break: the author's price is never
//! asked of a call that was killed or failed, and the tenant never bears what the host or an order ended.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::PriceError;
use crate::outcome::Outcome;
use crate::text::decimal;

macro_rules! kinds {
    ($($(#[$doc:meta])* $kind:ident $pattern:pat, $example:expr;)*) => {
        /// An outcome without its detail: the rows of the table.
        #[derive(
            Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
        )]
        #[serde(rename_all = "kebab-case")]
        pub enum OutcomeKind { $($(#[$doc])* $kind,)* }

        impl OutcomeKind {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$kind),*];

            /// The kind of an outcome. Closed on purpose: a new outcome needs a row before it compiles.
            #[must_use]
            pub const fn of(outcome: Outcome) -> Self {
                match outcome { $($pattern => Self::$kind,)* }
            }
        }

        #[cfg(test)]
        pub(super) const EXAMPLES: &[Outcome] = &[$($example),*];
    };
}

kinds! {
    /// The function returned.
    Ok Outcome::Ok, Outcome::Ok;
    /// The function returned its own error.
    GuestError Outcome::GuestError, Outcome::GuestError;
    /// Refused, or ended by a denial.
    Denied Outcome::Denied, Outcome::Denied;
    /// No money or quota was left.
    Budget Outcome::Budget, Outcome::Budget;
    /// A limit ended it.
    Limit Outcome::Limit(_), Outcome::Limit(crate::outcome::LimitKind::Cpu);
    /// A kill order ended it.
    Killed Outcome::Killed(_), Outcome::Killed(crate::id::OrderId::from_u128(1));
    /// The host stopped or died under it.
    Interrupted Outcome::Interrupted, Outcome::Interrupted;
    /// The guest trapped.
    Trapped Outcome::Trapped, Outcome::Trapped;
    /// The host failed.
    HostFailure Outcome::HostFailure, Outcome::HostFailure;
    /// No slot was free.
    Busy Outcome::Busy, Outcome::Busy;
    /// A call with the same key may have run.
    InDoubt Outcome::InDoubt, Outcome::InDoubt;
    /// The caller went away.
    Cancelled Outcome::Cancelled, Outcome::Cancelled;
}

/// Which resources are asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Bill {
    /// None.
    Nothing,
    /// What was used, without the rate per call: it may not have run at all.
    Usage,
    /// What was used, and the rate per call.
    All,
}

/// Who pays.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Bearer {
    /// The org that called, out of the lease.
    Tenant,
    /// The platform, out of its account for losses.
    Platform,
}

/// One row of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Row {
    /// Whether the author's price is asked for.
    pub author: bool,
    /// Who pays.
    pub bearer: Bearer,
    /// Which resources are asked for.
    pub resources: Bill,
}

/// The table, versioned.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "Raw")]
pub struct OutcomeTable {
    rows: BTreeMap<OutcomeKind, Row>,
    #[serde(with = "decimal")]
    #[schemars(with = "String")]
    version: u64,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "OutcomeTable")]
struct Raw {
    rows: BTreeMap<OutcomeKind, Row>,
    #[serde(with = "decimal")]
    #[schemars(with = "String")]
    version: u64,
}

impl TryFrom<Raw> for OutcomeTable {
    type Error = PriceError;
    fn try_from(raw: Raw) -> Result<Self, PriceError> {
        Self::new(raw.version, raw.rows)
    }
}

const NOTHING: Row = Row { author: false, bearer: Bearer::Platform, resources: Bill::Nothing };

impl OutcomeTable {
    /// A table with a row for every outcome.
    ///
    /// # Errors
    /// [`PriceError::Table`] when a row is missing, asks the author's price of a call that was killed or
    /// failed, or lets the tenant bear what the platform answers for.
    pub fn new(version: u64, rows: BTreeMap<OutcomeKind, Row>) -> Result<Self, PriceError> {
        for kind in OutcomeKind::ALL {
            let name = kind.as_str();
            let Some(row) = rows.get(kind) else {
                return Err(PriceError::Table(format!("there is no row for `{name}`")));
            };
            if row.author && !(kind.may_earn() && row.bearer == Bearer::Tenant) {
                let rule =
                    format!("`{name}` asks the author's price of a call that did not succeed");
                return Err(PriceError::Table(rule));
            }
            if row.bearer == Bearer::Tenant && kind.is_the_platforms() {
                let rule = format!("`{name}` is not the tenant's to bear");
                return Err(PriceError::Table(rule));
            }
        }
        Ok(Self { rows, version })
    }

    /// The table that holds when the operator signs no other one.
    #[must_use]
    pub fn standard() -> Self {
        let tenant = |author, resources| Row { author, bearer: Bearer::Tenant, resources };
        let row = |kind: &OutcomeKind| match kind {
            OutcomeKind::Ok => tenant(true, Bill::All),
            OutcomeKind::GuestError
            | OutcomeKind::Limit
            | OutcomeKind::Trapped
            | OutcomeKind::Cancelled => tenant(false, Bill::All),
            OutcomeKind::Denied | OutcomeKind::Budget => tenant(false, Bill::Usage),
            OutcomeKind::Killed | OutcomeKind::Interrupted | OutcomeKind::HostFailure => {
                Row { resources: Bill::All, ..NOTHING }
            }
            OutcomeKind::Busy | OutcomeKind::InDoubt => NOTHING,
        };
        let rows = OutcomeKind::ALL.iter().map(|kind| (*kind, row(kind))).collect();
        Self { rows, version: 1 }
    }

    /// The row of an outcome.
    #[must_use]
    pub fn row(&self, outcome: Outcome) -> Row {
        // INVARIANT: the constructors leave no row out; without one nobody would be charged.
        self.rows.get(&OutcomeKind::of(outcome)).copied().unwrap_or(NOTHING)
    }

    /// Rises with each edition.
    #[must_use]
    pub const fn version(&self) -> u64 {
        self.version
    }
}

impl OutcomeKind {
    /// Its name, as [`Outcome::as_str`] spells it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::GuestError => "guest-error",
            Self::Denied => "denied",
            Self::Budget => "budget",
            Self::Limit => "limit",
            Self::Killed => "killed",
            Self::Interrupted => "interrupted",
            Self::Trapped => "trapped",
            Self::HostFailure => "host-failure",
            Self::Busy => "busy",
            Self::InDoubt => "in-doubt",
            Self::Cancelled => "cancelled",
        }
    }

    /// Whether a table may ask the author's price of it.
    const fn may_earn(self) -> bool {
        matches!(self, Self::Ok | Self::Cancelled)
    }

    /// Whether the platform answers for the end, so that the tenant pays nothing of it.
    const fn is_the_platforms(self) -> bool {
        matches!(
            self,
            Self::Killed | Self::Interrupted | Self::HostFailure | Self::Busy | Self::InDoubt
        )
    }
}
