//! The marketplace as its people meet it: publishers, reviewers, tenants.

mod abuse;
mod installing;
mod killing;
mod measures;
mod placing;
mod publishing;
mod reviewing;
mod revoking;
mod searching;
mod stall;
mod strangers;
