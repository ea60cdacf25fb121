//! What a host holds when everything idles: measured in a process of its own, whose memory is nobody else's.

use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use serde_json::json;

use crate::place::{self, Client, Opening};

/// The argument under which this program is such a process.
pub(crate) const MODE: &str = "--idle";
const IDLE: Duration = Duration::from_secs(2);

/// Resident bytes of a host on this home, after each digest was called once and unloaded again.
pub(crate) fn measure(home: &Path, digests: usize) -> anyhow::Result<u64> {
    let program = std::env::current_exe()?;
    let output = Command::new(program).arg(MODE).arg(home).arg(digests.to_string()).output()?;
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Ok(String::from_utf8_lossy(&output.stdout).trim().parse()?)
}

/// The other process.
#[expect(clippy::print_stdout, reason = "the figure is this program's answer")]
pub(crate) fn measured(home: &Path, digests: usize) -> anyhow::Result<()> {
    let runtime = place::runtime()?;
    let journal =
        tempfile::Builder::new().prefix("soma-idle-").tempdir_in(place::memory_folder())?;
    let opened = Opening { home, journal: journal.path(), calls: 64, idle: IDLE }.open()?;
    let token = runtime.block_on(soma_tests::tokens::mint(home, &["call:*"]))?;
    for nth in 0..digests {
        let client = Client {
            host: opened.host.clone(),
            token: token.clone(),
            installation: place::key(&format!("i{nth}-0"))?,
            function: "next".parse()?,
            arguments: json!({ "n": 1 }),
        };
        runtime.block_on(Arc::new(client).call())?;
    }
    runtime.block_on(all_unloaded(&opened.host));
    println!("{}", resident()?);
    Ok(())
}

async fn all_unloaded(host: &Arc<soma_host::Host>) {
    let snapshot = host.snapshot();
    let running: Vec<_> = snapshot.entries().filter_map(|entry| entry.running.clone()).collect();
    while running.iter().any(|installation| host.is_loaded(installation)) {
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

fn resident() -> anyhow::Result<u64> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("no VmRSS")?;
    let kib = line.split_whitespace().next().context("VmRSS is empty")?;
    Ok(kib.parse::<u64>()? * 1024)
}
