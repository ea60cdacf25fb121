//! The one door to a call: who calls what, under which policy, while which orders stand.
//!
//! [`authorise`] is the only constructor of [`Authorised`]: it has no public fields, no `Clone` and no
//! `Deserialize`, so whoever holds one has passed tenant, token scope, kill orders and the operator's policy.

mod caller;

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

pub use caller::{CallScope, Caller};

use crate::capability::LabelSet;
use crate::cedar::OperatorPolicy;
use crate::code::Code;
use crate::denial::{Denial, Layer};
use crate::id::{FunctionName, Timestamp};
use crate::installation::{Installation, Rights, SecretRight, ToolRight};
use crate::kill::KillSet;

/// How many tool calls may hang under one another.
pub const TOOL_DEPTH_MAX: u8 = 4;

/// Permission to run one call of one function, and the judge of what that call asks for.
#[derive(Debug)]
pub struct Authorised {
    installation: Arc<Installation>,
    policy: Arc<OperatorPolicy>,
    caller: Caller,
    function: FunctionName,
    at: Timestamp,
    depth: u8,
    /// Labels of everything that came from other capsules: with the call, or as a tool's answer.
    foreign: AtomicU8,
}

/// Decides whether this caller may call this function now.
///
/// The kill set is judged here and once more by the host after the call is registered as running.
///
/// # Errors
/// The denial, with the layer that refuses, its reason and its remedy.
pub fn authorise(
    installation: &Arc<Installation>,
    caller: &Caller,
    function: &FunctionName,
    policy: &Arc<OperatorPolicy>,
    kills: &KillSet,
    now: Timestamp,
) -> Result<Authorised, Box<Denial>> {
    let operation = || format!("call {} {function}", installation.key);
    own_tenant(installation, caller, &operation)?;
    in_scope(installation, caller, &operation)?;
    if let Some(order) = kills.judge(installation.kill_subject()) {
        let reason = format!("order {order} stands");
        return Err(Box::new(
            Denial::new(Code::Killed, Layer::Kill, operation(), reason).by(order),
        ));
    }
    policy.judge_call(installation, caller, function)?;
    Ok(Authorised {
        installation: Arc::clone(installation),
        policy: Arc::clone(policy),
        caller: caller.clone(),
        function: function.clone(),
        at: now,
        depth: 0,
        foreign: AtomicU8::new(0),
    })
}

fn own_tenant(
    installation: &Installation,
    caller: &Caller,
    operation: &dyn Fn() -> String,
) -> Result<(), Box<Denial>> {
    if caller.org == installation.key.org && caller.environment == installation.key.environment {
        return Ok(());
    }
    let reason = format!("the caller belongs to {}/{}", caller.org, caller.environment);
    Err(Box::new(Denial::new(Code::OtherTenant, Layer::Grant, operation(), reason)))
}

fn in_scope(
    installation: &Installation,
    caller: &Caller,
    operation: &dyn Fn() -> String,
) -> Result<(), Box<Denial>> {
    let id = &installation.key.id;
    if caller.is_anonymous() {
        if installation.rights().serves_anonymous() {
            return Ok(());
        }
        let file = installation.key.file();
        let remedy = format!("send a token, or set anonymous = true in [grants.serve] of {file}");
        let denial =
            Denial::new(Code::NotServed, Layer::Grant, operation(), "the caller shows no token");
        return Err(Box::new(denial.fix(remedy)));
    }
    if caller.can.allows(id) {
        return Ok(());
    }
    let reason = format!("the token allows {}", caller.can);
    let denial = Denial::new(Code::TokenScope, Layer::Grant, operation(), reason);
    Err(Box::new(denial.fix(format!("mint one with `soma token new --can call:{id}`"))))
}

impl Authorised {
    /// What is called.
    #[must_use]
    pub const fn installation(&self) -> &Arc<Installation> {
        &self.installation
    }

    /// Who calls.
    #[must_use]
    pub const fn caller(&self) -> &Caller {
        &self.caller
    }

    /// Which function.
    #[must_use]
    pub const fn function(&self) -> &FunctionName {
        &self.function
    }

    /// Under which policy.
    #[must_use]
    pub const fn policy(&self) -> &Arc<OperatorPolicy> {
        &self.policy
    }

    /// When it was decided.
    #[must_use]
    pub const fn at(&self) -> Timestamp {
        self.at
    }

    /// What the installation may do.
    #[must_use]
    pub fn rights(&self) -> &Rights {
        self.installation.rights()
    }

    /// The secrets that the host may place.
    #[must_use]
    pub fn secrets(&self) -> &[SecretRight] {
        self.rights().secrets()
    }

    /// How many tool calls this one hangs under.
    #[must_use]
    pub const fn depth(&self) -> u8 {
        self.depth
    }

    /// The labels of what came from other capsules so far: with the call, or as a tool's answer. Every sink is
    /// judged by them. What the call reads itself is the host's to add when it calls on; the installation's own
    /// sinks were granted knowing its own sources.
    #[must_use]
    pub fn labels(&self) -> LabelSet {
        LabelSet::from_bits(self.foreign.load(Ordering::Acquire))
    }

    /// A tool answered with data that carries these labels: from now on this call's sinks are judged by them too.
    pub fn receive(&self, labels: LabelSet) {
        self.foreign.fetch_or(labels.bits(), Ordering::AcqRel);
    }

    /// Makes `child`, authorised on its own account, a tool call of this call: it must be what a tool entry
    /// allows, in the same tenant and environment, not too deep, and it inherits the labels of the data that
    /// goes along. Money, time and slots are attenuated where they are counted, in the host.
    ///
    /// # Errors
    /// The denial of the parent's side.
    pub fn attenuate(&self, child: Self, labels: LabelSet) -> Result<Self, Box<Denial>> {
        let called = &child.installation;
        let operation = || format!("tool {} {}", called.capsule, child.function);
        let deny =
            |code, reason: String| Box::new(Denial::new(code, Layer::Grant, operation(), reason));
        if self.depth >= TOOL_DEPTH_MAX {
            return Err(deny(
                Code::ToolDepth,
                format!("a chain has at most {TOOL_DEPTH_MAX} tool calls"),
            ));
        }
        let (own, its) = (&self.installation.key, &called.key);
        if own.org != its.org || own.environment != its.environment {
            return Err(deny(
                Code::ToolTenant,
                format!("it belongs to {}/{}", its.org, its.environment),
            ));
        }
        let of_capsule = |right: &&ToolRight| {
            let here = right.granted().installation.as_ref().is_none_or(|id| *id == its.id);
            right.granted().capsule == called.capsule
                && right.declared().capsule == called.capsule
                && here
        };
        let mut entries = self.rights().tools().iter().filter(of_capsule).peekable();
        if entries.peek().is_none() {
            return Err(deny(Code::ToolNotAllowed, "no tool entry names it".to_owned()));
        }
        let version = |right: &&ToolRight| {
            right.granted().version.allows(&called.version)
                && right.declared().version.allows(&called.version)
        };
        let mut entries = entries.filter(version).peekable();
        if entries.peek().is_none() {
            return Err(deny(
                Code::ToolVersion,
                format!("version {} is installed", called.version),
            ));
        }
        if !entries.any(|right| right.granted().functions.contains(&child.function)) {
            return Err(deny(Code::ToolFunction, "no tool entry lists the function".to_owned()));
        }
        child.receive(self.labels().union(labels));
        Ok(Self { depth: self.depth + 1, ..child })
    }
}

#[cfg(test)]
mod tests;
