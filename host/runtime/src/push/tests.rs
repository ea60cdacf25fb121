//! A server that takes records as the real one does, and what the host makes of its answers.

use soma_policy::{AuditEvent, AuditKind, HostId, JournalEntry, Timestamp};

use super::*;
use crate::journal::{JournalOptions, test_key};

struct Rig {
    journal: Journal,
    _folder: tempfile::TempDir,
}

fn rig() -> Rig {
    let folder = tempfile::tempdir().unwrap();
    let options = JournalOptions::new(
        folder.path().join("journal"),
        folder.path().join("head/journal"),
        JournalId::from_u128(1),
        HostId::from_u128(2),
        Timestamp(1),
    );
    let journal = Journal::open(options, test_key(), &mut |_| {}).unwrap();
    Rig { journal, _folder: folder }
}

impl Rig {
    fn note(&self, text: &str) {
        let entry = JournalEntry::Audit(Box::new(AuditEvent {
            actor: "home".to_owned(),
            at: Timestamp(1),
            digest: None,
            environment: None,
            event: AuditKind::TrustChanged,
            org: None,
            subject: text.to_owned(),
        }));
        self.journal.append(&entry).wait().unwrap();
    }

    fn pushed(&self, push: &mut Push, server: &mut Taker) -> Result<Progress, PushError> {
        let sent = push.due(&self.journal)?.expect("something is due");
        let ack = server.take(&sent);
        push.acked(&self.journal, &sent, &ack)
    }

    fn all(&self, push: &mut Push, server: &mut Taker) {
        while push.due(&self.journal).unwrap().is_some() {
            self.pushed(push, server).unwrap();
        }
    }
}

/// Takes what follows, passes over what it has, and says where to go on.
#[derive(Debug, Default)]
struct Taker(Vec<String>);

impl Taker {
    fn next(&self) -> u64 {
        self.0.len() as u64 + 1
    }

    fn ack(&self) -> JournalAck {
        let hash = self.0.last().map_or(Digest::ZERO, |last| Digest::of(last.as_bytes()));
        let (host, journal) = (HostId::from_u128(2), JournalId::from_u128(1));
        JournalAck { hash, host, journal, next: self.next(), nonce: String::new() }
    }

    fn take(&mut self, push: &JournalPush) -> JournalAck {
        for (seq, record) in (push.from..).zip(&push.records) {
            if seq == self.next() {
                self.0.push(record.clone());
            } else if seq < self.next() {
                assert_eq!(&self.0[seq as usize - 1], record, "a fork");
            }
        }
        self.ack()
    }
}

fn records(rig: &Rig) -> Vec<String> {
    let page = rig.journal.read(0, 10_000).unwrap();
    page.records.into_iter().map(|line| line.record).collect()
}

#[test]
fn the_server_is_asked_first_and_then_gets_everything_in_order() {
    let (rig, mut push, mut server) = (rig(), Push::default(), Taker::default());
    (0..7).for_each(|n| rig.note(&n.to_string()));
    let first = push.due(&rig.journal).unwrap().unwrap();
    assert!(first.records.is_empty() && first.from > 7);
    rig.all(&mut push, &mut server);
    rig.journal.close().unwrap();
    rig.all(&mut push, &mut server);
    assert_eq!(server.0, records(&rig));
    assert!(server.0.last().unwrap().starts_with("{\"head\""), "the signature goes up too");
}

#[test]
fn a_restart_goes_on_where_the_server_is() {
    let (rig, mut server) = (rig(), Taker::default());
    rig.note("a");
    rig.all(&mut Push::default(), &mut server);
    rig.note("b");
    let mut again = Push::default();
    rig.pushed(&mut again, &mut server).unwrap();
    let sent = again.due(&rig.journal).unwrap().unwrap();
    assert_eq!(sent.from, server.next());
    rig.all(&mut again, &mut server);
    rig.journal.close().unwrap();
    rig.all(&mut again, &mut server);
    assert_eq!(server.0, records(&rig));
}

#[test]
fn a_server_that_was_restored_gets_again_what_it_lost() {
    let (rig, mut push, mut server) = (rig(), Push::default(), Taker::default());
    (0..5).for_each(|n| rig.note(&n.to_string()));
    rig.all(&mut push, &mut server);
    server.0.truncate(2);
    rig.note("more");
    assert_eq!(rig.pushed(&mut push, &mut server).unwrap(), Progress::More);
    assert_eq!(push.due(&rig.journal).unwrap().unwrap().from, 3);
    rig.journal.close().unwrap();
    rig.all(&mut push, &mut server);
    assert_eq!(server.0, records(&rig));
}

#[test]
fn a_server_that_takes_nothing_is_asked_again_later() {
    let (rig, mut push, mut server) = (rig(), Push::default(), Taker::default());
    rig.note("a");
    rig.pushed(&mut push, &mut server).unwrap();
    let sent = push.due(&rig.journal).unwrap().unwrap();
    let stays = push.acked(&rig.journal, &sent, &server.ack()).unwrap();
    assert_eq!(stays, Progress::None);
    assert_eq!(rig.pushed(&mut push, &mut server).unwrap(), Progress::More);
}

#[test]
fn a_disk_that_is_an_older_copy_and_a_journal_that_two_wrote_send_nothing() {
    let (rig, mut server) = (rig(), Taker::default());
    rig.note("a");
    rig.journal.close().unwrap();
    rig.all(&mut Push::default(), &mut server);
    let (held, mut push) = (server.0.len() as u64, Push::default());
    let asked = push.due(&rig.journal).unwrap().unwrap();
    let ahead = JournalAck { next: held + 2, ..server.ack() };
    let refused = push.acked(&rig.journal, &asked, &ahead).unwrap_err();
    assert!(matches!(refused, PushError::Ahead { next, last } if (next, last) == (held + 2, held)));
    let forked = JournalAck { hash: Digest::of(b"another"), ..server.ack() };
    let refused = push.acked(&rig.journal, &asked, &forked).unwrap_err();
    assert!(matches!(refused, PushError::Forked(seq) if seq == held));
    assert_eq!(refused.code(), Code::JournalForked);
    let other = JournalAck { journal: JournalId::from_u128(9), ..server.ack() };
    assert!(matches!(push.acked(&rig.journal, &asked, &other), Err(PushError::Unfit(_))));
    let theirs = JournalAck { host: HostId::from_u128(9), ..server.ack() };
    assert!(matches!(push.acked(&rig.journal, &asked, &theirs), Err(PushError::Foreign(_))));
    let earlier = JournalAck { nonce: "of-another-request".to_owned(), ..server.ack() };
    assert!(matches!(push.acked(&rig.journal, &asked, &earlier), Err(PushError::Foreign(_))));
    assert!(push.acked(&rig.journal, &asked, &server.ack()).is_ok());
}

#[test]
fn pages_are_bounded_and_become_smaller_for_a_server_that_wants_less() {
    let (rig, mut push, mut server) = (rig(), Push::default(), Taker::default());
    (0..40).for_each(|n| rig.note(&n.to_string()));
    rig.pushed(&mut push, &mut server).unwrap();
    (0..5).for_each(|_| push.smaller());
    assert!(push.due(&rig.journal).unwrap().unwrap().records.len() <= 15);
    (0..9).for_each(|_| push.smaller());
    assert_eq!(push.due(&rig.journal).unwrap().unwrap().records.len(), 1);
    rig.all(&mut push, &mut server);
    assert!(server.0.len() >= 40);
}
