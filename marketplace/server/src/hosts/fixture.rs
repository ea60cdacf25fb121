//! A host that tests speak as: its keys, and the proof over each request.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use soma_capsule::{KeyPair, dsse};
use soma_policy::feed::{FeedHead, HostProof, HostRole, kind};
use soma_policy::{Digest, HostId, Timestamp};

use crate::server::Server;
use crate::store::{HostRow, PlatformScope};

/// A host with its key.
pub(crate) struct TestHost {
    pub(crate) id: HostId,
    pub(crate) key: KeyPair,
}

impl TestHost {
    pub(crate) fn new(n: u128) -> Self {
        Self { id: HostId::from_u128(n), key: KeyPair::generate().expect("a key") }
    }

    pub(crate) fn signing_key(&self) -> String {
        STANDARD.encode(self.key.public().spki_der())
    }

    /// Enrolled without the route.
    pub(crate) async fn joined(n: u128, server: &Server, role: HostRole) -> Self {
        let this = Self::new(n);
        let row = HostRow {
            host: this.id,
            role,
            region: Some("eu".parse().expect("a region")),
            address: format!("http://127.0.0.1:{}", 9000 + n),
            signing_key: this.signing_key(),
            sealing_key: STANDARD.encode([7u8; 32]),
            program: "0.1.0".to_owned(),
            enrolled: server.now(),
            retired: None,
            quarantine: None,
            seen: None,
            boot: None,
            head: FeedHead::start(0),
            journal: None,
            journal_seq: 0,
            journal_head: Digest::ZERO,
            running: 0,
        };
        let mut unit = server.store.platform(PlatformScope::of("tests")).await.expect("a unit");
        unit.insert_host(&row).await.expect("it joins");
        unit.commit().await.expect("committed");
        this
    }

    /// What a proof says.
    pub(crate) fn says(&self, server: &Server, method: &str, path: &str, body: &[u8]) -> HostProof {
        HostProof {
            at: server.now(),
            body: Digest::of(body),
            deployment: server.deployment.clone(),
            host: self.id,
            method: method.to_owned(),
            nonce: server.fresh_text(),
            path: path.to_owned(),
        }
    }

    /// The header.
    pub(crate) fn signs(&self, proof: &HostProof) -> String {
        let envelope = dsse::sign_document(kind::PROOF, proof, &[&self.key]).expect("it signs");
        URL_SAFE_NO_PAD.encode(envelope.to_json())
    }

    /// The header over one request.
    pub(crate) fn proof(&self, server: &Server, method: &str, path: &str, body: &[u8]) -> String {
        self.signs(&self.says(server, method, path, body))
    }
}

/// A moment of the past or the future.
pub(crate) fn moved(at: Timestamp, by_ms: i64) -> Timestamp {
    Timestamp(at.0.saturating_add_signed(by_ms))
}
