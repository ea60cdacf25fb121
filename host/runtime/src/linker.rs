//! The one place that links imports. What is not in this file, no guest can reach.
//!
//! Two lists. [`base`] is linked for everyone, needs no declaration and is inert or bounded: streams
//! and polls, an empty environment, stdio into the guest's log, coarse clocks, bounded randomness, a
//! file system without a preopened directory. [`granted`] links a capability's interface only when
//! the manifest declares it; the view behind it decides each call through the gate, and with no
//! grant it can only deny.
//!
//! Upstream's functions that link all of WASI are banned by clippy: they bring sockets.

use std::sync::Arc;

use parking_lot::Mutex;
use soma_policy::{CapabilityKind, Installation, InterfaceState};
use soma_wit::{config, keyvalue, logging, soma, standard};
use wasmtime::component::Linker;
use wasmtime::{Engine, Result};
use wasmtime_wasi_http::WasiHttp;

use crate::capability as room;
use crate::state::Ctx;

/// A set of capability kinds whose interfaces are linked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Interfaces(u32);

impl Interfaces {
    /// With this kind too.
    #[must_use]
    pub(crate) fn with(self, kind: CapabilityKind) -> Self {
        Self(self.0 | 1 << kind as u32)
    }

    pub(crate) fn has(self, kind: CapabilityKind) -> bool {
        self.0 & (1 << kind as u32) != 0
    }
}

/// Linkers by set of interfaces: few, because few sets occur.
pub(crate) struct Linkers {
    engine: Engine,
    made: Mutex<Vec<(Interfaces, Arc<Linker<Ctx>>)>>,
}

impl Linkers {
    pub(crate) fn new(engine: Engine) -> Self {
        Self { engine, made: Mutex::default() }
    }

    /// The linker for exactly these interfaces and the base world.
    pub(crate) fn get(&self, interfaces: Interfaces) -> Result<Arc<Linker<Ctx>>> {
        let mut made = self.made.lock();
        if let Some((_, linker)) = made.iter().find(|(of, _)| *of == interfaces) {
            return Ok(linker.clone());
        }
        let mut linker = Linker::new(&self.engine);
        base(&mut linker)?;
        granted(&mut linker, interfaces)?;
        let linker = Arc::new(linker);
        made.push((interfaces, linker.clone()));
        Ok(linker)
    }
}

impl Interfaces {
    /// What an installation declares: granted kinds decide call by call, the others only deny.
    pub(crate) fn declared(installation: &Installation, serves_http: bool) -> Self {
        let mut declared = Self::default();
        for kind in CapabilityKind::ALL.iter().copied() {
            if installation.rights().interface_state(kind) != InterfaceState::NotDeclared {
                declared = declared.with(kind);
            }
        }
        if serves_http { declared.with(CapabilityKind::Serve) } else { declared }
    }
}

/// The base world: needs no declaration, gives nothing away.
fn base(linker: &mut Linker<Ctx>) -> Result<()> {
    use standard::{cli, clocks, filesystem, io, random};
    io::error::add_to_linker::<_, room::io::Io>(linker, room::io::IoView::of)?;
    io::poll::add_to_linker::<_, room::io::Io>(linker, room::io::IoView::of)?;
    io::streams::add_to_linker::<_, room::io::Io>(linker, room::io::IoView::of)?;
    let cli = room::cli::CliView::of;
    cli::environment::add_to_linker::<_, room::cli::Cli>(linker, cli)?;
    cli::exit::add_to_linker::<_, room::cli::Cli>(linker, cli)?;
    cli::stdin::add_to_linker::<_, room::cli::Cli>(linker, cli)?;
    cli::stdout::add_to_linker::<_, room::cli::Cli>(linker, cli)?;
    cli::stderr::add_to_linker::<_, room::cli::Cli>(linker, cli)?;
    cli::terminal_input::add_to_linker::<_, room::cli::Cli>(linker, cli)?;
    cli::terminal_output::add_to_linker::<_, room::cli::Cli>(linker, cli)?;
    cli::terminal_stdin::add_to_linker::<_, room::cli::Cli>(linker, cli)?;
    cli::terminal_stdout::add_to_linker::<_, room::cli::Cli>(linker, cli)?;
    cli::terminal_stderr::add_to_linker::<_, room::cli::Cli>(linker, cli)?;
    let clock = room::clocks::ClocksView::of;
    clocks::monotonic_clock::add_to_linker::<_, room::clocks::Clocks>(linker, clock)?;
    clocks::wall_clock::add_to_linker::<_, room::clocks::Clocks>(linker, clock)?;
    let source = room::random::RandomView::of;
    random::random::add_to_linker::<_, room::random::Random>(linker, source)?;
    random::insecure::add_to_linker::<_, room::random::Random>(linker, source)?;
    random::insecure_seed::add_to_linker::<_, room::random::Random>(linker, source)?;
    filesystem::types::add_to_linker::<_, room::files::Files>(linker, |ctx| {
        room::files::FilesView::of(ctx)
    })?;
    filesystem::preopens::add_to_linker::<_, room::files::Files>(linker, |ctx| {
        room::files::FilesView::of(ctx)
    })
}

/// What a manifest declares, kind by kind. With no grant behind it, a view only denies.
fn granted(linker: &mut Linker<Ctx>, interfaces: Interfaces) -> Result<()> {
    use CapabilityKind as Kind;
    if interfaces.has(Kind::Http) || interfaces.has(Kind::Serve) {
        let options = standard::http::types::LinkOptions::default();
        standard::http::types::add_to_linker::<_, WasiHttp>(linker, &options, room::http::view)?;
    }
    if interfaces.has(Kind::Http) {
        let outgoing = room::http::view;
        standard::http::outgoing_handler::add_to_linker::<_, WasiHttp>(linker, outgoing)?;
    }
    if interfaces.has(Kind::Kv) {
        keyvalue::store::add_to_linker::<_, room::kv::Kv>(linker, |ctx| room::kv::KvView::of(ctx))?;
        keyvalue::atomics::add_to_linker::<_, room::kv::Kv>(linker, |ctx| {
            room::kv::KvView::of(ctx)
        })?;
        keyvalue::batch::add_to_linker::<_, room::kv::Kv>(linker, |ctx| room::kv::KvView::of(ctx))?;
    }
    if interfaces.has(Kind::Config) {
        config::store::add_to_linker::<_, room::config::Config>(
            linker,
            room::config::ConfigView::of,
        )?;
    }
    if interfaces.has(Kind::Logging) {
        let log = room::logging::LoggingView::of;
        logging::unversioned::add_to_linker::<_, room::logging::Logging>(linker, log)?;
        logging::draft::add_to_linker::<_, room::logging::Logging>(linker, log)?;
    }
    own(linker, interfaces)
}

/// Our own packages.
fn own(linker: &mut Linker<Ctx>, interfaces: Interfaces) -> Result<()> {
    use CapabilityKind as Kind;
    if interfaces.has(Kind::Secret) {
        let secret = room::secret::SecretView::of;
        soma::secret::add_to_linker::<_, room::secret::Secret>(linker, secret)?;
    }
    if interfaces.has(Kind::Tool) {
        soma::tool::add_to_linker::<_, room::tool::Tool>(linker, |ctx| {
            room::tool::ToolView::of(ctx)
        })?;
    }
    if interfaces.has(Kind::Emit) {
        soma::emit::add_to_linker::<_, room::emit::Emit>(linker, room::emit::EmitView::of)?;
    }
    if interfaces.has(Kind::Budget) {
        let budget = room::budget::BudgetView::of;
        soma::budget::add_to_linker::<_, room::budget::Budget>(linker, budget)?;
    }
    Ok(())
}
