//! How the operations of one call reach the disk: decided, recorded, bounded, and counted while they cannot be stopped.
//!
//! Every operation takes a permit of the gate. What changes anything waits until the call's start record is durable.
//! The work runs on a blocking thread, in the turn of its tenant; it holds a drain guard, so that a kill which lets go of
//! the guest still lists it, and the CPU time it takes is the call's.

use super::fault::Fault;
use super::refusal::{capability, denial, nearest};
use super::slots::{Hold, Slots};
use super::volume::Mount;
use crate::capability::tenant::{Turns, Unfinished};
use crate::gate::{Gate, Permit, Refused};
use crate::running::{Cut, Running};
use soma_policy::{FileOp, FileRequest, HostCall, Label};
use soma_wit::standard::filesystem::types::ErrorCode;
use std::sync::Arc;
use wasmtime_wasi::p2::FsError;

/// Why an operation did not happen, or not to its end.
#[derive(Debug)]
pub(crate) enum Stop {
    /// The files say no.
    Fault(Fault),
    /// A denial, kept already.
    Denied(ErrorCode),
    /// The call is over.
    Cut(Cut),
    /// Our own code failed under the operation.
    Lost,
}

impl From<Fault> for Stop {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

impl From<Cut> for Stop {
    fn from(cut: Cut) -> Self {
        Self::Cut(cut)
    }
}

/// What an operation that panicked leaves: the host's failure, not the guest's.
#[derive(Debug, thiserror::Error)]
#[error("a file operation of the host failed")]
pub(crate) struct LostOperation;

impl From<Stop> for FsError {
    fn from(stop: Stop) -> Self {
        match stop {
            Stop::Fault(fault) => fault.code().into(),
            Stop::Denied(code) => code.into(),
            Stop::Cut(cut) => Self::trap(cut),
            Stop::Lost => Self::trap(LostOperation),
        }
    }
}

impl From<Unfinished> for Stop {
    fn from(unfinished: Unfinished) -> Self {
        match unfinished {
            Unfinished::Cut(cut) => Self::Cut(cut),
            Unfinished::Lost => Self::Lost,
        }
    }
}

/// What one tenant's calls share.
#[derive(Debug)]
pub(crate) struct Tenant {
    turns: Turns,
    slots: Arc<Slots>,
}

impl Tenant {
    pub(crate) fn new(host: &Arc<Slots>) -> Self {
        Self { turns: Turns::default(), slots: Slots::tenant(host) }
    }

    /// Does blocking `work` for `running`, in turn.
    pub(crate) async fn block<T: Send + 'static>(
        &self,
        running: &Arc<Running>,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Stop> {
        Ok(self.turns.block(running, work).await?)
    }
}

/// The way of one call.
#[derive(Clone)]
pub(crate) struct Lane {
    gate: Gate,
    tenant: Arc<Tenant>,
}

impl Lane {
    pub(crate) const fn new(gate: Gate, tenant: Arc<Tenant>) -> Self {
        Self { gate, tenant }
    }

    pub(crate) fn running(&self) -> &Arc<Running> {
        self.gate.running()
    }

    /// A handle with `bytes` of the host's memory behind it.
    pub(crate) fn hold(&self, bytes: usize) -> Result<Hold, Stop> {
        Hold::take(self.running(), &self.tenant.slots, bytes)
    }

    /// Asks for one operation on `path`, as the guest would say it from the root of all its mounts.
    pub(crate) fn decide(
        &self,
        op: FileOp,
        mount: &Mount,
        path: &str,
    ) -> Result<Permit<FileRequest>, Stop> {
        let decided = FileRequest::canonical(op, path)
            .map_err(|denial| self.gate.refuse(denial.on(capability(mount))))
            .and_then(|request| {
                self.gate.decide(
                    request,
                    |authorised, request| {
                        authorised.files(request).map(|right| *right.name() == mount.name)
                    },
                    |request| HostCall::Files(request),
                )
            });
        match decided {
            Ok((permit, true)) => Ok(permit),
            // A mount inside another one: each is reached by its own descriptor alone.
            Ok((_, false)) => Err(self.refused(Fault::OtherMount, op, mount, path)),
            Err(Refused::Cut(cut)) => Err(cut.into()),
            Err(Refused::Denied(denial)) => Err(Stop::Denied(nearest(&denial, mount, op))),
        }
    }

    /// Does what was permitted; a refusal by the engine behind it is kept as a denial as well.
    pub(crate) async fn perform<T: Send + 'static>(
        &self,
        permit: Permit<FileRequest>,
        mount: &Mount,
        work: impl FnOnce() -> Result<T, Fault> + Send + 'static,
    ) -> Result<T, Stop> {
        if permit.op().changes() {
            self.running().before_effect().await?;
        }
        let done = self.tenant.block(self.running(), work).await?;
        if !permit.op().changes() {
            self.gate.label(Label::TenantData);
        }
        done.map_err(|fault| self.refused(fault, permit.op(), mount, permit.path()))
    }

    /// Keeps a fault that is a refusal; the guest gets its code either way.
    pub(crate) fn refused(&self, fault: Fault, op: FileOp, mount: &Mount, path: &str) -> Stop {
        if !fault.is_refusal() {
            return Stop::Fault(fault);
        }
        let key = self.gate.authorised().installation().key();
        match self.gate.refuse(denial(fault, op, mount, path, key)) {
            Refused::Cut(cut) => Stop::Cut(cut),
            Refused::Denied(_) => Stop::Denied(fault.code()),
        }
    }
}
