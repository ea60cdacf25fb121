//! What Soma costs, each figure against a peer or a floor measured in the same run.
//!
//! `make bench` builds everything in the release profile and runs this. It prints a table, writes
//! `target/bench/results.json` and, with `--docs`, the table of docs/benchmarks.md. Words after the
//! options choose groups: `gate http kill growth load`. Rows of what was measured before it, by other programs, lie in
//! `target/bench/parts` and are taken into the same table. It deliberately judges nothing else: no test depends on a time.

mod bare;
mod disk;
mod gate;
mod growth;
mod http;
mod idle;
mod kill;
mod load;
mod measure;
mod place;
mod report;

use std::path::PathBuf;

use anyhow::Context as _;
use report::Report;

/// Open files that a thousand connections and their servers need.
const OPEN_FILES: u64 = 16_384;

fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    raise_open_files();
    if let [mode, home, digests] = arguments.as_slice()
        && mode == idle::MODE
    {
        return idle::measured(home.as_ref(), digests.parse()?);
    }
    let groups: Vec<&str> =
        arguments.iter().map(String::as_str).filter(|word| !word.starts_with("--")).collect();
    let wanted = |group: &str| groups.is_empty() || groups.contains(&group);
    let folder = folder()?;
    let mut report = Report::open(&folder)?;
    report.fact("disk", disk::probe(&folder)?);
    report.fact("journal", disk::probe(&place::memory_folder())?);
    if wanted("gate") {
        gate::run(&mut report, &folder)?;
    }
    if wanted("http") {
        http::run(&mut report)?;
    }
    if wanted("kill") {
        kill::run(&mut report)?;
    }
    if wanted("growth") {
        growth::run(&mut report)?;
    }
    if wanted("load") {
        load::run(&mut report)?;
    }
    report.finish(arguments.iter().any(|word| word == "--docs"))
}

/// `target/bench`, where results go and the disk is measured.
fn folder() -> anyhow::Result<PathBuf> {
    let program = std::env::current_exe()?;
    let target = program.ancestors().nth(3).context("the bench lies in no target folder")?;
    let folder = target.join("bench");
    std::fs::create_dir_all(&folder)?;
    Ok(folder)
}

/// Servers that are started from here inherit it. What is refused shows as an error later on.
fn raise_open_files() {
    use rustix::process::{Resource, getrlimit, setrlimit};
    let mut limit = getrlimit(Resource::Nofile);
    let most = limit.maximum.unwrap_or(OPEN_FILES);
    limit.current = Some(most.min(OPEN_FILES).max(limit.current.unwrap_or(0)));
    let _ = setrlimit(Resource::Nofile, limit);
}
