//! An authenticator for scripts: keeps its secret and the last code in a file, says the next one.

use std::path::PathBuf;

use anyhow::Context;
use soma_tests::Authenticator;

fn main() -> anyhow::Result<()> {
    let usage = "usage: soma-test-authenticator FILE (the URI in it, then the last step)";
    let file = std::env::args_os().nth(1).map(PathBuf::from).context(usage)?;
    let text = std::fs::read_to_string(&file)?;
    let (uri, last) = text.trim().split_once('\n').unwrap_or((text.trim(), "0"));
    let mut authenticator = Authenticator::after(uri, last.trim().parse()?)?;
    let code = authenticator.code()?;
    std::fs::write(&file, format!("{uri}\n{}\n", authenticator.last()))?;
    let mut out = std::io::stdout().lock();
    std::io::Write::write_all(&mut out, format!("{code}\n").as_bytes())?;
    Ok(())
}
