//! Arguments that fit a function's schema: plain values, the same each time.
//!
//! Samples reach what needs no knowledge of the capsule. They are not meant to be clever: what a function does with
//! other values is not claimed by the passport.

use serde_json::{Map, Value, json};

/// Levels of nesting that a sample has at most; deeper optional parts are left out.
const DEPTH_MAX: usize = 12;

/// Texts of the samples: a word, and two of them as many names of things are written.
pub(super) const WORDS: [&str; 2] = ["sample", "sample/sample"];

/// A value that fits the schema; its texts are `word`.
pub(super) fn of(schema: &Value, word: &str) -> Value {
    Samples { root: schema, word }.sample(schema, 0)
}

struct Samples<'v> {
    root: &'v Value,
    word: &'v str,
}

impl Samples<'_> {
    fn sample(&self, schema: &Value, depth: usize) -> Value {
        if depth > DEPTH_MAX {
            return Value::Null;
        }
        if let Some(target) = schema.get("$ref").and_then(Value::as_str) {
            return resolve(self.root, target).map_or(Value::Null, |it| self.sample(it, depth + 1));
        }
        if let Some(fixed) = schema.get("const") {
            return fixed.clone();
        }
        if let Some(first) =
            schema.get("enum").and_then(Value::as_array).and_then(|all| all.first())
        {
            return first.clone();
        }
        for any in ["anyOf", "oneOf"] {
            // In an option this is the value; in a variant the first is as good as any.
            if let Some(part) = schema.get(any).and_then(Value::as_array).and_then(|all| pick(all))
            {
                return self.sample(part, depth + 1);
            }
        }
        self.of_type(schema, depth)
    }

    fn of_type(&self, schema: &Value, depth: usize) -> Value {
        match kind(schema) {
            "boolean" => json!(true),
            "integer" | "number" => json!(1),
            "string" => self.text(schema),
            "array" => self.array(schema, depth),
            "object" => self.object(schema, depth),
            _ => Value::Null,
        }
    }

    fn text(&self, schema: &Value) -> Value {
        if schema.get("contentEncoding").is_some() {
            return json!("c2FtcGxl");
        }
        let longest = schema.get("maxLength").and_then(Value::as_u64);
        if longest == Some(1) { json!("s") } else { json!(self.word) }
    }

    fn array(&self, schema: &Value, depth: usize) -> Value {
        if let Some(items) = schema.get("prefixItems").and_then(Value::as_array) {
            return items.iter().map(|item| self.sample(item, depth + 1)).collect();
        }
        if let Some(names) = schema.get("uniqueItems").and_then(|_| schema.pointer("/items/enum")) {
            return names.as_array().and_then(|all| all.first()).into_iter().cloned().collect();
        }
        match schema.get("items") {
            Some(item) if item.is_object() && depth < DEPTH_MAX => {
                json!([self.sample(item, depth + 1)])
            }
            _ => json!([]),
        }
    }

    fn object(&self, schema: &Value, depth: usize) -> Value {
        let required = schema.get("required").and_then(Value::as_array);
        let names = required.into_iter().flatten().filter_map(Value::as_str);
        let of = |name: &str| {
            let part = schema.get("properties").and_then(|all| all.get(name));
            (name.to_owned(), part.map_or(Value::Null, |part| self.sample(part, depth + 1)))
        };
        Value::Object(names.map(of).collect::<Map<String, Value>>())
    }
}

/// A branch that holds something, where there is one.
fn pick(branches: &[Value]) -> Option<&Value> {
    let null = |branch: &&Value| branch.get("type").and_then(Value::as_str) != Some("null");
    branches.iter().find(null).or_else(|| branches.first())
}

fn kind(schema: &Value) -> &str {
    match schema.get("type") {
        Some(Value::String(kind)) => kind,
        // 64-bit integers are strings or numbers.
        Some(Value::Array(kinds)) => {
            if kinds.iter().any(|kind| kind == "integer") {
                "integer"
            } else {
                "string"
            }
        }
        _ => "",
    }
}

fn resolve<'v>(root: &'v Value, target: &str) -> Option<&'v Value> {
    root.pointer(target.strip_prefix('#')?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sample_has_every_required_part_and_ends() {
        let schema = json!({
            "type": "object",
            "required": ["text", "flags", "when", "pair", "tree", "raw", "one"],
            "properties": {
                "text": { "type": "string" },
                "flags": { "type": "array", "uniqueItems": true, "items": { "enum": ["a", "b"] } },
                "when": { "anyOf": [{ "type": "null" }, { "type": ["string", "integer"] }] },
                "pair": { "type": "array", "prefixItems": [{ "type": "boolean" }, { "type": "number" }] },
                "tree": { "$ref": "#/$defs/tree" },
                "raw": { "type": "string", "contentEncoding": "base64" },
                "one": { "type": "string", "minLength": 1, "maxLength": 1 },
                "left-out": { "type": "string" },
            },
            "$defs": { "tree": { "type": "object", "required": ["more"], "properties": { "more": { "$ref": "#/$defs/tree" } } } },
        });
        let mut made = of(&schema, "sample");
        assert!(made["tree"]["more"].is_object());
        made["tree"] = Value::Null;
        assert_eq!(
            made,
            json!({ "text": "sample", "flags": ["a"], "when": 1, "pair": [true, 1], "tree": null, "raw": "c2FtcGxl", "one": "s" })
        );
    }
}
