//! What keeps a deployment going when its machine does not: a move to another database, backups, restores.
//!
//! ```text
//! home ─► backup (consistent, keys sealed, signed) ─► archive ─► verify ─► restore into an empty home
//!                                                                              └─► a new epoch, by the root key
//! SQLite ─► move (one transaction, compared, chains verified) ─► PostgreSQL; the file is closed
//! ```
//!
//! It decides when something counts as whole; the statements are the store's. It runs beside a server or
//! without one, and never needs the engine. Where the archive is kept, and how often, is the operator's.

mod archive;
mod backup;
mod bound;
mod chains;
mod error;
mod manifest;
mod moving;
mod plan;
mod restore;
mod sealed;
mod staging;
mod status;
#[cfg(test)]
mod tests;
mod verify;

pub use backup::{BackupReport, BackupRequest, backup};
pub use chains::{Chain, ChainReport};
pub use error::ContinuityError;
pub use manifest::Manifest;
pub use moving::{MoveReport, TableMoved, back_out, move_to_postgres};
pub use restore::{Restoring, restore};
pub use staging::clear_beside;
pub use status::{DatabaseStatus, StreamStatus, database_status, migrate_database};
pub use verify::{Verified, verify_backup};
