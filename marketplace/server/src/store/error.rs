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
    /// No room is left for it. What was there is there.
    #[error("the disk of the database is full")]
    Full,
    /// It may be read, and not changed.
    #[error("the database cannot be written")]
    ReadOnly,
    /// The data of this file was moved to another database.
    #[error("the data of this file was moved to PostgreSQL; nothing works on the file any more")]
    Closed,
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
            // disk_full; SQLITE_FULL.
            Some("53100" | "13") => Self::Full,
            // read_only_sql_transaction; SQLITE_READONLY and its kin.
            Some("25006" | "8" | "264" | "520" | "776" | "1032" | "1288" | "1544") => {
                Self::ReadOnly
            }
            // Row-level security, missing rights, our triggers; SQLITE_CONSTRAINT_TRIGGER.
            Some("42501" | "23001" | "1811") => Self::Refused(inner.message().to_owned()),
            _ => Self::Down(error),
        }
    }
}
