//! Says when files of a home may have changed.
//!
//! The system's notifications are a hint to look, never the content: editors write in many steps, and a
//! notification can be lost. So changes are gathered for a moment, and the host looks again now and then
//! without one.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use notify::{RecommendedWatcher, RecursiveMode, Watcher};
use tokio::sync::Notify;

use crate::home::Layout;

/// How long changes are gathered.
const GATHER: Duration = Duration::from_millis(40);
/// How often one looks without a hint.
const POLL: Duration = Duration::from_secs(5);

/// Watches the folders that decide what runs.
#[derive(Debug)]
pub struct Watch {
    changed: Arc<Notify>,
    // Dropping it ends the system's notifications.
    _watcher: Option<RecommendedWatcher>,
}

impl Watch {
    /// Watches installations, policy and trust of a home. Without the system's notifications (too many
    /// watches, an odd file system) it only polls, and says so.
    #[must_use]
    pub fn new(layout: &Layout) -> Self {
        let folders = [layout.installations(), layout.policy(), layout.trust(), layout.secrets()];
        Self::on(&folders)
    }

    fn on(folders: &[PathBuf]) -> Self {
        let changed = Arc::new(Notify::new());
        let hint = Arc::clone(&changed);
        let watcher = notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
            if event.map_or(true, |e| !e.kind.is_access()) {
                hint.notify_one();
            }
        });
        let watcher = watcher.and_then(|mut watcher| {
            for folder in folders {
                watch(&mut watcher, folder)?;
            }
            Ok(watcher)
        });
        if let Err(error) = &watcher {
            tracing::warn!(%error, "files are looked at every 5 s only: no notifications");
        }
        Self { changed, _watcher: watcher.ok() }
    }

    /// Waits until it is time to look again.
    pub async fn changed(&self) {
        tokio::select! {
            () = self.changed.notified() => tokio::time::sleep(GATHER).await,
            () = tokio::time::sleep(POLL) => {}
        }
    }
}

fn watch(watcher: &mut RecommendedWatcher, folder: &Path) -> notify::Result<()> {
    watcher.watch(folder, RecursiveMode::Recursive)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_written_file_is_noticed() {
        let folder = tempfile::tempdir().unwrap();
        let watch = Watch::on(&[folder.path().to_owned()]);
        let noticed = watch.changed();
        std::fs::write(folder.path().join("x.toml"), "x").unwrap();
        tokio::time::timeout(Duration::from_secs(4), noticed).await.unwrap();
    }
}
