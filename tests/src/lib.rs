//! The harness of the end-to-end stories: a home in a temporary folder, the real `soma` binary on
//! a free port, real HTTPS servers with a certificate authority of their own, and the built guests.
//!
//! Nothing here imitates a part of Soma. What is missing (the binary, the guests) is an error that
//! names the command to run.

pub mod apart;
pub mod authenticator;
pub mod authority;
pub mod bazaar;
pub mod binary;
pub mod database;
pub mod disk;
pub mod evil;
pub mod fleet;
pub mod github;
pub mod guests;
pub mod home;
pub mod host;
pub mod package;
pub mod person;
pub mod plane;
pub mod platform;
pub mod postgres;
pub mod process;
pub mod realm;
pub mod report;
pub mod running;
pub mod server;
pub mod someone;
pub mod sse;
pub mod tokens;
pub mod trace;

pub use apart::Apart;
pub use authenticator::Authenticator;
pub use authority::Authority;
pub use binary::{Finished, Soma};
pub use database::Database;
pub use disk::Disk;
pub use home::TestHome;
pub use host::{Reply, TestHost};
pub use person::Person;
pub use plane::Plane;
pub use platform::Platform;
pub use postgres::Postgres;
pub use process::Process;
pub use realm::Realm;
pub use running::Running;
pub use server::{Seen, TestServer};
pub use trace::Traces;
