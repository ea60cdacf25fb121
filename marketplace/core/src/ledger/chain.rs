//! The chain over postings: what was posted cannot be changed, removed or put in between without a trace.

use soma_policy::price::PriceError;
use soma_policy::{Digest, canonical};

use super::Posting;
use crate::Refusal;

/// The head after a posting: the digest of the head before and of the posting's canonical form.
///
/// # Errors
/// None in practice: postings hold no floats.
pub fn link(head: Digest, posting: &Posting) -> Result<Digest, Refusal> {
    let body = canonical::to_vec(posting).map_err(PriceError::from)?;
    let mut bytes = Vec::with_capacity(body.len() + 32);
    bytes.extend_from_slice(head.as_bytes());
    bytes.extend_from_slice(&body);
    Ok(Digest::of(&bytes))
}

/// The head after these postings; none if one of them is not the one that `heads` were made of.
///
/// # Errors
/// As [`link`].
pub fn verify<'a>(
    start: Digest,
    chain: impl IntoIterator<Item = (&'a Posting, Digest)>,
) -> Result<Option<Digest>, Refusal> {
    let mut head = start;
    for (posting, told) in chain {
        head = link(head, posting)?;
        if head != told {
            return Ok(None);
        }
    }
    Ok(Some(head))
}
