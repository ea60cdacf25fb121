//! The real binary on temporary homes: what people type, what they read, how it ends.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "helpers of tests fail like tests do; clippy only knows test functions"
)]

mod cli {
    mod authors;
    pub(crate) mod bench;
    mod help;
    mod home;
    mod installing;
    mod keys;
    mod running;
    mod stopping;
    mod tokens;
    mod usage;
}
