//! Balances: the running sums that a store keeps, and the check that they are the sums.

use std::collections::BTreeMap;

use soma_policy::{Code, Currency, Money, OrgId};

use super::{Account, Funding, Posting, Transfer};
use crate::Refusal;
use crate::money;

/// The next balance of one account: what a conditional update says in SQL. A floor refuses only what takes
/// away, so that an account below it can be filled.
///
/// # Errors
/// [`Code::AccountFloor`], or [`Code::MoneyOverflow`].
pub fn next_balance(
    account: &Account,
    balance: Money,
    delta: i64,
    floor: Option<i64>,
) -> Result<Money, Refusal> {
    let micros = money::add(balance.micros, delta, "post")?;
    match floor {
        Some(floor) if delta < 0 && micros < floor => {
            let short =
                Money { micros: micros.abs_diff(floor).try_into().unwrap_or(i64::MAX), ..balance };
            let reason = format!("`{account}` holds {balance}, which is {short} too little");
            Err(Refusal::new(Code::AccountFloor, "post", reason))
        }
        _ => Ok(Money { micros, ..balance }),
    }
}

/// All balances, in memory: for replays and checks. A store keeps one row per account.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Balances {
    sums: BTreeMap<(Account, Currency), i64>,
    funding: BTreeMap<OrgId, Funding>,
}

impl Balances {
    /// Sets how a tenant's account is filled.
    pub fn fund(&mut self, org: OrgId, funding: Funding) {
        self.funding.insert(org, funding);
    }

    /// The balance of an account.
    #[must_use]
    pub fn of(&self, account: &Account, currency: Currency) -> i64 {
        self.sums.get(&(account.clone(), currency)).copied().unwrap_or(0)
    }

    /// The sums, one per account and currency that was ever touched.
    #[must_use]
    pub const fn sums(&self) -> &BTreeMap<(Account, Currency), i64> {
        &self.sums
    }

    /// The balances after a posting: all of it, or a refusal and none.
    ///
    /// # Errors
    /// As [`next_balance`].
    pub fn apply(&mut self, posting: &Posting) -> Result<(), Refusal> {
        let mut next = Vec::new();
        for (account, delta) in posting.deltas()? {
            let currency = posting.currency;
            let balance = Money { micros: self.of(account, currency), currency };
            let floor = if posting.forced { None } else { self.floor(account) };
            let balance = next_balance(account, balance, delta, floor)?;
            next.push(((account.clone(), currency), balance.micros));
        }
        self.sums.extend(next);
        Ok(())
    }

    fn floor(&self, account: &Account) -> Option<i64> {
        match account {
            Account::Tenant(org) => {
                Some(self.funding.get(org).copied().unwrap_or_default().floor())
            }
            other => other.floor(),
        }
    }
}

/// The sum of all accounts per currency: zero, or the ledger was changed by something else than postings.
#[must_use]
pub fn trial(sums: &BTreeMap<(Account, Currency), i64>) -> BTreeMap<Currency, i128> {
    let mut totals = BTreeMap::new();
    for ((_, currency), sum) in sums {
        *totals.entry(*currency).or_insert(0i128) += i128::from(*sum);
    }
    totals
}

/// Where stored balances are not the sums of the rows: account, stored, summed.
#[must_use]
pub fn differences<'a>(
    stored: &BTreeMap<(Account, Currency), i64>,
    rows: impl IntoIterator<Item = &'a Transfer>,
) -> Vec<(Account, Currency, i128, i128)> {
    let mut summed: BTreeMap<(Account, Currency), i128> = BTreeMap::new();
    for row in rows {
        *summed.entry((row.debit.clone(), row.currency)).or_default() -= i128::from(row.amount);
        *summed.entry((row.credit.clone(), row.currency)).or_default() += i128::from(row.amount);
    }
    let keys: std::collections::BTreeSet<_> = stored.keys().chain(summed.keys()).cloned().collect();
    let both = keys.into_iter().map(|key| {
        let have = stored.get(&key).map_or(0, |sum| i128::from(*sum));
        let want = summed.get(&key).copied().unwrap_or(0);
        (key.0, key.1, have, want)
    });
    both.filter(|(_, _, have, want)| have != want).collect()
}
