//! Where the attacks happen: one home with every hostile package installed, an honest capsule
//! beside them, and the servers that conspire.

use std::path::PathBuf;

use soma_capsule::KeyPair;
use soma_tests::binary::PASSPHRASE;
use soma_tests::guests;
use soma_tests::package::Package;

use super::table::{By, Row, Table};
use crate::all::range::Range;

/// What no guest may ever come to hold.
pub(crate) const SECRET: &str = "s3cr3t-0f-bank-d0t-test";
/// Who publishes the hostile capsules: trusted, like any publisher who has not been caught yet.
pub(crate) const PUBLISHER: &str = "mallory";

pub(crate) struct Place {
    pub(crate) range: Range,
    pub(crate) key: KeyPair,
}

impl Place {
    pub(crate) async fn new(table: &Table) -> Self {
        let range = Range::new().await;
        let home = &range.home;
        home.publisher(PUBLISHER).await.unwrap();
        let pem = std::fs::read(home.path().join("keys").join(format!("{PUBLISHER}.key"))).unwrap();
        let key = KeyPair::from_encrypted_pem(&pem, PASSPHRASE.as_bytes()).unwrap();
        home.secret("bank-token", SECRET).await.unwrap();
        home.install("text", "honest", &[]).await.unwrap();
        let place = Self { range, key };
        for row in table.rows_by(By::Wat).filter(|row| row.expect != "refused") {
            place.install(&row.name, &place.wat(row)).await;
        }
        place.install_guests(table).await;
        place.install("web", &place.rust("web", |manifest| manifest)).await;
        place.install_patient().await;
        place.second_tenant();
        place
    }

    /// One installation of the Rust guest for each row, so that no attack meets what another left.
    async fn install_guests(&self, table: &Table) {
        self.install("sink", &self.rust("guest", |m| m.replace("mallory/guest", "mallory/sink")))
            .await;
        self.install("guest", &self.rust("guest", |manifest| manifest)).await;
        let home = &self.range.home;
        home.edit(
            "guest",
            "[grants.tool.itself]\n",
            "[grants.tool.itself]\ninstallation = \"guest\"\n",
        )
        .unwrap();
        let text = std::fs::read_to_string(home.installation("guest")).unwrap();
        for row in table.rows_by(By::Guest) {
            std::fs::write(home.installation(&row.name), &text).unwrap();
        }
    }

    /// The same attacks with time enough to be killed in.
    async fn install_patient(&self) {
        let patient = |manifest: String| {
            let named = manifest.replace("mallory/guest", "mallory/patient");
            named
                .replace("cpu = \"500 ms\"", "cpu = \"8 s\"")
                .replace("wall = \"3 s\"", "wall = \"10 s\"")
        };
        self.install("patient", &self.rust("guest", patient)).await;
        let start = guests::hostile_text("loop-start").unwrap();
        let manifest =
            manifest("patient-start").replace("300 ms", "8 s").replace("\"3 s\"", "\"10 s\"");
        self.install("patient-start", &Package::new(&start, &manifest, &self.key).unwrap()).await;
        self.range.home.install("stream", "stream", &[]).await.unwrap();
        self.range.home.install("stream", "withdrawn", &[]).await.unwrap();
    }

    /// Another tenant with an installation of the same capsule under the same id.
    fn second_tenant(&self) {
        let home = &self.range.home;
        let orgs = home.path().join("orgs.toml");
        let mut text = std::fs::read_to_string(&orgs).unwrap();
        text.push_str(
            "\n[[org]]\nname = \"other\"\nroles = [\"tenant\"]\nenvironments = [\"production\"]\n",
        );
        std::fs::write(&orgs, text).unwrap();
        let folder = home.path().join("installations/other/production");
        std::fs::create_dir_all(&folder).unwrap();
        let file = std::fs::read_to_string(home.installation("guest")).unwrap();
        std::fs::write(
            folder.join("guest.toml"),
            file.replace("tenant = \"local\"", "tenant = \"other\""),
        )
        .unwrap();
    }

    async fn install(&self, id: &str, package: &Package) {
        let path = package.write(&self.range.home.beside("hostile"), id).unwrap();
        let install =
            self.range.home.soma().unwrap().args(["install"]).args([path]).args(["--as", id]);
        let more: &[&str] = match id {
            "guest" | "sink" | "patient" => {
                &["--secret", "token=bank-token", "--without", "tool.other"]
            }
            _ => &[],
        };
        install.args(more).succeed().await.unwrap();
    }

    /// A component of Rust with its manifest.
    fn rust(&self, name: &str, change: impl Fn(String) -> String) -> Package {
        let component = std::fs::read(guests::hostile(name).unwrap()).unwrap();
        let folder: PathBuf = guests::repository().join("capsules/hostile").join(name);
        let manifest = change(std::fs::read_to_string(folder.join("capsule.toml")).unwrap());
        Package::new(&component, &manifest, &self.key).unwrap()
    }

    /// A component written as text, with a manifest that asks for nothing but small limits.
    pub(crate) fn wat(&self, row: &Row) -> Package {
        let component = guests::hostile_text(&row.name).unwrap();
        self.package(&component, &row.name)
    }

    /// A signed package around any bytes; where no manifest can be embedded, it goes without.
    pub(crate) fn package(&self, component: &[u8], name: &str) -> Package {
        Package::new(component, &manifest(name), &self.key)
            .unwrap_or_else(|_| Package::sign(component.to_vec(), &self.key).unwrap())
    }
}

/// What a hostile capsule without capabilities says of itself.
pub(crate) fn manifest(name: &str) -> String {
    format!(
        "schema = 1\nname = \"{PUBLISHER}/{name}\"\nversion = \"1.0.0\"\nkind = \"task\"\n\
         summary = \"An attack\"\nlicence = \"Apache-2.0\"\n\n\
         [limits]\ncpu = \"300 ms\"\nwall = \"3 s\"\nmemory = \"16 MiB\"\noutput = \"64 KiB\"\nhandles = 64\n"
    )
}
