//! Making a backup of a home while everything in it runs.
//!
//! The order is what makes it consistent: signed heads before the database that they speak of, the database
//! before the journals that it has acknowledged, a journal's head before its segments. So whatever one part
//! knows of another, the other has reached.

use std::fs::{File, Metadata};
use std::io::{BufWriter, Write as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use serde::Serialize;
use soma_capsule::{KeyPair, crash_point};
use soma_policy::{Digest, Timestamp};
use tempfile::NamedTempFile;
use zeroize::Zeroizing;

use super::archive::Writer;
use super::bound::{Inside, SEALED_BYTES_MAX};
use super::error::ContinuityError;
use super::manifest::{Index, Line, Manifest};
use super::plan::{Class, Places, Planned};
use super::sealed::{self, Files};
use super::staging::{BACKUP, Staging, parent};
use super::verify::blocking;
use crate::clock::Clock;
use crate::config::ServerConfig;
use crate::identity::PasswordCost;
use crate::server::audit_key;
use crate::store::Database;
use crate::store::StoreError;
use crate::store::transfer::{copy_file, look};

/// How often a file is copied that changes meanwhile.
const TRIES: u32 = 100;

/// What to back up, and where to.
#[derive(Debug)]
pub struct BackupRequest<'a> {
    /// The home.
    pub home: &'a Path,
    /// The server's configuration in it.
    pub config: &'a ServerConfig,
    /// The archive, which must not be there yet.
    pub archive: &'a Path,
    /// What opens the keys in it; at least twelve characters.
    pub passphrase: &'a [u8],
    /// What trying a passphrase costs.
    pub cost: PasswordCost,
}

/// What was backed up.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct BackupReport {
    /// The signed manifest.
    pub manifest: Manifest,
    /// Files that were sealed.
    pub sealed: usize,
    /// What is neither file nor folder, and was left out.
    pub left_out: Vec<String>,
}

/// Makes a backup: whole, on the disk and under its name, or not at all.
///
/// # Errors
/// [`ContinuityError`]; no archive is there then.
pub async fn backup(
    request: &BackupRequest<'_>,
    clock: &dyn Clock,
) -> Result<BackupReport, ContinuityError> {
    sealed::strong(request.passphrase)?;
    let target = request.archive.to_owned();
    if target.symlink_metadata().is_ok() {
        return Err(ContinuityError::Exists(target));
    }
    let places = Places::of(request.home, request.config)?;
    let key = audit_key(&request.config.keys)?;
    let folder = parent(&target);
    let staging = Staging::make(BACKUP, &folder)?;
    stage_checkpoints(&places, &staging)?;
    let facts = stage_database(&places, &staging, clock.now()).await?;
    let passphrase = Zeroizing::new(request.passphrase.to_vec());
    let cost = request.cost;
    blocking(move || {
        let work = Work { places, key, staging, facts, passphrase, cost };
        work.write(&target)
    })
    .await
}

/// What the database says of itself.
#[derive(Debug)]
struct Facts {
    at: Timestamp,
    deployment: String,
    epoch: u64,
    step: u64,
}

const DATABASE: &str = "database";
const CHECKPOINTS: &str = "checkpoints";
const HEAD: &str = "head";

fn stage_checkpoints(places: &Places, staging: &Staging) -> Result<(), ContinuityError> {
    stage(&places.checkpoints.under(&places.home), &staging.path().join(CHECKPOINTS))
}

/// Copies a small file aside, if it is there.
fn stage(from: &Path, to: &Path) -> Result<(), ContinuityError> {
    match std::fs::copy(from, to) {
        Ok(_) => Ok(()),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(ContinuityError::disk("copied", from)(error)),
    }
}

async fn stage_database(
    places: &Places,
    staging: &Staging,
    at: Timestamp,
) -> Result<Facts, ContinuityError> {
    let copy = staging.path().join(DATABASE);
    let from = places.database.under(&places.home);
    if !from.is_file() {
        let what = format!("there is no database at `{}`", from.display());
        return Err(ContinuityError::Configuration(what));
    }
    copy_file(&from, &copy).await?;
    let database = Database::Sqlite { path: copy };
    let seen = look(&database).await?;
    if seen.closed {
        return Err(StoreError::Closed.into());
    }
    let feed = seen.streams.iter().find(|(stream, ..)| stream == "feed");
    let missing = || StoreError::Schema("run `soma db migrate` first".to_owned());
    let epoch = feed.map(|(_, epoch, ..)| *epoch).ok_or_else(missing)?;
    let step = u64::try_from(seen.steps.applied).unwrap_or(0);
    let deployment = crate::store::transfer::deployment(&database).await?.ok_or_else(missing)?;
    Ok(Facts { at, deployment, epoch, step })
}

struct Work {
    places: Places,
    key: KeyPair,
    staging: Staging,
    facts: Facts,
    passphrase: Zeroizing<Vec<u8>>,
    cost: PasswordCost,
}

/// The archive so far.
struct Packing<'a> {
    writer: Writer<BufWriter<&'a File>>,
    lines: Vec<Line>,
    sealed: Files,
    target: &'a Path,
    files: u64,
    bytes: u64,
}

impl Work {
    fn write(self, target: &Path) -> Result<BackupReport, ContinuityError> {
        let folder = parent(target);
        let file = NamedTempFile::new_in(self.staging.path());
        let file = file.map_err(ContinuityError::disk("made", &folder))?;
        let (manifest, sealed, left_out) = self.pack(file.as_file(), target)?;
        file.as_file().sync_all().map_err(ContinuityError::disk("written", target))?;
        crash_point!("server.backup.packed");
        match file.persist_noclobber(target) {
            Ok(_) => {}
            Err(error) if error.error.kind() == std::io::ErrorKind::AlreadyExists => {
                return Err(ContinuityError::Exists(target.to_owned()));
            }
            Err(error) => return Err(ContinuityError::disk("named", target)(error.error)),
        }
        sync_folder(&folder)?;
        Ok(BackupReport { manifest, sealed, left_out })
    }

    fn pack(
        &self,
        file: &File,
        target: &Path,
    ) -> Result<(Manifest, usize, Vec<String>), ContinuityError> {
        let mut packing = Packing {
            writer: Writer::new(BufWriter::with_capacity(1 << 18, file)),
            lines: Vec::new(),
            sealed: Files::new(),
            target,
            files: 0,
            bytes: 0,
        };
        let aside = self.staging.path();
        let head = self.places.journal_head.under(&self.places.home);
        stage(&head, &aside.join(HEAD))?;
        packing.staged(&aside.join(CHECKPOINTS), &self.places.checkpoints)?;
        packing.staged(&aside.join(DATABASE), &self.places.database)?;
        packing.staged(&aside.join(HEAD), &self.places.journal_head)?;
        let found = self.places.walk()?;
        for folder in found.folders {
            packing.lines.push(Line::Folder { path: folder.as_str().to_owned() });
        }
        for planned in &found.files {
            packing.add(&self.places.home, planned)?;
        }
        let (manifest, sealed) = self.seal(packing)?;
        Ok((manifest, sealed, found.left_out))
    }

    fn seal(&self, packing: Packing<'_>) -> Result<(Manifest, usize), ContinuityError> {
        let Packing { writer, lines, sealed, target, files, bytes } = packing;
        let count = sealed.len();
        let sealed = sealed::seal(&sealed, &self.passphrase, self.cost)?;
        let index = Index::write(&lines)?;
        let manifest = Manifest {
            at: self.facts.at,
            bytes,
            deployment: self.facts.deployment.clone(),
            epoch: self.facts.epoch,
            files,
            form: Manifest::form(),
            index: Digest::of(&index),
            program: env!("CARGO_PKG_VERSION").to_owned(),
            sealed: Digest::of(&sealed),
            step: self.facts.step,
        };
        let signed = manifest.sign(&self.key)?;
        let key = self.key.public().to_pem();
        let done = writer.finish(&sealed, &index, key.as_bytes(), &signed);
        let flushed = done.and_then(|mut file| file.flush());
        flushed.map_err(ContinuityError::disk("written", target))?;
        Ok((manifest, count))
    }
}

impl Packing<'_> {
    /// A file that lies aside and changes no more; nothing if there is none.
    fn staged(&mut self, from: &Path, path: &Inside) -> Result<(), ContinuityError> {
        if !from.is_file() {
            return Ok(());
        }
        self.copy(from, path, Class::Growing).map(drop)
    }

    fn add(&mut self, home: &Path, planned: &Planned) -> Result<(), ContinuityError> {
        let from = planned.path.under(home);
        if planned.class == Class::Sealed {
            return self.keep_sealed(&from, &planned.path);
        }
        for _ in 0..TRIES {
            if self.copy(&from, &planned.path, planned.class)? {
                return Ok(());
            }
        }
        Err(ContinuityError::Busy(planned.path.as_str().to_owned()))
    }

    /// Copies a file as it is now; false if it changed meanwhile.
    fn copy(&mut self, from: &Path, path: &Inside, class: Class) -> Result<bool, ContinuityError> {
        let mut file = match File::open(from) {
            Ok(file) => file,
            // Removed since it was listed: it is no part of the home any more.
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(true),
            Err(error) => return Err(ContinuityError::disk("opened", from)(error)),
        };
        let stat = |file: &File| file.metadata().map_err(ContinuityError::disk("read", from));
        let before = stat(&file)?;
        let bytes = before.len();
        let written = self.writer.file(bytes, &mut file);
        let written = written.map_err(ContinuityError::disk("written", self.target))?;
        let still = class == Class::Growing || same(&before, &stat(&file)?);
        let digest = written.digest;
        if written.short || !still {
            self.lines.push(Line::Void { bytes, digest });
            return Ok(false);
        }
        self.lines.push(Line::File { path: path.as_str().to_owned(), bytes, digest });
        self.files += 1;
        self.bytes += bytes;
        Ok(true)
    }

    fn keep_sealed(&mut self, from: &Path, path: &Inside) -> Result<(), ContinuityError> {
        let unread = ContinuityError::disk("read", from);
        let length = std::fs::metadata(from).map(|it| it.len());
        match length {
            Ok(bytes) if bytes <= SEALED_BYTES_MAX => {}
            Ok(bytes) => {
                let what =
                    format!("has {bytes} bytes, too many to be sealed; it is no part of a home");
                return Err(ContinuityError::Unfit { path: path.as_str().to_owned(), what });
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(unread(error)),
        }
        let content = Zeroizing::new(std::fs::read(from).map_err(unread)?);
        self.sealed.insert(path.as_str().to_owned(), content);
        Ok(())
    }
}

/// Whether nobody wrote between the two looks.
fn same(before: &Metadata, after: &Metadata) -> bool {
    let facts =
        |it: &Metadata| (it.len(), it.mtime(), it.mtime_nsec(), it.ctime(), it.ctime_nsec());
    facts(before) == facts(after)
}

pub(super) fn sync_folder(folder: &Path) -> Result<(), ContinuityError> {
    let synced = File::open(folder).and_then(|folder| folder.sync_all());
    synced.map_err(ContinuityError::disk("written", folder))
}
