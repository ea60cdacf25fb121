//! The one door: what `soma_capsule::verify` itself says to each package that must be refused. No
//! binary and no home are needed, so a hole here is found in a second.

use soma_capsule::{KeyPair, TrustStore, UnverifiedPackage, verify};

use super::forge::{Forge, PUBLISHER};
use super::package;
use super::table::{By, Table};

/// Rows that take more than a look at the package.
const STEPS: [&str; 2] = ["package-wrong-digest", "package-dev-key"];

#[test]
fn verify_refuses_every_hostile_package_by_its_code() {
    let key = KeyPair::generate().unwrap();
    let mut trust = TrustStore::new();
    trust.pin(PUBLISHER.parse().unwrap(), key.public().clone()).unwrap();
    trust.pin("soma".parse().unwrap(), KeyPair::generate().unwrap().public().clone()).unwrap();
    let forge = Forge { key };
    let table = Table::read();
    let mut missed = Vec::new();
    let refused = table.guest.iter().filter(|row| row.expect == "refused");
    for row in refused.filter(|row| !STEPS.contains(&row.name.as_str())) {
        let package = match row.by {
            By::Package => package::make(row.name.trim_start_matches("package-"), &forge),
            By::Wat => forge.wat(row),
            _ => continue,
        };
        let package = UnverifiedPackage { component: package.component, bundle: package.bundle };
        let got = match verify(package, &trust, None) {
            Ok(_) => "accepted".to_owned(),
            Err(error) => error.code().id().to_owned(),
        };
        let met = row.code.as_ref().map_or(got != "accepted", |code| got == *code);
        if !met {
            missed.push(format!("{}: expected {:?}, got {got}", row.name, row.code));
        }
    }
    assert!(missed.is_empty(), "{missed:#?}");
}

#[test]
fn verify_accepts_every_guest_that_is_to_be_called() {
    let key = KeyPair::generate().unwrap();
    let mut trust = TrustStore::new();
    trust.pin(PUBLISHER.parse().unwrap(), key.public().clone()).unwrap();
    let forge = Forge { key };
    let table = Table::read();
    let texts = table
        .guest
        .iter()
        .filter(|row| row.by == By::Wat && row.expect != "refused")
        .map(|row| forge.wat(row));
    let rust = ["guest", "web"].map(|name| forge.rust(name, |manifest| manifest));
    for package in texts.chain(rust) {
        let package = UnverifiedPackage { component: package.component, bundle: package.bundle };
        verify(package, &trust, None).unwrap();
    }
}
