//! The harness of the end-to-end stories: a home in a temporary folder, the real `soma` binary on
//! a free port, real HTTPS servers with a certificate authority of their own, and the built guests.
//!
//! Nothing here imitates a part of Soma. What is missing (the binary, the guests) is an error that
//! names the command to run.

pub mod authenticator;
pub mod authority;
pub mod bazaar;
pub mod binary;
pub mod evil;
pub mod fleet;
pub mod github;
pub mod guests;
pub mod home;
pub mod host;
pub mod package;
pub mod person;
pub mod platform;
pub mod process;
pub mod report;
pub mod server;
pub mod sse;

pub use authenticator::Authenticator;
pub use authority::Authority;
pub use binary::{Finished, Soma};
pub use home::TestHome;
pub use host::{Reply, TestHost};
pub use person::Person;
pub use platform::Platform;
pub use process::Process;
pub use server::{Seen, TestServer};
