//! The constitution: what the operators of a deployment hold themselves and everybody to, as one signed and
//! numbered document. Principles in words, Cedar policies, the ceiling of limits.
//!
//! ```text
//! folder ─► Constitution (follows the one that holds) ─► signed by operators ─► Checked ─► judged by
//! ```
//!
//! This room proves who signed, and says what the document is. It takes the place of a machine's own
//! `*.cedar` files and `limits.toml`; where origins really are (`peers.toml`), and where a machine is, stay the
//! machine's own. Which version holds is the server's and the host's to keep.

mod difference;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use soma_policy::{
    Code, Digest, KillScope, OperatorPolicy, OperatorsError, PolicyError, PolicySources,
    PolicyText, Timestamp, canonical, decimal,
};

use crate::dsse::{self, DsseError, Envelope};
use crate::kill::Trusted;

pub use difference::{Difference, FileChange};

/// The kind of the document: `application/vnd.soma.constitution.v1+json`.
pub const KIND: &str = "constitution";
/// Most bytes of principles, policies and limits together.
pub const TEXT_BYTES_MAX: usize = 512 * 1024;
/// The longest constitution with its signatures.
pub const DOCUMENT_BYTES_MAX: usize = 1 << 20;
/// Where a folder holds the principles.
pub const PRINCIPLES_FILE: &str = "principles.md";
/// Where a folder holds the ceiling of limits.
pub const LIMITS_FILE: &str = "limits.toml";
const FILES_MAX: usize = 256;
const NAME_BYTES_MAX: usize = 128;
const DEPLOYMENT_BYTES_MAX: usize = 256;

/// A constitution. What is signed is its canonical form.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Constitution {
    /// The deployment that it is for.
    pub deployment: String,
    /// The digest of the one that it takes the place of; none for the first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub follows: Option<Digest>,
    /// When it was written.
    pub issued_at: Timestamp,
    /// The ceiling of limits, as `limits.toml` has it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limits: Option<String>,
    /// Cedar files by their names.
    pub policies: BTreeMap<String, String>,
    /// What it is all for, in words (Markdown).
    #[serde(default)]
    pub principles: String,
    /// The version of this format: 1.
    pub v: u32,
    /// Its number: 1, 2, 3 …
    #[serde(with = "decimal")]
    pub version: u64,
}

/// Why a constitution is not taken. Nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum ConstitutionRefusal {
    /// It is no signed document of this kind, or a signature is wrong.
    #[error(transparent)]
    Document(#[from] DsseError),
    /// It breaks a rule.
    #[error("`{field}`: {rule}")]
    Rule {
        /// Where.
        field: &'static str,
        /// Which.
        rule: String,
    },
    /// It is for another deployment.
    #[error("it is for the deployment `{found}`, this is `{here}`")]
    Foreign {
        /// What it says.
        found: String,
        /// Where it was brought.
        here: String,
    },
    /// No operator signed it.
    #[error(transparent)]
    Operators(#[from] OperatorsError),
    /// Too few did.
    #[error("{signed} of {needed} operators signed it")]
    Signers {
        /// Persons.
        signed: usize,
        /// Persons who must.
        needed: usize,
    },
    /// It is not the next one.
    #[error("version {found} does not follow version {here}, which holds")]
    Stale {
        /// Its number.
        found: u64,
        /// The number of the one that holds; zero if none does.
        here: u64,
    },
    /// Nobody could judge by it.
    #[error("it cannot be judged by: {}", words(.0))]
    Policy(Vec<PolicyError>),
}

fn words(faults: &[PolicyError]) -> String {
    let said: Vec<String> = faults.iter().take(8).map(ToString::to_string).collect();
    said.join("; ")
}

impl ConstitutionRefusal {
    /// Its code in the catalogue.
    #[must_use]
    pub fn code(&self) -> Code {
        match self {
            Self::Document(DsseError::Unsigned | DsseError::BadSignature(_))
            | Self::Operators(_)
            | Self::Signers { .. } => Code::ConstitutionSigners,
            Self::Document(_) | Self::Rule { .. } => Code::ConstitutionMalformed,
            Self::Foreign { .. } => Code::ConstitutionForeign,
            Self::Stale { .. } => Code::ConstitutionStale,
            Self::Policy(faults) => {
                faults.first().map_or(Code::ConstitutionMalformed, |fault| fault.code)
            }
        }
    }
}

/// A constitution whose signatures were checked.
#[derive(Debug, Clone)]
pub struct Checked {
    /// What was signed.
    pub document: Constitution,
    /// The digest of what was signed.
    pub digest: Digest,
    /// With the signatures to keep.
    pub envelope: Envelope,
    /// Who signed, as persons.
    pub persons: BTreeSet<String>,
    /// How many persons must.
    pub needed: usize,
}

impl Checked {
    /// Whether enough persons signed for it to hold.
    ///
    /// # Errors
    /// [`ConstitutionRefusal::Signers`] when they did not.
    pub fn must_be_complete(&self) -> Result<(), ConstitutionRefusal> {
        let (signed, needed) = (self.persons.len(), self.needed);
        if signed >= needed {
            return Ok(());
        }
        Err(ConstitutionRefusal::Signers { signed, needed })
    }
}

impl Trusted {
    /// Reads a signed constitution and finds out which operators signed it. Of its signatures only the proven
    /// ones are kept.
    ///
    /// # Errors
    /// [`ConstitutionRefusal`], when it is none, breaks a rule, or no operator signed it.
    pub fn check_constitution(&self, bytes: &[u8]) -> Result<Checked, ConstitutionRefusal> {
        let envelope = Envelope::from_json_within(bytes, DOCUMENT_BYTES_MAX)?;
        let verified = dsse::verify(&envelope, KIND, &self.keys)?;
        let document: Constitution = verified.read()?;
        document.check()?;
        let signers = verified.signers().iter().copied();
        let (document, persons) = self.operators.recognise(document, signers)?.into_parts();
        Ok(Checked {
            document,
            digest: Digest::of(verified.payload()),
            envelope: verified.proven().clone(),
            persons,
            // As many as a stop of everything takes.
            needed: self.operators.needed(&KillScope::Everything),
        })
    }
}

impl Constitution {
    /// The version of the format that this program writes and reads.
    pub const FORMAT: u32 = 1;

    /// What a folder says, as the constitution that follows `here` (its number and digest).
    #[must_use]
    pub fn of(
        sources: &PolicySources,
        principles: String,
        deployment: &str,
        here: Option<(u64, Digest)>,
        now: Timestamp,
    ) -> Self {
        let file = |file: &PolicyText| (file.name.clone(), file.text.clone());
        Self {
            deployment: deployment.to_owned(),
            follows: here.map(|(_, digest)| digest),
            issued_at: now,
            limits: sources.limits.clone(),
            policies: sources.policies.iter().map(file).collect(),
            principles,
            v: Self::FORMAT,
            version: here.map_or(1, |(version, _)| version.saturating_add(1)),
        }
    }

    /// A document that was kept, read without any proof: whoever kept it had proven it.
    #[must_use]
    pub fn vouched(envelope: &Envelope) -> Option<Self> {
        if envelope.payload_type() != dsse::payload_type(KIND) {
            return None;
        }
        let document: Self = serde_json::from_slice(envelope.unverified_payload()).ok()?;
        let is_canonical = document.digest() == Digest::of(envelope.unverified_payload());
        (is_canonical && document.check().is_ok()).then_some(document)
    }

    /// The digest of its canonical form: its name in tokens, decisions and audits.
    #[must_use]
    pub fn digest(&self) -> Digest {
        // INVARIANT: it holds strings and integers as strings, which have a canonical form.
        canonical::digest(self).unwrap_or(Digest::ZERO)
    }

    /// Whether it keeps the rules of its form.
    ///
    /// # Errors
    /// [`ConstitutionRefusal::Rule`] for the first one that it breaks.
    pub fn check(&self) -> Result<(), ConstitutionRefusal> {
        let rule =
            |field, rule: &str| Err(ConstitutionRefusal::Rule { field, rule: rule.to_owned() });
        if self.v != Self::FORMAT {
            return rule("v", "this program knows version 1 of the format");
        }
        if self.deployment.is_empty() || self.deployment.len() > DEPLOYMENT_BYTES_MAX {
            return rule("deployment", "it has 1 to 256 bytes");
        }
        if self.version == 0 || (self.version == 1) != self.follows.is_none() {
            return rule("follows", "the first version follows none, each later one names one");
        }
        if self.policies.len() > FILES_MAX || !self.policies.keys().all(|name| is_plain(name)) {
            return rule("policies", "at most 256 files, each named like `work-hours.cedar`");
        }
        let texts = self.policies.iter().map(|(name, text)| name.len() + text.len());
        let limits = self.limits.as_ref().map_or(0, String::len);
        if texts.sum::<usize>() + limits + self.principles.len() > TEXT_BYTES_MAX {
            return rule("policies", "all texts together have at most 512 KiB");
        }
        let control = |c: char| c.is_control() && c != '\n' && c != '\t';
        if self.principles.contains(control) {
            return rule("principles", "they are plain text");
        }
        Ok(())
    }

    /// Refuses one that is for another deployment.
    ///
    /// # Errors
    /// [`ConstitutionRefusal::Foreign`].
    pub fn must_be_for(&self, deployment: &str) -> Result<(), ConstitutionRefusal> {
        if self.deployment == deployment {
            return Ok(());
        }
        let found = self.deployment.escape_debug().to_string();
        Err(ConstitutionRefusal::Foreign { found, here: deployment.to_owned() })
    }

    /// Refuses one that is not the very next after `here`.
    ///
    /// # Errors
    /// [`ConstitutionRefusal::Stale`].
    pub fn must_follow(&self, here: Option<(u64, Digest)>) -> Result<(), ConstitutionRefusal> {
        let next = here.map_or(Some(1), |(version, _)| version.checked_add(1));
        if next == Some(self.version) && self.follows == here.map(|(_, digest)| digest) {
            return Ok(());
        }
        let here = here.map_or(0, |(version, _)| version);
        Err(ConstitutionRefusal::Stale { found: self.version, here })
    }

    /// What a machine judges by: these policies and limits, and where the machine's own files say that it and
    /// its peers are.
    #[must_use]
    pub fn over(&self, own: &PolicySources) -> PolicySources {
        let file = |(name, text): (&String, &String)| PolicyText {
            name: name.clone(),
            text: text.clone(),
        };
        PolicySources {
            limits: self.limits.clone(),
            policies: self.policies.iter().map(file).collect(),
            ..own.clone()
        }
    }

    /// Loads it over a machine's own files.
    ///
    /// # Errors
    /// [`ConstitutionRefusal::Policy`] with everything that is wrong.
    pub fn load(&self, own: &PolicySources) -> Result<OperatorPolicy, ConstitutionRefusal> {
        OperatorPolicy::load(&self.over(own)).map_err(ConstitutionRefusal::Policy)
    }
}

/// A file's name that is no path and shows as it is.
fn is_plain(name: &str) -> bool {
    let of = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    let stem = name.strip_suffix(".cedar").unwrap_or_default();
    !stem.is_empty()
        && !name.starts_with('.')
        && name.len() <= NAME_BYTES_MAX
        && name.chars().all(of)
}
