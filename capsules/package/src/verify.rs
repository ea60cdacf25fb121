//! The one door from bytes to trust: [`verify`] alone makes a [`Verified`].
//!
//! The mode is *pinned key*: the component's digest is signed by a key that the operator pinned
//! for the publisher whom the manifest inside the component names. There is no transparency log
//! and no time in it; when a key counts is a matter of the trust store. What passed is then
//! analysed and checked against its manifest, all of it before anything is compiled.

use std::sync::Arc;

use soma_policy::{CapsuleFacts, Code, Digest, Fingerprint, PublisherName};

use crate::bundle::{BundleError, KeyedSignature};
use crate::check::{Finding, check};
use crate::component::{self, Analysis, ComponentError};
use crate::manifest::{Manifest, ManifestError};
use crate::section::{self, SectionError};
use crate::trust::{Trust, TrustStore};

/// A component and a bundle, from anywhere. Nothing downstream accepts it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnverifiedPackage {
    /// The component with its manifest inside.
    pub component: Vec<u8>,
    /// The Sigstore bundle; empty if there is none.
    pub bundle: Vec<u8>,
}

/// Why a package is refused.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum VerifyError {
    /// Not a component that is accepted.
    #[error(transparent)]
    Component(#[from] ComponentError),
    /// The manifest is not in its place.
    #[error(transparent)]
    Section(#[from] SectionError),
    /// The manifest cannot be read.
    #[error("the embedded manifest is refused: {0}")]
    Manifest(#[source] Box<ManifestError>),
    /// The bundle cannot be read.
    #[error(transparent)]
    Bundle(#[from] BundleError),
    /// Another capsule than the one that is pinned.
    #[error("the component is `{found}`, but `{expected}` is pinned")]
    WrongDigest {
        /// What is pinned.
        expected: Digest,
        /// What was given.
        found: Digest,
    },
    /// The bundle signs another file.
    #[error("the bundle signs `{signed}`, but the component is `{found}`")]
    SignsAnother {
        /// What the bundle signs.
        signed: Digest,
        /// What was given.
        found: Digest,
    },
    /// No key is pinned for the publisher.
    #[error("no key is trusted for publisher `{0}`")]
    UnknownPublisher(PublisherName),
    /// The key that signed is not one of the publisher's.
    #[error("publisher `{publisher}` has no trusted key `{hint}`")]
    UnknownKey {
        /// Whom the manifest names.
        publisher: PublisherName,
        /// Which key the bundle names.
        hint: String,
    },
    /// The key that signed belongs to another publisher.
    #[error("`{publisher}` is signed with a key of publisher `{owner}`")]
    OtherPublisher {
        /// Whom the manifest names.
        publisher: PublisherName,
        /// Whose key it is.
        owner: PublisherName,
    },
    /// The signature does not fit.
    #[error("the signature does not fit the component")]
    BadSignature,
    /// Manifest and component contradict each other.
    #[error("manifest and component do not agree: {}", first(.0))]
    Disagree(Vec<Finding>),
}

fn first(findings: &[Finding]) -> String {
    let more = findings.len().saturating_sub(1);
    match findings.first() {
        Some(only) if more == 0 => only.message.clone(),
        Some(first) => format!("{} (and {more} more)", first.message),
        None => String::new(),
    }
}

impl VerifyError {
    /// The stable code of this refusal.
    #[must_use]
    pub fn code(&self) -> Code {
        match self {
            Self::Component(error) => error.code(),
            Self::Section(error) => error.code(),
            Self::Manifest(error) => error.code(),
            Self::Bundle(error) => error.code(),
            Self::WrongDigest { .. } | Self::SignsAnother { .. } => Code::DigestMismatch,
            Self::BadSignature => Code::SignatureInvalid,
            Self::UnknownPublisher(_) => Code::PublisherUnknown,
            Self::UnknownKey { .. } | Self::OtherPublisher { .. } => Code::KeyNotTrusted,
            Self::Disagree(findings) => {
                findings.first().map_or(Code::ComponentMalformed, |finding| finding.code)
            }
        }
    }

    /// What to do about it.
    #[must_use]
    pub fn remedy(&self) -> String {
        match self {
            Self::Component(error) => error.remedy().to_string(),
            Self::Section(error) => error.remedy().to_string(),
            Self::Manifest(_) => "run `soma capsule check`, then `soma capsule build`".to_string(),
            Self::Bundle(error) => error.remedy().to_string(),
            Self::WrongDigest { .. } => {
                "give the file that was installed, or move the pin with `soma install`".to_string()
            }
            Self::SignsAnother { .. } | Self::BadSignature => {
                "fetch component and bundle again; the author can sign again with \
                 `soma capsule sign`"
                    .to_string()
            }
            Self::UnknownPublisher(publisher)
            | Self::UnknownKey { publisher, .. }
            | Self::OtherPublisher { publisher, .. } => format!(
                "if you got the key from {publisher} by a way you trust: \
                 `soma trust add {publisher} KEY.pub`"
            ),
            Self::Disagree(findings) => {
                findings.first().map(|finding| finding.remedy.clone()).unwrap_or_default()
            }
        }
    }
}

/// A capsule whose signature, manifest and imports have been checked. Only [`verify`] makes one;
/// it cannot be cloned, deserialised or built by hand.
///
/// ```compile_fail,E0451
/// fn forge(other: soma_capsule::Verified, digest: soma_policy::Digest) -> soma_capsule::Verified {
///     soma_capsule::Verified { digest, ..other }
/// }
/// ```
/// ```compile_fail,E0308
/// fn copy(verified: &soma_capsule::Verified) -> soma_capsule::Verified {
///     verified.clone()
/// }
/// ```
/// ```compile_fail,E0277
/// fn read(json: &str) -> soma_capsule::Verified {
///     serde_json::from_str(json).unwrap()
/// }
/// ```
#[derive(Debug)]
pub struct Verified {
    digest: Digest,
    manifest: Manifest,
    analysis: Analysis,
    signer: Fingerprint,
    trust: Trust,
    warnings: Vec<Finding>,
    component: Arc<[u8]>,
}

impl Verified {
    /// SHA-256 of the whole component file: the identity of the capsule.
    #[must_use]
    pub fn digest(&self) -> Digest {
        self.digest
    }

    /// The manifest that the signature covers.
    #[must_use]
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// What static analysis learnt.
    #[must_use]
    pub fn analysis(&self) -> &Analysis {
        &self.analysis
    }

    /// The key that signed.
    #[must_use]
    pub fn signer(&self) -> Fingerprint {
        self.signer
    }

    /// Whether the key is pinned for the publisher or is the machine's development key.
    #[must_use]
    pub fn trust(&self) -> Trust {
        self.trust
    }

    /// What is worth knowing but refuses nothing.
    #[must_use]
    pub fn warnings(&self) -> &[Finding] {
        &self.warnings
    }

    /// The bytes of the component, to compile.
    #[must_use]
    pub fn component(&self) -> &Arc<[u8]> {
        &self.component
    }

    /// What policy needs to know of the capsule.
    #[must_use]
    pub fn facts(&self) -> CapsuleFacts {
        self.manifest.facts(self.digest, self.signer, &self.analysis)
    }
}

/// Verifies a package against the pinned keys and, if there is one, against the pinned digest.
///
/// # Errors
/// When any part is not as it must be; see [`VerifyError`].
pub fn verify(
    package: UnverifiedPackage,
    trust: &TrustStore,
    expected: Option<&Digest>,
) -> Result<Verified, VerifyError> {
    component::refuse_foreign(&package.component)?;
    let digest = Digest::of(&package.component);
    if let Some(expected) = expected.filter(|expected| **expected != digest) {
        return Err(VerifyError::WrongDigest { expected: *expected, found: digest });
    }
    let signature = KeyedSignature::parse(&package.bundle)?;
    if signature.digest != digest {
        return Err(VerifyError::SignsAnother { signed: signature.digest, found: digest });
    }
    let embedded = section::extract(&package.component)?;
    let manifest = Manifest::from_canonical(embedded)
        .map_err(|error| VerifyError::Manifest(Box::new(error)))?;
    let (signer, trust) = check_signature(&signature, &digest, &manifest, trust)?;
    let analysis = component::analyse(&package.component)?;
    let (errors, warnings): (Vec<_>, Vec<_>) =
        check(&manifest, &analysis).into_iter().partition(Finding::is_error);
    if !errors.is_empty() {
        return Err(VerifyError::Disagree(errors));
    }
    let component = package.component.into();
    Ok(Verified { digest, manifest, analysis, signer, trust, warnings, component })
}

/// The signer, if this digest is signed with a key that may sign for the publisher whom the
/// manifest names. The manifest lies inside the signed bytes, so it cannot name another one.
fn check_signature(
    signature: &KeyedSignature,
    digest: &Digest,
    manifest: &Manifest,
    trust: &TrustStore,
) -> Result<(Fingerprint, Trust), VerifyError> {
    let publisher = &manifest.name.publisher;
    let Some((key, kind)) = trust.find(publisher, &signature.hint) else {
        return Err(no_key(publisher, &signature.hint, trust));
    };
    if !key.verifies(digest, &signature.signature) {
        return Err(VerifyError::BadSignature);
    }
    Ok((key.fingerprint(), kind))
}

fn no_key(publisher: &PublisherName, hint: &str, trust: &TrustStore) -> VerifyError {
    let publisher = publisher.clone();
    if let Some(owner) = trust.owner_of(hint) {
        return VerifyError::OtherPublisher { publisher, owner: owner.clone() };
    }
    if trust.keys(&publisher).is_empty() {
        return VerifyError::UnknownPublisher(publisher);
    }
    VerifyError::UnknownKey { publisher, hint: component::bounded(hint) }
}

#[cfg(test)]
mod tests;
