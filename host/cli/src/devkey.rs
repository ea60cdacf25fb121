//! The development key of this machine: what `capsule run` and `capsule test` sign with.
//!
//! It lies outside every home, so that no home trusts it by itself; only `soma up --dev` does.

use std::path::PathBuf;

use soma_capsule::key::{KeyPair, PublicKey};
use soma_host::home::{make_folder, read_bounded, write_private};
use soma_policy::Code;

use crate::context::Context;
use crate::failure::Failure;

const KEY_BYTES_MAX: u64 = 16 * 1024;

/// Where a person's own things lie, outside every home.
pub(crate) fn folder() -> Result<PathBuf, Failure> {
    let named = |name: &str| std::env::var_os(name).filter(|v| !v.is_empty()).map(PathBuf::from);
    let base = named("XDG_CONFIG_HOME").or_else(|| named("HOME").map(|home| home.join(".config")));
    base.map(|base| base.join("soma")).ok_or_else(|| {
        Failure::new(Code::ConfigurationBad, "there is no place for keys and sessions of your own")
            .fix("set HOME")
    })
}

/// The key; it is made at the first use.
pub(crate) fn open_or_create() -> Result<KeyPair, Failure> {
    let folder = folder()?;
    let path = folder.join("dev.key");
    if path.exists() {
        return Ok(KeyPair::from_encrypted_pem(&read_bounded(&path, KEY_BYTES_MAX)?, b"")?);
    }
    make_folder(&folder)?;
    let key = KeyPair::generate()?;
    write_private(&path, key.to_encrypted_pem(b"")?.as_bytes())?;
    write_private(&folder.join("dev.pub"), key.public().to_pem().as_bytes())?;
    Ok(key)
}

/// The public half, if this machine has the key.
pub(crate) fn public() -> Result<Option<PublicKey>, Failure> {
    let Ok(folder) = folder() else { return Ok(None) };
    let path = folder.join("dev.pub");
    if !path.exists() {
        return Ok(None);
    }
    Ok(Some(PublicKey::from_pem(&read_bounded(&path, KEY_BYTES_MAX)?)?))
}

/// Its fingerprint, for those who must refuse it.
pub(crate) fn fingerprint(_: &Context) -> Result<Option<String>, Failure> {
    Ok(public()?.map(|key| key.fingerprint().to_string()))
}
