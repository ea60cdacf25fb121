//! Requests of hosts: the proof is judged first, then the bounded body is read and must be the one that
//! was signed, and only then anything of it is parsed.

use axum::extract::{FromRequest, Request};
use bytes::Bytes;
use serde::de::DeserializeOwned;
use soma_policy::feed::PROOF_HEADER;

use super::body::{parse, read};
use super::problem::Problem;
use crate::hosts::{HostError, HostPrincipal};
use crate::server::Server;

/// A JSON body that a host proved.
#[derive(Debug)]
pub(crate) struct Proven<T> {
    pub(crate) host: HostPrincipal,
    pub(crate) value: T,
}

/// A body that a host proved, as it came.
#[derive(Debug)]
pub(crate) struct ProvenBytes {
    pub(crate) host: HostPrincipal,
    pub(crate) body: Bytes,
}

impl FromRequest<Server> for ProvenBytes {
    type Rejection = Problem;

    async fn from_request(request: Request, server: &Server) -> Result<Self, Problem> {
        let mut values = request.headers().get_all(PROOF_HEADER).iter();
        let (Some(header), None) = (values.next(), values.next()) else {
            return Err(HostError::Proof("it carries one `Soma-Host-Proof`").into());
        };
        let header = header.to_str().unwrap_or_default().to_owned();
        let path = request.uri().path_and_query().map_or("/", |it| it.as_str()).to_owned();
        let method = request.method().as_str().to_owned();
        let claim = server.claim(&header, &method, &path).await?;
        let body = read(request, server).await?;
        let host = claim.over(server, &body)?;
        Ok(Self { host, body })
    }
}

impl FromRequest<Server> for HostPrincipal {
    type Rejection = Problem;

    async fn from_request(request: Request, server: &Server) -> Result<Self, Problem> {
        Ok(ProvenBytes::from_request(request, server).await?.host)
    }
}

impl<T: DeserializeOwned> FromRequest<Server> for Proven<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, server: &Server) -> Result<Self, Problem> {
        super::body::must_be_json(&request)?;
        let ProvenBytes { host, body } = ProvenBytes::from_request(request, server).await?;
        Ok(Self { host, value: parse(&body)? })
    }
}

impl From<HostError> for Problem {
    fn from(error: HostError) -> Self {
        match error {
            HostError::Store(error) => error.into(),
            other => Self::new(other.code(), other.to_string()),
        }
    }
}
