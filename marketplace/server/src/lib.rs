//! The control plane: who there is, what may be published and installed, what it costs, and the
//! record of all of it.
//!
//! ```text
//! edge (axum, one screen of routes) ─► login, audit, … (flows) ─► store (the only SQL) ─► SQLite | PostgreSQL
//!                                          │
//!                                          └─► identity (pure: tokens, roles, factors)
//! ```
//!
//! It never runs a capsule and never links the engine: hosts meet it over HTTP with signed documents.
//! Only `store/` holds SQL, only `config/` reads the environment, time and ids come from one clock.
#![forbid(unsafe_code)]

mod audit;
mod catalogue;
mod clock;
mod config;
mod constitution;
pub mod continuity;
mod edge;
mod examine;
mod feed;
mod hosts;
mod identity;
mod installs;
mod kills;
mod login;
mod market;
mod money;
mod packages;
mod releases;
mod secrets;
mod server;
mod store;
mod trust;

#[cfg(test)]
mod fixture;

pub use audit::{AuditFinding, Verification};
pub use clock::{Clock, FixedClock, SystemClock};
pub use config::{ConfigError, MarketConfig, Network, NetworkError, Rates, ServerConfig};
pub use edge::openapi;
pub use identity::PasswordCost;
pub use server::{BesideError, BootstrapCode, EnrolmentCode, OpenError, Pass, Server};
pub use store::{Database, Store, StoreError};
