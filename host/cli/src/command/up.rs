//! `soma up [DIR]`: makes the home if there is none, opens the host on it, serves until it is asked to end.

mod first;
mod serve;

use std::net::SocketAddr;
use std::path::PathBuf;

use serde_json::json;
use soma_host::home::{Born, Configuration, Home, OperatorFile};
use soma_host::installations::Snapshot;

use crate::context::{ADDRESS, Context};
use crate::failure::Failure;
use crate::output::Report;

/// Start a host on this home; the first start makes the home
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  soma up\n  soma up --listen 127.0.0.1:0 --dev\n  soma up --check        (only look whether everything is right)"
)]
pub(crate) struct Up {
    /// The home; by default --home
    dir: Option<PathBuf>,
    /// Where to listen; port 0 takes a free one
    #[arg(long, value_name = "ADDRESS", default_value = ADDRESS)]
    listen: SocketAddr,
    /// Also run what this machine's development key signed
    #[arg(long)]
    dev: bool,
    /// Only check home, policy and installations
    #[arg(long)]
    check: bool,
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

impl Up {
    pub(crate) fn run(self, context: &Context) -> Result<(), Failure> {
        let context = context.clone().with_home(self.dir.clone());
        let (home, born) = context.birth()?;
        tell_of_birth(&context, &home, &born)?;
        if self.check { check(&context, home, self.dev) } else { serve::run(&self, &context, home) }
    }
}

/// A new home is told of in full: where it is, what guards it, what to do next.
fn tell_of_birth(context: &Context, home: &Home, born: &Born) -> Result<(), Failure> {
    if born.is_empty() {
        return Ok(());
    }
    context.out.note(format!("made a home at {} (0700)", context.home_path().display()));
    context
        .out
        .note(format!("  host {} · tenant local · environment production", home.identity().host));
    context.out.note("  policy/starter.cedar lets the library run; edit it to your taste");
    if OperatorFile::load(home.layout())?.is_single_operator() {
        context.out.note(
            "  single-operator mode: one signature stops and lifts everything (this is audited)",
        );
    }
    context.out.note("next: soma key new acme, or soma capsule new acme/csv");
    Ok(())
}

/// Loads everything as a host would, and says what is wrong.
fn check(context: &Context, home: Home, dev: bool) -> Result<(), Failure> {
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
