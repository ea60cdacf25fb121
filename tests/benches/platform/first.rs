//! `publish.total`: from submitting a low-risk release until it is published, behaviour review included.
//! `install.first_call`: from the accepted installation of a digest that its host has never run to the first answer.

use std::time::{Duration, Instant};

use anyhow::ensure;
use serde_json::{Value, json};
use soma_tests::bazaar::{Bazaar, text};

use crate::rows::Rows;

const RELEASES: usize = 8;
const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) async fn run(rows: &mut Rows) -> anyhow::Result<()> {
    let bazaar = Bazaar::open().await?;
    let rights =
        ["token", "new", "--can", "call:*", "--can", "install", "--can", "org:read", "--ttl", "1h"];
    let token = bazaar.operator.does(&rights).await?.stdout.trim().to_owned();
    let (mut published, mut called, mut known) = (Vec::new(), Vec::new(), Vec::new());
    for nth in 0..RELEASES {
        let version = format!("1.0.{nth}");
        let packed = bazaar.pack("text", &[("0.1.0", &version)]).await?;
        let since = Instant::now();
        let judged = bazaar.submit(&packed).await?;
        published.push(since.elapsed());
        ensure!(text(&judged, "/state") == "published", "{judged}");
        called.push(first_call(&bazaar, &token, &version, &format!("text-{nth}")).await?);
        known.push(first_call(&bazaar, &token, &version, &format!("again-{nth}")).await?);
    }
    let against =
        "submitted → published: examined, watched among fake peers, scored, countersigned";
    rows.times("publish.total", &[50, 99], &published, against, Some(30_000.0));
    let against = "installation accepted → first answer of a digest that is new to the host";
    rows.times("install.first_call", &[99, 50], &called, against, Some(50.0));
    let against = "the same for one that the host has compiled before";
    rows.times("install.first_call.known", &[99, 50], &known, against, None);
    Ok(())
}

async fn first_call(
    bazaar: &Bazaar,
    token: &str,
    version: &str,
    id: &str,
) -> anyhow::Result<Duration> {
    let reference = format!("acme/text@={version}");
    let plan = bazaar.operator.reads(&["install", &reference, "--as", id, "--dry-run"]).await?;
    let client = reqwest::Client::builder().no_proxy().build()?;
    let gateway = bazaar.platform.url();
    let url = format!("{gateway}/v1/installations?id={id}&plan={}", text(&plan, "/plan"));
    let spec = plan.get("spec").cloned().unwrap_or(Value::Null);
    let accepted = client.post(url).bearer_auth(token).json(&spec).send().await?;
    ensure!(accepted.status().is_success(), "{}", accepted.text().await?);
    let since = Instant::now();
    let call = format!("{gateway}/v1/installations/{id}/calls/slugify");
    loop {
        let answer = client.post(&call).bearer_auth(token).json(&json!({ "text": "A b" }));
        let answer = answer.send().await?;
        if answer.status().is_success() {
            return Ok(since.elapsed());
        }
        let problem = answer.text().await?;
        ensure!(since.elapsed() < PATIENCE, "{call}: {problem}");
    }
}
