//! JSON to component values, led by the type.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value};
use soma_policy::did_you_mean;
use wasmtime::component::{Type, Val};

use super::ValueCaps;
use super::error::{ValueError, ValueReason};

type Decoded = Result<Val, ValueError>;

/// Largest integer that a JSON number with a fraction or exponent states exactly.
const EXACT_FLOAT: f64 = 9_007_199_254_740_992.0;

pub(super) struct Decoder<'a> {
    caps: &'a ValueCaps,
    depth: usize,
    nodes: usize,
    bytes: usize,
}

impl<'a> Decoder<'a> {
    pub(super) fn new(caps: &'a ValueCaps) -> Self {
        Self { caps, depth: 0, nodes: 0, bytes: 0 }
    }

    /// A record, or the arguments of a function.
    pub(super) fn fields<'t>(
        &mut self,
        types: impl Iterator<Item = (&'t str, Type)>,
        json: &Value,
    ) -> Result<Vec<(String, Val)>, ValueError> {
        let object = object(json)?;
        let mut fields = Vec::new();
        let mut taken = 0;
        for (name, ty) in types {
            self.take_bytes(name.len())?;
            let value = match (object.get(name), &ty) {
                (Some(value), _) => {
                    taken += 1;
                    self.value(&ty, value)
                }
                (None, Type::Option(_)) => self.value(&ty, &Value::Null),
                (None, _) => Err(ValueError::new(ValueReason::Missing)),
            };
            fields.push((name.to_string(), value.map_err(|error| error.in_field(name))?));
        }
        if taken < object.len() {
            return Err(unknown_field(&fields, object));
        }
        Ok(fields)
    }

    pub(super) fn value(&mut self, ty: &Type, json: &Value) -> Decoded {
        self.take_nodes(1)?;
        match ty {
            Type::Bool => json.as_bool().map(Val::Bool).ok_or_else(|| wrong("a boolean", json)),
            Type::U8 => small(json, "an integer from 0 to 255").map(Val::U8),
            Type::S8 => small(json, "an integer from -128 to 127").map(Val::S8),
            Type::U16 => small(json, "an integer from 0 to 65535").map(Val::U16),
            Type::S16 => small(json, "an integer from -32768 to 32767").map(Val::S16),
            Type::U32 => small(json, "an integer from 0 to 4294967295").map(Val::U32),
            Type::S32 => small(json, "an integer from -2147483648 to 2147483647").map(Val::S32),
            Type::U64 => {
                large(json, "a decimal string from 0 to 18446744073709551615").map(Val::U64)
            }
            Type::S64 => {
                large(json, "a decimal string from -9223372036854775808 to 9223372036854775807")
                    .map(Val::S64)
            }
            Type::Float32 => float32(json),
            Type::Float64 => float(json).map(Val::Float64),
            Type::Char => character(json),
            Type::String => self.string(json),
            _ => self.nested(ty, json),
        }
    }

    fn nested(&mut self, ty: &Type, json: &Value) -> Decoded {
        if self.depth >= self.caps.depth {
            return Err(ValueError::new(ValueReason::TooDeep(self.caps.depth)));
        }
        self.depth += 1;
        let value = self.composed(ty, json);
        self.depth -= 1;
        value
    }

    fn composed(&mut self, ty: &Type, json: &Value) -> Decoded {
        match ty {
            Type::List(list) => self.list(&list.ty(), json),
            Type::Record(record) => {
                let types = record.fields().map(|field| (field.name, field.ty));
                self.fields(types, json).map(Val::Record)
            }
            Type::Tuple(tuple) => self.tuple(&tuple.types().collect::<Vec<_>>(), json),
            Type::Variant(variant) => {
                let names: Vec<&str> = variant.cases().map(|case| case.name).collect();
                let (name, payload) = self.tag(&names, json)?;
                let ty = variant.cases().find(|case| case.name == name).and_then(|case| case.ty);
                let payload = self.payload(&name, ty, payload)?;
                Ok(Val::Variant(name, payload))
            }
            Type::Result(result) => {
                let (name, payload) = self.tag(&["ok", "err"], json)?;
                Ok(Val::Result(if name == "ok" {
                    Ok(self.payload(&name, result.ok(), payload)?)
                } else {
                    Err(self.payload(&name, result.err(), payload)?)
                }))
            }
            Type::Enum(cases) => {
                let names: Vec<&str> = cases.names().collect();
                self.name_of(&names, json).map(Val::Enum)
            }
            Type::Option(option) => self.option(&option.ty(), json),
            Type::Flags(flags) => self.flags(&flags.names().collect::<Vec<_>>(), json),
            other => Err(ValueError::new(super::encode::unsupported(other))),
        }
    }

    fn list(&mut self, item: &Type, json: &Value) -> Decoded {
        if matches!(item, Type::U8) {
            return self.octets(json);
        }
        let items = json.as_array().ok_or_else(|| wrong("an array", json))?;
        let mut values = Vec::with_capacity(items.len().min(self.caps.nodes - self.nodes));
        for (index, json) in items.iter().enumerate() {
            values.push(self.value(item, json).map_err(|error| error.at_index(index))?);
        }
        Ok(Val::List(values))
    }

    fn octets(&mut self, json: &Value) -> Decoded {
        let expected = "a base64 string";
        let text = json.as_str().ok_or_else(|| wrong(expected, json))?;
        self.take_bytes(text.len())?;
        self.take_nodes(text.len() / 4 * 3)?;
        let bytes = STANDARD.decode(text).map_err(|error| {
            ValueError::expected(expected, format!("text that is not: {error}"))
        })?;
        Ok(Val::List(bytes.into_iter().map(Val::U8).collect()))
    }

    fn tuple(&mut self, types: &[Type], json: &Value) -> Decoded {
        let items = json.as_array().ok_or_else(|| wrong("an array", json))?;
        if items.len() != types.len() {
            let expected = format!("an array of {} items", types.len());
            return Err(ValueError::expected(expected, format!("{} items", items.len())));
        }
        let mut values = Vec::new();
        for (index, (ty, json)) in types.iter().zip(items).enumerate() {
            values.push(self.value(ty, json).map_err(|error| error.at_index(index))?);
        }
        Ok(Val::Tuple(values))
    }

    /// `{"case": payload}`, exactly one of the known cases.
    fn tag<'j>(
        &mut self,
        names: &[&str],
        json: &'j Value,
    ) -> Result<(String, &'j Value), ValueError> {
        let expected = || format!("an object with one of {}", listed(names));
        let object = json.as_object().ok_or_else(|| wrong(&expected(), json))?;
        let mut entries = object.iter();
        let (Some((name, payload)), None) = (entries.next(), entries.next()) else {
            return Err(ValueError::expected(expected(), format!("{} keys", object.len())));
        };
        if !names.contains(&name.as_str()) {
            let hint = ValueReason::Unknown(did_you_mean(name, names));
            return Err(ValueError::new(hint).in_field(name));
        }
        self.take_bytes(name.len())?;
        Ok((name.clone(), payload))
    }

    fn payload(
        &mut self,
        name: &str,
        ty: Option<Type>,
        json: &Value,
    ) -> Result<Option<Box<Val>>, ValueError> {
        match ty {
            Some(ty) => {
                let value = self.value(&ty, json).map_err(|error| error.in_field(name))?;
                Ok(Some(Box::new(value)))
            }
            None if json.is_null() => Ok(None),
            None => Err(wrong("null", json).in_field(name)),
        }
    }

    /// An option inside an option is wrapped, else two of its values would both be `null`.
    fn option(&mut self, inner: &Type, json: &Value) -> Decoded {
        if json.is_null() {
            return Ok(Val::Option(None));
        }
        let json = match inner {
            Type::Option(_) => self.tag(&["some"], json)?.1,
            _ => json,
        };
        let value = self.value(inner, json)?;
        Ok(Val::Option(Some(Box::new(value))))
    }

    fn flags(&mut self, names: &[&str], json: &Value) -> Decoded {
        let expected = || format!("an array of {}", listed(names));
        let items = json.as_array().ok_or_else(|| wrong(&expected(), json))?;
        let mut set: Vec<&str> = Vec::new();
        for (index, item) in items.iter().enumerate() {
            self.take_nodes(1)?;
            let name = self.name_of(names, item).map_err(|error| error.at_index(index))?;
            if set.contains(&name.as_str()) {
                return Err(ValueError::expected("each flag once", "one twice").at_index(index));
            }
            set.extend(names.iter().find(|known| **known == name));
        }
        let ordered = names.iter().filter(|name| set.contains(name));
        Ok(Val::Flags(ordered.map(|name| (*name).to_string()).collect()))
    }

    fn name_of(&mut self, names: &[&str], json: &Value) -> Result<String, ValueError> {
        let expected = || format!("one of {}", listed(names));
        let text = json.as_str().ok_or_else(|| wrong(&expected(), json))?;
        if !names.contains(&text) {
            let found = format!("{}{}", shown(text), did_you_mean(text, names));
            return Err(ValueError::expected(expected(), found));
        }
        self.take_bytes(text.len())?;
        Ok(text.to_string())
    }

    fn string(&mut self, json: &Value) -> Decoded {
        let text = json.as_str().ok_or_else(|| wrong("a string", json))?;
        self.take_bytes(text.len())?;
        Ok(Val::String(text.to_string()))
    }

    fn take_nodes(&mut self, nodes: usize) -> Result<(), ValueError> {
        self.nodes = self.nodes.saturating_add(nodes);
        if self.nodes > self.caps.nodes {
            return Err(ValueError::new(ValueReason::TooMany(self.caps.nodes)));
        }
        Ok(())
    }

    fn take_bytes(&mut self, bytes: usize) -> Result<(), ValueError> {
        self.bytes = self.bytes.saturating_add(bytes);
        if self.bytes > self.caps.bytes {
            return Err(ValueError::new(ValueReason::TooLarge(self.caps.bytes)));
        }
        Ok(())
    }
}

fn object(json: &Value) -> Result<&Map<String, Value>, ValueError> {
    json.as_object().ok_or_else(|| wrong("an object", json))
}

fn unknown_field(fields: &[(String, Val)], object: &Map<String, Value>) -> ValueError {
    let known: Vec<&str> = fields.iter().map(|(name, _)| name.as_str()).collect();
    let extra = object.keys().find(|key| !known.contains(&key.as_str()));
    let extra = extra.map(String::as_str).unwrap_or_default();
    ValueError::new(ValueReason::Unknown(did_you_mean(extra, &known))).in_field(extra)
}

fn small<T: TryFrom<i128>>(json: &Value, expected: &str) -> Result<T, ValueError> {
    integer(json).and_then(|n| T::try_from(n).ok()).ok_or_else(|| wrong(expected, json))
}

/// A 64-bit integer: a decimal string in its one canonical form, or a number that is exact.
fn large<T>(json: &Value, expected: &str) -> Result<T, ValueError>
where
    T: TryFrom<i128> + std::str::FromStr + ToString,
{
    let parsed = match json {
        Value::String(text) => text.parse::<T>().ok().filter(|n| n.to_string() == *text),
        other => integer(other).and_then(|n| T::try_from(n).ok()),
    };
    parsed.ok_or_else(|| wrong(expected, json))
}

fn integer(json: &Value) -> Option<i128> {
    let number = json.as_number()?;
    if let Some(whole) = number.as_u64() {
        return Some(i128::from(whole));
    }
    if let Some(whole) = number.as_i64() {
        return Some(i128::from(whole));
    }
    let float = number.as_f64()?;
    #[expect(clippy::cast_possible_truncation, reason = "it is whole and within 2^53")]
    (float.fract() == 0.0 && float.abs() <= EXACT_FLOAT).then_some(float as i128)
}

fn float(json: &Value) -> Result<f64, ValueError> {
    let named = match json.as_str() {
        Some("NaN") => Some(f64::NAN),
        Some("Infinity") => Some(f64::INFINITY),
        Some("-Infinity") => Some(f64::NEG_INFINITY),
        _ => json.as_f64(),
    };
    named.ok_or_else(|| wrong("a number, \"NaN\", \"Infinity\" or \"-Infinity\"", json))
}

#[expect(clippy::cast_possible_truncation, reason = "rounding to the nearest is what f32 means")]
fn float32(json: &Value) -> Decoded {
    let wide = float(json)?;
    let narrow = wide as f32;
    if wide.is_finite() && !narrow.is_finite() {
        return Err(ValueError::expected(
            "a number within the range of f32",
            shown(&wide.to_string()),
        ));
    }
    Ok(Val::Float32(narrow))
}

fn character(json: &Value) -> Decoded {
    let mut chars = json.as_str().unwrap_or_default().chars();
    match (chars.next(), chars.next()) {
        (Some(only), None) => Ok(Val::Char(only)),
        _ => Err(wrong("a string of one character", json)),
    }
}

fn wrong(expected: &str, json: &Value) -> ValueError {
    let found = match json {
        Value::Null => "null".to_string(),
        Value::Bool(_) => "a boolean".to_string(),
        Value::Number(number) => format!("the number {}", shown(&number.to_string())),
        Value::String(text) => format!("the string {}", shown(text)),
        Value::Array(_) => "an array".to_string(),
        Value::Object(_) => "an object".to_string(),
    };
    ValueError::expected(expected, found)
}

/// What a caller wrote, short and without control characters.
fn shown(text: &str) -> String {
    const CHARS_MAX: usize = 40;
    let short: String = text.chars().take(CHARS_MAX).flat_map(char::escape_debug).collect();
    let more = if text.chars().nth(CHARS_MAX).is_some() { "…" } else { "" };
    format!("\"{short}{more}\"")
}

fn listed(names: &[&str]) -> String {
    const NAMES_MAX: usize = 12;
    let some: Vec<String> = names.iter().take(NAMES_MAX).map(|name| shown(name)).collect();
    let more = if names.len() > NAMES_MAX { ", …" } else { "" };
    format!("{}{more}", some.join(", "))
}
