//! Names that people could take for each other: one letter more, less or other, or letters that look alike.
//!
//! Two names that are one edit apart share a shape: the name with look-alikes merged, or that with one letter left
//! out. So similar names are found by equality, which an index can do.

use std::collections::BTreeSet;

use soma_market::finding::Finding;
use soma_policy::{CapsuleName, Code};

/// Shorter names are one edit apart from too many others.
const LENGTH_MIN: usize = 6;

/// The tokens by which a similar name is found.
pub(crate) fn shapes(name: &CapsuleName) -> Vec<String> {
    let merged: Vec<char> = name.to_string().chars().filter(|c| *c != '-').map(look).collect();
    let mut shapes = BTreeSet::new();
    if merged.len() >= LENGTH_MIN {
        shapes.insert(format!("~{}", merged.iter().collect::<String>()));
        for left_out in 0..merged.len() {
            let rest = merged.iter().enumerate().filter(|(at, _)| *at != left_out);
            shapes.insert(format!("~{}", rest.map(|(_, c)| c).collect::<String>()));
        }
    }
    shapes.into_iter().collect()
}

/// One of each set of letters that look alike.
const fn look(c: char) -> char {
    match c {
        '0' => 'o',
        '1' | 'i' => 'l',
        '5' => 's',
        '2' => 'z',
        other => other,
    }
}

pub(super) fn finding(name: &CapsuleName, similar: &[String]) -> Option<Finding> {
    if similar.is_empty() {
        return None;
    }
    let others: Vec<String> = similar.iter().take(5).map(|other| format!("`{other}`")).collect();
    let evidence = format!("`{name}` is close to {}", others.join(", "));
    Some(Finding::usual(Code::NameSimilar, &evidence))
}
