//! Every chain that must hold wherever the data lies. A new chain: a case here, and nothing elsewhere.

use soma_market::ledger::link;
use soma_policy::Digest;
use soma_policy::feed::FeedHead;

use crate::audit::{self, Signer};
use crate::feed::change;
use crate::money::MoneyError;
use crate::store::{ChangeRow, PlatformScope, PlatformUnit, StoreError, Stream};

const PAGE: u32 = 500;
const SCOPE: PlatformScope = PlatformScope::of("chains");

/// A chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Chain {
    /// What happened, with its signed heads.
    Audit,
    /// What hosts were told.
    Feed,
    /// Events.
    Outbox,
    /// Postings of money.
    Ledger,
}

impl Chain {
    /// All of them.
    pub const ALL: &[Self] = &[Self::Audit, Self::Feed, Self::Outbox, Self::Ledger];

    /// Its name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Audit => "audit",
            Self::Feed => "feed",
            Self::Outbox => "outbox",
            Self::Ledger => "ledger",
        }
    }
}

/// What a walk along one chain found.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct ChainReport {
    /// Its name.
    pub chain: &'static str,
    /// Its links.
    pub entries: u64,
    /// The hash of the last one.
    pub head: String,
    /// What is wrong; nothing if it is sound.
    pub findings: Vec<String>,
}

/// Walks every chain that a unit sees.
pub(super) async fn walk_all(
    unit: &mut PlatformUnit,
    signer: &Signer<'_>,
    kept: &[String],
) -> Result<Vec<ChainReport>, StoreError> {
    let mut reports = Vec::new();
    for chain in Chain::ALL {
        reports.push(match chain {
            Chain::Audit => audit_chain(unit, signer, kept).await?,
            Chain::Feed => changes(unit, Stream::Feed).await?,
            Chain::Outbox => changes(unit, Stream::Outbox).await?,
            Chain::Ledger => ledger(unit).await?,
        });
    }
    Ok(reports)
}

async fn audit_chain(
    unit: &mut PlatformUnit,
    signer: &Signer<'_>,
    kept: &[String],
) -> Result<ChainReport, StoreError> {
    let found = audit::walk(unit, signer, kept).await?;
    let findings =
        found.findings.iter().map(|it| format!("{} at {}: {}", it.kind, it.seq, it.what));
    Ok(ChainReport {
        chain: Chain::Audit.name(),
        entries: found.entries,
        head: found.head,
        findings: findings.collect(),
    })
}

async fn changes(unit: &mut PlatformUnit, stream: Stream) -> Result<ChainReport, StoreError> {
    let epochs = unit.epochs().await?;
    let mut walk = Walk { epochs, at: 0, seq: 0, head: audit::START.to_string(), fault: None };
    while walk.fault.is_none() {
        let page = unit.numbered(stream, walk.seq, PAGE).await?;
        page.iter().for_each(|row| walk.step(stream, row));
        if page.len() < PAGE as usize {
            break;
        }
    }
    let end = unit.head(stream).await?;
    if walk.fault.is_none() && end.is_none_or(|end| end.seq != walk.seq || end.hash != walk.head) {
        walk.fault = Some("it does not end where the sequencer left it".to_owned());
    }
    Ok(ChainReport {
        chain: stream.as_str(),
        entries: walk.seq,
        head: walk.head,
        findings: walk.fault.into_iter().collect(),
    })
}

/// Every posting with its transfers, from the first one to the head.
async fn ledger(unit: &mut PlatformUnit) -> Result<ChainReport, StoreError> {
    let (end, head) = unit.ledger_head().await?;
    let (mut at, mut before, mut fault) = (0, Digest::ZERO, None);
    while fault.is_none() && at < end {
        let page = match unit.chain_of_postings(at, PAGE).await {
            Ok(page) => page,
            Err(MoneyError::Store(error)) => return Err(error),
            // A row that the rules of the ledger do not read back.
            Err(MoneyError::Refused(refused)) => {
                fault = Some(format!("a posting after {at} cannot be read: {}", refused.reason));
                break;
            }
        };
        if page.is_empty() {
            fault = Some(format!("posting {} is missing", at + 1));
        }
        for (n, posting, hash) in page {
            let linked = link(before, &posting).ok();
            fault = match linked == Some(hash) {
                _ if n != at + 1 => Some(format!("posting {n} follows {at}")),
                false => Some(format!("posting {n} is not what was hashed")),
                true => None,
            };
            if fault.is_some() {
                break;
            }
            (at, before) = (n, hash);
        }
    }
    if fault.is_none() && (at, before) != (end, head) {
        fault = Some("it does not end at its head".to_owned());
    }
    Ok(ChainReport {
        chain: Chain::Ledger.name(),
        entries: at,
        head: before.to_string(),
        findings: fault.into_iter().collect(),
    })
}

/// A walk along numbered changes. Epochs only rise, and the hash of a change says of which it is.
struct Walk {
    epochs: Vec<u64>,
    at: usize,
    seq: u64,
    head: String,
    fault: Option<String>,
}

impl Walk {
    fn step(&mut self, stream: Stream, row: &ChangeRow) {
        if self.fault.is_some() {
            return;
        }
        let Some((seq, prev, hash)) = &row.link else { return };
        if *seq != self.seq + 1 || *prev != self.head {
            self.fault = Some(format!("number {seq} does not follow number {}", self.seq));
            return;
        }
        let epochs = self.epochs.iter().enumerate().skip(self.at);
        let fits = epochs.map(|(at, epoch)| (at, linked(stream, row, *epoch, *seq, prev)));
        match fits.into_iter().find(|(_, found)| found.as_ref() == Some(hash)) {
            Some((at, _)) => {
                self.at = at;
                self.seq = *seq;
                self.head.clone_from(hash);
            }
            None => self.fault = Some(format!("number {seq} is not what was hashed")),
        }
    }
}

/// The hash that a change must have.
fn linked(stream: Stream, row: &ChangeRow, epoch: u64, seq: u64, prev: &str) -> Option<String> {
    if stream == Stream::Outbox {
        return Some(audit::delta(row, epoch, seq, prev));
    }
    let hash: Digest = prev.parse().ok()?;
    let place = FeedHead { epoch, hash, n: seq.checked_sub(1)? };
    Some(place.after(&change(row).ok()?).ok()?.hash.to_string())
}

/// The first fault of all chains, if there is one.
pub(super) fn first_fault(reports: &[ChainReport]) -> Option<(&'static str, String)> {
    let faulty = reports.iter().find(|report| !report.findings.is_empty())?;
    Some((faulty.chain, faulty.findings.first().cloned().unwrap_or_default()))
}

impl crate::server::Server {
    /// Walks every chain of the database: the record, the feed, the events.
    ///
    /// # Errors
    /// When the database does not answer, or the file of signed heads cannot be read.
    pub async fn verify_chains(&self) -> Result<Vec<ChainReport>, StoreError> {
        let kept = audit::read_kept(&self.checkpoints).await?;
        let mut unit = self.store.survey(SCOPE).await?;
        let signer = Signer { key: self.audit_key.public(), deployment: &self.deployment };
        walk_all(&mut unit, &signer, &kept).await
    }
}
