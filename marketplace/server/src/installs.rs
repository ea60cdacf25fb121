//! Installations: planned in words, agreed to by hash, told to hosts as one change, active when every live host
//! has it, and given up by themselves when their health gate says so.
//!
//! The rules are soma-market's; a transition is kept by a conditional update with its revision, its change of the
//! feed and its record in one transaction. What a call costs and where it runs is decided elsewhere.

mod effects;
mod gates;
mod ground;
mod moves;
mod payload;
mod rollout;
mod settling;

pub(crate) use effects::keep;
pub(crate) use gates::Notes;
pub(crate) use moves::{ChangeWish, GateWish, Planned};
