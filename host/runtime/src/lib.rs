//! The data plane: runs signed capsules behind the gate.

pub mod home;
pub mod installations;
pub mod journal;
pub mod token;
pub mod value;
