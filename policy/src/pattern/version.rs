//! Version ranges: semver requirements, with a conservative `covers`.

use std::fmt;
use std::str::FromStr;

use semver::{Comparator, Op, Version, VersionReq};

use super::PatternError;
use crate::text::string_form;

/// Which versions: `^1.2`, `=1.2.3`, `>=1, <3`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct VersionRange(VersionReq);

/// A version without its pre-release, as it sorts.
type Triple = (u64, u64, u64);

impl VersionRange {
    /// Whether the version is in the range. A pre-release is, only where the range names one of that version.
    #[must_use]
    pub fn allows(&self, version: &Version) -> bool {
        self.0.matches(version)
    }

    /// Whether every version that `inner` allows is allowed here.
    #[must_use]
    pub fn covers(&self, inner: &Self) -> bool {
        if self == inner {
            return true;
        }
        // Pre-releases match by rules of their own, which are not an interval.
        let plain = |range: &Self| range.0.comparators.iter().all(|c| c.pre.is_empty());
        if !plain(self) || !plain(inner) {
            return false;
        }
        match (self.interval(), inner.interval()) {
            (_, Some(None)) => true,
            (Some(Some((a, b))), Some(Some((c, d)))) => a <= c && d <= b,
            _ => false,
        }
    }

    /// The half-open interval of plain versions; `Some(None)` when it is empty, `None` when it is not known.
    fn interval(&self) -> Option<Option<(Triple, Triple)>> {
        let (mut low, mut high) = ((0, 0, 0), (u64::MAX, u64::MAX, u64::MAX));
        for comparator in &self.0.comparators {
            let (from, to) = bounds(comparator)?;
            low = low.max(from);
            high = high.min(to);
        }
        Some((low < high).then_some((low, high)))
    }
}

/// The half-open interval of one comparator.
fn bounds(comparator: &Comparator) -> Option<(Triple, Triple)> {
    const TOP: Triple = (u64::MAX, u64::MAX, u64::MAX);
    let Comparator { op, major, minor, patch, .. } = comparator;
    let low = (*major, minor.unwrap_or(0), patch.unwrap_or(0));
    let next_major = (major.checked_add(1)?, 0, 0);
    let next_minor = |minor: u64| Some((*major, minor.checked_add(1)?, 0));
    // The first version after everything that the comparator's own text names.
    let after = match (minor, patch) {
        (None, _) => next_major,
        (Some(minor), None) => next_minor(*minor)?,
        (Some(minor), Some(patch)) => (*major, *minor, patch.checked_add(1)?),
    };
    Some(match op {
        Op::Exact | Op::Wildcard => (low, after),
        Op::Greater => (after, TOP),
        Op::GreaterEq => (low, TOP),
        Op::Less => ((0, 0, 0), low),
        Op::LessEq => ((0, 0, 0), after),
        Op::Tilde => match minor {
            Some(minor) => (low, next_minor(*minor)?),
            None => (low, next_major),
        },
        Op::Caret => match (major, minor, patch) {
            (0, Some(0), Some(patch)) => (low, (0, 0, patch.checked_add(1)?)),
            (0, Some(minor), _) => (low, next_minor(*minor)?),
            _ => (low, next_major),
        },
        _ => return None,
    })
}

impl FromStr for VersionRange {
    type Err = PatternError;
    fn from_str(text: &str) -> Result<Self, PatternError> {
        let fail = |rule: String| PatternError::new("a version range such as ^1.2", text, rule);
        if text.len() > 256 {
            return Err(fail("it is longer than 256 characters".to_owned()));
        }
        let text = text.trim();
        if let Some(rest) = text.strip_prefix('v') {
            return Err(fail(format!("did you mean \"^{rest}\"?")));
        }
        if text.is_empty() {
            return Err(fail("it is empty; write * for every version".to_owned()));
        }
        text.parse().map(Self).map_err(|e: semver::Error| fail(e.to_string()))
    }
}

impl fmt::Display for VersionRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

string_form!(VersionRange, "VersionRange", "a version range such as ^1.2");

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn range(text: &str) -> VersionRange {
        text.parse().unwrap()
    }

    #[test]
    fn wider_ranges_cover_narrower_ones() {
        for (outer, inner) in [
            ("*", "^1"),
            ("^1", "^1.2"),
            ("^1.2", "=1.2.3"),
            (">=1", "^2"),
            ("^1", "~1.3"),
            ("<2", "1.*"),
            ("^0.3", "^0.3.1"),
            ("=1.2.3", ">2, <1"),
        ] {
            assert!(range(outer).covers(&range(inner)), "{outer} {inner}");
        }
        for (outer, inner) in [
            ("^1.2", "^1"),
            ("=1.2.3", "^1.2"),
            ("^1", ">=1"),
            ("^0.3", "^0.4"),
            ("^1", "^1.0.0-rc.1"),
            ("<=1.2", "<=1.3"),
        ] {
            assert!(!range(outer).covers(&range(inner)), "{outer} {inner}");
        }
    }

    #[test]
    fn other_texts_get_a_hint() {
        for (bad, hint) in [
            ("v1.2", "\"^1.2\""),
            ("", "empty"),
            ("latest", "unexpected"),
            (&"1".repeat(300), "longer"),
        ] {
            let said = bad.parse::<VersionRange>().unwrap_err().to_string();
            assert!(said.contains(hint), "{said}");
        }
    }

    fn any_range() -> impl Strategy<Value = VersionRange> {
        let op = prop_oneof![
            Just("^"),
            Just("~"),
            Just("="),
            Just(">"),
            Just(">="),
            Just("<"),
            Just("<=")
        ];
        let one = (op, 0u64..3, prop::option::of((0u64..3, prop::option::of(0u64..3)))).prop_map(
            |(op, major, rest)| match rest {
                None => format!("{op}{major}"),
                Some((minor, None)) => format!("{op}{major}.{minor}"),
                Some((minor, Some(patch))) => format!("{op}{major}.{minor}.{patch}"),
            },
        );
        prop::collection::vec(one, 1..3).prop_map(|parts| range(&parts.join(", ")))
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]
        #[test]
        fn covers_implies_allows(outer in any_range(), inner in any_range(), a in 0u64..4, b in 0u64..4, c in 0u64..4, pre: bool) {
            let text = format!("{a}.{b}.{c}{}", if pre { "-rc.1" } else { "" });
            let version: Version = text.parse().unwrap();
            if outer.covers(&inner) && inner.allows(&version) {
                prop_assert!(outer.allows(&version), "{} covers {} but refuses {}", outer, inner, version);
            }
            prop_assert!(outer.covers(&outer));
            prop_assert_eq!(outer.to_string().parse(), Ok(outer));
        }
    }
}
