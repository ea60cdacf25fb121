//! The process's table of descriptors: how large it is, and who may take how much of it.
//!
//! Whoever runs a host raises the soft limit first; what guests may hold and how many connections are
//! taken follow from it. It is asked for each time, so that nothing here can be older than the limit.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// More than this is not asked for: some systems walk the whole table for each child process.
pub const WANTED: u64 = 65_536;
/// Below this a busy host runs out.
pub const ENOUGH: u64 = 4_096;
/// What a process has when it does not say.
const USUAL: u64 = 1024;
/// Connections at one time, whatever the limit says; more wait in the system's queue.
const CONNECTIONS_MAX: u64 = 4096;

/// A limit of open descriptors.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Descriptors {
    /// What holds now.
    pub soft: u64,
    /// How far it may be raised.
    pub hard: u64,
}

impl Descriptors {
    /// The limits of this process.
    #[must_use]
    pub fn now() -> Self {
        let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
        let hard = maximum.unwrap_or(u64::MAX);
        Self { soft: current.unwrap_or(USUAL).min(hard), hard }
    }

    /// Raises the soft limit as far as it may and should go; never lowers it. What holds afterwards.
    ///
    /// # Errors
    /// When the system refuses; the limit is then as it was.
    pub fn raise() -> std::io::Result<Self> {
        let now = Self::now();
        let wanted = now.raised();
        if wanted > now.soft {
            let maximum = getrlimit(Resource::Nofile).maximum;
            setrlimit(Resource::Nofile, Rlimit { current: Some(wanted), maximum })?;
        }
        Ok(Self::now())
    }

    /// What [`Self::raise`] comes to from here.
    #[must_use]
    pub fn raised(self) -> u64 {
        self.soft.max(self.hard.min(WANTED))
    }

    /// Files that guests may hold open, all together: half. The rest is for the host's own listeners, store
    /// and journal, for connections, and for requests that guests make.
    #[must_use]
    pub fn of_guests(soft: u64) -> u64 {
        soft / 2
    }

    /// Connections that are served at one time: a quarter.
    #[must_use]
    pub fn of_connections(soft: u64) -> u64 {
        (soft / 4).clamp(1, CONNECTIONS_MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_soft_limit_goes_up_to_the_bound_or_the_hard_limit_and_never_down() {
        let raised = |soft, hard| Descriptors { soft, hard }.raised();
        assert_eq!(raised(1024, 1_048_576), WANTED);
        assert_eq!(raised(1024, 4096), 4096);
        assert_eq!(raised(100_000, 1_048_576), 100_000);
        assert_eq!(raised(1024, u64::MAX), WANTED);
    }

    #[test]
    fn a_raised_limit_holds_for_the_process() {
        let before = Descriptors::now();
        let after = Descriptors::raise().unwrap();
        assert_eq!((after.soft, after.hard), (before.raised(), before.hard));
        assert_eq!(Descriptors::now(), after);
    }

    #[test]
    fn guests_and_connections_leave_room_for_the_host_itself() {
        for soft in [16, 1024, WANTED, 1_000_000] {
            let taken = Descriptors::of_guests(soft) + Descriptors::of_connections(soft);
            assert!(taken <= soft / 4 * 3 + 1, "{soft}: {taken}");
        }
        assert_eq!(Descriptors::of_connections(WANTED), CONNECTIONS_MAX);
        assert_eq!(Descriptors::of_connections(1), 1);
    }
}
