//! What kill orders mean for the marketplace: the blast radius before, the consequences after.
//!
//! Which orders stand is soma-policy's: documents merge as a union there, on servers and hosts alike, and this
//! room only asks the resulting set. So what follows here is the same whatever the order of arrival.

mod effect;
mod radius;

pub use effect::{Consequence, Installing, Releasing, consequences};
pub use radius::{BlastRadius, Running, blast_radius};

#[cfg(test)]
mod tests;
