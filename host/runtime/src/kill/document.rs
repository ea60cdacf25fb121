//! The signed documents are soma-capsule's: a server checks them by the same lines.

pub(super) use soma_capsule::kill::{Checked, Document, Vouched};
pub use soma_capsule::kill::{LIFT_KIND, ORDER_KIND, RECEIPT_KIND, Trusted};
