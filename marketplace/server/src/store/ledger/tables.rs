//! The columns of the two tables that postings are written to, in the order in which a book adds their values.

use super::super::many::{Kind, Table};

pub(super) static POSTINGS: Table = Table {
    name: "postings",
    columns: &[
        ("n", Kind::Int),
        ("org", Kind::Text),
        ("cause", Kind::Text),
        ("currency", Kind::Text),
        ("at_ms", Kind::Int),
        ("tenant", Kind::Text),
        ("author", Kind::Text),
        ("capsule", Kind::Text),
        ("environment", Kind::Text),
        ("installation", Kind::Text),
        ("forced", Kind::Flag),
        ("reverses", Kind::Text),
        ("hash", Kind::Text),
    ],
};

pub(super) static TRANSFERS: Table = Table {
    name: "transfers",
    columns: &[
        ("n", Kind::Int),
        ("place", Kind::Int),
        ("org", Kind::Text),
        ("transfer_id", Kind::Text),
        ("kind", Kind::Text),
        ("debit", Kind::Text),
        ("credit", Kind::Text),
        ("amount", Kind::Int),
        ("reverses", Kind::Text),
    ],
};
