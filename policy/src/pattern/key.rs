//! Key prefixes of a key-value store: `etag/`.

use std::fmt;
use std::str::FromStr;

use super::PatternError;
use crate::text::string_form;

const KIND: &str = "a key prefix such as etag/";

/// Which keys: those that start so. Never empty.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyPrefix(Box<str>);

impl KeyPrefix {
    /// Whether the key starts so.
    #[must_use]
    pub fn allows(&self, key: &str) -> bool {
        key.starts_with(&*self.0)
    }

    /// Whether every key that `inner` allows is allowed here.
    #[must_use]
    pub fn covers(&self, inner: &Self) -> bool {
        inner.0.starts_with(&*self.0)
    }

    /// The prefix as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for KeyPrefix {
    type Err = PatternError;
    fn from_str(text: &str) -> Result<Self, PatternError> {
        let fail = |rule: &str| PatternError::new(KIND, text, rule);
        if text.is_empty() {
            return Err(fail("it is empty, and empty allows nothing"));
        }
        if text.len() > 256 || text.chars().any(char::is_control) {
            return Err(fail("use at most 256 bytes without control characters"));
        }
        if let Some(rest) = text.strip_suffix('*') {
            let rest = rest.trim_end_matches('*');
            return Err(fail(&format!("a prefix has no wildcard; did you mean \"{rest}\"?")));
        }
        Ok(Self(text.into()))
    }
}

impl fmt::Display for KeyPrefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

string_form!(KeyPrefix, "KeyPrefix", "a key prefix such as etag/");

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn empty_long_and_wild_prefixes_are_refused() {
        for (bad, hint) in
            [("", "empty"), ("a*", "\"a\""), ("a\n", "control"), (&"x".repeat(257), "256")]
        {
            let said = bad.parse::<KeyPrefix>().unwrap_err().to_string();
            assert!(said.contains(hint), "{said}");
        }
    }

    proptest! {
        #[test]
        fn covers_implies_allows(outer in "[ab/]{1,3}", inner in "[ab/]{1,4}", key in "[ab/]{0,6}") {
            let (outer, inner): (KeyPrefix, KeyPrefix) = (outer.parse().unwrap(), inner.parse().unwrap());
            if outer.covers(&inner) && inner.allows(&key) {
                prop_assert!(outer.allows(&key));
            }
            prop_assert!(outer.covers(&outer) && outer.allows(outer.as_str()));
        }
    }
}
