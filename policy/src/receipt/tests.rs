//! The canonical form of every journal line, frozen: a change here is a new version of the format.

use insta::assert_snapshot;

use super::*;
use crate::audit::{AuditEvent, AuditKind};
use crate::canonical;
use crate::code::Code;
use crate::denial::Layer;
use crate::id::{BootId, OrderId};
use crate::outcome::LimitKind;

fn facts() -> CallFacts {
    CallFacts {
        call: CallId::from_u128(1),
        digest: Digest::of(b"component"),
        environment: "production".parse().unwrap(),
        feed: FeedPosition { epoch: 0, n: 3 },
        function: "to-json".parse().unwrap(),
        grants: Digest::of(b"grants"),
        installation: "csv".parse().unwrap(),
        lease: LeaseId::from_u128(2),
        offer: Digest::of(b"offer"),
        org: "local".parse().unwrap(),
        parent: None,
        policy: Digest::of(b"policy"),
        revision: 1,
        root: CallId::from_u128(1),
        started_at: Timestamp(1_700_000_000_000),
    }
}

fn receipt() -> Receipt {
    let denial =
        Denial::new(Code::HttpMethod, Layer::Grant, "POST https://a.example/", "not granted")
            .on("http.issues".parse().unwrap())
            .fix("add \"POST\"");
    Receipt {
        charge: Some("0.0005 EUR".parse().unwrap()),
        denials: vec![denial],
        denials_dropped: 2,
        ended_at: Timestamp(1_700_000_000_041),
        facts: CallFacts { parent: Some(CallId::from_u128(7)), ..facts() },
        mapped_peers: vec!["https://a.example:443".to_owned()],
        outcome: Outcome::Limit(LimitKind::Cpu),
        usage: Usage { cpu_us: 200_000, memory_peak: u64::MAX, ..Usage::default() },
        v: Receipt::VERSION,
    }
}

fn entries() -> Vec<JournalEntry> {
    let (boot, at) = (BootId::from_u128(3), Timestamp(1_700_000_000_000));
    vec![
        JournalEntry::Boot(BootRecord {
            boot,
            at,
            feed: FeedPosition::default(),
            version: "0.1.0".to_owned(),
        }),
        JournalEntry::Start(StartRecord {
            boot,
            facts: facts(),
            reserved: Some("0.001 EUR".parse().unwrap()),
        }),
        JournalEntry::Usage(UsageMark { call: CallId::from_u128(1), at, usage: Usage::default() }),
        JournalEntry::Receipt(Box::new(receipt())),
        JournalEntry::Denials(DenialSummary {
            at,
            code: Code::HttpOrigin,
            count: 9,
            environment: "production".parse().unwrap(),
            installation: "csv".parse().unwrap(),
            layer: Layer::Manifest,
            org: "local".parse().unwrap(),
            sample: "GET https://evil.example/".to_owned(),
        }),
        JournalEntry::Lease(LeaseRecord {
            at,
            currency: crate::Currency::EUR,
            day: 19_675,
            event: LeaseEvent::Taken,
            given: None,
            installation: "local/production/csv".parse().unwrap(),
            lease: LeaseId::from_u128(2),
            limit_micros: 5_000_000,
        }),
        JournalEntry::Lease(LeaseRecord {
            at,
            currency: crate::Currency::EUR,
            day: 19_675,
            event: LeaseEvent::Closing,
            given: Some(LeaseGiven {
                boot,
                bytes: Some(u64::MAX),
                start_by: at,
                terms: Digest::of(b"terms"),
            }),
            installation: "local/production/csv".parse().unwrap(),
            lease: LeaseId::from_u128(3),
            limit_micros: 7,
        }),
        JournalEntry::Kill(KillRecord {
            at,
            complete: false,
            document: Digest::of(b"order"),
            order: OrderId::from_u128(4),
            envelope: "{}".to_owned(),
            uptime_ms: 3_600_000,
        }),
        JournalEntry::Uptime(UptimeMark { at, uptime_ms: 5 }),
        JournalEntry::Audit(Box::new(AuditEvent {
            actor: "home".to_owned(),
            at,
            digest: Some(Digest::of(b"policy")),
            environment: None,
            event: AuditKind::PolicyChanged,
            org: Some("local".parse().unwrap()),
            subject: "policy".to_owned(),
        })),
    ]
}

fn text(entry: &impl Serialize) -> String {
    String::from_utf8(canonical::to_vec(entry).unwrap()).unwrap()
}

#[test]
fn the_canonical_form_of_each_line_is_frozen() {
    let lines: Vec<String> = entries().iter().map(text).collect();
    assert_snapshot!(lines.join("\n"));
}

#[test]
fn every_line_reads_back_and_refuses_a_key_more() {
    for entry in entries() {
        let line = text(&entry);
        assert_eq!(serde_json::from_str::<JournalEntry>(&line).unwrap(), entry);
        let more = line.replacen("\"body\":{", "\"body\":{\"aaa\":1,", 1);
        assert!(serde_json::from_str::<JournalEntry>(&more).is_err(), "{more}");
    }
}

#[test]
fn numbers_beyond_a_double_survive() {
    let line = text(&receipt());
    assert!(line.contains("\"memory_peak\":\"18446744073709551615\""), "{line}");
    assert_eq!(serde_json::from_str::<Receipt>(&line).unwrap().usage.memory_peak, u64::MAX);
    assert!(
        serde_json::from_str::<Receipt>(
            &line.replace("\"18446744073709551615\"", "18446744073709551615")
        )
        .is_err()
    );
}

#[test]
fn the_writer_reorders_nothing_on_the_hot_path() {
    // Fields are declared in the order of their names, so the canonical text is the declared one.
    for entry in entries() {
        if let JournalEntry::Receipt(mut receipt) = entry {
            receipt.outcome = Outcome::Ok;
            assert_eq!(text(&*receipt), serde_json::to_string(&*receipt).unwrap());
        }
    }
}
