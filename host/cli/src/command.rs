//! The commands, one file each.

pub(crate) mod audit;
pub(crate) mod call;
pub(crate) mod capsule;
pub(crate) mod compile_child;
pub(crate) mod completions;
pub(crate) mod doctor;
pub(crate) mod explain;
pub(crate) mod install;
pub(crate) mod key;
pub(crate) mod kill;
pub(crate) mod list;
pub(crate) mod logs;
pub(crate) mod policy;
pub(crate) mod ps;
pub(crate) mod secret;
pub(crate) mod show;
pub(crate) mod token;
pub(crate) mod trust;
pub(crate) mod uninstall;
pub(crate) mod unkill;
pub(crate) mod up;
pub(crate) mod version;
