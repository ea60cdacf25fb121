//! A value that was set, replaced and sent is found nowhere: no table, no file, no route, no log line.

use std::fmt::Write as _;
use std::path::Path;
use std::sync::{Arc, Mutex};

use serde_json::json;
use soma_policy::feed::HostRole;
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

use super::secret_hosts::{Opener, ask, install};
use super::secrets::put;
use super::stage::Stage;
use crate::audit::Sequencer;
use crate::fixture::on_both_databases;
use crate::secrets::canary::Canary;

/// Keeps every log line of this thread, at every level.
#[derive(Clone, Default)]
struct Tape(Arc<Mutex<String>>);

impl Visit for Tape {
    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        let _ = writeln!(self.0.lock().unwrap(), "{field}={value:?}");
    }
}

impl Subscriber for Tape {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }
    fn new_span(&self, span: &Attributes<'_>) -> Id {
        span.record(&mut self.clone());
        Id::from_u64(1)
    }
    fn record(&self, _: &Id, values: &Record<'_>) {
        values.record(&mut self.clone());
    }
    fn record_follows_from(&self, _: &Id, _: &Id) {}
    fn event(&self, event: &Event<'_>) {
        event.record(&mut self.clone());
    }
    fn enter(&self, _: &Id) {}
    fn exit(&self, _: &Id) {}
}

/// Every file below a folder.
fn files(folder: &Path, seen: &mut dyn FnMut(&Path, &[u8])) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files(&path, seen);
        } else {
            seen(&path, &std::fs::read(&path).unwrap());
        }
    }
}

/// Every GET route, filled with what is there.
fn readable() -> Vec<String> {
    let document = serde_json::to_value(crate::edge::openapi()).unwrap();
    let paths = document["paths"].as_object().unwrap().iter();
    let readable = paths.filter(|(_, methods)| methods.get("get").is_some());
    let fill = |path: &String| {
        let path = path.replace("{name}", "github-readonly").replace("{org}", "acme");
        path.replace("{environment}", "production").replace("{id}", "issues")
    };
    readable.map(|(path, _)| fill(path)).collect()
}

on_both_databases! {
    async fn a_value_is_found_nowhere(database: TestDatabase) {
        let tape = Tape::default();
        let _on = tracing::subscriber::set_default(tape.clone());
        let stage = Stage::empty(database).await;
        let (operator, _) = stage.operator().await;
        let owner = stage.org(&operator, "acme").await;
        let canaries = [Canary::new("sk_live/Zx+7=one canary-0001"), Canary::new("sk_live/Qv+9=two canary-0002")];
        install(&stage, "acme", "github-readonly", None).await;
        let host = Opener::joined(&stage, 1, HostRole::Host).await;
        let asks = json!([ask("acme", "production", "github-readonly")]);
        let mut said = Vec::new();
        for (canary, (seen, status)) in canaries.iter().zip([(None, 201), (Some("\"v1\""), 200)]) {
            let body = json!({ "value": canary.text });
            said.push(put(&stage, &owner, seen, &body).await.expect(status).to_string());
            said.push(put(&stage, &owner, Some("\"v9\""), &body).await.refused(412, "SOMA-H020").to_string());
            said.push(put(&stage, &owner, Some("\"v9\""), &json!([canary.text])).await.refused(422, "SOMA-H016").to_string());
            said.push(host.ask(&stage, &asks).await.expect(200).to_string());
            let sent = host.sent(&stage, &asks).await;
            assert_eq!(host.open(&sent[0]).unwrap(), canary.text.as_bytes(), "what is searched for is what was sent");
        }
        Sequencer::default().run(&stage.server).await.unwrap();
        let look = |place: &str, haystack: &[u8]| for canary in &canaries { canary.is_not_in(place, haystack) };
        for path in readable() {
            for token in [&owner.token, &operator.token] {
                let answer = stage.get(&path, token).await;
                look(&path, format!("{:?} {}", answer.headers, answer.body).as_bytes());
            }
        }
        for text in &said {
            look("an answer", text.as_bytes());
        }
        let dump = stage.database.dump().await;
        assert!(dump.iter().any(|(table, rows)| table == "secret_values" && rows.lines().count() == 2), "the values are there, sealed");
        for (table, rows) in &dump {
            look(table, rows.as_bytes());
        }
        let mut count = 0;
        files(stage.database.folder.path(), &mut |path, bytes| {
            count += 1;
            look(&path.display().to_string(), bytes);
        });
        assert!(count >= 3, "keys and checkpoints are there: {count}");
        tracing::trace!("the tape runs");
        let log = tape.0.lock().unwrap();
        assert!(log.contains("the tape runs"), "the tape runs");
        look("the log", log.as_bytes());
    }
}
