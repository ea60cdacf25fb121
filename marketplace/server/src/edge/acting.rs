//! Whether a request may do what the rules of the marketplace know by name: the token's right, the member's role,
//! and two fresh factors where the rule asks for them.

use soma_market::Words;
use soma_market::org::{Actor, Permission};

use super::problem::Problem;
use crate::identity::{Cap, Principal};
use crate::market::actor;
use crate::server::Server;
use crate::store::Unit;

/// Who acts, if they may.
pub(super) async fn acting(
    server: &Server,
    unit: &mut Unit,
    principal: &Principal,
    (cap, permission): (Cap, Permission),
) -> Result<Actor, Problem> {
    principal.must(&cap)?;
    let actor = actor(unit, principal).await?;
    actor.may(permission)?;
    if permission.line().step_up {
        principal.must_be_fresh(server)?;
    }
    Ok(actor)
}

/// A text that a person writes and others read.
pub(super) fn words(field: &str, text: &str) -> Result<Words, Problem> {
    text.parse().map_err(|refused: soma_market::Refusal| Problem::field(field, refused.reason))
}
