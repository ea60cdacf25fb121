//! What the host's side of the feed promises, against a loopback server that signs real documents.

mod calls;
mod constitution;
mod desk;
mod disk;
mod follow;
mod fresh;
mod joining;
mod measures;
mod regions;
mod secrets;
mod server;
mod upward;
