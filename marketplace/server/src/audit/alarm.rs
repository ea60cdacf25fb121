//! The alarm when a host's journal goes back: a disk that was restored from a copy, a journal that was cut
//! or written anew, or another machine under the host's name.
//!
//! What a host reports is compared with what it reported before; and the first report of a run with how far the
//! journal is taken, as a copy may have outgrown the last report. Later ones of a run are not: they say what was
//! durable when they were made, and what came after may be taken before they arrive. So no host sends records before
//! its first report is answered. Whether money is settled is decided by whoever reads the journal itself.

use serde_json::json;
use soma_market::settle::Position;
use soma_policy::Timestamp;
use soma_policy::feed::HostReport;

use super::Act;
use crate::server::Server;
use crate::store::{HostRow, PlatformUnit, StoreError};

/// What is wrong with a report after what the host said before; none if its journal only went on.
fn went_back(before: &HostRow, report: &HostReport) -> Option<String> {
    let journal = before.journal?;
    if report.journal != journal {
        return Some(format!("it keeps journal {} instead of {journal}", report.journal));
    }
    if report.journal_seq < before.journal_seq {
        let (from, to) = (before.journal_seq, report.journal_seq);
        return Some(format!("its journal went back from {from} to {to}"));
    }
    if report.journal_seq == before.journal_seq && report.journal_head != before.journal_head {
        return Some(format!("its journal has another record {}", before.journal_seq));
    }
    None
}

/// What is wrong with the first report of a run after what was taken of the journal; none if that is all there.
fn fell_short(taken: &Position, report: &HostReport) -> Option<String> {
    let last = taken.next.saturating_sub(1);
    if report.journal_seq < last {
        let ends = report.journal_seq;
        return Some(format!("its journal ends with {ends}, and {last} of its records were taken"));
    }
    if last > 0 && report.journal_seq == last && report.journal_head != taken.head {
        return Some(format!("its journal has another record {last} than was taken"));
    }
    None
}

impl PlatformUnit {
    async fn fell_short(
        &mut self,
        before: &HostRow,
        report: &HostReport,
    ) -> Result<Option<String>, StoreError> {
        if before.boot == Some(report.boot) {
            return Ok(None);
        }
        let taken = self.journal_place(report.journal).await?;
        // Of another host's journal nothing is said here: nobody pushes it but that host.
        let taken = taken.filter(|taken| taken.host == before.host);
        Ok(taken.and_then(|taken| fell_short(&taken, report)))
    }
}

impl Server {
    /// Compares a report with what was reported and taken before, in the transaction that stores it. A host whose
    /// journal went back gets no money and no secrets until an operator has looked.
    pub(crate) async fn watch_journal(
        &self,
        unit: &mut PlatformUnit,
        report: &HostReport,
        before: &HostRow,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let why = match went_back(before, report) {
            None => unit.fell_short(before, report).await?,
            why => why,
        };
        let Some(why) = why else { return Ok(()) };
        tracing::error!(host = %before.host, %why, "the journal of a host went back");
        if unit.quarantine_host(&before.host, &why, now).await? {
            let detail = json!({
                "journal": report.journal.to_string(),
                "seq": report.journal_seq.to_string(),
                "was": before.journal_seq.to_string(),
                "why": why,
            });
            let actor = format!("host:{}", before.host);
            let entry =
                self.note(&self.platform, &actor, Act::JournalWentBack, before.host, &detail);
            unit.audit(&entry).await?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use soma_policy::feed::{FeedHead, HostRole};
    use soma_policy::{BootId, Digest, HostId, JournalId, Timestamp};

    use super::*;
    use crate::fixture::on_both_databases;
    use crate::hosts::fixture::TestHost;
    use crate::store::PlatformScope;

    const SCOPE: PlatformScope = PlatformScope::of("tests");

    fn report(journal: u128, seq: u64, head: &str) -> HostReport {
        HostReport {
            boot: BootId::from_u128(1),
            checks: Vec::new(),
            head: FeedHead::start(0),
            journal: JournalId::from_u128(journal),
            journal_head: Digest::of(head.as_bytes()),
            journal_seq: seq,
            nonce: "0123456789abcdef".to_owned(),
            not_running: Vec::new(),
            running: 0,
        }
    }

    async fn quarantine(server: &Server, host: HostId) -> Option<String> {
        let mut unit = server.store.survey(SCOPE).await.unwrap();
        unit.host(&host).await.unwrap().unwrap().quarantine.map(|(_, why)| why)
    }

    on_both_databases! {
        async fn a_journal_that_goes_on_is_no_alarm_and_one_that_goes_back_is(database: TestDatabase) {
            let (server, _, _) = database.server().await;
            for (n, then, says) in [
                (1, report(5, 11, "c"), None),
                (2, report(5, 10, "b"), None),
                (3, report(5, 9, "a"), Some("went back from 10 to 9")),
                (4, report(5, 10, "x"), Some("another record 10")),
                (5, report(6, 99, "b"), Some("keeps journal")),
            ] {
                let host = TestHost::joined(n, &server, HostRole::Host).await.id;
                for said in [report(5, 3, "z"), report(5, 10, "b"), then] {
                    server.heartbeat(host, &said).await.unwrap().unwrap();
                }
                let why = quarantine(&server, host).await;
                match (says, &why) {
                    (None, None) => {}
                    (Some(says), Some(why)) => assert!(why.contains(says), "{why}"),
                    _ => panic!("host {n}: {why:?}"),
                }
            }
            let mut unit = server.store.survey(SCOPE).await.unwrap();
            let filter = crate::store::AuditFilter {
                kind: Some(Act::JournalWentBack.as_str().to_owned()), limit: 10, ..Default::default()
            };
            assert_eq!(unit.audit_everywhere(&filter).await.unwrap().len(), 3);
            drop(unit);
            server.store.close().await;
        }
    }

    /// The server took the journal up to this record, whatever was reported.
    async fn taken(server: &Server, (host, n): (HostId, u128), last: u64, head: &str) {
        let mut unit = server.store.platform(SCOPE).await.unwrap();
        let start = Position::start(host, JournalId::from_u128(n), 1);
        let at = Position { head: Digest::of(head.as_bytes()), next: last + 1, ..start };
        unit.insert_journal(&at, server.now()).await.unwrap();
        unit.commit().await.unwrap();
    }

    on_both_databases! {
        async fn a_run_that_begins_with_less_than_was_taken_is_an_alarm_also_beyond_the_last_report(database: TestDatabase) {
            let (server, _, _) = database.server().await;
            for (n, boot, seq, head, says) in [
                (1, 2, 9, "a", Some("ends with 9, and 10 of its records were taken")),
                (2, 2, 10, "x", Some("another record 10 than was taken")),
                (3, 2, 10, "b", None),
                (4, 2, 12, "c", None),
                // Of the same run: it was made before the records that were taken meanwhile.
                (5, 1, 9, "a", None),
            ] {
                let host = TestHost::joined(n, &server, HostRole::Host).await.id;
                server.heartbeat(host, &report(n, 3, "z")).await.unwrap().unwrap();
                taken(&server, (host, n), 10, "b").await;
                let next = HostReport { boot: BootId::from_u128(boot), ..report(n, seq, head) };
                server.heartbeat(host, &next).await.unwrap().unwrap();
                let why = quarantine(&server, host).await;
                match (says, &why) {
                    (None, None) => {}
                    (Some(says), Some(why)) => assert!(why.contains(says), "{why}"),
                    _ => panic!("host {n}: {why:?}"),
                }
            }
            server.store.close().await;
        }
    }

    #[test]
    fn a_first_report_has_nothing_to_go_back_from() {
        let row = HostRow {
            host: HostId::from_u128(1),
            role: HostRole::Host,
            region: None,
            address: String::new(),
            signing_key: String::new(),
            sealing_key: String::new(),
            program: String::new(),
            enrolled: Timestamp(0),
            retired: None,
            quarantine: None,
            seen: None,
            boot: None,
            head: FeedHead::start(0),
            journal: None,
            journal_seq: 0,
            journal_head: Digest::ZERO,
            running: 0,
        };
        assert_eq!(went_back(&row, &report(1, 0, "a")), None);
    }
}
