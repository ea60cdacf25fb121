//! A value beside the digest of its canonical form: made once where many things ask for it.
//!
//! Only made from the value itself, so that the two always belong together.

use std::ops::Deref;

use serde::Serialize;
use soma_policy::price::PriceError;
use soma_policy::{Digest, canonical};

use crate::Refusal;

/// A value that knows its digest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Digested<T> {
    sum: Digest,
    value: T,
}

impl<T: Serialize> Digested<T> {
    /// The value with its digest.
    ///
    /// # Errors
    /// When it has no canonical form; offers and terms always have one.
    pub fn of(value: T) -> Result<Self, Refusal> {
        Ok(Self { sum: canonical::digest(&value).map_err(PriceError::from)?, value })
    }
}

impl<T> Digested<T> {
    /// The digest of its canonical form.
    #[must_use]
    pub const fn sum(&self) -> Digest {
        self.sum
    }
}

impl<T> Deref for Digested<T> {
    type Target = T;
    fn deref(&self) -> &T {
        &self.value
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::money::fixture::{per_call, terms};

    #[test]
    fn the_digest_is_the_one_that_the_value_itself_gives() {
        let (offer, terms) = (per_call(7), terms());
        assert_eq!(Digested::of(offer.clone()).unwrap().sum(), offer.digest().unwrap());
        assert_eq!(Digested::of(terms.clone()).unwrap().sum(), terms.digest().unwrap());
        assert_eq!(*Digested::of(offer.clone()).unwrap(), offer);
    }
}
