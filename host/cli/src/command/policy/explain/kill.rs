//! The kill orders that an explanation is judged by: those of the running host, else those on the disk.

use serde_json::Value;
use soma_host::home::Home;
use soma_host::token::Scope;
use soma_policy::{Code, Denial, Installation, KillOrder, KillScope, KillSet, Layer, OrderId};

use crate::client::Access;
use crate::command::list::items_of;
use crate::context::{Context, Place};
use crate::failure::Failure;
use crate::run::block_on;

/// What stands now. Without a host its files say it: an incomplete order counts then, because only a host
/// knows how much of its hour is over.
pub(super) fn standing(context: &Context, home: &Home, place: &Place) -> Result<KillSet, Failure> {
    match of_host(context, place) {
        Err(failure) if failure.code() == Some(Code::HostUnreachable) => {
            context.out.note("no host answers: kill orders are judged as they lie in state/kill");
            let standing = soma_host::kill::standing_on_disk(home);
            standing.map_err(|e| Failure::new(e.code(), Failure::chain(&e)))
        }
        other => other,
    }
}

fn of_host(context: &Context, place: &Place) -> Result<KillSet, Failure> {
    let client = context.client()?;
    let access = Access::new(place, &[Scope::Operate]);
    let known = block_on(client.get("/v1/kill-orders", &access))?;
    let orders: Vec<(KillScope, OrderId)> =
        items_of(&known).iter().filter(|item| stands(item)).filter_map(order).collect();
    Ok(KillSet::of(orders.iter().map(|(scope, id)| (scope, *id))))
}

fn stands(item: &Value) -> bool {
    let state = item.get("state").and_then(Value::as_str).unwrap_or_default();
    matches!(state, "complete" | "suspended")
}

fn order(item: &Value) -> Option<(KillScope, OrderId)> {
    let order: KillOrder = serde_json::from_value(item.get("order")?.clone()).ok()?;
    Some((order.scope, order.id))
}

/// The denial of an installation that an order stops.
pub(super) fn judge(kills: &KillSet, installation: &Installation, what: &str) -> Option<Denial> {
    let order = kills.judge(installation.kill_subject())?;
    let reason = format!("order {order} stands");
    let denial = Denial::new(Code::Killed, Layer::Kill, what.to_owned(), reason).by(order);
    Some(denial.fix(format!("soma unkill {order}, by as many operators as ordered it")))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn only_orders_that_stand_count() {
        let item = |state: &str| {
            json!({ "state": state, "order": {
                "id": "0000000000000000000000000H", "issued_at": "0", "reason": "drill",
                "scope": "everything", "severity": "high", "version": 1 } })
        };
        for (state, is) in
            [("complete", true), ("suspended", true), ("lapsed", false), ("lifted", false)]
        {
            assert_eq!(stands(&item(state)), is, "{state}");
        }
        let (scope, id) = order(&item("complete")).unwrap();
        assert_eq!((scope, id), (KillScope::Everything, OrderId::from_u128(17)));
        assert!(order(&json!({ "state": "complete" })).is_none());
    }
}
