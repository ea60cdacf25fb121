//! Canonical bytes: RFC 8785 JSON (sorted keys, no blanks) without floats, 64-bit integers as decimal strings.
//!
//! What is hashed or signed is made here and nowhere else. Reading is ordinary JSON; a reader that must be
//! sure compares the bytes with what [`to_vec`] makes of the value that it read.

mod writer;

use serde::Serialize;
use serde_json::Value;

use crate::id::Digest;

/// Why a value has no canonical form.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CanonicalError {
    /// Floats have several texts for one number.
    #[error("floats have no canonical form here")]
    Float,
    /// JSON object keys are strings.
    #[error("the key of a map is not a string")]
    Key,
    /// The same key twice.
    #[error("the key `{0}` occurs twice")]
    Duplicate(String),
    /// An integer in a JSON value that other readers would round.
    #[error("`{0}` is above 2^53; write it as a decimal string")]
    Integer(String),
    /// What a type's own `Serialize` says.
    #[error("{0}")]
    Custom(String),
}

impl serde::ser::Error for CanonicalError {
    fn custom<T: std::fmt::Display>(message: T) -> Self {
        Self::Custom(message.to_string())
    }
}

/// The canonical bytes of a typed value.
///
/// # Errors
/// When the value holds a float, a map whose keys are no strings, or a key twice.
pub fn to_vec<T: Serialize + ?Sized>(value: &T) -> Result<Vec<u8>, CanonicalError> {
    let mut out = Vec::with_capacity(512);
    value.serialize(writer::Writer { out: &mut out })?;
    Ok(out)
}

/// The digest of the canonical bytes of a typed value.
///
/// # Errors
/// As [`to_vec`].
pub fn digest<T: Serialize + ?Sized>(value: &T) -> Result<Digest, CanonicalError> {
    Ok(Digest::of(&to_vec(value)?))
}

/// The canonical bytes of a JSON value: its integers stay numbers, and must be within ±2^53.
///
/// # Errors
/// When the value holds a float or a larger integer.
pub fn value_to_vec(value: &Value) -> Result<Vec<u8>, CanonicalError> {
    let mut out = Vec::new();
    write_value(value, &mut out)?;
    Ok(out)
}

fn write_value(value: &Value, out: &mut Vec<u8>) -> Result<(), CanonicalError> {
    match value {
        Value::Null => out.extend_from_slice(b"null"),
        Value::Bool(flag) => out.extend_from_slice(if *flag { b"true" } else { b"false" }),
        Value::String(text) => writer::string(text, out),
        Value::Number(number) => write_number(number, out)?,
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                out.push(if index == 0 { b'[' } else { b',' });
                write_value(item, out)?;
            }
            out.extend_from_slice(if items.is_empty() { b"[]" } else { b"]" });
        }
        Value::Object(entries) => {
            let mut sorted: Vec<_> = entries.iter().collect();
            sorted.sort_by(|(a, _), (b, _)| a.encode_utf16().cmp(b.encode_utf16()));
            for (index, (key, item)) in sorted.into_iter().enumerate() {
                out.push(if index == 0 { b'{' } else { b',' });
                writer::string(key, out);
                out.push(b':');
                write_value(item, out)?;
            }
            out.extend_from_slice(if entries.is_empty() { b"{}" } else { b"}" });
        }
    }
    Ok(())
}

fn write_number(number: &serde_json::Number, out: &mut Vec<u8>) -> Result<(), CanonicalError> {
    const EXACT: u64 = 1 << 53;
    let magnitude = match (number.as_u64(), number.as_i64()) {
        (Some(n), _) => n,
        (None, Some(n)) => n.unsigned_abs(),
        (None, None) => return Err(CanonicalError::Float),
    };
    if magnitude >= EXACT {
        return Err(CanonicalError::Integer(number.to_string()));
    }
    out.extend_from_slice(number.to_string().as_bytes());
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn text<T: Serialize>(value: &T) -> String {
        String::from_utf8(to_vec(value).unwrap()).unwrap()
    }

    #[derive(Serialize)]
    struct Unsorted {
        z: u32,
        a: u64,
        m: Option<i64>,
        inner: Inner,
    }

    #[derive(Serialize)]
    #[serde(tag = "kind", content = "detail", rename_all = "kebab-case")]
    enum Inner {
        Unit,
        Pair(u8, bool),
        Named { b: String, a: () },
    }

    #[test]
    fn keys_are_sorted_and_wide_integers_are_strings() {
        let value = Unsorted { z: 1, a: u64::MAX, m: Some(-5), inner: Inner::Pair(7, true) };
        assert_eq!(
            text(&value),
            r#"{"a":"18446744073709551615","inner":{"detail":[7,true],"kind":"pair"},"m":"-5","z":1}"#
        );
        let named = Inner::Named { b: "x".into(), a: () };
        assert_eq!(text(&named), r#"{"detail":{"a":null,"b":"x"},"kind":"named"}"#);
        assert_eq!(text(&Inner::Unit), r#"{"kind":"unit"}"#);
    }

    #[test]
    fn every_shape_of_serde_has_one_form() {
        #[derive(Serialize)]
        struct Unit;
        #[derive(Serialize)]
        struct Wrapped(u16);
        #[derive(Serialize)]
        struct Pair(i8, char);
        #[derive(Serialize)]
        enum Plain {
            Unit,
            One(i16),
            Two(u128, i128),
            Named { z: Option<u8>, a: bool },
        }
        assert_eq!(text(&(Unit, Wrapped(7), Pair(-1, 'é'))), r#"[null,7,[-1,"é"]]"#);
        assert_eq!(text(&Plain::Unit), r#""Unit""#);
        assert_eq!(text(&Plain::One(-3)), r#"{"One":-3}"#);
        assert_eq!(text(&Plain::Two(5, -5)), r#"{"Two":["5","-5"]}"#);
        assert_eq!(text(&Plain::Named { z: None, a: false }), r#"{"Named":{"a":false,"z":null}}"#);
        assert_eq!(text(&BTreeMap::from([("b", ()), ("a", ())])), r#"{"a":null,"b":null}"#);
        assert_eq!(text(&Bytes), "[1,2]");
    }

    struct Bytes;
    impl Serialize for Bytes {
        fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            serializer.serialize_bytes(&[1, 2])
        }
    }

    #[test]
    fn a_key_twice_and_a_types_own_refusal_are_errors() {
        struct Twice;
        impl Serialize for Twice {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_map([("a", 1u8), ("a", 2)])
            }
        }
        struct Refuses;
        impl Serialize for Refuses {
            fn serialize<S: serde::Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
                Err(serde::ser::Error::custom("no"))
            }
        }
        assert_eq!(to_vec(&Twice), Err(CanonicalError::Duplicate("a".to_owned())));
        assert_eq!(to_vec(&Refuses), Err(CanonicalError::Custom("no".to_owned())));
        assert_eq!(digest(&7u8), Ok(Digest::of(b"7")));
    }

    #[test]
    fn keys_sort_by_utf_16_units_as_the_standard_says() {
        let map = BTreeMap::from([("\u{fb33}", 1u8), ("\u{1f600}", 2), ("1", 3), ("\r", 4)]);
        assert_eq!(text(&map), "{\"\\r\":4,\"1\":3,\"\u{1f600}\":2,\"\u{fb33}\":1}");
    }

    #[test]
    fn strings_escape_only_what_they_must() {
        assert_eq!(text(&"é\u{1}\n\"\\/\u{7f}"), "\"é\\u0001\\n\\\"\\\\/\u{7f}\"");
    }

    #[test]
    fn floats_and_odd_keys_are_refused() {
        assert_eq!(to_vec(&1.5f64), Err(CanonicalError::Float));
        assert_eq!(to_vec(&f32::NAN), Err(CanonicalError::Float));
        assert_eq!(to_vec(&BTreeMap::from([(1u8, 1u8)])), Err(CanonicalError::Key));
        assert_eq!(value_to_vec(&json!(1.5)), Err(CanonicalError::Float));
        assert!(value_to_vec(&json!(1u64 << 53)).is_err());
        assert!(value_to_vec(&json!((1u64 << 53) - 1)).is_ok());
    }

    #[test]
    fn values_keep_their_numbers() {
        let value = json!({"b": [1, -2, []], "a": {"x": null, "": true}, "c": {}});
        let bytes = value_to_vec(&value).unwrap();
        assert_eq!(
            String::from_utf8(bytes).unwrap(),
            r#"{"a":{"":true,"x":null},"b":[1,-2,[]],"c":{}}"#
        );
    }

    fn any_value() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::Bool),
            any::<i32>().prop_map(Value::from),
            any::<String>().prop_map(Value::String),
        ];
        leaf.prop_recursive(4, 32, 5, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..5).prop_map(Value::Array),
                prop::collection::vec((any::<String>(), inner), 0..5)
                    .prop_map(|entries| Value::Object(entries.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn the_canonical_form_reads_back_and_is_a_fixed_point(value in any_value()) {
            let bytes = value_to_vec(&value).unwrap();
            let read: Value = serde_json::from_slice(&bytes).unwrap();
            prop_assert_eq!(&read, &value);
            prop_assert_eq!(value_to_vec(&read).unwrap(), bytes);
        }

        #[test]
        fn order_of_insertion_does_not_matter(entries in prop::collection::btree_map(any::<String>(), any::<u32>(), 0..8)) {
            let forward: serde_json::Map<_, _> = entries.iter().map(|(k, v)| (k.clone(), Value::from(*v))).collect();
            let backward: serde_json::Map<_, _> = entries.iter().rev().map(|(k, v)| (k.clone(), Value::from(*v))).collect();
            let forward_bytes = value_to_vec(&Value::Object(forward)).unwrap();
            prop_assert_eq!(&forward_bytes, &value_to_vec(&Value::Object(backward)).unwrap());
            prop_assert_eq!(forward_bytes, to_vec(&entries).unwrap());
        }
    }
}
