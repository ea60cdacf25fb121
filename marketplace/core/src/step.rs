//! What a rule gives back: the next state, and what has to happen in the same transaction.

/// The next state with its effects.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use = "the state is next only when it is kept"]
pub struct Step<S, E> {
    /// What the state becomes.
    pub next: S,
    /// What else has to happen, in the same transaction.
    pub effects: Vec<E>,
}

impl<S, E> Step<S, E> {
    pub(crate) const fn quiet(next: S) -> Self {
        Self { next, effects: Vec::new() }
    }

    pub(crate) fn with(next: S, effects: impl IntoIterator<Item = E>) -> Self {
        Self { next, effects: effects.into_iter().collect() }
    }
}
