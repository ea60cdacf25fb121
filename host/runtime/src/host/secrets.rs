//! Where the http room takes values from: the sealed files of a home, or what its server sent.
//!
//! A host with a server uses what the server sent and nothing else, as it does with installations: a file of the
//! same name that was left in the home is not a tenant's word.

use std::sync::Arc;

use futures::FutureExt as _;
use futures::future::BoxFuture;
use soma_policy::{InstallationKey, SecretName};
use zeroize::Zeroizing;

use super::Host;
use crate::capability::http::{SecretSource, SecretUnavailable};
use crate::capability::secret::SecretStored;
use crate::feed::secrets::{FeedSecrets, Place, follow};
use crate::home::{Home, HomeError, SecretScope, SecretStore};

/// Begins to follow what is wanted, on the control threads.
pub(super) fn start(host: &Host) {
    if let (Some(kept), Some(feed)) = (&host.feed_secrets, host.feed()) {
        host.control().spawn(follow(Arc::downgrade(kept), Arc::clone(feed.client())));
    }
}

/// Where values come from.
pub(crate) enum Source {
    /// The home's own files.
    Files(SecretStore),
    /// The server.
    Feed(Arc<FeedSecrets>),
}

impl Source {
    /// What the server sent, if there is a server.
    pub(crate) fn of(home: &Home, feed: Option<&Arc<FeedSecrets>>) -> Result<Self, HomeError> {
        match feed {
            Some(feed) => Ok(Self::Feed(Arc::clone(feed))),
            None => home.secrets().map(Self::Files),
        }
    }

    /// Says whether there is a value, for `soma:secret`.
    pub(super) fn stored(self) -> Box<SecretStored> {
        Box::new(move |key: &InstallationKey, name: &SecretName| match &self {
            Self::Files(files) => files.contains(&scope(key), name),
            Self::Feed(feed) => feed.contains(&place(key, name)),
        })
    }

    fn value(
        &self,
        owner: &InstallationKey,
        name: &SecretName,
    ) -> Result<Option<Zeroizing<Vec<u8>>>, HomeError> {
        match self {
            Self::Files(files) => {
                let found = files.get(&scope(owner), name)?;
                Ok(found.map(|value| Zeroizing::new(value.expose().to_vec())))
            }
            Self::Feed(feed) => feed.get(&place(owner, name)),
        }
    }
}

impl SecretSource for Source {
    fn reveal<'a>(
        &'a self,
        owner: &'a InstallationKey,
        name: &'a SecretName,
    ) -> BoxFuture<'a, Result<Option<Zeroizing<Vec<u8>>>, SecretUnavailable>> {
        std::future::ready(self.value(owner, name).map_err(|_| SecretUnavailable)).boxed()
    }
}

fn scope(key: &InstallationKey) -> SecretScope {
    SecretScope { org: key.org.clone(), environment: key.environment.clone() }
}

fn place(key: &InstallationKey, name: &SecretName) -> Place {
    let (org, environment) = (key.org.clone(), key.environment.clone());
    Place { org, environment, name: name.clone() }
}
