//! Every capability in every case, by real calls of one guest that asks for all of them.

use serde_json::json;
use soma_capsule::{KeyPair, TrustStore, UnverifiedPackage, verify};
use soma_policy::CapabilityKind::{self, *};
use soma_tests::binary::PASSPHRASE;
use soma_tests::package::Package;
use soma_tests::{Reply, TestHost, guests, host};

use super::{Cell, interfaces};
use crate::all::range::Range;

pub(crate) const KINDS: [CapabilityKind; 12] =
    [Http, Secret, Kv, Files, Tool, Emit, Config, Clocks, Random, Logging, Budget, Serve];

/// How a capability is used well, how it is used beyond the grant, and what comes of both when it is
/// there and when it was left out.
struct Probe {
    allowed: [&'static str; 2],
    ruled_out: [&'static str; 2],
    ruled_out_code: &'static str,
    left_out: &'static str,
}

const fn probe(
    allowed: [&'static str; 2],
    ruled_out: [&'static str; 2],
    ruled_out_code: &'static str,
    left_out: &'static str,
) -> Probe {
    Probe { allowed, ruled_out, ruled_out_code, left_out }
}

/// What has no parameters that a rule could look at.
const NOTHING: [&str; 2] = ["", ""];
const ALWAYS: &str = "no parameters to rule out";
const DENIED: &str = "guest-error SOMA-D002";

fn probe_of(kind: CapabilityKind) -> Probe {
    match kind {
        Http => probe(
            ["net.fetch", "GET https://evil.test/ok"],
            ["net.fetch", "GET https://elsewhere.test/"],
            "guest-error SOMA-D010",
            DENIED,
        ),
        Secret => probe(
            ["secrets.present", "token"],
            ["secrets.present", "other"],
            "ok false",
            "ok false",
        ),
        Kv => probe(
            ["storage.say", "x"],
            ["storage.outside-write", "elsewhere/x"],
            "guest-error SOMA-D020",
            DENIED,
        ),
        Files => probe(
            ["files.write", "a"],
            ["files.docs-create", ""],
            "guest-error SOMA-D024",
            "guest-error",
        ),
        Tool => probe(
            ["tools.honest", ""],
            ["tools.other-function", ""],
            "guest-error SOMA-D031",
            DENIED,
        ),
        Emit => {
            probe(["inject.emit-text", ""], ["flood.emit", ""], "guest-error SOMA-D038", DENIED)
        }
        Config => probe(
            ["ambient.config-shown", ""],
            ["ambient.config", ""],
            "guest-error SOMA-D041",
            DENIED,
        ),
        Clocks => probe(["ambient.clock", ""], NOTHING, ALWAYS, "ok coarse"),
        Random => probe(["ambient.random-some", ""], ["ambient.random", ""], "limit", "ok"),
        Logging => probe(["inject.ansi-log", ""], ["flood.log", ""], "limit", "ok"),
        Budget => probe(["ambient.budget", ""], NOTHING, ALWAYS, "ok"),
        Serve => probe(["web", "/ok"], ["web", "anonymous"], "refused", "refused"),
    }
}

pub(crate) struct Stage {
    pub(crate) range: Range,
    key: KeyPair,
}

impl Stage {
    pub(crate) async fn new() -> Self {
        let range = Range::new().await;
        let home = &range.home;
        home.publisher("mallory").await.unwrap();
        let pem = std::fs::read(home.path().join("keys/mallory.key")).unwrap();
        let key = KeyPair::from_encrypted_pem(&pem, PASSPHRASE.as_bytes()).unwrap();
        home.secret("bank-token", "a-token").await.unwrap();
        home.install("text", "text", &[]).await.unwrap();
        let stage = Self { range, key };
        let secret = ["--secret", "token=bank-token"];
        stage.install("guest", "full", &secret, |m| m).await;
        let priced = |m: String| {
            m.replace("mallory/guest", "mallory/priced") + "\n[price]\nper_call = \"1.00 EUR\"\n"
        };
        stage
            .install(
                "guest",
                "poor",
                &[&secret[..], &["--budget", "0.50 EUR/day"]].concat(),
                priced,
            )
            .await;
        stage.install("web", "web", &[], |m| m).await;
        let priced = |m: String| {
            m.replace("mallory/web", "mallory/pricedweb") + "\n[price]\nper_call = \"1.00 EUR\"\n"
        };
        stage.install("web", "poorweb", &["--budget", "0.50 EUR/day"], priced).await;
        stage.leave_out();
        stage
    }

    /// Everything optional, so that anything can be left out of the grants.
    async fn install(
        &self,
        component: &str,
        id: &str,
        more: &[&str],
        change: impl Fn(String) -> String,
    ) {
        let bytes = std::fs::read(guests::hostile(component).unwrap()).unwrap();
        let folder = guests::repository().join("capsules/hostile").join(component);
        let manifest = change(std::fs::read_to_string(folder.join("capsule.toml")).unwrap());
        let mut manifest: toml::Table = toml::from_str(&manifest).unwrap();
        for (kind, entries) in manifest["capabilities"].as_table_mut().unwrap().iter_mut() {
            let single = ["config", "clocks", "random", "logging", "budget", "serve"]
                .contains(&kind.as_str());
            let entries = entries.as_table_mut().unwrap();
            if single {
                entries.insert("optional".to_owned(), true.into());
            } else {
                for entry in entries.iter_mut().map(|(_, entry)| entry) {
                    entry.as_table_mut().unwrap().insert("optional".to_owned(), true.into());
                }
            }
        }
        let package =
            Package::new(&bytes, &toml::to_string(&manifest).unwrap(), &self.key).unwrap();
        let path = package.write(&self.range.home.beside("matrix"), id).unwrap();
        let install =
            self.range.home.soma().unwrap().args(["install"]).args([path]).args(["--as", id]);
        install.args(more).succeed().await.unwrap();
    }

    /// For each kind a copy of the full installation without it.
    fn leave_out(&self) {
        let home = &self.range.home;
        for kind in KINDS {
            let from = if kind == Serve { "web" } else { "full" };
            let text = std::fs::read_to_string(home.installation(from)).unwrap();
            let mut file: toml::Table = toml::from_str(&text).unwrap();
            let grants = file["grants"].as_table_mut().unwrap();
            grants.remove(&kind.to_string());
            if kind == Http {
                grants.remove("secret");
            }
            std::fs::write(
                home.installation(&format!("without-{kind}")),
                toml::to_string(&file).unwrap(),
            )
            .unwrap();
        }
        let web = std::fs::read_to_string(home.installation("web")).unwrap();
        std::fs::write(
            home.installation("members"),
            web.replace("anonymous = true", "anonymous = false"),
        )
        .unwrap();
    }

    pub(crate) async fn cell(
        &self,
        host: &TestHost,
        kind: CapabilityKind,
        case: &'static str,
    ) -> Cell {
        let probe = probe_of(kind);
        let (expected, outcome) = match case {
            "undeclared" => (expected_undeclared(kind), self.undeclared(kind)),
            "not granted" => (
                probe.left_out.to_owned(),
                self.ask(host, &format!("without-{kind}"), kind, probe.allowed).await,
            ),
            "ruled out" if probe.ruled_out == NOTHING => (ALWAYS.to_owned(), ALWAYS.to_owned()),
            "ruled out" => {
                let id = if kind == Serve { "members" } else { "full" };
                (probe.ruled_out_code.to_owned(), self.ask(host, id, kind, probe.ruled_out).await)
            }
            "over budget" => {
                let id = if kind == Serve { "poorweb" } else { "poor" };
                ("refused SOMA-D046".to_owned(), self.ask(host, id, kind, probe.allowed).await)
            }
            "killed" => ("killed".to_owned(), self.killed(host, kind, probe.allowed).await),
            _ => ("ok".to_owned(), self.ask(host, full(kind), kind, probe.allowed).await),
        };
        let outcome = if outcome.starts_with(&expected) { expected.clone() } else { outcome };
        Cell { capability: kind.to_string(), case, expected, outcome }
    }

    /// What the door says to a component that imports the capability's interfaces and declares nothing.
    fn undeclared(&self, kind: CapabilityKind) -> String {
        let names = interfaces::all();
        let of_kind = names.iter().find(|function| function.need == kind.to_string());
        match of_kind {
            Some(function) => self.verified(&interfaces::component(&function.interface)),
            None if kind == Serve => {
                self.verified(&std::fs::read(guests::hostile("web").unwrap()).unwrap())
            }
            // Part of the base world; the capability widens it.
            None => "base".to_owned(),
        }
    }

    fn verified(&self, component: &[u8]) -> String {
        let manifest = "schema = 1\nname = \"mallory/probe\"\nversion = \"1.0.0\"\nkind = \"task\"\nsummary = \"x\"\nlicence = \"MIT\"\n";
        let package = Package::new(component, manifest, &self.key).unwrap();
        let mut trust = TrustStore::new();
        trust.pin("mallory".parse().unwrap(), self.key.public().clone()).unwrap();
        match verify(
            UnverifiedPackage { component: package.component, bundle: package.bundle },
            &trust,
            None,
        ) {
            Ok(_) => "accepted".to_owned(),
            Err(error) => format!("refused {}", error.code().id()),
        }
    }

    async fn ask(
        &self,
        host: &TestHost,
        id: &str,
        kind: CapabilityKind,
        attack: [&str; 2],
    ) -> String {
        if kind == Serve {
            return served(host, id).await;
        }
        let arguments = json!({ "attack": attack[0], "argument": attack[1] });
        let reply = host.call(id, "run", &arguments).await.unwrap();
        let said = ended(host, &reply).await;
        match (kind, said.as_str()) {
            (Clocks, "ok") if id != "full" => {
                let precise = self.resolution(host, "full").await;
                if self.resolution(host, id).await > precise {
                    "ok coarse".to_owned()
                } else {
                    "ok precise".to_owned()
                }
            }
            (Secret, "ok") => format!("ok {}", reply.body.as_str().unwrap_or_default()),
            _ => said,
        }
    }

    async fn resolution(&self, host: &TestHost, id: &str) -> u64 {
        let arguments = json!({ "attack": "ambient.clock", "argument": "" });
        let reply = host.call(id, "run", &arguments).await.unwrap();
        reply.body.as_str().and_then(|text| text.parse().ok()).unwrap_or_default()
    }

    async fn killed(&self, host: &TestHost, kind: CapabilityKind, attack: [&str; 2]) -> String {
        let soma = || {
            let soma = self.range.home.soma().unwrap().within(self.range.home.path());
            soma.args(["--host", host.url(), "--output", "json"])
        };
        let scope = format!("capability:{kind}");
        let kill =
            soma().args(["kill", &scope, "--reason", "drill", "--yes"]).succeed().await.unwrap();
        let outcome = self.ask(host, full(kind), kind, attack).await;
        let order = order_of(&kill.json().unwrap());
        soma()
            .args(["unkill", &order, "--reason", "the matrix goes on", "--yes"])
            .succeed()
            .await
            .unwrap();
        outcome
    }

    /// Each interface version: refused undeclared, or base and linked.
    pub(crate) fn links(&self, functions: &[interfaces::Function]) -> Vec<Cell> {
        let mut cells = Vec::new();
        for name in interfaces::names() {
            let Some(function) = functions.iter().find(|f| f.interface == name) else { continue };
            let expected = if function.need == "base" { "accepted" } else { "refused SOMA-C005" };
            let outcome = self.verified(&interfaces::component(&name));
            cells.push(Cell {
                capability: name,
                case: "undeclared",
                expected: expected.to_owned(),
                outcome,
            });
        }
        cells
    }
}

fn full(kind: CapabilityKind) -> &'static str {
    if kind == Serve { "web" } else { "full" }
}

fn expected_undeclared(kind: CapabilityKind) -> String {
    match kind {
        Files | Clocks | Random => "base".to_owned(),
        // What nobody may be served exports nothing that can be called.
        Serve => "refused SOMA-C014".to_owned(),
        _ => "refused SOMA-C005".to_owned(),
    }
}

/// The id of an order, wherever the report holds it.
fn order_of(report: &serde_json::Value) -> String {
    let order = &report["order"];
    let id = order["id"].as_str().or_else(|| order.as_str()).or_else(|| report["id"].as_str());
    id.unwrap_or_default().to_owned()
}

async fn served(host: &TestHost, id: &str) -> String {
    let response = host.web(reqwest::Method::GET, id, "/ok").send().await.unwrap();
    let status = response.status().as_u16();
    let body = response.text().await.unwrap_or_default();
    let problem: serde_json::Value = serde_json::from_str(&body).unwrap_or_default();
    let code = problem["code"].as_str().unwrap_or_default();
    match (status, code) {
        (200, _) => "ok".to_owned(),
        (_, "SOMA-K001") => "killed".to_owned(),
        _ => format!("refused {code}"),
    }
}

/// Outcome and first denial, in words.
async fn ended(host: &TestHost, reply: &Reply) -> String {
    let kept = match reply.call.as_str() {
        "" => serde_json::Value::Null,
        call => host.get(&format!("/v1/calls/{call}")).await.unwrap_or_default(),
    };
    let code = reply.code();
    let kind = match kept["outcome"]["kind"].as_str() {
        Some(kind) => kind.to_owned(),
        None if code == "SOMA-K001" => "killed".to_owned(),
        None if reply.status == 200 => "ok".to_owned(),
        None => "refused".to_owned(),
    };
    let denials = [reply.denials(), host::codes(&kept)].concat();
    match (kind.as_str(), denials.first()) {
        ("budget" | "refused", _) => format!("refused {code}"),
        ("guest-error", Some(denial)) => format!("guest-error {denial}"),
        _ => kind,
    }
}
