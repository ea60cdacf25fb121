//! JSON Schema of the types that have no parts, and the shapes that composed ones share.

use serde_json::{Map, Value, json};
use wit_parser::{Resolve, Type, TypeDefKind};

/// Largest integer up to which JSON numbers with a fraction or exponent are taken as exact.
const EXACT_FLOAT: i64 = 1 << 53;

/// The definition behind a type, names for the same type followed.
pub(super) fn definition(resolve: &Resolve, ty: Type) -> Option<&TypeDefKind> {
    let mut ty = ty;
    // A name can only refer to an earlier type, so this ends.
    while let Type::Id(id) = ty {
        match &resolve.types.get(id)?.kind {
            TypeDefKind::Type(next) => ty = *next,
            kind => return Some(kind),
        }
    }
    None
}

/// The schema of a type without parts; `None` for composed types.
pub(super) fn primitive(ty: Type) -> Option<Value> {
    Some(match ty {
        Type::Bool => json!({"type": "boolean"}),
        Type::U8 => integer(0, i64::from(u8::MAX)),
        Type::U16 => integer(0, i64::from(u16::MAX)),
        Type::U32 => integer(0, i64::from(u32::MAX)),
        Type::S8 => integer(i64::from(i8::MIN), i64::from(i8::MAX)),
        Type::S16 => integer(i64::from(i16::MIN), i64::from(i16::MAX)),
        Type::S32 => integer(i64::from(i32::MIN), i64::from(i32::MAX)),
        Type::U64 => json!({
            "type": ["string", "integer"],
            "pattern": "^(0|[1-9][0-9]{0,19})$",
            "minimum": 0,
            "maximum": u64::MAX,
        }),
        Type::S64 => json!({
            "type": ["string", "integer"],
            "pattern": "^(0|-?[1-9][0-9]{0,18})$",
            "minimum": i64::MIN,
            "maximum": i64::MAX,
        }),
        Type::F32 | Type::F64 => json!({
            "anyOf": [{"type": "number"}, {"enum": ["NaN", "Infinity", "-Infinity"]}],
        }),
        Type::Char => json!({"type": "string", "minLength": 1, "maxLength": 1}),
        Type::String => json!({"type": "string"}),
        Type::ErrorContext | Type::Id(_) => return None,
    })
}

fn integer(minimum: i64, maximum: i64) -> Value {
    debug_assert!(maximum < EXACT_FLOAT, "64-bit integers have a form of their own");
    json!({"type": "integer", "minimum": minimum, "maximum": maximum})
}

/// Standard base64 with padding.
pub(super) fn bytes() -> Value {
    json!({
        "type": "string",
        "contentEncoding": "base64",
        "pattern": "^([A-Za-z0-9+/]{4})*([A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$",
    })
}

/// The value of what carries nothing.
pub(super) fn nothing() -> Value {
    json!({"type": "null"})
}

/// An object with exactly these properties.
pub(super) fn object(properties: Map<String, Value>, required: Vec<String>) -> Value {
    json!({
        "type": "object",
        "properties": properties,
        "required": required,
        "additionalProperties": false,
    })
}

/// An object with exactly this one property.
pub(super) fn tagged(case: &str, payload: Value) -> Value {
    let properties: Map<String, Value> = std::iter::once((case.to_string(), payload)).collect();
    object(properties, vec![case.to_string()])
}

/// An array of exactly these items.
pub(super) fn tuple(items: &[Value]) -> Value {
    json!({
        "type": "array",
        "prefixItems": items,
        "items": false,
        "minItems": items.len(),
        "maxItems": items.len(),
    })
}
