//! Caps that people set, and what is committed of each in a UTC day or month.

use soma_market::budget::{Budget, Measure, Scope, Window};
use soma_policy::{EnvironmentId, InstallationKey, OrgId, Period, Timestamp};

use super::sql::{Row, binds};
use super::{PAGE_MAX, PlatformUnit, StoreError, TenantUnit};

/// A cap for every period to come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct CapRow {
    pub(crate) scope: String,
    pub(crate) measure: String,
    pub(crate) period: Period,
    pub(crate) cap: i64,
    pub(crate) soft_percent: Option<u8>,
    pub(crate) version: u64,
}

/// What is committed of a cap in one window.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct BudgetRow {
    pub(crate) scope: String,
    pub(crate) measure: String,
    pub(crate) span: Window,
    pub(crate) cap: i64,
    pub(crate) committed: i64,
    pub(crate) soft_percent: Option<u8>,
}

fn percent(row: &Row) -> Result<Option<u8>, StoreError> {
    let wrong = |_| StoreError::Corrupt { column: "soft_percent", expected: "a percentage" };
    row.maybe_count("soft_percent")?.map(|it| u8::try_from(it).map_err(wrong)).transpose()
}

fn cap(row: &Row) -> Result<CapRow, StoreError> {
    Ok(CapRow {
        scope: row.text("scope")?,
        measure: row.text("measure")?,
        period: if row.text("period")? == "day" { Period::Day } else { Period::Month },
        cap: row.int("cap")?,
        soft_percent: percent(row)?,
        version: row.count("version")?,
    })
}

fn budget(row: &Row) -> Result<BudgetRow, StoreError> {
    Ok(BudgetRow {
        scope: row.text("scope")?,
        measure: row.text("measure")?,
        span: row.parsed("span")?,
        cap: row.int("cap")?,
        committed: row.int("committed")?,
        soft_percent: percent(row)?,
    })
}

impl BudgetRow {
    /// As the rules take it.
    pub(crate) fn budget(&self, scope: Scope, measure: Measure) -> Budget {
        let Self { cap, committed, soft_percent, span, .. } = *self;
        Budget { cap, committed, measure, scope, soft_percent, window: span }
    }
}

/// The scopes that cover an installation, widest first.
pub(crate) fn scopes(key: &InstallationKey) -> [Scope; 3] {
    let (org, environment): (OrgId, EnvironmentId) = (key.org.clone(), key.environment.clone());
    [
        Scope::Org(org.clone()),
        Scope::Environment(org, environment),
        Scope::Installation(key.clone()),
    ]
}

impl PlatformUnit {
    /// The caps of one scope.
    pub(crate) async fn caps_of(
        &mut self,
        org: &OrgId,
        scope: &str,
    ) -> Result<Vec<CapRow>, StoreError> {
        let sql = "SELECT scope, measure, period, cap, soft_percent, version FROM budget_caps WHERE org = $1 AND scope = $2 ORDER BY measure, period";
        self.tx.all(sql, binds![org.as_str(), scope]).await?.iter().map(cap).collect()
    }

    /// The budget of a window; opened with this cap if nobody drew on it yet, and given this cap if it had
    /// another one.
    pub(crate) async fn open_budget(
        &mut self,
        org: &OrgId,
        it: &Budget,
    ) -> Result<Budget, StoreError> {
        let (scope, measure) = (it.scope.to_string(), it.measure.to_string());
        let span = it.window.to_string();
        let sql = "INSERT INTO budgets (org, scope, measure, span, cap, committed, soft_percent) VALUES ($1, $2, $3, $4, $5, 0, $6) \
                   ON CONFLICT (org, scope, measure, span) DO UPDATE SET cap = $5, soft_percent = $6 \
                   RETURNING scope, measure, span, cap, committed, soft_percent";
        let soft = it.soft_percent.map(i64::from);
        let binds = binds![org.as_str(), &scope, &measure, &span, it.cap, soft];
        let gone = || StoreError::Refused("the budget was not kept".to_owned());
        let row = budget(&self.tx.one(sql, binds).await?.ok_or_else(gone)?)?;
        Ok(row.budget(it.scope.clone(), it.measure))
    }

    /// One budget.
    pub(crate) async fn budget(
        &mut self,
        org: &OrgId,
        (scope, measure, span): (&str, &str, &str),
    ) -> Result<Option<BudgetRow>, StoreError> {
        let sql = "SELECT scope, measure, span, cap, committed, soft_percent FROM budgets \
                   WHERE org = $1 AND scope = $2 AND measure = $3 AND span = $4";
        let row = self.tx.one(sql, binds![org.as_str(), scope, measure, span]).await?;
        row.as_ref().map(budget).transpose()
    }

    /// Commits more or less of a budget, unless somebody else did meanwhile.
    pub(crate) async fn commit_budget(
        &mut self,
        org: &OrgId,
        before: &Budget,
        after: &Budget,
    ) -> Result<(), StoreError> {
        let sql = "UPDATE budgets SET committed = $6 WHERE org = $1 AND scope = $2 AND measure = $3 AND span = $4 AND committed = $5";
        let (scope, measure) = (before.scope.to_string(), before.measure.to_string());
        let span = before.window.to_string();
        let binds =
            binds![org.as_str(), &scope, &measure, &span, before.committed, after.committed];
        if self.tx.run(sql, binds).await? == 1 { Ok(()) } else { Err(StoreError::Busy) }
    }
}

impl TenantUnit {
    /// The org's caps, by scope.
    pub(crate) async fn caps(
        &mut self,
        after: &str,
        limit: u32,
    ) -> Result<Vec<CapRow>, StoreError> {
        let sql = "SELECT scope, measure, period, cap, soft_percent, version FROM budget_caps \
                   WHERE org = $1 AND scope || ' ' || measure || ' ' || period > $2 ORDER BY scope || ' ' || measure || ' ' || period LIMIT $3";
        let org = self.org().to_owned();
        let rows = self.tx.all(sql, binds![&org, after, limit.min(PAGE_MAX + 1)]).await?;
        rows.iter().map(cap).collect()
    }

    /// What is committed in the windows that hold now.
    pub(crate) async fn budgets_in(
        &mut self,
        day: Window,
        month: Window,
    ) -> Result<Vec<BudgetRow>, StoreError> {
        let sql = "SELECT scope, measure, span, cap, committed, soft_percent FROM budgets \
                   WHERE org = $1 AND (span = $2 OR span = $3) ORDER BY scope, measure, span LIMIT 1000";
        let org = self.org().to_owned();
        let rows = self.tx.all(sql, binds![&org, &day.to_string(), &month.to_string()]).await?;
        rows.iter().map(budget).collect()
    }

    /// Sets a cap; in the window that holds now too.
    pub(crate) async fn set_cap(
        &mut self,
        it: &CapRow,
        now: Timestamp,
    ) -> Result<CapRow, StoreError> {
        let org = self.org().to_owned();
        let period = it.period.to_string();
        let soft = it.soft_percent.map(i64::from);
        let sql = "INSERT INTO budget_caps (org, scope, measure, period, cap, soft_percent, version, updated_ms) VALUES ($1, $2, $3, $4, $5, $6, 1, $7) \
                   ON CONFLICT (org, scope, measure, period) DO UPDATE SET cap = $5, soft_percent = $6, version = budget_caps.version + 1, updated_ms = $7 \
                   RETURNING scope, measure, period, cap, soft_percent, version";
        let binds = binds![&org, &it.scope, &it.measure, &period, it.cap, soft, now];
        let gone = || StoreError::Refused("the cap was not kept".to_owned());
        let kept = cap(&self.tx.one(sql, binds).await?.ok_or_else(gone)?)?;
        let open = "UPDATE budgets SET cap = $5, soft_percent = $6 WHERE org = $1 AND scope = $2 AND measure = $3 AND span = $4";
        let span = Window::of(it.period, now).to_string();
        self.tx.run(open, binds![&org, &it.scope, &it.measure, &span, it.cap, soft]).await?;
        Ok(kept)
    }

    /// Takes a cap away; what is committed stays counted until its window ends.
    pub(crate) async fn remove_cap(
        &mut self,
        scope: &str,
        measure: &str,
        period: Period,
    ) -> Result<bool, StoreError> {
        let sql = "DELETE FROM budget_caps WHERE org = $1 AND scope = $2 AND measure = $3 AND period = $4";
        let org = self.org().to_owned();
        Ok(self.tx.run(sql, binds![&org, scope, measure, &period.to_string()]).await? == 1)
    }
}

impl CapRow {
    /// Its place in a list.
    pub(crate) fn place(&self) -> String {
        format!("{} {} {}", self.scope, self.measure, self.period)
    }

    #[cfg(test)]
    pub(crate) fn of(scope: &str, measure: &str, period: Period, cap: i64) -> Self {
        let (scope, measure) = (scope.to_owned(), measure.to_owned());
        Self { scope, measure, period, cap, soft_percent: None, version: 1 }
    }
}
