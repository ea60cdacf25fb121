//! A host's signature over one request: method, path, body, and a nonce that is used once.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::HeaderValue;
use soma_capsule::dsse;
use soma_capsule::key::KeyPair;
use soma_policy::feed::{HostProof, kind};
use soma_policy::{Digest, HostId, Timestamp};

use super::FeedError;

/// Who signs, and for whom.
pub(super) struct Signer {
    pub(super) deployment: String,
    pub(super) host: HostId,
    pub(super) key: KeyPair,
}

impl Signer {
    /// The value of the proof's header for one request.
    pub(super) fn prove(
        &self,
        method: &str,
        path: &str,
        body: &[u8],
        at: Timestamp,
    ) -> Result<HeaderValue, FeedError> {
        let proof = HostProof {
            at,
            body: Digest::of(body),
            deployment: self.deployment.clone(),
            host: self.host,
            method: method.to_owned(),
            nonce: nonce()?,
            path: path.to_owned(),
        };
        let envelope = dsse::sign_document(kind::PROOF, &proof, &[&self.key])?;
        let text = URL_SAFE_NO_PAD.encode(envelope.to_json());
        HeaderValue::from_str(&text).map_err(FeedError::system("the host's proof"))
    }
}

/// 16 random bytes in base64url.
pub(crate) fn nonce() -> Result<String, FeedError> {
    let mut bytes = [0_u8; 16];
    getrandom::fill(&mut bytes).map_err(FeedError::system("randomness"))?;
    Ok(URL_SAFE_NO_PAD.encode(bytes))
}

#[cfg(test)]
mod tests {
    use soma_capsule::dsse::Envelope;

    use super::*;

    #[test]
    fn a_proof_covers_the_request_and_is_never_the_same_twice() {
        let signer = Signer {
            deployment: "d".to_owned(),
            host: HostId::from_u128(7),
            key: KeyPair::generate().unwrap(),
        };
        let prove = || signer.prove("POST", "/v1/feed/leases?x=1", b"{}", Timestamp(5)).unwrap();
        let read = |header: &HeaderValue| {
            let envelope = URL_SAFE_NO_PAD.decode(header.as_bytes()).unwrap();
            let envelope = Envelope::from_json(&envelope).unwrap();
            let keys = [signer.key.public().clone()];
            dsse::verify(&envelope, kind::PROOF, &keys).unwrap().read::<HostProof>().unwrap()
        };
        let (one, two) = (read(&prove()), read(&prove()));
        assert_eq!((one.at, one.body, one.host), (Timestamp(5), Digest::of(b"{}"), signer.host));
        assert_eq!((one.method.as_str(), one.path.as_str()), ("POST", "/v1/feed/leases?x=1"));
        assert_ne!(one.nonce, two.nonce);
        assert!((16..=64).contains(&one.nonce.len()));
    }
}
