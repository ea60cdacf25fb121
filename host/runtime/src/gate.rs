//! The gate: the one place where a host call is decided.
//!
//! A view of a capability can be built only from a `Gate`, a `Gate` only from what
//! [`soma_policy::authorise`] returned. The backend behind a view takes a [`Permit`], which only
//! the gate makes, with the canonical request inside: what was decided is what is done.
//!
//! The order of a decision is fixed: is the call live → do declaration and grant allow it → does
//! the operator's policy, where one mentions the parameters. A denial is kept with the call before
//! the guest hears of it.

use std::ops::Deref;
use std::sync::Arc;

use soma_policy::{Authorised, Denial, HostCall, Label, LabelSet, OperatorPolicy};

use crate::lease::Reservation;
use crate::running::{Cut, Running};

/// What one call may do.
#[derive(Clone)]
pub(crate) struct Gate {
    authorised: Arc<Authorised>,
    running: Arc<Running>,
    reservation: Arc<Reservation>,
}

/// Proof that this very request was decided for this very call. Neither `Clone` nor constructible
/// elsewhere.
#[derive(Debug)]
pub(crate) struct Permit<R> {
    request: R,
    _only_here: Sealed,
}

#[derive(Debug)]
struct Sealed;

/// Why there is no permit.
#[derive(Debug)]
pub(crate) enum Refused {
    /// Denied: the guest gets the nearest error, the denial is already kept.
    Denied(Box<Denial>),
    /// The call is over: the guest gets nothing.
    Cut(Cut),
}

impl<R> Deref for Permit<R> {
    type Target = R;

    fn deref(&self) -> &R {
        &self.request
    }
}

impl From<Cut> for Refused {
    fn from(cut: Cut) -> Self {
        Self::Cut(cut)
    }
}

impl Gate {
    /// Opens the gate of one call.
    pub(crate) fn new(
        authorised: Authorised,
        running: Arc<Running>,
        reservation: Arc<Reservation>,
    ) -> Self {
        running.add_labels(authorised.labels());
        let authorised = Arc::new(authorised);
        running.set_authorised(&authorised);
        Self { authorised, running, reservation }
    }

    /// The call behind the gate.
    pub(crate) fn running(&self) -> &Arc<Running> {
        &self.running
    }

    /// The rights behind the gate, to read limits of a grant; deciding stays here.
    pub(crate) fn authorised(&self) -> &Authorised {
        &self.authorised
    }

    /// The same rights, to hand to a child call.
    pub(crate) fn authorised_shared(&self) -> Arc<Authorised> {
        self.authorised.clone()
    }

    /// What the call holds of its lease; a child's share comes out of it.
    pub(crate) fn reservation(&self) -> &Arc<Reservation> {
        &self.reservation
    }

    /// The operator's policy that let this call in. One that comes meanwhile can only narrow what it may do.
    pub(crate) fn policy(&self) -> &Arc<OperatorPolicy> {
        self.authorised.policy()
    }

    /// Labels of the data that the guest may hold by now.
    pub(crate) fn labels(&self) -> LabelSet {
        self.running.labels()
    }

    /// From now on the guest may hold data with this label.
    pub(crate) fn label(&self, label: Label) {
        self.running.add_labels(LabelSet::EMPTY.with(label));
    }

    /// Decides one request.
    ///
    /// `right` asks declaration and grant (`|authorised, request| authorised.http(request)`),
    /// `call` shows the operator's policy the same request.
    pub(crate) fn decide<R, T>(
        &self,
        request: R,
        right: impl FnOnce(&Authorised, &R) -> Result<T, Box<Denial>>,
        call: impl for<'r> FnOnce(&'r R) -> HostCall<'r>,
    ) -> Result<(Permit<R>, T), Refused> {
        self.running.live()?;
        let matched = right(&self.authorised, &request).map_err(|denial| self.keep(denial))?;
        let asked = call(&request);
        let later = self.running.later_policy();
        for policy in std::iter::once(self.policy()).chain(later.as_ref()) {
            if policy.mentions(asked.action()) {
                policy
                    .judge_host_call(self.authorised.installation(), &asked)
                    .map_err(|denial| self.keep(denial))?;
            }
        }
        Ok((Permit { request, _only_here: Sealed }, matched))
    }

    /// Records a denial that a view found by itself (a quota, a peer that is not public).
    pub(crate) fn refuse(&self, denial: Denial) -> Refused {
        self.keep(Box::new(denial))
    }

    fn keep(&self, denial: Box<Denial>) -> Refused {
        self.running.denied((*denial).clone());
        Refused::Denied(denial)
    }
}
