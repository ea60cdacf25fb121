//! `kill.one_host`, `kill.ten_hosts`: a call streams on each host; one order stops its installation everywhere. Timed
//! is from the order's first byte leaving for the server until the last byte of the last response.

use std::time::{Duration, Instant};

use anyhow::ensure;
use soma_tests::bazaar::Bazaar;
use soma_tests::fleet::Joined;
use tokio::sync::mpsc;

use crate::rows::Rows;

/// Orders, each for an installation of its own.
const ROUNDS: usize = 25;
const HOSTS: usize = 10;
/// How long a host that just joined may take to run what is installed.
const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) async fn run(rows: &mut Rows) -> anyhow::Result<()> {
    let bazaar = Bazaar::open().await?;
    bazaar.publish("stream", &[]).await?;
    let mut orders = Vec::new();
    for nth in 0..2 * ROUNDS {
        bazaar.operator.does(&["install", "acme/stream", "--as", &id(nth)]).await?;
        orders.push(signed(&bazaar, &id(nth)).await?);
    }
    let token = bazaar.operator.does(&["token", "new", "--can", "call:*", "--ttl", "1h"]).await?;
    let stage = Stage {
        client: reqwest::Client::builder().no_proxy().build()?,
        token: token.stdout.trim().to_owned(),
        server: bazaar.address("server")?,
    };
    let mut hosts = vec![bazaar.address("host")?];
    let (one, ten) = orders.split_at(ROUNDS);
    let against = "order sent to the server → last byte of the streamed call";
    rows.times("kill.one_host", &[50, 99], &stage.all(&hosts, 0, one).await?, against, Some(100.0));
    let mut joined: Vec<Joined> = Vec::new();
    for nth in 1..HOSTS {
        let host = bazaar.join(&format!("host-{nth}")).await?;
        hosts.push(host.process.url().to_owned());
        joined.push(host);
    }
    let against = "the same, a call on each of ten host processes";
    let took = stage.all(&hosts, ROUNDS, ten).await?;
    rows.times("kill.ten_hosts", &[50, 99], &took, against, Some(250.0));
    Ok(())
}

fn id(nth: usize) -> String {
    format!("stream-{nth}")
}

/// An order in a file: signed beforehand, so that only its way is timed.
async fn signed(bazaar: &Bazaar, id: &str) -> anyhow::Result<Vec<u8>> {
    let file = bazaar.home.beside(&format!("{id}.json"));
    let (scope, path) = (format!("installation:local/production/{id}"), file.to_string_lossy());
    let kill = ["kill", &scope, "--reason", "drill", "--yes", "--offline", &path];
    bazaar.operator.does(&kill).await?;
    Ok(std::fs::read(&file)?)
}

struct Stage {
    client: reqwest::Client,
    token: String,
    server: String,
}

impl Stage {
    async fn all(
        &self,
        hosts: &[String],
        from: usize,
        orders: &[Vec<u8>],
    ) -> anyhow::Result<Vec<Duration>> {
        let mut took = Vec::new();
        for (nth, order) in orders.iter().enumerate() {
            took.push(self.killed(hosts, &id(from + nth), order).await?);
        }
        Ok(took)
    }

    async fn killed(&self, hosts: &[String], id: &str, order: &[u8]) -> anyhow::Result<Duration> {
        let (tell, mut ended) = mpsc::unbounded_channel();
        for host in hosts {
            let mut response = self.running(host, id).await?;
            let tell = tell.clone();
            tokio::spawn(async move {
                // A cut body ends in an error: that is its end, too.
                while let Ok(Some(_)) = response.chunk().await {}
                let _ = tell.send(Instant::now());
            });
        }
        drop(tell);
        let sent = Instant::now();
        let url = format!("{}/v1/kill-orders", self.server);
        let answer = tokio::spawn(self.client.post(url).body(order.to_vec()).send());
        let mut last = Duration::ZERO;
        while let Some(at) = ended.recv().await {
            last = last.max(at.duration_since(sent));
        }
        let status = answer.await??.status();
        ensure!(status.is_success(), "the order was answered with {status}");
        Ok(last)
    }

    /// A call whose guest has said something: it runs.
    async fn running(&self, host: &str, id: &str) -> anyhow::Result<reqwest::Response> {
        let (url, since) = (format!("{host}/v1/installations/{id}/calls/count"), Instant::now());
        loop {
            let call = self.client.post(&url).bearer_auth(&self.token);
            let call = call.header("accept", "text/event-stream");
            let body = serde_json::json!({ "every-ms": "20" });
            let mut response = call.json(&body).send().await?;
            let mut said = Vec::new();
            while let Some(chunk) = response.chunk().await? {
                said.extend(chunk);
                if String::from_utf8_lossy(&said).contains("event: emit") {
                    return Ok(response);
                }
            }
            // A host that just joined is still told, and has no lease yet.
            let said = String::from_utf8_lossy(&said).into_owned();
            ensure!(since.elapsed() < PATIENCE, "{url}: {said}");
        }
    }
}
