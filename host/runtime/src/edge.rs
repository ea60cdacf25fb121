//! The HTTP edge of a host: the listener, the host's own routes, and served capsules.

pub mod serve;
