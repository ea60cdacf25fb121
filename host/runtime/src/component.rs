//! Loaded components: by digest, verified and compiled once, unloaded when idle.
//!
//! An installation holds a [`Slot`], never a component: ten thousand idle installations over a
//! thousand digests cost a thousand small slots. The first call after idling pays for the load; the
//! calls that come meanwhile wait for that one load.
//!
//! Each load verifies again, from the stored package, for this host itself.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use arc_swap::{ArcSwap, ArcSwapOption};
use parking_lot::Mutex;
use soma_policy::{Code, Digest};
use wasmtime::Engine;
use wasmtime::component::{Component, InstancePre};
use wasmtime_wasi_http::p2::bindings::ProxyIndices;

use crate::cache::{CacheError, CodeCache};
use crate::compile::{CompileError, Compiler};
use crate::exports::Exports;
use crate::home::{Configuration, MacKey, PackageError};
use crate::linker::{Interfaces, Linkers};
use crate::state::Ctx;

/// Why a component could not be made ready.
#[derive(Debug, Clone, thiserror::Error)]
pub(crate) enum LoadError {
    /// The package: not there, or it does not verify any more.
    #[error("{0}")]
    Package(Arc<PackageError>),
    /// The compiler.
    #[error("{0}")]
    Compile(Arc<CompileError>),
    /// Linking or the cache: our side.
    #[error("the component does not load: {0}")]
    Host(String),
}

impl LoadError {
    /// The stable code, where the package or its compilation is at fault and not the host.
    pub(crate) fn code(&self) -> Option<Code> {
        match self {
            Self::Package(error) => Some(error.code()),
            Self::Compile(error) => error.code(),
            Self::Host(_) => None,
        }
    }
}

/// The place of one digest.
pub(crate) struct Slot {
    digest: Digest,
    loaded: ArcSwapOption<Loaded>,
    loading: tokio::sync::Mutex<()>,
    /// Monotonic milliseconds of the last use.
    used: AtomicU64,
}

/// A component ready to be instantiated.
pub(crate) struct Loaded {
    pub(crate) component: Component,
    pub(crate) exports: Exports,
    plans: Mutex<Vec<(Interfaces, Plan)>>,
}

/// How to make an instance: linked, type-checked, its exports found, once for all calls.
#[derive(Clone)]
pub(crate) struct Plan {
    pub(crate) pre: InstancePre<Ctx>,
    /// Where `wasi:http/incoming-handler` is, if it is exported.
    pub(crate) proxy: Option<Arc<ProxyIndices>>,
}

impl Plan {
    fn new(pre: InstancePre<Ctx>) -> Self {
        Self { proxy: ProxyIndices::new(&pre).ok().map(Arc::new), pre }
    }
}

/// All components of one host.
pub(crate) struct Components {
    engine: Engine,
    cache: CodeCache,
    compiler: Compiler,
    packages: Arc<Configuration>,
    linkers: Linkers,
    /// What is installed; swapped whole, so that a call looks up without a lock.
    slots: ArcSwap<HashMap<Digest, Arc<Slot>>>,
}

impl Slot {
    fn new(digest: Digest) -> Self {
        Self {
            digest,
            loaded: ArcSwapOption::empty(),
            loading: tokio::sync::Mutex::new(()),
            used: AtomicU64::new(0),
        }
    }

    pub(crate) fn digest(&self) -> &Digest {
        &self.digest
    }

    pub(crate) fn is_loaded(&self) -> bool {
        self.loaded.load().is_some()
    }

    /// The component if it is loaded, marking it used.
    pub(crate) fn get(&self, now: Duration) -> Option<Arc<Loaded>> {
        let millis = u64::try_from(now.as_millis()).unwrap_or(u64::MAX);
        self.used.store(millis, Ordering::Relaxed);
        self.loaded.load_full()
    }

    fn idle_since(&self, then: Duration) -> bool {
        u128::from(self.used.load(Ordering::Relaxed)) < then.as_millis()
    }
}

impl Loaded {
    /// The instance plan for exactly these interfaces.
    pub(crate) fn plan(&self, linkers: &Linkers, interfaces: Interfaces) -> wasmtime::Result<Plan> {
        let mut plans = self.plans.lock();
        if let Some((_, plan)) = plans.iter().find(|(of, _)| *of == interfaces) {
            return Ok(plan.clone());
        }
        let plan = Plan::new(linkers.get(interfaces)?.instantiate_pre(&self.component)?);
        plans.push((interfaces, plan.clone()));
        Ok(plan)
    }
}

impl Components {
    pub(crate) fn new(
        engine: Engine,
        cache_folder: &std::path::Path,
        key: MacKey,
        compiler: Compiler,
        packages: Arc<Configuration>,
    ) -> std::io::Result<Self> {
        let cache = CodeCache::open(cache_folder, key, &engine)?;
        let linkers = Linkers::new(engine.clone());
        Ok(Self { engine, cache, compiler, packages, linkers, slots: ArcSwap::default() })
    }

    pub(crate) fn engine(&self) -> &Engine {
        &self.engine
    }

    pub(crate) fn linkers(&self) -> &Linkers {
        &self.linkers
    }

    /// Takes note of what is installed now; what no longer is, is unloaded with its last call.
    pub(crate) fn install(&self, digests: impl IntoIterator<Item = Digest>) {
        let before = self.slots.load();
        let keep = |digest: Digest| {
            let slot = before.get(&digest).cloned();
            (digest, slot.unwrap_or_else(|| Arc::new(Slot::new(digest))))
        };
        self.slots.store(Arc::new(digests.into_iter().map(keep).collect()));
    }

    /// The slot of an installed digest. One that is no longer installed gets a slot for this call.
    pub(crate) fn slot(&self, digest: Digest) -> Arc<Slot> {
        let slot = self.slots.load().get(&digest).cloned();
        slot.unwrap_or_else(|| Arc::new(Slot::new(digest)))
    }

    /// Unloads what was last used before `then`; says how many.
    pub(crate) fn unload_idle(&self, then: Duration) -> usize {
        let slots = self.slots.load();
        let idle = slots.values().filter(|slot| slot.is_loaded() && slot.idle_since(then));
        idle.map(|slot| slot.loaded.store(None)).count()
    }

    /// Keeps machine code as the compiler process would have given it.
    #[cfg(test)]
    pub(crate) fn keep_compiled(&self, digest: &Digest, component: &[u8]) {
        let code = self.engine.precompile_component(component).unwrap();
        self.cache.store(digest, &code).unwrap();
    }

    /// The component of a slot, loaded now if need be.
    pub(crate) async fn ready(&self, slot: &Slot, now: Duration) -> Result<Arc<Loaded>, LoadError> {
        if let Some(loaded) = slot.get(now) {
            return Ok(loaded);
        }
        let _one_at_a_time = slot.loading.lock().await;
        if let Some(loaded) = slot.get(now) {
            return Ok(loaded);
        }
        let component = self.load(slot.digest()).await?;
        let exports = Exports::of(&component, &self.engine);
        let loaded = Arc::new(Loaded { component, exports, plans: Mutex::default() });
        slot.loaded.store(Some(loaded.clone()));
        Ok(loaded)
    }

    async fn load(&self, digest: &Digest) -> Result<Component, LoadError> {
        // Verified first, even when the code is cached: trust may have been withdrawn since.
        let verified = tokio::task::block_in_place(|| self.packages.packages().verified(digest));
        let verified = verified.map_err(|error| LoadError::Package(Arc::new(error)))?;
        match tokio::task::block_in_place(|| self.cache.load(&self.engine, digest)) {
            Ok(component) => return Ok(component),
            Err(CacheError::Absent(_)) => {}
            Err(error) => tracing::warn!(%digest, %error, "compiled code is not used"),
        }
        self.compile(digest, verified.component()).await
    }

    async fn compile(&self, digest: &Digest, bytes: &[u8]) -> Result<Component, LoadError> {
        let code = self.compiler.compile(bytes).await;
        let code = code.map_err(|error| LoadError::Compile(Arc::new(error)))?;
        tokio::task::block_in_place(|| {
            self.cache
                .store(digest, &code)
                .and_then(|()| self.cache.load(&self.engine, digest))
                .map_err(|error| LoadError::Host(format!("{error}")))
        })
    }
}
