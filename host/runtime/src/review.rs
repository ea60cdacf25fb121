//! Behaviour review: a submission runs in the real sandbox against surroundings that lie, break and stall.
//!
//! ```text
//! Probe (verified package) ─► Stage (a host on a home of its own) ─► scenarios × functions ─► Passport
//!                                  └─ fake peers: the only addresses that it can reach
//! ```
//!
//! The host is the production host with the production limits, gate and journal; only its surroundings are made up.
//! Its home lives as long as the review, knows no tenant, no token of anyone and no secret with a meaning, and its way
//! out ends at the fake peers. What is watched is written down as it happened. Deliberately absent: what it means for
//! the release; that is judged by the marketplace, from the signed passport.

mod peers;
mod probe;
mod progress;
mod sample;
mod stage;
mod watch;
mod work;

use std::path::PathBuf;
use std::sync::Arc;

use soma_policy::Code;
use soma_policy::feed::{Passport, Scenario};

pub use probe::Probe;
pub use progress::Progress;
pub use work::{WorkError, work};

use crate::clock::Clock;
use crate::home::HomeError;
use stage::Stage;

/// How reviews are run.
#[derive(Clone)]
pub struct Reviewer {
    /// Time and ids.
    pub clock: Arc<dyn Clock>,
    /// The program that compiles and its hidden argument.
    pub compiler: (PathBuf, String),
    /// Where the short-lived homes are made.
    pub scratch: PathBuf,
    /// The host that signs passports.
    pub host: soma_policy::HostId,
}

/// Why a submission could not be watched. It says nothing against the submission unless it says so.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReviewError {
    /// The home of the review.
    #[error(transparent)]
    Home(#[from] HomeError),
    /// The host of the review.
    #[error(transparent)]
    Host(#[from] crate::host::OpenError),
    /// The submission cannot be installed as it declares itself.
    #[error("it cannot be installed as it declares itself: {0}")]
    NotInstallable(String),
    /// Threads, sockets, keys.
    #[error("the review cannot be set up: {what}: {why}")]
    System {
        /// Which part.
        what: &'static str,
        /// Why.
        why: String,
    },
}

impl ReviewError {
    /// The stable code.
    #[must_use]
    pub fn code(&self) -> Code {
        match self {
            Self::Home(error) => error.code(),
            Self::NotInstallable(_) => Code::PassportMissing,
            Self::Host(_) | Self::System { .. } => Code::HostFailure,
        }
    }
}

fn at<E: std::fmt::Display>(what: &'static str) -> impl FnOnce(E) -> ReviewError {
    move |error| ReviewError::System { what, why: format!("{error:#}") }
}

impl Reviewer {
    /// Runs a submission through all scenarios. Takes seconds: a slow peer is waited for.
    ///
    /// # Errors
    /// [`ReviewError`]; nothing of the review is left on disk.
    pub async fn review(&self, probe: Probe) -> Result<Passport, ReviewError> {
        let stage = Stage::set(self, probe).await?;
        let mut watch = watch::Watch::new(&stage);
        for scenario in Scenario::ALL {
            watch.run(scenario).await?;
        }
        let passport = watch.passport(self.clock.now(), self.host);
        stage.strike();
        Ok(passport)
    }
}
