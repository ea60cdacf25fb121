//! What somebody with write access to the home's folders may try.

use std::path::{Path, PathBuf};

use serde_json::json;
use soma_tests::TestHost;

use super::super::judge::Got;
use super::super::place::Place;

/// Every file of the cache gets one flipped bit in its middle.
pub(crate) async fn cache_tampered(place: &Place) -> Got {
    let files = files(&place.range.home.path().join("cache"));
    let mut got = honest_after(place, || {
        for file in &files {
            let mut bytes = std::fs::read(file).unwrap();
            let middle = bytes.len() / 2;
            bytes[middle] ^= 1;
            std::fs::write(file, bytes).unwrap();
        }
    })
    .await;
    if files.is_empty() {
        got.wrong.push("there was nothing in the cache".to_owned());
    }
    got
}

/// Every entry of the cache gets the content of its neighbour.
pub(crate) async fn cache_swapped(place: &Place) -> Got {
    let files = files(&place.range.home.path().join("cache"));
    let mut got = honest_after(place, || {
        let contents: Vec<Vec<u8>> =
            files.iter().map(|file| std::fs::read(file).unwrap()).collect();
        for (file, content) in files.iter().zip(contents.iter().cycle().skip(1)) {
            std::fs::write(file, content).unwrap();
        }
    })
    .await;
    if files.len() < 2 {
        got.wrong.push("there were no two entries to swap".to_owned());
    }
    got
}

/// The store's content is changed under the digest that the installation pins.
pub(crate) async fn store_swapped(place: &Place) -> Got {
    let components: Vec<PathBuf> = files(&place.range.home.path().join("store"))
        .into_iter()
        .filter(|file| std::fs::read(file).is_ok_and(|bytes| bytes.starts_with(b"\0asm")))
        .collect();
    for file in &components {
        let mut bytes = std::fs::read(file).unwrap();
        let last = bytes.len() - 1;
        bytes[last] ^= 1;
        std::fs::write(file, bytes).unwrap();
    }
    let host = match TestHost::start(&place.range.home).await {
        Ok(host) => host,
        Err(error) => return Got::refused(code_in(&error.to_string()), error.to_string()),
    };
    let reply = host.call("honest", "slugify", &json!({ "text": "Still here" })).await.unwrap();
    let mut got = Got::refused(reply.code(), reply.body.to_string());
    if reply.status == 200 {
        got.kind = "ok".to_owned();
    }
    host.stop().await.unwrap();
    got
}

/// Spoils something, starts the host, and asks the honest capsule.
async fn honest_after(place: &Place, spoil: impl Fn()) -> Got {
    spoil();
    let host = TestHost::start(&place.range.home).await.unwrap();
    let reply = host.call("honest", "slugify", &json!({ "text": "Still here" })).await.unwrap();
    let mut got = Got::of_call(&host, &reply).await;
    if got.result != "still-here" {
        got.wrong.push("the honest capsule answers otherwise".to_owned());
    }
    host.stop().await.unwrap();
    got
}

fn code_in(text: &str) -> &str {
    let word = |c: char| c != '-' && !c.is_ascii_alphanumeric();
    text.split(word).find(|word| word.starts_with("SOMA-")).unwrap_or_default()
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        // Not what a link leads to, nor a pipe: both are planted below the store.
        match entry.file_type() {
            Ok(kind) if kind.is_dir() => found.extend(files(&entry.path())),
            Ok(kind) if kind.is_file() => found.push(entry.path()),
            _ => {}
        }
    }
    found.sort();
    found
}
