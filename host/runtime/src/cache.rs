//! Compiled code on disk: written by this host, authenticated at every load, never shipped.
//!
//! A file is `MAC ‖ machine code`. The MAC (HMAC-SHA-256) covers the component's digest and the
//! compatibility digest of the engine, so a file moved to another name is as foreign as a tampered
//! one. The file is read once into memory, the MAC checked there, and that same memory is
//! deserialised: what was checked is what runs. The key lies outside the cache folder.
//!
//! This is the only module of the product that may use `unsafe`.

use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;
use soma_policy::Digest;
use wasmtime::Engine;
use wasmtime::component::Component;

use crate::home::MacKey;

const MAC_BYTES: usize = 32;
const FILE_MAX: u64 = (512 << 20) + MAC_BYTES as u64;

/// Why a cached file is not used. The host then compiles anew: a bad cache is never fatal.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CacheError {
    #[error("compiled code of {0} is not in the cache")]
    Absent(Digest),
    #[error("compiled code of {0} was not written by this host, or was changed since")]
    Foreign(Digest),
    #[error("compiled code of {0} does not load")]
    Unloadable(Digest, #[source] wasmtime::Error),
    #[error("the cache folder failed")]
    Io(#[from] std::io::Error),
}

/// The cache folder of one host and one engine.
#[derive(Debug)]
pub(crate) struct CodeCache {
    folder: PathBuf,
    key: MacKey,
    compatibility: Digest,
}

impl CodeCache {
    pub(crate) fn open(folder: &Path, key: MacKey, engine: &Engine) -> std::io::Result<Self> {
        use std::os::unix::fs::DirBuilderExt as _;
        std::fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
        let compatibility = crate::engine::compatibility(engine);
        Ok(Self { folder: folder.to_owned(), key, compatibility })
    }

    /// Where the code of `digest` lies.
    pub(crate) fn path(&self, digest: &Digest) -> PathBuf {
        let short = self.compatibility.hex().get(..16).unwrap_or_default().to_owned();
        self.folder.join(format!("{}-{short}.cwasm", digest.hex()))
    }

    /// Reads, authenticates and loads the code of `digest`.
    pub(crate) fn load(&self, engine: &Engine, digest: &Digest) -> Result<Component, CacheError> {
        let file = match std::fs::File::open(self.path(digest)) {
            Ok(file) => file,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                return Err(CacheError::Absent(*digest));
            }
            Err(error) => return Err(error.into()),
        };
        let mut bytes = Vec::new();
        file.take(FILE_MAX).read_to_end(&mut bytes)?;
        let (mac, code) = bytes.split_at_checked(MAC_BYTES).ok_or(CacheError::Foreign(*digest))?;
        self.mac(digest, code).verify_slice(mac).map_err(|_| CacheError::Foreign(*digest))?;
        deserialise(engine, code).map_err(|error| CacheError::Unloadable(*digest, error))
    }

    /// Authenticates fresh code and puts it in place at once or not at all.
    pub(crate) fn store(&self, digest: &Digest, code: &[u8]) -> Result<(), CacheError> {
        use std::os::unix::fs::OpenOptionsExt as _;
        let target = self.path(digest);
        let draft = target.with_extension(format!("draft-{}", std::process::id()));
        let written = (|| {
            let mut open = std::fs::OpenOptions::new();
            let mut file = open.write(true).create(true).truncate(true).mode(0o600).open(&draft)?;
            file.write_all(&self.mac(digest, code).finalize().into_bytes())?;
            file.write_all(code)?;
            file.sync_data()?;
            std::fs::rename(&draft, &target)
        })();
        if written.is_err() {
            // A full disk leaves no draft behind; the cause is what is reported.
            let _ = std::fs::remove_file(&draft);
        }
        Ok(written?)
    }

    fn mac(&self, digest: &Digest, code: &[u8]) -> Hmac<Sha256> {
        // HMAC fills a short key up with zeros to the block of its hash; so do we.
        let mut block = [0; 64];
        block.iter_mut().zip(self.key.expose()).for_each(|(to, from)| *to = *from);
        let mut mac = Hmac::<Sha256>::new(&block.into());
        mac.update(b"soma compiled code v1\0");
        mac.update(digest.as_bytes());
        mac.update(self.compatibility.as_bytes());
        mac.update(code);
        mac
    }
}

#[expect(unsafe_code, reason = "loading machine code is what this room is for")]
fn deserialise(engine: &Engine, code: &[u8]) -> wasmtime::Result<Component> {
    // SAFETY: `code` was just authenticated under a key that only this host holds, together with
    // the component's digest and the engine's compatibility digest; so it is the very output of
    // this host's compiler child for an engine like `engine`. It is in memory already, so nobody
    // can change it between the check and here.
    unsafe { Component::deserialize(engine, code) }
}
