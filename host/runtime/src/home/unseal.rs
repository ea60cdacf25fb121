//! The key that a server seals this host's secrets to: X25519, kept under `keys/host/`, never shown.
//!
//! Only its public half leaves the host. Opening what was sealed is another room's.

use std::fmt;
use std::path::Path;

use aws_lc_rs::agreement::{PrivateKey, X25519};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

use super::keys::{ensure_random_key, key_error};
use super::{HomeError, file};

/// The private key.
pub struct UnsealingKey {
    bytes: Zeroizing<[u8; 32]>,
    public: [u8; 32],
}

impl fmt::Debug for UnsealingKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("UnsealingKey(..)")
    }
}

impl UnsealingKey {
    /// Reads the key; makes it first if there is none. One that others can read is refused.
    pub(crate) fn ensure(path: &Path) -> Result<Self, HomeError> {
        ensure_random_key(path)?;
        file::refuse_shared(path)?;
        let bytes = Zeroizing::new(file::read_bounded(path, 32)?);
        let bytes = <[u8; 32]>::try_from(bytes.as_slice())
            .map_err(|_| key_error(path, "this key has 32 bytes"))?;
        let failed = || key_error(path, "the key cannot be used");
        let key = PrivateKey::from_private_key(&X25519, &bytes).map_err(|_| failed())?;
        let public = key.compute_public_key().map_err(|_| failed())?;
        let public = <[u8; 32]>::try_from(public.as_ref()).map_err(|_| failed())?;
        Ok(Self { bytes: Zeroizing::new(bytes), public })
    }

    /// The public half.
    #[must_use]
    pub const fn public(&self) -> &[u8; 32] {
        &self.public
    }

    /// The public half as a server takes it.
    #[must_use]
    pub fn published(&self) -> String {
        STANDARD.encode(self.public)
    }

    /// The private key itself.
    #[must_use]
    pub fn expose(&self) -> &[u8; 32] {
        &self.bytes
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_key_is_made_once_and_closed_to_others() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("unseal.key");
        let made = UnsealingKey::ensure(&path).unwrap();
        assert_eq!(UnsealingKey::ensure(&path).unwrap().public(), made.public());
        assert_ne!(made.public(), made.expose());
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(format!("{made:?}"), "UnsealingKey(..)");
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o640)).unwrap();
        assert!(matches!(UnsealingKey::ensure(&path), Err(HomeError::Shared { .. })));
    }
}
