//! Installations as a server says them: revisions become an immutable snapshot, as files do.
//!
//! A revision that cannot run here is told with its reason, and what ran before it does not go on in its place:
//! the tenant's word is the newer one, and it may have been a narrower one.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arc_swap::ArcSwap;
use parking_lot::Mutex;
use soma_policy::feed::{CandidateState, Installed, RevisionState, RevokedRelease};
use soma_policy::{
    CapsuleFacts, Code, Digest, FeedPosition, Installation, InstallationKey, OperatorPolicy,
    RegionId,
};

use super::load::{Inputs, Reloaded, changes, is_unchanged};
use super::snapshot::{Candidate, Entry, Refused, RevokedReleases, Snapshot};
use super::{FileProblem, INSTALLATIONS_MAX};

/// What the feed says of one installation.
#[derive(Debug, Clone)]
pub(crate) enum Said {
    /// This.
    Is(Arc<Installed>),
    /// Something that this program cannot read, and why.
    Unreadable(Arc<str>),
}

impl Said {
    /// The installation, if it can be read.
    pub(crate) fn installed(&self) -> Option<&Installed> {
        match self {
            Self::Is(installed) => Some(installed),
            Self::Unreadable(_) => None,
        }
    }

    /// The components that it runs, or may run next.
    pub(crate) fn digests(&self) -> impl Iterator<Item = Digest> + '_ {
        self.installed().into_iter().flat_map(|it| {
            let candidate = it.candidate.as_ref().map(|candidate| candidate.revision.digest());
            std::iter::once(it.active.digest()).chain(candidate)
        })
    }
}

/// What is different.
#[derive(Debug, Default)]
pub(crate) struct Edits {
    /// The place of the feed from then on; none if only something beside the feed is different.
    pub(crate) position: Option<FeedPosition>,
    /// What is said now; none where nothing is said any more.
    pub(crate) said: Vec<(InstallationKey, Option<Said>)>,
    /// What is not named is gone.
    pub(crate) whole: bool,
    /// Everything is judged again: other keys count.
    pub(crate) again: bool,
    /// Components that came meanwhile, or were found not to work here.
    pub(crate) digests: HashSet<Digest>,
    /// Releases that never run again.
    pub(crate) revoked: Vec<(Digest, Arc<RevokedRelease>)>,
}

/// The installations of a host with a server.
#[derive(Debug)]
pub(crate) struct Fed {
    current: ArcSwap<Snapshot>,
    // Changes come one after the other; readers never wait for them.
    said: Mutex<BTreeMap<InstallationKey, Said>>,
}

impl Fed {
    /// Nothing yet, under this policy.
    pub(crate) fn new(policy: Arc<OperatorPolicy>) -> Self {
        let empty = Snapshot {
            load: 0,
            position: FeedPosition::default(),
            policy,
            problems: Vec::new(),
            entries: HashMap::new(),
            revoked: Arc::default(),
        };
        Self { current: ArcSwap::from_pointee(empty), said: Mutex::default() }
    }

    /// What runs now.
    pub(crate) fn snapshot(&self) -> Arc<Snapshot> {
        self.current.load_full()
    }

    /// Takes over what is different, and swaps once.
    pub(crate) fn apply(&self, mut edits: Edits, inputs: &Inputs<'_>) -> Reloaded {
        let mut said = self.said.lock();
        let old = self.current.load_full();
        let revoked = with_revoked(&old, &mut edits);
        let (policy, mut problems) = match &inputs.policy {
            Ok(policy) => (Arc::clone(policy), Vec::new()),
            Err(problems) => (Arc::clone(&old.policy), problems.clone()),
        };
        problems.extend(inputs.problems.iter().cloned());
        let policy_changed = old.policy.hash() != policy.hash();
        let all = edits.again || edits.whole || policy_changed;
        let judged = take(&mut said, &edits, all);
        let mut entries = if all { HashMap::new() } else { old.entries.clone() };
        let judge = Judge { policy: &policy, inputs, old: &old, revoked: &revoked };
        for key in judged {
            match said.get(&key) {
                Some(now) => entries.insert(key.clone(), Arc::new(judge.entry(key, now))),
                None => entries.remove(&key),
            };
        }
        if said.len() > INSTALLATIONS_MAX {
            let what = format!("the server says more than {INSTALLATIONS_MAX} installations");
            problems.push(FileProblem::new(Code::InstallationCount, &PathBuf::from("feed"), what));
        }
        let changes = changes(&old, &entries);
        let position = edits.position.unwrap_or(old.position);
        let load = position.n;
        let snapshot = Snapshot { load, position, policy, problems, entries, revoked };
        let snapshot = Arc::new(snapshot);
        self.current.store(Arc::clone(&snapshot));
        Reloaded { policy_changed, ..Reloaded::new(snapshot, changes) }
    }
}

/// What never runs again from now on. What that is new to is judged anew.
fn with_revoked(old: &Snapshot, edits: &mut Edits) -> Arc<RevokedReleases> {
    let news: Vec<_> = std::mem::take(&mut edits.revoked);
    let news: Vec<_> =
        news.into_iter().filter(|(digest, _)| !old.revoked.contains_key(digest)).collect();
    if news.is_empty() {
        return Arc::clone(&old.revoked);
    }
    edits.digests.extend(news.iter().map(|(digest, _)| *digest));
    let mut all = RevokedReleases::clone(&old.revoked);
    all.extend(news);
    Arc::new(all)
}

/// Remembers what is said now; returns what is to be judged.
fn take(
    said: &mut BTreeMap<InstallationKey, Said>,
    edits: &Edits,
    all: bool,
) -> Vec<InstallationKey> {
    if edits.whole {
        said.clear();
    }
    for (key, now) in &edits.said {
        match now {
            Some(now) => said.insert(key.clone(), now.clone()),
            None => said.remove(key),
        };
    }
    if all {
        return said.keys().cloned().collect();
    }
    let named = edits.said.iter().map(|(key, _)| key.clone());
    let concerned = |said: &Said| said.digests().any(|digest| edits.digests.contains(&digest));
    let came = said.iter().filter(|(_, said)| concerned(said)).map(|(key, _)| key.clone());
    let came: Vec<_> = if edits.digests.is_empty() { Vec::new() } else { came.collect() };
    named.chain(came).collect()
}

struct Judge<'a> {
    policy: &'a Arc<OperatorPolicy>,
    inputs: &'a Inputs<'a>,
    old: &'a Snapshot,
    revoked: &'a RevokedReleases,
}

impl Judge<'_> {
    fn entry(&self, key: InstallationKey, said: &Said) -> Entry {
        let path = PathBuf::from(format!("feed/{key}"));
        let bare = |problems| Entry {
            key: key.clone(),
            path: path.clone(),
            running: None,
            candidate: None,
            problems,
            refused: Vec::new(),
        };
        let installed = match said {
            Said::Is(installed) => installed,
            Said::Unreadable(why) => {
                let what = format!("this program cannot read what the server says: {why}");
                let problem = FileProblem::new(Code::InstallationBadValue, &path, what);
                let refused = Refused { revision: 0, problem: problem.clone() };
                return Entry { refused: vec![refused], ..bare(vec![problem]) };
            }
        };
        let region = installed.region.as_ref();
        let mut entry = match self.revision(&key, &installed.active, region, Billing::Full) {
            Ok(running) => Entry { running: Some(running), ..bare(Vec::new()) },
            Err(problems) => {
                let refused = first(installed.active.number, &problems);
                Entry { refused, ..bare(problems) }
            }
        };
        if let Some(CandidateState { gate, revision }) = &installed.candidate {
            match self.revision(&key, revision, region, Billing::None) {
                Ok(installation) => {
                    entry.candidate = Some(Candidate { installation, gate: gate.clone() });
                }
                Err(problems) => entry.refused.extend(first(revision.number, &problems)),
            }
        }
        entry
    }

    fn revision(
        &self,
        key: &InstallationKey,
        state: &RevisionState,
        region: Option<&RegionId>,
        billing: Billing,
    ) -> Result<Arc<Installation>, Vec<FileProblem>> {
        let path = PathBuf::from(format!("feed/{key}"));
        self.may_run(&path, state, region).map_err(|problem| vec![problem])?;
        let mut spec = state.spec.clone();
        if spec.tenant != key.org || spec.environment != key.environment {
            let what = format!("the revision is of {}/{}", spec.tenant, spec.environment);
            return Err(vec![FileProblem::new(Code::InstallationPlace, &path, what)]);
        }
        let facts = (self.inputs.facts)(&spec.digest).map_err(|mut problem| {
            problem.path.clone_from(&path);
            vec![problem]
        })?;
        // What the tenant accepted stands beside the file, and takes the place of the capsule's own price.
        spec.offer = None;
        let facts = CapsuleFacts { price: state.accepted.price, ..CapsuleFacts::clone(&facts) };
        let compiled =
            Installation::compile(key.id.clone(), spec, &facts, self.policy, state.number);
        let mut compiled = compiled.map_err(|denials| {
            denials.iter().map(|d| FileProblem::denied(&path, d)).collect::<Vec<_>>()
        })?;
        compiled.offer = state.accepted.offer;
        if billing == Billing::None {
            compiled.price = None;
        }
        Ok(self.reuse(key, compiled))
    }

    /// Whether it may run at all: never after its release was revoked, and nowhere but in its region.
    fn may_run(
        &self,
        path: &Path,
        state: &RevisionState,
        region: Option<&RegionId>,
    ) -> Result<(), FileProblem> {
        let refuse = |code: Code, what: String| {
            let remedy = Some(code.entry().remedy.to_owned());
            Err(FileProblem { remedy, ..FileProblem::new(code, path, what) })
        };
        if let Some(revoked) = self.revoked.get(&state.digest()) {
            let RevokedRelease { capsule, reason, version } = &**revoked;
            let what = format!("{capsule}@{version} is revoked: {reason}");
            return refuse(Code::ReleaseRevoked, what);
        }
        let here = self.policy.region();
        match region {
            Some(wanted) if here != Some(wanted) => {
                let here = here.map_or("in none".to_owned(), |here| format!("in `{here}`"));
                let what = format!("it runs in region `{wanted}` alone, and this host is {here}");
                refuse(Code::ResidencyRegion, what)
            }
            _ => Ok(()),
        }
    }

    /// What did not change keeps its identity, so that nothing judges it again for nothing.
    fn reuse(&self, key: &InstallationKey, new: Installation) -> Arc<Installation> {
        let old = self.old.entry(key);
        let candidate = old.and_then(|entry| entry.candidate.as_ref()).map(|it| &it.installation);
        let known = old.and_then(|entry| entry.running.as_ref()).into_iter().chain(candidate);
        let same = |old: &&Arc<Installation>| is_unchanged(old, &new) && old.price == new.price;
        known.into_iter().find(same).cloned().unwrap_or_else(|| Arc::new(new))
    }
}

/// Whether calls of a revision are charged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Billing {
    Full,
    /// A candidate's are not.
    None,
}

fn first(revision: u64, problems: &[FileProblem]) -> Vec<Refused> {
    let first = problems.first().cloned();
    first.map(|problem| Refused { revision, problem }).into_iter().collect()
}
