//! A bounded number of places, and fewer of them for each who comes, so that nobody takes all. Who finds none is told at
//! once; waiting is for whoever hands out a place before knowing for whom.

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

type Taken = Arc<Mutex<HashMap<String, usize>>>;

/// Places for one purpose.
#[derive(Debug, Clone)]
pub(crate) struct Places {
    all: Arc<Semaphore>,
    each: usize,
    taken: Taken,
}

/// A place that is taken until it is dropped.
#[derive(Debug)]
pub(crate) struct Place {
    _one: OwnedSemaphorePermit,
    whose: Option<(Taken, String)>,
}

impl Places {
    /// So many in all, and so many for each.
    pub(crate) fn new(all: usize, each: usize) -> Self {
        Self { all: Arc::new(Semaphore::new(all)), each, taken: Taken::default() }
    }

    /// The next free place, whoever it will be for. None only if nothing is handed out any more.
    pub(crate) async fn next(&self) -> Option<OwnedSemaphorePermit> {
        self.all.clone().acquire_owned().await.ok()
    }

    /// A place for somebody, if there is one and they have not got theirs already.
    pub(crate) fn take(&self, whose: &str) -> Option<Place> {
        let one = self.all.clone().try_acquire_owned().ok()?;
        self.hand(one, Some(whose.to_owned()))
    }

    /// Gives a free place to somebody, if they have not got theirs already; to nobody in particular without a count.
    pub(crate) fn hand(&self, one: OwnedSemaphorePermit, whose: Option<String>) -> Option<Place> {
        let Some(whose) = whose else { return Some(Place { _one: one, whose: None }) };
        let mut taken = self.taken.lock();
        let count = taken.entry(whose.clone()).or_default();
        if *count >= self.each {
            return None;
        }
        *count += 1;
        Some(Place { _one: one, whose: Some((self.taken.clone(), whose)) })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let Some((taken, whose)) = &self.whose else { return };
        let mut taken = taken.lock();
        if let Some(count) = taken.get_mut(whose) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                taken.remove(whose);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn nobody_takes_all_and_what_is_given_back_is_there_again() {
        let places = Places::new(3, 2);
        let (first, second) = (places.take("a").unwrap(), places.take("a").unwrap());
        assert!(places.take("a").is_none(), "the third of two");
        let other = places.take("b").unwrap();
        assert!(places.take("c").is_none(), "the fourth of three");
        drop(first);
        let one = places.next().await.unwrap();
        let again = places.hand(one, Some("a".to_owned())).unwrap();
        drop((second, again, other));
        assert!(places.taken.lock().is_empty(), "who has none is forgotten");
        assert_eq!(places.all.available_permits(), 3);
    }

    #[tokio::test]
    async fn who_is_not_counted_has_only_the_common_bound() {
        let places = Places::new(3, 1);
        let mut held = Vec::new();
        for _ in 0..3 {
            let one = places.next().await.unwrap();
            held.push(places.hand(one, None).unwrap());
        }
        assert!(places.take("a").is_none());
    }
}
