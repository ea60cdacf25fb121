//! What is different between two constitutions, file by file and line by line.
//!
//! It compares texts and says nothing about meaning: whether a policy newly permits or forbids something is
//! not to be seen from its lines alone.

use std::collections::{BTreeSet, HashMap};

use serde::Serialize;

use super::{Constitution, LIMITS_FILE, PRINCIPLES_FILE};

/// Lines that are listed of one file at most; more are counted.
const LINES_MAX: usize = 400;

/// Everything that is different.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// Files, in the order of their names.
    pub files: Vec<FileChange>,
}

/// One file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FileChange {
    /// Its name; `principles.md` and `limits.toml` beside the Cedar files.
    pub file: String,
    /// `added`, `removed` or `changed`.
    pub change: &'static str,
    /// Lines that only one of the two has: `-` is the older one's, `+` the newer one's.
    pub lines: Vec<String>,
    /// Lines that are not listed.
    pub more: usize,
}

impl Difference {
    /// What `new` has that `old` has not, and the other way round.
    #[must_use]
    pub fn between(old: Option<&Constitution>, new: &Constitution) -> Self {
        let (old, new) = (old.map(files).unwrap_or_default(), files(new));
        let names: BTreeSet<&str> = old.keys().chain(new.keys()).copied().collect();
        let change = |name: &str| file(name, old.get(name).copied(), new.get(name).copied());
        Self { files: names.into_iter().filter_map(change).collect() }
    }

    /// As people read it.
    #[must_use]
    pub fn text(&self) -> String {
        if self.files.is_empty() {
            return "nothing is different".to_owned();
        }
        let mut lines = Vec::new();
        for FileChange { file, change, lines: own, more } in &self.files {
            lines.push(format!("{change} {file}"));
            lines.extend(own.iter().map(|line| format!("  {line}")));
            if *more > 0 {
                lines.push(format!("  and {more} lines more"));
            }
        }
        lines.join("\n")
    }
}

fn files(of: &Constitution) -> HashMap<&str, &str> {
    let mut all: HashMap<&str, &str> =
        of.policies.iter().map(|(name, text)| (name.as_str(), text.as_str())).collect();
    if let Some(limits) = &of.limits {
        all.insert(LIMITS_FILE, limits);
    }
    if !of.principles.is_empty() {
        all.insert(PRINCIPLES_FILE, &of.principles);
    }
    all
}

fn file(name: &str, old: Option<&str>, new: Option<&str>) -> Option<FileChange> {
    let change = match (old, new) {
        (None, Some(_)) => "added",
        (Some(_), None) => "removed",
        (Some(old), Some(new)) if old != new => "changed",
        _ => return None,
    };
    let (old, new) = (old.unwrap_or_default(), new.unwrap_or_default());
    let gone = only_in(old, new).map(|line| format!("- {line}"));
    let come = only_in(new, old).map(|line| format!("+ {line}"));
    let mut lines: Vec<String> = gone.chain(come).collect();
    let more = lines.len().saturating_sub(LINES_MAX);
    lines.truncate(LINES_MAX);
    Some(FileChange { file: name.to_owned(), change, lines, more })
}

/// Lines of `of` that `other` has not, or has less often; in their order. Linear in both, whatever they hold.
fn only_in<'a>(of: &'a str, other: &str) -> impl Iterator<Item = &'a str> {
    let mut there: HashMap<String, usize> = HashMap::new();
    for line in other.lines() {
        *there.entry(line.to_owned()).or_default() += 1;
    }
    of.lines().filter(move |line| match there.get_mut(*line) {
        Some(left) if *left > 0 => {
            *left -= 1;
            false
        }
        _ => true,
    })
}
