//! Signed kill orders, lifts and receipts as they come in: checked, and told apart. The same on a host and on
//! a server.
//!
//! This room proves who signed and recognises the persons behind it. What an order means, how many persons it
//! takes and what stands is judged in soma-policy; who carries it out is the host's matter.

mod receipt;

use soma_policy::{
    Code, Digest, KillOrder, KillScope, Lift, Operators, OperatorsError, OrderId, Signed,
};

use crate::dsse::{self, DsseError, Envelope};
use crate::key::PublicKey;

pub use receipt::{KillReceipt, Micros, StoppedCall};

/// The kind of an order: `application/vnd.soma.kill-order.v1+json`.
pub const ORDER_KIND: &str = "kill-order";
/// The kind of a lift.
pub const LIFT_KIND: &str = "kill-lift";
/// The kind of a host's receipt for what it stopped.
pub const RECEIPT_KIND: &str = "kill-receipt";

/// The longest order or lift with its signatures.
pub const DOCUMENT_BYTES_MAX: usize = 64 * 1024;

/// Who may sign, as persons and as keys.
#[derive(Debug, Clone)]
pub struct Trusted {
    /// The persons and their quorum.
    pub operators: Operators,
    /// Their keys.
    pub keys: Vec<PublicKey>,
}

/// Why a signed order or lift is not taken. Nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum KillRefusal {
    /// It is no signed document of this kind, or a signature is wrong.
    #[error(transparent)]
    Document(#[from] DsseError),
    /// It is longer than any order.
    #[error("an order has at most {bound} bytes, this has {length}")]
    TooLong {
        /// Its length.
        length: usize,
        /// The bound.
        bound: usize,
    },
    /// No operator signed it.
    #[error(transparent)]
    Operators(#[from] OperatorsError),
    /// It does not fit the orders that are here.
    #[error(transparent)]
    State(#[from] soma_policy::KillError),
}

impl KillRefusal {
    /// Its code in the catalogue.
    #[must_use]
    pub fn code(&self) -> Code {
        use soma_policy::KillError as State;
        match self {
            Self::Document(DsseError::Unsigned | DsseError::BadSignature(_)) => Code::KillSigner,
            Self::Operators(_) => Code::KillSigner,
            Self::Document(_) | Self::TooLong { .. } => Code::KillMalformed,
            Self::State(State::Unknown(_)) => Code::KillUnknown,
            Self::State(State::Hash(_) | State::Version(_)) => Code::KillLiftHash,
            Self::State(State::Full) => Code::KillFull,
        }
    }
}

/// An order or a lift whose signatures were checked.
#[derive(Debug)]
pub enum Document {
    /// An order.
    Order(Signed<KillOrder>),
    /// A lift.
    Lift(Signed<Lift>),
}

/// A checked document with its envelope.
#[derive(Debug)]
pub struct Checked {
    /// What was signed, and by whom.
    pub document: Document,
    /// With the signatures to keep.
    pub envelope: Envelope,
    /// Hash of what was signed.
    pub hash: Digest,
}

impl Document {
    /// The order that it is about.
    #[must_use]
    pub fn order(&self) -> OrderId {
        match self {
            Self::Order(order) => order.document().id,
            Self::Lift(lift) => lift.document().order,
        }
    }

    /// What an order stops; nothing for a lift.
    #[must_use]
    pub fn scope(&self) -> Option<&KillScope> {
        match self {
            Self::Order(order) => Some(&order.document().scope),
            Self::Lift(_) => None,
        }
    }
}

impl Trusted {
    /// Reads and checks a signed order or lift. Of its signatures only the proven ones are kept: what
    /// a relay adds must not fill the places of those that count.
    ///
    /// # Errors
    /// [`KillRefusal`], when it is none or no operator signed it.
    pub fn check(&self, bytes: &[u8]) -> Result<Checked, KillRefusal> {
        if bytes.len() > DOCUMENT_BYTES_MAX {
            return Err(KillRefusal::TooLong { length: bytes.len(), bound: DOCUMENT_BYTES_MAX });
        }
        self.check_envelope(&Envelope::from_json(bytes)?)
    }

    /// The same of an envelope that was read.
    ///
    /// # Errors
    /// As [`Trusted::check`].
    pub fn check_envelope(&self, envelope: &Envelope) -> Result<Checked, KillRefusal> {
        let kind = kind(envelope)?;
        let verified = dsse::verify(envelope, kind, &self.keys)?;
        let signers = verified.signers().iter().copied();
        let document = if kind == ORDER_KIND {
            Document::Order(self.operators.recognise(verified.read::<KillOrder>()?, signers)?)
        } else {
            Document::Lift(self.operators.recognise(verified.read::<Lift>()?, signers)?)
        };
        let hash = Digest::of(verified.payload());
        Ok(Checked { document, envelope: verified.proven().clone(), hash })
    }
}

/// A document as it was kept, read without any proof: whoever kept it had proven it.
#[derive(Debug)]
pub enum Vouched {
    /// An order.
    Order(KillOrder),
    /// A lift.
    Lift(Lift),
}

impl Vouched {
    /// The order that it is about.
    #[must_use]
    pub fn order(&self) -> OrderId {
        match self {
            Self::Order(order) => order.id,
            Self::Lift(lift) => lift.order,
        }
    }

    /// Reads it; `None` unless it is an order or a lift in its canonical form.
    #[must_use]
    pub fn read(envelope: &Envelope) -> Option<Self> {
        let (payload, kind) = (envelope.unverified_payload(), kind(envelope).ok()?);
        let (read, hash) = if kind == ORDER_KIND {
            let order: KillOrder = serde_json::from_slice(payload).ok()?;
            let hash = order.hash();
            (Self::Order(order), hash)
        } else {
            let lift: Lift = serde_json::from_slice(payload).ok()?;
            let hash = lift.hash();
            (Self::Lift(lift), hash)
        };
        (hash == Digest::of(payload)).then_some(read)
    }
}

/// Which of the two an envelope claims to be.
fn kind(envelope: &Envelope) -> Result<&'static str, KillRefusal> {
    [ORDER_KIND, LIFT_KIND]
        .into_iter()
        .find(|kind| envelope.payload_type() == dsse::payload_type(kind))
        .ok_or_else(|| {
            let found = envelope.payload_type().chars().take(80).collect();
            DsseError::OtherType { found, expected: dsse::payload_type(ORDER_KIND) }.into()
        })
}
