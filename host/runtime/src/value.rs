//! JSON to component values and back, by the mapping of docs/reference/values.md.
//!
//! soma-capsule derives JSON Schema from the same page; a test holds the two together. This room
//! converts under caps and nothing else: it calls no guest, and counts against no limit of a call.

mod decode;
mod encode;
mod error;

use serde_json::Value;
use wasmtime::component::{Type, Val};

pub use error::{ValueError, ValueReason};

/// How much one conversion may make, whichever way it goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ValueCaps {
    /// Nesting of values.
    pub depth: usize,
    /// Values, each field, element and byte of a `list<u8>` counted as one.
    pub nodes: usize,
    /// Bytes of text, names and punctuation in the JSON.
    pub bytes: usize,
}

impl ValueCaps {
    /// Deepest nesting, the same as of a schema.
    pub const DEPTH: usize = 64;

    /// Most values, whatever the bytes: each takes some forty bytes in the host.
    pub const NODES_MAX: usize = 1 << 20;

    /// The caps for JSON of at most that many bytes.
    #[must_use]
    pub fn for_bytes(bytes: u64) -> Self {
        let bytes = usize::try_from(bytes).unwrap_or(usize::MAX);
        Self { depth: Self::DEPTH, nodes: bytes.clamp(1024, Self::NODES_MAX), bytes }
    }
}

impl Default for ValueCaps {
    /// For a caller that bounds the bytes of the JSON by itself.
    fn default() -> Self {
        Self { depth: Self::DEPTH, nodes: Self::NODES_MAX, bytes: 32 << 20 }
    }
}

/// What a function returned, a top-level `result` taken apart.
#[derive(Debug, Clone, PartialEq)]
pub enum CallValue {
    /// The value, or the `ok` of a result.
    Ok(Value),
    /// The `err` of a result: the guest's own typed error.
    GuestError(Value),
}

/// Converts an argument object into values, in the order of the parameters.
///
/// # Errors
/// When an argument is missing, unknown or of another form than its type, or a cap is reached.
/// The error names the field: `args.items[3].name: expected a string, found a number`.
pub fn args_from_json(
    params: &[(String, Type)],
    args: &Value,
    caps: &ValueCaps,
) -> Result<Vec<Val>, ValueError> {
    let mut decoder = decode::Decoder::new(caps);
    let named = params.iter().map(|(name, ty)| (name.as_str(), ty.clone()));
    let fields = decoder.fields(named, args).map_err(|error| error.rooted("args"))?;
    Ok(fields.into_iter().map(|(_, value)| value).collect())
}

/// Converts what a function returned. `types` are those of its results: one, or none.
///
/// # Errors
/// When the values do not fit the type, hold what JSON cannot carry, or a cap is reached.
pub fn result_to_json(
    values: &[Val],
    types: &[Type],
    caps: &ValueCaps,
) -> Result<CallValue, ValueError> {
    let mut encoder = encode::Encoder::new(caps);
    let whole = match (values, types) {
        ([], []) => Ok(CallValue::Ok(Value::Null)),
        ([Val::Result(outcome)], [Type::Result(result)]) => match outcome {
            Ok(ok) => encoder.payload(result.ok(), ok.as_deref()).map(CallValue::Ok),
            Err(err) => encoder.payload(result.err(), err.as_deref()).map(CallValue::GuestError),
        },
        ([value], [ty]) => encoder.value(ty, value).map(CallValue::Ok),
        _ => Err(ValueError::new(ValueReason::Mismatch("the results of the function"))),
    };
    whole.map_err(|error| error.rooted("result"))
}

/// How many bytes the JSON has when it is written without blanks.
#[must_use]
pub fn size_of_json(json: &Value) -> u64 {
    struct Count(u64);
    impl std::io::Write for Count {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0 = self.0.saturating_add(bytes.len() as u64);
            Ok(bytes.len())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    let mut count = Count(0);
    // Counting does not fail; a value that could not be written would not be sent either.
    match serde_json::to_writer(&mut count, json) {
        Ok(()) => count.0,
        Err(_) => u64::MAX,
    }
}

#[cfg(test)]
mod tests;
