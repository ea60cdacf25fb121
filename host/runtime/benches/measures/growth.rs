//! `growth.*`: ten thousand installations over a thousand digests against ten: what a call costs, and what an idle
//! installation holds in memory. The components are small and differ in their manifests alone, so what is counted is
//! what Soma keeps for an installation, not what its author wrote.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use serde_json::json;
use soma_capsule::{TrustStore, UnverifiedPackage, verify};
use soma_host::home::Home;
use soma_policy::Timestamp;
use soma_tests::TestHome;
use soma_tests::package::Package;

use crate::idle;
use crate::measure;
use crate::place::{self, Client, Opened, Opening, must};
use crate::report::{Aim, Report};

/// Installations of one digest.
const EACH: usize = 10;
const MANY: usize = 1000;
const FEW: usize = 1;
const CALLS: u32 = 64;
/// Adds one; the smallest component with an argument and a result.
const COMPONENT: &str = r#"(component
  (core module $m (func (export "f") (param i32) (result i32) (i32.add (local.get 0) (i32.const 1))))
  (core instance $i (instantiate $m))
  (func (export "next") (param "n" u32) (result u32) (canon lift (core func $i "f"))))"#;

/// Both figures.
pub(crate) fn run(report: &mut Report) -> anyhow::Result<()> {
    let runtime = place::runtime()?;
    let memory =
        tempfile::Builder::new().prefix("soma-bench-").tempdir_in(place::memory_folder())?;
    let few = runtime.block_on(home(FEW))?;
    let many = runtime.block_on(home(MANY))?;
    call(report, &runtime, memory.path(), &few, &many)?;
    let small = idle::measure(few.path(), FEW)?;
    let large = idle::measure(many.path(), MANY)?;
    let each = (large.saturating_sub(small)) as f64 / ((MANY - FEW) * EACH) as f64 / 1024.0;
    let against =
        format!("{} installations, {MANY} digests, all called once, all unloaded", MANY * EACH);
    report.row("growth.memory", each, "KiB each", &against, Aim::AtMost(50.0));
    Ok(())
}

fn call(
    report: &mut Report,
    runtime: &tokio::runtime::Runtime,
    journals: &Path,
    few: &TestHome,
    many: &TestHome,
) -> anyhow::Result<()> {
    let open = |home: &TestHome, name: &str| -> anyhow::Result<(Opened, Arc<Client>)> {
        let journal = journals.join(name);
        std::fs::create_dir_all(&journal)?;
        let idle = Duration::from_secs(300);
        let opened = Opening { home: home.path(), journal: &journal, calls: CALLS, idle }.open()?;
        let token = runtime.block_on(soma_tests::tokens::mint(home.path(), &["call:*"]))?;
        let client = Client {
            host: opened.host.clone(),
            token,
            installation: place::key("i0-0")?,
            function: "next".parse()?,
            arguments: json!({ "n": 1 }),
        };
        Ok((opened, Arc::new(client)))
    };
    let (small_host, small) = open(few, "few")?;
    let (large_host, large) = open(many, "many")?;
    let of = |client: Arc<Client>| {
        move || {
            let client = client.clone();
            async move {
                must(client.call().await);
            }
        }
    };
    let each = Duration::from_millis(400);
    let (grown, floor) = runtime.block_on(measure::against(1, 10, each, of(large), of(small)));
    let against = format!("{} installations: {:.1} µs", FEW * EACH, floor.percentile(50.0));
    let ratio = grown.percentile(50.0) / floor.percentile(50.0);
    report.row("growth.call", ratio, "ratio of p50", &against, Aim::AtMost(1.1));
    small_host.host.close();
    large_host.host.close();
    Ok(())
}

/// A home with ten installations of each of so many digests.
async fn home(digests: usize) -> anyhow::Result<TestHome> {
    let home = TestHome::new().await?;
    let key = place::library_key(&home)?;
    let component = wat::parse_str(COMPONENT)?;
    let first =
        Package::new(&component, &manifest(0), &key)?.write(&home.beside("first"), "first")?;
    home.soma()?.args(["install"]).args([first]).args(["--as", "i0-0"]).succeed().await?;
    let pattern = std::fs::read_to_string(home.installation("i0-0"))?;
    let opened = Home::open(home.path())?;
    let mut trust = TrustStore::default();
    trust.pin(soma_tests::home::LIBRARY.parse()?, key.public().clone())?;
    for nth in 0..digests {
        let package = Package::new(&component, &manifest(nth), &key)?;
        let unverified = UnverifiedPackage { component: package.component, bundle: package.bundle };
        let verified = verify(unverified.clone(), &trust, None)?;
        let digest =
            opened.store().put(&unverified, "soma/next", verified.analysis(), Timestamp(0))?;
        for twin in 0..EACH {
            let line =
                pattern.lines().find(|line| line.starts_with("digest")).context("no digest")?;
            let text = pattern.replace(line, &format!("digest = \"{digest}\""));
            std::fs::write(home.installation(&format!("i{nth}-{twin}")), text)?;
        }
    }
    Ok(home)
}

fn manifest(nth: usize) -> String {
    format!(
        "schema = 1\nname = \"soma/next\"\nversion = \"1.0.{nth}\"\nkind = \"task\"\nsummary = \"Counts\"\nlicence = \"Apache-2.0\"\n"
    )
}
