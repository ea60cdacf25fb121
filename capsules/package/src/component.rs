//! What a component is, read without compiling or running any of it.
//!
//! [`analyse`] is the only way in: it bounds the bytes, validates them, and lists imports, exports
//! and callable functions. It deliberately knows nothing of manifests, grants or trust: whether
//! an import is *allowed* is decided in `check`, and whether the bytes are *whose* in `verify`.

mod error;
mod exports;
mod imports;
mod published;
mod shape;

use std::thread;

use wasmparser::{Validator, WasmFeatures};
use wit_component::DecodedWasm;

pub use error::ComponentError;
pub use exports::{Export, ExportKind};
pub use imports::{Import, InterfaceName, Need};
pub use published::Mismatch;
pub use shape::{Shape, ShapeLimits};

use crate::schema::{self, FunctionSchema, SchemaCaps, SchemaError};

/// Everything static analysis learns about a component.
#[derive(Debug, Clone, PartialEq)]
pub struct Analysis {
    /// The outermost imports, in the order of the binary.
    pub imports: Vec<Import>,
    /// Known interfaces that the component gives functions or types of its own making.
    pub mismatched: Vec<Mismatch>,
    /// The outermost exports, in the order of the binary.
    pub exports: Vec<Export>,
    /// The exported functions that can be called with JSON.
    pub functions: Vec<FunctionSchema>,
    /// Exported functions whose signature JSON cannot carry, and why.
    pub uncallable: Vec<SchemaError>,
    /// Counts and sizes of the component.
    pub shape: Shape,
}

impl Analysis {
    /// Whether the component answers `wasi:http` requests.
    #[must_use]
    pub fn serves_http(&self) -> bool {
        self.exports.iter().any(|export| export.kind == ExportKind::HttpHandler)
    }

    /// The callable function of that name, if there is exactly one.
    #[must_use]
    pub fn function(&self, name: &str) -> Option<&FunctionSchema> {
        let mut found = self.functions.iter().filter(|function| function.name == name);
        let first = found.next()?;
        found.next().is_none().then_some(first)
    }
}

/// The stack of the thread that reads a component. The readers below recurse once per level of
/// type nesting; `shape` bounds the levels, and this leaves room to spare for each of them.
const ANALYSIS_STACK_BYTES: usize = 32 << 20;

/// The language that a component may use. It is what the host's engine runs, so that what is
/// refused here would be refused there too: no threads, no garbage collection, no second memory in
/// a module, no 64-bit memories, no component-model async.
fn features() -> WasmFeatures {
    WasmFeatures::WASM2
        | WasmFeatures::GC_TYPES
        | WasmFeatures::COMPONENT_MODEL
        | WasmFeatures::EXTENDED_CONST
        | WasmFeatures::TAIL_CALL
        | WasmFeatures::RELAXED_SIMD
}

/// Refuses what is not a component at all, or too large, by its first bytes.
pub(crate) fn refuse_foreign(bytes: &[u8]) -> Result<(), ComponentError> {
    shape::refuse_foreign(bytes, &ShapeLimits::DEFAULT)
}

/// Reads a component under the default limits.
///
/// # Errors
/// When the bytes are not a component, are too large or too complex, or are malformed.
pub fn analyse(bytes: &[u8]) -> Result<Analysis, ComponentError> {
    analyse_within(bytes, &ShapeLimits::DEFAULT)
}

/// Reads a component under limits of the caller's choice.
///
/// # Errors
/// As [`analyse`].
pub fn analyse_within(bytes: &[u8], limits: &ShapeLimits) -> Result<Analysis, ComponentError> {
    // A thread of its own bounds the stack whatever the caller's is, and turns a panic in a
    // reader that we do not own into an error.
    thread::scope(|scope| {
        let worker = thread::Builder::new()
            .name("soma-analyse".into())
            .stack_size(ANALYSIS_STACK_BYTES)
            .spawn_scoped(scope, || read(bytes, limits))
            .map_err(|error| ComponentError::NoThread(error.to_string()))?;
        worker.join().unwrap_or_else(|_| {
            Err(ComponentError::Undecodable("its types contradict each other".into()))
        })
    })
}

fn read(bytes: &[u8], limits: &ShapeLimits) -> Result<Analysis, ComponentError> {
    let scan = shape::scan(bytes, limits)?;
    if let Some(found) = scan.imports.iter().find(|name| imports::is_preview3(name)) {
        return Err(ComponentError::Preview3(found.clone()));
    }
    validate(bytes)?;
    let decoded = wit_component::decode(bytes)
        .map_err(|error| ComponentError::Undecodable(bounded(&format!("{error:#}"))))?;
    let DecodedWasm::Component(resolve, world) = decoded else {
        return Err(ComponentError::WitPackage);
    };
    let exports = exports::list(&resolve, world);
    let serves = exports.iter().any(|export| export.kind == ExportKind::HttpHandler);
    let (functions, uncallable) = schema::of_world(&resolve, world, &SchemaCaps::DEFAULT);
    Ok(Analysis {
        imports: scan.imports.iter().map(|name| Import::classify(name, serves)).collect(),
        mismatched: published::mismatches(&resolve, world),
        exports,
        functions,
        uncallable,
        shape: scan.shape,
    })
}

/// Whether the functions of an exported interface of that name can be called.
pub(crate) fn is_callable_interface(name: &str) -> bool {
    ExportKind::of_interface(name) == ExportKind::Interface
}

fn validate(bytes: &[u8]) -> Result<(), ComponentError> {
    let Err(error) = Validator::new_with_features(features()).validate_all(bytes) else {
        return Ok(());
    };
    let (offset, reason) = (error.offset(), bounded(error.message()));
    let valid = Validator::new_with_features(WasmFeatures::all()).validate_all(bytes).is_ok();
    Err(if valid {
        ComponentError::Feature { offset, reason }
    } else {
        ComponentError::Malformed { offset, reason }
    })
}

/// Text that comes out of a hostile file is cut before it goes into a message.
pub(crate) fn bounded(text: &str) -> String {
    const MAX_CHARS: usize = 300;
    let clean = text.chars().map(|c| if c.is_control() { ' ' } else { c });
    let mut short: String = clean.take(MAX_CHARS).collect();
    if text.chars().nth(MAX_CHARS).is_some() {
        short.push('…');
    }
    short
}

#[cfg(test)]
mod tests;
