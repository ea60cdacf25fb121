//! Where the attacks happen: one home with every hostile package installed, an honest capsule
//! beside them, and the servers that conspire.

use std::collections::BTreeMap;

use soma_capsule::KeyPair;
use soma_tests::binary::PASSPHRASE;
use soma_tests::guests;
use soma_tests::package::Package;

use super::forge::{Forge, PUBLISHER, manifest};
use super::plant::Plant;
use super::table::{By, Row, Table};
use crate::all::range::Range;

/// What no guest may ever come to hold.
pub(crate) const SECRET: &str = "s3cr3t-0f-bank-d0t-test";

/// Time that no attack needs, for rows that are not about time: a slow machine must not end them.
const PATIENT: &str = "\n[limits]\ncpu = \"10 s\"\nwall = \"25 s\"\n";
/// The manifest's CPU time, and more than enough time on the wall to use it up.
const CPU_FIRST: &str = "\n[limits]\nwall = \"25 s\"\n";
/// What waits for the end of its time need not wait long, and uses next to no CPU time.
const WALL_FIRST: &str = "\n[limits]\ncpu = \"10 s\"\nwall = \"2 s\"\n";

pub(crate) struct Place {
    pub(crate) range: Range,
    pub(crate) forge: Forge,
    /// What lies in the folders of the rows that attack files, by row.
    pub(crate) plants: BTreeMap<String, Plant>,
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
        let files = table.rows_by(By::Guest).filter(|row| row.attack.starts_with("files."));
        let plants =
            files.map(|row| (row.name.clone(), Plant::below(&range.home, &row.name))).collect();
        let place = Self { range, forge: Forge { key }, plants };
        for row in table.rows_by(By::Wat).filter(|row| row.expect != "refused") {
            place.install(&row.name, &place.forge.wat(row)).await;
        }
        place.install_guests(table).await;
        place.install_webs(table).await;
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
        let own = own_address();
        self.install("guest", &self.forge.rust("guest", |m| m.replace("192.0.2.77", &own))).await;
        let home = &self.range.home;
        home.edit(
            "guest",
            "[grants.tool.itself]\n",
            "[grants.tool.itself]\ninstallation = \"guest\"\n",
        )
        .unwrap();
        for row in table.rows_by(By::Guest) {
            self.copy("guest", row);
        }
    }

    /// One installation of the web guest for each row.
    async fn install_webs(&self, table: &Table) {
        self.install("web", &self.forge.rust("web", |manifest| manifest)).await;
        for row in table.rows_by(By::Web) {
            self.copy("web", row);
        }
    }

    /// Installs what `id` is for a row, with the limits that let it meet its own end and no other.
    fn copy(&self, id: &str, row: &Row) {
        let home = &self.range.home;
        let text = std::fs::read_to_string(home.installation(id)).unwrap();
        let limits = match row.code.as_deref() {
            Some("SOMA-L001") => CPU_FIRST,
            Some("SOMA-L002") => WALL_FIRST,
            _ => PATIENT,
        };
        std::fs::write(home.installation(&row.name), format!("{text}{limits}")).unwrap();
    }

    /// The same attacks with time enough to be killed in.
    async fn install_patient(&self) {
        let patient = |manifest: String| {
            let named = manifest.replace("mallory/guest", "mallory/patient");
            named
                .replace("cpu = \"300 ms\"", "cpu = \"8 s\"")
                .replace("wall = \"10 s\"", "wall = \"25 s\"")
        };
        let start = guests::hostile_text("loop-start").unwrap();
        let manifest = manifest("patient-start").replace("300 ms", "8 s");
        self.install("patient-start", &Package::new(&start, &manifest, &self.forge.key).unwrap())
            .await;
        self.install("patient", &self.forge.rust("guest", patient)).await;
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
            "guest" | "sink" => &[
                "--secret",
                "token=bank-token",
                "--without",
                "tool.other",
                "--without",
                "tool.starter",
            ],
            "patient" => &["--secret", "token=bank-token", "--without", "tool.other"],
            _ => &[],
        };
        install.args(more).succeed().await.unwrap();
    }
}

/// An address by which the machine would be reached from outside. Nothing is sent to find it.
pub(crate) fn own_address() -> String {
    let socket = std::net::UdpSocket::bind("0.0.0.0:0").unwrap();
    let routed = socket.connect("192.0.2.1:9").and_then(|()| socket.local_addr());
    routed.map_or_else(|_| "127.0.0.1".to_owned(), |address| address.ip().to_string())
}
