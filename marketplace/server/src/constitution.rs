//! The constitution on the server: proposed by one operator, signed by as many as the quorum says, then
//! activated; told to every host in the same transaction.
//!
//! What makes it count is the operators' signatures under the root that is pinned here. The token and its two
//! fresh factors say who brought it. A version follows exactly the one that holds; an older text comes back
//! under a new number. Hosts check all of it themselves: nothing that this server says can loosen their law.

mod error;
mod keep;
mod law;
mod stand;

pub(crate) use error::ConstitutionError;
pub(crate) use stand::{Name, Standing};

use crate::store::PlatformScope;

pub(crate) const SCOPE: PlatformScope = PlatformScope::of("constitution");
/// The one subject of its topic.
const SUBJECT: &str = "active";
/// What subscribers are told.
const EVENT: &str = "constitution.updated";
/// Proposals for one number at most.
const PROPOSALS_MAX: usize = 32;
