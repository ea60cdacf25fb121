//! JSON Schema of the functions that a component exports, derived from their WIT types.
//!
//! The mapping is the one of docs/reference/values.md; the host's conversion of values follows
//! the same page. This room describes; it converts no value and loads no component.

mod defs;
mod text;
mod types;

use std::collections::HashMap;

use serde_json::Value;
use wit_parser::{Function, FunctionKind, Resolve, TypeDefKind, WorldId, WorldItem};

use crate::component::{self, ComponentError};
use defs::Builder;

/// A function that can be called with JSON.
#[derive(Debug, Clone, PartialEq)]
pub struct FunctionSchema {
    /// The name to call it by: its own, or `interface.function` where two share one.
    pub name: String,
    /// The name in the component.
    pub export: String,
    /// The exported interface it belongs to; `None` for a function of the world itself.
    pub interface: Option<String>,
    /// The signature as WIT text.
    pub signature: String,
    /// JSON Schema of the arguments: an object with one property per parameter.
    pub input: Value,
    /// JSON Schema of the result, a top-level `result` unwrapped.
    pub output: Value,
    /// JSON Schema of the typed error, if the function can return one.
    pub error: Option<Value>,
}

/// How large one schema may become.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SchemaCaps {
    /// Schema nodes of one function, definitions included.
    pub nodes: usize,
    /// Nesting of types.
    pub depth: usize,
    /// Functions of one component.
    pub functions: usize,
}

impl SchemaCaps {
    /// Wide enough for any signature that people write.
    pub const DEFAULT: Self = Self { nodes: 10_000, depth: 64, functions: 1_000 };
}

/// Why a function cannot be described, hence not called, with JSON.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("function `{function}`: {reason}")]
pub struct SchemaError {
    /// The function, with its interface if it has one.
    pub function: String,
    /// What is in the way.
    pub reason: SchemaReason,
}

/// What is in the way of describing a function.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SchemaReason {
    /// A resource or a handle to one.
    #[error("`{path}` is a resource; JSON cannot carry resources")]
    Resource {
        /// Where in the signature.
        path: String,
    },
    /// A stream, a future or another type without a JSON form.
    #[error("`{path}` is a {what}; JSON cannot carry it")]
    Unsupported {
        /// Where in the signature.
        path: String,
        /// The kind of type.
        what: &'static str,
    },
    /// A method, constructor or static function of a resource.
    #[error("it belongs to a resource; only free functions can be called")]
    Method,
    /// An `async` function.
    #[error("it is async; WASI 0.3 is not offered")]
    Async,
    /// More schema than is accepted.
    #[error("its schema has more than {0} nodes")]
    TooLarge(usize),
    /// A name of its types is longer than is accepted.
    #[error("its types have names longer than {0} bytes")]
    LongName(usize),
    /// Deeper than is accepted.
    #[error("its types nest deeper than {0} levels")]
    TooDeep(usize),
    /// More functions than are accepted.
    #[error("the component exports more than {0} functions")]
    TooMany(usize),
}

/// The functions of a component with their schemas.
///
/// # Errors
/// When the bytes are not a component that [`component::analyse`] accepts.
pub fn functions(bytes: &[u8]) -> Result<Vec<FunctionSchema>, ComponentError> {
    component::analyse(bytes).map(|analysis| analysis.functions)
}

/// Describes every free function that the world exports, standard interfaces left out.
pub(crate) fn of_world(
    resolve: &Resolve,
    world: WorldId,
    caps: &SchemaCaps,
) -> (Vec<FunctionSchema>, Vec<SchemaError>) {
    let (mut described, mut refused) = (Vec::new(), Vec::new());
    for (index, (interface, function)) in exported(resolve, world).into_iter().enumerate() {
        let outcome = if index < caps.functions {
            describe(resolve, interface.as_deref(), function, caps)
        } else {
            Err(SchemaReason::TooMany(caps.functions))
        };
        match outcome {
            Ok(schema) => described.push(schema),
            Err(reason) => {
                let function = qualified(interface.as_deref(), &function.name);
                refused.push(SchemaError { function, reason });
            }
        }
        if index >= caps.functions {
            break;
        }
    }
    qualify_shared_names(&mut described);
    (described, refused)
}

/// A function is called by its own name; two of one name by `interface.function`.
fn qualify_shared_names(functions: &mut [FunctionSchema]) {
    let mut seen: HashMap<String, usize> = HashMap::new();
    for function in functions.iter() {
        *seen.entry(function.name.clone()).or_default() += 1;
    }
    let shared = functions.iter_mut().filter(|f| seen.get(&f.name).is_some_and(|n| *n > 1));
    for function in shared {
        let Some(interface) = &function.interface else { continue };
        let local = interface.rsplit('/').next().unwrap_or(interface);
        let local = local.split('@').next().unwrap_or(local);
        function.name = format!("{local}.{}", function.name);
    }
}

fn qualified(interface: Option<&str>, name: &str) -> String {
    interface.map_or_else(|| name.to_string(), |interface| format!("{interface}#{name}"))
}

fn exported(resolve: &Resolve, world: WorldId) -> Vec<(Option<String>, &Function)> {
    let Some(world) = resolve.worlds.get(world) else { return Vec::new() };
    let mut found = Vec::new();
    for (key, item) in &world.exports {
        match item {
            WorldItem::Function(function) => found.push((None, function)),
            WorldItem::Interface { id, .. } => {
                let name = resolve.name_world_key(key);
                let callable = component::is_callable_interface(&name);
                let Some(interface) = resolve.interfaces.get(*id).filter(|_| callable) else {
                    continue;
                };
                let each = interface.functions.values();
                found.extend(each.map(|function| (Some(name.clone()), function)));
            }
            WorldItem::Type { .. } => {}
        }
    }
    found
}

fn describe(
    resolve: &Resolve,
    interface: Option<&str>,
    function: &Function,
    caps: &SchemaCaps,
) -> Result<FunctionSchema, SchemaReason> {
    match function.kind {
        FunctionKind::Freestanding => {}
        FunctionKind::AsyncFreestanding => return Err(SchemaReason::Async),
        _ => return Err(SchemaReason::Method),
    }
    let (ok, err) = split_result(resolve, function);
    let mut nodes = caps.nodes;
    let input = Builder::new(resolve, caps, &mut nodes).arguments(&function.params)?;
    let output = Builder::new(resolve, caps, &mut nodes).whole("result", ok)?;
    let error = match err {
        Some(err) => Some(Builder::new(resolve, caps, &mut nodes).whole("error", err)?),
        None => None,
    };
    Ok(FunctionSchema {
        name: function.name.clone(),
        export: function.name.clone(),
        interface: interface.map(ToString::to_string),
        signature: text::signature(resolve, function),
        input,
        output,
        error,
    })
}

type Payload = Option<wit_parser::Type>;

/// The type of the result with a top-level `result<T, E>` unwrapped: what comes back when the
/// call is right, and, if the function can fail, what comes back then.
fn split_result(resolve: &Resolve, function: &Function) -> (Payload, Option<Payload>) {
    let Some(ty) = function.result else { return (None, None) };
    match types::definition(resolve, ty) {
        Some(TypeDefKind::Result(result)) => (result.ok, Some(result.err)),
        _ => (Some(ty), None),
    }
}

#[cfg(test)]
mod tests;
