//! A bill of materials beside a built component: which crates went into it, by the project's Cargo.lock.
//!
//! CycloneDX 1.5 (ECMA-424). It lists what the lock file leads to from the project's package: build and test
//! dependencies of direct dependencies too, so it may name more than the component holds, and never less. Projects that
//! are not Cargo's bring a bill of their own.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde_json::{Value, json};
use soma_policy::{Code, Digest};

use super::Project;
use crate::context::Context;
use crate::failure::Failure;

const FILE_BYTES_MAX: u64 = 8 * 1024 * 1024;
/// How many folders above the project a workspace's lock file is looked for.
const FOLDERS_MAX: usize = 8;

#[derive(Debug, Deserialize)]
struct Lock {
    #[serde(default)]
    package: Vec<Package>,
}

#[derive(Debug, Deserialize)]
struct Package {
    name: String,
    version: String,
    checksum: Option<String>,
    #[serde(default)]
    dependencies: Vec<String>,
}

/// `csv.cdx.json` beside `csv.wasm`.
pub(crate) fn path_beside(component: &Path) -> PathBuf {
    component.with_extension("cdx.json")
}

/// The bill of a component that this project built; none where Cargo did not build it.
pub(crate) fn of(
    context: &Context,
    project: &Project,
    digest: &Digest,
) -> Result<Option<Vec<u8>>, Failure> {
    let Some(root) = package_name(context, &project.folder)? else { return Ok(None) };
    let Some(path) = lock_file(&project.folder) else { return Ok(None) };
    let text = context.read(&path, FILE_BYTES_MAX)?;
    let lock: Lock = toml::from_str(&String::from_utf8_lossy(&text)).map_err(|error| {
        Failure::new(Code::BuildFailed, format!("`{}`: {error}", path.display()))
    })?;
    let bill = bill(project, digest, &reached(&lock, &root));
    let text = serde_json::to_vec_pretty(&bill)
        .map_err(|error| Failure::new(Code::BuildFailed, error.to_string()))?;
    Ok(Some(text))
}

fn package_name(context: &Context, folder: &Path) -> Result<Option<String>, Failure> {
    let path = folder.join("Cargo.toml");
    if !path.exists() {
        return Ok(None);
    }
    let text = context.read(&path, FILE_BYTES_MAX)?;
    let manifest: toml::Table =
        toml::from_str(&String::from_utf8_lossy(&text)).map_err(|error| {
            Failure::new(Code::BuildFailed, format!("`{}`: {error}", path.display()))
        })?;
    let name = manifest.get("package").and_then(|package| package.get("name"));
    Ok(name.and_then(toml::Value::as_str).map(str::to_owned))
}

fn lock_file(folder: &Path) -> Option<PathBuf> {
    let folder = std::path::absolute(folder).ok()?;
    let folders = folder.ancestors().take(FOLDERS_MAX);
    folders.map(|folder| folder.join("Cargo.lock")).find(|path| path.is_file())
}

/// Everything that the root leads to, without the root.
fn reached<'a>(lock: &'a Lock, root: &str) -> Vec<&'a Package> {
    let mut by_name: BTreeMap<&str, Vec<&Package>> = BTreeMap::new();
    for package in &lock.package {
        by_name.entry(&package.name).or_default().push(package);
    }
    let mut seen = BTreeSet::new();
    let mut open = vec![root.to_owned()];
    let mut found = Vec::new();
    while let Some(wanted) = open.pop() {
        // `name`, or `name version …` where there are several.
        let mut words = wanted.split(' ');
        let (name, version) = (words.next().unwrap_or_default(), words.next());
        for package in by_name.get(name).into_iter().flatten() {
            let fits = version.is_none_or(|version| version == package.version);
            if fits && seen.insert((&package.name, &package.version)) {
                open.extend(package.dependencies.iter().cloned());
                found.push(*package);
            }
        }
    }
    found.retain(|package| package.name != root);
    found.sort_by(|a, b| (&a.name, &a.version).cmp(&(&b.name, &b.version)));
    found
}

fn bill(project: &Project, digest: &Digest, packages: &[&Package]) -> Value {
    let manifest = project.manifest();
    let hash = |content: &str| json!([{ "alg": "SHA-256", "content": content }]);
    let libraries: Vec<Value> = packages
        .iter()
        .map(|package| {
            let (name, version) = (&package.name, &package.version);
            let mut it = json!({ "type": "library", "name": name, "version": version, "purl": format!("pkg:cargo/{name}@{version}") });
            if let (Some(checksum), Some(fields)) = (&package.checksum, it.as_object_mut()) {
                fields.insert("hashes".to_owned(), hash(checksum));
            }
            it
        })
        .collect();
    let digest = digest.to_string();
    let component = json!({
        "bom-ref": "capsule", "type": "application", "name": manifest.name.to_string(),
        "version": manifest.version.to_string(), "hashes": hash(digest.trim_start_matches("sha256:")),
    });
    json!({
        "bomFormat": "CycloneDX", "specVersion": "1.5", "version": 1,
        "metadata": { "component": component }, "components": libraries,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lock() -> Lock {
        toml::from_str(
            r#"
            version = 4
            [[package]]
            name = "mine"
            version = "0.1.0"
            dependencies = ["a", "b 2.0.0"]
            [[package]]
            name = "a"
            version = "1.0.0"
            checksum = "00ff"
            dependencies = ["b 1.0.0"]
            [[package]]
            name = "b"
            version = "1.0.0"
            [[package]]
            name = "b"
            version = "2.0.0"
            dependencies = ["mine"]
            [[package]]
            name = "of-another-member"
            version = "9.0.0"
            "#,
        )
        .unwrap()
    }

    #[test]
    fn what_the_package_leads_to_is_listed_once_and_nothing_else() {
        let lock = lock();
        let names: Vec<String> =
            reached(&lock, "mine").iter().map(|it| format!("{} {}", it.name, it.version)).collect();
        assert_eq!(names, ["a 1.0.0", "b 1.0.0", "b 2.0.0"]);
        assert!(reached(&lock, "nobody").is_empty());
    }

    #[test]
    fn the_lock_file_of_a_workspace_is_found_above() {
        let folder = tempfile::tempdir().unwrap();
        let deep = folder.path().join("a/b");
        std::fs::create_dir_all(&deep).unwrap();
        std::fs::write(folder.path().join("Cargo.lock"), "").unwrap();
        assert_eq!(lock_file(&deep), Some(folder.path().join("Cargo.lock")));
    }
}
