//! The review: what the rules decide by themselves, and what a person decides. An approval publishes at once.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;
use soma_capsule::{PublicKey, TrustStore, UnverifiedPackage, verify};
use soma_market::Words;
use soma_market::finding::Finding;
use soma_market::namespace::Namespace;
use soma_market::org::Actor;
use soma_market::release::{CapsuleEntry, Judge, Release, ReleaseCommand, ReleaseState};
use soma_market::review::{Automatic, Candidate, Decision, Wish, automatic, decide};
use soma_policy::{Code, Digest, SubmissionId};

use super::facts::facts_of;
use super::publish::publish;
use super::submit::off_thread;
use crate::audit::Act;
use crate::market::{MarketError, org_of};
use crate::server::Server;
use crate::store::{PlatformScope, PlatformUnit, SubmissionRow};

const SCOPE: PlatformScope = PlatformScope::of("review");

/// A release on its way, and the sequence that its row still has.
#[derive(Debug)]
pub(super) struct Outcome {
    pub(super) before: u64,
    pub(super) release: Release,
}

/// What a reviewer wants.
#[derive(Debug, Clone)]
pub(crate) enum ReviewWish {
    /// Approve; with a reason where grave findings are passed.
    Approve(Option<Words>),
    /// Ask for another attempt.
    Revise(Words),
    /// Reject.
    Reject(Words),
}

/// A wish with what it takes to fulfil it.
#[derive(Debug)]
pub(crate) struct Judged {
    id: SubmissionId,
    wish: ReviewWish,
    candidate: Option<Candidate>,
}

impl Server {
    /// Verifies again what a reviewer is about to approve: with the keys that count now.
    pub(crate) async fn weigh(
        &self,
        id: SubmissionId,
        wish: ReviewWish,
    ) -> Result<Judged, MarketError> {
        let mut unit = self.store.survey(SCOPE).await?;
        let row = found(&mut unit, id).await?;
        if !matches!(wish, ReviewWish::Approve(_)) {
            return Ok(Judged { id, wish, candidate: None });
        }
        let mut trust = TrustStore::new();
        for key in unit.signing_keys(&row.capsule.publisher).await? {
            if key.revoked.is_none() {
                let der = STANDARD.decode(&key.spki).map_err(MarketError::failed)?;
                let key = PublicKey::from_spki_der(&der).map_err(MarketError::failed)?;
                trust.pin(row.capsule.publisher.clone(), key).map_err(MarketError::failed)?;
            }
        }
        drop(unit);
        let gone = || MarketError::failed(format!("the files of {} are not there", row.digest));
        let component = self.packages.component(row.digest).await?.ok_or_else(gone)?.to_vec();
        let bundle = self.packages.bundle(row.digest).await?.ok_or_else(gone)?.to_vec();
        let package = UnverifiedPackage { component, bundle };
        let verified = off_thread(move || verify(package, &trust, Some(&row.digest))).await??;
        Ok(Judged { id, wish, candidate: Some(Candidate::of(&verified)) })
    }

    /// What the rules could approve, verified again; nothing when it does not verify any more.
    pub(crate) async fn weigh_again(
        &self,
        id: SubmissionId,
    ) -> Result<Option<Candidate>, MarketError> {
        match self.weigh(id, ReviewWish::Approve(None)).await {
            Ok(judged) => Ok(judged.candidate),
            Err(MarketError::Verify(_)) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// A person decides about the present attempt.
    pub(crate) async fn review(
        &self,
        unit: &mut PlatformUnit,
        reviewer: &Actor,
        judged: Judged,
    ) -> Result<(SubmissionRow, Release), MarketError> {
        let row = found(unit, judged.id).await?;
        unit.lock_namespace(&row.capsule.publisher).await?;
        let release = unit.release(&row.capsule, &row.version).await?;
        let release = release.ok_or_else(|| MarketError::failed("a submission has no release"))?;
        if release.attempt().is_none_or(|attempt| attempt.id != judged.id) {
            let reason = "the attempt was replaced by a later one";
            return Err(soma_market::Refusal::new(Code::MoveStale, "review", reason).into());
        }
        let publisher = org_of(unit, &release.record().owner, self.now()).await?;
        let missing = || MarketError::failed("a release has no name");
        let entry = unit.capsule(&row.capsule).await?.ok_or_else(missing)?.entry;
        let wish = match (&judged.wish, &judged.candidate) {
            (ReviewWish::Approve(overrides), Some(candidate)) => {
                Wish::Approve { candidate, overrides: overrides.clone() }
            }
            (ReviewWish::Approve(_), None) => return Err(MarketError::failed("nothing verified")),
            (ReviewWish::Revise(reason), _) => Wish::Revise(reason.clone()),
            (ReviewWish::Reject(reason), _) => Wish::Reject(reason.clone()),
        };
        let decision = decide(&release, &publisher, &entry, reviewer, wish, self.now())?;
        let outcome = Outcome { before: release.record().sequence, release };
        let who = format!("user:{}", reviewer.person());
        let release = decided(self, unit, &who, &entry, outcome, decision).await?;
        Ok((found(unit, judged.id).await?, release))
    }
}

pub(super) async fn found(
    unit: &mut PlatformUnit,
    id: SubmissionId,
) -> Result<SubmissionRow, MarketError> {
    let unknown =
        || MarketError::unknown(Code::SubmissionUnknown, format!("there is no submission `{id}`"));
    unit.submission(id).await?.ok_or_else(unknown)
}

/// A submission that waited for its passport goes on: findings and risk are complete now, and the rules judge.
pub(super) async fn reweighed(
    server: &Server,
    unit: &mut PlatformUnit,
    row: &SubmissionRow,
    findings: (Vec<Finding>, Option<Digest>),
    candidate: Option<&Candidate>,
) -> Result<(), MarketError> {
    let publisher = &row.capsule.publisher;
    unit.lock_namespace(publisher).await?;
    let missing = || MarketError::failed("a submission has no release");
    let release = unit.release(&row.capsule, &row.version).await?.ok_or_else(missing)?;
    let waits = release.state() == ReleaseState::Verifying
        && release.attempt().is_some_and(|attempt| attempt.id == row.id);
    if !waits {
        // A later attempt took its place: the passport stays with the one that it is of.
        return Ok(());
    }
    let namespace = unit.namespace(publisher).await?.ok_or_else(missing)?;
    let entry = unit.capsule(&row.capsule).await?.ok_or_else(missing)?.entry;
    let (_, facts) = facts_of(row)?;
    let proof = release.attempt().ok_or_else(missing)?.proof;
    let report = server.report(unit, &namespace, &facts, proof, findings).await?;
    let before = release.record().sequence;
    let command = ReleaseCommand::Report { attempt: row.attempt, report };
    let release = release.apply(command, server.now())?.next;
    let outcome = Outcome { before, release };
    by_rules(server, unit, &namespace.it, &entry, candidate, outcome).await.map(drop)
}

/// What comes without a person; what does not is kept, and waits for one.
pub(super) async fn by_rules(
    server: &Server,
    unit: &mut PlatformUnit,
    namespace: &Namespace,
    entry: &CapsuleEntry,
    candidate: Option<&Candidate>,
    outcome: Outcome,
) -> Result<Release, MarketError> {
    match automatic(&outcome.release, namespace, entry, candidate, &server.market.rules)? {
        Automatic::Decided(decision) => {
            decided(server, unit, "rules", entry, outcome, decision).await
        }
        Automatic::Queue(_) => {
            let Outcome { before, release } = outcome;
            let kept = unit.update_release(before, &release, server.now()).await?;
            if kept { Ok(release) } else { Err(MarketError::Raced) }
        }
    }
}

async fn decided(
    server: &Server,
    unit: &mut PlatformUnit,
    who: &str,
    entry: &CapsuleEntry,
    outcome: Outcome,
    decision: Decision,
) -> Result<Release, MarketError> {
    let now = server.now();
    let overrode = match decision.judge() {
        Judge::Person { overrode, .. } => overrode.clone(),
        Judge::Automatic => None,
    };
    let next = outcome.release.apply(ReleaseCommand::Decide(decision), now)?.next;
    let (record, state) = (next.record(), next.state());
    let subject = format!("{}@{}", record.name, record.version);
    let detail = json!({ "digest": next.attempt().map(|attempt| attempt.digest), "overrode": overrode, "state": state });
    let org = record.owner.clone();
    unit.audit(&server.note(&org, who, Act::ReleaseReviewed, &subject, &detail)).await?;
    unit.change(&server.event(&org, "capsule.reviewed", &subject, &detail)).await?;
    if state == ReleaseState::Approved {
        return publish(server, unit, who, entry, outcome.before, next).await;
    }
    let kept = unit.update_release(outcome.before, &next, now).await?;
    if kept { Ok(next) } else { Err(MarketError::Raced) }
}
