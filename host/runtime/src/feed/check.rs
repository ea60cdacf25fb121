//! The declared check of a candidate: called once here, on its own revision, and reported.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde_json::Value;
use soma_policy::feed::{CheckResult, GateState};
use soma_policy::{CallScope, Caller, FunctionName, InstallationKey, Outcome};

use super::following::Feed;
use crate::host::Host;
use crate::installations::Snapshot;
use crate::invoke::{Ask, CallReply};
use crate::output::Output;

/// Under this name checks stand in policies and records.
const SUBJECT: &str = "soma:health-check";
/// Longest words of a result.
const WORDS_CHARS_MAX: usize = 400;

/// One check to be made.
struct Check {
    key: InstallationKey,
    revision: u64,
    function: FunctionName,
    args: Value,
    expect: Option<Value>,
}

impl Host {
    /// Makes the checks that were not made yet.
    pub(super) async fn check_candidates(self: &Arc<Self>, feed: &Feed, snapshot: &Snapshot) {
        for check in due(feed, snapshot) {
            let (passed, words) = self.check(&check).await;
            let Check { key, revision, .. } = check;
            let words = words.chars().take(WORDS_CHARS_MAX).collect();
            feed.found.lock().add(CheckResult { key, passed, revision, words });
            feed.report.notify_one();
        }
    }

    async fn check(self: &Arc<Self>, check: &Check) -> (bool, String) {
        let InstallationKey { environment, org, .. } = check.key.clone();
        let ask = Ask {
            caller: Caller::new(org, environment, SUBJECT, None, CallScope::All),
            key: check.key.clone(),
            function: check.function.clone(),
            id: None,
            timeout: None,
            input: crate::value::size_of_json(&check.args),
            parent: None,
            candidate: Some(check.revision),
        };
        let started = match self.start(ask, Output::collected()).await {
            Ok(started) => started,
            Err(refused) => return (false, words(&refused)),
        };
        let args = check.args.clone();
        let reply = self.guests().spawn(async move { started.function(args).await }).await;
        match reply {
            Ok(reply) => judge(&reply, check.expect.as_ref()),
            Err(error) => (false, error.to_string()),
        }
    }
}

/// Candidates with a check that was not made yet; they count as made from here.
fn due(feed: &Feed, snapshot: &Snapshot) -> Vec<Check> {
    let candidates = snapshot.entries().filter_map(|entry| {
        let candidate = entry.candidate.as_ref()?;
        Some((&entry.key, &candidate.installation, &candidate.gate))
    });
    let candidates: Vec<_> = candidates.collect();
    let mut found = feed.found.lock();
    let known: BTreeSet<_> =
        candidates.iter().map(|(key, it, _)| ((*key).clone(), it.revision)).collect();
    found.retain(&known);
    let mut due = Vec::new();
    for (key, installation, gate) in candidates {
        let GateState::Check { args, expect, function } = gate else { continue };
        let (revision, digest) = (installation.revision, installation.digest);
        if found.checked.insert((key.clone(), revision, digest)) {
            let (function, args, expect) = (function.clone(), args.clone(), expect.clone());
            due.push(Check { key: key.clone(), revision, function, args, expect });
        }
    }
    due
}

fn judge(reply: &CallReply, expect: Option<&Value>) -> (bool, String) {
    if reply.outcome != Outcome::Ok {
        return (false, words(reply));
    }
    match (expect, &reply.result) {
        (None, _) => (true, "it answered".to_owned()),
        (Some(expected), Some(result)) if expected == result => {
            (true, "it answered as declared".to_owned())
        }
        (Some(_), _) => (false, "it answered otherwise than declared".to_owned()),
    }
}

fn words(reply: &CallReply) -> String {
    let denial = reply.denials.first().map(ToString::to_string);
    let words = denial.or_else(|| reply.detail.clone());
    format!("{}: {}", reply.outcome, words.unwrap_or_default())
}
