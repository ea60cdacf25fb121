//! Named points at which a test may end the process, as a power cut would: [`crash_point!`](crate::crash_point).
//!
//! In a release build a point is nothing, and what would end the process is not there
//! (docs/decisions/0015-crash-points.md). It lies in this room because server and host both stand on it and on
//! nothing else that may know of processes. It deliberately reads no environment and ends nothing by itself:
//! whoever starts the process says where it is to end, and how.

/// A place in the flow that has a name: a test may end the process there, a release build knows nothing of it.
///
/// The name is `room.flow.moment`: what has just happened, in the past tense, or what is `due`.
#[macro_export]
macro_rules! crash_point {
    ($name:literal) => {{
        #[cfg(debug_assertions)]
        $crate::crash::reached($name);
    }};
}

#[cfg(debug_assertions)]
pub use armed::{arm, reached};

#[cfg(debug_assertions)]
mod armed {
    use std::sync::OnceLock;
    use std::sync::atomic::{AtomicU32, Ordering};

    static ARMED: OnceLock<Armed> = OnceLock::new();

    struct Armed {
        name: String,
        /// Hits that are left until the end.
        left: AtomicU32,
        end: fn(),
    }

    /// Ends this process by `end` when the point is reached: `NAME`, or `NAME:N` for the N-th time. The first word
    /// stands.
    pub fn arm(at: &str, end: fn()) {
        let counted = at.rsplit_once(':').and_then(|(name, n)| Some((name, n.parse().ok()?)));
        let (name, left) = counted.unwrap_or((at, 1));
        let armed = Armed { name: name.to_owned(), left: AtomicU32::new(left), end };
        let _ = ARMED.set(armed);
    }

    /// What a point comes to in a debug build.
    pub fn reached(name: &str) {
        let Some(armed) = ARMED.get().filter(|armed| armed.name == name) else { return };
        if armed.left.fetch_sub(1, Ordering::SeqCst) == 1 {
            (armed.end)();
        }
    }
}
