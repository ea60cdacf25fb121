//! The marketplace as its people meet it: publishers, reviewers, tenants.

mod abuse;
mod installing;
mod killing;
mod measures;
mod publishing;
mod reviewing;
mod searching;
mod stall;
