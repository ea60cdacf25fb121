//! soma-host: the data plane. It runs signed capsules behind a gate that cannot be skipped.
//!
//! One call goes one way: token → installation snapshot → [`soma_policy::authorise`] → lease →
//! registered as running → kill set → sandbox → guest → receipt → reply. Nothing here opens a SQL
//! database or calls a control plane on that path; see `docs/architecture.md` for the walk.
//!
//! Deliberately absent: who may publish, what things cost, how tenants are billed. Those are rules
//! of other rooms; this one enforces what it is handed and records what happened.

pub mod clock;
pub mod compile;
pub mod descriptors;
pub mod edge;
pub mod engine;
pub mod feed;
pub mod home;
pub mod installations;
pub mod journal;
pub mod kill;
pub mod lease;
pub mod review;
pub mod token;
pub mod value;

mod admission;
mod cache;
mod calls;
mod capability;
mod component;
mod cpu;
mod exports;
#[cfg(test)]
mod fuzz;
mod gate;
mod host;
mod invoke;
mod limiter;
mod linker;
mod meter;
mod metrics;
mod output;
mod push;
mod running;
mod sandbox;
mod state;

pub use host::{Host, HostOptions, OpenError, PurgeError, Purged, purge_at_rest};
pub use invoke::{CallReply, CallRequest, Pending, ReceiptRef};
pub use output::{CallEvent, LogLine};
pub use running::Cut;
