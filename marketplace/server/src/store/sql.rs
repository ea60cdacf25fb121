//! Statements, what is bound to them and what comes back: one form for both drivers.
//!
//! A statement is one text with `$1 …` for both databases, or one per database where they differ.
//! Texts are static: nothing is ever put together from what came from outside.

use std::str::FromStr;

use soma_policy::Timestamp;
use sqlx::postgres::{PgRow, Postgres};
use sqlx::sqlite::{Sqlite, SqliteRow};
use sqlx::{Decode, Row as _, Transaction, Type};

use super::StoreError;

/// A statement.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sql {
    sqlite: &'static str,
    postgres: &'static str,
}

impl Sql {
    /// Where the dialects differ.
    pub(super) const fn per(sqlite: &'static str, postgres: &'static str) -> Self {
        Self { sqlite, postgres }
    }
}

impl From<&'static str> for Sql {
    fn from(both: &'static str) -> Self {
        Self { sqlite: both, postgres: both }
    }
}

/// A value for a place in a statement.
#[derive(Debug, Clone, Copy)]
pub(super) enum Bind<'a> {
    Text(&'a str),
    MaybeText(Option<&'a str>),
    Int(i64),
    MaybeInt(Option<i64>),
    Flag(bool),
}

impl<'a> From<&'a str> for Bind<'a> {
    fn from(text: &'a str) -> Self {
        Self::Text(text)
    }
}

impl<'a> From<&'a String> for Bind<'a> {
    fn from(text: &'a String) -> Self {
        Self::Text(text)
    }
}

impl<'a> From<Option<&'a str>> for Bind<'a> {
    fn from(text: Option<&'a str>) -> Self {
        Self::MaybeText(text)
    }
}

impl From<i64> for Bind<'_> {
    fn from(number: i64) -> Self {
        Self::Int(number)
    }
}

impl From<Option<i64>> for Bind<'_> {
    fn from(number: Option<i64>) -> Self {
        Self::MaybeInt(number)
    }
}

impl From<u32> for Bind<'_> {
    fn from(number: u32) -> Self {
        Self::Int(i64::from(number))
    }
}

impl From<Timestamp> for Bind<'_> {
    fn from(at: Timestamp) -> Self {
        Self::Int(whole(at.0))
    }
}

impl From<Option<Timestamp>> for Bind<'_> {
    fn from(at: Option<Timestamp>) -> Self {
        Self::MaybeInt(at.map(|at| whole(at.0)))
    }
}

impl From<bool> for Bind<'_> {
    fn from(flag: bool) -> Self {
        Self::Flag(flag)
    }
}

/// Both databases count in signed 64 bits.
pub(super) fn whole(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// A whole state as one text, in canonical form.
pub(super) fn record_text<T: serde::Serialize>(state: &T) -> Result<String, StoreError> {
    let formless = |_| StoreError::Refused("the record has no canonical form".to_owned());
    let value = serde_json::to_value(state).map_err(|error| formless(error.to_string()))?;
    let bytes = soma_policy::canonical::value_to_vec(&value)
        .map_err(|error| formless(error.to_string()))?;
    String::from_utf8(bytes).map_err(|error| formless(error.to_string()))
}

/// Binds values in their order.
macro_rules! binds {
    ($($value:expr),* $(,)?) => { &[$($crate::store::sql::Bind::from($value)),*] };
}
pub(super) use binds;

/// A row of either database.
pub(super) enum Row {
    Sqlite(SqliteRow),
    Postgres(PgRow),
}

impl Row {
    fn get<'r, T>(&'r self, column: &'static str, expected: &'static str) -> Result<T, StoreError>
    where
        T: Decode<'r, Sqlite> + Type<Sqlite> + Decode<'r, Postgres> + Type<Postgres>,
    {
        match self {
            Self::Sqlite(row) => row.try_get(column),
            Self::Postgres(row) => row.try_get(column),
        }
        .map_err(|_| StoreError::Corrupt { column, expected })
    }

    pub(super) fn text(&self, column: &'static str) -> Result<String, StoreError> {
        self.get(column, "text")
    }

    pub(super) fn maybe_text(&self, column: &'static str) -> Result<Option<String>, StoreError> {
        self.get(column, "text or nothing")
    }

    pub(super) fn int(&self, column: &'static str) -> Result<i64, StoreError> {
        self.get(column, "a number")
    }

    pub(super) fn flag(&self, column: &'static str) -> Result<bool, StoreError> {
        self.get(column, "true or false")
    }

    /// A number that is never negative.
    pub(super) fn count(&self, column: &'static str) -> Result<u64, StoreError> {
        let negative = |_| StoreError::Corrupt { column, expected: "a number from 0" };
        u64::try_from(self.int(column)?).map_err(negative)
    }

    pub(super) fn maybe_int(&self, column: &'static str) -> Result<Option<i64>, StoreError> {
        self.get(column, "a number or nothing")
    }

    pub(super) fn maybe_count(&self, column: &'static str) -> Result<Option<u64>, StoreError> {
        let number: Option<i64> = self.get(column, "a number or nothing")?;
        let negative = |_| StoreError::Corrupt { column, expected: "a number from 0" };
        number.map(|number| u64::try_from(number).map_err(negative)).transpose()
    }

    pub(super) fn time(&self, column: &'static str) -> Result<Timestamp, StoreError> {
        self.count(column).map(Timestamp)
    }

    pub(super) fn maybe_time(&self, column: &'static str) -> Result<Option<Timestamp>, StoreError> {
        Ok(self.maybe_count(column)?.map(Timestamp))
    }

    /// A record that was written by [`record_text`].
    pub(super) fn record<T: serde::de::DeserializeOwned>(
        &self,
        column: &'static str,
    ) -> Result<T, StoreError> {
        let other = |_| StoreError::Corrupt { column, expected: "its own record" };
        serde_json::from_str(&self.text(column)?).map_err(other)
    }

    /// Text that has a type of its own.
    pub(super) fn parsed<T: FromStr>(&self, column: &'static str) -> Result<T, StoreError> {
        let other = |_| StoreError::Corrupt { column, expected: "its own type" };
        self.text(column)?.parse().map_err(other)
    }

    pub(super) fn maybe_parsed<T: FromStr>(
        &self,
        column: &'static str,
    ) -> Result<Option<T>, StoreError> {
        let other = |_| StoreError::Corrupt { column, expected: "its own type" };
        self.maybe_text(column)?.map(|text| text.parse().map_err(other)).transpose()
    }
}

/// A transaction of either database.
pub(super) enum Tx {
    Sqlite(Transaction<'static, Sqlite>),
    Postgres(Transaction<'static, Postgres>),
}

macro_rules! bound {
    ($text:expr, $binds:expr) => {{
        let mut query = sqlx::query($text);
        for bind in $binds {
            query = match *bind {
                Bind::Text(text) => query.bind(text),
                Bind::MaybeText(text) => query.bind(text),
                Bind::Int(number) => query.bind(number),
                Bind::MaybeInt(number) => query.bind(number),
                Bind::Flag(flag) => query.bind(flag),
            };
        }
        query
    }};
}

impl Tx {
    /// Runs a statement and says how many rows it touched.
    pub(super) async fn run(
        &mut self,
        sql: impl Into<Sql>,
        binds: &[Bind<'_>],
    ) -> Result<u64, StoreError> {
        let sql = sql.into();
        Ok(match self {
            Self::Sqlite(tx) => bound!(sql.sqlite, binds).execute(&mut **tx).await?.rows_affected(),
            Self::Postgres(tx) => {
                bound!(sql.postgres, binds).execute(&mut **tx).await?.rows_affected()
            }
        })
    }

    /// The first row, if there is one.
    pub(super) async fn one(
        &mut self,
        sql: impl Into<Sql>,
        binds: &[Bind<'_>],
    ) -> Result<Option<Row>, StoreError> {
        let sql = sql.into();
        Ok(match self {
            Self::Sqlite(tx) => {
                bound!(sql.sqlite, binds).fetch_optional(&mut **tx).await?.map(Row::Sqlite)
            }
            Self::Postgres(tx) => {
                bound!(sql.postgres, binds).fetch_optional(&mut **tx).await?.map(Row::Postgres)
            }
        })
    }

    /// Every row. The statement says how many there may be.
    pub(super) async fn all(
        &mut self,
        sql: impl Into<Sql>,
        binds: &[Bind<'_>],
    ) -> Result<Vec<Row>, StoreError> {
        let sql = sql.into();
        Ok(match self {
            Self::Sqlite(tx) => {
                let rows = bound!(sql.sqlite, binds).fetch_all(&mut **tx).await?;
                rows.into_iter().map(Row::Sqlite).collect()
            }
            Self::Postgres(tx) => {
                let rows = bound!(sql.postgres, binds).fetch_all(&mut **tx).await?;
                rows.into_iter().map(Row::Postgres).collect()
            }
        })
    }

    pub(super) async fn commit(self) -> Result<(), StoreError> {
        match self {
            Self::Sqlite(tx) => tx.commit().await?,
            Self::Postgres(tx) => tx.commit().await?,
        }
        Ok(())
    }
}
