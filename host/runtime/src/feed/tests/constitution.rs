use serde_json::json;
use soma_capsule::constitution::{Constitution, KIND};
use soma_capsule::dsse;
use soma_capsule::key::KeyPair;
use soma_policy::feed::{ConstitutionNotice, FeedHead, Topic};
use soma_policy::{Code, Digest, JournalEntry, Outcome, PolicySources};

use super::desk::{Capsule, Desk, NOW, applied, kv, ready};
use super::server::{DEPLOYMENT, Mode};
use crate::Host;
use crate::home::{OperatorEntry, OperatorFile, OperatorsOnDisk as _, encoded};
use std::sync::Arc;

/// Nobody calls `spin`.
const NO_SPIN: &str = "@id(\"no-spin\")\n@reason(\"It goes nowhere.\")\n\
    forbid (principal is Caller, action == Action::\"call\", resource is Installation)\n\
    when { context.function == \"spin\" };\n";
/// Nothing is read from a kv store.
const NO_KV: &str = "@id(\"no-kv\")\n@reason(\"It forgets.\")\n\
    forbid (principal is Installation, action == Action::\"kv.read\", resource is Capability);\n";

fn written(version: u64, policies: &[(&str, &str)]) -> Constitution {
    let here = (version > 1).then(|| (version - 1, Digest::of(b"the one before")));
    let sources = PolicySources::starter();
    let mut document = Constitution::of(&sources, String::new(), DEPLOYMENT, here, NOW);
    for (name, text) in policies {
        document.policies.insert((*name).to_owned(), (*text).to_owned());
    }
    document
}

fn tell(desk: &Desk, document: &Constitution, keys: &[&KeyPair]) -> FeedHead {
    let envelope = dsse::sign_document(KIND, document, keys).unwrap().to_json();
    let notice = ConstitutionNotice { envelope: String::from_utf8(envelope).unwrap() };
    desk.server.say(Topic::Constitution, "active", json!(notice))
}

async fn running(desk: &Desk) -> (Arc<Host>, Capsule) {
    let capsule = desk.capsule(42, "1.0.0");
    desk.publish(&capsule);
    let head = desk.install("answer", desk.revision(&capsule, 1, &kv()));
    let host = desk.open_with(&[&capsule]);
    applied(&host, head).await;
    ready(desk, &host).await;
    (host, capsule)
}

/// The codes of what is wrong with the home's law.
fn problems(host: &Host) -> Vec<Code> {
    let snapshot = host.snapshot();
    let of = snapshot.problems.iter().filter(|it| it.path.ends_with("constitution.json"));
    of.map(|it| it.code).collect()
}

fn holds(host: &Host) -> Option<u64> {
    host.constitution().map(|it| it.version)
}

#[tokio::test(flavor = "multi_thread")]
async fn what_enough_operators_signed_judges_calls_from_then_on_and_over_a_restart() {
    let desk = Desk::new().await;
    let (host, capsule) = running(&desk).await;
    let before = host.snapshot().policy.hash();
    assert_eq!(desk.call(&host, "answer").await.outcome, Outcome::Ok);
    let document = written(1, &[("no-spin.cedar", NO_SPIN)]);
    applied(&host, tell(&desk, &document, &[&desk.operator])).await;
    assert_eq!((holds(&host), problems(&host)), (Some(1), vec![]));
    assert_ne!(host.snapshot().policy.hash(), before);
    assert_eq!(desk.call(&host, "answer").await.outcome, Outcome::Ok);
    let refused = desk.call(&host, "spin").await;
    assert_eq!(refused.outcome, Outcome::Denied);
    assert_eq!(refused.denials[0].code, Code::PolicyForbids);
    // The journal says which law it was, and who brought it.
    let journal = host.journal();
    let entry = format!("constitution/1/{}", document.digest());
    let last = *journal.durable().borrow();
    let page = journal.read(1, usize::try_from(last).unwrap()).unwrap();
    let named = page.records.iter().any(|line| match serde_json::from_str(line.body()) {
        Ok(JournalEntry::Audit(event)) => event.subject == entry && event.actor == "server",
        _ => false,
    });
    assert!(named, "{entry}");
    // Once it was taken, no server can take it away, and no server has to be there.
    desk.server.mode(Mode::Down);
    let hash = host.snapshot().policy.hash();
    drop(host);
    let host = desk.open_with(&[&capsule]);
    assert_eq!((holds(&host), host.snapshot().policy.hash()), (Some(1), hash));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_running_call_that_it_forbids_is_cut_and_no_other() {
    let desk = Desk::new().await;
    let (host, _) = running(&desk).await;
    let token = desk.token("user:1", 1);
    let call = desk.start(&host, "spin", &token).await;
    applied(&host, tell(&desk, &written(1, &[]), &[&desk.operator])).await;
    assert_eq!(host.calls().running().len(), 1, "nothing forbids it");
    tell(&desk, &written(2, &[("no-spin.cedar", NO_SPIN)]), &[&desk.operator]);
    let reply = call.reply().await;
    assert_eq!(reply.outcome, Outcome::Denied);
    assert!(reply.denials.iter().any(|it| it.code == Code::PolicyForbids), "{:?}", reply.denials);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_running_call_asks_for_is_judged_by_the_law_that_came_meanwhile() {
    let desk = Desk::new().await;
    let (host, _) = running(&desk).await;
    let token = desk.token("user:1", 1);
    let call = desk.start(&host, "spin", &token).await;
    let [running] = host.calls().running().try_into().unwrap_or_else(|_| panic!("one call"));
    assert!(running.later_policy().is_none());
    applied(&host, tell(&desk, &written(1, &[("no-kv.cedar", NO_KV)]), &[&desk.operator])).await;
    let later = running.later_policy().clone().unwrap();
    assert_eq!(later.hash(), host.snapshot().policy.hash());
    assert!(later.mentions(soma_policy::HostAction::KvRead));
    running.cut(crate::running::Cut::Abandoned);
    call.reply().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_too_few_signed_or_that_is_not_newer_is_refused_and_named() {
    let desk = Desk::new().await;
    let (host, _) = running(&desk).await;
    let bob = KeyPair::generate().unwrap();
    operators(&desk, 2, &[("ada", &desk.operator), ("bob", &bob)]);
    host.reload().unwrap();
    let both = [&desk.operator, &bob];
    let document = |version| written(version, &[("no-spin.cedar", NO_SPIN)]);
    let mallory = KeyPair::generate().unwrap();
    let mut foreign = document(1);
    foreign.deployment = "01OTHER".to_owned();
    let mut empty = document(1);
    empty.policies.clear();
    for (what, it, keys, code) in [
        ("one signature", document(1), vec![&desk.operator], Code::ConstitutionSigners),
        ("a stranger's", document(1), vec![&desk.operator, &mallory], Code::ConstitutionSigners),
        ("none", document(1), vec![], Code::ConstitutionSigners),
        ("another deployment's", foreign, both.to_vec(), Code::ConstitutionForeign),
        ("nobody may do anything", empty, both.to_vec(), Code::PolicyEmpty),
    ] {
        applied(&host, tell(&desk, &it, &keys)).await;
        assert_eq!((holds(&host), problems(&host)), (None, vec![code]), "{what}");
    }
    applied(&host, tell(&desk, &document(3), &both)).await;
    assert_eq!((holds(&host), problems(&host)), (Some(3), vec![]));
    // Neither back, nor another one under the same number.
    for it in [document(2), written(3, &[])] {
        applied(&host, tell(&desk, &it, &both)).await;
        assert_eq!((holds(&host), problems(&host)), (Some(3), vec![Code::ConstitutionStale]));
    }
    // The same one again is the one that holds, whoever signed this copy.
    applied(&host, tell(&desk, &document(3), &[])).await;
    assert_eq!((holds(&host), problems(&host)), (Some(3), vec![]));
    let reply = desk.call(&host, "spin").await;
    assert_eq!(reply.outcome, Outcome::Denied);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_waited_for_signatures_holds_once_the_homes_own_operators_are_enough() {
    let desk = Desk::new().await;
    let (host, _) = running(&desk).await;
    let bob = KeyPair::generate().unwrap();
    applied(&host, tell(&desk, &written(1, &[]), &[&bob])).await;
    assert_eq!((holds(&host), problems(&host)), (None, vec![Code::ConstitutionSigners]));
    operators(&desk, 1, &[("bob", &bob)]);
    host.reload().unwrap();
    assert_eq!((holds(&host), problems(&host)), (Some(1), vec![]));
    // And it goes on holding under operators who never signed it.
    operators(&desk, 1, &[("ada", &desk.operator)]);
    host.reload().unwrap();
    assert_eq!((holds(&host), problems(&host)), (Some(1), vec![]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_one_stops_the_start_and_never_falls_back_to_the_folder() {
    let desk = Desk::new().await;
    let (host, _) = running(&desk).await;
    applied(&host, tell(&desk, &written(1, &[]), &[&desk.operator])).await;
    drop(host);
    let path = desk.home().layout().constitution();
    let kept = std::fs::read(&path).unwrap();
    std::fs::write(&path, &kept[..kept.len() / 2]).unwrap();
    let refused = desk.home().policy().unwrap_err();
    assert!(refused[0].path.ends_with("constitution.json"), "{refused:?}");
    std::fs::write(&path, &kept).unwrap();
    desk.home().policy().unwrap();
}

fn operators(desk: &Desk, quorum: u32, all: &[(&str, &KeyPair)]) {
    let entry = |(name, key): &(&str, &KeyPair)| OperatorEntry {
        name: (*name).to_owned(),
        person: (*name).to_owned(),
        key: encoded(key.public()),
    };
    let list = OperatorFile { schema: 1, quorum, operators: all.iter().map(entry).collect() };
    list.write(desk.home().layout(), &desk.root).unwrap();
}
