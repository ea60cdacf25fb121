//! Walks the whole chain and says what is wrong with it: entries that were changed or are missing,
//! heads that were signed again or that the chain no longer reaches.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Serialize;
use soma_capsule::PublicKey;
use soma_policy::{Digest, HostId, JournalId};
use utoipa::ToSchema;

use super::checkpoint::Signed;
use super::{chain, checkpoint};
use crate::server::Server;
use crate::store::{Checkpoint, PlatformScope, PlatformUnit, StoreError, Stream};

const PAGE: u32 = 1000;
/// Findings that are listed; beyond them only their number rises.
const FINDINGS_MAX: usize = 100;

/// What a walk over the chain found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Verification {
    /// Whether everything is as it was written.
    pub sound: bool,
    /// Entries of the chain.
    pub entries: u64,
    /// Hash of the last one.
    pub head: String,
    /// Signed heads in the database, and outside of it.
    pub checkpoints: u64,
    /// Committed entries that wait for their place.
    pub unchained: u64,
    /// What is wrong, the first hundred.
    pub findings: Vec<AuditFinding>,
}

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct AuditFinding {
    /// `changed`, `missing`, `forged`, `rewritten`, `cut` or `journal`.
    pub kind: &'static str,
    /// Where.
    pub seq: u64,
    /// In words.
    pub what: String,
}

/// The walk so far.
struct Walk {
    seq: u64,
    head: String,
    /// Hashes at the places that signed heads speak of.
    marks: BTreeMap<u64, Option<String>>,
    findings: Vec<AuditFinding>,
}

impl Walk {
    fn find(&mut self, kind: &'static str, seq: u64, what: impl Into<String>) {
        if self.findings.len() < FINDINGS_MAX {
            self.findings.push(AuditFinding { kind, seq, what: what.into() });
        }
    }

    async fn along(&mut self, unit: &mut PlatformUnit) -> Result<(), StoreError> {
        loop {
            let rows = unit.chained(self.seq, PAGE).await?;
            for row in &rows {
                let Some(found) = &row.link else { continue };
                if found.seq != self.seq + 1 {
                    let what = format!("entries {} to {} are missing", self.seq + 1, found.seq - 1);
                    self.find("missing", self.seq + 1, what);
                }
                // Judged by its own words, so that one changed entry is one finding.
                let right = chain::link(row, found.seq, &found.prev);
                if right.hash != found.hash {
                    self.find("changed", found.seq, "the entry is not the one that was hashed");
                } else if found.prev != self.head && found.seq == self.seq + 1 {
                    self.find("changed", found.seq, "the entry does not follow the one before");
                }
                if let Some(mark) = self.marks.get_mut(&found.seq) {
                    *mark = Some(found.hash.clone());
                }
                self.seq = found.seq;
                self.head.clone_from(&found.hash);
            }
            if rows.len() < PAGE as usize {
                return Ok(());
            }
        }
    }
}

impl Server {
    /// Walks the chain from its beginning and compares it with every signed head.
    ///
    /// # Errors
    /// When the database does not answer, or the file of signed heads cannot be read.
    pub async fn verify_audit(&self) -> Result<Verification, StoreError> {
        let kept = read_kept(&self.checkpoints).await?;
        let mut unit = self.chain_as_it_is().await?;
        walk(
            &mut unit,
            &Signer { key: self.audit_key.public(), deployment: &self.deployment },
            &kept,
        )
        .await
    }

    /// The chain and its head as they are at one moment, so that what is chained meanwhile is no finding.
    pub(super) async fn chain_as_it_is(&self) -> Result<PlatformUnit, StoreError> {
        self.store.steady(PlatformScope::of("audit verify")).await
    }
}

/// Whose heads count.
pub(crate) struct Signer<'a> {
    pub(crate) key: &'a PublicKey,
    pub(crate) deployment: &'a str,
}

/// The heads that are kept outside of the database.
pub(crate) async fn read_kept(path: &Path) -> Result<Vec<String>, StoreError> {
    let path = path.to_owned();
    let kept = tokio::task::spawn_blocking(move || checkpoint::kept(&path)).await;
    let kept = kept.map_err(std::io::Error::other).and_then(|kept| kept);
    kept.map_err(|error| StoreError::Down(error.into()))
}

/// Walks the chain that a unit sees, and compares it with every signed head.
pub(crate) async fn walk(
    unit: &mut PlatformUnit,
    signer: &Signer<'_>,
    kept: &[String],
) -> Result<Verification, StoreError> {
    let stored = all_checkpoints(unit).await?;
    let mut walk = Walk {
        seq: 0,
        head: chain::START.to_string(),
        marks: BTreeMap::new(),
        findings: Vec::new(),
    };
    let heads = heads(signer, &stored, kept, &mut walk);
    walk.along(unit).await?;
    judge_heads(&heads, &mut walk);
    let end = unit.head(Stream::Audit).await?;
    if let Some(end) = end.filter(|end| end.seq != walk.seq || end.hash != walk.head) {
        walk.find("cut", end.seq, "the chain does not end where the sequencer left it");
    }
    let unchained = unit.unchained(PAGE).await?.len() as u64;
    Ok(Verification {
        sound: walk.findings.is_empty(),
        entries: walk.seq,
        head: walk.head,
        checkpoints: heads.len() as u64,
        unchained,
        findings: walk.findings,
    })
}

/// Every head that the key signed; others are findings.
fn heads(
    signer: &Signer<'_>,
    stored: &[Checkpoint],
    kept: &[String],
    walk: &mut Walk,
) -> Vec<(u64, String)> {
    let mut heads = Vec::new();
    let mut journals = Journals::default();
    for row in stored {
        match checkpoint::open(&row.envelope, signer.key) {
            Some(it) if it.seq == row.seq && it.head.to_string() == row.head => {
                heads.push((it.seq, row.head.clone()));
                journals.follow(&it, walk);
            }
            _ => walk.find("forged", row.seq, "a signed head is not signed by this server"),
        }
    }
    let mut journals = Journals::default();
    for line in kept {
        match checkpoint::open(line, signer.key) {
            Some(it) if it.deployment == signer.deployment => {
                heads.push((it.seq, it.head.to_string()));
                journals.follow(&it, walk);
            }
            _ => walk.find("forged", 0, "a kept head is not signed by this server"),
        }
    }
    walk.marks = heads.iter().map(|(seq, _)| (*seq, None)).collect();
    heads
}

/// The journals of hosts along the signed heads: none of them ever goes back.
#[derive(Default)]
struct Journals(BTreeMap<(HostId, JournalId), (u64, Digest)>);

impl Journals {
    fn follow(&mut self, signed: &Signed, walk: &mut Walk) {
        for host in &signed.hosts {
            let place = (host.host, host.journal);
            let known = self.0.insert(place, (host.seq, host.head));
            let back = known.is_some_and(|(seq, head)| {
                host.seq < seq || (host.seq == seq && host.head != head)
            });
            if back {
                let what = format!("the journal of host {} went back to {}", host.host, host.seq);
                walk.find("journal", signed.seq, what);
            }
        }
    }
}

fn judge_heads(heads: &[(u64, String)], walk: &mut Walk) {
    for (seq, head) in heads {
        match walk.marks.get(seq) {
            Some(Some(hash)) if hash == head => {}
            Some(Some(_)) => {
                walk.find("rewritten", *seq, "the chain was written anew after it was signed")
            }
            _ => walk.find("cut", *seq, "a signed head is beyond the end of the chain"),
        }
    }
}

async fn all_checkpoints(unit: &mut PlatformUnit) -> Result<Vec<Checkpoint>, StoreError> {
    let mut all = Vec::new();
    loop {
        let after = all.last().map_or(0, |row: &Checkpoint| row.seq);
        let mut page = unit.checkpoints(after, PAGE).await?;
        let whole = page.len() == PAGE as usize;
        all.append(&mut page);
        if !whole {
            return Ok(all);
        }
    }
}
