//! Why a value cannot be converted, and where it stands.

use std::fmt;

use soma_policy::Code;

/// Why a value cannot be converted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ValueError {
    /// Steps from the value outwards; turned round when shown.
    steps: Vec<Step>,
    reason: ValueReason,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Step {
    Field(String),
    Index(usize),
}

/// What is wrong with a value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ValueReason {
    /// Another form than the type has.
    #[error("expected {expected}, found {found}")]
    Expected {
        /// What the type takes, with its article.
        expected: String,
        /// What is there.
        found: String,
    },
    /// A field without which the value is not complete.
    #[error("it is missing")]
    Missing,
    /// A field that the type does not have.
    #[error("there is no such field{0}")]
    Unknown(String),
    /// A resource.
    #[error("it is a resource; JSON cannot carry resources")]
    Resource,
    /// A stream, a future or another type without a JSON form.
    #[error("it is a {0}; JSON cannot carry it")]
    Unsupported(&'static str),
    /// Nested too deeply.
    #[error("it nests deeper than {0} levels")]
    TooDeep(usize),
    /// Too many values.
    #[error("it holds more than {0} values")]
    TooMany(usize),
    /// Too much text.
    #[error("it has more than {0} bytes")]
    TooLarge(usize),
    /// A value that does not fit its own type: the host is at fault, not the caller.
    #[error("{0} does not fit its type")]
    Mismatch(&'static str),
}

impl std::error::Error for ValueError {}

impl fmt::Display for ValueError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.path(), self.reason)
    }
}

impl ValueError {
    /// Whether the value is well formed and only too large, too deep or of too many parts.
    pub(crate) fn is_too_much(&self) -> bool {
        matches!(
            self.reason,
            ValueReason::TooDeep(_) | ValueReason::TooMany(_) | ValueReason::TooLarge(_)
        )
    }

    pub(super) fn new(reason: ValueReason) -> Self {
        Self { steps: Vec::new(), reason }
    }

    pub(super) fn expected(expected: impl Into<String>, found: impl Into<String>) -> Self {
        Self::new(ValueReason::Expected { expected: expected.into(), found: found.into() })
    }

    pub(super) fn in_field(mut self, name: &str) -> Self {
        const NAME_CHARS_MAX: usize = 64;
        let clean = name.chars().map(|c| if c.is_control() { '?' } else { c });
        self.steps.push(Step::Field(clean.take(NAME_CHARS_MAX).collect()));
        self
    }

    pub(super) fn at_index(mut self, index: usize) -> Self {
        self.steps.push(Step::Index(index));
        self
    }

    pub(super) fn rooted(self, root: &str) -> Self {
        self.in_field(root)
    }

    /// Where the value stands: `args.items[3].name`.
    #[must_use]
    pub fn path(&self) -> String {
        let mut path = String::new();
        for step in self.steps.iter().rev() {
            match step {
                Step::Field(name) if path.is_empty() => path.push_str(name),
                Step::Field(name) => {
                    path.push('.');
                    path.push_str(name);
                }
                Step::Index(index) => path.push_str(&format!("[{index}]")),
            }
        }
        path
    }

    /// What is wrong with it.
    #[must_use]
    pub fn reason(&self) -> &ValueReason {
        &self.reason
    }

    /// The stable code of this refusal, for values that a caller sent.
    #[must_use]
    pub fn code(&self) -> Code {
        match self.reason {
            ValueReason::Resource | ValueReason::Unsupported(_) => Code::ComponentType,
            ValueReason::Mismatch(_) => Code::HostFailure,
            ValueReason::TooDeep(_) | ValueReason::TooMany(_) | ValueReason::TooLarge(_) => {
                Code::InputTooComplex
            }
            _ => Code::InputType,
        }
    }
}
