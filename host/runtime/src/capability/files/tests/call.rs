//! A call that runs behind a real gate, with files capabilities alone.

use crate::capability::rig::Rig;
use crate::gate::Gate;

/// The quota of `call_of`.
pub(super) const BYTES: usize = 1000;

/// What a guest runs as.
pub(super) struct Call {
    pub(super) gate: Gate,
    pub(super) rig: Rig,
}

impl Call {
    fn of(mut rig: Rig) -> Self {
        let gate = rig.ctx().gate.clone();
        Self { gate, rig }
    }
}

/// A call with a grant of `/data`, whose start record is durable.
pub(super) fn call(access: &str, bytes: u64) -> Call {
    Call::of(Rig::granting(&declared("data", access, bytes)))
}

/// The same, whose start record never becomes durable.
pub(super) fn never_recorded(access: &str, bytes: u64) -> Call {
    Call::of(Rig::without_journal(&declared("data", access, bytes)))
}

/// A call whose capability is called `name`, and so has a folder of its own.
pub(super) fn call_of(name: &str) -> Call {
    Call::of(Rig::granting(&declared(name, "read-write", BYTES as u64)))
}

fn declared(name: &str, access: &str, bytes: u64) -> String {
    format!(
        r#"[files.{name}]
        mount = "/data"
        access = "{access}"
        quota = "{bytes} B"
        inodes = 20"#
    )
}
