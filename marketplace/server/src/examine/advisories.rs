//! Known vulnerabilities: a folder of advisories in the OSV form, one JSON file each, matched against the
//! libraries that a bill of materials lists.
//!
//! Ranges of semantic versions and lists of versions are matched; a range of another kind counts as hit when the
//! library is named at all, because overlooking is worse. Without a folder or a bill nothing is matched, and a
//! finding says so. Keeping the folder up to date is the operator's.

use std::path::Path;

use semver::Version;
use serde::Deserialize;
use soma_market::finding::{Finding, Severity};
use soma_policy::Code;

use super::papers::Library;
use super::unexamined;
use crate::config::ConfigError;

const FILES_MAX: usize = 200_000;
const FILE_BYTES_MAX: u64 = 1 << 20;

#[derive(Debug, Deserialize)]
struct Advisory {
    id: String,
    #[serde(default)]
    withdrawn: Option<String>,
    #[serde(default)]
    affected: Vec<Affected>,
    #[serde(default)]
    database_specific: Specific,
}

#[derive(Debug, Default, Deserialize)]
struct Specific {
    #[serde(default)]
    severity: Option<serde_json::Value>,
}

#[derive(Debug, Deserialize)]
struct Affected {
    package: Package,
    #[serde(default)]
    ranges: Vec<Range>,
    #[serde(default)]
    versions: Vec<String>,
}

#[derive(Debug, Deserialize)]
struct Package {
    ecosystem: String,
    name: String,
}

#[derive(Debug, Deserialize)]
struct Range {
    #[serde(rename = "type")]
    kind: String,
    #[serde(default)]
    events: Vec<Event>,
}

#[derive(Debug, Deserialize)]
struct Event {
    introduced: Option<String>,
    fixed: Option<String>,
    last_affected: Option<String>,
}

/// The advisories that are known here.
#[derive(Debug, Default)]
pub(crate) struct Advisories {
    known: Option<Vec<Advisory>>,
}

impl Advisories {
    /// Reads a folder; none is no database.
    ///
    /// # Errors
    /// When a file is not an advisory: a hole in the list must not go unseen.
    pub(crate) fn load(folder: Option<&Path>) -> Result<Self, ConfigError> {
        let Some(folder) = folder else { return Ok(Self::default()) };
        let place = folder.display().to_string();
        let bad = |what: String| ConfigError::new(place.clone(), what);
        let mut known = Vec::new();
        for entry in std::fs::read_dir(folder).map_err(|error| bad(error.to_string()))? {
            let path = entry.map_err(|error| bad(error.to_string()))?.path();
            if path.extension().is_none_or(|end| end != "json") {
                continue;
            }
            let size = std::fs::metadata(&path).map_or(u64::MAX, |it| it.len());
            if known.len() >= FILES_MAX || size > FILE_BYTES_MAX {
                return Err(bad(format!("`{}` is one file too many or too large", path.display())));
            }
            let bytes = std::fs::read(&path).map_err(|error| bad(error.to_string()))?;
            let advisory: Advisory = serde_json::from_slice(&bytes)
                .map_err(|error| bad(format!("`{}` is no advisory: {error}", path.display())))?;
            if advisory.withdrawn.is_none() {
                known.push(advisory);
            }
        }
        Ok(Self { known: Some(known) })
    }

    /// What is known of these libraries.
    pub(super) fn findings(&self, libraries: Option<&[Library]>) -> Vec<Finding> {
        let code = Code::VulnerabilityKnown;
        let (Some(known), Some(libraries)) = (&self.known, libraries) else {
            let why = if self.known.is_none() {
                "no advisories are set up"
            } else {
                "no bill of materials"
            };
            return vec![unexamined(code, why)];
        };
        let mut found = Vec::new();
        for library in libraries {
            for advisory in known.iter().filter(|advisory| advisory.hits(library)) {
                let evidence =
                    format!("{} {} is affected by {}", library.name, library.version, advisory.id);
                found.push(Finding::of(code, advisory.severity(), &evidence));
            }
        }
        found
    }
}

impl Advisory {
    fn hits(&self, library: &Library) -> bool {
        self.affected.iter().any(|affected| affected.hits(library))
    }

    /// As the database says; high where it says nothing that is known here.
    fn severity(&self) -> Severity {
        let said = self.database_specific.severity.as_ref().and_then(|it| it.as_str());
        match said.unwrap_or_default().to_ascii_lowercase().as_str() {
            "low" => Severity::Low,
            "moderate" | "medium" => Severity::Medium,
            "critical" => Severity::Critical,
            _ => Severity::High,
        }
    }
}

impl Affected {
    fn hits(&self, library: &Library) -> bool {
        let ecosystem = match self.package.ecosystem.as_str() {
            "crates.io" => "cargo",
            "npm" => "npm",
            "PyPI" => "pypi",
            "Go" => "golang",
            _ => return false,
        };
        if ecosystem != library.kind || !same_name(ecosystem, &self.package.name, &library.name) {
            return false;
        }
        let listed = self.versions.contains(&library.version);
        let Ok(version) = Version::parse(&library.version) else {
            // What cannot be compared is not shown to be safe.
            return true;
        };
        listed || self.ranges.iter().any(|range| range.hits(&version))
    }
}

fn same_name(ecosystem: &str, a: &str, b: &str) -> bool {
    let plain = |name: &str| match ecosystem {
        "cargo" => name.replace('_', "-"),
        "pypi" => name.to_ascii_lowercase().replace(['_', '.'], "-"),
        _ => name.to_owned(),
    };
    plain(a) == plain(b)
}

impl Range {
    fn hits(&self, version: &Version) -> bool {
        if self.kind == "GIT" {
            return false;
        }
        if self.kind != "SEMVER" {
            return self.kind == "ECOSYSTEM" && self.within(version);
        }
        self.within(version)
    }

    /// Events are in order: each `introduced` begins a stretch that the next `fixed` or `last_affected` ends.
    fn within(&self, version: &Version) -> bool {
        let parse = |text: &str| {
            if text == "0" { Some(Version::new(0, 0, 0)) } else { Version::parse(text).ok() }
        };
        let mut inside = false;
        for event in &self.events {
            let Event { introduced, fixed, last_affected } = event;
            if let Some(text) = introduced {
                // A beginning that does not read may be below this version.
                inside |= parse(text)
                    .is_none_or(|from| version.cmp_precedence(&from).is_ge() || (text == "0"));
            }
            if let Some(end) = fixed.as_deref().and_then(parse) {
                inside &= version.cmp_precedence(&end).is_lt();
            }
            if let Some(end) = last_affected.as_deref().and_then(parse) {
                inside &= version.cmp_precedence(&end).is_le();
            }
        }
        inside
    }
}
