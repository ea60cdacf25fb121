//! One suite for both databases: the same statements, the same constraints, the same answers.

pub(crate) mod bare;
mod behaviour;
mod everything;
mod rows;
mod schema;
mod search;
mod security;
mod tenancy;
