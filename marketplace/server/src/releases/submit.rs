//! A submission: examined first, without a transaction, then kept with everything that follows from it at once.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use serde_json::json;
use soma_capsule::{Manifest, PublicKey, UnverifiedPackage, crash_point};
use soma_market::finding::Finding;
use soma_market::org::{Actor, Permission};
use soma_market::release::{
    CapsuleEntry, Package, Proof, Release, ReleaseCommand, Report, Weakness,
};
use soma_market::risk::{Risk, Since, Standing, width};
use soma_market::{Refusal, diff::Diff};
use soma_policy::{CapsuleFacts, CapsuleName, Code, Digest, SubmissionId};

use super::behaviour;
use super::facts::facts_of;
use super::judge::{self, Outcome};
use crate::audit::Act;
use crate::examine::{Examined, Known, Papers, claimed, examine, shapes, unobserved};
use crate::identity::Principal;
use crate::market::MarketError;
use crate::server::Server;
use crate::store::{Limit, NamespaceRow, PlatformScope, PlatformUnit, SubmissionRow};

const SCOPE: PlatformScope = PlatformScope::of("submissions");

/// What somebody sent.
#[derive(Debug, Clone)]
pub(crate) struct Given {
    pub(crate) component: Bytes,
    pub(crate) bundle: Bytes,
    pub(crate) papers: Papers,
}

/// A submission that was examined and is not kept yet.
#[derive(Debug)]
pub(crate) struct Submitted {
    examined: Examined,
    papers: Papers,
}

/// The last release of a capsule.
struct Last {
    facts: Arc<CapsuleFacts>,
    weaker: Vec<Weakness>,
}

impl Server {
    /// Examines what was sent, and keeps its files.
    pub(crate) async fn examine(
        &self,
        principal: &Principal,
        given: Given,
    ) -> Result<Submitted, MarketError> {
        let busy = |_| MarketError::Busy("too many submissions are examined at this time");
        let _turn = self.market.examining.try_acquire().map_err(busy)?;
        let component = given.component.clone();
        let manifest = off_thread(move || claimed(&component)).await??;
        let known = self.known(principal, &manifest).await?;
        let Given { component, bundle, papers } = given;
        let (server, wanted, with) =
            (self.clone(), (component.clone(), bundle.clone()), papers.clone());
        let examined = off_thread(move || {
            let (component, bundle) = (wanted.0.to_vec(), wanted.1.to_vec());
            let package = UnverifiedPackage { component, bundle };
            examine(package, &manifest, &with, &known, &server.market.advisories)
        });
        let examined = examined.await??;
        self.packages.put(component, bundle).await?;
        crash_point!("server.submit.filed");
        Ok(Submitted { examined, papers })
    }

    /// What the examination needs to know. Whoever may not submit under the name learns so before any work is done.
    async fn known(
        &self,
        principal: &Principal,
        manifest: &Manifest,
    ) -> Result<Known, MarketError> {
        let name = &manifest.name;
        let mut unit = self.store.survey(SCOPE).await?;
        let actor = crate::market::actor(&mut unit, principal).await?;
        let namespace = owned(&mut unit, name, &actor).await?;
        let mut keys = Vec::new();
        for key in unit.signing_keys(&namespace.it.name).await? {
            if key.revoked.is_none() {
                let der = STANDARD.decode(&key.spki).map_err(MarketError::failed)?;
                keys.push(PublicKey::from_spki_der(&der).map_err(MarketError::failed)?);
            }
        }
        let similar = unit.sharing(&shapes(name), &name.publisher).await?;
        let mut last = None;
        if let Some(release) = unit.published(name, 1).await?.first() {
            let row = super::facts::present(&mut unit, release).await?;
            last = Some((row.signer, row.bytes));
        }
        Ok(Known { keys, similar, last })
    }

    /// Keeps a submission with all that follows from it. The files are there already.
    pub(crate) async fn keep(
        &self,
        unit: &mut PlatformUnit,
        principal: &Principal,
        submitted: &Submitted,
    ) -> Result<(SubmissionRow, Release), MarketError> {
        let (facts, now) = (&submitted.examined.facts, self.now());
        let name = &facts.name;
        unit.lock_namespace(&name.publisher).await?;
        let actor = crate::market::actor(unit, principal).await?;
        let namespace = owned(unit, name, &actor).await?;
        let entry = entry(unit, name, &namespace).await?;
        let before = self.draft(unit, &namespace, facts).await?;
        let id = SubmissionId::from_u128(self.clock.fresh_id());
        let package = Package { digest: facts.digest, id, proof: submitted.examined.proof };
        let submit =
            ReleaseCommand::Submit { by: &actor, namespace: &namespace.it, entry: &entry, package };
        let release = before.apply(submit, now)?.next;
        let row = row(submitted, &release, id, now)?;
        if !unit.has_room(&row.org, Limit::Submissions).await? {
            let (field, what, remedy) = Limit::Submissions.words();
            let most = Limit::Submissions.most();
            let reason = format!("`{field}`: an org has at most {most} {what}");
            return Err(Refusal::new(Code::TooMany, "submit", reason).fix(remedy).into());
        }
        unit.insert_submission(&row).await?;
        let release = release.apply(ReleaseCommand::Verify { attempt: row.attempt }, now)?.next;
        let Examined { proof, findings, .. } = &submitted.examined;
        let mut findings = findings.clone();
        let watched = behaviour::watched(unit, now).await?;
        let release = if watched {
            behaviour::queue(unit, &row, findings).await?;
            release
        } else {
            findings.push(unobserved());
            let report = self.report(unit, &namespace, facts, *proof, (findings, None)).await?;
            let report = ReleaseCommand::Report { attempt: row.attempt, report };
            release.apply(report, now)?.next
        };
        let who = principal.subject.to_string();
        let subject = format!("{name}@{}", facts.version);
        let detail =
            json!({ "attempt": row.attempt.to_string(), "digest": facts.digest, "submission": id });
        let (org, act) = (&namespace.it.owner, Act::ReleaseSubmitted);
        unit.audit(&self.note(org, &who, act, &subject, &detail)).await?;
        unit.change(&self.event(org, "capsule.submitted", &subject, &detail)).await?;
        let candidate = submitted.examined.candidate.as_ref();
        let outcome = Outcome { before: before.record().sequence, release };
        if watched {
            return self.waits(unit, row, outcome).await;
        }
        let release =
            judge::by_rules(self, unit, &namespace.it, &entry, candidate, outcome).await?;
        let kept = unit.submission(id).await?;
        Ok((kept.unwrap_or(row), release))
    }

    /// The release that an attempt is for: as it is, or a new draft.
    async fn draft(
        &self,
        unit: &mut PlatformUnit,
        namespace: &NamespaceRow,
        facts: &CapsuleFacts,
    ) -> Result<Release, MarketError> {
        if let Some(release) = unit.release(&facts.name, &facts.version).await? {
            return Ok(release);
        }
        let known = unit.versions(&facts.name).await?;
        let (name, version) = (facts.name.clone(), facts.version.clone());
        let draft = Release::draft(name, version, namespace.it.owner.clone(), &known)?;
        unit.insert_release(&draft).await?;
        Ok(draft)
    }

    /// Keeps a release whose present attempt waits for a passport.
    async fn waits(
        &self,
        unit: &mut PlatformUnit,
        row: SubmissionRow,
        outcome: Outcome,
    ) -> Result<(SubmissionRow, Release), MarketError> {
        let Outcome { before, release } = outcome;
        if !unit.update_release(before, &release, self.now()).await? {
            return Err(MarketError::Raced);
        }
        let kept = unit.submission(row.id).await?;
        Ok((kept.unwrap_or(row), release))
    }

    /// Findings and risk of an attempt.
    pub(super) async fn report(
        &self,
        unit: &mut PlatformUnit,
        namespace: &NamespaceRow,
        facts: &CapsuleFacts,
        proof: Proof,
        found: (Vec<Finding>, Option<Digest>),
    ) -> Result<Report, MarketError> {
        let (findings, passport) = found;
        let past = unit.past(&facts.name.publisher).await?;
        let standing = Standing {
            identity_checked: namespace.checked,
            incidents: past.revoked,
            now: self.now(),
            published: past.published,
        };
        let mut last = None;
        if let Some(release) = unit.published(&facts.name, 1).await?.first() {
            let (_, before) = facts_of(&super::facts::present(unit, release).await?)?;
            let weaker = release.attempt().map(|attempt| proof.weaker_than(&attempt.proof));
            last = Some(Last { facts: before, weaker: weaker.unwrap_or_default() });
        }
        let rights = last.as_ref().map(|last| {
            Diff::declared(&last.facts.declarations, &facts.declarations)
                .and(Diff::limits(&last.facts.limits_asked, &facts.limits_asked))
        });
        let since = match (&rights, &last) {
            (Some(rights), Some(last)) => Since::Last { rights, weaker: &last.weaker },
            _ => Since::First,
        };
        let risk = Risk::of(&findings, &width(&facts.declarations), &standing, since);
        Ok(Report::new(findings, risk, passport))
    }
}

fn row(
    submitted: &Submitted,
    release: &Release,
    id: SubmissionId,
    now: soma_policy::Timestamp,
) -> Result<SubmissionRow, MarketError> {
    let Examined { facts, manifest, bytes, .. } = &submitted.examined;
    let attempt = release.submission(id).map(|attempt| attempt.number);
    Ok(SubmissionRow {
        id,
        org: release.record().owner.clone(),
        capsule: facts.name.clone(),
        version: facts.version.clone(),
        attempt: attempt.ok_or_else(|| MarketError::failed("an attempt is missing"))?,
        state: release.state().as_str().to_owned(),
        digest: facts.digest,
        signer: facts.signer,
        manifest: manifest.clone(),
        imports: facts.imports.clone(),
        bytes: *bytes,
        sbom: submitted.papers.sbom.clone(),
        provenance: submitted.papers.provenance.clone(),
        submitted: now,
    })
}

/// The publisher's name, if this actor may submit under it.
async fn owned(
    unit: &mut PlatformUnit,
    name: &CapsuleName,
    actor: &Actor,
) -> Result<NamespaceRow, MarketError> {
    let publisher = &name.publisher;
    let unclaimed = || {
        let reason = format!("nobody claimed the publisher name `{publisher}` yet");
        Refusal::new(Code::NamespaceUnknown, "submit", reason)
    };
    let found = unit.namespace(publisher).await?.ok_or_else(unclaimed)?;
    actor.may_in(Permission::ReleaseSubmit, &found.it.owner)?;
    Ok(found)
}

/// What is known of a capsule's name; it is noted with its first release.
async fn entry(
    unit: &mut PlatformUnit,
    name: &CapsuleName,
    namespace: &NamespaceRow,
) -> Result<CapsuleEntry, MarketError> {
    if let Some(found) = unit.capsule(name).await? {
        return Ok(found.entry);
    }
    let entry = CapsuleEntry::new(name.clone());
    unit.insert_capsule(&entry, &namespace.it.owner).await?;
    Ok(entry)
}

/// Runs what takes long where no request waits for its turn.
pub(super) async fn off_thread<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, MarketError> {
    tokio::task::spawn_blocking(work).await.map_err(MarketError::failed)
}
