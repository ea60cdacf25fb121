//! The risk of a release: a whole number of thousandths, made of four parts that people can check by hand.
//!
//! docs/reference/risk-score.md explains it with the same numbers. There are no floats and no model: the same
//! inputs give the same score everywhere, and one more finding or one wider right never lowers it.

mod standing;
mod width;

use serde::{Deserialize, Serialize};

pub use standing::Standing;
pub use width::{WIDTH_MAX, Width, width};

use crate::diff::Diff;
use crate::finding::{Finding, Severity};
use crate::named::named;
use crate::release::Weakness;

/// The most that findings add.
pub const FINDINGS_MAX: u16 = 600;
/// The most that the difference to the last version adds.
pub const CHANGE_MAX: u16 = 250;
/// How often one code counts.
const REPEATS_MAX: usize = 3;

/// Thousandths: 0 is no risk that the rules know of, 1000 the highest.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
#[serde(try_from = "u16", into = "u16")]
pub struct Score(u16);

impl Score {
    /// The highest.
    pub const MAX: Self = Self(1000);
    /// From here on a person looks, unless the operator says otherwise: 0.300.
    pub const QUEUE: Self = Self(300);

    /// So many thousandths; more than 1000 are 1000.
    #[must_use]
    pub const fn thousandths(value: u16) -> Self {
        if value > Self::MAX.0 { Self::MAX } else { Self(value) }
    }

    /// In thousandths.
    #[must_use]
    pub const fn value(self) -> u16 {
        self.0
    }
}

impl TryFrom<u16> for Score {
    type Error = String;
    fn try_from(value: u16) -> Result<Self, String> {
        let score = Self::thousandths(value);
        if score.0 == value { Ok(score) } else { Err(format!("`{value}` is above 1000")) }
    }
}

impl From<Score> for u16 {
    fn from(score: Score) -> Self {
        score.0
    }
}

impl std::fmt::Display for Score {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{:03}", self.0 / 1000, self.0 % 1000)
    }
}

named! {
    /// What a part of the score is about.
    Part "a part of the risk" {
        /// What verification found.
        Findings "findings",
        /// What it may do.
        Width "width",
        /// Who publishes it.
        Standing "standing",
        /// What changed.
        Change "change",
    }
}

/// One part of a score.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RiskPart {
    /// What it is about.
    pub part: Part,
    /// Its thousandths.
    pub points: u16,
    /// What they are for, in words.
    pub why: Vec<String>,
}

/// A score with its parts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Risk {
    /// What it is made of.
    pub parts: Vec<RiskPart>,
}

/// What changed against the last version that was published.
#[derive(Debug, Clone, Copy)]
pub enum Since<'a> {
    /// There is none.
    First,
    /// The difference of declarations and of proof.
    Last {
        /// What it may do, compared.
        rights: &'a Diff,
        /// In what its proof is weaker.
        weaker: &'a [Weakness],
    },
}

impl Risk {
    /// The score: the sum of its parts, at most 1000.
    #[must_use]
    pub fn score(&self) -> Score {
        Score::thousandths(self.parts.iter().fold(0, |sum, part| sum.saturating_add(part.points)))
    }

    /// The risk of a release.
    #[must_use]
    pub fn of(findings: &[Finding], width: &Width, standing: &Standing, since: Since<'_>) -> Self {
        Self { parts: vec![found(findings), width.part(), standing.part(), changed(since)] }
    }
}

/// What one finding adds.
#[must_use]
pub const fn points(severity: Severity) -> u16 {
    match severity {
        Severity::Info => 0,
        Severity::Low => 20,
        Severity::Medium => 80,
        Severity::High => 300,
        Severity::Critical => 600,
    }
}

fn found(findings: &[Finding]) -> RiskPart {
    let mut worst: Vec<&Finding> = findings.iter().collect();
    worst.sort_by(|a, b| b.cmp(a));
    let (mut sum, mut why) = (0u16, Vec::new());
    for (index, finding) in worst.iter().enumerate() {
        let before = worst.iter().take(index).filter(|other| other.code == finding.code).count();
        let added = points(finding.severity);
        if before >= REPEATS_MAX || added == 0 {
            continue;
        }
        sum = sum.saturating_add(added);
        if before == 0 {
            why.push(format!(
                "{} {}: {}",
                finding.severity,
                finding.code,
                finding.code.entry().title
            ));
        }
    }
    RiskPart { part: Part::Findings, points: sum.min(FINDINGS_MAX), why }
}

fn changed(since: Since<'_>) -> RiskPart {
    let (points, why) = match since {
        Since::First => (60, vec!["there is no version to compare with".to_owned()]),
        Since::Last { rights, weaker } => {
            let wider: Vec<String> = rights.wider().map(|change| change.words.clone()).collect();
            let steps = u16::try_from(wider.len()).unwrap_or(u16::MAX);
            let widened = if steps == 0 { 0 } else { steps.saturating_mul(15).saturating_add(40) };
            let weakened: u16 = weaker.iter().map(|what| weight(*what)).sum();
            let words = weaker.iter().map(|what| format!("it {}", what.words()));
            (widened.min(150).saturating_add(weakened), wider.into_iter().chain(words).collect())
        }
    };
    RiskPart { part: Part::Change, points: points.min(CHANGE_MAX), why }
}

const fn weight(weakness: Weakness) -> u16 {
    match weakness {
        Weakness::Signer => 100,
        Weakness::Provenance | Weakness::Sbom => 40,
    }
}

#[cfg(test)]
mod tests;
