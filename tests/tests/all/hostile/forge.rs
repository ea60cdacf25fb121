//! Makes the hostile packages: components with their manifests, signed by a publisher who is trusted
//! because nobody has caught them yet.

use std::path::PathBuf;

use soma_capsule::KeyPair;
use soma_tests::guests;
use soma_tests::package::Package;

use super::table::Row;

/// Who publishes the hostile capsules.
pub(crate) const PUBLISHER: &str = "mallory";

pub(crate) struct Forge {
    pub(crate) key: KeyPair,
}

impl Forge {
    /// A component of Rust with its manifest.
    pub(crate) fn rust(&self, name: &str, change: impl Fn(String) -> String) -> Package {
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
         [limits]\ncpu = \"300 ms\"\nwall = \"25 s\"\nmemory = \"16 MiB\"\noutput = \"64 KiB\"\nhandles = 64\n"
    )
}
