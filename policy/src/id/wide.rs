//! 128-bit ids as 26 Crockford characters. They are made from values (UUIDv7 at the edge), never drawn here.

use std::fmt;
use std::str::FromStr;

use super::IdError;
use crate::text::string_form;

const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
const RULE: &str = "it is 26 characters of 0-9 and A-Z without I, L, O and U";

fn write(value: u128, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let mut text = [b'0'; 26];
    let mut rest = value;
    for place in text.iter_mut().rev() {
        *place = ALPHABET.get((rest & 31) as usize).copied().unwrap_or(b'0');
        rest >>= 5;
    }
    f.pad(std::str::from_utf8(&text).unwrap_or_default())
}

fn read(text: &str) -> Option<u128> {
    // The first character holds the top three bits alone: a larger one would overflow.
    if text.len() != 26
        || !text.bytes().next()?.is_ascii_digit()
        || text.as_bytes().first()? > &b'7'
    {
        return None;
    }
    text.bytes().try_fold(0u128, |value, byte| {
        let digit = ALPHABET.iter().position(|known| *known == byte)?;
        Some(value << 5 | digit as u128)
    })
}

macro_rules! wide_ids {
    ($($(#[$doc:meta])* $name:ident $kind:literal;)*) => { $(
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(u128);

        impl $name {
            /// From its 128 bits.
            #[must_use]
            pub const fn from_u128(value: u128) -> Self {
                Self(value)
            }

            /// Its 128 bits.
            #[must_use]
            pub const fn as_u128(self) -> u128 {
                self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write(self.0, f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write(self.0, f)
            }
        }

        impl FromStr for $name {
            type Err = IdError;
            fn from_str(text: &str) -> Result<Self, IdError> {
                read(text).map(Self).ok_or_else(|| IdError::new($kind, text, RULE))
            }
        }

        string_form!($name, stringify!($name), $kind);
    )* };
}

wide_ids! {
    /// One call of one function.
    CallId "a call id";
    /// A kill order.
    OrderId "an order id";
    /// A lease of budget and quotas to a host.
    LeaseId "a lease id";
    /// A host.
    HostId "a host id";
    /// A journal of a host; a new one begins when the folder is new.
    JournalId "a journal id";
    /// One start of a host process.
    BootId "a boot id";
    /// A token (`jti`).
    TokenId "a token id";
    /// One row of the ledger.
    TransferId "a transfer id";
    /// What a person or a provider enters into the ledger: a top-up, a credit, a refund.
    EntryId "an entry id";
    /// A payout to an author.
    PayoutId "a payout id";
    /// A user: one natural person, whatever organisations they belong to.
    UserId "a user id";
    /// A service account of an organisation.
    ServiceId "a service account id";
    /// One attempt at a release.
    SubmissionId "a submission id";
    /// A login that may be refreshed.
    SessionId "a session id";
    /// An offer of a membership.
    InvitationId "an invitation id";
    /// An API key, without its secret.
    KeyId "a key id";
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn every_id_round_trips_and_sorts_as_its_text(a: u128, b: u128) {
            let (x, y) = (CallId::from_u128(a), CallId::from_u128(b));
            prop_assert_eq!(x.to_string().parse(), Ok(x));
            prop_assert_eq!(x.cmp(&y), x.to_string().cmp(&y.to_string()));
        }
    }

    #[test]
    fn other_texts_are_refused() {
        let good = CallId::from_u128(u128::MAX).to_string();
        assert_eq!(good, "7ZZZZZZZZZZZZZZZZZZZZZZZZZ");
        let lower = good.to_lowercase();
        for bad in [
            "",
            "8ZZZZZZZZZZZZZZZZZZZZZZZZZ",
            "7",
            &lower,
            "7ZZZZZZZZZZZZZZZZZZZZZZZZI",
            "AZZZZZZZZZZZZZZZZZZZZZZZZZ",
        ] {
            assert!(bad.parse::<CallId>().is_err(), "{bad}");
        }
    }
}
