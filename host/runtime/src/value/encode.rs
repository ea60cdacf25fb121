//! Component values to JSON, led by the type: an empty list is `""` or `[]` as its type says.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Number, Value};
use wasmtime::component::{Type, Val};

use super::ValueCaps;
use super::error::{ValueError, ValueReason};

type Encoded = Result<Value, ValueError>;

pub(super) struct Encoder<'a> {
    caps: &'a ValueCaps,
    depth: usize,
    nodes: usize,
    bytes: usize,
}

impl<'a> Encoder<'a> {
    pub(super) fn new(caps: &'a ValueCaps) -> Self {
        Self { caps, depth: 0, nodes: 0, bytes: 0 }
    }

    /// What a case or a result carries; `null` if nothing.
    pub(super) fn payload(&mut self, ty: Option<Type>, value: Option<&Val>) -> Encoded {
        match (ty, value) {
            (Some(ty), Some(value)) => self.value(&ty, value),
            (None, None) => Ok(Value::Null),
            _ => Err(mismatch("a payload")),
        }
    }

    pub(super) fn value(&mut self, ty: &Type, value: &Val) -> Encoded {
        self.take(1, 2)?;
        match (ty, value) {
            (Type::Bool, Val::Bool(b)) => Ok(Value::Bool(*b)),
            (Type::U8, Val::U8(n)) => Ok(Value::from(*n)),
            (Type::S8, Val::S8(n)) => Ok(Value::from(*n)),
            (Type::U16, Val::U16(n)) => Ok(Value::from(*n)),
            (Type::S16, Val::S16(n)) => Ok(Value::from(*n)),
            (Type::U32, Val::U32(n)) => Ok(Value::from(*n)),
            (Type::S32, Val::S32(n)) => Ok(Value::from(*n)),
            (Type::U64, Val::U64(n)) => self.text(n.to_string()),
            (Type::S64, Val::S64(n)) => self.text(n.to_string()),
            (Type::Float32, Val::Float32(n)) => Ok(float(widen(*n))),
            (Type::Float64, Val::Float64(n)) => Ok(float(*n)),
            (Type::Char, Val::Char(c)) => self.text(c.to_string()),
            (Type::String, Val::String(text)) => self.text(text.clone()),
            _ => self.nested(ty, value),
        }
    }

    fn nested(&mut self, ty: &Type, value: &Val) -> Encoded {
        if self.depth >= self.caps.depth {
            return Err(ValueError::new(ValueReason::TooDeep(self.caps.depth)));
        }
        self.depth += 1;
        let json = self.composed(ty, value);
        self.depth -= 1;
        json
    }

    fn composed(&mut self, ty: &Type, value: &Val) -> Encoded {
        match (ty, value) {
            (Type::List(list), Val::List(items)) => self.list(&list.ty(), items),
            (Type::Record(record), Val::Record(fields)) => {
                let types = record.fields().map(|field| (field.name, field.ty));
                self.record(types, fields)
            }
            (Type::Tuple(tuple), Val::Tuple(items)) => {
                let types: Vec<Type> = tuple.types().collect();
                self.tuple(&types, items)
            }
            (Type::Variant(variant), Val::Variant(name, payload)) => {
                let case = variant.cases().find(|case| case.name == name);
                let ty = case.ok_or_else(|| mismatch("a variant"))?.ty;
                self.tagged(name, ty, payload.as_deref())
            }
            (Type::Result(result), Val::Result(outcome)) => match outcome {
                Ok(ok) => self.tagged("ok", result.ok(), ok.as_deref()),
                Err(err) => self.tagged("err", result.err(), err.as_deref()),
            },
            (Type::Enum(cases), Val::Enum(name)) if cases.names().any(|known| known == name) => {
                self.text(name.clone())
            }
            (Type::Option(_), Val::Option(None)) => Ok(Value::Null),
            (Type::Option(option), Val::Option(Some(value))) => match option.ty() {
                inner @ Type::Option(_) => self.tagged("some", Some(inner), Some(value)),
                inner => self.value(&inner, value),
            },
            (Type::Flags(flags), Val::Flags(set)) => {
                let names = flags.names().filter(|name| set.iter().any(|flag| flag == name));
                let names: Vec<String> = names.map(ToString::to_string).collect();
                names
                    .into_iter()
                    .map(|name| self.text(name))
                    .collect::<Result<_, _>>()
                    .map(Value::Array)
            }
            (ty, _) => Err(ValueError::new(unsupported(ty))),
        }
    }

    fn list(&mut self, item: &Type, items: &[Val]) -> Encoded {
        if !matches!(item, Type::U8) {
            return self.items(items.iter().map(|value| (item, value)));
        }
        self.take(items.len(), items.len().div_ceil(3).saturating_mul(4))?;
        let octet = |value: &Val| match value {
            Val::U8(octet) => Ok(*octet),
            _ => Err(mismatch("a list of bytes")),
        };
        let bytes: Vec<u8> = items.iter().map(octet).collect::<Result<_, _>>()?;
        Ok(Value::String(STANDARD.encode(bytes)))
    }

    fn tuple(&mut self, types: &[Type], items: &[Val]) -> Encoded {
        if types.len() != items.len() {
            return Err(mismatch("a tuple"));
        }
        self.items(types.iter().zip(items))
    }

    fn items<'v>(&mut self, items: impl Iterator<Item = (&'v Type, &'v Val)>) -> Encoded {
        let mut array = Vec::new();
        for (index, (ty, value)) in items.enumerate() {
            array.push(self.value(ty, value).map_err(|error| error.at_index(index))?);
        }
        Ok(Value::Array(array))
    }

    fn record<'t>(
        &mut self,
        types: impl ExactSizeIterator<Item = (&'t str, Type)>,
        fields: &[(String, Val)],
    ) -> Encoded {
        if types.len() != fields.len() {
            return Err(mismatch("a record"));
        }
        let mut object = Map::new();
        for ((name, ty), (found, value)) in types.zip(fields) {
            if name != found {
                return Err(mismatch("a record"));
            }
            self.take(0, name.len() + 4)?;
            let json = self.value(&ty, value).map_err(|error| error.in_field(name))?;
            object.insert(name.to_string(), json);
        }
        Ok(Value::Object(object))
    }

    fn tagged(&mut self, name: &str, ty: Option<Type>, value: Option<&Val>) -> Encoded {
        self.take(0, name.len() + 4)?;
        let json = self.payload(ty, value).map_err(|error| error.in_field(name))?;
        Ok(Value::Object(std::iter::once((name.to_string(), json)).collect()))
    }

    fn text(&mut self, text: String) -> Encoded {
        self.take(0, text.len())?;
        Ok(Value::String(text))
    }

    fn take(&mut self, nodes: usize, bytes: usize) -> Result<(), ValueError> {
        self.nodes = self.nodes.saturating_add(nodes);
        self.bytes = self.bytes.saturating_add(bytes);
        if self.nodes > self.caps.nodes {
            return Err(ValueError::new(ValueReason::TooMany(self.caps.nodes)));
        }
        if self.bytes > self.caps.bytes {
            return Err(ValueError::new(ValueReason::TooLarge(self.caps.bytes)));
        }
        Ok(())
    }
}

/// The number with the fewest digits that is this f32, so that 0.1 does not become
/// 0.10000000149011612.
fn widen(narrow: f32) -> f64 {
    #[expect(clippy::cast_possible_truncation, reason = "it is the comparison that is wanted")]
    let same = |wide: &f64| *wide as f32 == narrow;
    narrow.to_string().parse().ok().filter(same).unwrap_or_else(|| f64::from(narrow))
}

fn float(value: f64) -> Value {
    match Number::from_f64(value) {
        Some(number) => Value::Number(number),
        None if value.is_nan() => Value::from("NaN"),
        None if value.is_sign_positive() => Value::from("Infinity"),
        None => Value::from("-Infinity"),
    }
}

fn mismatch(what: &'static str) -> ValueError {
    ValueError::new(ValueReason::Mismatch(what))
}

/// Why a type has no JSON form; for one that has, the value was of another type.
pub(super) fn unsupported(ty: &Type) -> ValueReason {
    match ty {
        Type::Own(_) | Type::Borrow(_) => ValueReason::Resource,
        Type::Future(_) => ValueReason::Unsupported("future"),
        Type::Stream(_) => ValueReason::Unsupported("stream"),
        Type::ErrorContext => ValueReason::Unsupported("error context"),
        Type::Map(_) => ValueReason::Unsupported("map"),
        Type::FixedLengthList(_) => ValueReason::Unsupported("list of fixed length"),
        _ => ValueReason::Mismatch("a value"),
    }
}
