//! Installations from files: `installations/TENANT/ENV/ID.toml` becomes an immutable snapshot. With a server
//! they come from its feed instead (`fed`), into the same snapshot.
//!
//! `file` reads and explains one file, `load` compiles it against the capsule's facts and the operator's
//! policy, `memory` keeps revision numbers and the last good text over restarts, `watch` says when to look
//! again. A bad edit keeps the old revision running and says so; a removed file is uninstalled. A reload
//! never touches kill orders: those are judged at every call, whatever is installed.
//!
//! It deliberately decides nothing: rights come out of `soma-policy`, trust out of `soma-capsule`.

mod fed;
mod file;
mod load;
mod memory;
mod place;
mod problem;
mod snapshot;
mod watch;

#[cfg(test)]
mod tests;

pub(crate) use fed::{Edits, Fed, Said};
pub use file::parse_spec;
pub(crate) use load::bad_policy;
pub use load::{Inputs, Installations, Reloaded};
pub use place::{Found, all_files, files_in};
pub use problem::{FileProblem, explain_toml};
pub use snapshot::{Candidate, Change, Entry, Refused, Snapshot, State};
pub use watch::Watch;

/// Largest installation file.
pub const FILE_BYTES_MAX: u64 = 256 * 1024;
/// Most installations of one home.
pub const INSTALLATIONS_MAX: usize = 50_000;
