//! Tool calls: one installed capsule calls another, within one tenant and out of one reservation.
//!
//! The callee is whatever the caller's own environment has installed of that capsule, in a version that
//! the grant allows; no guest can name another tenant. The child's money, time, bytes and slot come out
//! of the parent's and fail at once, never wait. Depth and labels are judged where the child is
//! authorised.

use std::collections::HashMap;
use std::sync::{Arc, Weak};

use futures::FutureExt as _;
use soma_policy::{CapsuleName, EnvironmentId, InstallationKey, Layer, OrgId, Outcome, ToolRight};

use super::Host;
use crate::capability::tool::{ToolAnswer, ToolCall, ToolCaller, ToolFailure};
use crate::installations::Snapshot;
use crate::invoke::{CallReply, CallRequest, Parent};

/// Who can be called as a tool, so that a call does not look through all installations.
#[derive(Debug, Default)]
pub(crate) struct Callees(HashMap<(OrgId, EnvironmentId, CapsuleName), Vec<InstallationKey>>);

impl Callees {
    pub(super) fn of(snapshot: &Snapshot) -> Self {
        let mut callees: HashMap<_, Vec<_>> = HashMap::new();
        for installation in snapshot.entries().filter_map(|entry| entry.running.as_ref()) {
            let key = installation.key();
            let name = (key.org.clone(), key.environment.clone(), installation.capsule.clone());
            callees.entry(name).or_default().push(key.clone());
        }
        callees.values_mut().for_each(|keys| keys.sort());
        Self(callees)
    }

    /// The installation that a tool entry means: the one it names, else the first by id.
    fn find(
        &self,
        caller: &InstallationKey,
        right: &ToolRight,
        snapshot: &Snapshot,
    ) -> Option<InstallationKey> {
        let granted = right.granted();
        let name = (caller.org.clone(), caller.environment.clone(), granted.capsule.clone());
        let fits = |key: &&InstallationKey| {
            let named = granted.installation.as_ref().is_none_or(|id| *id == key.id);
            let version =
                snapshot.running(key).is_some_and(|it| granted.version.allows(&it.version));
            named && version
        };
        self.0.get(&name)?.iter().find(fits).cloned()
    }
}

/// The way from a guest's tool call back into the host.
pub(super) fn caller(host: Weak<Host>) -> Box<ToolCaller> {
    Box::new(move |call| {
        let host = host.upgrade();
        async move {
            let host = host.ok_or_else(|| ToolFailure::Unavailable("the host stops".to_owned()))?;
            host.call_tool(call).await
        }
        .boxed()
    })
}

impl Host {
    async fn call_tool(self: Arc<Self>, call: ToolCall) -> Result<ToolAnswer, ToolFailure> {
        let authorised = call.caller.authorised_shared();
        let tool = call.permit.tool();
        let right = authorised.rights().tools().iter().find(|right| right.name().as_str() == tool);
        let key = right.and_then(|right| {
            let own = authorised.installation().key();
            self.callees.load().find(own, right, &self.snapshot())
        });
        let key = key.ok_or_else(|| {
            ToolFailure::NotFound(format!("no installation here fits the tool entry `{tool}`"))
        })?;
        let function = call.permit.function().parse();
        let function = function
            .map_err(|_| ToolFailure::NotFound("there is no function of this name".to_owned()))?;
        let request = CallRequest {
            caller: authorised.caller().through_tool(),
            installation: key,
            function,
            arguments: call.arguments,
            id: None,
            timeout: None,
            stream: false,
        };
        let parent = Parent {
            running: call.caller.running().clone(),
            reservation: call.caller.reservation().clone(),
            labels: call.labels,
            authorised,
        };
        answer(self.call_as_child(request, parent).await)
    }
}

fn answer(reply: CallReply) -> Result<ToolAnswer, ToolFailure> {
    let labels = reply.labels;
    let words = || {
        let denial = reply.denials.first().map(ToString::to_string);
        denial.or_else(|| reply.detail.clone()).unwrap_or_else(|| reply.outcome.to_string())
    };
    Err(match reply.outcome {
        Outcome::Ok => {
            return Ok(ToolAnswer { result: reply.result.unwrap_or_default(), labels });
        }
        Outcome::GuestError => match reply.guest_error {
            Some(error) => ToolFailure::Guest(error.to_string(), labels),
            None => ToolFailure::InvalidArguments(words()),
        },
        Outcome::Denied if reply.denials.iter().any(|d| d.layer == Layer::Budget) => {
            ToolFailure::Budget(words())
        }
        Outcome::Denied | Outcome::Killed(_) => ToolFailure::Denied(words()),
        Outcome::Budget => ToolFailure::Budget(words()),
        Outcome::Limit(_) => ToolFailure::Limit(words()),
        Outcome::Trapped => ToolFailure::Trapped(words()),
        Outcome::Busy => ToolFailure::Unavailable(words()),
        _ => ToolFailure::Interrupted(words()),
    })
}
