//! How a call ended, and what that is as a status, an exit code and a catalogue code.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::code::Code;
use crate::id::OrderId;

/// Which limit ended a call.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum LimitKind {
    /// CPU time.
    Cpu,
    /// Wall time.
    Wall,
    /// Memories, tables and host-side buffers.
    Memory,
    /// Bytes through host calls.
    Hostcall,
    /// Bytes of input.
    Input,
    /// Bytes of output.
    Output,
    /// Bytes of log.
    Log,
    /// Open handles.
    Handles,
    /// Outbound requests at one time.
    Requests,
    /// The guest's stack.
    Stack,
    /// Random bytes.
    Random,
}

impl LimitKind {
    /// All of them.
    pub const ALL: [Self; 11] = [
        Self::Cpu,
        Self::Wall,
        Self::Memory,
        Self::Hostcall,
        Self::Input,
        Self::Output,
        Self::Log,
        Self::Handles,
        Self::Requests,
        Self::Stack,
        Self::Random,
    ];

    /// Its name, as files and reports spell it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Cpu => "cpu",
            Self::Wall => "wall",
            Self::Memory => "memory",
            Self::Hostcall => "hostcall",
            Self::Input => "input",
            Self::Output => "output",
            Self::Log => "log",
            Self::Handles => "handles",
            Self::Requests => "requests",
            Self::Stack => "stack",
            Self::Random => "random",
        }
    }

    /// Its code in the catalogue.
    #[must_use]
    pub const fn code(self) -> Code {
        match self {
            Self::Cpu => Code::LimitCpu,
            Self::Wall => Code::LimitWall,
            Self::Memory => Code::LimitMemory,
            Self::Hostcall => Code::LimitHostcall,
            Self::Input => Code::LimitInput,
            Self::Output => Code::LimitOutput,
            Self::Log => Code::LimitLog,
            Self::Handles => Code::LimitHandles,
            Self::Requests => Code::LimitRequests,
            Self::Stack => Code::LimitStack,
            Self::Random => Code::LimitRandom,
        }
    }
}

impl fmt::Display for LimitKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// How a call ended. Closed on purpose: every reader handles every case.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", content = "detail", rename_all = "kebab-case")]
pub enum Outcome {
    /// The function returned.
    Ok,
    /// The function returned its own typed error.
    GuestError,
    /// It was refused before it ran, or ended because of a denial.
    Denied,
    /// No money or no quota was left.
    Budget,
    /// A limit ended it.
    Limit(LimitKind),
    /// A kill order ended it.
    Killed(OrderId),
    /// The host stopped or died under it.
    Interrupted,
    /// The guest trapped.
    Trapped,
    /// The host failed; the guest may be innocent.
    HostFailure,
    /// No slot was free.
    Busy,
    /// A call with the same key may have run: nobody knows how it ended.
    InDoubt,
    /// The caller went away.
    Cancelled,
}

impl Outcome {
    /// The HTTP status of this outcome.
    #[must_use]
    pub const fn http_status(self) -> u16 {
        match self {
            Self::Ok => 200,
            Self::GuestError | Self::Trapped | Self::Limit(_) => 422,
            Self::Denied | Self::Killed(_) => 403,
            Self::Budget => 402,
            Self::Busy => 429,
            Self::Interrupted | Self::HostFailure => 503,
            Self::InDoubt => 409,
            Self::Cancelled => 499,
        }
    }

    /// The exit code of the command that made the call.
    #[must_use]
    pub const fn exit_code(self) -> u8 {
        match self {
            Self::Ok => 0,
            Self::GuestError | Self::Trapped => 1,
            Self::Denied | Self::Budget => 3,
            Self::Killed(_) => 6,
            Self::Limit(_) => 7,
            Self::InDoubt => 8,
            Self::Interrupted | Self::HostFailure | Self::Busy => 9,
            Self::Cancelled => 130,
        }
    }

    /// The catalogue code; none for [`Outcome::Ok`]. A denial's own code says more than this one.
    #[must_use]
    pub const fn code(self) -> Option<Code> {
        Some(match self {
            Self::Ok => return None,
            Self::GuestError => Code::GuestError,
            Self::Denied => Code::CallDenied,
            Self::Budget => Code::BudgetExhausted,
            Self::Limit(kind) => kind.code(),
            Self::Killed(_) => Code::Killed,
            Self::Interrupted => Code::Interrupted,
            Self::Trapped => Code::GuestTrapped,
            Self::HostFailure => Code::HostFailure,
            Self::Busy => Code::Busy,
            Self::InDoubt => Code::InDoubt,
            Self::Cancelled => Code::Cancelled,
        })
    }

    /// Its name: `ok`, `guest-error`, `limit` …
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::GuestError => "guest-error",
            Self::Denied => "denied",
            Self::Budget => "budget",
            Self::Limit(_) => "limit",
            Self::Killed(_) => "killed",
            Self::Interrupted => "interrupted",
            Self::Trapped => "trapped",
            Self::HostFailure => "host-failure",
            Self::Busy => "busy",
            Self::InDoubt => "in-doubt",
            Self::Cancelled => "cancelled",
        }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Limit(kind) => write!(f, "limit {kind}"),
            Self::Killed(order) => write!(f, "killed by {order}"),
            other => f.write_str(other.as_str()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn status_and_exit_code_follow_the_published_table() {
        let killed = Outcome::Killed(OrderId::from_u128(1));
        for (outcome, status, exit) in [
            (Outcome::Ok, 200, 0),
            (Outcome::GuestError, 422, 1),
            (Outcome::Trapped, 422, 1),
            (Outcome::Limit(LimitKind::Cpu), 422, 7),
            (Outcome::Denied, 403, 3),
            (Outcome::Budget, 402, 3),
            (killed, 403, 6),
            (Outcome::Busy, 429, 9),
            (Outcome::Interrupted, 503, 9),
            (Outcome::InDoubt, 409, 8),
            (Outcome::HostFailure, 503, 9),
            (Outcome::Cancelled, 499, 130),
        ] {
            assert_eq!((outcome.http_status(), outcome.exit_code()), (status, exit), "{outcome}");
            match outcome.code() {
                None => assert_eq!(outcome, Outcome::Ok),
                Some(code) => {
                    let entry = code.entry();
                    assert_eq!((entry.http, entry.exit), (status, exit), "{code}");
                }
            }
            let json = serde_json::to_string(&outcome).unwrap();
            assert_eq!(serde_json::from_str::<Outcome>(&json).unwrap(), outcome);
            assert!(json.contains(outcome.as_str()), "{json}");
        }
    }

    #[test]
    fn each_limit_has_its_own_name_and_code() {
        let codes: std::collections::BTreeSet<_> = LimitKind::ALL.map(LimitKind::code).into();
        assert_eq!(codes.len(), LimitKind::ALL.len());
        for kind in LimitKind::ALL {
            assert_eq!(serde_json::to_value(kind).unwrap(), kind.as_str());
        }
    }
}
