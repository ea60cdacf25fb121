//! A catalogue of so many releases: rows as publication leaves them, without the work of publishing each.

use soma_capsule::CapsuleFile;
use soma_market::release::CapsuleEntry;

use super::super::stall::{HTTP, Stall};
use crate::catalogue::tokens;
use crate::examine::shapes;
use crate::store::{PlatformScope, Shown};

pub(super) const TOPICS: [&str; 10] = [
    "invoice", "weather", "calendar", "ledger", "picture", "parcel", "contract", "recipe",
    "sensor", "journey",
];
pub(super) const TURNS: [&str; 10] = [
    "reader", "writer", "checker", "mixer", "sorter", "finder", "keeper", "sender", "counter",
    "watcher",
];
/// Releases of one transaction.
const BATCH: usize = 200;

/// The name of the `nth`: one topic of ten, one turn of ten, and a number of its own.
pub(super) fn name(nth: usize) -> String {
    format!("acme/{}-{}-n{nth}", TOPICS[nth % 10], TURNS[nth / 10 % 10])
}

/// Fills the catalogue up to `count` capsules with one release each. A fifth of them reach the web, a quarter cost something.
pub(super) async fn fill(stall: &Stall, count: usize) {
    let server = &stall.stage.server;
    for from in (0..count).step_by(BATCH) {
        let mut unit = server.store.platform(PlatformScope::of("measures")).await.unwrap();
        for nth in from..count.min(from + BATCH) {
            let manifest = CapsuleFile::parse(&manifest(nth)).unwrap().manifest;
            let entry = CapsuleEntry::new(manifest.name.clone());
            unit.insert_capsule(&entry, &"acme".parse().unwrap()).await.unwrap();
            let shown = Shown {
                kind: manifest.kind.to_string(),
                summary: manifest.summary.clone(),
                licence: manifest.licence.clone(),
                price: manifest.price.as_ref().map(|price| price.per_call),
                published: Some(server.now()),
            };
            let mut all = tokens(&manifest);
            all.extend(shapes(&manifest.name));
            unit.show_capsule(&manifest.name, Some("1.0.0"), &shown, &all).await.unwrap();
        }
        unit.commit().await.unwrap();
    }
    // What PostgreSQL does by itself a minute after so many rows came.
    if stall.stage.database.owner.is_some() {
        stall.stage.database.tamper("ANALYZE").await;
    }
}

fn manifest(nth: usize) -> String {
    let reaches = if nth.is_multiple_of(5) { HTTP } else { "" };
    let paid = format!("[price]\nper_call = \"0.000{} EUR\"\n", nth % 7 + 1);
    let paid = if nth % 4 == 1 { paid } else { String::new() };
    let (topic, turn) = (TOPICS[nth % 10], TURNS[nth / 10 % 10]);
    format!(
        "schema = 1\nname = \"{}\"\nversion = \"1.0.0\"\nkind = \"task\"\n\
         summary = \"Takes each {topic} that comes and is its {turn}, in order and with care\"\n\
         licence = \"Apache-2.0\"\n{paid}{reaches}",
        name(nth)
    )
}
