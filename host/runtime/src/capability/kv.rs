//! Room `kv`: `wasi:keyvalue` over the embedded store of the host, one bucket per granted `kv.NAME`.
//!
//! Every key of every operation is decided by itself; a batch with one refused key does nothing. Values are tenant data:
//! reading labels the call, and a bucket takes labelled data only where its grant clears it. Deliberately absent: buckets
//! that no grant names, and any look into another installation's.

mod backend;
mod decided;
mod keyspace;
mod view;

use std::collections::VecDeque;

pub(crate) use backend::KvStore;
pub(crate) use view::{Kv, KvView};

/// Keys in one batch.
const BATCH_MAX: usize = 1_000;
/// Places in a listing that a bucket remembers for its guest.
const CURSORS_MAX: usize = 16;

/// A bucket that a guest has opened. Opening gives no right: each operation is decided when it comes.
#[derive(Debug)]
pub(crate) struct OpenBucket {
    name: Box<str>,
    cursors: Cursors,
}

impl OpenBucket {
    fn new(name: &str) -> Self {
        Self { name: name.into(), cursors: Cursors::default() }
    }
}

/// Where listings stopped, by number: a guest gets the number and never chooses the key.
#[derive(Debug, Default)]
struct Cursors {
    next: u64,
    known: VecDeque<(u64, String)>,
}

impl Cursors {
    fn keep(&mut self, last: String) -> u64 {
        if self.known.len() >= CURSORS_MAX {
            self.known.pop_front();
        }
        self.next = self.next.saturating_add(1);
        self.known.push_back((self.next, last));
        self.next
    }

    fn get(&self, cursor: u64) -> Option<&str> {
        self.known.iter().find(|(number, _)| *number == cursor).map(|(_, key)| key.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cursors_are_bounded_and_the_newest_stay() {
        let mut cursors = Cursors::default();
        let numbers: Vec<u64> = (0..100).map(|n| cursors.keep(format!("k{n}"))).collect();
        assert_eq!(cursors.known.len(), CURSORS_MAX);
        assert_eq!(cursors.get(numbers[99]), Some("k99"));
        assert_eq!(cursors.get(numbers[0]), None);
        assert_eq!(cursors.get(7_777), None);
    }
}
