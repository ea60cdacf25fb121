//! The signed documents as they come in: checked, and told apart.

use soma_capsule::dsse::{self, DsseError, Envelope};
use soma_capsule::key::PublicKey;
use soma_policy::{Digest, KillOrder, KillScope, Lift, Operators, OrderId, Signed};

use super::error::KillRefusal;

/// The kind of an order: `application/vnd.soma.kill-order.v1+json`.
pub const ORDER_KIND: &str = "kill-order";
/// The kind of a lift.
pub const LIFT_KIND: &str = "kill-lift";
/// The kind of a host's receipt for what it stopped.
pub const RECEIPT_KIND: &str = "kill-receipt";

/// The longest order or lift with its signatures.
const BYTES_MAX: usize = 64 * 1024;

/// Who may sign, as persons and as keys.
#[derive(Debug, Clone)]
pub struct Trusted {
    /// The persons and their quorum.
    pub operators: Operators,
    /// Their keys.
    pub keys: Vec<PublicKey>,
}

/// An order or a lift whose signatures were checked.
#[derive(Debug)]
pub(super) enum Document {
    Order(Signed<KillOrder>),
    Lift(Signed<Lift>),
}

/// A checked document with its envelope.
#[derive(Debug)]
pub(super) struct Checked {
    pub(super) document: Document,
    /// With the signatures to keep.
    pub(super) envelope: Envelope,
    /// Hash of what was signed.
    pub(super) hash: Digest,
}

impl Document {
    pub(super) fn order(&self) -> OrderId {
        match self {
            Self::Order(order) => order.document().id,
            Self::Lift(lift) => lift.document().order,
        }
    }

    /// What an order stops; nothing for a lift.
    pub(super) fn scope(&self) -> Option<&KillScope> {
        match self {
            Self::Order(order) => Some(&order.document().scope),
            Self::Lift(_) => None,
        }
    }
}

impl Trusted {
    /// Reads and checks a signed order or lift. Of its signatures only the proven ones are kept: what
    /// a relay adds must not fill the places of those that count.
    pub(super) fn check(&self, bytes: &[u8]) -> Result<Checked, KillRefusal> {
        if bytes.len() > BYTES_MAX {
            return Err(KillRefusal::TooLong { length: bytes.len(), bound: BYTES_MAX });
        }
        self.check_envelope(&Envelope::from_json(bytes)?)
    }

    pub(super) fn check_envelope(&self, envelope: &Envelope) -> Result<Checked, KillRefusal> {
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
pub(super) enum Vouched {
    Order(KillOrder),
    Lift(Lift),
}

impl Vouched {
    pub(super) fn order(&self) -> OrderId {
        match self {
            Self::Order(order) => order.id,
            Self::Lift(lift) => lift.order,
        }
    }

    /// Reads it; `None` unless it is an order or a lift in its canonical form.
    pub(super) fn read(envelope: &Envelope) -> Option<Self> {
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
