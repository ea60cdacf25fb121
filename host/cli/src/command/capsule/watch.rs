//! `--watch`: waits until a source file of a project changes.
//!
//! What a build writes (`target`, `*.wasm`) is no change, or every build would be followed by another.

use std::path::Path;
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use notify::{Event, RecommendedWatcher, RecursiveMode, Watcher as _};
use soma_policy::Code;

use crate::failure::Failure;

/// Changes that come within this time are one.
const GATHER: Duration = Duration::from_millis(150);

/// Waits for changes below a folder.
#[derive(Debug)]
pub(super) struct Watcher {
    changes: Receiver<()>,
    _watcher: Option<RecommendedWatcher>,
}

impl Watcher {
    /// Watches from now on, if that is wanted.
    pub(super) fn new(folder: &Path, wanted: bool) -> Result<Self, Failure> {
        let (sender, changes) = channel();
        if !wanted {
            return Ok(Self { changes, _watcher: None });
        }
        let failed =
            |e: notify::Error| Failure::new(Code::HomeIo, format!("files cannot be watched: {e}"));
        let mut watcher = notify::recommended_watcher(move |event: notify::Result<Event>| {
            if event.is_ok_and(|e| is_change(&e)) {
                // The command may have ended meanwhile.
                let _ = sender.send(());
            }
        })
        .map_err(failed)?;
        watcher.watch(folder, RecursiveMode::Recursive).map_err(failed)?;
        Ok(Self { changes, _watcher: Some(watcher) })
    }

    /// Waits for a change, and until it has settled.
    pub(super) fn wait(&mut self) -> Result<(), Failure> {
        let ended = |_| Failure::new(Code::HomeIo, "files cannot be watched any more");
        self.changes.recv().map_err(ended)?;
        while self.changes.recv_timeout(GATHER).is_ok() {}
        Ok(())
    }
}

fn is_change(event: &Event) -> bool {
    !event.kind.is_access() && event.paths.iter().any(|path| is_source(path))
}

fn is_source(path: &Path) -> bool {
    let built = path.components().any(|part| part.as_os_str() == "target");
    let output = path.extension().is_some_and(|e| e == "wasm")
        || path.to_string_lossy().ends_with("sigstore.json");
    let hidden = path.file_name().is_some_and(|n| n.to_string_lossy().starts_with('.'));
    !built && !output && !hidden
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sources_are_changes_and_what_a_build_writes_is_not() {
        for (path, is) in [
            ("csv/src/lib.rs", true),
            ("csv/capsule.toml", true),
            ("csv/target/debug/x", false),
            ("csv/csv.wasm", false),
            ("csv/csv.sigstore.json", false),
            ("csv/src/.lib.rs.swp", false),
        ] {
            assert_eq!(is_source(Path::new(path)), is, "{path}");
        }
    }

    #[test]
    fn a_written_file_ends_the_wait() {
        let folder = tempfile::tempdir().unwrap();
        let mut watcher = Watcher::new(folder.path(), true).unwrap();
        std::fs::write(folder.path().join("lib.rs"), "x").unwrap();
        watcher.wait().unwrap();
    }
}
