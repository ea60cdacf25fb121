//! Which token a name belongs to, of those that were found right lately: a fixed table without a lock.
//!
//! A call knows its token by name. When it starts, its token was judged a moment before, so it is here.

use std::sync::Arc;

use arc_swap::ArcSwapOption;
use soma_policy::TokenId;

use super::VerifiedToken;

/// Places in the table.
const PLACES: usize = 4096;

pub(crate) struct Holders(Box<[ArcSwapOption<VerifiedToken>]>);

impl Default for Holders {
    fn default() -> Self {
        Self((0..PLACES).map(|_| ArcSwapOption::empty()).collect())
    }
}

impl std::fmt::Debug for Holders {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Holders({PLACES} places)")
    }
}

impl Holders {
    pub(crate) fn put(&self, token: &Arc<VerifiedToken>) {
        let Some(place) = self.place(&token.claims().jti) else { return };
        let known = place.load();
        if !known.as_ref().is_some_and(|known| Arc::ptr_eq(known, token)) {
            place.store(Some(Arc::clone(token)));
        }
    }

    pub(crate) fn get(&self, jti: &TokenId) -> Option<Arc<VerifiedToken>> {
        let token = self.place(jti)?.load_full()?;
        (token.claims().jti == *jti).then_some(token)
    }

    /// By the name's random end: its beginning is a time.
    fn place(&self, jti: &TokenId) -> Option<&ArcSwapOption<VerifiedToken>> {
        let place = usize::try_from(jti.as_u128() % PLACES as u128).ok()?;
        self.0.get(place)
    }
}
