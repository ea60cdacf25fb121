//! Bringing a home back from an archive: proven first, made beside its place, and put there in one step.
//!
//! A restored server gives numbers again that hosts have seen before. So its feed begins a new epoch, which
//! the root key alone can sign: without that nothing is restored.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{Seek as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde_json::json;
use soma_capsule::crash_point;
use soma_policy::feed::EpochRaise;
use zeroize::Zeroizing;

use super::archive::{self, pass};
use super::backup::sync_folder;
use super::bound::Inside;
use super::chains::ChainReport;
use super::error::ContinuityError;
use super::manifest::Manifest;
use super::moving::console_entry;
use super::sealed::Files;
use super::staging::{RESTORE, Staging, parent};
use super::verify::{Checked, blocking, check, open, open_keys};
use crate::audit::Act;
use crate::clock::Clock;
use crate::config::ServerConfig;
use crate::server::Server;
use crate::store::PlatformScope;

/// A home that is made and not yet in its place. Dropped, it is gone.
#[derive(Debug)]
pub struct Restoring {
    manifest: Manifest,
    folder: Staging,
    home: PathBuf,
}

/// Proves an archive and makes the home that it holds, beside `home`, which must not be there or be empty.
///
/// # Errors
/// [`ContinuityError::Bad`] names what is wrong with the archive; nothing is left behind.
pub async fn restore(
    archive: &Path,
    home: &Path,
    passphrase: &[u8],
) -> Result<Restoring, ContinuityError> {
    let (archive, home) = (archive.to_owned(), home.to_owned());
    let passphrase = Zeroizing::new(passphrase.to_vec());
    blocking(move || {
        must_be_free(&home)?;
        let mut file = open(&archive)?;
        let checked = check(&file)?;
        let keys = open_keys(&checked, &passphrase)?;
        file.rewind().map_err(ContinuityError::disk("read", &archive))?;
        let folder = Staging::make(RESTORE, &parent(&home))?;
        unpack(&file, &checked, &keys, folder.path())?;
        crash_point!("server.restore.unpacked");
        Ok(Restoring { manifest: checked.manifest, folder, home })
    })
    .await
}

fn must_be_free(home: &Path) -> Result<(), ContinuityError> {
    match std::fs::read_dir(home) {
        Ok(mut listed) => match listed.next() {
            None => Ok(()),
            Some(_) => Err(ContinuityError::Exists(home.to_owned())),
        },
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(ContinuityError::disk("read", home)(error)),
    }
}

/// Writes everything below a folder that nobody else can enter. The second reading is held to the first.
fn unpack(
    file: &File,
    checked: &Checked,
    keys: &Files,
    into: &Path,
) -> Result<(), ContinuityError> {
    for folder in &checked.index.folders {
        make_folder(&folder.under(into))?;
    }
    let entries = &checked.index.entries;
    let mut at = 0;
    archive::read(file, &mut |_, content| {
        let changed = || ContinuityError::bad("it changed while it was read");
        let entry = entries.get(at).ok_or_else(changed)?;
        at += 1;
        let path = entry.path.as_ref().map(|path| path.under(into));
        let mut made = path.as_deref().map(make_file).transpose()?;
        let shown = path.clone().unwrap_or_default();
        let failed = |error| ContinuityError::disk("written", &shown)(error);
        let found = pass(content, made.as_mut(), failed)?;
        if found != (entry.digest, entry.bytes) {
            return Err(changed());
        }
        made.map_or(Ok(()), |made| made.sync_all().map_err(failed))
    })?;
    for (path, content) in keys {
        let path = Inside::parse(path)?.under(into);
        let mut made = make_file(&path)?;
        let written = made.write_all(content).and_then(|()| made.sync_all());
        written.map_err(ContinuityError::disk("written", &path))?;
    }
    Ok(())
}

fn make_folder(path: &Path) -> Result<(), ContinuityError> {
    let made = DirBuilder::new().recursive(true).mode(0o700).create(path);
    made.map_err(ContinuityError::disk("made", path))
}

fn make_file(path: &Path) -> Result<File, ContinuityError> {
    if let Some(parent) = path.parent() {
        make_folder(parent)?;
    }
    let made = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
    made.map_err(ContinuityError::disk("made", path))
}

/// Every folder below, so that names are on the disk too.
fn sync_folders(folder: &Path) -> Result<(), ContinuityError> {
    let unread = |error| ContinuityError::disk("read", folder)(error);
    for entry in std::fs::read_dir(folder).map_err(unread)? {
        let entry = entry.map_err(unread)?;
        if entry.file_type().map_err(unread)?.is_dir() {
            sync_folders(&entry.path())?;
        }
    }
    sync_folder(folder)
}

impl Restoring {
    /// What the archive says of itself.
    #[must_use]
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// The home as it is made: its root key may lie here.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// What the root key must sign. `epoch` names a higher one than the next: a backup that is restored
    /// twice must not begin one epoch twice.
    #[must_use]
    pub fn epoch(&self, epoch: Option<u64>, clock: &dyn Clock) -> EpochRaise {
        EpochRaise {
            at: clock.now(),
            deployment: self.manifest.deployment.clone(),
            epoch: epoch.unwrap_or(self.manifest.epoch.saturating_add(1)),
        }
    }

    /// Begins the new epoch by the root's signed document, and puts the home in its place. Says how each
    /// chain was found.
    ///
    /// # Errors
    /// [`ContinuityError`]; the place of the home is as it was then.
    pub async fn finish(
        self,
        signed: &[u8],
        clock: Arc<dyn Clock>,
    ) -> Result<Vec<ChainReport>, ContinuityError> {
        let folder = self.folder.path().to_owned();
        // The environment is of another time than the archive: it names no database here.
        let text = std::fs::read_to_string(folder.join("server.toml")).unwrap_or_default();
        let config = ServerConfig::parse(&folder, "server.toml", &text, |_| None);
        let config = config.map_err(|error| ContinuityError::Configuration(error.to_string()))?;
        let (server, _) = Server::open(&config, Arc::clone(&clock)).await?;
        let chains = begin(&server, signed, &*clock, &self.manifest).await;
        server.store.close().await;
        let chains = chains?;
        let Self { folder, home, .. } = self;
        crash_point!("server.restore.begun");
        blocking(move || place(&folder, &home)).await?;
        Ok(chains)
    }
}

async fn begin(
    server: &Server,
    signed: &[u8],
    clock: &dyn Clock,
    manifest: &Manifest,
) -> Result<Vec<ChainReport>, ContinuityError> {
    let chains = server.verify_chains().await?;
    let raised = server.raise_epoch(signed).await;
    let raised = raised.map_err(|error| ContinuityError::Epoch(error.to_string()))?;
    let detail = json!({ "epoch": raised.epoch.to_string(), "made": manifest.at.0.to_string() });
    let detail = detail.to_string();
    let entry = console_entry(clock, Act::Restored, &manifest.deployment, &detail)?;
    let mut unit = server.store.platform(PlatformScope::of("restore")).await?;
    unit.audit(&entry).await?;
    unit.commit().await?;
    Ok(chains)
}

fn place(folder: &Staging, home: &Path) -> Result<(), ContinuityError> {
    sync_folders(folder.path())?;
    // A folder takes the place of an empty one, and of nothing else.
    match std::fs::rename(folder.path(), home) {
        Ok(()) => {}
        Err(error) if error.kind() == std::io::ErrorKind::DirectoryNotEmpty => {
            return Err(ContinuityError::Exists(home.to_owned()));
        }
        Err(error) => return Err(ContinuityError::disk("named", home)(error)),
    }
    crash_point!("server.restore.placed");
    sync_folder(&parent(home))
}
