//! The routes as a client meets them, each story on both databases.

mod abuse;
mod audit;
mod beside;
mod constitution;
mod hosts;
mod idempotency;
mod kills;
mod limits;
mod listener;
mod login;
mod market;
mod members;
mod money;
mod narrowed;
mod openapi;
mod orgs;
mod proofs;
mod rates;
mod secret_canary;
mod secret_hosts;
mod secrets;
mod serve;
mod service;
mod stage;
mod uploads;
