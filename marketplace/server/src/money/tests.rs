//! Money on both databases: what hosts push and ask, what people enter, and that the books hold after all
//! of it.

mod intake;
mod leases;
mod people;
mod property;
mod reader;
pub(crate) mod world;
