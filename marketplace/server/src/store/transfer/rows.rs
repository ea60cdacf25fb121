//! Rows of either database as plain values: bounded batches, and one digest over a whole table.

use aws_lc_rs::digest::{Context, SHA256};
use futures::{Stream, TryStreamExt as _};
use soma_policy::Digest;
use sqlx::postgres::{PgRow, Postgres};
use sqlx::sqlite::{Sqlite, SqliteRow};
use sqlx::{Database, Decode, Row, Type};

use super::StoreError;
use super::table::{Kind, Table, TableSum};

/// Rows and bytes of one batch.
const BATCH_ROWS: usize = 500;
const BATCH_BYTES: usize = 4 << 20;

/// One value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Cell {
    Text(Option<String>),
    Int(Option<i64>),
    Flag(Option<bool>),
}

impl Cell {
    fn bytes(&self) -> usize {
        match self {
            Self::Text(text) => text.as_ref().map_or(1, String::len),
            Self::Int(_) | Self::Flag(_) => 8,
        }
    }

    /// Absent, a number and a text never look the same, nor do two texts that are cut elsewhere.
    fn hash(&self, into: &mut Context) {
        let number = |number: i64, into: &mut Context| {
            into.update(b"n");
            into.update(&number.to_le_bytes());
        };
        match self {
            Self::Text(None) | Self::Int(None) | Self::Flag(None) => into.update(b"0"),
            Self::Text(Some(text)) => {
                into.update(b"t");
                into.update(&(text.len() as u64).to_le_bytes());
                into.update(text.as_bytes());
            }
            Self::Int(Some(it)) => number(*it, into),
            Self::Flag(Some(it)) => number(i64::from(*it), into),
        }
    }
}

/// A row that can be read as cells.
pub(super) trait Cells {
    fn cells(&self, table: &Table) -> Result<Vec<Cell>, StoreError>;
}

impl Cells for SqliteRow {
    fn cells(&self, table: &Table) -> Result<Vec<Cell>, StoreError> {
        cells::<Sqlite, Self>(self, table)
    }
}

impl Cells for PgRow {
    fn cells(&self, table: &Table) -> Result<Vec<Cell>, StoreError> {
        cells::<Postgres, Self>(self, table)
    }
}

fn cells<D, R>(row: &R, table: &Table) -> Result<Vec<Cell>, StoreError>
where
    D: Database,
    R: Row<Database = D>,
    usize: sqlx::ColumnIndex<R>,
    for<'r> String: Decode<'r, D> + Type<D>,
    for<'r> i64: Decode<'r, D> + Type<D>,
    for<'r> bool: Decode<'r, D> + Type<D>,
{
    let read = |(at, kind): (usize, Kind)| {
        Ok(match kind {
            Kind::Text => Cell::Text(row.try_get(at)?),
            Kind::Int => Cell::Int(row.try_get(at)?),
            Kind::Flag => Cell::Flag(row.try_get(at)?),
        })
    };
    table.columns.iter().map(|column| column.kind).enumerate().map(read).collect()
}

/// Counts and hashes every row of a stream.
pub(super) async fn sum<R: Cells>(
    table: &Table,
    rows: impl Stream<Item = Result<R, sqlx::Error>>,
) -> Result<TableSum, StoreError> {
    let mut hash = Context::new(&SHA256);
    let mut count = 0;
    futures::pin_mut!(rows);
    while let Some(row) = rows.try_next().await? {
        for cell in row.cells(table)? {
            cell.hash(&mut hash);
        }
        count += 1;
    }
    let bytes = hash.finish().as_ref().try_into().unwrap_or([0; 32]);
    let digest = Digest::from_bytes(bytes).to_string();
    Ok(TableSum { table: table.name.clone(), rows: count, digest })
}

/// The next rows of a stream, as many as a batch may hold; none at its end.
pub(super) async fn batch<R: Cells>(
    table: &Table,
    rows: &mut (impl Stream<Item = Result<R, sqlx::Error>> + Unpin),
) -> Result<Vec<Vec<Cell>>, StoreError> {
    let (mut batch, mut bytes) = (Vec::new(), 0);
    while batch.len() < BATCH_ROWS && bytes < BATCH_BYTES {
        let Some(row) = rows.try_next().await? else { break };
        let cells = row.cells(table)?;
        bytes += cells.iter().map(Cell::bytes).sum::<usize>();
        batch.push(cells);
    }
    Ok(batch)
}
