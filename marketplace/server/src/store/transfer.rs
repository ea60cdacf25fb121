//! Whole tables on their way from SQLite to PostgreSQL, and the mark on the file that they left.
//!
//! The tables are those that `retention.rs` lists, in an order that satisfies their references. One
//! transaction of the target holds all of it: it is there whole or not at all, whatever happens to us.
//! Which chains must hold on the far side, and when the file is closed, is decided elsewhere.
//!
//! The one room whose statements are put together: from names of our own schema, each of them checked.

mod describe;
mod look;
mod rows;
mod source;
mod table;
mod target;

pub(crate) use look::{Look, bring_up, look};
pub(crate) use source::{Source, copy_file, deployment, reopen};
pub(crate) use table::TableSum;
pub(crate) use target::Target;

use super::StoreError;

/// Tables that describe the schema and not what is kept in it: each database has its own.
const OWN: &[&str] = &["schema_steps"];

/// `PRAGMA user_version` of a file whose data lives elsewhere now.
pub(super) const CLOSED: i32 = 0x0c10_5ed0;

/// The schema's step of a database, and the newest that this version knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Steps {
    pub(crate) applied: i64,
    pub(crate) known: i64,
}

/// Names become part of a statement, so they have our own form or none.
fn checked(name: &str) -> Result<&str, StoreError> {
    let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_';
    if !name.is_empty() && name.len() <= 63 && name.bytes().all(plain) {
        return Ok(name);
    }
    Err(StoreError::Schema(format!("`{name}` is not a name of this schema")))
}
