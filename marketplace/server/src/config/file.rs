//! The file's own form, section by section, and the check that turns it into a configuration.

use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::{ConfigError, MarketConfig, Network, NetworkError, Rates, ServerConfig};
use crate::identity::PasswordCost;
use crate::store::Database;

/// `server.toml`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct RawConfig {
    issuer: Option<String>,
    tls: bool,
    /// Addresses and networks of the proxies in front.
    proxies: Vec<String>,
    keys: Option<PathBuf>,
    checkpoints: Option<PathBuf>,
    capsules: Option<PathBuf>,
    trust: Option<PathBuf>,
    key_overlap_seconds: Option<u64>,
    database: RawDatabase,
    rates: RawRates,
    passwords: RawPasswords,
    policy: Option<PathBuf>,
    advisories: Option<PathBuf>,
    review: RawReview,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct RawReview {
    /// Whether any release is approved without a person.
    auto_approve: Option<bool>,
    /// Only below this risk, in thousandths.
    below_thousandths: Option<u16>,
    /// Only if its behaviour was observed.
    passport: Option<bool>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct RawDatabase {
    /// A SQLite file.
    path: Option<PathBuf>,
    /// PostgreSQL connections of each login.
    connections: Option<u32>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct RawRates {
    peer: Option<u32>,
    org: Option<u32>,
    user: Option<u32>,
    login: Option<u32>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct RawPasswords {
    memory_kib: Option<u32>,
    passes: Option<u32>,
    threads: Option<usize>,
}

/// The weakest hash that is taken: OWASP's floor for argon2id.
const MEMORY_KIB_MIN: u32 = 19 * 1024;

/// Networks of proxies: each request is compared with all of them.
const PROXIES_MAX: usize = 64;

impl RawConfig {
    pub(super) fn checked(
        self,
        home: &Path,
        place: &str,
        variable: impl Fn(&str) -> Option<String>,
    ) -> Result<ServerConfig, ConfigError> {
        let base = ServerConfig::embedded(home);
        let under = |path: PathBuf| if path.is_absolute() { path } else { home.join(path) };
        let config = ServerConfig {
            database: database(self.database, home, place, variable)?,
            keys: self.keys.map_or(base.keys, under),
            checkpoints: self.checkpoints.map_or(base.checkpoints, under),
            capsules: self.capsules.map_or(base.capsules, under),
            trust: self.trust.map_or(base.trust, under),
            issuer: self.issuer,
            passwords: passwords(&self.passwords, place)?,
            rates: rates(&self.rates, place)?,
            key_overlap_ms: self.key_overlap_seconds.map_or(base.key_overlap_ms, |s| s * 1000),
            tls: self.tls,
            proxies: proxies(&self.proxies, place)?,
            market: MarketConfig {
                policy: self.policy.map_or(base.market.policy, under),
                advisories: self.advisories.map(under),
                auto_approve: self.review.auto_approve,
                below_thousandths: below(self.review.below_thousandths, place)?,
                passport: self.review.passport.unwrap_or(base.market.passport),
            },
        };
        match &config.issuer {
            Some(issuer) if issuer.is_empty() || issuer.len() > 256 => {
                Err(ConfigError::new(place, "`issuer` has 1 to 256 bytes"))
            }
            _ => Ok(config),
        }
    }
}

/// PostgreSQL where its addresses are given. They hold passwords, so they come by the environment.
fn database(
    raw: RawDatabase,
    home: &Path,
    place: &str,
    variable: impl Fn(&str) -> Option<String>,
) -> Result<Database, ConfigError> {
    let (app, worker) = (variable("SOMA_DATABASE_URL"), variable("SOMA_DATABASE_WORKER_URL"));
    match (app, worker) {
        (None, None) => {
            let path = raw.path.unwrap_or_else(|| PathBuf::from("server.db"));
            Ok(Database::Sqlite { path: home.join(path) })
        }
        (Some(app), Some(worker)) if raw.path.is_none() => Ok(Database::Postgres {
            app,
            worker,
            owner: variable("SOMA_DATABASE_OWNER_URL"),
            connections: raw.connections.unwrap_or(16),
        }),
        (Some(_), Some(_)) => Err(ConfigError::new(
            place,
            "`database.path` and SOMA_DATABASE_URL name two databases; keep one",
        )),
        _ => Err(ConfigError::new(
            "environment",
            "PostgreSQL needs SOMA_DATABASE_URL and SOMA_DATABASE_WORKER_URL, two logins",
        )),
    }
}

fn proxies(raw: &[String], place: &str) -> Result<Vec<Network>, ConfigError> {
    if raw.len() > PROXIES_MAX {
        return Err(ConfigError::new(
            place,
            format!("`proxies` has at most {PROXIES_MAX} entries"),
        ));
    }
    let wrong = |error| ConfigError::new(place, format!("`proxies`: {error}"));
    raw.iter().map(|text| text.parse().map_err(|error: NetworkError| wrong(error))).collect()
}

fn below(raw: Option<u16>, place: &str) -> Result<u16, ConfigError> {
    match raw {
        None => Ok(300),
        Some(given) if given <= 1000 => Ok(given),
        Some(_) => Err(ConfigError::new(place, "`review.below_thousandths` is at most 1000")),
    }
}

fn rates(raw: &RawRates, place: &str) -> Result<Rates, ConfigError> {
    let base = Rates::default();
    let one = |given: Option<u32>, base: u32, name: &str| match given {
        Some(0) => Err(ConfigError::new(place, format!("`rates.{name}` is at least 1"))),
        other => Ok(other.unwrap_or(base)),
    };
    Ok(Rates {
        peer: one(raw.peer, base.peer, "peer")?,
        org: one(raw.org, base.org, "org")?,
        user: one(raw.user, base.user, "user")?,
        login: one(raw.login, base.login, "login")?,
    })
}

fn passwords(raw: &RawPasswords, place: &str) -> Result<PasswordCost, ConfigError> {
    let base = PasswordCost::default();
    let cost = PasswordCost {
        memory_kib: raw.memory_kib.unwrap_or(base.memory_kib),
        passes: raw.passes.unwrap_or(base.passes),
        threads: raw.threads.unwrap_or(base.threads),
    };
    if cost.memory_kib < MEMORY_KIB_MIN || cost.passes < 2 || cost.threads == 0 {
        let rule = "`passwords` needs at least 19456 KiB, 2 passes and 1 thread";
        return Err(ConfigError::new(place, rule));
    }
    Ok(cost)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str, variables: &[(&str, &str)]) -> Result<ServerConfig, ConfigError> {
        let look = |name: &str| {
            let found = variables.iter().find(|(known, _)| *known == name);
            found.map(|(_, value)| (*value).to_owned())
        };
        ServerConfig::parse(Path::new("/home"), "server.toml", text, look)
    }

    #[test]
    fn an_empty_file_is_one_machine_on_sqlite() {
        let config = parse("", &[]).unwrap();
        let Database::Sqlite { path } = config.database else { panic!("not SQLite") };
        assert_eq!(path, Path::new("/home/server.db"));
        assert_eq!(config.rates, Rates::default());
    }

    #[test]
    fn unknown_keys_and_weak_values_are_refused() {
        for (text, says) in [
            ("isuer = 'x'", "did you mean \"issuer\""),
            ("[rates]\npeer = 0", "at least 1"),
            ("[passwords]\nmemory_kib = 8", "19456"),
            ("issuer = ''", "1 to 256"),
            ("tls = 1", "server.toml"),
            ("proxies = ['everybody']", "neither an address nor a network"),
        ] {
            let said = parse(text, &[]).unwrap_err().to_string();
            assert!(said.contains(says), "{text}: {said}");
        }
    }

    #[test]
    fn postgresql_needs_two_logins_and_shows_neither() {
        let app = ("SOMA_DATABASE_URL", "postgres://app:geheim@x/y");
        let worker = ("SOMA_DATABASE_WORKER_URL", "postgres://worker:geheim@x/y");
        let config = parse("", &[app, worker]).unwrap();
        assert!(matches!(config.database, Database::Postgres { connections: 16, .. }));
        assert!(!format!("{config:?}").contains("geheim"));
        assert!(parse("", &[app]).is_err());
        assert!(parse("[database]\npath = 'x.db'", &[app, worker]).is_err());
    }
}
