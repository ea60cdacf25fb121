//! Closed lists of names: one macro, so that states, roles and kinds are spelled in one place only.
//!
//! A name that is not in the list does not parse, and the error says which one was probably meant.

/// Why a text is none of the names.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not {kind}: use one of {known}{hint}")]
pub struct UnknownName {
    /// The text, cut to a printable length.
    pub text: String,
    /// What it should have been, with its article.
    pub kind: &'static str,
    /// The names.
    pub known: String,
    /// What was probably meant.
    pub hint: String,
}

impl UnknownName {
    pub(crate) fn new(text: &str, kind: &'static str, known: &[&str]) -> Self {
        let hint = soma_policy::did_you_mean(text, known);
        let text = text.chars().filter(|c| !c.is_control()).take(40).collect();
        Self { text, kind, known: known.join(", "), hint }
    }
}

/// An enum whose only outside form is a name.
macro_rules! named {
    ($(#[$doc:meta])* $name:ident $kind:literal { $($(#[$variant_doc:meta])* $variant:ident $text:literal,)* }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $name { $($(#[$variant_doc])* $variant,)* }

        impl $name {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];
            const NAMES: &'static [&'static str] = &[$($text),*];

            /// Its name, as documents and columns spell it.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text),* }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl std::str::FromStr for $name {
            type Err = $crate::named::UnknownName;
            fn from_str(text: &str) -> Result<Self, Self::Err> {
                let known = Self::ALL.iter().copied().find(|known| known.as_str() == text);
                known.ok_or_else(|| $crate::named::UnknownName::new(text, $kind, Self::NAMES))
            }
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.as_str())
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }
    };
}

pub(crate) use named;

#[cfg(test)]
mod tests {
    use crate::finding::Severity;

    #[test]
    fn a_name_is_read_as_it_is_written_and_another_gets_a_hint() {
        for severity in Severity::ALL {
            assert_eq!(severity.to_string().parse(), Ok(*severity));
            let json = serde_json::to_string(severity).unwrap();
            assert_eq!(serde_json::from_str::<Severity>(&json).unwrap(), *severity);
        }
        let said = "hgih".parse::<Severity>().unwrap_err().to_string();
        assert!(said.contains("did you mean \"high\"") && said.contains("low, medium"), "{said}");
        assert!(serde_json::from_str::<Severity>("\"\\u001bfig\"").is_err());
    }
}
