//! A host's signature over one request, judged: nothing of the request counts before it.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use soma_capsule::PublicKey;
use soma_capsule::dsse::{self, Envelope};
use soma_policy::feed::{HostProof, HostRole, PROOF_AGE_MAX_MS, kind};
use soma_policy::{BootId, Code, Digest, HostId, RegionId, Timestamp};

use super::nonces::Taken;
use crate::server::Server;
use crate::store::{HostRow, PlatformScope, StoreError};

const SCOPE: PlatformScope = PlatformScope::of("host proof");
/// The longest header that is looked at.
const HEADER_BYTES_MAX: usize = 8 * 1024;

/// A host that proved itself for one request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct HostPrincipal {
    pub(crate) host: HostId,
    pub(crate) role: HostRole,
    pub(crate) region: Option<RegionId>,
    /// The run that made its last report; none before the first.
    pub(crate) boot: Option<BootId>,
    /// Whether it gets neither money nor secrets until an operator has looked.
    pub(crate) quarantined: bool,
    /// Secrets are sealed to this key (X25519, 32 bytes in base64).
    pub(crate) sealing_key: String,
    /// Its journal heads and receipts are signed by this key.
    pub(crate) signing_key: PublicKey,
}

/// Why a request is not taken for a host's.
#[derive(Debug, thiserror::Error)]
pub(crate) enum HostError {
    /// No proof, or one that does not fit.
    #[error("the request is not proven by a host of this server: {0}")]
    Proof(&'static str),
    /// It was taken before.
    #[error("the proof was taken before, or is older than this server's start")]
    Replayed,
    /// An operator took it out.
    #[error("the host `{0}` was retired")]
    Retired(HostId),
    /// More requests than anybody needs.
    #[error("the host sends too many requests")]
    TooFast,
    /// The role has no business here.
    #[error("a host of the role `{0}` gets nothing of this")]
    Role(&'static str),
    /// Nobody has judged this run of it yet.
    #[error(
        "this run of the host has not reported yet: leases are given after its first heartbeat"
    )]
    Unheard,
    /// It contradicted itself.
    #[error("the host is under quarantine: {0}")]
    Quarantined(String),
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl HostError {
    /// The stable code of this refusal.
    pub(crate) fn code(&self) -> Code {
        match self {
            Self::Proof(_) => Code::HostProofBad,
            Self::Replayed => Code::HostProofReplayed,
            Self::Retired(_) => Code::HostRetired,
            Self::TooFast => Code::RateLimited,
            Self::Unheard => Code::LeaseStart,
            Self::Role(_) | Self::Quarantined(_) => Code::TokenRight,
            Self::Store(_) => Code::StoreDown,
        }
    }
}

/// A proof whose signature fits, for a request whose body was not read yet.
#[derive(Debug)]
pub(crate) struct Claim {
    principal: HostPrincipal,
    proof: HostProof,
}

impl Server {
    /// Judges everything of a proof but the body and the nonce.
    pub(crate) async fn claim(
        &self,
        header: &str,
        method: &str,
        path: &str,
    ) -> Result<Claim, HostError> {
        let envelope = read(header).ok_or(HostError::Proof("the header is no signed document"))?;
        let said: HostProof = serde_json::from_slice(envelope.unverified_payload())
            .map_err(|_| HostError::Proof("the document is no proof"))?;
        let row = self.store.survey(SCOPE).await?.host(&said.host).await?;
        // An unknown host learns no more than one with a wrong key.
        let row = row.ok_or(HostError::Proof("no enrolled key fits"))?;
        let key = key(&row).ok_or(HostError::Proof("no enrolled key fits"))?;
        let proof: HostProof = dsse::verify(&envelope, kind::PROOF, std::slice::from_ref(&key))
            .and_then(|proven| proven.read())
            .map_err(|_| HostError::Proof("no enrolled key fits"))?;
        if row.retired.is_some() {
            return Err(HostError::Retired(row.host));
        }
        judge(&proof, &self.deployment, method, path, self.now())?;
        Ok(Claim { principal: principal(row, key), proof })
    }
}

impl Claim {
    /// The host, if the body is the one that was signed and nobody sent this request before.
    pub(crate) fn over(self, server: &Server, body: &[u8]) -> Result<HostPrincipal, HostError> {
        let Self { principal, proof } = self;
        if Digest::of(body) != proof.body {
            return Err(HostError::Proof("it is over another body"));
        }
        match server.nonces.take(proof.host, &proof.nonce, proof.at, server.now()) {
            Taken::Fresh => Ok(principal),
            Taken::Replayed => Err(HostError::Replayed),
            Taken::Full => Err(HostError::TooFast),
        }
    }
}

impl HostPrincipal {
    /// Refuses a host that contradicted itself.
    pub(crate) fn must_be_sound(&self) -> Result<(), HostError> {
        let words = || "an operator has to look at its journal first".to_owned();
        if self.quarantined { Err(HostError::Quarantined(words())) } else { Ok(()) }
    }

    /// Refuses a run that has made no report, or not the last one: whether a host came back from a copy is judged
    /// by the first report of a run.
    pub(crate) fn must_have_reported(&self, boot: BootId) -> Result<(), HostError> {
        if self.boot == Some(boot) { Ok(()) } else { Err(HostError::Unheard) }
    }

    /// Refuses every role but these.
    pub(crate) fn must_be(&self, roles: &[HostRole]) -> Result<(), HostError> {
        if roles.contains(&self.role) {
            return Ok(());
        }
        Err(HostError::Role(match self.role {
            HostRole::Host => "host",
            HostRole::Review => "review",
            HostRole::Gateway => "gateway",
        }))
    }
}

fn read(header: &str) -> Option<Envelope> {
    if header.len() > HEADER_BYTES_MAX {
        return None;
    }
    Envelope::from_json(&URL_SAFE_NO_PAD.decode(header).ok()?).ok()
}

fn key(row: &HostRow) -> Option<PublicKey> {
    PublicKey::from_spki_der(&STANDARD.decode(&row.signing_key).ok()?).ok()
}

fn principal(row: HostRow, signing_key: PublicKey) -> HostPrincipal {
    let HostRow { host, role, region, boot, sealing_key, quarantine, .. } = row;
    let quarantined = quarantine.is_some();
    HostPrincipal { host, role, region, boot, quarantined, sealing_key, signing_key }
}

fn judge(
    proof: &HostProof,
    deployment: &str,
    method: &str,
    path: &str,
    now: Timestamp,
) -> Result<(), HostError> {
    let wrong = |what| Err(HostError::Proof(what));
    if proof.deployment != deployment {
        return wrong("it is for another server");
    }
    if proof.method != method || proof.path != path {
        return wrong("it is for another method or path");
    }
    if now.since(proof.at).0.max(proof.at.since(now).0) > PROOF_AGE_MAX_MS {
        return wrong("its time is too far from the server's clock");
    }
    if !is_nonce(&proof.nonce) {
        return wrong("its nonce is not 16 to 64 characters of base64url");
    }
    Ok(())
}

/// What hosts draw for a request: 16 to 64 characters of base64url.
pub(crate) fn is_nonce(text: &str) -> bool {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
    (16..=64).contains(&text.len()) && text.bytes().all(plain)
}
