//! How the server is set up: `server.toml`, with the environment for what must not lie in files.
//!
//! The only room that reads the environment. Unknown keys are errors with the right spelling;
//! nothing later sees raw text.

mod file;
mod network;

use std::path::{Path, PathBuf};

use file::RawConfig;
pub use network::{Network, NetworkError};
use soma_policy::{Code, explain_serde};

use crate::identity::PasswordCost;
use crate::store::Database;

/// Everything that the server must know before it starts.
#[derive(Debug, Clone)]
pub struct ServerConfig {
    /// Where the data is.
    pub database: Database,
    /// The folder of the server's own keys (0700); made on the first start.
    pub keys: PathBuf,
    /// Where signed heads of the audit chain are kept outside of the database.
    pub checkpoints: PathBuf,
    /// The folder of component files, by digest.
    pub capsules: PathBuf,
    /// The folder with the root's public key and the signed list of operators.
    pub trust: PathBuf,
    /// The name under which tokens are minted; from the deployment's id if none.
    pub issuer: Option<String>,
    /// What a password's hash costs.
    pub passwords: PasswordCost,
    /// How fast requests may come.
    pub rates: Rates,
    /// How long a published key waits before it signs (milliseconds).
    pub key_overlap_ms: u64,
    /// Whether people reach the server over TLS: answers then forbid anything else.
    pub tls: bool,
    /// Proxies in front of the server: what they say of whom they speak for counts for the rates.
    pub proxies: Vec<Network>,
    /// By what releases and installations are judged.
    pub market: MarketConfig,
}

/// By what releases and installations are judged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MarketConfig {
    /// The operator's policy folder; without one the starter policy holds.
    pub policy: PathBuf,
    /// A folder of advisories in the OSV form; without one nothing is matched, and findings say so.
    pub advisories: Option<PathBuf>,
    /// Whether any release is approved without a person; where the operator did not say, none is.
    pub auto_approve: Option<bool>,
    /// Only below this risk, in thousandths.
    pub below_thousandths: u16,
    /// Only if its behaviour was observed.
    pub passport: bool,
}

/// Requests that are let through, per minute.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rates {
    /// From one address, before anyone knows who it is.
    pub peer: u32,
    /// From one org.
    pub org: u32,
    /// From one person or program.
    pub user: u32,
    /// Attempts to log in to one account or from one address.
    pub login: u32,
}

impl Default for Rates {
    fn default() -> Self {
        Self { peer: 3000, org: 6000, user: 3000, login: 20 }
    }
}

/// Why a configuration is not one.
#[derive(Debug, thiserror::Error)]
#[error("{place}: {what}")]
pub struct ConfigError {
    place: String,
    what: String,
}

impl ConfigError {
    pub(crate) fn new(place: impl Into<String>, what: impl Into<String>) -> Self {
        Self { place: place.into(), what: what.into() }
    }

    /// The stable code of this refusal.
    #[must_use]
    pub fn code(&self) -> Code {
        Code::ConfigurationBad
    }
}

impl ServerConfig {
    /// SQLite and keys under one folder: what one machine needs.
    #[must_use]
    pub fn embedded(home: &Path) -> Self {
        Self {
            database: Database::Sqlite { path: home.join("server.db") },
            keys: home.join("keys").join("server"),
            checkpoints: home.join("audit-checkpoints.jsonl"),
            capsules: home.join("capsules"),
            trust: home.join("trust"),
            issuer: None,
            passwords: PasswordCost::default(),
            rates: Rates::default(),
            key_overlap_ms: 600_000,
            tls: false,
            proxies: Vec::new(),
            market: MarketConfig {
                policy: home.join("policy"),
                advisories: None,
                auto_approve: None,
                below_thousandths: 300,
                passport: true,
            },
        }
    }

    /// Reads `server.toml` of a folder, if it is there, and the environment of this process.
    ///
    /// # Errors
    /// When the file or a variable does not parse.
    pub fn load(home: &Path) -> Result<Self, ConfigError> {
        let path = home.join("server.toml");
        let text = match std::fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => String::new(),
            Err(error) => {
                return Err(ConfigError::new(path.display().to_string(), error.to_string()));
            }
        };
        let place = path.display().to_string();
        Self::parse(home, &place, &text, |name| std::env::var(name).ok())
    }

    /// From a text and a way to look up variables; `place` is for messages only.
    ///
    /// # Errors
    /// When the text or a variable does not parse.
    pub fn parse(
        home: &Path,
        place: &str,
        text: &str,
        variable: impl Fn(&str) -> Option<String>,
    ) -> Result<Self, ConfigError> {
        let raw: RawConfig = toml::from_str(text)
            .map_err(|error| ConfigError::new(place, explain_serde(error.message())))?;
        raw.checked(home, place, variable)
    }
}
