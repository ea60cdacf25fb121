//! The data plane: runs signed capsules behind the gate.

pub mod journal;
pub mod value;
