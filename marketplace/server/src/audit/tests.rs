//! Whoever changes, removes or signs an entry again is found, on both databases.

use serde_json::json;
use soma_policy::feed::{FeedHead, HostReport, HostRole};
use soma_policy::{BootId, Digest, JournalId};

use super::verify::{Signer, read_kept, walk};
use super::{Act, Sequencer, Verification};
use crate::fixture::{TestDatabase, on_both_databases};
use crate::hosts::fixture::TestHost;
use crate::server::Server;
use crate::store::{PlatformScope, Stream};

const SCOPE: PlatformScope = PlatformScope::of("tests");

async fn write(server: &Server, count: usize) {
    let mut unit = server.store.platform(SCOPE).await.unwrap();
    for n in 0..count {
        let entry = server.note(&server.platform, "user:x", Act::LoggedIn, n, &json!({ "n": n }));
        unit.audit(&entry).await.unwrap();
    }
    unit.commit().await.unwrap();
}

/// Ten entries, chained and signed; then the database is changed behind the server's back.
async fn after(database: &TestDatabase, sql: &str) -> Verification {
    let (server, clock, _) = database.server().await;
    write(&server, 5).await;
    let mut sequencer = Sequencer::default();
    sequencer.run(&server).await.unwrap();
    clock.advance_ms(20_000);
    write(&server, 5).await;
    sequencer.run(&server).await.unwrap();
    assert!(server.verify_audit().await.unwrap().sound);
    if !sql.is_empty() {
        database.tamper(sql).await;
    }
    let found = server.verify_audit().await.unwrap();
    server.store.close().await;
    found
}

/// Lifts the triggers first, as somebody would who owns the database.
fn lifted(database: &TestDatabase, sql: &str) -> String {
    let tables = ["audit_entries", "audit_checkpoints"];
    let lift: String = if database.owner.is_some() {
        tables.map(|table| format!("ALTER TABLE {table} DISABLE TRIGGER ALL;")).concat()
    } else {
        let names =
            tables.iter().flat_map(|table| ["keep", "freeze"].map(|end| format!("{table}_{end}")));
        names.map(|name| format!("DROP TRIGGER {name};")).collect()
    };
    lift + sql
}

fn kinds(found: &Verification) -> Vec<(&'static str, u64)> {
    found.findings.iter().map(|it| (it.kind, it.seq)).collect()
}

on_both_databases! {
    async fn an_untouched_chain_is_sound(database: TestDatabase) {
        let found = after(&database, "").await;
        assert_eq!((found.sound, found.entries, found.unchained), (true, 10, 0));
        assert_eq!(found.checkpoints, 4, "two, each inside and outside of the database");
    }

    async fn what_is_chained_while_the_chain_is_walked_is_no_finding(database: TestDatabase) {
        let (server, _, _) = database.server().await;
        write(&server, 5).await;
        Sequencer::default().run(&server).await.unwrap();
        let kept = read_kept(&server.checkpoints).await.unwrap();
        let mut unit = server.chain_as_it_is().await.unwrap();
        let end = unit.head(Stream::Audit).await.unwrap().unwrap();
        write(&server, 5).await;
        Sequencer::default().run(&server).await.unwrap();
        let signer = Signer { key: server.audit_key.public(), deployment: &server.deployment };
        let found = walk(&mut unit, &signer, &kept).await.unwrap();
        assert_eq!(kinds(&found), []);
        assert_eq!((found.entries, found.head), (end.seq, end.hash), "as it was when the walk began");
        drop(unit);
        assert!(server.verify_audit().await.unwrap().entries > end.seq);
    }

    async fn a_changed_entry_is_found(database: TestDatabase) {
        let sql = lifted(&database, "UPDATE audit_entries SET actor = 'user:y' WHERE seq = 3;");
        let found = after(&database, &sql).await;
        assert_eq!(kinds(&found), [("changed", 3)]);
    }

    async fn a_missing_entry_is_found(database: TestDatabase) {
        let sql = lifted(&database, "DELETE FROM audit_entries WHERE seq = 4;");
        assert_eq!(kinds(&after(&database, &sql).await), [("missing", 4)]);
    }

    async fn a_chain_that_was_cut_is_found(database: TestDatabase) {
        let sql = "DELETE FROM audit_entries WHERE seq > 7; DELETE FROM audit_checkpoints WHERE seq > 7; \
                   UPDATE sequences SET seq = 7, head = (SELECT hash FROM audit_entries WHERE seq = 7) WHERE stream = 'audit';";
        let sql = lifted(&database, sql);
        // The database agrees with itself; the file outside of it does not.
        assert_eq!(kinds(&after(&database, &sql).await), [("cut", 10)]);
    }

    async fn a_head_that_was_signed_again_is_found(database: TestDatabase) {
        let forged = soma_capsule::KeyPair::from_pkcs8_der(
            aws_lc_rs::signature::EcdsaKeyPair::generate_pkcs8(
                &aws_lc_rs::signature::ECDSA_P256_SHA256_ASN1_SIGNING, &aws_lc_rs::rand::SystemRandom::new(),
            ).unwrap().as_ref(),
        ).unwrap();
        let document = crate::audit::checkpoint::Signed {
            at: crate::fixture::START, deployment: "x".to_owned(), head: crate::audit::chain::START, hosts: Vec::new(), seq: 5,
        };
        let line = crate::audit::checkpoint::sign(&document, &forged).unwrap();
        let sql = format!("UPDATE audit_checkpoints SET envelope = '{line}' WHERE seq = 5;");
        let found = after(&database, &lifted(&database, &sql)).await;
        assert_eq!(kinds(&found), [("forged", 5)]);
    }

    async fn a_chain_that_was_written_anew_is_found(database: TestDatabase) {
        let (server, clock, _) = database.server().await;
        write(&server, 3).await;
        Sequencer::default().run(&server).await.unwrap();
        // Somebody with the whole database unchains, changes, and has it chained again.
        let sql = "UPDATE audit_entries SET actor = 'user:y', seq = NULL, prev = NULL, hash = NULL; \
                   UPDATE sequences SET seq = 0, head = 'sha256:0000000000000000000000000000000000000000000000000000000000000000' WHERE stream = 'audit';";
        database.tamper(&lifted(&database, sql)).await;
        clock.advance_ms(1000);
        Sequencer::default().run(&server).await.unwrap();
        let found = server.verify_audit().await.unwrap();
        assert_eq!(kinds(&found), [("rewritten", 3), ("rewritten", 3)], "{found:?}");
        server.store.close().await;
    }

    async fn two_workers_number_each_change_once(database: TestDatabase) {
        let (server, _, _) = database.server().await;
        write(&server, 300).await;
        let run = || async {
            let mut sequencer = Sequencer::default();
            sequencer.run(&server).await.unwrap()
        };
        let (a, b) = tokio::join!(run(), run());
        let c = run().await;
        // And the change that tells hosts of the first key.
        assert_eq!(a + b + c, 301);
        let found = server.verify_audit().await.unwrap();
        assert_eq!((found.sound, found.entries), (true, 300), "{found:?}");
        server.store.close().await;
    }

    async fn an_outbox_is_chained_from_its_beginning(database: TestDatabase) {
        let (server, _, _) = database.server().await;
        for n in 0..3 {
            let mut unit = server.store.platform(SCOPE).await.unwrap();
            let change = server.event(&server.platform, "identity.audit", n, &json!({ "n": n }));
            unit.change(&change).await.unwrap();
            unit.commit().await.unwrap();
        }
        Sequencer::default().run(&server).await.unwrap();
        let mut unit = server.store.survey(SCOPE).await.unwrap();
        let rows = unit.numbered(Stream::Outbox, 0, 10).await.unwrap();
        let mut prev = crate::audit::chain::START.to_string();
        for (index, row) in rows.iter().enumerate() {
            let (seq, before, hash) = row.link.clone().unwrap();
            assert_eq!((seq, before.as_str()), (index as u64 + 1, prev.as_str()));
            assert_eq!(hash, crate::audit::chain::delta(row, 0, seq, &prev));
            prev = hash;
        }
        assert_eq!(rows.len(), 3);
        assert_eq!(unit.head(Stream::Outbox).await.unwrap().unwrap().hash, prev);
    }

    async fn a_signed_head_names_the_journal_of_every_host(database: TestDatabase) {
        let (server, _, _) = database.server().await;
        for n in 1..=150 {
            let host = TestHost::joined(n, &server, HostRole::Host).await;
            let report = journal_at(u64::try_from(n).unwrap());
            let mut unit = server.store.platform(SCOPE).await.unwrap();
            assert!(unit.report_host(&host.id, &report, server.now()).await.unwrap());
            unit.commit().await.unwrap();
        }
        write(&server, 1).await;
        Sequencer::default().run(&server).await.unwrap();
        let mut unit = server.store.survey(SCOPE).await.unwrap();
        let rows = unit.checkpoints(0, 10).await.unwrap();
        let key = server.audit_key.public();
        let signed = crate::audit::checkpoint::open(&rows.last().unwrap().envelope, key).unwrap();
        assert_eq!(signed.hosts.len(), 150);
        let last = signed.hosts.last().unwrap();
        assert_eq!((last.seq, last.head), (150, Digest::of(b"150")));
        drop(unit);
        server.store.close().await;
    }

    async fn a_signed_head_with_an_earlier_journal_is_found(database: TestDatabase) {
        let (server, clock, _) = database.server().await;
        let host = TestHost::joined(1, &server, HostRole::Host).await;
        for seq in [9, 5] {
            let mut unit = server.store.platform(SCOPE).await.unwrap();
            unit.report_host(&host.id, &journal_at(seq), server.now()).await.unwrap();
            unit.commit().await.unwrap();
            write(&server, 1).await;
            clock.advance_ms(20_000);
            Sequencer::default().run(&server).await.unwrap();
        }
        let found = server.verify_audit().await.unwrap();
        let kinds = kinds(&found);
        assert!(!found.sound && kinds.iter().all(|(kind, seq)| *kind == "journal" && *seq == 2), "{found:?}");
        server.store.close().await;
    }
}

/// A report whose journal ends at a number.
fn journal_at(seq: u64) -> HostReport {
    HostReport {
        boot: BootId::from_u128(1),
        checks: Vec::new(),
        head: FeedHead::start(0),
        journal: JournalId::from_u128(5),
        journal_head: Digest::of(seq.to_string().as_bytes()),
        journal_seq: seq,
        nonce: "0123456789abcdef".to_owned(),
        not_running: Vec::new(),
        running: 0,
    }
}
