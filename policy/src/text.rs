//! Serde and JSON Schema for types whose only outside form is a string.
//!
//! One macro, so that every such type parses on the way in (an illegal value cannot be deserialised)
//! and prints its canonical form on the way out.

/// Implements `Serialize`, `Deserialize`, `TryFrom<String>` and `JsonSchema` through `FromStr` and `Display`.
macro_rules! string_form {
    ($type:ty, $name:expr, $expecting:literal) => {
        impl serde::Serialize for $type {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> serde::Deserialize<'de> for $type {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                struct Text;
                impl serde::de::Visitor<'_> for Text {
                    type Value = $type;
                    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                        f.write_str($expecting)
                    }
                    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<$type, E> {
                        text.parse().map_err(E::custom)
                    }
                }
                deserializer.deserialize_str(Text)
            }
        }

        impl schemars::JsonSchema for $type {
            fn schema_name() -> std::borrow::Cow<'static, str> {
                $name.into()
            }
            fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
                schemars::json_schema!({ "type": "string", "description": $expecting })
            }
        }
    };
}

pub(crate) use string_form;

/// Serde for 64-bit integers: a decimal string out, a canonical decimal string in.
///
/// JSON numbers lose precision above 2^53 in most readers, so documents never hold them.
pub mod decimal {
    use std::fmt::Display;
    use std::str::FromStr;

    use serde::{Deserialize, Deserializer, Serializer, de};

    /// Writes the number as a decimal string.
    ///
    /// # Errors
    /// Only those of the serializer.
    pub fn serialize<T: Display, S: Serializer>(
        value: &T,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.collect_str(value)
    }

    /// Reads a canonical decimal string: no sign `+`, no leading zeros, no blanks.
    ///
    /// # Errors
    /// When the text is not the canonical form of a number of this type.
    pub fn deserialize<'de, T, D>(deserializer: D) -> Result<T, D::Error>
    where
        T: FromStr + Display,
        D: Deserializer<'de>,
    {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        match text.parse::<T>() {
            Ok(value) if value.to_string() == *text => Ok(value),
            _ => Err(de::Error::custom(format_args!("`{text}` is not a decimal integer"))),
        }
    }

    /// The same for a number that may be left out. Such a field has `default` and is skipped where there is none.
    pub mod maybe {
        use serde::{Deserialize, Deserializer, Serialize, Serializer};

        #[derive(Serialize, Deserialize)]
        struct Number(#[serde(with = "super")] u64);

        /// Writes the number as a decimal string.
        ///
        /// # Errors
        /// Only those of the serializer.
        pub fn serialize<S: Serializer>(
            value: &Option<u64>,
            serializer: S,
        ) -> Result<S::Ok, S::Error> {
            value.map(Number).serialize(serializer)
        }

        /// Reads a canonical decimal string, or nothing.
        ///
        /// # Errors
        /// As of the number alone.
        pub fn deserialize<'de, D: Deserializer<'de>>(
            deserializer: D,
        ) -> Result<Option<u64>, D::Error> {
            Ok(Option::<Number>::deserialize(deserializer)?.map(|it| it.0))
        }
    }
}
