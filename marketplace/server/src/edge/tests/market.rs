//! The marketplace as its people meet it: publishers, reviewers, tenants.

mod abuse;
mod installing;
mod publishing;
mod searching;
mod stall;
