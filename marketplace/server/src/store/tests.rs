//! One suite for both databases: the same statements, the same constraints, the same answers.

mod behaviour;
mod rows;
mod schema;
mod search;
mod security;
mod tenancy;
