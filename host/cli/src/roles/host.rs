//! A host of capsules: lock, open, listen, tell where, serve, end.

use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::Arc;

use serde_json::{Value, json};
use soma_host::clock::SystemClock;
use soma_host::descriptors::Descriptors;
use soma_host::home::{Configuration, Home, HostLock, write_private};
use soma_host::installations::Snapshot;
use soma_host::{Host, HostOptions};

use super::{LAST, asked_to_end, first, listen, telemetry, threads};
use crate::context::Context;
use crate::failure::Failure;
use crate::local::program;
use crate::output::Report;

/// A component that nobody called for this long is unloaded.
const IDLE: std::time::Duration = std::time::Duration::from_secs(300);
/// Calls of one tenant that may wait for a slot.
const QUEUE_MAX: usize = 256;

/// How a host is run.
#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "Options of a host")]
pub(crate) struct HostFlags {
    /// Also run what this machine's development key signed
    #[arg(long)]
    pub(crate) dev: bool,
    /// Guests at one time
    #[arg(long, value_name = "N", default_value_t = 256, value_parser = clap::value_parser!(u32).range(1..=4096))]
    calls: u32,
    /// Where the journal lies, if not in the home
    #[arg(long, value_name = "DIR")]
    journal: Option<PathBuf>,
    /// Where the journal's head file lies, if not in the home
    #[arg(long, value_name = "FILE", requires = "journal")]
    journal_head: Option<PathBuf>,
    /// Let guests whose grants say so reach this port of 127.0.0.1 (may be repeated)
    #[arg(long, value_name = "PORT")]
    allow_loopback: Vec<u16>,
}

/// An open host, which holds its home.
pub(crate) struct OpenHost {
    pub(crate) host: Arc<Host>,
    pub(crate) home: Home,
    _lock: HostLock,
}

impl OpenHost {
    /// Opens the host of a home that this process holds; guests never reach the addresses in `own`.
    pub(crate) fn open(
        flags: &HostFlags,
        home: Home,
        lock: HostLock,
        own: Vec<IpAddr>,
    ) -> Result<Self, Failure> {
        if let Err(error) = Descriptors::raise() {
            tracing::warn!(%error, "the limit of open files stays as it is");
        }
        let host = Host::open(options(flags, home.clone(), own)?)?;
        Ok(Self { host, home, _lock: lock })
    }

    /// Tells the commands of this home where to turn to.
    pub(crate) fn tell(&self, url: &str, more: &Value) -> Result<(), Failure> {
        let note = with(json!({ "url": url, "pid": std::process::id() }), more);
        Ok(write_private(&self.home.layout().address(), note.to_string().as_bytes())?)
    }

    /// The line that says that calls are taken.
    pub(crate) fn ready(&self, context: &Context, url: &str, more: &Value) -> Result<(), Failure> {
        let snapshot = self.host.snapshot();
        let wrong = problems(&snapshot);
        for problem in &wrong {
            context.out.warn(problem);
        }
        let running = snapshot.entries().filter(|entry| entry.running.is_some()).count();
        let next = first::next(&self.home, &snapshot);
        let text = format!("ready {url} · {running} installations · next: {next}");
        let value =
            json!({ "url": url, "installations": running, "problems": wrong, "next": next });
        Ok(context.out.event(&Report::new("soma.up.v1", with(value, more), text))?)
    }
}

/// An object with more fields.
fn with(mut object: Value, more: &Value) -> Value {
    if let (Some(fields), Some(more)) = (object.as_object_mut(), more.as_object()) {
        fields.extend(more.clone());
    }
    object
}

impl Drop for OpenHost {
    fn drop(&mut self) {
        // What is not there any more cannot be called.
        let _ = std::fs::remove_file(self.home.layout().address());
    }
}

fn options(flags: &HostFlags, home: Home, own: Vec<IpAddr>) -> Result<HostOptions, Failure> {
    Ok(HostOptions {
        server: home.server()?,
        home,
        clock: Arc::new(SystemClock::new()),
        compiler: (program()?, "compile-child".to_owned()),
        calls_max: flags.calls,
        queue_max: QUEUE_MAX,
        idle: IDLE,
        journal: flags.journal.clone(),
        head: flags.journal_head.clone(),
        own,
        guest_threads: guest_threads(),
        development: development(flags.dev)?,
        loopback: flags.allow_loopback.clone(),
        mapped_only: false,
    })
}

/// Threads that run guests: as many as the machine computes with at one time.
fn guest_threads() -> usize {
    std::thread::available_parallelism().map_or(2, std::num::NonZero::get)
}

/// Serves a host alone until SIGINT or SIGTERM.
pub(crate) fn run(
    flags: &HostFlags,
    context: &Context,
    home: Home,
    at: std::net::SocketAddr,
) -> Result<(), Failure> {
    telemetry(context);
    super::server::tidy(context);
    let lock = home.lock_host()?;
    let host = OpenHost::open(flags, home, lock, vec![at.ip()])?;
    let runtime = threads("soma-edge", None)?;
    let ended = runtime.block_on(async {
        let (listener, address) = listen(at).await?;
        let url = format!("http://{address}");
        let stop = asked_to_end()?;
        host.tell(&url, &Value::Null)?;
        host.ready(context, &url, &Value::Null)?;
        crate::edge::serve(Arc::clone(&host.host), listener, stop.cancelled_owned()).await?;
        context.out.note("ended");
        Ok(())
    });
    // Connections that stay open do not keep the process.
    runtime.shutdown_timeout(LAST);
    ended
}

/// Loads everything as a host would, and says what is wrong.
pub(crate) fn check(context: &Context, home: Home, dev: bool) -> Result<(), Failure> {
    let configuration = Configuration::open(home, development(dev)?, context.now())?;
    let snapshot = configuration.snapshot();
    for problem in problems(&snapshot) {
        context.out.note(format!("! {problem}"));
    }
    let wrong = problems(&snapshot).len();
    let text = format!(
        "{} · {} installations · {wrong} problems · policy {}",
        if wrong == 0 { "right" } else { "not right" },
        snapshot.len(),
        snapshot.policy.hash(),
    );
    let value = json!({
        "ok": wrong == 0, "installations": snapshot.len(), "problems": problems(&snapshot),
        "policy": snapshot.policy.hash().to_string(),
    });
    context.out.report(&Report::new("soma.up.check.v1", value, text))?;
    if wrong == 0 { Ok(()) } else { Err(Failure::told(2)) }
}

/// Everything that is wrong with the files of a home, a line each.
fn problems(snapshot: &Snapshot) -> Vec<String> {
    let own = snapshot.problems.iter();
    let of_entries = snapshot.entries().flat_map(|entry| entry.problems.iter());
    let mut lines: Vec<String> = own.chain(of_entries).map(|p| format!("{} {p}", p.code)).collect();
    lines.sort();
    lines
}

/// This machine's development key, if it is to count.
fn development(dev: bool) -> Result<Option<soma_capsule::PublicKey>, Failure> {
    if dev { crate::devkey::public() } else { Ok(None) }
}
