//! Who submits: the right and a place are there before a byte of the component is read. A component with its papers is
//! large in memory, so there are few places, and one org never has all of them.

use axum::extract::FromRequestParts;
use http::request::Parts;
use soma_policy::Code;

use super::problem::Problem;
use crate::identity::{Cap, Principal};
use crate::server::{Place, Server};

/// Somebody who may submit, with a place for what they send.
#[derive(Debug)]
pub(super) struct Publisher {
    pub(super) principal: Principal,
    _place: Place,
}

impl FromRequestParts<Server> for Publisher {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, server: &Server) -> Result<Self, Problem> {
        let principal = Principal::from_request_parts(parts, server).await?;
        principal.must(&Cap::Publish)?;
        let busy = || Problem::new(Code::Busy, "too many submissions are on their way");
        let place = server.uploads.take(principal.org.as_str()).ok_or_else(busy)?;
        Ok(Self { principal, _place: place })
    }
}
