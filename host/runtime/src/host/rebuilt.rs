//! What a host rebuilds from its journal: leases and kill orders, in a form that a checkpoint can keep.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use soma_policy::JournalEntry;

use crate::journal::Replay;
use crate::kill::KillReplay;
use crate::lease::LeaseReplay;

/// Rebuilt while the journal is read.
#[derive(Debug, Default, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Rebuilt {
    pub(super) leases: LeaseReplay,
    pub(super) kills: KillReplay,
}

impl Replay for Rebuilt {
    fn see(&mut self, entry: &JournalEntry) {
        self.leases.see(entry);
        self.kills.see(entry);
    }

    fn state(&mut self) -> Result<Value, String> {
        let Self { leases, kills } = std::mem::take(self);
        let kept = Self { leases: leases.compacted(), kills: kills.compacted() };
        let state = serde_json::to_value(&kept).map_err(|e| e.to_string());
        *self = kept;
        state
    }

    fn resume(&mut self, state: Value) -> Result<(), String> {
        *self = serde_json::from_value(state).map_err(|e| e.to_string())?;
        Ok(())
    }
}
