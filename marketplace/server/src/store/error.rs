//! Why the database did not do it. Messages hold no value of any row.

use sqlx::error::ErrorKind;

/// What went wrong in the store.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// A unique constraint: somebody has it already.
    #[error("it exists already")]
    Exists,
    /// A foreign key: what it refers to is not there.
    #[error("what it refers to does not exist")]
    Orphan,
    /// A check or a policy of the database refused the row.
    #[error("the database refused the row: {0}")]
    Refused(String),
    /// Others were quicker; the same again may pass.
    #[error("the database is busy")]
    Busy,
    /// The database does not answer.
    #[error("the database does not answer")]
    Down(#[source] sqlx::Error),
    /// A column holds what it never should.
    #[error("column `{column}` does not read as {expected}")]
    Corrupt {
        /// The column.
        column: &'static str,
        /// What was expected.
        expected: &'static str,
    },
    /// The schema is not the one that this version can work with.
    #[error("{0}")]
    Schema(String),
    /// The server may do more, or less, than it should.
    #[error("{0}")]
    Unsafe(String),
}

impl From<sqlx::Error> for StoreError {
    fn from(error: sqlx::Error) -> Self {
        let sqlx::Error::Database(inner) = &error else {
            return match error {
                sqlx::Error::PoolTimedOut => Self::Busy,
                other => Self::Down(other),
            };
        };
        let constraint = inner.constraint().unwrap_or("a rule of the table").to_owned();
        match inner.kind() {
            ErrorKind::UniqueViolation => return Self::Exists,
            ErrorKind::ForeignKeyViolation => return Self::Orphan,
            ErrorKind::CheckViolation | ErrorKind::NotNullViolation => {
                return Self::Refused(constraint);
            }
            _ => {}
        }
        match inner.code().as_deref() {
            // Serialization, deadlock, lock timeout; SQLITE_BUSY and its kin.
            Some("40001" | "40P01" | "55P03" | "5" | "6" | "261" | "517") => Self::Busy,
            // Row-level security, missing rights, our triggers; SQLITE_CONSTRAINT_TRIGGER, SQLITE_READONLY.
            Some("42501" | "23001" | "1811" | "8") => Self::Refused(inner.message().to_owned()),
            _ => Self::Down(error),
        }
    }
}
