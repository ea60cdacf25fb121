//! Bytes that each installation has moved over HTTP on the present UTC day.
//!
//! The counters live in memory and are never written here: at start they are rebuilt from what the journal's receipts
//! say, through [`DayCounters::restore`]. A receipt does not tell the entries of a grant apart, so what is restored
//! counts against every entry of the installation: after a restart the day's rest can only be smaller than it was. A
//! clock that goes back stays on the later day.

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::Mutex;
use soma_policy::{InstallationKey, Timestamp};

/// Above this many installations those that moved nothing today are forgotten.
const REMEMBERED_MAX: usize = 4096;

/// Which way bytes go, seen from the guest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Direction {
    /// Out of the guest: request lines, header fields and bodies.
    Sent,
    /// Into the guest: status lines, header fields and bodies.
    Received,
}

/// What has gone each way.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Moved {
    /// Bytes of requests.
    pub sent: u64,
    /// Bytes of responses.
    pub received: u64,
}

impl Moved {
    pub(crate) fn get(&self, direction: Direction) -> u64 {
        match direction {
            Direction::Sent => self.sent,
            Direction::Received => self.received,
        }
    }

    fn add(&mut self, direction: Direction, more: u64) {
        let side = match direction {
            Direction::Sent => &mut self.sent,
            Direction::Received => &mut self.received,
        };
        *side = side.saturating_add(more);
    }
}

/// The counters of all installations of a host.
#[derive(Debug, Default)]
pub(crate) struct DayCounters {
    days: Mutex<HashMap<InstallationKey, Arc<InstallationDay>>>,
}

impl DayCounters {
    /// Counters at nought.
    #[must_use]
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// Takes over what an installation is known to have moved on the day of `at`, before this process counted.
    pub(crate) fn restore(&self, key: &InstallationKey, at: Timestamp, moved: Moved) {
        let day = self.of(key, at);
        let mut today = day.today.lock();
        if at.day() < today.day {
            return;
        }
        today.turn(at.day());
        today.restored.add(Direction::Sent, moved.sent);
        today.restored.add(Direction::Received, moved.received);
    }

    /// The counters of one installation.
    pub(crate) fn of(&self, key: &InstallationKey, now: Timestamp) -> Arc<InstallationDay> {
        let mut days = self.days.lock();
        if let Some(day) = days.get(key) {
            return Arc::clone(day);
        }
        if days.len() >= REMEMBERED_MAX {
            let today = now.day();
            days.retain(|_, day| Arc::strong_count(day) > 1 || day.today.lock().day >= today);
        }
        Arc::clone(days.entry(key.clone()).or_default())
    }
}

/// The counters of one installation.
#[derive(Debug, Default)]
pub(crate) struct InstallationDay {
    today: Mutex<Today>,
}

#[derive(Debug, Default)]
struct Today {
    day: u64,
    restored: Moved,
    /// By entry of the grant; a handful, so a list.
    entries: Vec<(Box<str>, Moved)>,
}

impl Today {
    fn turn(&mut self, day: u64) {
        if day > self.day {
            *self = Self { day, ..Self::default() };
        }
    }

    fn entry(&mut self, name: &str) -> Option<&mut Moved> {
        let at = match self.entries.iter().position(|(known, _)| &**known == name) {
            Some(at) => at,
            None => {
                self.entries.push((name.into(), Moved::default()));
                self.entries.len() - 1
            }
        };
        self.entries.get_mut(at).map(|(_, moved)| moved)
    }
}

impl InstallationDay {
    /// Adds to an entry's bytes of the day if they fit under `max`; else says how many are used already.
    pub(crate) fn charge(
        &self,
        now: Timestamp,
        name: &str,
        direction: Direction,
        more: u64,
        max: Option<u64>,
    ) -> Result<(), u64> {
        let mut today = self.today.lock();
        today.turn(now.day());
        let restored = today.restored.get(direction);
        let Some(moved) = today.entry(name) else { return Err(0) };
        let used = restored.saturating_add(moved.get(direction));
        if max.is_some_and(|max| used.saturating_add(more) > max) {
            return Err(used);
        }
        moved.add(direction, more);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key() -> InstallationKey {
        "local/production/issues".parse().unwrap()
    }

    fn at(day: u64) -> Timestamp {
        Timestamp(day * 24 * 60 * 60 * 1000 + 5)
    }

    #[test]
    fn a_day_ends_at_its_limit_and_the_next_begins_anew() {
        let counters = DayCounters::new();
        let day = counters.of(&key(), at(1));
        assert_eq!(day.charge(at(1), "issues", Direction::Sent, 60, Some(100)), Ok(()));
        assert_eq!(day.charge(at(1), "issues", Direction::Sent, 41, Some(100)), Err(60));
        assert_eq!(day.charge(at(1), "issues", Direction::Received, 100, Some(100)), Ok(()));
        assert_eq!(day.charge(at(1), "other", Direction::Sent, 100, Some(100)), Ok(()));
        assert_eq!(day.charge(at(2), "issues", Direction::Sent, 100, Some(100)), Ok(()));
    }

    #[test]
    fn a_clock_that_goes_back_stays_on_the_later_day() {
        let counters = DayCounters::new();
        let day = counters.of(&key(), at(2));
        assert_eq!(day.charge(at(2), "issues", Direction::Sent, 100, Some(100)), Ok(()));
        assert_eq!(day.charge(at(1), "issues", Direction::Sent, 1, Some(100)), Err(100));
    }

    #[test]
    fn what_was_moved_before_a_restart_counts_against_every_entry() {
        let counters = DayCounters::new();
        counters.restore(&key(), at(3), Moved { sent: 90, received: 0 });
        counters.restore(&key(), at(2), Moved { sent: 1000, received: 0 });
        let day = counters.of(&key(), at(3));
        assert_eq!(day.charge(at(3), "issues", Direction::Sent, 11, Some(100)), Err(90));
        assert_eq!(day.charge(at(3), "other", Direction::Sent, 10, Some(100)), Ok(()));
    }

    #[test]
    fn installations_that_rest_are_forgotten_and_the_others_are_not() {
        let counters = DayCounters::new();
        for n in 0..REMEMBERED_MAX {
            let key: InstallationKey = format!("local/production/i{n}").parse().unwrap();
            let today = if n == 7 { at(9) } else { at(1) };
            let day = counters.of(&key, today);
            day.charge(today, "issues", Direction::Sent, 1, None).unwrap();
        }
        counters.of(&key(), at(9));
        let days = counters.days.lock();
        assert_eq!(days.len(), 2);
        assert!(days.contains_key(&"local/production/i7".parse().unwrap()));
    }
}
