//! `soma kill wanted`: releases that were revoked and that no operator has signed a stop of yet.

use crate::context::Context;
use crate::failure::Failure;
use crate::output::{Column, listed};
use crate::run::block_on;

const COLUMNS: &[Column] = &[
    ("capsule", "/capsule"),
    ("version", "/version"),
    ("revoked", "/revoked"),
    ("reason", "/reason"),
    ("to sign", "/command"),
];

/// List revoked releases that wait for an order
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  soma kill wanted")]
pub(crate) struct Wanted {}

impl Wanted {
    pub(crate) fn run(context: &Context) -> Result<(), Failure> {
        let items = block_on(context.platform()?.list("/v1/kill-orders/wanted"))?;
        let none = "every revoked release has its order";
        Ok(context.out.report(&listed("soma.kill.wanted.v1", items, COLUMNS, none))?)
    }
}
