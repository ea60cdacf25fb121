//! What the server says at one place of its feed, read once: nothing later sees raw JSON.
//!
//! An installation that cannot be read is kept as such: it does not run, and the server is told. Any other
//! subject that cannot be read refuses the change with everything beside it: half of what the server says is
//! worse than nothing, and nothing ends in this host's going stale.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde::de::DeserializeOwned;
use serde_json::Value;
use soma_capsule::TrustStore;
use soma_policy::feed::{
    Batch, ConstitutionNotice, FeedHead, Installed, IssuerState, KillNotice, PublisherKeys,
    Revoked, RevokedRelease, SecretVersion, Snapshot, Topic,
};
use soma_policy::price::Terms;
use soma_policy::{Digest, InstallationKey, Timestamp};

use super::FeedError;
use crate::home::spki_key;
use crate::installations::Said;
use crate::token::{Issuers, Withdrawn};

/// Everything that the server says.
#[derive(Debug, Clone)]
pub(crate) struct Held {
    pub(crate) head: FeedHead,
    installed: BTreeMap<InstallationKey, Said>,
    publishers: BTreeMap<String, Arc<PublisherKeys>>,
    issuers: BTreeMap<String, Arc<IssuerState>>,
    revoked: BTreeMap<String, Arc<Revoked>>,
    kills: BTreeMap<String, Arc<KillNotice>>,
    terms: BTreeMap<Digest, Arc<Terms>>,
    secrets: BTreeMap<String, SecretVersion>,
    constitution: Option<Arc<ConstitutionNotice>>,
    releases: BTreeMap<Digest, Arc<RevokedRelease>>,
}

/// Which of it is different than before.
#[derive(Debug, Default)]
pub(crate) struct Touched {
    /// Everything was said anew: what is not said any more is gone.
    pub(crate) whole: bool,
    pub(crate) installations: BTreeSet<InstallationKey>,
    pub(crate) publishers: bool,
    pub(crate) issuers: bool,
    pub(crate) revoked: bool,
    pub(crate) terms: bool,
    pub(crate) secrets: bool,
    pub(crate) constitution: bool,
    pub(crate) kills: Vec<Arc<KillNotice>>,
    pub(crate) releases: BTreeSet<Digest>,
}

impl Held {
    /// Nothing, before the first snapshot.
    pub(crate) const fn nothing() -> Self {
        Self {
            head: FeedHead::start(0),
            installed: BTreeMap::new(),
            publishers: BTreeMap::new(),
            issuers: BTreeMap::new(),
            revoked: BTreeMap::new(),
            kills: BTreeMap::new(),
            terms: BTreeMap::new(),
            secrets: BTreeMap::new(),
            constitution: None,
            releases: BTreeMap::new(),
        }
    }

    /// Whether nothing was ever said.
    pub(crate) fn is_nothing(&self) -> bool {
        self.head == FeedHead::start(0)
    }

    /// What a snapshot says.
    pub(super) fn of(snapshot: &Snapshot) -> Result<(Self, Touched), FeedError> {
        let mut this = Self { head: snapshot.head, ..Self::nothing() };
        let mut touched = Touched {
            whole: true,
            publishers: true,
            issuers: true,
            revoked: true,
            terms: true,
            secrets: true,
            ..Touched::default()
        };
        for item in &snapshot.items {
            this.take(item.topic, &item.subject, &item.payload, &mut touched)?;
        }
        Ok((this, touched))
    }

    /// What is said after a batch that follows.
    pub(super) fn after(&self, batch: &Batch) -> Result<(Self, Touched), FeedError> {
        let mut next = self.clone();
        let touched = next.follow(batch)?;
        Ok((next, touched))
    }

    /// Takes over a batch. After an error this is half of what the server says, and not to be used.
    pub(super) fn follow(&mut self, batch: &Batch) -> Result<Touched, FeedError> {
        let mut touched = Touched::default();
        for change in &batch.changes {
            self.take(change.topic, &change.subject, &change.payload, &mut touched)?;
        }
        self.head = batch.head;
        Ok(touched)
    }

    fn take(
        &mut self,
        topic: Topic,
        subject: &str,
        payload: &Value,
        touched: &mut Touched,
    ) -> Result<(), FeedError> {
        let name = subject.to_owned();
        match topic {
            Topic::Installation => {
                let key: InstallationKey =
                    subject.parse().map_err(|e| unfit(topic, subject, &e))?;
                match said(&key, payload) {
                    Some(said) => self.installed.insert(key.clone(), said),
                    None => self.installed.remove(&key),
                };
                touched.installations.insert(key);
            }
            Topic::Publisher => {
                touched.publishers = true;
                put(&mut self.publishers, name, read(topic, subject, payload)?.map(Arc::new));
            }
            Topic::Issuer => {
                touched.issuers = true;
                put(&mut self.issuers, name, read(topic, subject, payload)?.map(Arc::new));
            }
            Topic::Revocation => {
                touched.revoked = true;
                put(&mut self.revoked, name, read(topic, subject, payload)?.map(Arc::new));
            }
            Topic::Kill => {
                // An order is never taken back: its lift is a document of its own.
                if let Some(notice) = read::<KillNotice>(topic, subject, payload)?.map(Arc::new) {
                    touched.kills.push(Arc::clone(&notice));
                    self.kills.insert(name, notice);
                }
            }
            Topic::Terms => {
                touched.terms = true;
                let digest: Digest = subject.parse().map_err(|e| unfit(topic, subject, &e))?;
                put(&mut self.terms, digest, read(topic, subject, payload)?.map(Arc::new));
            }
            Topic::Secret => {
                touched.secrets = true;
                put(&mut self.secrets, name, read(topic, subject, payload)?);
            }
            Topic::Constitution => {
                // One is replaced by the next, and never taken back.
                if let Some(notice) = read::<ConstitutionNotice>(topic, subject, payload)? {
                    touched.constitution = true;
                    self.constitution = Some(Arc::new(notice));
                }
            }
            Topic::Release => {
                // Nothing gives a revoked release back.
                let digest: Digest = subject.parse().map_err(|e| unfit(topic, subject, &e))?;
                if let Some(revoked) = read::<RevokedRelease>(topic, subject, payload)? {
                    touched.releases.insert(digest);
                    self.releases.insert(digest, Arc::new(revoked));
                }
            }
        }
        Ok(())
    }

    /// What is said of these installations; of all if none are named.
    pub(crate) fn said(&self, touched: &Touched) -> Vec<(InstallationKey, Option<Said>)> {
        if touched.whole {
            let all = self.installed.iter();
            return all.map(|(key, said)| (key.clone(), Some(said.clone()))).collect();
        }
        let each = touched.installations.iter();
        each.map(|key| (key.clone(), self.installed.get(key).cloned())).collect()
    }

    /// All installations.
    pub(crate) fn installed(&self) -> impl Iterator<Item = (&InstallationKey, &Said)> {
        self.installed.iter()
    }

    /// The kill documents.
    pub(crate) fn kills(&self) -> impl Iterator<Item = &Arc<KillNotice>> {
        self.kills.values()
    }

    /// The constitution, as the server tells it.
    pub(crate) const fn constitution(&self) -> Option<&Arc<ConstitutionNotice>> {
        self.constitution.as_ref()
    }

    /// Releases that were revoked just now; all of them if everything was said anew.
    pub(crate) fn revoked(&self, touched: &Touched) -> Vec<(Digest, Arc<RevokedRelease>)> {
        let concerned = |digest: &Digest| touched.whole || touched.releases.contains(digest);
        let each = self.releases.iter().filter(|(digest, _)| concerned(digest));
        each.map(|(digest, revoked)| (*digest, Arc::clone(revoked))).collect()
    }

    /// The terms that leases name.
    pub(crate) const fn terms(&self) -> &BTreeMap<Digest, Arc<Terms>> {
        &self.terms
    }

    /// Which version each secret has.
    pub(crate) fn secrets(&self) -> impl Iterator<Item = &SecretVersion> {
        self.secrets.values()
    }

    /// Whose signatures count. A key that cannot be used counts for nobody.
    pub(crate) fn trust(&self) -> TrustStore {
        let mut store = TrustStore::new();
        for (name, keys) in &self.publishers {
            if keys.publisher.as_str() != name {
                tracing::error!(publisher = %name, "the feed names another publisher's keys here");
                continue;
            }
            for key in &keys.keys {
                let pinned = spki_key(key).and_then(|key| {
                    store.pin(keys.publisher.clone(), key).map_err(|e| e.to_string())
                });
                if let Err(error) = pinned {
                    tracing::error!(publisher = %name, %error, "a publisher's key is not used");
                }
            }
        }
        store
    }

    /// Whose tokens are taken.
    pub(crate) fn issuers(&self) -> Issuers {
        let each = self.issuers.iter().map(|(kid, state)| (kid.as_str(), &**state));
        Issuers::of_feed(each)
    }

    /// Which tokens were taken back.
    pub(crate) fn withdrawn(&self, now: Timestamp) -> Withdrawn {
        Withdrawn::of(self.revoked.values().map(|revoked| &**revoked), now)
    }
}

fn put<K: Ord, V>(map: &mut BTreeMap<K, V>, key: K, value: Option<V>) {
    match value {
        Some(value) => map.insert(key, value),
        None => map.remove(&key),
    };
}

fn said(key: &InstallationKey, payload: &Value) -> Option<Said> {
    if payload.is_null() {
        return None;
    }
    Some(match serde_json::from_value::<Installed>(payload.clone()) {
        Ok(installed) if installed.key == *key => Said::Is(Arc::new(installed)),
        Ok(installed) => {
            Said::Unreadable(format!("the feed says `{}` in its place", installed.key).into())
        }
        Err(error) => {
            Said::Unreadable(error.to_string().chars().take(300).collect::<String>().into())
        }
    })
}

fn read<T: DeserializeOwned>(
    topic: Topic,
    subject: &str,
    payload: &Value,
) -> Result<Option<T>, FeedError> {
    if payload.is_null() {
        return Ok(None);
    }
    serde_json::from_value(payload.clone()).map(Some).map_err(|e| unfit(topic, subject, &e))
}

fn unfit(topic: Topic, subject: &str, error: &dyn std::fmt::Display) -> FeedError {
    let subject: String = subject.escape_debug().take(120).collect();
    FeedError::Unfit(format!("{} `{subject}` cannot be read: {error}", topic.as_str()))
}
