//! Which budgets cover an installation, opened for the windows that hold now; and what comes back to them.

use soma_market::budget::{self, Amounts, Budget, Measure, Scope, Window};
use soma_policy::{
    Code, Currency, EnvironmentId, InstallationKey, InstallationSpec, OrgId, Period, Timestamp,
};

use super::MoneyError;
use crate::store::{BudgetKey, LeaseRow, PlatformUnit, StoreError, scopes};

/// Bytes per UTC day for a grant that names none.
const BYTES_A_DAY: u64 = 1 << 40;

/// A measure as documents and columns write it.
pub(crate) fn measure_of(text: &str) -> Option<Measure> {
    Some(match text {
        "bytes" => Measure::Bytes,
        "tokens" => Measure::Tokens,
        "storage" => Measure::Storage,
        _ => Measure::Money(text.strip_prefix("money:")?.parse::<Currency>().ok()?),
    })
}

/// A scope as documents and columns write it: `org`, `org/environment` or `org/environment/id`.
pub(crate) fn scope_of(text: &str) -> Option<Scope> {
    let mut parts = text.splitn(3, '/');
    let org: OrgId = parts.next()?.parse().ok()?;
    let Some(environment) = parts.next() else { return Some(Scope::Org(org)) };
    let environment: EnvironmentId = environment.parse().ok()?;
    let Some(id) = parts.next() else { return Some(Scope::Environment(org, environment)) };
    let id = id.parse().ok()?;
    Some(Scope::Installation(InstallationKey { environment, id, org }))
}

/// Where a budget is kept.
pub(super) fn key_of(budget: &Budget) -> BudgetKey {
    (budget.scope.to_string(), budget.measure.to_string(), budget.window.to_string())
}

impl PlatformUnit {
    /// The budgets that an installation's lease is taken from: those of org and environment, and its own,
    /// which its active revision names.
    pub(super) async fn budget_chain(
        &mut self,
        key: &InstallationKey,
        spec: &InstallationSpec,
        now: Timestamp,
    ) -> Result<Vec<Budget>, MoneyError> {
        let mut chain = Vec::new();
        let [org, environment, own] = scopes(key);
        for scope in [org, environment] {
            for cap in self.caps_of(&key.org, &scope.to_string()).await? {
                let wrong = StoreError::Corrupt { column: "measure", expected: "a measure" };
                let measure = measure_of(&cap.measure).ok_or(wrong)?;
                let window = Window::of(cap.period, now);
                chain.push(Budget::open(
                    scope.clone(),
                    measure,
                    cap.cap,
                    cap.soft_percent,
                    window,
                )?);
            }
        }
        if let Some(own_budget) = spec.budget {
            let measure = Measure::Money(own_budget.limit.currency);
            let window = Window::of(own_budget.per, now);
            chain.push(Budget::open(own.clone(), measure, own_budget.limit.micros, None, window)?);
        }
        let bytes = bytes_a_day(spec);
        if bytes > 0 {
            let window = Window::of(Period::Day, now);
            chain.push(Budget::open(own, Measure::Bytes, bytes, None, window)?);
        }
        let mut open = Vec::with_capacity(chain.len());
        for budget in &chain {
            open.push(self.open_budget(&key.org, budget).await?);
        }
        Ok(open)
    }

    /// Gives what a lease did not use back to the budgets that it was drawn from, also when their windows
    /// are over.
    pub(super) async fn give_back(
        &mut self,
        row: &LeaseRow,
        freed: &Amounts,
        now: Timestamp,
    ) -> Result<(), MoneyError> {
        if freed.is_none() {
            return Ok(());
        }
        let org = &row.lease.installation.org;
        for (scope, measure, span) in &row.drawn {
            let found = self.budget(org, (scope, measure, span)).await?;
            let wrong = || StoreError::Corrupt { column: "drawn", expected: "a budget" };
            let (scope, measure) = scope_of(scope).zip(measure_of(measure)).ok_or_else(wrong)?;
            let before = found.ok_or_else(wrong)?.budget(scope, measure);
            for after in budget::give_back(std::slice::from_ref(&before), freed, now)? {
                if after != before {
                    self.commit_budget(org, &before, &after).await?;
                }
            }
        }
        Ok(())
    }
}

/// What may flow by outbound HTTP in a day, by the grants.
pub(super) fn bytes_a_day(spec: &InstallationSpec) -> i64 {
    let each = spec.grants.http.values().map(|grant| {
        let day = grant.per_day.map(|it| it.request.0.saturating_add(it.response.0));
        day.unwrap_or(BYTES_A_DAY)
    });
    i64::try_from(each.fold(0u64, u64::saturating_add)).unwrap_or(i64::MAX)
}

/// What one call may move by the grants that say so: a lease that holds less helps it to nothing.
pub(super) fn bytes_a_call(spec: &InstallationSpec) -> i64 {
    let each = spec.grants.http.values().filter_map(|grant| grant.per_call);
    let each = each.map(|it| it.request.0.saturating_add(it.response.0));
    i64::try_from(each.fold(0u64, u64::saturating_add)).unwrap_or(i64::MAX)
}

/// The least that is left of a measure in these budgets; none if nothing caps it.
pub(super) fn left_of(budgets: &[Budget], measure: Measure) -> Option<i64> {
    budgets.iter().filter(|it| it.measure == measure).map(Budget::left).min()
}

/// No budget may be set for a scope of another org.
pub(crate) fn own_scope(org: &OrgId, text: &str) -> Result<Scope, MoneyError> {
    let refuse = |reason: String| soma_market::Refusal::new(Code::BudgetUnknown, "set", reason);
    let scope = scope_of(text).ok_or_else(|| {
        refuse(format!("`{text}` is neither the org nor one of its environments"))
    })?;
    match &scope {
        Scope::Org(own) | Scope::Environment(own, _) if own == org => Ok(scope),
        _ => Err(refuse(format!("`{text}` is neither the org nor one of its environments")).into()),
    }
}
