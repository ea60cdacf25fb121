//! Why something did not come about between host and server. None of it is shown to a tenant's caller.

use soma_capsule::dsse::DsseError;
use soma_policy::Code;
use soma_policy::feed::ChainFault;

use crate::home::HomeError;

/// Why the server was not reached, or what it said does not count.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FeedError {
    /// No connection, or it broke.
    #[error("the server is not reached: {0}")]
    Unreachable(String),
    /// No answer within the time.
    #[error("the server did not answer within {} ms", .0.as_millis())]
    TimedOut(std::time::Duration),
    /// The server said no.
    #[error("the server answered {status} {code}: {detail}")]
    Refused {
        /// The HTTP status.
        status: u16,
        /// The problem's code; empty if there was none.
        code: String,
        /// What it said, cut to a sane length.
        detail: String,
    },
    /// An answer larger than is accepted.
    #[error("the server's answer is larger than {0} bytes")]
    TooLarge(usize),
    /// Not a document of the feed key.
    #[error("the server's answer does not count: {0}")]
    Document(#[from] DsseError),
    /// A document of the feed key that is not what was asked for.
    #[error("the server's answer does not count: {0}")]
    Unfit(String),
    /// Changes that do not hang together.
    #[error(transparent)]
    Chain(#[from] ChainFault),
    /// The feed contradicts what was applied: a restored server, a fork, or somebody in between.
    #[error("the feed contradicts itself: {0}")]
    Forked(String),
    /// The home.
    #[error(transparent)]
    Home(#[from] HomeError),
    /// Something of this machine: TLS, randomness, threads.
    #[error("{what}: {why}")]
    System {
        /// Which part.
        what: &'static str,
        /// Why.
        why: String,
    },
}

impl FeedError {
    /// The stable code of it.
    #[must_use]
    pub fn code(&self) -> Code {
        match self {
            Self::Unreachable(_) | Self::TimedOut(_) | Self::Refused { .. } => Code::FeedStale,
            Self::TooLarge(_) | Self::Document(_) | Self::Unfit(_) => Code::EnvelopeMalformed,
            Self::Chain(_) | Self::Forked(_) => Code::FeedForked,
            Self::Home(error) => error.code(),
            Self::System { .. } => Code::HostFailure,
        }
    }

    /// The status that the server answered with, if it answered with one.
    #[must_use]
    pub const fn status(&self) -> Option<u16> {
        match self {
            Self::Refused { status, .. } => Some(*status),
            _ => None,
        }
    }

    /// Names the part of this machine that failed.
    pub(crate) fn system<E: std::fmt::Display>(what: &'static str) -> impl FnOnce(E) -> Self {
        move |error| Self::System { what, why: error.to_string() }
    }
}
