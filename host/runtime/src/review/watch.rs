//! Running the scenarios, and writing down what happened.

use std::collections::BTreeMap;

use futures::future::join_all;
use soma_capsule::dsse;
use soma_policy::feed::{Noticed, Passport, Scenario, Watched};
use soma_policy::{
    CallScope, Caller, Code, Denial, Digest, HostId, InstallationKey, KillOrder, Millis, OrderId,
    Outcome, Reason, Severity, Timestamp, canonical,
};

use super::probe::Subject;
use super::stage::{PATIENCE, Stage, scope};
use super::{ReviewError, at};
use crate::invoke::{CallReply, CallRequest};
use crate::kill::ORDER_KIND;

const DENIALS_MAX: usize = 8;
const NOTICED_MAX: usize = 100;
/// With peers that never answer, one call waits for this long.
const STALLED: Millis = Millis(1_000);

/// What was watched so far.
pub(super) struct Watch<'s> {
    stage: &'s Stage,
    runs: Vec<Watched>,
    noticed: Vec<Noticed>,
    /// Functions that trapped in the usual surroundings: elsewhere it is no news.
    trapped: BTreeMap<String, bool>,
}

impl<'s> Watch<'s> {
    pub(super) fn new(stage: &'s Stage) -> Self {
        Self { stage, runs: Vec::new(), noticed: Vec::new(), trapped: BTreeMap::new() }
    }

    /// Runs every function once in these surroundings, all at one time.
    pub(super) async fn run(&mut self, scenario: Scenario) -> Result<(), ReviewError> {
        let stage = self.stage;
        let key = match scenario {
            Scenario::Refused => match &stage.narrow {
                Some(narrow) => narrow,
                None => return Ok(()),
            },
            Scenario::Usual | Scenario::Killed => &stage.usual,
            _ if stage.peers.is_empty() => return Ok(()),
            _ => &stage.usual,
        };
        stage.peers.play(scenario);
        let calls = stage.subjects.iter().map(|subject| stage.call(key, subject, scenario));
        let replies = if scenario == Scenario::Killed {
            let (replies, killed) = futures::join!(join_all(calls), stage.kill());
            killed?;
            replies
        } else {
            join_all(calls).await
        };
        for (subject, reply) in stage.subjects.iter().zip(replies) {
            self.judge(subject, scenario, &reply);
            self.runs.push(written(subject, scenario, &reply)?);
        }
        Ok(())
    }

    fn judge(&mut self, subject: &Subject, scenario: Scenario, reply: &CallReply) {
        let name = &subject.name;
        if scenario == Scenario::Usual {
            let trapped = self.trapped.entry(name.clone()).or_default();
            *trapped |= reply.outcome == Outcome::Trapped;
            for denial in reply.denials.iter().filter(|denial| is_undeclared(denial)) {
                let evidence = format!("{name} asked for {}: {}", denial.operation, denial.reason);
                self.notice(Code::BehaviourUndeclared, evidence);
            }
        }
        let known = self.trapped.get(name).copied().unwrap_or_default();
        if reply.outcome == Outcome::Trapped && (scenario == Scenario::Usual || !known) {
            let words = reply.detail.as_deref().and_then(|detail| detail.lines().next());
            let evidence =
                format!("{name} trapped ({}): {}", word(scenario), words.unwrap_or_default());
            self.notice(Code::BehaviourFragile, evidence);
        }
        if reply.outcome == Outcome::HostFailure {
            self.notice(
                Code::BehaviourFragile,
                format!("{name} made the host fail ({})", word(scenario)),
            );
        }
    }

    fn notice(&mut self, code: Code, evidence: String) {
        let evidence: String = evidence.chars().take(300).collect();
        let it = Noticed { code, evidence };
        if self.noticed.len() < NOTICED_MAX && !self.noticed.contains(&it) {
            self.noticed.push(it);
        }
    }

    pub(super) fn passport(self, at: Timestamp, host: HostId) -> Passport {
        let facts = &self.stage.facts;
        Passport {
            at,
            capsule: facts.name.clone(),
            digest: facts.digest,
            host,
            noticed: self.noticed,
            program: env!("CARGO_PKG_VERSION").to_owned(),
            reached: self.stage.peers.reached(),
            runs: self.runs,
            unseen: self.stage.unseen.clone(),
            v: Passport::VERSION,
            version: facts.version.clone(),
        }
    }
}

impl Stage {
    async fn call(
        &self,
        key: &InstallationKey,
        subject: &Subject,
        scenario: Scenario,
    ) -> CallReply {
        let Ok(function) = subject.name.parse() else {
            let call = soma_policy::CallId::from_u128(self.host.clock().fresh_id());
            return CallReply::refused(call, Outcome::GuestError);
        };
        let stalled = matches!(scenario, Scenario::Slow | Scenario::Killed);
        let (org, environment) = (key.org.clone(), key.environment.clone());
        let request = CallRequest {
            caller: Caller::new(org, environment, "review", None, CallScope::All),
            installation: key.clone(),
            function,
            arguments: subject.arguments.clone(),
            id: None,
            timeout: Some(if stalled { STALLED } else { PATIENCE }),
            stream: false,
        };
        self.host.call(request).await.reply().await
    }

    /// Stops everything of the submission by a signed order, as an operator would.
    async fn kill(&self) -> Result<(), ReviewError> {
        let clock = self.host.clock();
        let order = KillOrder {
            evidence: None,
            id: OrderId::from_u128(clock.fresh_id()),
            issued_at: clock.now(),
            reason: Reason::Drill,
            scope: scope(&self.facts),
            severity: Severity::Low,
            version: 1,
        };
        let envelope = dsse::sign_document(ORDER_KIND, &order, &[&self.operator]);
        let envelope = envelope.map_err(at("a kill order"))?;
        self.host.kill(envelope.to_json()).await.map_err(at("a kill order")).map(drop)
    }
}

fn written(
    subject: &Subject,
    scenario: Scenario,
    reply: &CallReply,
) -> Result<Watched, ReviewError> {
    let input = canonical::value_to_vec(&subject.arguments).map_err(at("the arguments"))?;
    let denials = reply.denials.iter().take(DENIALS_MAX);
    let line = |denial: &Denial| {
        let text = format!("{} {}", denial.code, denial.operation);
        text.chars().take(300).collect()
    };
    Ok(Watched {
        denials: denials.map(line).collect(),
        function: subject.name.clone(),
        input: Digest::of(&input),
        outcome: named(reply.outcome),
        scenario,
        usage: reply.usage,
    })
}

/// The outcome as receipts name it. The id of the review's own order says nothing to anyone.
fn named(outcome: Outcome) -> String {
    match outcome {
        Outcome::Limit(kind) => format!("limit:{}", kind.as_str()),
        other => other.as_str().to_owned(),
    }
}

fn word(scenario: Scenario) -> String {
    serde_json::to_value(scenario)
        .ok()
        .and_then(|v| v.as_str().map(str::to_owned))
        .unwrap_or_default()
}

/// Refusals that no argument can explain: the capsule asked for a thing that it does not declare. A path or a key may
/// come from the sample arguments, so it only stands in the run.
const fn is_undeclared(denial: &Denial) -> bool {
    matches!(
        denial.code,
        Code::NotDeclared
            | Code::HttpOrigin
            | Code::HttpScheme
            | Code::HttpMethod
            | Code::HttpPeer
            | Code::HttpForbidden
            | Code::ToolNotAllowed
            | Code::ToolFunction
            | Code::EmitName
            | Code::SecretName
            | Code::ConfigKey
    )
}
