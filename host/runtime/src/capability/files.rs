//! Room `files`: folders of an installation for its guest, by our own `wasi:filesystem` 0.2.
//!
//! One way, four steps. `volumes` finds the folder behind each granted `files.N` and its ledger; `view` is the interface,
//! where every operation is brought into canonical form; `lane` decides it at the gate, waits for the start record before
//! the first change, and does it on a bounded pool; the engine (`open`, `file`, `dir`) touches the disk with the room
//! reserved before. Only regular files and directories exist for a guest; no link is made, read or followed.
//!
//! Deliberately absent: file locking, permissions and owners, watching, mapping into memory, and any path of the host.

mod dir;
mod fault;
mod file;
mod inode;
mod lane;
mod listing;
mod meta;
mod open;
mod path;
mod quota;
mod refusal;
mod slots;
mod stream;
#[cfg(test)]
mod tests;
mod tree;
mod view;
mod volume;
mod volumes;
mod walk;

pub(crate) use view::{Files, FilesState, FilesView};
pub(crate) use volumes::Volumes;
