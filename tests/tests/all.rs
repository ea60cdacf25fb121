//! End-to-end stories over the real binary, in one test binary so that it is linked once.
//!
//! Each story has a home of its own, starts what it needs on free ports, and waits for events, never
//! for time.
#![cfg(test)]
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "the tables of these tests are for people"
)]

mod all {
    mod arrivals;
    mod canary;
    mod commands;
    mod continuity;
    mod contract;
    mod crash;
    mod domains;
    mod first_call;
    mod gate_matrix;
    mod hostile;
    mod law;
    mod library;
    mod logs;
    mod marketplace;
    mod operators;
    mod platform;
    mod range;
    mod revoked;
    mod uninstall;
}
