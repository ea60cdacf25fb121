//! Where the attacks happen: one home with every hostile package installed, an honest capsule
//! beside them, and the servers that conspire.

use soma_capsule::KeyPair;
use soma_tests::binary::PASSPHRASE;
use soma_tests::guests;
use soma_tests::package::Package;

use super::forge::{Forge, PUBLISHER, manifest};
use super::table::{By, Table};
use crate::all::range::Range;

/// What no guest may ever come to hold.
pub(crate) const SECRET: &str = "s3cr3t-0f-bank-d0t-test";

pub(crate) struct Place {
    pub(crate) range: Range,
    pub(crate) forge: Forge,
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
        let place = Self { range, forge: Forge { key } };
        for row in table.rows_by(By::Wat).filter(|row| row.expect != "refused") {
            place.install(&row.name, &place.forge.wat(row)).await;
        }
        place.install_guests(table).await;
        place.install("web", &place.forge.rust("web", |manifest| manifest)).await;
        place.install_patient().await;
        place.second_tenant();
        place
    }

    /// One installation of the Rust guest for each row, so that no attack meets what another left.
    async fn install_guests(&self, table: &Table) {
        self.install(
            "sink",
            &self.forge.rust("guest", |m| m.replace("mallory/guest", "mallory/sink")),
        )
        .await;
        self.install("guest", &self.forge.rust("guest", |manifest| manifest)).await;
        let home = &self.range.home;
        home.edit(
            "guest",
            "[grants.tool.itself]\n",
            "[grants.tool.itself]\ninstallation = \"guest\"\n",
        )
        .unwrap();
        let text = std::fs::read_to_string(home.installation("guest")).unwrap();
        for row in table.rows_by(By::Guest) {
            // What waits for the end of its time need not wait long.
            let waits = row.code.as_deref() == Some("SOMA-L002");
            // Moving bytes costs time too: on a slow machine the CPU limit must not come first.
            let limits = match row.name.as_str() {
                "flood-hostcall-bytes" => "\n[limits]\ncpu = \"5 s\"\n",
                _ if waits => "\n[limits]\nwall = \"2 s\"\n",
                _ => "",
            };
            std::fs::write(home.installation(&row.name), format!("{text}{limits}")).unwrap();
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
        self.install("patient", &self.forge.rust("guest", patient)).await;
        let start = guests::hostile_text("loop-start").unwrap();
        let manifest =
            manifest("patient-start").replace("300 ms", "8 s").replace("\"3 s\"", "\"10 s\"");
        self.install("patient-start", &Package::new(&start, &manifest, &self.forge.key).unwrap())
            .await;
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
}
