//! The one engine configuration. Compiler child, host, benchmark floor and tests all build it here,
//! because one drifted setting silently throws away every compiled artefact, or a mitigation.
//!
//! Every limit of the engine is stated below, none is left at its default. Spectre mitigations for
//! heap and table accesses are on in Cranelift unless switched off through an `unsafe` setter, and
//! this crate denies `unsafe`.

use std::thread::JoinHandle;
use std::time::Duration;

use sha2::{Digest as _, Sha256};
use soma_policy::Digest;
use wasmtime::{
    Config, Engine, InstanceAllocationStrategy, OptLevel, PoolingAllocationConfig,
    RegallocAlgorithm, Strategy,
};

/// The engine's version: the crate does not tell its own, a test compares it with the lock file.
pub const WASMTIME: &str = "48.0.8";

/// How often a running guest is looked at.
pub const TICK: Duration = Duration::from_millis(5);
/// Largest linear memory of any guest, whatever its manifest asks for.
pub const MEMORY_MAX: usize = 512 << 20;
/// Core instances that one component may consist of.
pub const CORE_INSTANCES_MAX: u32 = 24;
/// Linear memories that one component may have.
pub const MEMORIES_MAX: u32 = 4;
/// Tables that one component may have.
pub const TABLES_MAX: u32 = 16;
/// Elements of one table.
pub const TABLE_ELEMENTS_MAX: usize = 16_000;
/// Stack of the WebAssembly code itself, bytes.
pub const WASM_STACK_MAX: usize = 384 << 10;
/// Stack of the fibre that carries it, host calls included, bytes.
const FIBRE_STACK: usize = 1 << 20;
/// Frames of a backtrace that are kept.
const BACKTRACE_FRAMES_MAX: usize = 32;

/// How many calls the pool holds room for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PoolSize(u32);

impl PoolSize {
    /// Room for `calls` at a time, at least 1 and at most 4096.
    #[must_use]
    pub fn new(calls: u32) -> Self {
        Self(calls.clamp(1, 4096))
    }

    /// The number of calls.
    #[must_use]
    pub fn calls(self) -> u32 {
        self.0
    }

    /// The least there is: for a process that compiles and never runs.
    #[must_use]
    pub fn compiler() -> Self {
        Self(1)
    }
}

/// Builds the engine, and starts nothing.
///
/// # Errors
/// When the machine cannot reserve the pool's address space.
pub fn build(size: PoolSize) -> wasmtime::Result<Engine> {
    Engine::new(&config(size))
}

/// Names everything that compiled code depends on: compiler version, flags, tunables, features.
#[must_use]
pub fn compatibility(engine: &Engine) -> Digest {
    struct Sink(Sha256);
    impl std::hash::Hasher for Sink {
        fn write(&mut self, bytes: &[u8]) {
            self.0.update(bytes);
        }
        fn finish(&self) -> u64 {
            0
        }
    }
    let mut sink = Sink(Sha256::new());
    std::hash::Hash::hash(&engine.precompile_compatibility_hash(), &mut sink);
    Digest::from_bytes(sink.0.finalize().into())
}

fn config(size: PoolSize) -> Config {
    let mut config = Config::new();
    compiler(&mut config);
    features(&mut config);
    config
        .epoch_interruption(true)
        .memory_init_cow(true)
        .max_wasm_stack(WASM_STACK_MAX)
        .async_stack_size(FIBRE_STACK)
        .wasm_backtrace_max_frames(std::num::NonZeroUsize::new(BACKTRACE_FRAMES_MAX))
        .allocation_strategy(InstanceAllocationStrategy::Pooling(pool(size)));
    config
}

fn compiler(config: &mut Config) {
    config
        .strategy(Strategy::Cranelift)
        .cranelift_opt_level(OptLevel::Speed)
        .cranelift_regalloc_algorithm(RegallocAlgorithm::Backtracking)
        .cranelift_debug_verifier(false)
        // With many components loaded, registering unwind tables is quadratic; backtraces walk
        // frame pointers and do not need them.
        .native_unwind_info(false)
        .debug_info(false)
        .parallel_compilation(true);
}

/// What a guest may be written in: WebAssembly 2.0 with SIMD and tail calls, nothing experimental.
fn features(config: &mut Config) {
    config
        .wasm_component_model(true)
        .concurrency_support(false)
        .relaxed_simd_deterministic(true)
        .wasm_tail_call(true)
        .wasm_multi_memory(false)
        .wasm_memory64(false)
        .wasm_custom_page_sizes(false)
        .wasm_wide_arithmetic(false)
        .wasm_stack_switching(false)
        .shared_memory(false);
}

fn pool(size: PoolSize) -> PoolingAllocationConfig {
    let calls = size.calls();
    let mut pool = PoolingAllocationConfig::new();
    pool.total_component_instances(calls)
        .total_stacks(calls)
        // A typical component is its own module and two or three small adapters.
        .total_core_instances(calls.saturating_mul(4).max(CORE_INSTANCES_MAX))
        .total_memories(calls.saturating_mul(2).max(MEMORIES_MAX))
        .total_tables(calls.saturating_mul(3).max(TABLES_MAX))
        .max_core_instances_per_component(CORE_INSTANCES_MAX)
        .max_memories_per_component(MEMORIES_MAX)
        .max_tables_per_component(TABLES_MAX)
        .max_memories_per_module(1)
        .max_tables_per_module(4)
        .max_core_instance_size(256 << 10)
        .max_component_instance_size(256 << 10)
        .max_memory_size(MEMORY_MAX)
        .table_elements(TABLE_ELEMENTS_MAX)
        .max_unused_warm_slots(64)
        .decommit_batch_size(16)
        .linear_memory_keep_resident(128 << 10)
        .table_keep_resident(16 << 10)
        .async_stack_keep_resident(32 << 10);
    pool
}

/// The thread that moves the epoch on. It ends when the engine is gone.
///
/// # Errors
/// When the operating system refuses another thread.
pub fn start_ticker(engine: &Engine) -> std::io::Result<JoinHandle<()>> {
    let weak = engine.weak();
    std::thread::Builder::new().name("soma-ticker".into()).spawn(move || {
        while let Some(engine) = weak.upgrade() {
            engine.increment_epoch();
            drop(engine);
            std::thread::park_timeout(TICK);
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_engine_s_version_is_the_one_that_is_built_in() {
        let locked = include_str!("../../../Cargo.lock");
        let entry = format!("name = \"wasmtime\"\nversion = \"{WASMTIME}\"\n");
        assert!(locked.contains(&entry), "Cargo.lock holds another wasmtime than {WASMTIME}");
    }
}
