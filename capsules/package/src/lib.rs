//! What a capsule is: manifest, digest, imports, signature, packaging.
//!
//! A capsule is one file: a WebAssembly component whose last outermost section is its manifest.
//! Its identity is the SHA-256 of that file, and its signature covers that digest.
//!
//! ```text
//! capsule.toml ─► manifest ─► section::embed ─► component + bundle = UnverifiedPackage
//!                                                        │ verify (pinned keys, analysis, check)
//!                                                        ▼
//!                                                     Verified ─► CapsuleFacts (soma-policy)
//! ```
//!
//! Nothing here compiles or runs WebAssembly, opens a connection or reads a clock. Everything that
//! comes from outside is bounded before it is parsed, and refused with a code and a remedy.
#![forbid(unsafe_code)]

pub mod bundle;
mod check;
pub mod component;
pub mod constitution;
pub mod crash;
pub mod dsse;
pub mod key;
pub mod kill;
pub mod manifest;
pub mod oci;
pub mod operators;
pub mod policy_folder;
pub mod schema;
pub mod section;
pub mod trust;
mod verify;

#[cfg(test)]
mod fixture;

pub use check::{Finding, Severity, check};
pub use component::{Analysis, analyse};
pub use key::{KeyPair, PublicKey};
pub use manifest::{CapsuleFile, Manifest};
pub use trust::{Trust, TrustStore};
pub use verify::{UnverifiedPackage, Verified, VerifyError, verify};
