//! A call that runs behind a real gate.

use crate::gate::Gate;
use crate::running::{CallIds, NewCall, Running};
use futures::FutureExt as _;
use soma_policy::{
    Authorised, CallId, FilesRight, Installation, InstallationKey, Limits, OperatorPolicy, Rights,
};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Handles that the calls here may hold at one time.
pub(super) const HANDLES: u64 = 32;

/// The quota of `call_of`.
pub(super) const BYTES: usize = 1000;

/// What is put behind the gate.
pub(super) struct Call {
    pub(super) gate: Gate,
}

/// A call with a grant of `/data`, whose start record is durable.
pub(super) fn call(access: &str, bytes: u64) -> Call {
    made("x", access, bytes, true)
}

/// A call of the installation `id`.
pub(super) fn call_of(id: &str) -> Call {
    made(id, "read-write", BYTES as u64, true)
}

/// The same, whose start record never becomes durable.
pub(super) fn never_recorded(access: &str, bytes: u64) -> Call {
    made("x", access, bytes, false)
}

fn made(id: &str, access: &str, bytes: u64, durable: bool) -> Call {
    let key = InstallationKey {
        org: "local".parse().unwrap(),
        environment: "production".parse().unwrap(),
        id: id.parse().unwrap(),
    };
    let inst = Arc::new(Installation {
        key,
        rights: Rights {
            files: vec![FilesRight {
                name: "data".parse().unwrap(),
                access: serde_json::from_str(&format!("\"{access}\"")).unwrap(),
                mount: "/data".parse().unwrap(),
                bytes,
                inodes: 20,
            }],
        },
    });
    let call = CallId::from_u128(1);
    let running = Running::new(NewCall {
        ids: CallIds { call, parent: None, root: call },
        installation: Arc::clone(&inst),
        function: "f".to_owned(),
        limits: Limits { handles: 32, ..Limits::DEFAULT },
        started: Duration::ZERO,
        parent_cut: None,
    });
    running.set_start(async move { durable }.boxed());
    let gate = Gate::new(Authorised(inst), running, Arc::new(OperatorPolicy));
    Call { gate }
}
