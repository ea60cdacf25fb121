//! HTTP methods that guests may use. CONNECT and TRACE do not exist here.

use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use super::PatternError;
use crate::suggest::did_you_mean;
use crate::text::string_form;

macro_rules! methods {
    ($($name:ident $text:literal),*) => {
        /// One HTTP method.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Method { $(#[doc = $text] $name),* }

        impl Method {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$name),*];
            const NAMES: &'static [&'static str] = &[$($text),*];

            /// Its name.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$name => $text),* }
            }
        }
    };
}

methods!(Get "GET", Head "HEAD", Post "POST", Put "PUT", Patch "PATCH", Delete "DELETE", Options "OPTIONS");

impl fmt::Display for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Method {
    type Err = PatternError;
    fn from_str(text: &str) -> Result<Self, PatternError> {
        if let Some(method) = Self::ALL.iter().find(|method| method.as_str() == text) {
            return Ok(*method);
        }
        let rule = match text {
            "CONNECT" | "TRACE" => "it is never sent for a guest".to_owned(),
            _ => {
                let hint = did_you_mean(&text.to_ascii_uppercase(), Self::NAMES);
                format!("use one of {}{hint}", Self::NAMES.join(", "))
            }
        };
        Err(PatternError::new("a method", text, rule))
    }
}

string_form!(Method, "Method", "an HTTP method in capitals");

/// A set of methods, never empty once parsed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct MethodSet(u8);

impl MethodSet {
    const fn bit(method: Method) -> u8 {
        1 << method as u8
    }

    /// Whether the method is in the set.
    #[must_use]
    pub const fn allows(self, method: Method) -> bool {
        self.0 & Self::bit(method) != 0
    }

    /// Whether every method of `inner` is in this set.
    #[must_use]
    pub const fn covers(self, inner: Self) -> bool {
        self.0 & inner.0 == inner.0
    }

    /// The methods, in a fixed order.
    pub fn iter(self) -> impl Iterator<Item = Method> {
        Method::ALL.iter().copied().filter(move |method| self.allows(*method))
    }

    /// A set of these; none for no methods, because empty means deny.
    pub fn of(methods: impl IntoIterator<Item = Method>) -> Option<Self> {
        let bits = methods.into_iter().fold(0, |bits, method| bits | Self::bit(method));
        (bits != 0).then_some(Self(bits))
    }
}

impl fmt::Display for MethodSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, method) in self.iter().enumerate() {
            write!(f, "{}{method}", if index == 0 { "" } else { ", " })?;
        }
        Ok(())
    }
}

impl Serialize for MethodSet {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.iter())
    }
}

impl<'de> Deserialize<'de> for MethodSet {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let methods = Vec::<Method>::deserialize(deserializer)?;
        Self::of(methods).ok_or_else(|| {
            de::Error::custom("`methods` is empty; name one, or leave the entry out")
        })
    }
}

impl JsonSchema for MethodSet {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "MethodSet".into()
    }
    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "type": "array", "minItems": 1, "items": { "enum": Method::NAMES }
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn unknown_methods_get_a_hint() {
        for (bad, hint) in [
            ("get", "\"GET\""),
            ("PSOT", "\"POST\""),
            ("CONNECT", "never sent"),
            ("TRACE", "never sent"),
            ("BREW", "use one of"),
        ] {
            let said = bad.parse::<Method>().unwrap_err().to_string();
            assert!(said.contains(hint), "{said}");
        }
    }

    #[test]
    fn an_empty_set_is_refused() {
        assert!(serde_json::from_str::<MethodSet>("[]").unwrap_err().to_string().contains("empty"));
        let set: MethodSet = serde_json::from_str(r#"["POST","GET","GET"]"#).unwrap();
        assert_eq!(set.to_string(), "GET, POST");
        assert_eq!(serde_json::to_string(&set).unwrap(), r#"["GET","POST"]"#);
    }

    proptest! {
        #[test]
        fn covers_implies_allows(a in 1u8..128, b in 1u8..128) {
            let (outer, inner) = (MethodSet(a), MethodSet(b));
            for method in Method::ALL {
                if outer.covers(inner) && inner.allows(*method) {
                    prop_assert!(outer.allows(*method));
                }
            }
            prop_assert!(outer.covers(outer));
        }
    }
}
