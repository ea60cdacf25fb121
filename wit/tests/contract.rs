//! The contract is frozen, complete and parses: one line per folder in `frozen.txt`, one row per interface in `SERVED`.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};
use soma_wit::served::{FOLDERS, SERVED, WIT_DIR};
use wit_parser::{Resolve, WorldItem};

fn wit_dir() -> PathBuf {
    PathBuf::from(WIT_DIR)
}

/// Every file of a folder by name, each with its length, so that no text can move from one file to the next.
fn hash(folder: &Path) -> String {
    let mut files: Vec<PathBuf> =
        std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    let mut hasher = Sha256::new();
    for file in files {
        let text = std::fs::read(&file).unwrap();
        let name = file.file_name().unwrap().to_str().unwrap();
        hasher.update(format!("{name} {}\n", text.len()));
        hasher.update(text);
    }
    hasher.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

fn frozen() -> BTreeMap<String, String> {
    let text = std::fs::read_to_string(wit_dir().join("frozen.txt")).unwrap();
    text.lines()
        .filter(|line| !line.starts_with('#') && !line.is_empty())
        .map(|line| {
            let (hash, folder) = line.split_once("  ").expect("a hash, two spaces, a folder");
            (folder.to_owned(), hash.to_owned())
        })
        .collect()
}

fn folders_on_disk() -> BTreeSet<String> {
    let inside = |parent: &str| -> Vec<String> {
        std::fs::read_dir(wit_dir().join(parent))
            .unwrap()
            .map(|entry| entry.unwrap())
            .filter(|entry| entry.file_type().unwrap().is_dir())
            .map(|entry| format!("{parent}{}", entry.file_name().to_str().unwrap()))
            .collect()
    };
    let own = inside("").into_iter().filter(|name| name.starts_with("soma-"));
    own.chain(inside("deps/")).collect()
}

fn resolve() -> Resolve {
    let mut resolve = Resolve::default();
    for folder in FOLDERS {
        resolve.push_path(wit_dir().join(folder)).unwrap_or_else(|e| panic!("{folder}: {e:#}"));
    }
    resolve
}

#[test]
fn a_released_package_never_changes() {
    let frozen = frozen();
    for folder in FOLDERS {
        let now = hash(&wit_dir().join(folder));
        let Some(then) = frozen.get(*folder) else {
            panic!(
                "`{folder}` is not frozen yet: add the line `{now}  {folder}` to wit/frozen.txt"
            );
        };
        assert_eq!(
            &now, then,
            "`{folder}` is released and must not change. Put its text back, copy the folder to the next version, \
             change the copy and serve both (wit/README.md)"
        );
    }
}

#[test]
fn each_folder_is_frozen_and_listed() {
    let listed: BTreeSet<String> = FOLDERS.iter().map(|folder| (*folder).to_owned()).collect();
    assert_eq!(folders_on_disk(), listed, "FOLDERS names what is on disk");
    let frozen: BTreeSet<String> = frozen().into_keys().collect();
    assert_eq!(frozen, listed, "frozen.txt names what is on disk");
}

#[test]
fn each_folder_holds_the_version_that_its_name_says() {
    for folder in FOLDERS {
        let mut resolve = Resolve::default();
        for earlier in FOLDERS {
            let (id, _) = resolve.push_path(wit_dir().join(earlier)).unwrap();
            if earlier == folder {
                let name = resolve.packages[id].name.to_string().replace(':', "-");
                assert_eq!(name, folder.trim_start_matches("deps/"));
                break;
            }
        }
    }
}

#[test]
fn each_stable_interface_of_the_packages_is_served_except_sockets() {
    let resolve = resolve();
    let served: BTreeSet<&str> = SERVED.iter().map(|row| row.interface).collect();
    assert_eq!(served.len(), SERVED.len(), "no row twice");
    let exported: BTreeSet<String> = resolve
        .worlds
        .iter()
        .flat_map(|(_, world)| world.exports.iter())
        .filter_map(|(_, item)| match item {
            WorldItem::Interface { id, .. } => resolve.id_of(*id),
            _ => None,
        })
        .collect();
    let importable: BTreeSet<String> = resolve
        .interfaces
        .iter()
        .filter_map(|(id, _)| resolve.id_of(id))
        .filter(|name| !name.starts_with("wasi:sockets/") && !exported.contains(name))
        .collect();
    assert_eq!(served, importable.iter().map(String::as_str).collect());
}

#[test]
fn each_own_interface_and_function_is_documented() {
    let resolve = resolve();
    for (_, package) in resolve.packages.iter().filter(|(_, p)| p.name.namespace == "soma") {
        assert!(package.docs.contents.is_some(), "{} has no words", package.name);
        for id in package.interfaces.values() {
            let interface = &resolve.interfaces[*id];
            assert!(interface.docs.contents.is_some(), "{:?} has no words", interface.name);
            for (name, function) in &interface.functions {
                assert!(function.docs.contents.is_some(), "{name} has no words");
            }
        }
    }
}

#[test]
fn the_secret_package_gives_no_value() {
    let resolve = resolve();
    let (_, package) = resolve
        .packages
        .iter()
        .find(|(_, p)| p.name.to_string().starts_with("soma:secret"))
        .unwrap();
    let functions: Vec<&String> = package
        .interfaces
        .values()
        .flat_map(|id| resolve.interfaces[*id].functions.keys())
        .collect();
    assert_eq!(functions, ["present"]);
}
