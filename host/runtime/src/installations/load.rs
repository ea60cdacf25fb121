//! Loading and reloading: files, facts and policy become a snapshot.

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arc_swap::ArcSwap;
use parking_lot::Mutex;
use soma_policy::{
    CapsuleFacts, Code, Digest, FeedPosition, Installation, InstallationKey, OperatorPolicy,
};

use super::memory::Memory;
use super::place::all_files;
use super::snapshot::{Change, Entry, Snapshot};
use super::{FILE_BYTES_MAX, FileProblem, parse_spec};
use crate::home::{HomeError, Layout, OperatorFile, Orgs, read_bounded};

/// What files are judged against. All of it may have changed since the last load.
pub struct Inputs<'a> {
    /// The operator's policy, or why the edited one cannot be taken (the old one stays).
    pub policy: Result<Arc<OperatorPolicy>, Vec<FileProblem>>,
    /// Facts of the verified capsule behind a digest.
    pub facts: &'a dyn Fn(&Digest) -> Result<Arc<CapsuleFacts>, FileProblem>,
    /// What is wrong with other files that decide: trust, issuers.
    pub problems: Vec<FileProblem>,
}

impl std::fmt::Debug for Inputs<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Inputs").finish_non_exhaustive()
    }
}

/// The installations of a home.
#[derive(Debug)]
pub struct Installations {
    layout: Layout,
    current: ArcSwap<Snapshot>,
    // Reloads come one after the other; readers never wait for them.
    memory: Mutex<Memory>,
}

/// What a reload did.
#[derive(Debug)]
pub struct Reloaded {
    /// What runs now.
    pub snapshot: Arc<Snapshot>,
    /// What is different from before.
    pub changes: Vec<Change>,
    /// Whether other keys of publishers count than before.
    pub trust_changed: bool,
    /// Whether another policy judges than before.
    pub policy_changed: bool,
    /// The list of operators, if it is another one than before.
    pub operators: Option<OperatorFile>,
}

impl Reloaded {
    /// A reload under the same trust and policy as before.
    pub(crate) fn new(snapshot: Arc<Snapshot>, changes: Vec<Change>) -> Self {
        Self { snapshot, changes, trust_changed: false, policy_changed: false, operators: None }
    }
}

impl Installations {
    /// Loads a home for the first time. Bad files are entries that do not run; a bad policy is an error,
    /// as there is no earlier one to go on with.
    pub fn open(layout: &Layout, inputs: &Inputs<'_>) -> Result<Self, HomeError> {
        let policy = match &inputs.policy {
            Ok(policy) => Arc::clone(policy),
            Err(problems) => return Err(bad_policy(layout, problems)),
        };
        let memory = Memory::load(layout.state().join("installations.json"))?;
        let empty = Snapshot {
            load: 0,
            position: FeedPosition::default(),
            policy,
            problems: Vec::new(),
            entries: HashMap::new(),
            revoked: Arc::default(),
        };
        let this = Self {
            layout: layout.clone(),
            current: ArcSwap::from_pointee(empty),
            memory: Mutex::new(memory),
        };
        this.reload(inputs)?;
        Ok(this)
    }

    /// What runs now.
    #[must_use]
    pub fn snapshot(&self) -> Arc<Snapshot> {
        self.current.load_full()
    }

    /// Reads everything again and swaps once. An error leaves everything as it was.
    pub fn reload(&self, inputs: &Inputs<'_>) -> Result<Reloaded, HomeError> {
        let mut memory = self.memory.lock();
        let old = self.current.load_full();
        let orgs = Orgs::load(&self.layout)?;
        let found = all_files(&self.layout.installations())?;
        let (policy, mut problems) = match &inputs.policy {
            Ok(policy) => (Arc::clone(policy), Vec::new()),
            Err(problems) => (Arc::clone(&old.policy), problems.clone()),
        };
        problems.extend(found.misplaced);
        problems.extend(inputs.problems.iter().cloned());
        let mut loader = Loader { orgs, policy: &policy, inputs, memory: &mut memory, old: &old };
        let entries: HashMap<InstallationKey, Arc<Entry>> = found
            .files
            .into_iter()
            .map(|(key, path)| (key.clone(), Arc::new(loader.entry(key, path))))
            .collect();
        let there: HashSet<String> = entries.keys().map(ToString::to_string).collect();
        memory.retain(|key| there.contains(key));
        let changes = changes(&old, &entries);
        if is_same(&old, &policy, &problems, &entries, &changes) {
            memory.save()?;
            return Ok(Reloaded::new(old, changes));
        }
        let load = memory.next_load();
        memory.save()?;
        let position = FeedPosition { epoch: 0, n: load };
        let revoked = Arc::default();
        let snapshot = Arc::new(Snapshot { load, position, policy, problems, entries, revoked });
        self.current.store(Arc::clone(&snapshot));
        let policy_changed = old.policy.hash() != snapshot.policy.hash();
        Ok(Reloaded { policy_changed, ..Reloaded::new(snapshot, changes) })
    }
}

struct Loader<'a> {
    orgs: Orgs,
    policy: &'a Arc<OperatorPolicy>,
    inputs: &'a Inputs<'a>,
    memory: &'a mut Memory,
    old: &'a Snapshot,
}

impl Loader<'_> {
    fn entry(&mut self, key: InstallationKey, path: PathBuf) -> Entry {
        match self.compile_file(&key, &path) {
            Ok(installation) => Entry::of_file(key, path, Some(installation), Vec::new()),
            Err(problems) => {
                let running = self.last_good(&key, &path);
                Entry::of_file(key, path, running, problems)
            }
        }
    }

    fn compile_file(
        &mut self,
        key: &InstallationKey,
        path: &Path,
    ) -> Result<Arc<Installation>, Vec<FileProblem>> {
        let text = read_text(path).map_err(|p| vec![p])?;
        let digest = Digest::of(text.as_bytes());
        if let Some(same) = self.untouched(key, &digest) {
            return Ok(same);
        }
        let revision = self.memory.revision_of(key, &digest);
        let installation = self.compile(key, path, &text, revision)?;
        self.memory.keep(key, revision, digest, &text);
        Ok(installation)
    }

    /// What runs, if neither its file nor the policy nor its capsule's facts are different: with ten
    /// thousand files, one edit must not cost ten thousand compilations.
    fn untouched(&self, key: &InstallationKey, text: &Digest) -> Option<Arc<Installation>> {
        let running = self.old.running(key)?;
        let known = self.memory.get(key)?;
        let same_text = known.digest == *text && known.revision == running.revision;
        if !same_text || self.old.policy.hash() != self.policy.hash() {
            return None;
        }
        let facts = (self.inputs.facts)(&running.digest).ok()?;
        (facts.signer == running.signer && self.orgs.allows(&key.org, &key.environment))
            .then(|| Arc::clone(running))
    }

    /// The text that was right before, judged again: a bad edit must not keep alive what policy, trust or
    /// the capsule's facts no longer allow.
    fn last_good(&self, key: &InstallationKey, path: &Path) -> Option<Arc<Installation>> {
        let known = self.memory.get(key)?;
        self.compile(key, path, &known.text, known.revision).ok()
    }

    fn compile(
        &self,
        key: &InstallationKey,
        path: &Path,
        text: &str,
        revision: u64,
    ) -> Result<Arc<Installation>, Vec<FileProblem>> {
        let spec = parse_spec(path, text).map_err(|p| vec![p])?;
        self.check_place(key, path, &spec).map_err(|p| vec![p])?;
        let facts = (self.inputs.facts)(&spec.digest).map_err(|mut problem| {
            problem.path = path.to_owned();
            vec![problem]
        })?;
        let compiled = Installation::compile(key.id.clone(), spec, &facts, self.policy, revision);
        let compiled = compiled.map(Arc::new).map_err(|denials| {
            denials.iter().map(|d| FileProblem::denied(path, d)).collect::<Vec<_>>()
        })?;
        Ok(self.reuse(key, compiled))
    }

    /// An installation that did not change keeps its identity, so that nothing judges it again for nothing.
    fn reuse(&self, key: &InstallationKey, new: Arc<Installation>) -> Arc<Installation> {
        match self.old.running(key) {
            Some(old) if is_unchanged(old, &new) => Arc::clone(old),
            _ => new,
        }
    }

    fn check_place(
        &self,
        key: &InstallationKey,
        path: &Path,
        spec: &soma_policy::InstallationSpec,
    ) -> Result<(), FileProblem> {
        if spec.tenant != key.org || spec.environment != key.environment {
            let what = format!(
                "the file lies under {}/{} and says tenant `{}`, environment `{}`",
                key.org, key.environment, spec.tenant, spec.environment
            );
            return Err(FileProblem::new(Code::InstallationPlace, path, what));
        }
        if !self.orgs.allows(&key.org, &key.environment) {
            let what = format!("orgs.toml has no tenant `{}` with `{}`", key.org, key.environment);
            return Err(FileProblem::new(Code::InstallationPlace, path, what));
        }
        Ok(())
    }
}

/// Whether nothing that decides is different. The revision stands for the file's text; the rest comes from
/// the capsule and from the operator.
pub(super) fn is_unchanged(old: &Installation, new: &Installation) -> bool {
    old.revision == new.revision
        && old.digest == new.digest
        && old.signer == new.signer
        && old.limits == new.limits
        && old.grants_hash == new.grants_hash
        && old.kill_subject() == new.kill_subject()
}

fn read_text(path: &Path) -> Result<String, FileProblem> {
    let bytes = read_bounded(path, FILE_BYTES_MAX).map_err(|e| {
        let source = std::error::Error::source(&e).map(|s| format!(": {s}")).unwrap_or_default();
        FileProblem::new(Code::InstallationSyntax, path, format!("{e}{source}"))
    })?;
    String::from_utf8(bytes).map_err(|e| {
        let at = e.utf8_error().valid_up_to();
        let what = format!("the file is not UTF-8 text (byte {at})");
        FileProblem::new(Code::InstallationSyntax, path, what)
    })
}

pub(super) fn changes(old: &Snapshot, new: &HashMap<InstallationKey, Arc<Entry>>) -> Vec<Change> {
    let mut changes = Vec::new();
    for entry in new.values() {
        let before = old.entry(&entry.key);
        match (before.and_then(|e| e.running.as_ref()), entry.running.as_ref()) {
            (None, Some(new)) => changes.push(Change::Installed(Arc::clone(new))),
            (Some(old), None) => changes.push(Change::Uninstalled(Arc::clone(old))),
            (Some(old), Some(new)) if !Arc::ptr_eq(old, new) => {
                changes.push(Change::Replaced { old: Arc::clone(old), new: Arc::clone(new) });
            }
            _ => {}
        }
        if let Some(gone) = before.and_then(|before| backed_out(before, entry)) {
            changes.push(Change::BackedOut(gone));
        }
        let problems_before = before.map(|e| e.problems.as_slice()).unwrap_or_default();
        if !entry.problems.is_empty() && entry.problems != problems_before {
            changes.push(Change::KeptBack(entry.key.clone()));
        }
    }
    for (key, entry) in old.entries.iter().filter(|(key, _)| !new.contains_key(*key)) {
        let candidate = entry.candidate.as_ref().map(|candidate| &candidate.installation);
        let gone = entry.running.iter().chain(candidate);
        changes.extend(gone.map(|gone| Change::Uninstalled(Arc::clone(gone))));
        tracing::debug!(%key, "uninstalled");
    }
    changes
}

/// The candidate that was there and neither is any more nor became what runs.
fn backed_out(before: &Entry, now: &Entry) -> Option<Arc<Installation>> {
    let old = &before.candidate.as_ref()?.installation;
    let is = |it: &Arc<Installation>| it.revision == old.revision && it.digest == old.digest;
    let candidate = now.candidate.as_ref().map(|candidate| &candidate.installation);
    let stays = now.running.iter().chain(candidate).any(is);
    (!stays).then(|| Arc::clone(old))
}

fn is_same(
    old: &Snapshot,
    policy: &Arc<OperatorPolicy>,
    problems: &[FileProblem],
    entries: &HashMap<InstallationKey, Arc<Entry>>,
    changes: &[Change],
) -> bool {
    let same_problems = |key: &InstallationKey, entry: &Entry| {
        old.entry(key).is_some_and(|before| before.problems == entry.problems)
    };
    old.load > 0
        && changes.is_empty()
        && old.policy.hash() == policy.hash()
        && old.problems == problems
        && old.entries.len() == entries.len()
        && entries.iter().all(|(key, entry)| same_problems(key, entry))
}

pub(crate) fn bad_policy(layout: &Layout, problems: &[FileProblem]) -> HomeError {
    let what: Vec<String> = problems.iter().map(ToString::to_string).collect();
    HomeError::Malformed { path: layout.policy(), what: what.join("; ") }
}
