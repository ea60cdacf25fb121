//! What a change would mean, before it is made: everything that the tenant must agree to, with one hash over all.
//!
//! The hash covers the whole new revision and every question, so that what was shown is what is made.

use std::fmt;

use semver::Version;
use serde::{Deserialize, Serialize};
use soma_policy::{
    Code, Digest, Installation, InstallationKey, InstallationSpec, Limits, LimitsAsk, Millis,
    Money, OrgId, Timestamp, canonical,
};

use super::{Ground, InstallMove, Installed, Revision};
use crate::diff::{Class, Diff};
use crate::refusal::Refusal;
use crate::release::{Proof, ReleaseState, Weakness};
use crate::review::Approved;

/// How long after its publication a release with weaker proof of origin cannot be installed over a stronger one.
pub const PROOF_PAUSE: Millis = Millis(3 * 86_400_000);

/// Something that the tenant must agree to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "ask", rename_all = "snake_case")]
pub enum Ask {
    /// It may do more.
    WiderRights {
        /// What, in words.
        diff: Diff,
    },
    /// It costs more, or in another currency.
    HigherPrice {
        /// Per call, until now.
        from: Option<Money>,
        /// Per call, from now on.
        to: Option<Money>,
    },
    /// The publisher's name belongs to somebody else.
    OtherOwner {
        /// Who it was.
        from: OrgId,
        /// Who it is.
        to: OrgId,
    },
    /// Its origin is shown less well than before.
    WeakerProof {
        /// In what.
        what: Vec<Weakness>,
    },
}

impl fmt::Display for Ask {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let show = |price: &Option<Money>| {
            price.map_or_else(|| "nothing".to_owned(), |price| price.to_string())
        };
        match self {
            Self::WiderRights { diff } => write!(f, "it asks for more:\n{diff}"),
            Self::HigherPrice { from, to } => {
                write!(f, "a call costs {} instead of {}", show(to), show(from))
            }
            Self::OtherOwner { from, to } => {
                write!(f, "it is published by `{to}`, no longer by `{from}`")
            }
            Self::WeakerProof { what } => {
                let what: Vec<&str> = what.iter().map(|weakness| weakness.words()).collect();
                write!(f, "it {}", what.join(" and "))
            }
        }
    }
}

/// A change that is possible, and what it takes.
#[derive(Debug, Clone)]
pub struct Plan {
    pub(super) asks: Vec<Ask>,
    pub(super) base: u64,
    pub(super) diff: Diff,
    pub(super) hash: Digest,
    pub(super) limits: Limits,
    pub(super) offer: Digest,
    pub(super) owner: OrgId,
    pub(super) price: Option<Money>,
    pub(super) proof: Proof,
    pub(super) spec: InstallationSpec,
    pub(super) version: Version,
}

impl Plan {
    /// What a first installation would mean. It asks nothing: the grants are the tenant's own words.
    ///
    /// # Errors
    /// When the release cannot be installed, policy refuses the grants, or a kill order stands.
    pub fn first(
        key: &InstallationKey,
        approved: &Approved,
        spec: InstallationSpec,
        ground: Ground<'_>,
    ) -> Result<Self, Refusal> {
        installable(approved.state(), "install")?;
        let compiled = compile(key, &spec, approved, ground, 1, "install")?;
        Self::of(key, approved, spec, &compiled, 0, Diff::default(), Vec::new())
    }

    /// What a change would mean.
    ///
    /// # Errors
    /// As for a first installation, and while another change is under way or its proof of origin is too new.
    pub fn change(
        installed: &Installed,
        approved: &Approved,
        spec: InstallationSpec,
        ground: Ground<'_>,
        now: Timestamp,
    ) -> Result<Self, Refusal> {
        installed.state().allow(InstallMove::Change)?;
        let record = installed.record();
        let active = &record.active;
        if spec.capsule != record.capsule {
            let reason = format!("`{}` is another capsule than `{}`", spec.capsule, record.capsule);
            return Err(Refusal::new(Code::InstallationCapsule, "change", reason));
        }
        // Other grants for what runs already are not a new installation: a yank does not forbid them.
        if spec.digest != active.spec.digest {
            installable(approved.state(), "change")?;
        } else {
            runnable(approved.state(), "change")?;
        }
        let number = record.latest.saturating_add(1);
        let compiled = compile(&record.key, &spec, approved, ground, number, "change")?;
        let diff = difference(active, &spec, &compiled.limits);
        let weaker = approved.proof().weaker_than(&active.proof);
        pause(approved, &weaker, now)?;
        let asks = asks(installed, approved, &diff, weaker);
        Self::of(&record.key, approved, spec, &compiled, active.number, diff, asks)
    }

    fn of(
        key: &InstallationKey,
        approved: &Approved,
        spec: InstallationSpec,
        compiled: &Installation,
        base: u64,
        diff: Diff,
        asks: Vec<Ask>,
    ) -> Result<Self, Refusal> {
        #[derive(Serialize)]
        struct Shown<'a> {
            asks: &'a [String],
            base: String,
            grants: Digest,
            key: &'a InstallationKey,
            limits: &'a Limits,
            offer: Digest,
            owner: &'a OrgId,
            spec: &'a InstallationSpec,
        }
        let words: Vec<String> = asks.iter().map(ToString::to_string).collect();
        let shown = Shown {
            asks: &words,
            base: base.to_string(),
            grants: compiled.grants_hash,
            key,
            limits: &compiled.limits,
            offer: compiled.offer,
            owner: approved.owner(),
            spec: &spec,
        };
        let hash = canonical::digest(&shown).map_err(|error| {
            Refusal::new(
                Code::InstallationBadValue,
                "change",
                format!("it has no canonical form: {error}"),
            )
        })?;
        Ok(Self {
            asks,
            base,
            diff,
            hash,
            limits: compiled.limits,
            offer: compiled.offer,
            owner: approved.owner().clone(),
            price: compiled.price,
            proof: *approved.proof(),
            version: compiled.version.clone(),
            spec,
        })
    }

    /// What the tenant must agree to; nothing, if it is empty.
    #[must_use]
    pub fn asks(&self) -> &[Ask] {
        &self.asks
    }

    /// What changes in rights and limits.
    #[must_use]
    pub const fn diff(&self) -> &Diff {
        &self.diff
    }

    /// What an agreement must name.
    #[must_use]
    pub const fn hash(&self) -> Digest {
        self.hash
    }

    /// The file of the new revision.
    #[must_use]
    pub const fn spec(&self) -> &InstallationSpec {
        &self.spec
    }
}

/// Rights, limits and stored secrets against those of the active revision.
fn difference(active: &Revision, spec: &InstallationSpec, limits: &Limits) -> Diff {
    let rights = Diff::granted(&active.spec.grants, &spec.grants);
    rights.and(Diff::limits(&LimitsAsk::from(active.limits), &LimitsAsk::from(*limits)))
}

fn asks(
    installed: &Installed,
    approved: &Approved,
    diff: &Diff,
    weaker: Vec<Weakness>,
) -> Vec<Ask> {
    let record = installed.record();
    let mut asks = Vec::new();
    if diff.class() == Class::Wider {
        asks.push(Ask::WiderRights { diff: diff.clone() });
    }
    let (from, to) = (record.active.price, approved.facts().price);
    if dearer(from, to) {
        asks.push(Ask::HigherPrice { from, to });
    }
    if record.owner != *approved.owner() {
        asks.push(Ask::OtherOwner { from: record.owner.clone(), to: approved.owner().clone() });
    }
    if !weaker.is_empty() {
        asks.push(Ask::WeakerProof { what: weaker });
    }
    asks
}

fn dearer(from: Option<Money>, to: Option<Money>) -> bool {
    match (from, to) {
        (_, None) => false,
        (None, Some(to)) => to.micros > 0,
        (Some(from), Some(to)) => from.currency != to.currency || to.micros > from.micros,
    }
}

/// A stolen account publishes without the stolen project's proofs: that has to stand for a while before it spreads.
fn pause(approved: &Approved, weaker: &[Weakness], now: Timestamp) -> Result<(), Refusal> {
    let ready = approved.published_at().unwrap_or(now).plus(PROOF_PAUSE);
    if weaker.is_empty() || now >= ready {
        return Ok(());
    }
    let what: Vec<&str> = weaker.iter().map(|weakness| weakness.words()).collect();
    let reason = format!("it {}; it can be installed from {ready} on", what.join(" and "));
    Err(Refusal::new(Code::CoolOff, "change", reason))
}

/// Whether a release may be installed anew.
fn installable(state: ReleaseState, attempted: &'static str) -> Result<(), Refusal> {
    if state.is_installable() {
        return Ok(());
    }
    let code = match state {
        ReleaseState::Yanked => Code::ReleaseYanked,
        ReleaseState::Revoked => Code::ReleaseRevoked,
        _ => Code::ApprovalMissing,
    };
    Err(Refusal::new(code, attempted, format!("the release is {state}")))
}

/// Whether a release that was installed may go on.
pub(super) fn runnable(state: ReleaseState, attempted: &'static str) -> Result<(), Refusal> {
    if state.may_run() { Ok(()) } else { installable(state, attempted) }
}

/// Grants ⊆ declared ∩ operator's policy, and no kill order.
pub(super) fn compile(
    key: &InstallationKey,
    spec: &InstallationSpec,
    approved: &Approved,
    ground: Ground<'_>,
    number: u64,
    attempted: &'static str,
) -> Result<Installation, Refusal> {
    if (&spec.tenant, &spec.environment) != (&key.org, &key.environment) {
        let reason = format!("the file is for {}/{}, not for {key}", spec.tenant, spec.environment);
        return Err(Refusal::new(Code::TenantMismatch, attempted, reason));
    }
    let facts = approved.facts();
    let compiled =
        Installation::compile(key.id.clone(), spec.clone(), facts, ground.policy, number)
            .map_err(|denials| Refusal::denied(attempted, denials))?;
    if let Some(order) = ground.killed.judge(compiled.kill_subject()) {
        let reason = format!("order {order} stops {}@{}", facts.name, facts.version);
        return Err(Refusal::new(Code::Killed, attempted, reason));
    }
    Ok(compiled)
}
