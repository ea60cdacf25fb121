//! Stories of a home whose files change: what runs before, what runs after, what is said.

use std::path::PathBuf;

use soma_capsule::{KeyPair, UnverifiedPackage, analyse, bundle, section};
use soma_policy::{Code, Digest, HostId, InstallationKey, Timestamp};

use super::{Change, State};
use crate::home::{Birth, Configuration, Home, HomeError, make_folder, write_private};

const COMPONENT: &str = r#"(component
    (core module $m (func (export "f") (result i32) i32.const 42))
    (core instance $i (instantiate $m))
    (func (export "answer") (result u32) (canon lift (core func $i "f"))))"#;
const MANIFEST: &str = r#"
schema = 1
name = "acme/answer"
version = "1.2.0"
kind = "task"
summary = "The answer"
licence = "Apache-2.0"
"#;
const NOW: Timestamp = Timestamp(1_800_000_000_000);

struct Desk {
    folder: tempfile::TempDir,
    digest: Digest,
}

impl Desk {
    /// A home with one signed capsule, installed as `answer`.
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let key = KeyPair::generate().unwrap();
        let home = home(&folder);
        let pinned = home.layout().publisher(&"acme".parse().unwrap());
        make_folder(&pinned).unwrap();
        write_private(&pinned.join("acme.pub"), key.public().to_pem().as_bytes()).unwrap();
        let manifest = soma_capsule::CapsuleFile::parse(MANIFEST).unwrap().manifest;
        let component = wat::parse_str(COMPONENT).unwrap();
        let component = section::embed(&component, &manifest.to_canonical().unwrap()).unwrap();
        let digest = Digest::of(&component);
        let package =
            UnverifiedPackage { bundle: bundle::sign_blob(&digest, &key).unwrap(), component };
        let analysis = analyse(&package.component).unwrap();
        home.store().put(&package, "answer.wasm", &analysis, NOW).unwrap();
        let desk = Self { folder, digest };
        desk.write("answer", &desk.text());
        desk
    }

    fn text(&self) -> String {
        format!(
            "schema = 1\ntenant = \"local\"\nenvironment = \"production\"\ncapsule = \"acme/answer\"\n\
             version = \"^1.2\"\ndigest = \"{}\"\n[budget]\nlimit = \"1.00 EUR\"\nper = \"day\"\nconcurrent_calls = 4\n",
            self.digest
        )
    }

    fn file(&self, id: &str) -> PathBuf {
        self.folder.path().join(format!("home/installations/local/production/{id}.toml"))
    }

    fn write(&self, id: &str, text: &str) {
        write_private(&self.file(id), text.as_bytes()).unwrap();
    }

    fn open(&self) -> Configuration {
        Configuration::open(home(&self.folder), None, NOW).unwrap()
    }
}

fn home(folder: &tempfile::TempDir) -> Home {
    let birth =
        Birth { now: NOW, host: HostId::from_u128(7), person: "ada".to_owned(), passphrase: None };
    Home::open_or_create(&folder.path().join("home"), &birth).unwrap().0
}

fn key(id: &str) -> InstallationKey {
    format!("local/production/{id}").parse().unwrap()
}

#[track_caller]
fn state(configuration: &Configuration, id: &str) -> State {
    configuration.snapshot().entry(&key(id)).unwrap().state()
}

fn revision(configuration: &Configuration, id: &str) -> u64 {
    configuration.snapshot().running(&key(id)).unwrap().revision
}

#[test]
fn a_good_file_runs_and_a_look_without_a_change_swaps_nothing() {
    let desk = Desk::new();
    let configuration = desk.open();
    assert_eq!(state(&configuration, "answer"), State::Active);
    let before = configuration.snapshot();
    let reloaded = configuration.reload(NOW).unwrap();
    assert!(reloaded.changes.is_empty(), "{:?}", reloaded.changes);
    assert_eq!(configuration.snapshot().load, before.load);
}

#[test]
fn a_bad_edit_keeps_the_old_revision_running_and_says_so() {
    let desk = Desk::new();
    let configuration = desk.open();
    desk.write("answer", &desk.text().replace("concurrent_calls", "concurent_calls"));
    let reloaded = configuration.reload(NOW).unwrap();
    assert!(matches!(reloaded.changes.as_slice(), [Change::KeptBack(_)]), "{:?}", reloaded.changes);
    assert_eq!(state(&configuration, "answer"), State::KeptBack);
    assert_eq!(revision(&configuration, "answer"), 1);
    let snapshot = configuration.snapshot();
    let problem = &snapshot.entry(&key("answer")).unwrap().problems[0];
    assert_eq!(problem.code, Code::InstallationUnknownKey);
    assert!(problem.what.contains("concurrent_calls") && problem.line == Some(10), "{problem}");

    desk.write("answer", &desk.text().replace("= 4", "= 5"));
    let reloaded = configuration.reload(NOW).unwrap();
    assert!(
        matches!(reloaded.changes.as_slice(), [Change::Replaced { .. }]),
        "{:?}",
        reloaded.changes
    );
    assert_eq!(
        (state(&configuration, "answer"), revision(&configuration, "answer")),
        (State::Active, 2)
    );
}

#[test]
fn a_host_that_starts_beside_a_bad_edit_runs_what_ran_before() {
    let desk = Desk::new();
    drop(desk.open());
    desk.write("answer", "schema = ");
    let configuration = desk.open();
    assert_eq!(state(&configuration, "answer"), State::KeptBack);
    assert_eq!(revision(&configuration, "answer"), 1);
}

#[test]
fn a_file_that_never_was_right_does_not_run() {
    let desk = Desk::new();
    desk.write("other", "schema = 1\n");
    desk.write("foreign", &desk.text().replace("\"local\"", "\"acme\""));
    desk.write("widest", &format!("{}\n[grants.http.x]\norigin = \"https://x.example\"\nmethods = [\"GET\"]\npaths = [\"/**\"]\n", desk.text()));
    let configuration = desk.open();
    for id in ["other", "foreign", "widest"] {
        assert_eq!(state(&configuration, id), State::Invalid, "{id}");
        assert!(configuration.snapshot().running(&key(id)).is_none(), "{id}");
    }
    let snapshot = configuration.snapshot();
    let code = |id: &str| snapshot.entry(&key(id)).unwrap().problems[0].code;
    assert_eq!(code("foreign"), Code::InstallationPlace);
    assert_eq!(code("widest"), Code::GrantUnknown);
}

#[test]
fn a_removed_file_is_uninstalled_and_its_numbers_are_not_used_again() {
    let desk = Desk::new();
    let configuration = desk.open();
    std::fs::remove_file(desk.file("answer")).unwrap();
    let reloaded = configuration.reload(NOW).unwrap();
    assert!(
        matches!(reloaded.changes.as_slice(), [Change::Uninstalled(_)]),
        "{:?}",
        reloaded.changes
    );
    assert!(configuration.snapshot().is_empty());
    desk.write("answer", &desk.text());
    configuration.reload(NOW).unwrap();
    assert_eq!(revision(&configuration, "answer"), 2);
}

#[test]
fn a_bad_policy_edit_keeps_the_old_policy_and_says_so() {
    let desk = Desk::new();
    let configuration = desk.open();
    let before = configuration.snapshot().policy.hash();
    let policy = desk.folder.path().join("home/policy/more.cedar");
    write_private(&policy, b"permit (").unwrap();
    configuration.reload(NOW).unwrap();
    let snapshot = configuration.snapshot();
    assert_eq!(snapshot.policy.hash(), before);
    assert!(
        snapshot.problems.iter().any(|p| p.path.ends_with("more.cedar")),
        "{:?}",
        snapshot.problems
    );
    assert_eq!(state(&configuration, "answer"), State::Active);
    let opened = Configuration::open(home(&desk.folder), None, NOW).unwrap_err();
    assert!(matches!(opened, HomeError::Malformed { .. }), "{opened}");
    std::fs::remove_file(policy).unwrap();
    configuration.reload(NOW).unwrap();
    assert!(configuration.snapshot().problems.is_empty());
}

#[test]
fn withdrawn_trust_ends_what_it_signed() {
    let desk = Desk::new();
    let configuration = desk.open();
    std::fs::remove_file(desk.folder.path().join("home/trust/publishers/acme/acme.pub")).unwrap();
    let reloaded = configuration.reload(NOW).unwrap();
    assert!(
        reloaded.changes.iter().any(|c| matches!(c, Change::Uninstalled(_))),
        "{:?}",
        reloaded.changes
    );
    assert_eq!(state(&configuration, "answer"), State::Invalid);
    let snapshot = configuration.snapshot();
    assert_eq!(snapshot.entry(&key("answer")).unwrap().problems[0].code, Code::PublisherUnknown);
}

#[test]
fn a_broken_trust_folder_keeps_the_old_keys_and_says_so() {
    let desk = Desk::new();
    let configuration = desk.open();
    let junk = desk.folder.path().join("home/trust/publishers/acme/junk.pub");
    write_private(&junk, b"not a key").unwrap();
    let reloaded = configuration.reload(NOW).unwrap();
    assert!(!reloaded.trust_changed);
    assert_eq!(state(&configuration, "answer"), State::Active);
    let snapshot = configuration.snapshot();
    assert!(
        snapshot.problems.iter().any(|p| p.what.contains("the old keys stay")),
        "{:?}",
        snapshot.problems
    );
}

#[test]
fn a_swapped_component_in_the_store_is_noticed() {
    let desk = Desk::new();
    let store = home(&desk.folder).store();
    let blobs = store.path(&desk.digest).join("blobs/sha256");
    let hex = desk.digest.to_string().replace("sha256:", "");
    let blob = blobs.join(hex);
    let mut bytes = std::fs::read(&blob).unwrap();
    bytes[20] ^= 1;
    std::fs::write(&blob, bytes).unwrap();
    let configuration = desk.open();
    assert_eq!(state(&configuration, "answer"), State::Invalid);
}

#[test]
fn a_limit_that_the_operator_lowers_reaches_what_is_installed() {
    let desk = Desk::new();
    let configuration = desk.open();
    let limits = desk.folder.path().join("home/policy/limits.toml");
    write_private(&limits, b"cpu = \"10 ms\"\n").unwrap();
    configuration.reload(NOW).unwrap();
    let snapshot = configuration.snapshot();
    let entry = snapshot.entry(&key("answer")).unwrap();
    let lowered = entry.running.as_ref().is_none_or(|i| i.limits.cpu.0 <= 10);
    assert!(lowered, "{entry:?}");
}
