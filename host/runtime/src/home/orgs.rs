//! The orgs and environments that this host serves: `orgs.toml`.
//!
//! An org is the only owner. A tenant is an org with the role `tenant`.

use std::path::Path;

use serde::{Deserialize, Serialize};
use soma_policy::{EnvironmentId, OrgId};

use super::{HomeError, Layout, file};

const BYTES_MAX: u64 = 256 * 1024;

/// What `orgs.toml` says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Orgs {
    /// Version of this file's format.
    pub schema: u32,
    /// The orgs.
    #[serde(default, rename = "org")]
    pub orgs: Vec<Org>,
}

/// One owner.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Org {
    /// Its name.
    pub name: OrgId,
    /// What it may be.
    pub roles: Vec<Role>,
    /// Where its installations run.
    pub environments: Vec<EnvironmentId>,
}

/// What an org may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// Installs and calls capsules.
    Tenant,
    /// Signs capsules.
    Publisher,
    /// Runs the host.
    Platform,
}

/// The file that a new home gets.
pub(crate) const STARTER: &str = "\
# Orgs that this host serves. A tenant is an org with role \"tenant\".
schema = 1

[[org]]
name = \"local\"
roles = [\"tenant\"]
environments = [\"production\"]
";

impl Orgs {
    /// Reads the orgs of a home.
    pub fn load(layout: &Layout) -> Result<Self, HomeError> {
        Self::load_from(&layout.orgs())
    }

    fn load_from(path: &Path) -> Result<Self, HomeError> {
        let text = file::read_text(path, BYTES_MAX)?;
        toml::from_str(&text).map_err(|e| HomeError::Malformed {
            path: path.to_owned(),
            what: crate::installations::explain_toml(&text, &e),
        })
    }

    /// Whether installations of this tenant and environment may be here.
    #[must_use]
    pub fn allows(&self, org: &OrgId, environment: &EnvironmentId) -> bool {
        self.orgs.iter().any(|known| {
            known.name == *org
                && known.roles.contains(&Role::Tenant)
                && known.environments.contains(environment)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_starter_file_has_the_local_tenant_and_no_other() {
        let orgs: Orgs = toml::from_str(STARTER).unwrap();
        let production = "production".parse().unwrap();
        assert!(orgs.allows(&"local".parse().unwrap(), &production));
        assert!(!orgs.allows(&"local".parse().unwrap(), &"staging".parse().unwrap()));
        assert!(!orgs.allows(&"other".parse().unwrap(), &production));
    }

    #[test]
    fn an_org_without_the_role_is_no_tenant() {
        let text = STARTER.replace("[\"tenant\"]", "[\"publisher\"]");
        let orgs: Orgs = toml::from_str(&text).unwrap();
        assert!(!orgs.allows(&"local".parse().unwrap(), &"production".parse().unwrap()));
    }
}
