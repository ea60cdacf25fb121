//! `kill -9` of real processes at every named point of the flow (docs/decisions/0015-crash-points.md), and what is
//! found when they start again: nothing lost, nothing doubled, the ledger what the meters say.

mod disk;
mod fleet;
mod host;
mod journal;
mod orders;
mod points;
mod server;
