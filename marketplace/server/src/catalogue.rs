//! The catalogue: by which words and properties a capsule is found, and what is said of it.
//!
//! Words and properties are tokens of one index, so that every filter costs one look into it: `csv`, `kind:tool`,
//! `cap:http`, `by:acme`, `price:free`. A name is also found by the beginnings of its words.

mod words;

pub(crate) use words::{Query, capabilities, tokens};
