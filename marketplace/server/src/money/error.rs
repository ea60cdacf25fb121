//! What goes wrong with money: the database, or a rule that says no.

use soma_market::Refusal;

use crate::store::StoreError;

/// Why nothing was done.
#[derive(Debug, thiserror::Error)]
pub(crate) enum MoneyError {
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A rule.
    #[error(transparent)]
    Refused(#[from] Refusal),
}
