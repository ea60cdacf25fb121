//! What hosts are told of an installation.

use serde_json::Value;
use soma_capsule::Manifest;
use soma_market::install::{Gate, Installed, Revision};
use soma_policy::feed::{AcceptedOffer, CandidateState, GateState, RevisionState};

use crate::market::MarketError;
use crate::releases;
use crate::store::PlatformUnit;

/// The installation as it is in this state; null when it is gone.
pub(super) async fn payload(
    unit: &mut PlatformUnit,
    installed: &Installed,
) -> Result<Value, MarketError> {
    let record = installed.record();
    if record.removed {
        return Ok(Value::Null);
    }
    let candidate = match &record.candidate {
        None => None,
        Some(candidate) => {
            let digest = candidate.revision.spec.digest;
            let (_, manifest) = releases::approved(unit, &digest).await?;
            let gate = gate(&candidate.gate, &manifest)?;
            Some(CandidateState { gate, revision: state(&candidate.revision) })
        }
    };
    let active = state(&record.active);
    let key = record.key.clone();
    let region = unit.region_of(&key.org, &key.environment).await?;
    let told = soma_policy::feed::Installed { active, candidate, key, region };
    serde_json::to_value(&told).map_err(MarketError::failed)
}

fn state(revision: &Revision) -> RevisionState {
    RevisionState {
        accepted: AcceptedOffer { offer: revision.offer, price: revision.price },
        number: revision.number,
        spec: revision.spec.clone(),
    }
}

fn gate(gate: &Gate, manifest: &Manifest) -> Result<GateState, MarketError> {
    match gate {
        Gate::Canary(canary) => Ok(GateState::Canary { share: canary.share }),
        Gate::Open => Err(MarketError::failed("a revision waits at an open gate")),
        Gate::Check => {
            let missing = || MarketError::failed("a gate has no declared check");
            let health = manifest.health.as_ref().ok_or_else(missing)?;
            Ok(GateState::Check {
                args: Value::Object(health.args.clone()),
                expect: health.expect.clone(),
                function: health.function.clone(),
            })
        }
    }
}
