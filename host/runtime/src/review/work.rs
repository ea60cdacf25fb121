//! The role `review`: ask the server for a submission, watch it, sign the passport, hand it in.

use std::time::Duration;

use soma_capsule::dsse;
use soma_capsule::key::{KeyPair, PublicKey};
use soma_capsule::{TrustStore, UnverifiedPackage};
use soma_policy::feed::{Passport, PublisherKeys, ReviewJob, kind};
use tokio_util::sync::CancellationToken;

use super::{Probe, Progress, ReviewError, Reviewer};
use crate::feed::{FeedClient, FeedError, Request};

/// How long a review host waits before it asks again when there is nothing.
const PAUSE: Duration = Duration::from_millis(500);
/// The same after the server could not be asked.
const PAUSE_AFTER_FAILURE: Duration = Duration::from_secs(3);
/// A component with its envelope.
const COMPONENT_BYTES_MAX: usize = 33 << 20;

/// Why one submission was not watched to its end.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WorkError {
    /// The server.
    #[error(transparent)]
    Server(#[from] FeedError),
    /// What the server said.
    #[error("the server's answer is not what it should be: {0}")]
    Answer(String),
    /// The package.
    #[error(transparent)]
    Package(#[from] Box<soma_capsule::VerifyError>),
    /// The review.
    #[error(transparent)]
    Review(#[from] ReviewError),
}

/// Works until it is asked to stop.
pub async fn work(
    client: &FeedClient,
    reviewer: &Reviewer,
    key: &KeyPair,
    progress: &Progress,
    stop: CancellationToken,
) {
    loop {
        let done = step(client, reviewer, key).await;
        if done.is_ok() {
            progress.heard(reviewer.clock.monotonic());
        }
        let pause = match done {
            Ok(true) => {
                progress.watched();
                Duration::ZERO
            }
            Ok(false) => PAUSE,
            Err(error) => {
                progress.failed();
                tracing::warn!(%error, "a submission was not watched");
                PAUSE_AFTER_FAILURE
            }
        };
        tokio::select! {
            biased;
            () = stop.cancelled() => return,
            () = tokio::time::sleep(pause) => {}
        }
    }
}

/// One submission, if there is one.
async fn step(client: &FeedClient, reviewer: &Reviewer, key: &KeyPair) -> Result<bool, WorkError> {
    let answer = client.post("/v1/feed/reviews/next", "{}").await?;
    if answer.is_empty() {
        return Ok(false);
    }
    let bad = |error: &dyn std::fmt::Display| WorkError::Answer(error.to_string());
    let job: ReviewJob = serde_json::from_slice(&answer).map_err(|error| bad(&error))?;
    let probe = fetch(client, &job).await?;
    let passport: Passport = reviewer.review(probe).await?;
    let signed = dsse::sign_document(kind::PASSPORT, &passport, &[key]);
    let signed = signed.map_err(|error| bad(&error))?;
    let path = format!("/v1/feed/reviews/{}", job.submission);
    client.post(&path, signed.to_json()).await?;
    Ok(true)
}

async fn fetch(client: &FeedClient, job: &ReviewJob) -> Result<Probe, WorkError> {
    let path = format!("/v1/feed/components/{}", job.digest);
    let ask = Request { bytes_max: COMPONENT_BYTES_MAX, ..Request::get(&path) };
    let component = client.send(ask).await?.to_vec();
    let bundle = client.get(&format!("{path}/bundle")).await?.to_vec();
    let trust = trust(&job.keys)?;
    Ok(Probe::verify(UnverifiedPackage { component, bundle }, trust, &job.digest)?)
}

/// Only the keys that the job names count.
fn trust(keys: &PublisherKeys) -> Result<TrustStore, WorkError> {
    use base64::Engine as _;
    let bad = |error: &dyn std::fmt::Display| WorkError::Answer(error.to_string());
    let mut trust = TrustStore::new();
    for key in &keys.keys {
        let der = base64::engine::general_purpose::STANDARD.decode(key);
        let der = der.map_err(|error| bad(&error))?;
        let key = PublicKey::from_spki_der(&der).map_err(|error| bad(&error))?;
        trust.pin(keys.publisher.clone(), key).map_err(|error| bad(&error))?;
    }
    Ok(trust)
}
