//! The host's way to its server: every request signed, every answer bounded.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{ACCEPT, CONTENT_TYPE};
use http::{HeaderValue, Method};
use http_body_util::Full;
use serde::{Deserialize, Serialize};
use soma_capsule::dsse::{self, Envelope};
use soma_policy::feed::PROOF_HEADER;

use super::proof::Signer;
use super::wire::{Bounds, Wire};
use super::{ANSWER_BYTES_MAX, FeedError};
use crate::clock::Clock;
use crate::home::{Home, Server};

/// Longest time of a request unless the asker says otherwise.
const WITHIN: Duration = Duration::from_secs(15);
const JSON: HeaderValue = HeaderValue::from_static("application/json");

/// One request.
#[derive(Debug, Clone)]
pub struct Request<'a> {
    /// `GET` or `POST`.
    pub method: Method,
    /// Path and query.
    pub path: &'a str,
    /// The body; empty for none.
    pub body: Bytes,
    /// How long the whole of it may take.
    pub within: Duration,
    /// How large the answer may be.
    pub bytes_max: usize,
}

impl<'a> Request<'a> {
    /// Reads something.
    #[must_use]
    pub fn get(path: &'a str) -> Self {
        Self {
            method: Method::GET,
            path,
            body: Bytes::new(),
            within: WITHIN,
            bytes_max: ANSWER_BYTES_MAX,
        }
    }

    /// Sends something.
    #[must_use]
    pub fn post(path: &'a str, body: impl Into<Bytes>) -> Self {
        Self { method: Method::POST, body: body.into(), ..Self::get(path) }
    }
}

/// Asks the server of a home, in the name of its host.
pub struct FeedClient {
    server: Server,
    signer: Signer,
    clock: Arc<dyn Clock>,
    wire: Wire,
}

impl std::fmt::Debug for FeedClient {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "FeedClient({} of {})", self.signer.host, self.server.url)
    }
}

impl FeedClient {
    /// A client with the host's own key.
    ///
    /// # Errors
    /// When the key or the server's trust anchor cannot be used.
    pub fn new(home: &Home, server: Server, clock: Arc<dyn Clock>) -> Result<Self, FeedError> {
        let signer = Signer {
            deployment: server.deployment.clone(),
            host: home.identity().host,
            key: home.keys()?.host.pair()?,
        };
        let wire = Wire::new(&server.url, server.anchor.as_deref())?;
        Ok(Self { server, signer, clock, wire })
    }

    /// Whom it asks.
    #[must_use]
    pub fn server(&self) -> &Server {
        &self.server
    }

    /// Reads a path (with its query).
    ///
    /// # Errors
    /// [`FeedError`]; a problem of the server is [`FeedError::Refused`].
    pub async fn get(&self, path: &str) -> Result<Bytes, FeedError> {
        self.send(Request::get(path)).await
    }

    /// Sends JSON to a path.
    ///
    /// # Errors
    /// As [`FeedClient::get`].
    pub async fn post(&self, path: &str, body: impl Into<Bytes>) -> Result<Bytes, FeedError> {
        self.send(Request::post(path, body)).await
    }

    /// Sends a request with a fresh proof, and reads the whole answer.
    ///
    /// # Errors
    /// As [`FeedClient::get`].
    pub async fn send(&self, ask: Request<'_>) -> Result<Bytes, FeedError> {
        let bounds = Bounds { within: ask.within, bytes: ask.bytes_max };
        self.wire.send(|| self.signed(&ask), bounds).await
    }

    fn signed(&self, ask: &Request<'_>) -> Result<http::Request<Full<Bytes>>, FeedError> {
        let proof =
            self.signer.prove(ask.method.as_str(), ask.path, &ask.body, self.clock.now())?;
        let builder = http::Request::builder()
            .method(&ask.method)
            .uri(ask.path)
            .header(PROOF_HEADER, proof)
            .header(ACCEPT, JSON);
        let builder =
            if ask.body.is_empty() { builder } else { builder.header(CONTENT_TYPE, JSON) };
        builder.body(Full::new(ask.body.clone())).map_err(FeedError::system("the request"))
    }

    /// Reads a document that the feed key signed.
    ///
    /// # Errors
    /// [`FeedError::Document`] when it is not one, or of another kind.
    pub fn read<T>(&self, kind: &str, envelope: &[u8]) -> Result<T, FeedError>
    where
        T: Serialize + for<'de> Deserialize<'de>,
    {
        let envelope = Envelope::from_json(envelope)?;
        let key = std::slice::from_ref(&self.server.feed_key);
        Ok(dsse::verify(&envelope, kind, key)?.read()?)
    }
}
