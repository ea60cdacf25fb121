//! Names that people choose: lower-case letters, digits and inner hyphens, at most 63 characters.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::IdError;
use crate::text::string_form;

const SLUG_RULE: &str =
    "use 1 to 63 of a-z, 0-9 and inner hyphens, starting with a letter or digit";

fn is_slug(text: &str) -> bool {
    let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
    let bytes = text.as_bytes();
    bytes.len() <= 63
        && bytes.first().is_some_and(|b| plain(*b))
        && bytes.last().is_some_and(|b| plain(*b))
        && bytes.iter().all(|b| plain(*b) || *b == b'-')
        && !text.contains("--")
}

macro_rules! name_type {
    ($(#[$doc:meta])* $name:ident, $kind:literal, $is:expr, $rule:expr) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Arc<str>);

        impl $name {
            /// The name as text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = IdError;
            fn from_str(text: &str) -> Result<Self, IdError> {
                if $is(text) { Ok(Self(text.into())) } else { Err(IdError::new($kind, text, $rule)) }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }

        impl std::borrow::Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }

        string_form!($name, stringify!($name), $kind);
    };
}

macro_rules! slug_types {
    ($($(#[$doc:meta])* $name:ident $kind:literal;)*) => {
        $(name_type!($(#[$doc])* $name, $kind, is_slug, SLUG_RULE);)*
    };
}

slug_types! {
    /// Who publishes a capsule: the first half of `acme/csv`.
    PublisherName "a publisher name";
    /// An organisation: the only owner. A tenant is an org with that role.
    OrgId "an organisation id";
    /// An environment of an organisation, such as `production`.
    EnvironmentId "an environment id";
    /// An installation, unique per organisation and environment.
    InstallationId "an installation id";
    /// The name of a declared capability: the `issues` of `http.issues`.
    CapabilityName "a capability name";
    /// A secret in the tenant's store.
    SecretName "a secret name";
    /// A service account of an org.
    AccountId "a service account id";
    /// A region in which hosts run.
    RegionId "a region id";
    /// A tax, as statements name it: `vat-de`.
    TaxName "the name of a tax";
}

const FUNCTION_RULE: &str =
    "use a WIT name such as list-issues, or interface.function for one inside an interface";

fn is_function(text: &str) -> bool {
    let label = |part: &str| {
        let bytes = part.as_bytes();
        bytes.first().is_some_and(u8::is_ascii_alphabetic)
            && bytes.last().is_some_and(u8::is_ascii_alphanumeric)
            && bytes.iter().all(|b| b.is_ascii_alphanumeric() || *b == b'-')
            && !part.contains("--")
    };
    text.len() <= 128 && text.split('.').count() <= 2 && text.split('.').all(label)
}

name_type!(
    /// An exported function as people call it: `list-issues`, or `interface.function`.
    FunctionName,
    "a function name",
    is_function,
    FUNCTION_RULE
);

/// A capsule's full name: `acme/csv`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CapsuleName {
    /// Who publishes it.
    pub publisher: PublisherName,
    /// Its name among that publisher's capsules.
    pub name: Arc<str>,
}

impl FromStr for CapsuleName {
    type Err = IdError;
    fn from_str(text: &str) -> Result<Self, IdError> {
        let fail = |rule| IdError::new("a capsule name", text, rule);
        let Some((publisher, name)) = text.split_once('/') else {
            return Err(fail("write it as publisher/name"));
        };
        if !is_slug(name) {
            return Err(fail(SLUG_RULE));
        }
        let publisher = publisher.parse().map_err(|_| fail(SLUG_RULE))?;
        Ok(Self { publisher, name: name.into() })
    }
}

impl fmt::Display for CapsuleName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.publisher, self.name)
    }
}

string_form!(CapsuleName, "CapsuleName", "a capsule name: publisher/name");

/// An installation's full address.
#[derive(
    Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(deny_unknown_fields)]
pub struct InstallationKey {
    /// The environment it belongs to.
    pub environment: EnvironmentId,
    /// Its id within organisation and environment.
    pub id: InstallationId,
    /// The organisation that owns it.
    pub org: OrgId,
}

impl InstallationKey {
    /// Where its file lies below the home, as remedies name it.
    #[must_use]
    pub fn file(&self) -> String {
        format!("installations/{}/{}/{}.toml", self.org, self.environment, self.id)
    }
}

impl fmt::Display for InstallationKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}/{}", self.org, self.environment, self.id)
    }
}

impl FromStr for InstallationKey {
    type Err = IdError;
    fn from_str(text: &str) -> Result<Self, IdError> {
        let fail = || IdError::new("an installation", text, "write it as org/environment/id");
        let mut parts = text.split('/');
        let (Some(org), Some(environment), Some(id), None) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(fail());
        };
        Ok(Self { org: org.parse()?, environment: environment.parse()?, id: id.parse()? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn good_slugs_pass_and_bad_ones_name_the_rule() {
        for good in ["acme", "a", "a-b", "7z", &"x".repeat(63)] {
            assert_eq!(good.parse::<OrgId>().unwrap().as_str(), good);
        }
        for bad in ["", "Acme", "-a", "a-", "a--b", "a_b", "a.b", "é", "a b", &"x".repeat(64)] {
            let said = bad.parse::<OrgId>().unwrap_err().to_string();
            assert!(said.contains("a-z"), "{said}");
        }
    }

    #[test]
    fn capsule_names_need_exactly_one_slash() {
        let name: CapsuleName = "acme/csv".parse().unwrap();
        assert_eq!((name.publisher.as_str(), &*name.name), ("acme", "csv"));
        assert_eq!(name.to_string(), "acme/csv");
        for bad in ["acme", "acme/", "/csv", "a/b/c", "Acme/csv"] {
            assert!(bad.parse::<CapsuleName>().is_err(), "{bad}");
        }
    }

    #[test]
    fn function_names_are_wit_names() {
        for good in ["list-issues", "a", "HTTP-get", "tools.list"] {
            assert!(good.parse::<FunctionName>().is_ok(), "{good}");
        }
        for bad in ["", "a.b.c", "-a", "a-", "a--b", "1a", "a/b", "a b", ".a", "a."] {
            assert!(bad.parse::<FunctionName>().is_err(), "{bad}");
        }
    }

    #[test]
    fn an_installation_key_names_its_file() {
        let key: InstallationKey = "local/production/issues".parse().unwrap();
        assert_eq!(key.file(), "installations/local/production/issues.toml");
        assert_eq!(key.to_string(), "local/production/issues");
        assert!("local/production".parse::<InstallationKey>().is_err());
        assert!("a/b/c/d".parse::<InstallationKey>().is_err());
    }

    #[test]
    fn errors_show_no_control_characters() {
        let said = "\u{1b}[31m".parse::<OrgId>().unwrap_err().to_string();
        assert!(!said.contains('\u{1b}'), "{said}");
    }
}
