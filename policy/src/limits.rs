//! Limits on one call: what holds by default, what a manifest or an installation asks for, and the operator's ceiling.
//!
//! Counting is the host's work; here is only how much there is.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::amount::{Bytes, Millis};
use crate::code::Code;
use crate::denial::{Denial, Layer};

macro_rules! limits {
    ($($(#[$doc:meta])* $name:ident: $type:ty;)*) => {
        /// What one call may use.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
        #[serde(deny_unknown_fields)]
        pub struct Limits { $($(#[$doc])* pub $name: $type,)* }

        /// A wish for limits: what is left out stays as it is.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
        #[serde(deny_unknown_fields)]
        pub struct LimitsAsk { $(
            $(#[$doc])*
            #[serde(default, skip_serializing_if = "Option::is_none")]
            pub $name: Option<$type>,
        )* }

        impl Limits {
            /// The names of all limits, as files spell them.
            pub const NAMES: &'static [&'static str] = &[$(stringify!($name)),*];

            /// These limits with each wish in place of its own value.
            #[must_use]
            pub fn with(self, ask: &LimitsAsk) -> Self {
                Self { $($name: ask.$name.unwrap_or(self.$name),)* }
            }

            /// Each limit of `self` that is above `ceiling`: its name, its value and the ceiling's.
            #[must_use]
            pub fn above(&self, ceiling: &Self) -> Vec<(&'static str, String, String)> {
                let mut above = Vec::new();
                $(if self.$name > ceiling.$name {
                    above.push((stringify!($name), self.$name.to_string(), ceiling.$name.to_string()));
                })*
                above
            }
        }

        impl From<Limits> for LimitsAsk {
            fn from(limits: Limits) -> Self {
                Self { $($name: Some(limits.$name),)* }
            }
        }
    };
}

limits! {
    /// Thread CPU time, with charged blocking work.
    cpu: Millis;
    /// Open handles at one time.
    handles: u32;
    /// Bytes through host calls, both ways.
    hostcall: Bytes;
    /// Bytes of input.
    input: Bytes;
    /// Bytes of log and standard output.
    log: Bytes;
    /// All memories and tables, with buffers that the host holds for the call.
    memory: Bytes;
    /// Bytes of output.
    output: Bytes;
    /// Outbound requests at one time.
    requests: u32;
    /// Time from start to end, waiting included.
    wall: Millis;
}

impl Limits {
    /// What holds when nobody asks for anything else.
    pub const DEFAULT: Self = Self {
        cpu: Millis(500),
        handles: 256,
        hostcall: Bytes::mib(8),
        input: Bytes::mib(1),
        log: Bytes::kib(256),
        memory: Bytes::mib(64),
        output: Bytes::mib(1),
        requests: 16,
        wall: Millis(10_000),
    };

    /// What a call of an installation gets: the default, then the manifest's wish, then the installation's;
    /// nothing above the operator's ceiling.
    ///
    /// # Errors
    /// One denial for each limit above the ceiling.
    pub fn decide(
        manifest: &LimitsAsk,
        installation: &LimitsAsk,
        ceiling: &Self,
    ) -> Result<Self, Vec<Denial>> {
        let wanted = Self::DEFAULT.with(manifest).with(installation);
        let above: Vec<Denial> = wanted.above(ceiling).into_iter().map(too_high).collect();
        if above.is_empty() { Ok(wanted) } else { Err(above) }
    }
}

fn too_high((name, asked, ceiling): (&'static str, String, String)) -> Denial {
    let operation = format!("limits.{name} = {asked}");
    let reason = format!("the operator allows at most {ceiling}");
    Denial::new(Code::LimitAboveCeiling, Layer::Operator, operation, reason).fix(format!(
        "lower limits.{name} to {ceiling} in the installation file, or raise `{name}` in policy/limits.toml"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_is_the_documented_one() {
        let Limits { memory, cpu, wall, hostcall, input, output, .. } = Limits::DEFAULT;
        let texts = [
            memory.to_string(),
            cpu.to_string(),
            wall.to_string(),
            hostcall.to_string(),
            input.to_string(),
            output.to_string(),
        ];
        assert_eq!(texts, ["64 MiB", "500 ms", "10 s", "8 MiB", "1 MiB", "1 MiB"]);
    }

    #[test]
    fn the_installation_may_lower_what_the_manifest_asks_for() {
        let manifest = LimitsAsk { cpu: Some(Millis(2000)), ..LimitsAsk::default() };
        let installation = LimitsAsk { cpu: Some(Millis(100)), ..LimitsAsk::default() };
        let limits = Limits::decide(&manifest, &installation, &Limits::DEFAULT).unwrap();
        assert_eq!(limits.cpu, Millis(100));
        assert_eq!(limits.wall, Limits::DEFAULT.wall);
    }

    #[test]
    fn above_the_ceiling_is_refused_by_name() {
        let manifest =
            LimitsAsk { cpu: Some(Millis(2000)), handles: Some(9999), ..LimitsAsk::default() };
        let denials =
            Limits::decide(&manifest, &LimitsAsk::default(), &Limits::DEFAULT).unwrap_err();
        assert_eq!(denials.len(), 2);
        assert_eq!(denials[0].operation, "limits.cpu = 2 s");
        assert!(denials[0].remedy.contains("policy/limits.toml"), "{}", denials[0].remedy);
    }

    #[test]
    fn an_unknown_limit_is_refused() {
        assert!(toml::from_str::<LimitsAsk>("cpus = \"1 s\"").is_err());
        assert_eq!(toml::from_str::<LimitsAsk>("").unwrap(), LimitsAsk::default());
        assert!(Limits::NAMES.contains(&"cpu"));
        assert_eq!(LimitsAsk::from(Limits::DEFAULT).handles, Some(256));
    }
}
