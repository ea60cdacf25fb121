//! A deployment with something in everything: what is moved, backed up and brought back.

mod backup;
mod disk;
mod hostile;
mod moving;
mod restore;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde_json::json;
use soma_capsule::KeyPair;
use soma_capsule::dsse;
use soma_market::ledger::EventKind;
use soma_policy::feed::{EpochRaise, Topic, kind};
use soma_policy::{Currency, Money};

use super::*;
use crate::audit::{Act, Sequencer};
use crate::clock::FixedClock;
use crate::fixture::{START, TestDatabase};
use crate::identity::PasswordCost;
use crate::money::NewEntry;
use crate::server::Server;
use crate::store::{
    Environment, EnvironmentKind, Org, OrgRoles, OrgState, PlatformScope, StoreError,
};

const SCOPE: PlatformScope = PlatformScope::of("tests");
const WORDS: &[u8] = b"correct horse battery staple";
const COST: PasswordCost = PasswordCost { memory_kib: 64, passes: 1, threads: 1 };
/// Must never be found in an archive.
const CANARY: &str = "canary-7d1f-do-not-show";

/// A home with a server in it.
struct Deployment {
    database: TestDatabase,
    server: Server,
    clock: Arc<FixedClock>,
    root: KeyPair,
}

impl Deployment {
    async fn new() -> Self {
        let database = TestDatabase::sqlite();
        let (server, clock, _) = database.server().await;
        let root = KeyPair::generate().unwrap();
        let this = Self { database, server, clock, root };
        this.put("trust/root.pub", &this.root.public().to_pem());
        this.put("keys/root.key", CANARY);
        this.put("keys/host/host.pem", CANARY);
        this.put("state/journal.head", "head");
        this.put("state/journal/00000001.log", "records");
        this.put("state/kill/orders.jsonl", "an order");
        this.put("home.toml", "schema = 1");
        this.put("cache/code", "compiled");
        std::fs::create_dir_all(this.home().join("secrets")).unwrap();
        this
    }

    fn home(&self) -> &Path {
        self.database.folder.path()
    }

    fn put(&self, path: &str, text: &str) {
        let path = self.home().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    /// An org with an environment and a person, and some of every stream.
    async fn fill(&self, org: &str, count: usize) {
        let server = &self.server;
        let it = Org {
            org: org.parse().unwrap(),
            name: "Å name \u{1F980} 'quoted'".to_owned(),
            roles: OrgRoles { tenant: true, ..OrgRoles::default() },
            region: None,
            state: OrgState::Active,
            version: 1,
            created: START,
        };
        let environment = Environment {
            environment: "production".parse().unwrap(),
            kind: EnvironmentKind::Production,
            region: Some("eu".parse().unwrap()),
            version: 1,
            created: START,
        };
        let mut unit = server.store.platform(SCOPE).await.unwrap();
        unit.insert_org(&it).await.unwrap();
        unit.found_environment(&it.org, &environment).await.unwrap();
        for n in 0..count {
            let detail = json!({ "n": n });
            unit.audit(&server.note(&it.org, "user:x", Act::LoggedIn, n, &detail)).await.unwrap();
            let topic = Topic::Terms.as_str();
            unit.change(&server.feed(&it.org, topic, n % 7, &detail)).await.unwrap();
            unit.change(&server.event(&it.org, "thing.done", n, &detail)).await.unwrap();
        }
        for n in 1..=count.min(5) {
            let new = NewEntry {
                org: it.org.clone(),
                kind: EventKind::TopUp,
                amount: Money { micros: 1000 * i64::try_from(n).unwrap(), currency: Currency::EUR },
                reason: format!("invoice {n}").parse().unwrap(),
            };
            server.enter(&mut unit, new, "user:x").await.unwrap();
        }
        unit.commit().await.unwrap();
        self.number().await;
    }

    async fn number(&self) {
        Sequencer::default().run(&self.server).await.unwrap();
    }

    fn epoch(&self, raise: &EpochRaise) -> Vec<u8> {
        dsse::sign_document(kind::EPOCH, raise, &[&self.root]).unwrap().to_json()
    }

    /// A place for an archive outside of the home.
    fn shelf(&self) -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let archive = folder.path().join("soma.backup");
        (folder, archive)
    }

    async fn back_up(&self, archive: &Path) -> Result<BackupReport, ContinuityError> {
        let config = self.database.config();
        let request = BackupRequest {
            home: self.home(),
            config: &config,
            archive,
            passphrase: WORDS,
            cost: COST,
        };
        backup(&request, &*self.clock).await
    }
}
