//! Checks values against schemas, as far as the schemas of soma-capsule go: what it does not know
//! fails the test, so that a new keyword is noticed.

use serde_json::{Value, json};

/// As much of JSON Schema as the schemas use; a keyword that it does not know fails the test.
pub(super) fn fits(root: &Value, schema: &Value, value: &Value) -> bool {
    let Some(schema) = schema.as_object() else { return schema == &json!(true) };
    schema.iter().all(|(keyword, rule)| match keyword.as_str() {
        "$schema" | "$defs" | "contentEncoding" => true,
        "$ref" => {
            let pointer = rule.as_str().unwrap().trim_start_matches('#');
            fits(root, root.pointer(pointer).unwrap(), value)
        }
        "type" => match rule {
            Value::Array(any) => any.iter().any(|one| is_type(one.as_str().unwrap(), value)),
            one => is_type(one.as_str().unwrap(), value),
        },
        "enum" => rule.as_array().unwrap().contains(value),
        "minimum" => value.as_f64().is_none_or(|n| n >= rule.as_f64().unwrap()),
        "maximum" => value.as_f64().is_none_or(|n| n <= rule.as_f64().unwrap()),
        "minLength" => {
            value.as_str().is_none_or(|s| s.chars().count() as u64 >= rule.as_u64().unwrap())
        }
        "maxLength" => {
            value.as_str().is_none_or(|s| s.chars().count() as u64 <= rule.as_u64().unwrap())
        }
        "pattern" => value.as_str().is_none_or(|s| matches_pattern(rule.as_str().unwrap(), s)),
        "anyOf" => rule.as_array().unwrap().iter().any(|one| fits(root, one, value)),
        "oneOf" => {
            rule.as_array().unwrap().iter().filter(|one| fits(root, one, value)).count() == 1
        }
        "items" if rule == &json!(false) => true,
        "items" => value.as_array().is_none_or(|all| all.iter().all(|one| fits(root, rule, one))),
        "prefixItems" => value.as_array().is_none_or(|all| {
            all.iter().zip(rule.as_array().unwrap()).all(|(one, schema)| fits(root, schema, one))
        }),
        "minItems" => value.as_array().is_none_or(|all| all.len() as u64 >= rule.as_u64().unwrap()),
        "maxItems" => value.as_array().is_none_or(|all| all.len() as u64 <= rule.as_u64().unwrap()),
        "uniqueItems" => value
            .as_array()
            .is_none_or(|all| all.iter().enumerate().all(|(i, one)| !all[..i].contains(one))),
        "properties" => value.as_object().is_none_or(|object| {
            let known = rule.as_object().unwrap();
            object
                .iter()
                .all(|(key, one)| known.get(key).is_none_or(|schema| fits(root, schema, one)))
        }),
        "required" => value.as_object().is_none_or(|object| {
            rule.as_array().unwrap().iter().all(|key| object.contains_key(key.as_str().unwrap()))
        }),
        "additionalProperties" => value.as_object().is_none_or(|object| {
            let known = schema["properties"].as_object().unwrap();
            object.keys().all(|key| known.contains_key(key))
        }),
        other => panic!("the keyword `{other}` is new"),
    })
}

fn is_type(name: &str, value: &Value) -> bool {
    match name {
        "null" => value.is_null(),
        "boolean" => value.is_boolean(),
        "string" => value.is_string(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        "number" => value.is_number(),
        "integer" => {
            value.is_i64() || value.is_u64() || value.as_f64().is_some_and(|n| n.fract() == 0.0)
        }
        other => panic!("the type `{other}` is new"),
    }
}

/// The three patterns of the schemas.
fn matches_pattern(pattern: &str, text: &str) -> bool {
    let decimal = |text: &str, most: usize| {
        text == "0"
            || (!text.starts_with('0')
                && (1..=most).contains(&text.len())
                && text.bytes().all(|b| b.is_ascii_digit()))
    };
    match pattern {
        "^(0|[1-9][0-9]{0,19})$" => decimal(text, 20),
        "^(0|-?[1-9][0-9]{0,18})$" => match text.strip_prefix('-') {
            Some(rest) => rest != "0" && decimal(rest, 19),
            None => decimal(text, 19),
        },
        "^([A-Za-z0-9+/]{4})*([A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$" => {
            let body = text.trim_end_matches('=');
            text.len().is_multiple_of(4)
                && text.len() - body.len() <= 2
                && body.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'+' || b == b'/')
        }
        other => panic!("the pattern `{other}` is new"),
    }
}
