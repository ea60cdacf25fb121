//! From what went wrong on the way to a peer to the error code that a guest is told.
//!
//! The guest gets the kind and nothing of the text: texts of hyper, rustls and the system may quote what a peer sent or
//! name addresses of the inside.

use std::error::Error as _;

use wasmtime_wasi_http::Error;

use super::connect::ConnectError;
use super::headers::TooManyFields;
use super::peer::PeerError;

impl From<&PeerError> for Fault {
    fn from(error: &PeerError) -> Self {
        Self(match error {
            PeerError::Lookup { .. } | PeerError::Count { .. } | PeerError::Unmapped { .. } => {
                Error::DnsError { rcode: None, info_code: None }
            }
            PeerError::Timeout { .. } => Error::DnsTimeout,
            PeerError::NotPublic { .. } | PeerError::Own { .. } => Error::DestinationIpProhibited,
        })
    }
}

/// An error of the kind that a guest is told.
pub(crate) struct Fault(pub(crate) Error);

impl From<ConnectError> for Fault {
    fn from(error: ConnectError) -> Self {
        Self(match error {
            ConnectError::Timeout => Error::ConnectionTimeout,
            ConnectError::Unreachable(_) => Error::ConnectionRefused,
            ConnectError::Name => Error::HttpRequestUriInvalid,
            ConnectError::Certificate(_) => Error::TlsCertificateError,
            ConnectError::Tls(_) => Error::TlsProtocolError,
            ConnectError::FirstByte => Error::HttpResponseTimeout,
            ConnectError::Protocol(error) => protocol(&error),
        })
    }
}

fn protocol(error: &hyper::Error) -> Error {
    // An error of the request's own body comes back as hyper's cause.
    let own = error.source().and_then(|cause| cause.downcast_ref::<Error>());
    match own {
        Some(Error::HttpRequestBodySize(max)) => Error::HttpRequestBodySize(*max),
        Some(Error::HttpRequestTrailerSectionSize(size)) => {
            Error::HttpRequestTrailerSectionSize(*size)
        }
        Some(_) => Error::ConnectionTerminated,
        None if error.is_parse_too_large() => Error::HttpResponseHeaderSectionSize(None),
        None if error.is_incomplete_message() || error.is_closed() => Error::HttpResponseIncomplete,
        None => Error::HttpProtocolError,
    }
}

pub(crate) fn request_fields(flood: TooManyFields) -> Error {
    Error::HttpRequestHeaderSectionSize(u32::try_from(flood.bytes).ok())
}

pub(crate) fn response_fields(flood: TooManyFields) -> Error {
    Error::HttpResponseHeaderSectionSize(u32::try_from(flood.bytes).ok())
}
