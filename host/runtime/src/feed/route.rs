//! Where things are at the server. The one place that names its paths.
//!
//! All but the first carry a host's proof. Documents are DSSE envelopes as JSON.

use soma_policy::Digest;
use soma_policy::feed::FeedHead;

/// `Enrol` with a one-time token as its bearer → `Enrolled`.
pub(super) const ENROL: &str = "/v1/hosts";
/// `HostReport` → heartbeat, signed.
pub(super) const HEARTBEAT: &str = "/v1/feed/heartbeat";
/// That a new epoch began, signed by the root.
pub(super) const EPOCH: &str = "/v1/feed/epoch";
/// A kill order or lift as operators signed it, on its way upward.
pub(super) const KILLS: &str = "/v1/kill-orders";
/// A receipt of this host for what it stopped, signed.
pub(super) const KILL_RECEIPTS: &str = "/v1/feed/kill-receipts";

/// Everything, or what came after a place: a signed snapshot, or a signed batch that may be empty. The server
/// holds its answer back for at most `wait_ms` while there is nothing new.
pub(super) fn feed(after: Option<&FeedHead>, wait_ms: u64) -> String {
    match after {
        None => "/v1/feed".to_owned(),
        Some(FeedHead { epoch, hash, n }) => {
            format!("/v1/feed?epoch={epoch}&n={n}&hash={hash}&wait={wait_ms}")
        }
    }
}

/// A component, its bundle, the marketplace's approval of it.
pub(super) fn component(digest: &Digest) -> [String; 3] {
    ["", "/bundle", "/approval"].map(|part| format!("/v1/feed/components/{digest}{part}"))
}
