//! How a subject's state is written: small integers as numbers, as their types read them.
//!
//! The canonical form writes 64-bit integers as strings, and a JSON value does not know how wide its numbers were. States
//! mark their 64-bit fields themselves, so every number that is left in one is a small one.

use serde::ser::{SerializeMap as _, SerializeSeq as _};
use serde::{Serialize, Serializer};
use serde_json::Value;

use crate::canonical::{self, CanonicalError};

/// A state, with its numbers as narrow as they are.
pub(super) struct Narrow<'a>(pub(super) &'a Value);

impl Serialize for Narrow<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            Value::Number(number) => {
                let narrow = number.as_i64().map(|wide| (u32::try_from(wide), i32::try_from(wide)));
                match narrow {
                    Some((Ok(small), _)) => serializer.serialize_u32(small),
                    Some((_, Ok(small))) => serializer.serialize_i32(small),
                    _ => number.serialize(serializer),
                }
            }
            Value::Array(items) => {
                let mut list = serializer.serialize_seq(Some(items.len()))?;
                items.iter().try_for_each(|item| list.serialize_element(&Narrow(item)))?;
                list.end()
            }
            Value::Object(fields) => {
                let mut map = serializer.serialize_map(Some(fields.len()))?;
                fields.iter().try_for_each(|(name, it)| map.serialize_entry(name, &Narrow(it)))?;
                map.end()
            }
            plain => plain.serialize(serializer),
        }
    }
}

/// For fields that hold a state.
pub(super) fn serialize<S: Serializer>(state: &Value, serializer: S) -> Result<S::Ok, S::Error> {
    Narrow(state).serialize(serializer)
}

/// A state as a database keeps it.
///
/// # Errors
/// When it has no canonical form: a fraction, or an integer beyond 64 bits.
pub fn payload_text(state: &Value) -> Result<String, CanonicalError> {
    let bytes = canonical::to_vec(&Narrow(state))?;
    Ok(String::from_utf8(bytes).unwrap_or_default())
}
