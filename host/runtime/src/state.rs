//! What a store holds: the gate, the limiter, the resource table and one small state per room.
//!
//! Views borrow from here and from nowhere else. Shared services of the host (stores, pools, the
//! network) reach a room through [`Backends`]; each of their operations takes a permit of the gate.

use std::sync::Arc;

use soma_policy::LimitKind;
use wasmtime::component::ResourceTable;

use crate::capability::clocks::Timers;
use crate::capability::emit::Emitted;
use crate::capability::files::{FilesState, Volumes};
use crate::capability::http::{HttpClient, HttpState};
use crate::capability::kv::KvStore;
use crate::capability::random::Source;
use crate::capability::secret::SecretStored;
use crate::capability::tool::ToolCaller;
use crate::clock::Clock;
use crate::gate::Gate;
use crate::invoke::Started;
use crate::limiter::Limiter;
use crate::output::Output;

/// Resources that a guest may hold at one time, whatever its `handles` limit says.
pub(crate) const TABLE_MAX: usize = 4096;

/// The data of one store.
pub(crate) struct Ctx {
    /// Before the table: a request body that the guest left open must not look finished when the table goes.
    pub(crate) http: HttpState,
    pub(crate) table: ResourceTable,
    pub(crate) gate: Gate,
    pub(crate) limiter: Limiter,
    pub(crate) output: Output,
    pub(crate) rooms: Rooms,
    pub(crate) files: FilesState,
    pub(crate) backends: Arc<Backends>,
}

/// The small states of rooms that need nothing from outside.
pub(crate) struct Rooms {
    pub(crate) timers: Timers,
    pub(crate) random: Source,
    pub(crate) emitted: Emitted,
    /// Bytes of `wasi:logging` so far, judged by the grant's own limit.
    pub(crate) logged: u64,
}

/// What the rooms of all calls share.
pub(crate) struct Backends {
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) kv: KvStore,
    pub(crate) volumes: Volumes,
    pub(crate) http: Arc<HttpClient>,
    pub(crate) secrets: Box<SecretStored>,
    pub(crate) tools: Box<ToolCaller>,
}

impl Ctx {
    /// The state of a call that is about to run. Fails in words when its volumes cannot be opened.
    pub(crate) async fn new(call: &Started) -> Result<Self, String> {
        let backends = call.host.backends().clone();
        let gate = call.gate.clone();
        let files = backends.volumes.prepare(&gate).await.map_err(|error| error.to_string())?;
        Ok(Self::assemble(gate, call.output.clone(), files, backends))
    }

    /// Puts the state together; nothing here can fail.
    pub(crate) fn assemble(
        gate: Gate,
        output: Output,
        files: FilesState,
        backends: Arc<Backends>,
    ) -> Self {
        let mut table = ResourceTable::new();
        let handles = usize::try_from(gate.running().meter.left(LimitKind::Handles));
        table.set_max_capacity(handles.unwrap_or(TABLE_MAX).min(TABLE_MAX));
        Self {
            table,
            limiter: Limiter::new(gate.running().clone()),
            output,
            rooms: Rooms {
                timers: Timers::default(),
                random: Source::new(backends.clock.random_seed()),
                emitted: Emitted::default(),
                logged: 0,
            },
            files,
            http: HttpState::new(gate.clone(), backends.http.clone()),
            gate,
            backends,
        }
    }
}
