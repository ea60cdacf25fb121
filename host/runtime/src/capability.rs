//! The capabilities: a room each, holding its own grant, state, view and WIT implementation, and nothing else's.
//!
//! A room has one shape: a marker that names its view to the linker, a view that can be made only from a store's [`Ctx`](crate::state::Ctx),
//! and so only behind a gate and a live call, and, where something real is behind it, a backend that takes permits of the
//! gate. Linking is in `linker.rs` alone. To add a capability: a file here, a state in `state.rs` if it needs one, a line in
//! the linker, a row in the served list of soma-wit.

use soma_policy::{CapabilityKind, CapabilityRef, Code, Denial, Layer, LimitKind};
use wasmtime::component::{Resource, ResourceTable, ResourceTableError};

use crate::gate::Refused;
use crate::running::{Cut, Running};

pub(crate) mod budget;
pub(crate) mod cli;
pub(crate) mod clocks;
pub(crate) mod config;
pub(crate) mod emit;
pub(crate) mod files;
pub(crate) mod http;
pub(crate) mod io;
pub(crate) mod kv;
pub(crate) mod logging;
pub(crate) mod random;
pub(crate) mod secret;
mod tenant;
pub(crate) mod tool;

#[cfg(test)]
pub(crate) mod rig;
#[cfg(test)]
mod served_tests;

/// Ends the call at a limit that a view holds; the error unwinds the guest.
fn cut(running: &Running, kind: LimitKind) -> wasmtime::Error {
    running.cut(Cut::Limit(kind));
    running.cut_reason().into()
}

/// Puts something into the guest's table, or ends the call when it holds too much.
fn push<T: Send + 'static>(
    running: &Running,
    table: &mut ResourceTable,
    entry: T,
) -> wasmtime::Result<Resource<T>> {
    running.live()?;
    full(running, table.push(entry).map_err(wasmtime::Error::from))
}

/// Turns a full table into the `handles` limit.
fn full<T>(running: &Running, made: wasmtime::Result<T>) -> wasmtime::Result<T> {
    made.map_err(|error| match error.downcast_ref::<ResourceTableError>() {
        Some(ResourceTableError::Full) => cut(running, LimitKind::Handles),
        _ => error,
    })
}

/// The words of a denial for the guest; a cut ends the guest instead.
fn words(refused: Refused) -> wasmtime::Result<String> {
    match refused {
        Refused::Denied(denial) => Ok(denial.to_string()),
        Refused::Cut(cut) => Err(cut.into()),
    }
}

/// A denial by the grant, about a kind of capability.
fn missing(code: Code, kind: CapabilityKind, operation: impl Into<String>) -> Denial {
    Denial::new(code, Layer::Grant, operation, code.entry().explain).on(CapabilityRef::of(kind))
}
