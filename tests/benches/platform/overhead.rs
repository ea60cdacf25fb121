//! `api.overhead`: the library's smallest call through the gateway ÷ at the host's own address, in turns.

use std::time::{Duration, Instant};

use anyhow::ensure;
use serde_json::json;
use soma_tests::bazaar::Bazaar;

use crate::rows::{Rows, percentile};

const TURNS: usize = 20;
const CALLS: usize = 50;

pub(crate) async fn run(rows: &mut Rows) -> anyhow::Result<()> {
    let bazaar = Bazaar::open().await?;
    bazaar.publish("text", &[]).await?;
    bazaar.operator.does(&["install", "acme/text"]).await?;
    bazaar.operator.does(&["call", "text", "slugify", "-a", "text=a"]).await?;
    let token = bazaar.operator.does(&["token", "new", "--can", "call:*", "--ttl", "1h"]).await?;
    let client = reqwest::Client::builder().no_proxy().build()?;
    let (gateway, host) = (bazaar.platform.url().to_owned(), bazaar.address("host")?);
    let (mut through, mut direct) = (Vec::new(), Vec::new());
    for turn in 0..=TURNS {
        let one = calls(&client, &gateway, token.stdout.trim()).await?;
        let other = calls(&client, &host, token.stdout.trim()).await?;
        // The first turn opens connections and warms caches.
        if turn > 0 {
            through.extend(one);
            direct.extend(other);
        }
    }
    for percent in [50, 99] {
        let floor = percentile(&direct, percent);
        let ratio = percentile(&through, percent).as_secs_f64() / floor.as_secs_f64();
        let against = format!("the host's own address: {} µs", floor.as_micros());
        rows.add(&format!("api.overhead.p{percent}"), ratio, "ratio", &against, None);
    }
    Ok(())
}

async fn calls(client: &reqwest::Client, base: &str, token: &str) -> anyhow::Result<Vec<Duration>> {
    let url = format!("{base}/v1/installations/text/calls/slugify");
    let mut took = Vec::new();
    for _ in 0..CALLS {
        let since = Instant::now();
        let answer = client.post(&url).bearer_auth(token).json(&json!({ "text": "A b" }));
        let answer = answer.send().await?;
        ensure!(answer.status().is_success(), "{}", answer.text().await?);
        answer.bytes().await?;
        took.push(since.elapsed());
    }
    Ok(took)
}
