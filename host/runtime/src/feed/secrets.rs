//! Secrets that a server sent: opened with the host's own key, kept sealed on disk, given to the http room.
//!
//! ```text
//! feed: names and versions ─► what installations here use ─► ask what is missing ─► open (HPKE) ─► seal, write
//! ```
//!
//! None of it is on the path of a call: a call reads what is on disk, and finds it missing if it is not there.
//! What no installation uses any more, or what the tenant removed, is erased. Which requests carry a value is
//! decided elsewhere, by grants.

mod fetch;
#[cfg(test)]
pub(crate) mod fixture;
#[cfg(test)]
mod tests;

pub(crate) use fetch::follow;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use parking_lot::Mutex;
use rustls::crypto::aws_lc_rs::hpke::DH_KEM_X25519_HKDF_SHA256_AES_256;
use rustls::crypto::hpke::{EncapsulatedSecret, Hpke as _, HpkePrivateKey};
use soma_capsule::crash_point;
use soma_policy::feed::{Installed, SealedSecret, SecretAsk, SecretVersion, Secrets};
use soma_policy::{EnvironmentId, HostId, OrgId, SecretName};
use tokio::sync::watch;
use zeroize::Zeroizing;

use crate::home::{self, Home, HomeError, SealingKey, UnsealingKey};

/// Longest value, as everywhere.
const VALUE_BYTES_MAX: usize = 64 * 1024;
/// What sealing adds: version of the form, nonce, tag, and the version of the value.
const AROUND: usize = 64;
const ENCAPSULATED: usize = 32;

/// Which secret.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Place {
    pub(crate) org: OrgId,
    pub(crate) environment: EnvironmentId,
    pub(crate) name: SecretName,
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}/{}", self.org, self.environment, self.name)
    }
}

/// What installations here use, each with the version that the feed names.
pub(crate) type Wanted = BTreeMap<Place, u64>;

/// Secrets that the feed names and that an active or candidate revision takes in its grants.
pub(crate) fn wanted<'a>(
    versions: impl IntoIterator<Item = &'a SecretVersion>,
    installed: impl IntoIterator<Item = &'a Installed>,
) -> Wanted {
    let mut used = std::collections::BTreeSet::new();
    for it in installed {
        let candidate = it.candidate.as_ref().map(|candidate| &candidate.revision);
        for revision in std::iter::once(&it.active).chain(candidate) {
            for grant in revision.spec.grants.secret.values() {
                let (org, environment) = (it.key.org.clone(), it.key.environment.clone());
                used.insert(Place { org, environment, name: grant.from.clone() });
            }
        }
    }
    let place = |it: &SecretVersion| {
        let SecretVersion { environment, name, org, version } = it.clone();
        (Place { org, environment, name }, version)
    };
    versions.into_iter().map(place).filter(|(place, _)| used.contains(place)).collect()
}

/// The values that this host holds, sealed by its own key.
#[derive(Debug)]
pub(crate) struct FeedSecrets {
    folder: PathBuf,
    host: HostId,
    sealing: SealingKey,
    unsealing: UnsealingKey,
    held: Mutex<BTreeMap<Place, u64>>,
    /// None until the feed was heard.
    wanted: watch::Sender<Option<Wanted>>,
}

/// A value with its version.
type Versioned = (u64, Zeroizing<Vec<u8>>);

impl FeedSecrets {
    /// What an earlier run left. A file that does not open is erased: it is asked for again.
    ///
    /// # Errors
    /// When keys or the folder cannot be read.
    pub(crate) fn open(home: &Home) -> Result<Self, HomeError> {
        let this = Self {
            folder: home.layout().feed_secrets(),
            host: home.identity().host,
            sealing: home.keys()?.sealing,
            unsealing: home.unsealing_key()?,
            held: Mutex::default(),
            wanted: watch::Sender::new(None),
        };
        let mut held = BTreeMap::new();
        for place in this.places()? {
            match this.read(&place)? {
                Some((version, _)) => drop(held.insert(place, version)),
                None => drop(home::remove(&this.path(&place))?),
            }
        }
        *this.held.lock() = held;
        Ok(this)
    }

    /// Whether there is a value, without opening it.
    pub(crate) fn contains(&self, place: &Place) -> bool {
        self.held.lock().contains_key(place)
    }

    /// The value, if there is one.
    ///
    /// # Errors
    /// When the file cannot be read, or does not open.
    pub(crate) fn get(&self, place: &Place) -> Result<Option<Zeroizing<Vec<u8>>>, HomeError> {
        if !self.contains(place) {
            return Ok(None);
        }
        match self.read(place)? {
            Some((_, value)) => Ok(Some(value)),
            // It may have been erased since.
            None if !self.contains(place) => Ok(None),
            None => Err(HomeError::Sealed { path: self.path(place) }),
        }
    }

    /// Erases what is not wanted any more; says what is to be asked for.
    pub(crate) fn asks(&self, wanted: &Wanted) -> Result<Vec<SecretAsk>, HomeError> {
        let mut held = self.held.lock();
        let gone: Vec<Place> = held.keys().filter(|it| !wanted.contains_key(it)).cloned().collect();
        for place in gone {
            home::remove(&self.path(&place))?;
            held.remove(&place);
        }
        let behind =
            |(place, version): &(&Place, &u64)| held.get(place).is_none_or(|it| it < version);
        let ask = |(place, _): (&Place, &u64)| {
            let Place { org, environment, name } = place.clone();
            SecretAsk { environment, name, org }
        };
        Ok(wanted.iter().filter(behind).map(ask).collect())
    }

    /// Takes over what the server sent, as far as it was asked for, is for this host, and is newer.
    ///
    /// # Errors
    /// When a value cannot be written. What does not open is passed over.
    pub(crate) fn take(&self, wanted: &Wanted, sent: Secrets) -> Result<(), HomeError> {
        if sent.host != self.host {
            return Ok(());
        }
        for it in sent.secrets {
            let place = Place {
                org: it.org.clone(),
                environment: it.environment.clone(),
                name: it.name.clone(),
            };
            // An answer that was kept back must not bring an older value back.
            let Some(newest) = wanted.get(&place) else { continue };
            let known = self.held.lock().get(&place).copied().unwrap_or(0);
            if it.version < *newest || it.version <= known {
                continue;
            }
            match self.unseal(&place, &it) {
                Some(value) => self.keep(place, it.version, &value)?,
                None => {
                    tracing::error!(secret = %place, "what the server sealed does not open here")
                }
            }
        }
        Ok(())
    }

    fn unseal(&self, place: &Place, it: &SealedSecret) -> Option<Zeroizing<Vec<u8>>> {
        let most = (VALUE_BYTES_MAX + AROUND) / 3 * 4 + 4;
        let text = Some(&it.sealed).filter(|text| text.len() <= most)?;
        let whole = STANDARD.decode(text).ok()?;
        let (encapsulated, body) = whole.split_at_checked(ENCAPSULATED)?;
        let encapsulated = EncapsulatedSecret(encapsulated.to_vec());
        let info = format!("soma-secret/{}/{place}/{}", self.host, it.version);
        let key = HpkePrivateKey::from(self.unsealing.expose().to_vec());
        let suite = DH_KEM_X25519_HKDF_SHA256_AES_256;
        let value = suite.open(&encapsulated, info.as_bytes(), &[], body, &key).ok()?;
        let value = Zeroizing::new(value);
        (!value.is_empty() && value.len() <= VALUE_BYTES_MAX).then_some(value)
    }

    fn keep(&self, place: Place, version: u64, value: &[u8]) -> Result<(), HomeError> {
        let path = self.path(&place);
        let mut whole = Zeroizing::new(Vec::with_capacity(size_of::<u64>() + value.len()));
        whole.extend_from_slice(&version.to_be_bytes());
        whole.extend_from_slice(value);
        let sealed = self.sealing.seal(&bound_to(&place), &whole).ok_or_else(|| {
            HomeError::Key { path: path.clone(), what: "the value could not be sealed".to_owned() }
        })?;
        home::make_folder(&self.scope(&place))?;
        let mut held = self.held.lock();
        home::write_private(&path, &sealed)?;
        crash_point!("host.secret.kept");
        held.insert(place, version);
        Ok(())
    }

    /// Version and value of a file; none if it is not there or does not open at this place.
    fn read(&self, place: &Place) -> Result<Option<Versioned>, HomeError> {
        let limit = (VALUE_BYTES_MAX + AROUND) as u64;
        let Some(sealed) = home::read_if_there(&self.path(place), limit)? else { return Ok(None) };
        let Some(mut whole) = self.sealing.open(&bound_to(place), &sealed) else { return Ok(None) };
        let Some(version) = whole.first_chunk::<8>().map(|bytes| u64::from_be_bytes(*bytes)) else {
            return Ok(None);
        };
        whole.drain(..size_of::<u64>());
        Ok(Some((version, whole)))
    }

    /// Every file that could be one.
    fn places(&self) -> Result<Vec<Place>, HomeError> {
        let mut places = Vec::new();
        for org in parsed::<OrgId>(&self.folder)? {
            let folder = self.folder.join(org.as_str());
            for environment in parsed::<EnvironmentId>(&folder)? {
                let names = parsed::<SecretName>(&folder.join(environment.as_str()))?;
                let place =
                    |name| Place { org: org.clone(), environment: environment.clone(), name };
                places.extend(names.into_iter().map(place));
            }
        }
        Ok(places)
    }

    fn scope(&self, place: &Place) -> PathBuf {
        self.folder.join(place.org.as_str()).join(place.environment.as_str())
    }

    fn path(&self, place: &Place) -> PathBuf {
        self.scope(place).join(place.name.as_str())
    }
}

fn parsed<T: std::str::FromStr>(folder: &Path) -> Result<Vec<T>, HomeError> {
    Ok(home::names_in(folder)?.iter().filter_map(|name| name.parse().ok()).collect())
}

/// What a file is bound to. Files of the home's own secrets are bound to something else.
fn bound_to(place: &Place) -> Vec<u8> {
    format!("soma feed secret v1\n{place}").into_bytes()
}
