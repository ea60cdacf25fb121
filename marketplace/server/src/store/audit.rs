//! Audit entries: written unchained in the transaction of what they tell, chained later by the
//! sequencer, never changed after that.

use soma_policy::{OrgId, Timestamp};

use super::sql::{Row, binds, whole};
use super::{PAGE_MAX, PlatformUnit, StoreError, TenantUnit, Unit};

/// An entry to write. It names pseudonymous ids only.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct NewAudit {
    /// Whose it is.
    pub(crate) org: OrgId,
    pub(crate) id: String,
    pub(crate) at: Timestamp,
    pub(crate) actor: String,
    pub(crate) kind: &'static str,
    pub(crate) subject: String,
    /// A small JSON object in canonical form.
    pub(crate) detail: String,
    pub(crate) trace: String,
}

/// An entry as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct AuditRow {
    pub(crate) org: String,
    pub(crate) id: String,
    pub(crate) at: Timestamp,
    pub(crate) actor: String,
    pub(crate) kind: String,
    pub(crate) subject: String,
    pub(crate) detail: String,
    pub(crate) trace: String,
    pub(crate) link: Option<AuditLink>,
}

/// Its place in the chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct AuditLink {
    pub(crate) seq: u64,
    pub(crate) prev: String,
    pub(crate) hash: String,
}

/// Which entries a page shows.
#[derive(Debug, Clone, Default)]
pub(crate) struct AuditFilter {
    /// One kind, or all.
    pub(crate) kind: Option<String>,
    /// Entries before this one, newest first.
    pub(crate) before: Option<(Timestamp, String)>,
    pub(crate) limit: u32,
}

fn read(row: &Row) -> Result<AuditRow, StoreError> {
    let link = match row.maybe_count("seq")? {
        Some(seq) => Some(AuditLink { seq, prev: row.text("prev")?, hash: row.text("hash")? }),
        None => None,
    };
    Ok(AuditRow {
        org: row.text("org")?,
        id: row.text("audit_id")?,
        at: row.time("at_ms")?,
        actor: row.text("actor")?,
        kind: row.text("kind")?,
        subject: row.text("subject")?,
        detail: row.text("detail")?,
        trace: row.text("trace_id")?,
        link,
    })
}

impl Unit {
    /// Writes an entry with what it tells: both last, or neither.
    pub(crate) async fn audit(&mut self, it: &NewAudit) -> Result<(), StoreError> {
        if self.org.as_ref().is_some_and(|own| *own != it.org) {
            return Err(StoreError::Refused("the entry belongs to another org".to_owned()));
        }
        let sql = "INSERT INTO audit_entries (org, audit_id, at_ms, actor, kind, subject, detail, trace_id) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)";
        let binds = binds![
            it.org.as_str(),
            &it.id,
            it.at,
            &it.actor,
            it.kind,
            &it.subject,
            &it.detail,
            &it.trace
        ];
        self.tx.run(sql, binds).await.map(drop)
    }
}

impl TenantUnit {
    /// The org's entries, newest first.
    pub(crate) async fn audit_page(
        &mut self,
        filter: &AuditFilter,
    ) -> Result<Vec<AuditRow>, StoreError> {
        let sql = "SELECT org, audit_id, at_ms, actor, kind, subject, detail, trace_id, seq, prev, hash FROM audit_entries \
                   WHERE org = $1 AND ($2 = '' OR kind = $2) AND (at_ms < $3 OR (at_ms = $3 AND audit_id < $4)) \
                   ORDER BY at_ms DESC, audit_id DESC LIMIT $5";
        let org = self.org().to_owned();
        let (at, id) = filter.before.clone().unwrap_or((Timestamp(u64::MAX), String::new()));
        let kind = filter.kind.as_deref().unwrap_or("");
        let binds = binds![&org, kind, at, &id, filter.limit.min(PAGE_MAX + 1)];
        self.tx.all(sql, binds).await?.iter().map(read).collect()
    }
}

impl PlatformUnit {
    /// Every org's entries, newest first.
    pub(crate) async fn audit_everywhere(
        &mut self,
        filter: &AuditFilter,
    ) -> Result<Vec<AuditRow>, StoreError> {
        let sql = "SELECT org, audit_id, at_ms, actor, kind, subject, detail, trace_id, seq, prev, hash FROM audit_entries \
                   WHERE ($1 = '' OR kind = $1) AND (at_ms < $2 OR (at_ms = $2 AND audit_id < $3)) \
                   ORDER BY at_ms DESC, audit_id DESC LIMIT $4";
        let (at, id) = filter.before.clone().unwrap_or((Timestamp(u64::MAX), String::new()));
        let kind = filter.kind.as_deref().unwrap_or("");
        let binds = binds![kind, at, &id, filter.limit.min(PAGE_MAX + 1)];
        self.tx.all(sql, binds).await?.iter().map(read).collect()
    }

    /// Committed entries that have no place in the chain yet, oldest first.
    pub(crate) async fn unchained(&mut self, limit: u32) -> Result<Vec<AuditRow>, StoreError> {
        let sql = "SELECT org, audit_id, at_ms, actor, kind, subject, detail, trace_id, seq, prev, hash FROM audit_entries \
                   WHERE seq IS NULL ORDER BY at_ms, audit_id LIMIT $1";
        self.tx.all(sql, binds![limit]).await?.iter().map(read).collect()
    }

    /// Gives an entry its place: once.
    pub(crate) async fn chain(
        &mut self,
        it: &AuditRow,
        link: &AuditLink,
    ) -> Result<bool, StoreError> {
        let sql = "UPDATE audit_entries SET seq = $3, prev = $4, hash = $5 WHERE org = $1 AND audit_id = $2 AND seq IS NULL";
        let binds = binds![&it.org, &it.id, whole(link.seq), &link.prev, &link.hash];
        Ok(self.tx.run(sql, binds).await? == 1)
    }

    /// A stretch of the chain: entries above `after`, in order.
    pub(crate) async fn chained(
        &mut self,
        after: u64,
        limit: u32,
    ) -> Result<Vec<AuditRow>, StoreError> {
        let sql = "SELECT org, audit_id, at_ms, actor, kind, subject, detail, trace_id, seq, prev, hash FROM audit_entries \
                   WHERE seq > $1 ORDER BY seq LIMIT $2";
        self.tx.all(sql, binds![whole(after), limit]).await?.iter().map(read).collect()
    }
}
