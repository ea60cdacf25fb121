//! The people and the place of the marketplace's stories: a platform whose hosts joined it, its operator, an author of
//! the org `acme`. The tenant is `local`, and the operator acts for it.

use std::path::{Path, PathBuf};

use anyhow::Context;
use serde_json::Value;

use crate::{Apart, Database, Person, Platform, TestHome, guests, platform};

/// Newcomers without a bill of materials come to about 0.3: this operator lets them in without a person.
const REVIEW: &str = "[review]\nauto_approve = true\nbelow_thousandths = 350\n";

/// A marketplace with an operator, a tenant and an author.
pub struct Bazaar<P = Platform> {
    /// The operator's home; with one process the platform's too.
    pub home: TestHome,
    /// Server, host, review host and gateway.
    pub platform: P,
    /// Runs the platform, and acts for the tenant `local`.
    pub operator: Person,
    /// Publishes as `acme`, from a machine of her own.
    pub author: Person,
}

impl Bazaar {
    /// Everybody is there and has proven who they are; `acme` may publish under its name. All of it is one process.
    ///
    /// # Errors
    /// If a command fails, or says something else than it should.
    pub async fn open() -> anyhow::Result<Self> {
        Self::open_on(&Database::File).await
    }

    /// The same on any database.
    ///
    /// # Errors
    /// If a command fails, or says something else than it should.
    pub async fn open_on(database: &Database) -> anyhow::Result<Self> {
        let home = TestHome::new().await?;
        std::fs::write(home.path().join("server.toml"), settings())?;
        database.prepare(home.path()).await?;
        let up = database.tell(home.soma()?)?.args([
            "up",
            "--join",
            "--no-catalogue",
            "--listen",
            "127.0.0.1:0",
        ]);
        let platform = Platform::start_by(home.path(), up).await?;
        let mut operator = Person::owner(&platform);
        operator.prove("platform").await?;
        operator.prove("local").await?;
        let author = author(&operator, platform.url(), &home.beside("grace")).await?;
        Ok(Self { home, platform, operator, author })
    }
}

impl Bazaar<Apart> {
    /// The same with every part a process of its own, and so many hosts.
    ///
    /// # Errors
    /// If a command fails, or says something else than it should.
    pub async fn open_apart(database: &Database, hosts: usize) -> anyhow::Result<Self> {
        let home = TestHome::new().await?;
        let (platform, operator) = Apart::start(&home, database, (&settings(), hosts)).await?;
        let author = author(&operator, platform.url(), &home.beside("grace")).await?;
        Ok(Self { home, platform, operator, author })
    }
}

/// How the server is run.
fn settings() -> String {
    format!("{}{REVIEW}", platform::RATES)
}

/// Somebody who publishes as `acme`, with a folder of her own.
async fn author(operator: &Person, url: &str, folder: &Path) -> anyhow::Result<Person> {
    let made = operator.reads(&["org", "new", "acme", "--publisher-role"]).await?;
    let code = made.pointer("/head/code").and_then(Value::as_str).context("no code")?;
    let mut author = Person::invited(url, folder, "grace", code).await?;
    author.prove("acme").await?;
    author.does(&["key", "new", "acme", "--role", "publisher"]).await?;
    author.does(&["org", "claim", "acme", "--tenant", "acme"]).await?;
    let public = author.home().join("keys/acme.pub");
    let public = public.to_string_lossy();
    author.does(&["org", "key", "acme", &public, "--tenant", "acme"]).await?;
    Ok(author)
}

impl<P> Bazaar<P> {
    /// A library capsule as the author's own: its manifest with other words, built and signed.
    ///
    /// # Errors
    /// If a command fails, or says something else than it should.
    pub async fn pack(&self, capsule: &str, words: &[(&str, &str)]) -> anyhow::Result<PathBuf> {
        let folder = self.home.beside("work");
        std::fs::create_dir_all(&folder)?;
        let own = guests::library_folder(capsule).join("capsule.toml");
        let mut manifest = std::fs::read_to_string(own)?.replace("\"soma/", "\"acme/");
        for (from, to) in words {
            anyhow::ensure!(manifest.contains(from), "no {from:?} in the manifest of {capsule}");
            manifest = manifest.replace(from, to);
        }
        std::fs::write(folder.join("capsule.toml"), manifest)?;
        let packed = folder.join(format!("{capsule}.wasm"));
        let build = self.author.soma(&["capsule", "build", "--component"])?.within(&folder);
        let build = build.args([guests::library(capsule)?]).args(["--out"]).args([&packed]);
        build.succeed().await?;
        let sign = self.author.soma(&["capsule", "sign"])?.args([&packed]);
        sign.args(["--key", "acme"]).succeed().await?;
        Ok(packed)
    }

    /// Hands it in and waits for what the platform says of it.
    ///
    /// # Errors
    /// If a command fails, or says something else than it should.
    pub async fn submit(&self, packed: &Path) -> anyhow::Result<Value> {
        let packed = packed.to_string_lossy();
        let made = self.author.reads(&["capsule", "submit", &packed, "--tenant", "acme"]).await?;
        let id = made.get("submission").and_then(Value::as_str).context("no submission")?;
        let show = ["review", "show", id, "--tenant", "acme"];
        self.author
            .until(&show, |it| !["submitted", "verifying"].contains(&text(it, "/state")))
            .await
    }

    /// The same, and it has to be published.
    ///
    /// # Errors
    /// If a command fails, or says something else than it should.
    pub async fn publish(&self, capsule: &str, words: &[(&str, &str)]) -> anyhow::Result<()> {
        let packed = self.pack(capsule, words).await?;
        let judged = self.submit(&packed).await?;
        anyhow::ensure!(text(&judged, "/state") == "published", "{judged}");
        Ok(())
    }

    /// The ledger is what was metered, and adds up: so many receipts are in it.
    ///
    /// # Errors
    /// If a command fails, or says something else than it should.
    pub async fn receipts(&self) -> anyhow::Result<u64> {
        let checked = self.operator.reads(&["account", "check"]).await?;
        anyhow::ensure!(checked.get("differing") == Some(&Value::from(0)), "{checked}");
        checked.get("receipts").and_then(Value::as_u64).context("no receipts")
    }
}

/// A text in a document; empty if it is not there.
#[must_use]
pub fn text<'a>(value: &'a Value, pointer: &str) -> &'a str {
    value.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}

/// The items of a list.
#[must_use]
pub fn items(value: &Value) -> &[Value] {
    value.get("items").and_then(Value::as_array).map_or(&[], Vec::as_slice)
}
