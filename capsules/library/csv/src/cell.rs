//! What the text of one cell means: a number, a boolean or text. A number counts only where its
//! digits would come back unchanged enough to trust: no leading zeros, no infinity.

use std::cmp::Ordering;

use serde_json::{Number, Value};

pub(crate) fn typed(text: &str) -> Value {
    match text {
        "" => Value::Null,
        "true" => Value::Bool(true),
        "false" => Value::Bool(false),
        _ => number(text).map_or_else(|| Value::String(text.to_owned()), Value::Number),
    }
}

/// The JSON number that this text is, if it is one.
pub(crate) fn number(text: &str) -> Option<Number> {
    let digits = text.strip_prefix('-').unwrap_or(text);
    let padded = digits.len() > 1 && digits.starts_with('0') && !digits.starts_with("0.");
    if padded || !digits.starts_with(|c: char| c.is_ascii_digit()) {
        return None;
    }
    if let Ok(whole) = text.parse::<i64>() {
        return Some(whole.into());
    }
    if digits.bytes().all(|b| b.is_ascii_digit()) {
        // Too large for 64 bits: as a float it would lose digits.
        return text.parse::<u64>().ok().map(Into::into);
    }
    text.parse::<f64>().ok().filter(|f| f.is_finite()).and_then(Number::from_f64)
}

pub(crate) fn float(text: &str) -> Option<f64> {
    number(text).and_then(|n| n.as_f64())
}

/// Numbers before text, numbers by value, text by code point.
pub(crate) fn compare(a: &str, b: &str) -> Ordering {
    match (float(a), float(b)) {
        (Some(x), Some(y)) => x.partial_cmp(&y).unwrap_or(Ordering::Equal),
        (Some(_), None) => Ordering::Less,
        (None, Some(_)) => Ordering::Greater,
        (None, None) => a.cmp(b),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn only_text_that_is_safely_a_number_becomes_one() {
        for (text, value) in [
            ("12", json!(12)),
            ("-0.5", json!(-0.5)),
            ("1.9e27", json!(1.9e27)),
            ("007", json!("007")),
            ("1e400", json!("1e400")),
            ("99999999999999999999", json!("99999999999999999999")),
            ("18446744073709551615", json!(18_446_744_073_709_551_615_u64)),
            ("inf", json!("inf")),
            ("+1", json!("+1")),
            (" 1", json!(" 1")),
            ("", json!(null)),
            ("true", json!(true)),
        ] {
            assert_eq!(typed(text), value, "{text:?}");
        }
    }

    #[test]
    fn numbers_compare_by_value_and_come_before_text() {
        assert_eq!(compare("9", "10"), Ordering::Less);
        assert_eq!(compare("9", "a"), Ordering::Less);
        assert_eq!(compare("b", "a"), Ordering::Greater);
    }
}
