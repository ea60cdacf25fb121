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

#[cfg(test)]
mod tests {
    use soma_policy::{
        Currency, Digest, KillRecord, LeaseEvent, LeaseId, LeaseRecord, OrderId, Timestamp,
        UptimeMark,
    };

    use super::*;

    #[test]
    fn what_was_rebuilt_has_a_form_to_be_kept_in_and_goes_on_from_it() {
        let at = Timestamp(1_800_000_000_000);
        let entries = [
            JournalEntry::Lease(LeaseRecord {
                at,
                currency: Currency::EUR,
                day: at.day(),
                event: LeaseEvent::Taken,
                given: None,
                installation: "local/production/csv".parse().unwrap(),
                lease: LeaseId::from_u128(1),
                limit_micros: 5,
            }),
            JournalEntry::Kill(KillRecord {
                at,
                complete: true,
                document: Digest::of(b"order"),
                order: OrderId::from_u128(2),
                envelope: "{}".to_owned(),
                uptime_ms: 7,
            }),
            JournalEntry::Uptime(UptimeMark { at, uptime_ms: 9 }),
        ];
        let mut rebuilt = Rebuilt::default();
        entries.iter().for_each(|entry| rebuilt.see(entry));
        let mut again = Rebuilt::default();
        again.resume(rebuilt.state().unwrap()).unwrap();
        assert_eq!(again, rebuilt);
        assert_ne!(again, Rebuilt::default());
        assert!(Rebuilt::default().resume(serde_json::json!({ "leases": 1 })).is_err());
    }
}
