//! Leases as hosts hold them. The record is soma-market's own; columns repeat what is looked for.

use soma_market::lease::Lease;
use soma_policy::feed::HostLease;
use soma_policy::{BootId, HostId, InstallationKey, LeaseId, Money, OrgId, Timestamp};

use super::sql::{Row, binds, whole};
use super::{PlatformUnit, StoreError};

/// A lease with what it was taken from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct LeaseRow {
    pub(crate) lease: Lease,
    /// The budgets that it was drawn from.
    pub(crate) drawn: Vec<BudgetKey>,
    /// As the host was told.
    pub(crate) given: HostLease,
    /// Whether the host's journal says that it has it.
    pub(crate) seen: bool,
    /// When it was given, or last spent from.
    pub(crate) touched: Timestamp,
    pub(crate) version: u64,
}

/// Money in live leases.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct HeldMoney {
    pub(crate) money: Money,
    /// How many they are.
    pub(crate) leases: u64,
}

/// Which budget: scope, measure and window as text.
pub(crate) type BudgetKey = (String, String, String);

const FIELDS: &str = "a lease";

fn read(row: &Row) -> Result<LeaseRow, StoreError> {
    let wrong = |column| move |_| StoreError::Corrupt { column, expected: FIELDS };
    Ok(LeaseRow {
        lease: serde_json::from_str(&row.text("record")?).map_err(wrong("record"))?,
        drawn: serde_json::from_str(&row.text("drawn")?).map_err(wrong("drawn"))?,
        given: serde_json::from_str(&row.text("given")?).map_err(wrong("given"))?,
        seen: row.flag("seen")?,
        touched: row.time("touched_ms")?,
        version: row.count("version")?,
    })
}

fn text<T: serde::Serialize>(value: &T) -> String {
    serde_json::to_string(value).unwrap_or_default()
}

fn held(lease: &Lease) -> i64 {
    if !lease.state.is_live() {
        return 0;
    }
    lease.left().map_or(0, |left| left.money.micros.max(0))
}

macro_rules! leases {
    ($rest:literal) => {
        concat!("SELECT record, drawn, given, seen, touched_ms, version FROM leases ", $rest)
    };
}

impl PlatformUnit {
    pub(crate) async fn insert_lease(&mut self, it: &LeaseRow) -> Result<(), StoreError> {
        let sql = "INSERT INTO leases (lease_id, org, environment, installation, host, boot, state, currency, held, record, drawn, given, seen, touched_ms, start_by_ms, lost_after_ms, version) \
                   VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, 1)";
        let lease = &it.lease;
        let key = &lease.installation;
        self.tx
            .run(
                sql,
                binds![
                    &lease.id.to_string(),
                    key.org.as_str(),
                    key.environment.as_str(),
                    key.id.as_str(),
                    &lease.host.to_string(),
                    &lease.boot.to_string(),
                    lease.state.as_str(),
                    lease.currency().as_str(),
                    held(lease),
                    &text(lease),
                    &text(&it.drawn),
                    &text(&it.given),
                    it.seen,
                    it.touched,
                    lease.start_by,
                    lease.lost_after
                ],
            )
            .await
            .map(drop)
    }

    /// Keeps a lease after a move, unless somebody else moved it.
    pub(crate) async fn update_lease(&mut self, it: &LeaseRow) -> Result<(), StoreError> {
        let sql = "UPDATE leases SET state = $3, held = $4, record = $5, touched_ms = $6, seen = $7, version = version + 1 \
                   WHERE lease_id = $1 AND version = $2";
        if self
            .tx
            .run(
                sql,
                binds![
                    &it.lease.id.to_string(),
                    whole(it.version),
                    it.lease.state.as_str(),
                    held(&it.lease),
                    &text(&it.lease),
                    it.touched,
                    it.seen
                ],
            )
            .await?
            == 1
        {
            Ok(())
        } else {
            Err(StoreError::Busy)
        }
    }

    pub(crate) async fn lease(&mut self, id: LeaseId) -> Result<Option<LeaseRow>, StoreError> {
        let sql = leases!("WHERE lease_id = $1");
        self.tx.one(sql, binds![&id.to_string()]).await?.as_ref().map(read).transpose()
    }

    /// Leases of a host that still settle, oldest first.
    pub(crate) async fn live_leases(&mut self, host: HostId) -> Result<Vec<LeaseRow>, StoreError> {
        let sql = leases!(
            "WHERE host = $1 AND state IN ('open', 'recalling', 'closing') ORDER BY lease_id LIMIT 4096"
        );
        self.tx.all(sql, binds![&host.to_string()]).await?.iter().map(read).collect()
    }

    /// Open leases of a boot for an installation, newest first.
    pub(crate) async fn open_leases(
        &mut self,
        host: HostId,
        boot: BootId,
        key: &InstallationKey,
    ) -> Result<Vec<LeaseRow>, StoreError> {
        let sql = leases!(
            "WHERE host = $1 AND boot = $2 AND installation = $3 AND org = $4 AND environment = $5 AND state = 'open' ORDER BY lease_id DESC LIMIT 16"
        );
        let (host, boot) = (host.to_string(), boot.to_string());
        let binds =
            binds![&host, &boot, key.id.as_str(), key.org.as_str(), key.environment.as_str()];
        self.tx.all(sql, binds).await?.iter().map(read).collect()
    }

    /// Live leases that nobody closed in time.
    pub(crate) async fn overdue_leases(
        &mut self,
        now: Timestamp,
        limit: u32,
    ) -> Result<Vec<LeaseRow>, StoreError> {
        let sql = leases!(
            "WHERE state IN ('open', 'recalling', 'closing') AND lost_after_ms <= $1 ORDER BY lost_after_ms, lease_id LIMIT $2"
        );
        self.tx.all(sql, binds![now, limit]).await?.iter().map(read).collect()
    }

    /// Leases of a host that wait for its journal.
    pub(crate) async fn closing_leases(
        &mut self,
        host: HostId,
    ) -> Result<Vec<LeaseRow>, StoreError> {
        let sql = leases!("WHERE host = $1 AND state = 'closing' ORDER BY lease_id LIMIT 4096");
        self.tx.all(sql, binds![&host.to_string()]).await?.iter().map(read).collect()
    }

    /// What live leases hold for each installation, by currency.
    pub(crate) async fn held_by_installation(
        &mut self,
    ) -> Result<Vec<(InstallationKey, HeldMoney)>, StoreError> {
        let sql = "SELECT org, environment, installation, currency, CAST(SUM(held) AS BIGINT) AS held, COUNT(*) AS leases \
                   FROM leases WHERE state IN ('open', 'recalling', 'closing') \
                   GROUP BY org, environment, installation, currency ORDER BY org, environment, installation, currency";
        let read = |row: &Row| {
            let (org, environment, id) =
                (row.parsed("org")?, row.parsed("environment")?, row.parsed("installation")?);
            let money = Money { micros: row.int("held")?, currency: row.parsed("currency")? };
            let leases = row.count("leases")?;
            Ok((InstallationKey { environment, id, org }, HeldMoney { money, leases }))
        };
        self.tx.all(sql, &[]).await?.iter().map(read).collect()
    }

    /// What live leases of an org hold in a currency, and how many they are.
    pub(crate) async fn leased_out(
        &mut self,
        org: &OrgId,
        currency: &str,
    ) -> Result<(i64, u64), StoreError> {
        let sql = "SELECT CAST(COALESCE(SUM(held), 0) AS BIGINT) AS held, COUNT(*) AS leases FROM leases \
                   WHERE org = $1 AND currency = $2 AND state IN ('open', 'recalling', 'closing')";
        let row = self.tx.one(sql, binds![org.as_str(), currency]).await?;
        row.map_or(Ok((0, 0)), |row| Ok((row.int("held")?, row.count("leases")?)))
    }
}
