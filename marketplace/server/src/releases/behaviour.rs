//! Behaviour review: a submission waits for a review host, and goes on with its passport or without one.
//!
//! Who watches, and how, is the review host's; here is who may hand in what, and what becomes of it. A passport is
//! evidence: what it notices becomes findings like any other. Where no review host is alive, or none answers in time,
//! the finding that nobody watched stays, and the rules judge by it.

use soma_capsule::dsse::{self, Envelope};
use soma_market::finding::Finding;
use soma_policy::feed::{HostRole, Passport, PublisherKeys, ReviewJob, RiskClass, kind};
use soma_policy::{Code, Digest, Millis, SubmissionId, Timestamp};

use super::judge::{self, reweighed};
use crate::examine::unobserved;
use crate::hosts::HostPrincipal;
use crate::identity::{Cap, Principal};
use crate::market::MarketError;
use crate::server::Server;
use crate::store::{PassportRow, PlatformScope, PlatformUnit, ReviewRow, SubmissionRow};

const SCOPE: PlatformScope = PlatformScope::of("behaviour review");
/// How long a host may watch one submission.
const TURN: Millis = Millis(90_000);
/// How long a submission waits for a passport at most.
const WAIT_MAX_MS: u64 = 300_000;
/// How often it is given out: a component that ends its watchers does not end all of them.
const TRIES_MAX: u64 = 3;
/// Submissions that one chore gives up.
const BATCH: u32 = 20;

/// Whether somebody is there to watch.
pub(super) async fn watched(unit: &mut PlatformUnit, now: Timestamp) -> Result<bool, MarketError> {
    let hosts = unit.live_hosts(now).await?;
    let there = |host: &crate::store::HostRow| {
        host.role == HostRole::Review && host.is_live(now, RiskClass::High)
    };
    Ok(hosts.iter().any(there))
}

/// Keeps what was found until the passport comes.
pub(super) async fn queue(
    unit: &mut PlatformUnit,
    row: &SubmissionRow,
    findings: Vec<Finding>,
) -> Result<(), MarketError> {
    let job = ReviewRow {
        submission: row.id,
        org: row.org.clone(),
        findings,
        queued: row.submitted,
        taken: None,
        tries: 0,
    };
    Ok(unit.insert_review(&job).await?)
}

impl Server {
    /// The next submission for a review host; none while nothing waits.
    pub(crate) async fn next_review(
        &self,
        host: &HostPrincipal,
    ) -> Result<Option<ReviewJob>, MarketError> {
        let now = self.now();
        let mut unit = self.store.platform(SCOPE).await?;
        unit.heard_of(host.host, now).await?;
        let mut given = None;
        if let Some(job) = unit.free_review(now, TRIES_MAX).await?
            && unit.take_review(job.submission, host.host, now, now.plus(TURN)).await?
        {
            given = Some(self.job(&mut unit, &job).await?);
        }
        unit.commit().await?;
        Ok(given)
    }

    async fn job(
        &self,
        unit: &mut PlatformUnit,
        job: &ReviewRow,
    ) -> Result<ReviewJob, MarketError> {
        let row = judge::found(unit, job.submission).await?;
        let publisher = row.capsule.publisher.clone();
        let keys = unit.signing_keys(&publisher).await?.into_iter();
        let keys = keys.filter(|key| key.revoked.is_none()).map(|key| key.spki).collect();
        let keys = PublisherKeys { keys, publisher };
        Ok(ReviewJob { digest: row.digest, keys, submission: row.id })
    }

    /// Takes a passport: the submission goes on with what it says.
    pub(crate) async fn take_passport(
        &self,
        host: &HostPrincipal,
        id: SubmissionId,
        envelope: &[u8],
    ) -> Result<(), MarketError> {
        let (passport, hash, text) = read(host, envelope)?;
        let weighed = self.weigh_again(id).await?;
        let mut unit = self.store.platform(SCOPE).await?;
        let job = unit.review_job(id).await?;
        let mine = |job: &ReviewRow| job.taken.is_some_and(|(by, _)| by == host.host);
        let job = job.filter(mine).ok_or_else(|| not_yours(id))?;
        let row = judge::found(&mut unit, id).await?;
        if passport.digest != row.digest {
            return Err(refused(Code::DigestMismatch, "the passport is of another component"));
        }
        let kept = PassportRow {
            submission: id,
            org: row.org.clone(),
            digest: row.digest,
            hash,
            envelope: text,
            made: passport.at,
        };
        unit.insert_passport(&kept).await?;
        let mut findings = job.findings;
        let noticed = passport.noticed.iter();
        findings.extend(noticed.map(|it| Finding::usual(it.code, &it.evidence)));
        reweighed(self, &mut unit, &row, (findings, Some(hash)), weighed.as_ref()).await?;
        unit.end_review(id).await?;
        unit.commit().await?;
        self.bell.notify_one();
        Ok(())
    }

    /// The passport of a submission: of a published one for everybody, else for its publisher and for reviewers.
    pub(crate) async fn passport(
        &self,
        principal: &Principal,
        id: SubmissionId,
    ) -> Result<Option<String>, MarketError> {
        let mut unit = self.store.survey(SCOPE).await?;
        let Some(row) = unit.submission(id).await? else { return Ok(None) };
        let public =
            matches!(row.state.as_str(), "published" | "deprecated" | "yanked" | "revoked");
        let seen = public || row.org == principal.org || principal.may(&Cap::Review);
        let found = unit.passport(id).await?.filter(|_| seen);
        Ok(found.map(|row| row.envelope))
    }

    /// Submissions that waited too long, or were given out in vain, go on without a passport.
    pub(crate) async fn give_up_reviews(&self) -> Result<(), MarketError> {
        let now = self.now();
        let mut unit = self.store.survey(SCOPE).await?;
        let old = Timestamp(now.0.saturating_sub(WAIT_MAX_MS));
        let mut given_up = unit.old_reviews(old, BATCH).await?;
        given_up.extend(unit.spent_reviews(now, TRIES_MAX, BATCH).await?);
        drop(unit);
        for job in given_up {
            let weighed = self.weigh_again(job.submission).await?;
            let mut unit = self.store.platform(SCOPE).await?;
            if !unit.end_review(job.submission).await? {
                continue;
            }
            let row = judge::found(&mut unit, job.submission).await?;
            let mut findings = job.findings;
            findings.push(unobserved());
            reweighed(self, &mut unit, &row, (findings, None), weighed.as_ref()).await?;
            unit.commit().await?;
            self.bell.notify_one();
        }
        Ok(())
    }
}

/// The passport, if this host signed it and says that it is its own.
fn read(host: &HostPrincipal, envelope: &[u8]) -> Result<(Passport, Digest, String), MarketError> {
    let bad = |error: dsse::DsseError| refused(error.code(), &error.to_string());
    let envelope = Envelope::from_json(envelope).map_err(bad)?;
    let keys = [host.signing_key.clone()];
    let verified = dsse::verify(&envelope, kind::PASSPORT, &keys).map_err(bad)?;
    let passport: Passport = verified.read().map_err(bad)?;
    if passport.host != host.host || passport.v != Passport::VERSION {
        return Err(refused(
            Code::FieldBad,
            "the passport is another host's, or of another version",
        ));
    }
    let hash = Digest::of(verified.payload());
    let text = String::from_utf8(verified.proven().to_json()).map_err(MarketError::failed)?;
    Ok((passport, hash, text))
}

fn refused(code: Code, reason: &str) -> MarketError {
    soma_market::Refusal::new(code, "hand in a passport", reason).into()
}

fn not_yours(id: SubmissionId) -> MarketError {
    let reason = format!("the submission `{id}` was not given to this host, or was decided");
    MarketError::unknown(Code::SubmissionUnknown, reason)
}
