//! The HTTP edge: requests become typed values, flows are called, values become answers. It decides
//! nothing by itself; who asks comes from the verified token alone.
//!
//! Every route stands in [`routes`], on one screen; the OpenAPI document is made from the same lines.

mod accounts;
mod acting;
mod audit;
mod auth;
mod body;
mod bootstrap;
mod capsules;
mod constitution;
mod environments;
mod etag;
mod factor;
mod feed;
mod guard;
mod hosts;
mod hurry;
mod installations;
mod invitations;
mod issuer;
mod kills;
mod limits;
mod members;
mod metrics;
mod money;
mod namespaces;
mod once;
mod openapi;
mod orgs;
mod page;
mod problem;
mod proven;
mod publisher;
mod reply;
mod resets;
mod reviews;
mod revocations;
mod routes;
mod secrets;
mod sender;
mod serve;
mod session;
mod status;
mod submissions;
#[cfg(test)]
mod tests;
mod users;

pub(crate) use guard::trace_id;
pub(crate) use metrics::Metrics;
pub use openapi::document as openapi;
