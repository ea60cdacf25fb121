//! The ledger: postings with their rows, the chain over them, and the balances that they add up to.
//!
//! Whoever posts takes a [`Book`] first: it holds the one head until the transaction ends, so that postings
//! have one order and balances one truth. What is posted is gathered in memory and written at once. Which
//! rows a cause has is soma-market's to say.

mod tables;

use std::collections::BTreeMap;

use serde_json::{Value, json};
use soma_market::Refusal;
use soma_market::ledger::{Account, Cause, Posting, Transfer, link, next_balance};
use soma_policy::{Code, Currency, Digest, Money, OrgId, Timestamp};

use super::many::Rows;
use super::sql::{Row, binds, whole};
use super::{PlatformUnit, StoreError};
use crate::money::MoneyError;

use tables::{POSTINGS, TRANSFERS};

/// What is being posted in one transaction.
pub(crate) struct Book {
    first: u64,
    n: u64,
    head: Digest,
    platform: OrgId,
    postings: Rows,
    transfers: Rows,
    moves: BTreeMap<(Account, Currency), Move>,
}

struct Move {
    org: OrgId,
    micros: i64,
    forced: bool,
}

impl Book {
    /// Adds a posting; `reverses` is the cause that it takes back.
    pub(crate) fn post(
        &mut self,
        posting: &Posting,
        reverses: Option<&Cause>,
    ) -> Result<(), Refusal> {
        self.head = link(self.head, posting)?;
        self.n += 1;
        let owner = posting.about.org.as_ref().or(posting.about.author.as_ref());
        let owner = owner.unwrap_or(&self.platform).clone();
        for (account, delta) in posting.deltas()? {
            let org = self.whose(account, posting);
            let key = (account.clone(), posting.currency);
            let it = self.moves.entry(key).or_insert(Move { org, micros: 0, forced: false });
            it.micros = soma_market::money::add(it.micros, delta, "post")?;
            it.forced |= posting.forced;
        }
        let about = &posting.about;
        let key = about.installation.as_ref();
        self.postings.add([
            whole(self.n).into(),
            owner.as_str().into(),
            posting.cause.to_string().into(),
            posting.currency.as_str().into(),
            whole(posting.at.0).into(),
            about.org.as_ref().map(ToString::to_string).into(),
            about.author.as_ref().map(ToString::to_string).into(),
            about.capsule.as_ref().map(ToString::to_string).into(),
            key.map(|key| key.environment.to_string()).into(),
            key.map(|key| key.id.to_string()).into(),
            posting.forced.into(),
            reverses.map(ToString::to_string).into(),
            self.head.to_string().into(),
        ]);
        for (place, row) in (0_i64..).zip(&posting.transfers) {
            self.transfers.add([
                whole(self.n).into(),
                place.into(),
                owner.as_str().into(),
                row.id.to_string().into(),
                row.kind.as_str().into(),
                row.debit.to_string().into(),
                row.credit.to_string().into(),
                row.amount.into(),
                row.reverses.map(|id| id.to_string()).into(),
            ]);
        }
        Ok(())
    }

    fn whose(&self, account: &Account, posting: &Posting) -> OrgId {
        let lease = match account {
            Account::Lease(_) => posting.about.org.as_ref(),
            _ => None,
        };
        account.org().or(lease).unwrap_or(&self.platform).clone()
    }

    fn pending(&self, account: &Account, currency: Currency) -> i64 {
        self.moves.get(&(account.clone(), currency)).map_or(0, |it| it.micros)
    }
}

/// What an account holds, and the least that it may come to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct AccountRow {
    pub(crate) org: OrgId,
    pub(crate) account: Account,
    pub(crate) balance: Money,
    pub(crate) least: Option<i64>,
}

pub(super) fn account(row: &Row) -> Result<AccountRow, StoreError> {
    let currency = row.parsed("currency")?;
    Ok(AccountRow {
        org: row.parsed("org")?,
        account: row.parsed("account")?,
        balance: Money { micros: row.int("balance")?, currency },
        least: row.maybe_int("least")?,
    })
}

/// One row per transfer, with its posting.
macro_rules! posted {
    ($rest:literal) => {
        concat!(
            "SELECT p.n, p.cause, p.currency, p.at_ms, p.tenant, p.author, p.capsule, p.environment, p.installation, p.forced, p.hash, \
             t.place, t.transfer_id, t.kind, t.debit, t.credit, t.amount, t.reverses \
             FROM postings p JOIN transfers t ON t.n = p.n ",
            $rest
        )
    };
}
pub(super) use posted;

impl PlatformUnit {
    /// Takes the head of the ledger: nobody else posts until this unit ends.
    pub(crate) async fn book(&mut self, platform: &OrgId) -> Result<Book, StoreError> {
        let sql = "UPDATE ledger_head SET n = n WHERE singleton = 1 RETURNING n, hash";
        let gone = || StoreError::Schema("the table `ledger_head` is empty".to_owned());
        let row = self.tx.one(sql, binds![]).await?.ok_or_else(gone)?;
        let n = row.count("n")?;
        Ok(Book {
            first: n,
            n,
            head: row.parsed("hash")?,
            platform: platform.clone(),
            postings: Rows::into(&POSTINGS),
            transfers: Rows::into(&TRANSFERS),
            moves: BTreeMap::new(),
        })
    }

    /// Writes what was posted. Refused as a whole if one account would hold too little.
    pub(crate) async fn keep(&mut self, book: Book, now: Timestamp) -> Result<(), MoneyError> {
        if book.postings.is_empty() {
            return Ok(());
        }
        for ((account, currency), it) in &book.moves {
            self.move_balance(account, *currency, it, now).await?;
        }
        book.postings.insert(&mut self.tx).await?;
        book.transfers.insert(&mut self.tx).await?;
        let sql = "UPDATE ledger_head SET n = $2, hash = $3 WHERE singleton = 1 AND n = $1";
        let head = book.head.to_string();
        match self.tx.run(sql, binds![whole(book.first), whole(book.n), &head]).await? {
            1 => Ok(()),
            _ => Err(StoreError::Busy.into()),
        }
    }

    async fn move_balance(
        &mut self,
        account: &Account,
        currency: Currency,
        it: &Move,
        now: Timestamp,
    ) -> Result<(), MoneyError> {
        if it.micros == 0 {
            return Ok(());
        }
        let (name, currency_name) = (account.to_string(), currency.to_string());
        let sql = "UPDATE accounts SET balance = balance + $3, updated_ms = $4 WHERE account = $1 AND currency = $2 \
                   AND ($5 OR $3 >= 0 OR least IS NULL OR balance + $3 >= least)";
        let moves = binds![&name, &currency_name, it.micros, now, it.forced];
        if self.tx.run(sql, moves).await? == 1 {
            return Ok(());
        }
        let open = "INSERT INTO accounts (org, account, currency, balance, least, updated_ms) VALUES ($1, $2, $3, 0, $4, $5) \
                    ON CONFLICT (account, currency) DO NOTHING";
        let binds = binds![it.org.as_str(), &name, &currency_name, account.floor(), now];
        if self.tx.run(open, binds).await? == 1 && self.tx.run(sql, moves).await? == 1 {
            return Ok(());
        }
        let balance = self.account(account, currency).await?;
        let least = balance.as_ref().and_then(|row| row.least);
        let holds = balance.map_or(Money::zero(currency), |row| row.balance);
        next_balance(account, holds, it.micros, least)?;
        Err(Refusal::new(Code::AccountFloor, "post", format!("`{account}` holds {holds}")).into())
    }

    /// One account; none if it was never touched.
    pub(crate) async fn account(
        &mut self,
        name: &Account,
        currency: Currency,
    ) -> Result<Option<AccountRow>, StoreError> {
        let sql = "SELECT org, account, currency, balance, least FROM accounts WHERE account = $1 AND currency = $2";
        self.tx
            .one(sql, binds![&name.to_string(), currency.as_str()])
            .await?
            .as_ref()
            .map(account)
            .transpose()
    }

    /// What may still be taken from an account, with what is posted in `book` counted.
    pub(crate) async fn spendable(
        &mut self,
        book: &Book,
        name: &Account,
        currency: Currency,
    ) -> Result<i64, StoreError> {
        let row = self.account(name, currency).await?;
        let (balance, least) = row.map_or((0, name.floor()), |row| (row.balance.micros, row.least));
        let now = balance.saturating_add(book.pending(name, currency));
        Ok(least.map_or(i64::MAX, |least| now.saturating_sub(least)).max(0))
    }

    /// Sets how far below zero a tenant's account may go.
    pub(crate) async fn set_least(
        &mut self,
        org: &OrgId,
        currency: Currency,
        least: i64,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let sql = "INSERT INTO accounts (org, account, currency, balance, least, updated_ms) VALUES ($1, $2, $3, 0, $4, $5) \
                   ON CONFLICT (account, currency) DO UPDATE SET least = $4, updated_ms = $5";
        let name = Account::Tenant(org.clone()).to_string();
        let binds = binds![org.as_str(), &name, currency.as_str(), least, now];
        self.tx.run(sql, binds).await.map(drop)
    }

    /// The posting of a cause.
    pub(crate) async fn posting(
        &mut self,
        cause: &Cause,
        currency: Currency,
    ) -> Result<Option<Posting>, MoneyError> {
        let sql = posted!("WHERE p.cause = $1 AND p.currency = $2 ORDER BY p.n, t.place");
        let rows = self.tx.all(sql, binds![&cause.to_string(), currency.as_str()]).await?;
        Ok(postings(&rows)?.into_iter().next().map(|(_, posting, _)| posting))
    }

    /// The postings that take a part of this cause back.
    pub(crate) async fn reversals(
        &mut self,
        cause: &Cause,
        currency: Currency,
    ) -> Result<Vec<Posting>, MoneyError> {
        let sql = posted!("WHERE p.reverses = $1 AND p.currency = $2 ORDER BY p.n, t.place");
        let rows = self.tx.all(sql, binds![&cause.to_string(), currency.as_str()]).await?;
        Ok(postings(&rows)?.into_iter().map(|(_, posting, _)| posting).collect())
    }

    /// A stretch of the chain: postings above `after`, in order, at most `count` of them.
    pub(crate) async fn chain_of_postings(
        &mut self,
        after: u64,
        count: u32,
    ) -> Result<Vec<(u64, Posting, Digest)>, MoneyError> {
        let sql = posted!("WHERE p.n > $1 AND p.n <= $2 ORDER BY p.n, t.place");
        let binds = binds![whole(after), whole(after.saturating_add(u64::from(count)))];
        let rows = self.tx.all(sql, binds).await?;
        postings(&rows)
    }

    /// Number and hash of the last posting.
    pub(crate) async fn ledger_head(&mut self) -> Result<(u64, Digest), StoreError> {
        let sql = "SELECT n, hash FROM ledger_head WHERE singleton = 1";
        let gone = || StoreError::Schema("the table `ledger_head` is empty".to_owned());
        let row = self.tx.one(sql, binds![]).await?.ok_or_else(gone)?;
        Ok((row.count("n")?, row.parsed("hash")?))
    }

    /// Sums of all accounts that are not zero, per currency: there must be none.
    pub(crate) async fn imbalances(&mut self) -> Result<Vec<(String, i64)>, StoreError> {
        let sql = "SELECT currency, CAST(SUM(balance) AS BIGINT) AS total FROM accounts GROUP BY currency HAVING SUM(balance) <> 0 ORDER BY currency";
        let rows = self.tx.all(sql, binds![]).await?;
        rows.iter().map(|row| Ok((row.text("currency")?, row.int("total")?))).collect()
    }

    /// Accounts whose stored balance is not the sum of their rows: account, currency, stored, summed.
    pub(crate) async fn unsummed(
        &mut self,
        limit: u32,
    ) -> Result<Vec<(String, String, i64, i64)>, StoreError> {
        let sql = "SELECT s.account, s.currency, CAST(SUM(s.stored) AS BIGINT) AS stored, CAST(SUM(s.summed) AS BIGINT) AS summed FROM ( \
                   SELECT account, currency, balance AS stored, 0 AS summed FROM accounts \
                   UNION ALL SELECT t.credit, p.currency, 0, t.amount FROM transfers t JOIN postings p ON p.n = t.n \
                   UNION ALL SELECT t.debit, p.currency, 0, -t.amount FROM transfers t JOIN postings p ON p.n = t.n \
                   ) s GROUP BY s.account, s.currency HAVING SUM(s.stored) <> SUM(s.summed) ORDER BY s.account LIMIT $1";
        let rows = self.tx.all(sql, binds![limit]).await?;
        let read = |row: &Row| {
            Ok((
                row.text("account")?,
                row.text("currency")?,
                row.int("stored")?,
                row.int("summed")?,
            ))
        };
        rows.iter().map(read).collect()
    }
}

/// Rows of transfers, in the order of their postings, as postings with number and hash.
pub(super) fn postings(rows: &[Row]) -> Result<Vec<(u64, Posting, Digest)>, MoneyError> {
    let mut out = Vec::new();
    let mut at = 0;
    while let Some(first) = rows.get(at) {
        let n = first.count("n")?;
        let mut transfers = Vec::new();
        while let Some(row) = rows.get(at) {
            if row.count("n")? != n {
                break;
            }
            transfers.push(transfer(row)?);
            at += 1;
        }
        let installation =
            match (first.maybe_parsed("environment")?, first.maybe_parsed("installation")?) {
                (Some(environment), Some(id)) => Some(soma_policy::InstallationKey {
                    environment,
                    id,
                    org: first.parsed("tenant")?,
                }),
                _ => None,
            };
        let about = soma_market::ledger::About {
            author: first.maybe_parsed("author")?,
            capsule: first.maybe_parsed("capsule")?,
            installation,
            org: first.maybe_parsed("tenant")?,
        };
        let posting = Posting::read(about, first.flag("forced")?, transfers)?;
        out.push((n, posting, first.parsed("hash")?));
    }
    Ok(out)
}

/// The type's own reader judges what was stored.
fn transfer(row: &Row) -> Result<Transfer, StoreError> {
    let mut value = json!({
        "amount": row.int("amount")?.to_string(),
        "at": row.count("at_ms")?.to_string(),
        "cause": row.text("cause")?,
        "credit": row.text("credit")?,
        "currency": row.text("currency")?,
        "debit": row.text("debit")?,
        "id": row.text("transfer_id")?,
        "kind": row.text("kind")?,
    });
    if let (Some(reverses), Some(fields)) = (row.maybe_text("reverses")?, value.as_object_mut()) {
        fields.insert("reverses".to_owned(), Value::String(reverses));
    }
    let other = |_| StoreError::Corrupt { column: "transfers", expected: "a row of the ledger" };
    serde_json::from_value(value).map_err(other)
}
