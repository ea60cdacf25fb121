//! What an error of the engine means: a cut, one of the limits that the engine enforces itself, a trap.
//!
//! Some of those limits come back as words alone, without a type. The words are the engine's own and no
//! guest can write them: its messages go to its log, never into an error. Tests hold them to the engine
//! that is linked, and the hostile table holds each to its outcome.

use soma_policy::{Code, LimitKind};
use wasmtime::component::ResourceTableError;
use wasmtime::{PoolConcurrencyLimitError, Trap, WasmBacktrace};
use wasmtime_wasi_http::FieldMapError;

use super::Failure;
use crate::capability::cli::Exited;
use crate::running::{Cut, Running};

/// The end of both messages about the store's limit on live handles.
const HANDLES_WORDS: &str = "store handle limit exceeded";
/// The end of the message about the bytes that one crossing may copy.
const FUEL_WORDS: &str = "fuel allocated for hostcalls has been exhausted";

/// Tells a cut, a limit of the engine, and a trap apart.
pub(super) fn failure(running: &Running, error: &wasmtime::Error) -> Failure {
    if let Some(cut) = error.downcast_ref::<Cut>() {
        running.cut(*cut);
        return Failure::Cut(running.cut_reason());
    }
    if running.live().is_err() {
        return Failure::Cut(running.cut_reason());
    }
    if let Some(kind) = limit(error) {
        running.cut(Cut::Limit(kind));
        return Failure::Cut(running.cut_reason());
    }
    if error.downcast_ref::<PoolConcurrencyLimitError>().is_some() {
        return Failure::Host(format!("{error:#}"));
    }
    let code = error.downcast_ref::<Exited>().map(|_| Code::GuestExit);
    Failure::Trapped(code, format!("{error:?}"))
}

/// The limit that the engine enforced, if it was one.
fn limit(error: &wasmtime::Error) -> Option<LimitKind> {
    if let Some(Trap::StackOverflow) = error.downcast_ref() {
        return Some(LimitKind::Stack);
    }
    if let Some(ResourceTableError::Full) = error.downcast_ref() {
        return Some(LimitKind::Handles);
    }
    // The host's copy of a header section is a buffer that it holds for the guest.
    if let Some(FieldMapError::TotalSizeTooBig | FieldMapError::TooManyFields) =
        error.downcast_ref()
    {
        return Some(LimitKind::Memory);
    }
    let words = error.root_cause().to_string();
    if words.ends_with(HANDLES_WORDS) {
        return Some(LimitKind::Handles);
    }
    if words.ends_with(FUEL_WORDS) {
        // Inside a host call the guest's frames are on the stack; a result is lifted after they are gone.
        let within_guest = error.downcast_ref::<WasmBacktrace>().is_some();
        return Some(if within_guest { LimitKind::Hostcall } else { LimitKind::Output });
    }
    None
}

#[cfg(test)]
mod tests {
    use wasmtime::component::{Component, Linker, Val};
    use wasmtime::{Error, Store};

    use super::*;
    use crate::engine::{PoolSize, build};

    /// Runs the export `run` of a component under the engine's own limits; it must not return.
    fn ends(text: &str, handles: usize, fuel: usize) -> Error {
        let engine = build(PoolSize::compiler()).unwrap();
        let component = Component::new(&engine, wat::parse_str(text).unwrap()).unwrap();
        let mut linker = Linker::<()>::new(&engine);
        let take = |_: wasmtime::StoreContextMut<'_, ()>, (_,): (Vec<u8>,)| Ok(());
        linker.root().func_wrap("take", take).unwrap();
        let mut store = Store::new(&engine, ());
        store.set_epoch_deadline(u64::MAX / 2);
        store.set_max_component_handles(handles);
        store.set_hostcall_fuel(fuel);
        let instance = linker.instantiate(&mut store, &component).unwrap();
        let run = instance.get_func(&mut store, "run").unwrap();
        let mut results = vec![Val::Bool(false); run.ty(&store).results().len()];
        run.call(&mut store, &[], &mut results).unwrap_err()
    }

    const FLOOD_OF_HANDLES: &str = r#"(component
        (type $r (resource (rep i32)))
        (core func $new (canon resource.new $r))
        (core module $m
            (import "" "new" (func $new (param i32) (result i32)))
            (func (export "run") (loop $l (drop (call $new (i32.const 7))) (br $l))))
        (core instance $i (instantiate $m (with "" (instance (export "new" (func $new))))))
        (func (export "run") (canon lift (core func $i "run"))))"#;

    /// A list of 60,000 bytes as the result.
    const LARGE_RESULT: &str = r#"(component
        (core module $m
            (memory (export "memory") 1)
            (func (export "run") (result i32)
                (i32.store (i32.const 0) (i32.const 16))
                (i32.store (i32.const 4) (i32.const 60000))
                (i32.const 0)))
        (core instance $i (instantiate $m))
        (func (export "run") (result (list u8))
            (canon lift (core func $i "run") (memory (core memory $i "memory")))))"#;

    /// A list of 60,000 bytes as the argument of a host call.
    const LARGE_ARGUMENT: &str = r#"(component
        (import "take" (func $take (param "bytes" (list u8))))
        (core module $memory (memory (export "memory") 1))
        (core instance $memory (instantiate $memory))
        (core func $take (canon lower (func $take) (memory (core memory $memory "memory"))))
        (core module $m
            (import "" "take" (func $take (param i32 i32)))
            (func (export "run") (call $take (i32.const 0) (i32.const 60000))))
        (core instance $i (instantiate $m (with "" (instance (export "take" (func $take))))))
        (func (export "run") (canon lift (core func $i "run"))))"#;

    #[test]
    fn the_engines_own_words_are_still_the_ones_that_are_looked_for() {
        let plenty = 1 << 30;
        for (text, handles, fuel, kind) in [
            (FLOOD_OF_HANDLES, 100, plenty, LimitKind::Handles),
            (LARGE_RESULT, 100, 1000, LimitKind::Output),
            (LARGE_ARGUMENT, 100, 1000, LimitKind::Hostcall),
        ] {
            let error = ends(text, handles, fuel);
            assert_eq!(limit(&error), Some(kind), "{error:?}");
        }
    }

    #[test]
    fn what_the_engine_does_not_bound_is_a_trap() {
        for error in [
            Error::from(Trap::UnreachableCodeReached),
            Error::from(FieldMapError::Forbidden),
            Error::msg("the guest says: store handle limit exceeded, or so"),
        ] {
            assert_eq!(limit(&error), None, "{error:?}");
        }
    }
}
