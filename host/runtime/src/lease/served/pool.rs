//! All leases of one installation, and what to say when they do not suffice.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use arc_swap::ArcSwap;
use parking_lot::Mutex;
use soma_policy::price::{PriceError, worst};
use soma_policy::{Code, Denial, InstallationKey, Layer, Money, Timestamp};

use super::Cost;
use super::given::{Given, Short};
use crate::lease::Standing;
use crate::lease::slots::Slots;

/// An installation's leases, in the order in which they came.
#[derive(Debug)]
pub(super) struct Pool {
    key: InstallationKey,
    pub(super) slots: Slots,
    leases: ArcSwap<Vec<Arc<Given>>>,
    /// A call found too little: more is asked for, unless the server refused.
    wanted: AtomicBool,
    /// Why the server gave nothing when it was asked last. Read only where a call is refused.
    refused: Mutex<Option<String>>,
}

impl Pool {
    pub(super) fn new(key: InstallationKey) -> Self {
        let (slots, leases, wanted, refused) = Default::default();
        Self { key, slots, leases, wanted, refused }
    }

    /// The leases now.
    pub(super) fn leases(&self) -> Arc<Vec<Arc<Given>>> {
        self.leases.load_full()
    }

    /// From now on these. Only the control thread calls it.
    pub(super) fn set(&self, leases: Vec<Arc<Given>>) {
        self.leases.store(Arc::new(leases));
    }

    /// Reserves the worst case of a call: of `first`, or of whichever lease holds it.
    pub(super) fn take(
        &self,
        first: Option<&Arc<Given>>,
        cost: &Cost,
        now: Timestamp,
    ) -> Result<(Arc<Given>, i64), Box<Denial>> {
        let leases = self.leases.load();
        let (mut ended, mut fault) = (None, None);
        let others = leases.iter().filter(|it| first.is_none_or(|first| !Arc::ptr_eq(it, first)));
        for given in first.into_iter().chain(others) {
            let micros = match cost.worst(given) {
                Ok(micros) => micros,
                Err(error) => {
                    fault = Some(error);
                    continue;
                }
            };
            match given.take(micros, now) {
                Ok(()) => return Ok((Arc::clone(given), micros)),
                Err(Short::Ended) => ended = Some(given),
                Err(Short::Money) => {}
            }
        }
        if let Some(error) = fault {
            return Err(Box::new(unpriced(&error)));
        }
        self.want();
        Err(Box::new(self.denial(cost, &leases, ended.is_some(), now)))
    }

    /// A call needs more than there is.
    pub(super) fn want(&self) {
        self.wanted.store(true, Ordering::Release);
    }

    pub(super) fn is_wanted(&self) -> bool {
        self.wanted.load(Ordering::Acquire)
    }

    /// The server gave something.
    pub(super) fn given(&self) {
        self.wanted.store(false, Ordering::Release);
        *self.refused.lock() = None;
    }

    /// The server gave nothing, and said why.
    pub(super) fn refused(&self, why: String) {
        self.wanted.store(false, Ordering::Release);
        *self.refused.lock() = Some(why);
    }

    pub(super) fn standings(&self) -> Vec<Standing> {
        self.leases.load().iter().rev().map(|given| given.standing()).collect()
    }

    /// What is spent and reserved, what the server said, and what to do.
    fn denial(&self, cost: &Cost, leases: &[Arc<Given>], ended: bool, now: Timestamp) -> Denial {
        let open: Vec<_> = leases.iter().filter(|given| given.may_start(now)).collect();
        let held = open.last().map(|last| held(&open, last, cost));
        let refused = self.refused.lock().clone();
        let words = [held, refused.clone().map(|why| format!("the server gives no more: {why}"))];
        let words = words.into_iter().flatten().collect::<Vec<_>>().join("; ");
        let deny = |code, reason: String| Denial::new(code, Layer::Budget, "call", reason);
        match (refused, words) {
            (Some(_), words) if ended && open.is_empty() => deny(Code::LeaseEnded, words),
            (Some(_), words) => deny(Code::BudgetExhausted, words)
                .fix(format!("retry, or raise budget.limit in {}", self.key.file())),
            (None, words) if !words.is_empty() => {
                deny(Code::LeasePending, format!("{words}; more is asked for"))
            }
            (None, _) if ended => deny(
                Code::LeasePending,
                "the last moment of its lease is past; the next one is asked for".to_owned(),
            ),
            (None, _) => deny(Code::LeasePending, "no lease is here yet".to_owned()),
        }
    }
}

/// `0.10 spent and 4.10 of 5.00 EUR reserved by 41 running calls, and this one may cost 0.90`.
fn held(open: &[&Arc<Given>], last: &Given, cost: &Cost) -> String {
    let (worst, currency) = (cost.worst(last).unwrap_or(0), last.lease.money.currency);
    let standings: Vec<_> = open.iter().map(|given| given.standing()).collect();
    let limit = open.iter().fold(0_i64, |sum, given| sum.saturating_add(given.lease.money.micros));
    let sum = |part: fn(&Standing) -> i64| {
        standings.iter().fold(0_i64, |sum, standing| sum.saturating_add(part(standing)))
    };
    let (spent, reserved) = (sum(|it| it.spent.micros), sum(|it| it.reserved.micros));
    let running = standings.iter().fold(0_u32, |sum, it| sum.saturating_add(it.running));
    let money = |micros| Money { micros, currency };
    let spent =
        if spent > 0 { format!("{} spent and ", money(spent).number()) } else { String::new() };
    format!(
        "{spent}{} of {} reserved by {running} running calls, and this one may cost {}",
        money(reserved).number(),
        money(limit),
        money(worst).number()
    )
}

fn unpriced(error: &PriceError) -> Denial {
    let code = match error {
        PriceError::Currency { .. } => Code::BudgetCurrency,
        error => error.code(),
    };
    Denial::new(code, Layer::Budget, "call", error.to_string())
}

impl Cost {
    /// What is reserved of this lease, in micro-units.
    fn worst(&self, given: &Given) -> Result<i64, PriceError> {
        Ok(worst(&given.terms, self.price, self.origin, &self.limits)?.micros)
    }
}
