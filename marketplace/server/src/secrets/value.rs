//! A value as somebody sent it. It is wiped when it is dropped, printed by nothing, and what is wrong
//! with it is said without it: a parser's own words would quote what they stumble over.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde_json::Value;
use zeroize::Zeroizing;

/// Longest value.
const BYTES_MAX: usize = 64 * 1024;

/// A secret's value: 1 byte to 64 KiB.
#[derive(Deserialize)]
#[serde(try_from = "Value")]
pub(crate) struct GivenSecret(Zeroizing<Vec<u8>>);

impl GivenSecret {
    /// The bytes themselves, to be sealed.
    pub(crate) fn expose(&self) -> &[u8] {
        &self.0
    }
}

impl std::fmt::Debug for GivenSecret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("GivenSecret(..)")
    }
}

impl TryFrom<Value> for GivenSecret {
    type Error = &'static str;

    fn try_from(mut body: Value) -> Result<Self, Self::Error> {
        let Some(fields) = body.as_object_mut() else {
            return Err("the body is an object with `value` or `base64`");
        };
        let taken = (fields.remove("value"), fields.remove("base64"));
        if !fields.is_empty() {
            return Err("the body has `value` or `base64` and nothing else");
        }
        let bytes = match taken {
            (Some(Value::String(text)), None) => Zeroizing::new(text.into_bytes()),
            (None, Some(Value::String(text))) => {
                let text = Zeroizing::new(text);
                let bytes = STANDARD.decode(text.as_bytes());
                Zeroizing::new(bytes.map_err(|_| "`base64` is not base64 with its padding")?)
            }
            (Some(_), Some(_)) => return Err("send either `value` or `base64`"),
            (None, None) => return Err("`value` is missing"),
            _ => return Err("the value is a text"),
        };
        if bytes.is_empty() || bytes.len() > BYTES_MAX {
            return Err("a value has 1 byte to 64 KiB");
        }
        Ok(Self(bytes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_text_or_base64_and_nothing_of_a_bad_one_is_repeated() {
        let read = |text: &str| serde_json::from_str::<GivenSecret>(text);
        assert_eq!(read(r#"{"value":"hunter2"}"#).unwrap().expose(), b"hunter2");
        assert_eq!(read(r#"{"base64":"/wA="}"#).unwrap().expose(), [0xff, 0]);
        let long = format!(r#"{{"value":"{}"}}"#, "x".repeat(BYTES_MAX + 1));
        for bad in [
            r#""hunter2""#,
            r#"["hunter2"]"#,
            r#"{"value":["hunter2"]}"#,
            r#"{"valeu":"hunter2"}"#,
            r#"{"value":"hunter2","hunter2":1}"#,
            r#"{"value":"hunter2","base64":"aGk="}"#,
            r#"{"base64":"hunter2!"}"#,
            r#"{"value":""}"#,
            r#"{"value":7777777}"#,
            r#"{"value":"hunter2"#,
            r#"{}"#,
            long.as_str(),
        ] {
            let said = read(bad).unwrap_err().to_string();
            assert!(!said.contains("hunter2") && !said.contains("7777777"), "{said}");
        }
        assert_eq!(format!("{:?}", read(r#"{"value":"hunter2"}"#).unwrap()), "GivenSecret(..)");
    }
}
