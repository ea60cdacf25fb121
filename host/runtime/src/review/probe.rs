//! A verified package that may be watched. It can become a stage and nothing else: no installation of a tenant, no
//! lease, no token is ever made from it.

use serde_json::Value;
use soma_capsule::schema::FunctionSchema;
use soma_capsule::{TrustStore, UnverifiedPackage, Verified, VerifyError, verify};
use soma_policy::Digest;
use soma_policy::feed::Passport;

use super::sample;

/// What is watched.
#[derive(Debug)]
pub struct Probe {
    pub(super) verified: Verified,
    pub(super) bundle: Vec<u8>,
    pub(super) trust: TrustStore,
}

/// A function to run.
#[derive(Debug, Clone)]
pub(super) struct Subject {
    pub(super) name: String,
    pub(super) arguments: Value,
}

impl Probe {
    /// Verifies the package as a host would.
    ///
    /// # Errors
    /// As [`verify`].
    pub fn verify(
        package: UnverifiedPackage,
        trust: TrustStore,
        expected: &Digest,
    ) -> Result<Self, Box<VerifyError>> {
        let bundle = package.bundle.clone();
        let verified = verify(package, &trust, Some(expected)).map_err(Box::new)?;
        Ok(Self { verified, bundle, trust })
    }

    /// The functions to run with their sample arguments, and what is not run.
    pub(super) fn subjects(&self) -> (Vec<Subject>, Vec<String>) {
        let analysis = self.verified.analysis();
        let (mut subjects, mut unseen) = (Vec::new(), Vec::new());
        for function in &analysis.functions {
            if subjects.len() < Passport::FUNCTIONS_MAX {
                subjects.push(function);
            } else {
                unseen.push(format!("{}: beyond the first {}", function.name, subjects.len()));
            }
        }
        let cannot = analysis.uncallable.iter();
        unseen.extend(cannot.take(64).map(ToString::to_string));
        if analysis.serves_http() {
            unseen.push("wasi:http/incoming-handler: requests are not sent to it".to_owned());
        }
        (subjects.into_iter().flat_map(variants).collect(), unseen)
    }
}

/// A function with each of its samples, those that are the same once.
fn variants(function: &FunctionSchema) -> Vec<Subject> {
    let mut all: Vec<Value> = sample::WORDS.map(|word| sample::of(&function.input, word)).into();
    all.dedup();
    let of = |arguments| Subject { name: function.name.clone(), arguments };
    all.into_iter().map(of).collect()
}
