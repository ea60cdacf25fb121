//! Rows of the ledger as people read them: one org's own, an author's share, everybody's.

use soma_market::ledger::{Account, Posting};
use soma_policy::{Currency, Money, OrgId, Timestamp};

use super::ledger::{account, posted, postings};
use super::sql::{Row, binds, whole};
use super::{AccountRow, PAGE_MAX, PlatformUnit, StoreError, TenantUnit};
use crate::money::MoneyError;

/// Which rows. What is empty is not asked for.
#[derive(Debug, Clone, Default)]
pub(crate) struct LedgerFilter {
    pub(crate) tenant: String,
    pub(crate) author: String,
    pub(crate) capsule: String,
    pub(crate) kind: String,
    pub(crate) currency: String,
    pub(crate) from: Timestamp,
    pub(crate) until: Timestamp,
    /// Number of the posting and place of the row behind which the page begins.
    pub(crate) after: (u64, u64),
    pub(crate) limit: u32,
}

/// One row with what it is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct LedgerRow {
    pub(crate) n: u64,
    pub(crate) place: u64,
    pub(crate) id: String,
    pub(crate) cause: String,
    pub(crate) at: Timestamp,
    pub(crate) tenant: Option<String>,
    pub(crate) author: Option<String>,
    pub(crate) capsule: Option<String>,
    pub(crate) environment: Option<String>,
    pub(crate) installation: Option<String>,
    pub(crate) kind: String,
    pub(crate) debit: String,
    pub(crate) credit: String,
    pub(crate) amount: Money,
    pub(crate) reverses: Option<String>,
}

fn ledger_row(row: &Row) -> Result<LedgerRow, StoreError> {
    Ok(LedgerRow {
        n: row.count("n")?,
        place: row.count("place")?,
        id: row.text("transfer_id")?,
        cause: row.text("cause")?,
        at: row.time("at_ms")?,
        tenant: row.maybe_text("tenant")?,
        author: row.maybe_text("author")?,
        capsule: row.maybe_text("capsule")?,
        environment: row.maybe_text("environment")?,
        installation: row.maybe_text("installation")?,
        kind: row.text("kind")?,
        debit: row.text("debit")?,
        credit: row.text("credit")?,
        amount: Money { micros: row.int("amount")?, currency: row.parsed("currency")? },
        reverses: row.maybe_text("reverses")?,
    })
}

impl TenantUnit {
    /// The org's rows as a tenant and as an owner of accounts.
    pub(crate) async fn ledger(&mut self, it: &LedgerFilter) -> Result<Vec<LedgerRow>, StoreError> {
        let sql = posted!(
            "WHERE (p.n > $1 OR (p.n = $1 AND t.place > $2)) AND p.at_ms >= $3 AND p.at_ms < $4 \
             AND ($5 = '' OR p.capsule = $5) AND ($6 = '' OR t.kind = $6) AND ($7 = '' OR p.currency = $7) \
             AND p.org = $8 ORDER BY p.n, t.place LIMIT $9"
        );
        let org = self.org().to_owned();
        let (n, place) = (whole(it.after.0), whole(it.after.1));
        let binds = binds![
            n,
            place,
            it.from,
            it.until,
            &it.capsule,
            &it.kind,
            &it.currency,
            &org,
            it.limit
        ];
        self.tx.all(sql, binds).await?.iter().map(ledger_row).collect()
    }

    /// The org's accounts, leases left out.
    pub(crate) async fn accounts(&mut self) -> Result<Vec<AccountRow>, StoreError> {
        let sql = "SELECT org, account, currency, balance, least FROM accounts \
                   WHERE org = $1 AND account NOT LIKE 'lease:%' ORDER BY account, currency LIMIT 1000";
        let org = self.org().to_owned();
        self.tx.all(sql, binds![&org]).await?.iter().map(account).collect()
    }

    /// What the org's live leases hold, per currency.
    pub(crate) async fn leased(&mut self) -> Result<Vec<Money>, StoreError> {
        let sql = "SELECT currency, CAST(SUM(held) AS BIGINT) AS held FROM leases \
                   WHERE org = $1 AND state IN ('open', 'recalling', 'closing') GROUP BY currency ORDER BY currency";
        let org = self.org().to_owned();
        let rows = self.tx.all(sql, binds![&org]).await?;
        let read =
            |row: &Row| Ok(Money { micros: row.int("held")?, currency: row.parsed("currency")? });
        rows.iter().map(read).collect()
    }
}

impl PlatformUnit {
    /// Everybody's rows; of one tenant and one author if they are named.
    pub(crate) async fn ledger_everywhere(
        &mut self,
        it: &LedgerFilter,
    ) -> Result<Vec<LedgerRow>, StoreError> {
        let sql = posted!(
            "WHERE (p.n > $1 OR (p.n = $1 AND t.place > $2)) AND p.at_ms >= $3 AND p.at_ms < $4 \
             AND ($5 = '' OR p.capsule = $5) AND ($6 = '' OR t.kind = $6) AND ($7 = '' OR p.currency = $7) \
             AND ($8 = '' OR p.tenant = $8) AND ($9 = '' OR p.author = $9) ORDER BY p.n, t.place LIMIT $10"
        );
        let (n, place) = (whole(it.after.0), whole(it.after.1));
        let binds = binds![
            n,
            place,
            it.from,
            it.until,
            &it.capsule,
            &it.kind,
            &it.currency,
            &it.tenant,
            &it.author,
            it.limit
        ];
        self.tx.all(sql, binds).await?.iter().map(ledger_row).collect()
    }

    /// The rows that touch an author's own accounts.
    pub(crate) async fn ledger_of_author(
        &mut self,
        author: &OrgId,
        it: &LedgerFilter,
    ) -> Result<Vec<LedgerRow>, StoreError> {
        let sql = posted!(
            "WHERE (p.n > $1 OR (p.n = $1 AND t.place > $2)) AND p.at_ms >= $3 AND p.at_ms < $4 \
             AND ($5 = '' OR p.capsule = $5) AND ($6 = '' OR t.kind = $6) AND ($7 = '' OR p.currency = $7) AND p.author = $8 \
             AND (t.credit IN ($9, $10, $11) OR t.debit IN ($9, $10, $11)) ORDER BY p.n, t.place LIMIT $12"
        );
        let own = [Account::Pending, Account::Available, Account::Held];
        let [pending, available, held] = own.map(|make| make(author.clone()).to_string());
        let (n, place) = (whole(it.after.0), whole(it.after.1));
        let binds = binds![
            n,
            place,
            it.from,
            it.until,
            &it.capsule,
            &it.kind,
            &it.currency,
            author.as_str(),
            &pending,
            &available,
            &held,
            it.limit
        ];
        self.tx.all(sql, binds).await?.iter().map(ledger_row).collect()
    }

    /// Postings of a tenant, or of an author, in a currency and a stretch of time, behind a number.
    pub(crate) async fn postings_between(
        &mut self,
        org: &OrgId,
        currency: Currency,
        (from, until): (Timestamp, Timestamp),
        after: u64,
    ) -> Result<Vec<(u64, Posting)>, MoneyError> {
        let numbers = "SELECT n FROM postings WHERE (tenant = $1 OR author = $1) AND currency = $2 AND at_ms >= $3 AND at_ms < $4 AND n > $5 ORDER BY n LIMIT 500";
        let binds = binds![org.as_str(), currency.as_str(), from, until, whole(after)];
        let rows = self.tx.all(numbers, binds).await?;
        let Some(last) = rows.last() else { return Ok(Vec::new()) };
        let last = last.count("n")?;
        let sql = posted!(
            "WHERE (p.tenant = $1 OR p.author = $1) AND p.currency = $2 AND p.at_ms >= $3 AND p.at_ms < $4 AND p.n > $5 AND p.n <= $6 ORDER BY p.n, t.place"
        );
        let binds = binds![org.as_str(), currency.as_str(), from, until, whole(after), whole(last)];
        let rows = self.tx.all(sql, binds).await?;
        Ok(postings(&rows)?.into_iter().map(|(n, posting, _)| (n, posting)).collect())
    }

    /// What a tenant and its leases had before an instant, or an author pending, available and held.
    pub(crate) async fn balance_before(
        &mut self,
        org: &OrgId,
        currency: Currency,
        at: Timestamp,
        author: bool,
    ) -> Result<i64, StoreError> {
        let tenant = "SELECT CAST(COALESCE(SUM(CASE WHEN t.credit = $4 OR t.credit LIKE 'lease:%' THEN t.amount ELSE 0 END \
                      - CASE WHEN t.debit = $4 OR t.debit LIKE 'lease:%' THEN t.amount ELSE 0 END), 0) AS BIGINT) AS total \
                      FROM postings p JOIN transfers t ON t.n = p.n WHERE p.tenant = $1 AND p.currency = $2 AND p.at_ms < $3";
        let earned = "SELECT CAST(COALESCE(SUM(CASE WHEN t.credit IN ($4, $5, $6) THEN t.amount ELSE 0 END \
                      - CASE WHEN t.debit IN ($4, $5, $6) THEN t.amount ELSE 0 END), 0) AS BIGINT) AS total \
                      FROM postings p JOIN transfers t ON t.n = p.n WHERE p.author = $1 AND p.currency = $2 AND p.at_ms < $3";
        let own = [Account::Pending, Account::Available, Account::Held, Account::Tenant];
        let [pending, available, held, account] = own.map(|make| make(org.clone()).to_string());
        let row = if author {
            let binds = binds![org.as_str(), currency.as_str(), at, &pending, &available, &held];
            self.tx.one(earned, binds).await?
        } else {
            self.tx.one(tenant, binds![org.as_str(), currency.as_str(), at, &account]).await?
        };
        row.map_or(Ok(0), |row| row.int("total"))
    }

    /// Accounts of everybody, or of one org, leases left out.
    pub(crate) async fn accounts_everywhere(
        &mut self,
        org: &str,
        after: &str,
        limit: u32,
    ) -> Result<Vec<AccountRow>, StoreError> {
        let sql = "SELECT org, account, currency, balance, least FROM accounts WHERE ($1 = '' OR org = $1) AND account NOT LIKE 'lease:%' \
                   AND account || ' ' || currency > $2 ORDER BY account || ' ' || currency LIMIT $3";
        let rows = self.tx.all(sql, binds![org, after, limit.min(PAGE_MAX + 1)]).await?;
        rows.iter().map(account).collect()
    }
}
