//! The fleet as the database has it: who joined with which keys, and what each host said last.
//!
//! Nothing here judges a proof; it only finds the key that one must be signed by.

use soma_policy::feed::{FeedHead, HostReport, HostRole, RiskClass};
use soma_policy::{BootId, Digest, HostId, JournalId, RegionId, Timestamp};

use super::sql::{Row, binds, whole};
use super::{PAGE_MAX, PlatformUnit, StoreError};

/// A host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct HostRow {
    pub(crate) host: HostId,
    pub(crate) role: HostRole,
    pub(crate) region: Option<RegionId>,
    /// Where the gateway reaches it.
    pub(crate) address: String,
    /// SPKI in base64.
    pub(crate) signing_key: String,
    /// X25519, 32 bytes in base64.
    pub(crate) sealing_key: String,
    /// The version of its program.
    pub(crate) program: String,
    pub(crate) enrolled: Timestamp,
    pub(crate) retired: Option<Timestamp>,
    /// Why it gets no money and no secrets any more, and since when.
    pub(crate) quarantine: Option<(Timestamp, String)>,
    /// Its last report.
    pub(crate) seen: Option<Timestamp>,
    /// The run that made the last report.
    pub(crate) boot: Option<BootId>,
    /// What it had applied by its last report.
    pub(crate) head: FeedHead,
    pub(crate) journal: Option<JournalId>,
    pub(crate) journal_seq: u64,
    pub(crate) journal_head: Digest,
    /// Calls that ran at its last report.
    pub(crate) running: u32,
}

impl HostRow {
    /// Whether it may still run capsules of this class on what it heard last: what it has not acknowledged
    /// until then it will not run by, as it starts nothing more of the class.
    pub(crate) fn is_live(&self, now: Timestamp, class: RiskClass) -> bool {
        self.retired.is_none() && self.seen.is_some_and(|seen| now.since(seen) <= class.lease())
    }

    /// Whether this is a host that joined and never heard so: the same keys, role and region, and it never reported.
    pub(crate) fn is_unheard(&self, joins: &Self) -> bool {
        let untouched = self.seen.is_none() && self.retired.is_none() && self.quarantine.is_none();
        let same_keys =
            self.signing_key == joins.signing_key && self.sealing_key == joins.sealing_key;
        untouched && same_keys && self.role == joins.role && self.region == joins.region
    }
}

pub(super) fn role_text(role: HostRole) -> &'static str {
    match role {
        HostRole::Host => "host",
        HostRole::Review => "review",
        HostRole::Gateway => "gateway",
    }
}

pub(super) fn role(row: &Row) -> Result<HostRole, StoreError> {
    match row.text("role")?.as_str() {
        "host" => Ok(HostRole::Host),
        "review" => Ok(HostRole::Review),
        "gateway" => Ok(HostRole::Gateway),
        _ => Err(StoreError::Corrupt { column: "role", expected: "a role of a host" }),
    }
}

fn read(row: &Row) -> Result<HostRow, StoreError> {
    let quarantined = row.maybe_time("quarantined_ms")?;
    let why = row.maybe_text("quarantine")?.unwrap_or_default();
    Ok(HostRow {
        host: row.parsed("host")?,
        role: role(row)?,
        region: row.maybe_parsed("region")?,
        address: row.text("address")?,
        signing_key: row.text("signing_key")?,
        sealing_key: row.text("sealing_key")?,
        program: row.text("program")?,
        enrolled: row.time("enrolled_ms")?,
        retired: row.maybe_time("retired_ms")?,
        quarantine: quarantined.map(|at| (at, why)),
        seen: row.maybe_time("seen_ms")?,
        boot: row.maybe_parsed("boot")?,
        head: FeedHead {
            epoch: row.count("epoch")?,
            hash: row.parsed("head")?,
            n: row.count("n")?,
        },
        journal: row.maybe_parsed("journal")?,
        journal_seq: row.count("journal_seq")?,
        journal_head: row.parsed("journal_head")?,
        running: u32::try_from(row.count("running")?).unwrap_or(u32::MAX),
    })
}

macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT host, role, region, address, signing_key, sealing_key, program, enrolled_ms, retired_ms, quarantined_ms, \
             quarantine, seen_ms, boot, epoch, n, head, journal, journal_seq, journal_head, running FROM hosts ",
            $rest
        )
    };
}

impl PlatformUnit {
    /// A host joins: as it stands, with no report yet.
    pub(crate) async fn insert_host(&mut self, it: &HostRow) -> Result<(), StoreError> {
        let sql = "INSERT INTO hosts (host, role, region, address, signing_key, sealing_key, program, enrolled_ms, \
                   epoch, n, head, journal_seq, journal_head, running) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)";
        let (host, region) = (it.host.to_string(), it.region.as_ref().map(RegionId::as_str));
        let (head, journal_head) = (it.head.hash.to_string(), it.journal_head.to_string());
        let binds = binds![
            &host,
            role_text(it.role),
            region,
            &it.address,
            &it.signing_key,
            &it.sealing_key,
            &it.program,
            it.enrolled,
            whole(it.head.epoch),
            whole(it.head.n),
            &head,
            whole(it.journal_seq),
            &journal_head,
            it.running,
        ];
        self.tx.run(sql, binds).await.map(drop)
    }

    pub(crate) async fn host(&mut self, host: &HostId) -> Result<Option<HostRow>, StoreError> {
        let host = host.to_string();
        let row = self.tx.one(select!("WHERE host = $1"), binds![&host]).await?;
        row.as_ref().map(read).transpose()
    }

    /// Hosts by their names, after `after`; the retired ones too.
    pub(crate) async fn hosts(
        &mut self,
        after: &str,
        limit: u32,
    ) -> Result<Vec<HostRow>, StoreError> {
        let sql = select!("WHERE host > $1 ORDER BY host LIMIT $2");
        let rows = self.tx.all(sql, binds![after, limit.min(PAGE_MAX + 1)]).await?;
        rows.iter().map(read).collect()
    }

    /// Every host that may still run something on what it heard last, whatever its role. Ask
    /// [`HostRow::is_live`] for a class that ends sooner.
    pub(crate) async fn live_hosts(&mut self, now: Timestamp) -> Result<Vec<HostRow>, StoreError> {
        let since = Timestamp(now.0.saturating_sub(RiskClass::Low.lease().0));
        let sql = select!("WHERE retired_ms IS NULL AND seen_ms >= $1 ORDER BY host LIMIT 10000");
        self.tx.all(sql, binds![since]).await?.iter().map(read).collect()
    }

    /// A host that is known joins once more: only where it is reached and which program it runs may be new.
    pub(crate) async fn rejoin_host(&mut self, it: &HostRow) -> Result<(), StoreError> {
        let sql =
            "UPDATE hosts SET address = $2, program = $3 WHERE host = $1 AND retired_ms IS NULL";
        let host = it.host.to_string();
        self.tx.run(sql, binds![&host, &it.address, &it.program]).await.map(drop)
    }

    /// What a host says of itself; false if it was retired.
    pub(crate) async fn report_host(
        &mut self,
        host: &HostId,
        it: &HostReport,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let sql = "UPDATE hosts SET seen_ms = $2, boot = $3, epoch = $4, n = $5, head = $6, journal = $7, journal_seq = $8, \
                   journal_head = $9, running = $10 WHERE host = $1 AND retired_ms IS NULL";
        let (host, boot, journal) = (host.to_string(), it.boot.to_string(), it.journal.to_string());
        let (head, journal_head) = (it.head.hash.to_string(), it.journal_head.to_string());
        let binds = binds![
            &host,
            now,
            &boot,
            whole(it.head.epoch),
            whole(it.head.n),
            &head,
            &journal,
            whole(it.journal_seq),
            &journal_head,
            it.running,
        ];
        Ok(self.tx.run(sql, binds).await? == 1)
    }

    /// Takes a host out of the fleet, once.
    pub(crate) async fn retire_host(
        &mut self,
        host: &HostId,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let host = host.to_string();
        let sql = "UPDATE hosts SET retired_ms = $2 WHERE host = $1 AND retired_ms IS NULL";
        Ok(self.tx.run(sql, binds![&host, now]).await? == 1)
    }

    /// A host that contradicted itself gets no money and no secrets until an operator has looked; kill orders
    /// still reach it. The first reason stays.
    pub(crate) async fn quarantine_host(
        &mut self,
        host: &HostId,
        why: &str,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let host = host.to_string();
        let sql = "UPDATE hosts SET quarantined_ms = $2, quarantine = $3 WHERE host = $1 AND quarantined_ms IS NULL";
        Ok(self.tx.run(sql, binds![&host, now, why]).await? == 1)
    }
}
