//! Every point that has a name has a row somewhere, every row a point, and a release build has neither.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

use soma_tests::guests;

/// The folders whose sources may name points.
const ROOMS: &[&str] = &["capsules/package/src", "host/runtime/src", "marketplace/server/src"];
/// The folder of the rows.
const ROWS: &str = "tests/tests/all";

#[test]
fn every_point_is_the_end_of_a_process_in_some_story_and_every_story_names_a_point() {
    let root = guests::repository();
    let named = |text: &str| names(text, "crash_point!(\"", '"');
    let points: Vec<String> = sources(&root, ROOMS).iter().flat_map(|it| named(it)).collect();
    let all: BTreeSet<String> = points.iter().cloned().collect();
    assert!(!all.is_empty(), "no point has a name");
    let rows = sources(&root, &[ROWS]).concat();
    let missing: Vec<_> = all.iter().filter(|point| !rows.contains(point.as_str())).collect();
    assert!(missing.is_empty(), "no story ends a process at {missing:?}");
    let prefixes = ["\"host.", "\"server.", "\"capsule."];
    let told = prefixes.iter().flat_map(|prefix| {
        let found = names(&rows, prefix, '"').into_iter();
        found.map(|rest| format!("{}{rest}", &prefix[1..]))
    });
    let is_point = |name: &str| name.split('.').count() == 3 && !name.contains(['{', '/', ' ']);
    let plain = told.map(|name| name.split(':').next().unwrap().to_owned());
    let unknown: Vec<_> = plain.filter(|name| is_point(name) && !all.contains(name)).collect();
    assert!(unknown.is_empty(), "no point has the name {unknown:?}");
}

/// A program with one point, armed where that is possible.
const PROGRAM: &str = r#"
fn main() {
    #[cfg(debug_assertions)]
    crash::arm("a.named.point:2", || std::process::exit(9));
    for _ in 0..2 {
        crash_point!("a.named.point");
    }
}
"#;

#[test]
fn a_release_build_has_no_point_and_nothing_that_could_end_at_one() {
    let folder = tempfile::tempdir().unwrap();
    let debug = compile(folder.path(), PROGRAM, "on").expect("a debug build");
    assert_eq!(Command::new(&debug).status().unwrap().code(), Some(9));
    let release = compile(folder.path(), PROGRAM, "off").expect("a release build");
    assert_eq!(Command::new(&release).status().unwrap().code(), Some(0));
    let named = |path: &Path| {
        std::fs::read(path).unwrap().windows(13).any(|bytes| bytes == b"a.named.point")
    };
    assert!(named(&debug) && !named(&release));
    let armed = "fn main() { crash::arm(\"a\", || ()) }";
    assert!(compile(folder.path(), armed, "on").is_some());
    assert!(compile(folder.path(), armed, "off").is_none(), "a release build can be armed");
}

/// Compiles a program around the room's own file; none if it does not compile.
fn compile(folder: &Path, program: &str, assertions: &str) -> Option<PathBuf> {
    let room = guests::repository().join("capsules/package/src/crash.rs").canonicalize().unwrap();
    let source = folder.join("main.rs");
    std::fs::write(&source, format!("#[path = {room:?}]\nmod crash;\n{program}")).unwrap();
    let binary = folder.join(format!("program-{assertions}"));
    let mut rustc = Command::new("rustc");
    rustc.args(["--edition", "2024", "--cap-lints", "allow", "-C"]);
    rustc.arg(format!("debug-assertions={assertions}")).arg("-o").arg(&binary).arg(&source);
    rustc.output().unwrap().status.success().then_some(binary)
}

fn sources(root: &Path, folders: &[&str]) -> Vec<String> {
    let mut found = Vec::new();
    let mut folders: Vec<PathBuf> = folders.iter().map(|folder| root.join(folder)).collect();
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|end| end == "rs") {
                found.push(std::fs::read_to_string(path).unwrap());
            }
        }
    }
    found
}

/// What stands between `before` and the next `end`.
fn names(text: &str, before: &str, end: char) -> Vec<String> {
    let pieces = text.split(before).skip(1);
    pieces.filter_map(|piece| Some(piece.split_once(end)?.0.to_owned())).collect()
}
