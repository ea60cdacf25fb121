//! Taking from all budgets of an installation at once: org, environment and installation, or from none.

use soma_policy::{Code, InstallationKey, Timestamp};

use super::{Amounts, Budget, BudgetCommand, Scope};
use crate::Refusal;

/// The budgets after taking `amounts` from each that caps one of its measures.
///
/// Each measure that is asked for needs a budget of the installation itself: without one nothing may be
/// spent. Environment and org cap it further where they have a budget of the same measure.
///
/// # Errors
/// As [`Budget::apply`]; [`Code::BudgetCap`] too when the installation has no budget for a measure, and
/// [`Code::BudgetBad`] when a budget of others is among them.
pub fn take(
    budgets: &[Budget],
    key: &InstallationKey,
    amounts: &Amounts,
    at: Timestamp,
) -> Result<Vec<Budget>, Refusal> {
    if let Some(foreign) = budgets.iter().find(|budget| !budget.scope.covers(key)) {
        let reason = format!("the budget of `{}` is not one of `{key}`", foreign.scope);
        return Err(Refusal::new(Code::BudgetBad, "take", reason));
    }
    for (measure, amount) in amounts.each() {
        let own = Scope::Installation(key.clone());
        let has = budgets.iter().any(|budget| budget.scope == own && budget.measure == measure);
        if amount != 0 && !has {
            let reason = format!("`{key}` has no budget for {measure}");
            return Err(Refusal::new(Code::BudgetCap, "take", reason));
        }
    }
    each(budgets, amounts, BudgetCommand::Take, at)
}

/// The budgets after `amounts` came back. Windows that are over take back what was theirs.
///
/// # Errors
/// As [`Budget::apply`].
pub fn give_back(
    budgets: &[Budget],
    amounts: &Amounts,
    at: Timestamp,
) -> Result<Vec<Budget>, Refusal> {
    each(budgets, amounts, BudgetCommand::GiveBack, at)
}

fn each(
    budgets: &[Budget],
    amounts: &Amounts,
    command: fn(i64) -> BudgetCommand,
    at: Timestamp,
) -> Result<Vec<Budget>, Refusal> {
    let one = |budget: &Budget| {
        let amounts = amounts.each();
        let own = amounts.iter().find(|(measure, _)| *measure == budget.measure);
        match own {
            Some((_, amount)) if *amount != 0 => budget.apply(command(*amount), at),
            _ => Ok(budget.clone()),
        }
    };
    budgets.iter().map(one).collect()
}
