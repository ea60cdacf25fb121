//! Doing one thing many times: some at once, for a while, in turns with what it is compared with.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use rustix::time::{ClockId, clock_gettime};

/// Calls of one kind, over all rounds.
#[derive(Default)]
pub(crate) struct Measured {
    /// Time of each call in nanoseconds.
    pub(crate) latencies: Vec<u64>,
    /// Time that the rounds took.
    pub(crate) wall: Duration,
    /// CPU time of the process in those rounds.
    pub(crate) cpu: Duration,
}

impl Measured {
    /// Calls per second.
    pub(crate) fn rate(&self) -> f64 {
        self.latencies.len() as f64 / self.wall.as_secs_f64()
    }

    /// CPU microseconds per call.
    pub(crate) fn cpu_each(&self) -> f64 {
        self.cpu.as_secs_f64() * 1e6 / self.latencies.len().max(1) as f64
    }

    /// A percentile in microseconds.
    pub(crate) fn percentile(&self, percent: f64) -> f64 {
        percentile(&self.latencies, percent) / 1e3
    }

    fn add(&mut self, other: Self) {
        self.latencies.extend(other.latencies);
        self.wall += other.wall;
        self.cpu += other.cpu;
    }
}

/// The value below which `percent` of the values lie.
pub(crate) fn percentile(values: &[u64], percent: f64) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_unstable();
    let last = sorted.len().saturating_sub(1);
    let at = (last as f64 * percent / 100.0).round() as usize;
    sorted.get(at).map_or(f64::NAN, |value| *value as f64)
}

/// The middle of some figures.
pub(crate) fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

/// CPU time that this process has used, all threads together.
fn cpu() -> Duration {
    let spent = clock_gettime(ClockId::ProcessCPUTime);
    Duration::new(spent.tv_sec.unsigned_abs(), u32::try_from(spent.tv_nsec).unwrap_or(0))
}

/// Keeps `at_once` calls going for `time`.
pub(crate) async fn rounds<F, Fut>(at_once: usize, time: Duration, call: F) -> Measured
where
    F: Fn() -> Fut + Send + Sync + 'static,
    Fut: Future<Output = ()> + Send,
{
    let call = Arc::new(call);
    let over = Arc::new(AtomicBool::new(false));
    let (from, cpu_from) = (Instant::now(), cpu());
    let mut tasks = Vec::new();
    for _ in 0..at_once {
        let (call, over) = (call.clone(), over.clone());
        tasks.push(tokio::spawn(async move {
            let mut latencies = Vec::new();
            while !over.load(Ordering::Relaxed) {
                let begun = Instant::now();
                call().await;
                latencies.push(u64::try_from(begun.elapsed().as_nanos()).unwrap_or(u64::MAX));
            }
            latencies
        }));
    }
    tokio::time::sleep(time).await;
    over.store(true, Ordering::Relaxed);
    let mut measured = Measured::default();
    for task in tasks {
        measured.latencies.extend(task.await.unwrap_or_default());
    }
    measured.wall = from.elapsed();
    measured.cpu = cpu() - cpu_from;
    measured
}

/// Two kinds in turns, so that what else the machine does falls on both. The first turn of each is thrown away.
pub(crate) async fn against<A, Fa, B, Fb>(
    at_once: usize,
    turns: usize,
    each: Duration,
    first: A,
    second: B,
) -> (Measured, Measured)
where
    A: Fn() -> Fa + Send + Sync + Clone + 'static,
    Fa: Future<Output = ()> + Send,
    B: Fn() -> Fb + Send + Sync + Clone + 'static,
    Fb: Future<Output = ()> + Send,
{
    let (mut ours, mut theirs) = (Measured::default(), Measured::default());
    for turn in 0..=turns {
        let one = rounds(at_once, each, first.clone()).await;
        let other = rounds(at_once, each, second.clone()).await;
        if turn > 0 {
            ours.add(one);
            theirs.add(other);
        }
    }
    (ours, theirs)
}
