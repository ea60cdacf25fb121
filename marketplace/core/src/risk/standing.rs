//! How a publisher has done so far. Being new costs something, incidents cost more, and both fade.

use serde::{Deserialize, Serialize};
use soma_policy::{Millis, Timestamp};

use super::{Part, RiskPart};

/// The most that a standing adds.
const POINTS_MAX: u16 = 400;
/// How long an incident counts.
const MEMORY: Millis = Millis(365 * 86_400_000);

/// What is known of a publisher.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Standing {
    /// Whether somebody checked who they are.
    pub identity_checked: bool,
    /// When releases of theirs were revoked or killed.
    pub incidents: Vec<Timestamp>,
    /// The instant that this is judged at.
    pub now: Timestamp,
    /// Releases that were published and neither revoked nor killed.
    pub published: u32,
}

impl Standing {
    /// 100 for a new publisher, 10 less for each release that did no harm; 40 for an unchecked identity; 150 for
    /// each incident of the last 365 days.
    pub(super) fn part(&self) -> RiskPart {
        let mut why = Vec::new();
        let done = u16::try_from(self.published.min(10)).unwrap_or(10);
        let new = 100 - done * 10;
        if new > 0 {
            why.push(format!("{} releases without incident, of 10", self.published));
        }
        let unknown = if self.identity_checked { 0 } else { 40 };
        if unknown > 0 {
            why.push("nobody checked who the publisher is".to_owned());
        }
        let lately = |at: &&Timestamp| self.now.since(**at).0 < MEMORY.0;
        let incidents = self.incidents.iter().filter(lately).count();
        if incidents > 0 {
            why.push(format!("{incidents} revoked or killed in the last year"));
        }
        let incidents = u16::try_from(incidents).unwrap_or(u16::MAX).saturating_mul(150);
        let points = incidents.saturating_add(new + unknown).min(POINTS_MAX);
        RiskPart { part: Part::Standing, points, why }
    }
}
