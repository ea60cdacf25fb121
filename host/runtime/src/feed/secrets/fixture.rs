//! What tests of secrets stand on: a home, and values sealed as a server seals them.

use rustls::crypto::hpke::HpkePublicKey;
use soma_policy::Timestamp;

use super::*;
use crate::home::Birth;

pub(crate) fn home(folder: &Path) -> Home {
    let (now, host) = (Timestamp(1_700_000_000_000), HostId::from_u128(7));
    let birth = Birth { now, host, person: "ada".to_owned(), passphrase: Some(b"") };
    Home::open_or_create(&folder.join("home"), &birth).unwrap().0
}

pub(crate) fn place(name: &str) -> Place {
    Place {
        org: "local".parse().unwrap(),
        environment: "production".parse().unwrap(),
        name: name.parse().unwrap(),
    }
}

pub(crate) fn wants(all: &[(&str, u64)]) -> Wanted {
    all.iter().map(|(name, version)| (place(name), *version)).collect()
}

/// Seals as a server does.
pub(crate) fn sealed(
    to: &[u8],
    host: HostId,
    at: &Place,
    version: u64,
    value: &[u8],
) -> SealedSecret {
    let info = format!("soma-secret/{host}/{at}/{version}");
    let suite = DH_KEM_X25519_HKDF_SHA256_AES_256;
    let key = HpkePublicKey(to.to_vec());
    let (encapsulated, body) = suite.seal(info.as_bytes(), &[], value, &key).unwrap();
    let sealed = STANDARD.encode([encapsulated.0, body].concat());
    let Place { org, environment, name } = at.clone();
    SealedSecret { environment, name, org, sealed, version }
}

/// A server's answer with one value.
pub(crate) fn answer(to: &FeedSecrets, name: &str, version: u64, value: &[u8]) -> Secrets {
    let one = sealed(to.unsealing.public(), to.host, &place(name), version, value);
    Secrets { host: to.host, secrets: vec![one] }
}
