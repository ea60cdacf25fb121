//! Refusing what would be one too many.

use soma_policy::{Code, OrgId};

use super::problem::Problem;
use crate::store::{Limit, Unit};

/// Refuses one more than an org may have.
pub(crate) async fn room(unit: &mut Unit, org: &OrgId, limit: Limit) -> Result<(), Problem> {
    if unit.has_room(org, limit).await? {
        return Ok(());
    }
    let (field, what, remedy) = limit.words();
    let rule = format!("`{field}`: an org has at most {} {what}; {remedy}", limit.most());
    Err(Problem::new(Code::TooMany, rule))
}
