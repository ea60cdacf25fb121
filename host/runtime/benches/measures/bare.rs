//! The floor: wasmtime by itself, with the engine that Soma builds, WASI as it comes, and nothing around it.

use std::sync::Arc;

use anyhow::Context as _;
use soma_host::engine::{self, PoolSize};
use wasmtime::component::{Component, Linker, ResourceTable, Val};
use wasmtime::{Engine, Store, UpdateDeadline};
use wasmtime_wasi::{WasiCtx, WasiCtxBuilder, WasiCtxView, WasiView};

/// What a store of the floor holds: WASI without anything granted.
pub(crate) struct Inert {
    wasi: WasiCtx,
    table: ResourceTable,
}

impl WasiView for Inert {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView { ctx: &mut self.wasi, table: &mut self.table }
    }
}

/// A component ready to be called.
pub(crate) struct Bare {
    engine: Engine,
    pre: wasmtime::component::InstancePre<Inert>,
    function: String,
}

/// wasmtime's error as everybody else's.
pub(crate) fn plain(error: wasmtime::Error) -> anyhow::Error {
    anyhow::anyhow!("{error:#}")
}

/// The engine of a host that has room for as many calls, its ticker going.
pub(crate) fn engine(calls: u32) -> anyhow::Result<Engine> {
    let engine = engine::build(PoolSize::new(calls)).map_err(plain)?;
    engine::start_ticker(&engine)?;
    Ok(engine)
}

impl Bare {
    /// Compiles and links.
    pub(crate) fn new(
        engine: &Engine,
        component: &[u8],
        function: &str,
    ) -> anyhow::Result<Arc<Self>> {
        Self::of(engine, &Component::new(engine, component).map_err(plain)?, function)
    }

    /// Links what is compiled.
    pub(crate) fn of(
        engine: &Engine,
        component: &Component,
        function: &str,
    ) -> anyhow::Result<Arc<Self>> {
        let mut linker = Linker::new(engine);
        wasmtime_wasi::p2::add_to_linker_async(&mut linker).map_err(plain)?;
        let pre = linker.instantiate_pre(component).map_err(plain)?;
        Ok(Arc::new(Self { engine: engine.clone(), pre, function: function.to_owned() }))
    }

    /// One call: a store, an instance, the function, its results.
    pub(crate) async fn call(&self, params: &[Val]) -> anyhow::Result<Val> {
        let inert = Inert { wasi: WasiCtxBuilder::new().build(), table: ResourceTable::new() };
        let mut store = Store::new(&self.engine, inert);
        store.set_epoch_deadline(1);
        store.epoch_deadline_callback(|_| Ok(UpdateDeadline::Yield(1)));
        let instance = self.pre.instantiate_async(&mut store).await.map_err(plain)?;
        let function = instance
            .get_func(&mut store, self.function.as_str())
            .with_context(|| format!("no function {}", self.function))?;
        let mut results = [Val::Bool(false)];
        function.call_async(&mut store, params, &mut results).await.map_err(plain)?;
        let [result] = results;
        Ok(result)
    }
}
