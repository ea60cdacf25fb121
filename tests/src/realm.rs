//! A home in which a server was founded and a host joined it, with people, money and a publisher's key. It is made
//! once and copied for each story, so that each begins at the same place and none sees another's.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, ensure};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use reqwest::Method;
use serde_json::{Value, json};
use soma_capsule::KeyPair;
use tempfile::TempDir;

use crate::package::Package;
use crate::person::PASSWORD;
use crate::plane::{Answer, Plane, port};
use crate::process::Process;
use crate::someone::Someone;
use crate::{Database, Disk, Soma, TestHome, TestHost, guests};

/// How the server is run: a person reviews, and tests ask more often than people.
const SERVER: &str = "[rates]\nlogin = 6000\npeer = 100000\norg = 100000\nuser = 100000\n[review]\npassport = false\n";
/// The capsule that is published: notes that are kept by name, at a price.
pub const CAPSULE: &str = "acme/notes";
const PRICE: &str = "\n[price]\nper_call = \"0.0005 EUR\"\n";
/// What the tenant `local` has to spend.
const MONEY: &str = "20.00 EUR";

/// A home with a server and a host, and who may do what there.
pub struct Realm {
    _folder: TempDir,
    home: PathBuf,
    port: u16,
    database: Database,
    /// Runs the platform, and owns the tenant `local`.
    pub operator: Someone,
    /// Owns the publisher `acme`.
    pub acme: Someone,
    key: Arc<KeyPair>,
}

impl Realm {
    /// Founds one, by the real commands and routes.
    ///
    /// # Errors
    /// If any of them fails.
    pub async fn found() -> anyhow::Result<Self> {
        let made = TestHome::new().await?;
        std::fs::write(made.path().join("server.toml"), SERVER)?;
        let up = made.soma()?.args(["up", "--join", "--no-catalogue", "--listen", "127.0.0.1:0"]);
        let (said, code) = Process::start(up.into_command()).await?.stop().await?;
        ensure!(code == Some(0), "{said}");
        let (folder, home) = copied(made.path())?;
        let port = port()?;
        point(&home, port)?;
        let plane = Plane::start(&home, port, None).await?;
        let mut operator = owner(&plane).await?;
        let token = operator.enter(&plane, "platform").await?;
        let mut acme = invited(&plane, &token, "acme").await?;
        let key = Arc::new(KeyPair::generate()?);
        unwatched(&plane, &token).await?;
        furnish(&plane, &token, &acme.enter(&plane, "acme").await?, &key).await?;
        // From here on the host goes on from what it has on disk, as one that runs for long does.
        let host = TestHost::start_joined(&home, "", None).await?;
        let live =
            |page: &Value| hosts(page, "host").any(|it| it.get("state") == Some(&json!("live")));
        plane.until("/v1/hosts", &token, live).await?;
        let (said, code) = host.stop().await?;
        ensure!(code == Some(0), "{said}");
        let (said, code) = plane.stop().await?;
        ensure!(code == Some(0), "{said}");
        Ok(Self { _folder: folder, home, port, database: Database::File, operator, acme, key })
    }

    /// The same, moved to a PostgreSQL of its own; none where that is not installed, which is said.
    ///
    /// # Errors
    /// If a command fails.
    pub async fn found_on_postgres() -> anyhow::Result<Option<Self>> {
        let Some(database) = Database::postgres().await? else { return Ok(None) };
        let realm = Self { database, ..Self::found().await? };
        let owner = realm.database.owner()?.context("no owner")?;
        let moved = Soma::new(&realm.home)?.args(["db", "move"]);
        moved.env("SOMA_DATABASE_OWNER_URL", owner).succeed().await?;
        realm.database.logins().await?;
        Ok(Some(realm))
    }

    /// The same once more, at another place and another port. Nothing of it may run meanwhile.
    ///
    /// # Errors
    /// If it cannot be copied.
    pub fn copy(&self) -> anyhow::Result<Self> {
        let ((folder, home), port) = (copied(&self.home)?, port()?);
        Ok(Self { database: self.database.copy()?, ..self.at(folder, home, port)? })
    }

    /// The same on a small disk.
    ///
    /// # Errors
    /// If it cannot be copied.
    pub fn copy_onto(&self, disk: &Disk) -> anyhow::Result<Self> {
        let (folder, home) = (tempfile::tempdir()?, disk.path().join("home"));
        copy(&self.home, &home)?;
        self.at(folder, home, port()?)
    }

    /// The home as it is now, for the host alone: the server goes on where it is.
    ///
    /// # Errors
    /// If it cannot be copied.
    pub fn twin(&self) -> anyhow::Result<Self> {
        let (folder, home) = copied(&self.home)?;
        self.at(folder, home, self.port)
    }

    fn at(&self, folder: TempDir, home: PathBuf, port: u16) -> anyhow::Result<Self> {
        point(&home, port)?;
        let (operator, acme) = (self.operator.clone(), self.acme.clone());
        let (database, key) = (self.database.clone(), Arc::clone(&self.key));
        Ok(Self { _folder: folder, home, port, database, operator, acme, key })
    }

    /// The home.
    #[must_use]
    pub fn home(&self) -> &Path {
        &self.home
    }

    /// Starts the server, to end at a point if one is named.
    ///
    /// # Errors
    /// If it ends before it is ready, or cannot be started.
    pub async fn server(&self, point: Option<&str>) -> anyhow::Result<Plane> {
        let soma = point.into_iter().fold(Soma::new(&self.home)?, Soma::crash_at);
        Plane::start_by(self.database.tell(soma)?, &self.home, self.port).await
    }

    /// Where the server keeps its data.
    #[must_use]
    pub fn database(&self) -> &Database {
        &self.database
    }

    /// Starts the host, to end at a point if one is named. Callers show it this token.
    ///
    /// # Errors
    /// If it ends before it is ready, or cannot be started.
    pub async fn host(&self, token: &str, point: Option<&str>) -> anyhow::Result<TestHost> {
        TestHost::start_joined(&self.home, token, point).await
    }

    /// The body of a submission of a version of the notes.
    ///
    /// # Errors
    /// If the guest was not built.
    pub fn submission(&self, version: &str) -> anyhow::Result<Value> {
        let words = [
            ("soma/kv-notes".to_owned(), CAPSULE.to_owned()),
            ("version = \"0.1.0\"".to_owned(), format!("version = \"{version}\"")),
        ];
        self.submission_of("kv-notes", &words, PRICE)
    }

    /// The body of a submission of a library capsule with other words in its manifest, and more behind them.
    ///
    /// # Errors
    /// If the guest was not built.
    pub fn submission_of(
        &self,
        capsule: &str,
        words: &[(String, String)],
        more: &str,
    ) -> anyhow::Result<Value> {
        let manifest = guests::library_folder(capsule).join("capsule.toml");
        let manifest = words
            .iter()
            .fold(std::fs::read_to_string(manifest)?, |text, (from, to)| text.replace(from, to));
        let component = std::fs::read(guests::library(capsule)?)?;
        let package = Package::new(&component, &format!("{manifest}{more}"), &self.key)?;
        let (component, bundle) =
            (STANDARD.encode(package.component), STANDARD.encode(package.bundle));
        Ok(json!({ "component": component, "bundle": bundle }))
    }

    /// Submits a version of the notes, approves it, and gives its digest.
    ///
    /// # Errors
    /// If the server refuses.
    pub async fn publish(&mut self, plane: &Plane, version: &str) -> anyhow::Result<String> {
        let body = self.submission(version)?;
        self.release(plane, &body).await
    }

    /// The same of any submission.
    ///
    /// # Errors
    /// If the server refuses.
    pub async fn release(&mut self, plane: &Plane, body: &Value) -> anyhow::Result<String> {
        let (acme, operator) =
            (self.acme.enter(plane, "acme").await?, self.operator.enter(plane, "platform").await?);
        let made = plane.ask(Method::POST, "/v1/submissions", &acme, body).await?.made()?;
        let done = approve(plane, &operator, &text(&made, "submission")?).await?.made()?;
        ensure!(done.get("state").is_some_and(|state| state == "published"), "{done}");
        text(&done, "digest")
    }
}

/// Approves a submission.
///
/// # Errors
/// If the server does not answer.
pub async fn approve(plane: &Plane, operator: &str, id: &str) -> anyhow::Result<Answer> {
    let route = format!("/v1/submissions/{id}/review");
    plane.once(&route, (operator, id), &json!({ "decision": "approve" })).await
}

/// The file of an installation of the notes by the tenant `local`.
#[must_use]
pub fn installation(digest: &str) -> Value {
    let grant = json!({ "prefix": "notes/", "access": "read-write", "quota": "4 MiB" });
    json!({
        "schema": 1, "tenant": "local", "environment": "production", "capsule": CAPSULE,
        "version": "*", "digest": digest, "on_update": "ask", "grants": { "kv": { "notes": grant } },
        "budget": { "limit": "5.00 EUR", "per": "day", "concurrent_calls": 16 },
    })
}

/// A field that is a text.
///
/// # Errors
/// If it is none.
pub fn text(value: &Value, name: &str) -> anyhow::Result<String> {
    let found = value.get(name).and_then(Value::as_str);
    Ok(found.with_context(|| format!("no `{name}` in {value}"))?.to_owned())
}

/// The owner of the home, by the credentials that it keeps.
async fn owner(plane: &Plane) -> anyhow::Result<Someone> {
    let own = std::fs::read(plane.home().join("keys/login.json"))?;
    let own: Value = serde_json::from_slice(&own)?;
    let (login, password) = (text(&own, "login")?, text(&own, "password")?);
    let body = json!({ "login": login, "password": password, "org": "platform" });
    let entered = plane.ask(Method::POST, "/v1/auth/login", "", &body).await?.made()?;
    Someone::enrol(plane, (&login, &password), &text(&entered, "access_token")?).await
}

/// A new org that publishes, and its owner.
async fn invited(plane: &Plane, operator: &str, org: &str) -> anyhow::Result<Someone> {
    let body = json!({ "org": org, "name": org, "roles": { "tenant": false, "publisher": true } });
    let made = plane.ask(Method::POST, "/v1/orgs", operator, &body).await?.made()?;
    let code = made.pointer("/head/code").and_then(Value::as_str).context("no code")?;
    let login = format!("{org}.owner");
    let person = json!({ "login": login, "name": org, "password": PASSWORD });
    let body = json!({ "code": code, "person": person });
    let entered = plane.ask(Method::POST, "/v1/invitations/accept", "", &body).await?.made()?;
    Someone::enrol(plane, (&login, PASSWORD), &text(&entered, "access_token")?).await
}

/// Hosts of a role.
pub fn hosts<'a>(page: &'a Value, role: &'a str) -> impl Iterator<Item = &'a Value> {
    let items = page.get("items").and_then(Value::as_array).into_iter().flatten();
    items.filter(move |host| host.get("role").is_some_and(|it| it == role))
}

/// Takes out the review host, which nobody starts here: no submission waits for it.
async fn unwatched(plane: &Plane, operator: &str) -> anyhow::Result<()> {
    let page = plane.get("/v1/hosts", operator).await?;
    for host in hosts(&page, "review") {
        let route = format!("/v1/hosts/{}", text(host, "host")?);
        plane.ask(Method::DELETE, &route, operator, &Value::Null).await?.made()?;
    }
    Ok(())
}

/// A publisher's name with a key, and money for the tenant.
async fn furnish(plane: &Plane, operator: &str, acme: &str, key: &KeyPair) -> anyhow::Result<()> {
    let body = json!({ "namespace": "acme" });
    plane.ask(Method::POST, "/v1/namespaces", acme, &body).await?.made()?;
    let body = json!({ "public_key": key.public().to_pem() });
    plane.ask(Method::POST, "/v1/namespaces/acme/keys", acme, &body).await?.made()?;
    let body = json!({ "org": "local", "kind": "top-up", "amount": MONEY, "reason": "transfer 1" });
    plane.once("/v1/billing/events", (operator, "first"), &body).await?.made()?;
    Ok(())
}

/// Says to a host at which port its server is now: which server it is stays pinned by its key.
fn point(home: &Path, port: u16) -> anyhow::Result<()> {
    let path = home.join("trust/server.toml");
    let text = std::fs::read_to_string(&path)?;
    let new = format!("url = \"http://127.0.0.1:{port}/\"");
    let lines = text.lines().map(|line| if line.starts_with("url = ") { &new } else { line });
    Ok(std::fs::write(&path, lines.collect::<Vec<_>>().join("\n"))?)
}

/// A copy of a home, with its owners and modes.
fn copied(home: &Path) -> anyhow::Result<(TempDir, PathBuf)> {
    let folder = tempfile::Builder::new().prefix("soma-realm-").tempdir()?;
    let to = folder.path().join("home");
    copy(home, &to)?;
    Ok((folder, to))
}

fn copy(home: &Path, to: &Path) -> anyhow::Result<()> {
    let done = std::process::Command::new("cp").arg("-a").arg(home).arg(to).status()?;
    ensure!(done.success(), "cp -a {} ended with {done}", home.display());
    Ok(())
}
