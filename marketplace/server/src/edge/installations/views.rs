//! Installations, revisions and plans as they are shown.

use serde::Serialize;
use serde_json::json;
use soma_market::diff::Diff;
use soma_market::install::{InstallState, Installed, Revision};
use soma_policy::{Digest, Grants, InstallationId, Money, OrgId, Timestamp};
use utoipa::ToSchema;

use crate::edge::reply::Reply;
use crate::installs::Planned;
use crate::store::HostRefusal;

/// What would be.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::edge) struct PlanView {
    /// What an agreement names.
    #[schema(value_type = String)]
    plan: Digest,
    /// The release.
    capsule: String,
    /// Its version.
    version: String,
    /// Who publishes it.
    #[schema(value_type = String)]
    owner: OrgId,
    /// Every right that is granted, in words.
    granted: Vec<String>,
    /// What changes in rights and limits, in words.
    changes: Vec<String>,
    /// What must be agreed to; nothing if empty.
    asks: Vec<String>,
    /// What a call costs; nothing if none.
    #[schema(value_type = Option<String>)]
    price: Option<Money>,
    /// The file of the new revision.
    #[schema(value_type = Object)]
    spec: serde_json::Value,
}

/// An installation.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::edge) struct InstallationView {
    /// Its id.
    #[schema(value_type = String)]
    installation: InstallationId,
    /// `org/environment/id`.
    key: String,
    /// `publisher/name`.
    capsule: String,
    /// gating, pending, active or removed.
    state: InstallStateName,
    /// What can happen next.
    legal: Vec<&'static str>,
    /// What runs.
    active: RevisionView,
    /// What ran before.
    previous: Option<RevisionView>,
    /// What is at its health gate.
    candidate: Option<RevisionView>,
    /// Why the last new revision was given up.
    refused: Option<String>,
    /// Live hosts that do not run the active revision yet.
    waiting: Vec<String>,
    /// Hosts that cannot run a revision: which host, which revision, the code and why.
    #[schema(value_type = Vec<Object>)]
    not_running: Vec<serde_json::Value>,
    /// Another owner of the publisher's name, whom the tenant has not agreed to.
    #[schema(value_type = Option<String>)]
    owner_asked: Option<OrgId>,
    /// Since when (milliseconds).
    #[schema(value_type = String)]
    created: Timestamp,
}

/// What would be, or what is now.
#[derive(Debug, Serialize, ToSchema)]
#[serde(untagged)]
#[expect(dead_code, reason = "for the interface's description: one status, two bodies")]
pub(in crate::edge) enum PlanOrInstallation {
    /// With `dry_run`.
    Plan(Box<PlanView>),
    /// Without.
    Installation(Box<InstallationView>),
}

impl InstallationView {
    /// With the hosts that cannot run a revision of it.
    pub(super) fn refused_by(mut self, refusals: &[HostRefusal]) -> Self {
        let said = |it: &HostRefusal| json!({ "code": it.code, "host": it.host, "revision": it.revision.to_string(), "words": it.words });
        self.not_running = refusals.iter().map(said).collect();
        self
    }
}

/// A state by its name.
#[derive(Debug, Serialize, ToSchema)]
#[serde(transparent)]
pub(in crate::edge) struct InstallStateName(String);

/// A revision.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::edge) struct RevisionView {
    /// Its number.
    revision: u64,
    /// The release.
    version: String,
    /// The component.
    #[schema(value_type = String)]
    digest: Digest,
    /// What a call costs.
    #[schema(value_type = Option<String>)]
    price: Option<Money>,
    /// The accepted offer.
    #[schema(value_type = String)]
    offer: Digest,
    /// The plan that was agreed to.
    #[schema(value_type = String)]
    plan: Digest,
    /// When it was made (milliseconds).
    #[schema(value_type = String)]
    made: Timestamp,
    /// The file.
    #[schema(value_type = Object)]
    spec: serde_json::Value,
}

pub(super) fn revision_view(it: &Revision) -> RevisionView {
    RevisionView {
        revision: it.number,
        version: it.version.to_string(),
        digest: it.spec.digest,
        price: it.price,
        offer: it.offer,
        plan: it.consent.plan,
        made: it.at,
        spec: serde_json::to_value(&it.spec).unwrap_or_default(),
    }
}

pub(super) fn view(it: &Installed, created: Timestamp) -> InstallationView {
    let (record, state) = (it.record(), it.state());
    InstallationView {
        installation: record.key.id.clone(),
        key: record.key.to_string(),
        capsule: record.capsule.to_string(),
        state: InstallStateName(state.as_str().to_owned()),
        legal: state.moves().iter().map(|it| it.as_str()).collect(),
        active: revision_view(&record.active),
        previous: record.previous.as_ref().map(revision_view),
        candidate: record.candidate.as_ref().map(|it| revision_view(&it.revision)),
        refused: record.refused.as_ref().map(|(number, why)| format!("revision {number}: {why}")),
        waiting: record.waiting.iter().map(ToString::to_string).collect(),
        not_running: Vec::new(),
        owner_asked: record.owner_asked.clone(),
        created,
    }
}

pub(super) fn plan_view(planned: &Planned) -> PlanView {
    let plan = &planned.plan;
    let facts = planned.approved.facts();
    let granted = Diff::granted(&Grants::default(), &plan.spec().grants);
    let lines = |diff: &Diff| diff.to_string().lines().map(str::to_owned).collect::<Vec<_>>();
    PlanView {
        plan: plan.hash(),
        capsule: facts.name.to_string(),
        version: facts.version.to_string(),
        owner: planned.approved.owner().clone(),
        granted: lines(&granted)
            .iter()
            .map(|it| it.trim_start_matches("+ ").replace("may now ", "may "))
            .collect(),
        changes: lines(plan.diff()),
        asks: plan.asks().iter().map(ToString::to_string).collect(),
        price: facts.price,
        spec: serde_json::to_value(plan.spec()).unwrap_or_default(),
    }
}

/// 202 while hosts or a gate are waited for, else the status that fits.
pub(super) fn answer(it: &Installed, created: Timestamp, first: bool) -> Reply {
    let location = format!("/v1/installations/{}", it.record().key.id);
    let body = view(it, created);
    let reply = match (it.state(), first) {
        (InstallState::Pending | InstallState::Gating, _) => Reply::accepted(location, &body),
        (_, true) => Reply::created(location, &body),
        (_, false) => Reply::ok(&body),
    };
    reply.version(it.record().sequence)
}
