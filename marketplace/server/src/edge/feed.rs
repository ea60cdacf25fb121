//! The feed over HTTP: for hosts alone, each request with its proof.

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http::header::CONTENT_TYPE;
use serde::Deserialize;
use soma_policy::feed::{FeedHead, HostReport, HostRole, WAIT_MAX_MS};
use soma_policy::{Code, Digest, Millis};
use utoipa::IntoParams;

use super::body::{At, Search};
use super::problem::Problem;
use super::proven::Proven;
use crate::feed::{EpochError, FeedEpoch, FeedError, Place};
use crate::hosts::{HostError, HostPrincipal, is_nonce};
use crate::packages::PackageError;
use crate::server::Server;

/// Most results of checks, and most revisions that do not run, in one report.
const REPORTED_MAX: usize = 256;

/// Where a host is; all three, or none for everything.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Here {
    /// The epoch that it knows.
    epoch: Option<u64>,
    /// The number of the last change that it applied.
    n: Option<u64>,
    /// The hash of that change.
    #[param(value_type = Option<String>)]
    hash: Option<Digest>,
    /// How long to wait for a change, in milliseconds.
    #[param(maximum = 20000)]
    wait: Option<u64>,
}

impl Here {
    fn place(&self) -> Result<Place, Problem> {
        match (self.epoch, self.n, self.hash) {
            (Some(epoch), Some(n), Some(hash)) => Ok(Some(FeedHead { epoch, hash, n })),
            (None, None, None) => Ok(None),
            _ => Err(Problem::field("epoch, n, hash", "give all three, or none for everything")),
        }
    }
}

/// Changes from exactly the host's place (a DSSE envelope of kind `feed-batch`), or everything
/// (`feed-snapshot`) where the place is not one of this feed or too far behind.
#[utoipa::path(get, path = "/v1/feed", tag = "feed", params(Here),
    responses((status = 200, description = "a signed batch or snapshot", body = Object)), security(("host" = [])))]
pub(super) async fn follow(
    State(server): State<Server>,
    Search(here): Search<Here>,
    host: HostPrincipal,
) -> Result<Response, Problem> {
    host.must_be(&[HostRole::Host, HostRole::Gateway])?;
    let wait = here.wait.unwrap_or(0);
    if wait > WAIT_MAX_MS {
        return Err(Problem::field("wait", format!("at most {WAIT_MAX_MS} milliseconds")));
    }
    Ok(json(server.feed_from(here.place()?, Millis(wait)).await?))
}

/// Takes a host's report; answers with a signed heartbeat over its nonce, or with 503 while nobody can say how far the feed is.
#[utoipa::path(post, path = "/v1/feed/heartbeat", tag = "feed", request_body = Object,
    responses((status = 200, description = "a DSSE envelope of kind `feed-heartbeat`", body = Object)), security(("host" = [])))]
pub(super) async fn heartbeat(
    State(server): State<Server>,
    Proven { host, value }: Proven<HostReport>,
) -> Result<Response, Problem> {
    let rule = "at most 256 entries";
    if value.checks.len() > REPORTED_MAX {
        return Err(Problem::field("checks", rule));
    }
    if value.not_running.len() > REPORTED_MAX {
        return Err(Problem::field("not_running", rule));
    }
    if !is_nonce(&value.nonce) {
        return Err(Problem::field("nonce", "16 to 64 characters of base64url"));
    }
    let answer = server.heartbeat(host.host, &value).await?;
    Ok(json(answer.ok_or(HostError::Retired(host.host))?))
}

/// A component.
#[utoipa::path(get, path = "/v1/feed/components/{digest}", tag = "feed", params(("digest" = String, Path)),
    responses((status = 200, description = "the component", body = Vec<u8>, content_type = "application/wasm")), security(("host" = [])))]
pub(super) async fn component(
    State(server): State<Server>,
    At(digest): At<Digest>,
    host: HostPrincipal,
) -> Result<Response, Problem> {
    host.must_be(&[HostRole::Host, HostRole::Review])?;
    file(server.packages.component(digest).await?, "application/wasm")
}

/// A component's signature as it was submitted.
#[utoipa::path(get, path = "/v1/feed/components/{digest}/bundle", tag = "feed", params(("digest" = String, Path)),
    responses((status = 200, description = "the bundle", body = Object)), security(("host" = [])))]
pub(super) async fn bundle(
    State(server): State<Server>,
    At(digest): At<Digest>,
    host: HostPrincipal,
) -> Result<Response, Problem> {
    host.must_be(&[HostRole::Host, HostRole::Review])?;
    file(server.packages.bundle(digest).await?, "application/json")
}

/// The marketplace's countersignature (a DSSE envelope of kind `release-approval`).
#[utoipa::path(get, path = "/v1/feed/components/{digest}/approval", tag = "feed", params(("digest" = String, Path)),
    responses((status = 200, description = "the approval", body = Object)), security(("host" = [])))]
pub(super) async fn approval(
    State(server): State<Server>,
    At(digest): At<Digest>,
    host: HostPrincipal,
) -> Result<Response, Problem> {
    host.must_be(&[HostRole::Host, HostRole::Review])?;
    file(server.packages.approval(digest).await?, "application/json")
}

/// Begins a new epoch after a restore, by a document of kind `feed-epoch` that the root key signed.
#[utoipa::path(post, path = "/v1/feed/epoch", tag = "feed", request_body = Object,
    responses((status = 200, description = "what the document says", body = Object)), security(()))]
pub(super) async fn begin_epoch(
    State(server): State<Server>,
    body: Bytes,
) -> Result<axum::Json<FeedEpoch>, Problem> {
    Ok(axum::Json(server.raise_epoch(&body).await?))
}

/// The root's document for the epoch that is: hosts that meet a new epoch look at it.
#[utoipa::path(get, path = "/v1/feed/epoch", tag = "feed",
    responses((status = 200, description = "a DSSE envelope of kind `feed-epoch`", body = Object)), security(()))]
pub(super) async fn epoch(State(server): State<Server>) -> Result<Response, Problem> {
    let document = server.epoch_document().await?;
    Ok(json(document.ok_or_else(|| Problem::not_found("document: the epoch is the first"))?))
}

fn json(envelope: impl Into<Bytes>) -> Response {
    ([(CONTENT_TYPE, "application/json")], envelope.into()).into_response()
}

fn file(found: Option<Bytes>, kind: &'static str) -> Result<Response, Problem> {
    let bytes = found.ok_or_else(|| Problem::not_found("component"))?;
    Ok(([(CONTENT_TYPE, kind)], bytes).into_response())
}

impl From<FeedError> for Problem {
    fn from(error: FeedError) -> Self {
        match error {
            FeedError::Store(error) => error.into(),
            other => {
                tracing::error!(error = %other, "a host is told nothing");
                Self::new(other.code(), other.to_string())
            }
        }
    }
}

impl From<EpochError> for Problem {
    fn from(error: EpochError) -> Self {
        match error {
            EpochError::Store(error) => error.into(),
            other => Self::new(other.code(), other.to_string()),
        }
    }
}

impl From<PackageError> for Problem {
    fn from(error: PackageError) -> Self {
        match error {
            PackageError::TooLarge { .. } => Self::new(Code::BodyTooLarge, error.to_string()),
            PackageError::Approved(_) => Self::new(Code::Exists, error.to_string()),
            PackageError::Missing(_) => Self::new(Code::NotFound, error.to_string()),
            PackageError::Damaged(_) | PackageError::Disk(..) => {
                tracing::error!(%error, "a component file failed");
                Self::new(Code::HostFailure, "the server failed")
            }
        }
    }
}
