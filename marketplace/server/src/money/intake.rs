//! Journals on their way in: records are taken in order, each once, and receipts settled with them.
//!
//! A push is one transaction. What came before is passed over, what leaves a gap is not taken, and the answer
//! says where to go on. A fork, or a receipt that no honest host writes, quarantines the journal: that is kept,
//! an alarm is raised, and nothing more is taken until an operator decides.

use std::collections::BTreeMap;

use soma_capsule::{PublicKey, crash_point};
use soma_market::Refusal;
use soma_market::settle::{Entry, JournalCommand, JournalState, Position};
use soma_policy::feed::{JournalAck, JournalPush};
use soma_policy::{Code, Digest, HostId, JournalEntry};

use super::MoneyError;
use super::journal::{Owner, Record};
use super::settling::{At, Batch, Done};
use crate::installs::Notes;
use crate::server::Server;
use crate::store::{Counts, JournalRow, PlatformScope, PlatformUnit, StoreError};

const SCOPE: PlatformScope = PlatformScope::of("journal intake");
/// Records of one push.
pub(crate) const RECORDS_MAX: usize = 2000;

/// The host that pushes, as its proof says.
#[derive(Debug, Clone)]
pub(crate) struct Pusher {
    pub(crate) host: HostId,
    pub(crate) key: PublicKey,
}

impl Server {
    /// Takes what follows of a journal, and says how far it is taken.
    pub(crate) async fn take_journal(
        &self,
        pusher: &Pusher,
        push: &JournalPush,
    ) -> Result<JournalAck, MoneyError> {
        let owner = Owner { journal: push.journal, host: pusher.host, key: &pusher.key };
        let records = read(&owner, push)?;
        let now = self.now();
        let mut unit = self.store.platform(SCOPE).await?;
        let book = unit.book(&self.platform).await?;
        let row = unit.journal_of(&owner, now).await?;
        let before = row.position;
        if push.from > before.next && before.state == JournalState::Good {
            return ack(&before, push);
        }
        let at = At { host: pusher.host, journal: push.journal, now };
        let mut taking =
            Taking { batch: Batch::new(at, book), notes: Notes::default(), row, refusal: None };
        taking.take(&mut unit, &records).await?;
        if taking.row.position == before && taking.refusal.is_none() {
            return ack(&before, push);
        }
        taking.batch.write(&mut unit).await?;
        let Taking { batch, notes, row, refusal } = taking;
        notes.keep(&mut unit, now).await?;
        let mut book = batch.book;
        if row.position != before {
            unit.move_journal(&before, &row, now).await?;
        }
        for mut lease in unit.closing_leases(pusher.host).await? {
            if lease.lease.last.is_some_and(|last| last.journal == push.journal) {
                unit.finish(&mut book, &mut lease, row.position.next, now).await?;
            }
        }
        if let Some(refusal) = &refusal
            && before.state == JournalState::Good
            && row.position.state == JournalState::Quarantined
        {
            self.alarm_quarantine(&mut unit, &owner, refusal).await?;
        }
        unit.keep(book, now).await?;
        crash_point!("server.push.settled");
        unit.commit().await?;
        crash_point!("server.push.committed");
        self.bell.notify_one();
        refusal.map_or_else(|| ack(&row.position, push), |refusal| Err(refusal.into()))
    }
}

fn read(owner: &Owner<'_>, push: &JournalPush) -> Result<Vec<Record>, Refusal> {
    if push.records.len() > RECORDS_MAX || push.from == 0 {
        let rule = format!("`records` are at most {RECORDS_MAX}, and `from` is at least 1");
        return Err(Refusal::new(Code::FieldBad, "push", rule));
    }
    if !crate::hosts::is_nonce(&push.nonce) {
        let rule = "`nonce` is 16 to 64 characters of base64url";
        return Err(Refusal::new(Code::FieldBad, "push", rule));
    }
    let bad = |error: super::journal::RecordError| {
        Refusal::new(Code::FieldBad, "push", format!("`records`: {error}"))
    };
    owner.read(push.from, &push.records).map_err(bad)
}

fn ack(position: &Position, push: &JournalPush) -> Result<JournalAck, MoneyError> {
    let Position { head, host, journal, next, .. } = *position;
    let hash = if next <= 1 { Digest::ZERO } else { head };
    Ok(JournalAck { hash, host, journal, next, nonce: push.nonce.clone() })
}

impl PlatformUnit {
    /// The journal's row; a new one begins at its anchor. Nobody pushes another host's.
    async fn journal_of(
        &mut self,
        owner: &Owner<'_>,
        now: soma_policy::Timestamp,
    ) -> Result<JournalRow, MoneyError> {
        if let Some(row) = self.journal(owner.journal).await? {
            if row.position.host == owner.host {
                return Ok(row);
            }
            let reason = format!("journal {} is another host's", owner.journal);
            return Err(Refusal::new(Code::LeaseForeign, "push", reason).into());
        }
        let start = Position::start(owner.host, owner.journal, 1);
        let position = Position { head: owner.anchor(), ..start };
        self.insert_journal(&position, now).await?;
        Ok(JournalRow { position, reason: None, write_off: None, counts: Counts::default() })
    }
}

/// Records being taken.
struct Taking {
    batch: Batch,
    notes: Notes,
    row: JournalRow,
    refusal: Option<Refusal>,
}

impl Taking {
    async fn take(
        &mut self,
        unit: &mut PlatformUnit,
        records: &[Record],
    ) -> Result<(), MoneyError> {
        let frames: Vec<Entry> = records.iter().map(|record| record.frame).collect();
        let known = known(unit, &self.row.position, &frames).await?;
        let arrived = self.row.position.arrive_all(&frames, |seq| known.get(&seq).copied());
        for at in &arrived.accepted {
            let Some(record) = records.get(*at) else { continue };
            if let Err(refusal) = self.one(unit, record).await? {
                return self.quarantine(refusal);
            }
            let Entry { hash, seq, .. } = record.frame;
            let position = self.row.position;
            self.row.position = Position { head: hash, next: seq.saturating_add(1), ..position };
        }
        match arrived.refusal {
            Some(refusal) if refusal.code == Code::JournalForked => self.quarantine(refusal),
            refusal => {
                self.refusal = refusal;
                Ok(())
            }
        }
    }

    /// One record: a refusal speaks against the host, an error is ours.
    async fn one(
        &mut self,
        unit: &mut PlatformUnit,
        record: &Record,
    ) -> Result<Result<(), Refusal>, StoreError> {
        let counts = &mut self.row.counts;
        let done = match &record.entry {
            Some(JournalEntry::Receipt(receipt))
                if self.row.write_off == Some(record.frame.seq) =>
            {
                let off = self.batch.write_off(unit, &record.frame, receipt).await;
                self.row.write_off = None;
                counts.receipts += u64::from(matches!(off, Ok(true)));
                off.map(drop)
            }
            Some(JournalEntry::Receipt(receipt)) => {
                let done = self.batch.settle(unit, &record.frame, receipt).await;
                if matches!(done, Ok(Done::Settled)) {
                    counts.receipts += 1;
                    // What ratings and health gates count is what the ledger has.
                    self.notes.add(&receipt.facts, receipt.outcome);
                }
                done.map(drop)
            }
            Some(JournalEntry::Lease(lease)) => self.batch.see_lease(unit, lease.lease).await,
            Some(JournalEntry::Start(_)) => {
                counts.starts += 1;
                Ok(())
            }
            Some(JournalEntry::Denials(denials)) => {
                counts.denials = counts.denials.saturating_add(denials.count);
                Ok(())
            }
            Some(JournalEntry::Kill(_)) => {
                counts.kills += 1;
                Ok(())
            }
            _ => Ok(()),
        };
        match done {
            Ok(()) => Ok(Ok(())),
            Err(MoneyError::Refused(refusal)) => Ok(Err(refusal)),
            Err(MoneyError::Store(error)) => Err(error),
        }
    }

    fn quarantine(&mut self, refusal: Refusal) -> Result<(), MoneyError> {
        if self.row.position.state == JournalState::Good {
            self.row.position = self.row.position.apply(JournalCommand::Quarantine)?;
        }
        self.row.reason = Some(refusal.reason.clone());
        self.refusal = Some(refusal);
        Ok(())
    }
}

/// The hashes of what was taken already, for the places of these frames. Of entries that are no receipts only
/// the last one's is kept; the frames hang together by their own hashes, so that one is enough.
async fn known(
    unit: &mut PlatformUnit,
    position: &Position,
    frames: &[Entry],
) -> Result<BTreeMap<u64, Digest>, StoreError> {
    let Some(first) = frames.first().filter(|first| first.seq < position.next) else {
        return Ok(BTreeMap::new());
    };
    let own = frames.iter().filter(|frame| frame.seq < position.next);
    let mut known: BTreeMap<u64, Digest> = own.map(|frame| (frame.seq, frame.hash)).collect();
    let settled = unit.settled_hashes(position.journal, first.seq, position.next).await?;
    known.extend(settled);
    known.insert(position.next.saturating_sub(1), position.head);
    Ok(known)
}
