//! The servers of the demo, as a process: recorded GitHub shapes over HTTPS. Writes `peers.toml` and
//! the trust anchor into the policy folder that it is given, says `ready`, and ends with its input.

use std::path::PathBuf;

use anyhow::Context;
use soma_tests::{Authority, github, home};
use tokio::io::AsyncReadExt;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let policy = std::env::args_os().nth(1).map(PathBuf::from);
    let policy = policy.context("usage: soma-test-servers POLICY_FOLDER")?;
    let authority = Authority::new()?;
    let server = github::start(&authority).await?;
    home::write_peers(&policy, &authority, &[("https://api.github.com:443", server.address())])?;
    say(&format!("ready https://{} as {}", server.address(), github::HOST))?;
    let mut rest = Vec::new();
    tokio::io::stdin().read_to_end(&mut rest).await?;
    Ok(())
}

/// One line, so that whoever started us can wait for it.
fn say(line: &str) -> std::io::Result<()> {
    use std::io::Write;
    let mut out = std::io::stdout().lock();
    writeln!(out, "{line}")?;
    out.flush()
}
