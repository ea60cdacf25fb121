//! Paths: `/repos/*/*/issues`. `*` is one non-empty segment, `**` is any number of segments, also none.
//!
//! Matching is over canonical paths; a query is not part of it.

use std::fmt;
use std::str::FromStr;

use super::PatternError;
use crate::text::string_form;

const KIND: &str = "a path pattern such as /repos/*/issues";
const SEGMENTS_MAX: usize = 32;
const DEEP_MAX: usize = 2;

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Segment {
    Exact(Box<str>),
    One,
    Deep,
}

impl Segment {
    fn as_str(&self) -> &str {
        match self {
            Self::Exact(text) => text,
            Self::One => "*",
            Self::Deep => "**",
        }
    }
}

/// Which paths.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PathPattern(Box<[Segment]>);

impl PathPattern {
    /// Whether a canonical path matches. Allocates nothing.
    #[must_use]
    pub fn allows(&self, path: &str) -> bool {
        path.strip_prefix('/').is_some_and(|rest| matches(&self.0, Some(rest)))
    }

    /// Whether every path that `inner` allows is allowed here.
    #[must_use]
    pub fn covers(&self, inner: &Self) -> bool {
        covers(&self.0, &inner.0)
    }
}

/// `rest` is what is left of the path after a `/`; `None` when nothing is.
fn matches(pattern: &[Segment], rest: Option<&str>) -> bool {
    let Some((first, pattern_rest)) = pattern.split_first() else { return rest.is_none() };
    let next = |rest: &str| match rest.split_once('/') {
        Some((segment, tail)) => (segment.is_empty(), tail.len() + 1),
        None => (rest.is_empty(), 0),
    };
    let after =
        |rest: &'_ str, kept: usize| if kept == 0 { None } else { Some(rest.len() - kept + 1) };
    match (first, rest) {
        (Segment::Deep, None) => matches(pattern_rest, None),
        (Segment::Deep, Some(text)) => {
            let (_, kept) = next(text);
            let tail = after(text, kept).and_then(|at| text.get(at..));
            matches(pattern_rest, rest) || matches(pattern, tail)
        }
        (_, None) => false,
        (Segment::One, Some(text)) => {
            let (empty, kept) = next(text);
            !empty && matches(pattern_rest, after(text, kept).and_then(|at| text.get(at..)))
        }
        (Segment::Exact(exact), Some(text)) => match text.strip_prefix(&**exact) {
            Some("") => matches(pattern_rest, None),
            Some(tail) => {
                tail.strip_prefix('/').is_some_and(|tail| matches(pattern_rest, Some(tail)))
            }
            None => false,
        },
    }
}

fn covers(outer: &[Segment], inner: &[Segment]) -> bool {
    match (outer.split_first(), inner.split_first()) {
        (None, None) => true,
        (None, Some(_)) => false,
        (Some((Segment::Deep, outer_rest)), None) => covers(outer_rest, inner),
        (Some((Segment::Deep, outer_rest)), Some((_, inner_rest))) => {
            covers(outer_rest, inner) || covers(outer, inner_rest)
        }
        (Some(_), None) | (Some(_), Some((Segment::Deep, _))) => false,
        (Some((Segment::One, outer_rest)), Some((segment, inner_rest))) => {
            *segment != Segment::Exact("".into()) && covers(outer_rest, inner_rest)
        }
        (Some((exact, outer_rest)), Some((segment, inner_rest))) => {
            exact == segment && covers(outer_rest, inner_rest)
        }
    }
}

impl FromStr for PathPattern {
    type Err = PatternError;
    fn from_str(text: &str) -> Result<Self, PatternError> {
        let fail = |rule: String| PatternError::new(KIND, text, rule);
        let Some(rest) = text.strip_prefix('/') else {
            return Err(fail(format!("it starts with a slash; did you mean \"/{text}\"?")));
        };
        if text.len() > 1024 {
            return Err(fail("it is longer than 1024 characters".to_owned()));
        }
        let parts: Vec<&str> = rest.split('/').collect();
        if parts.len() > SEGMENTS_MAX {
            return Err(fail(format!("it has more than {SEGMENTS_MAX} segments")));
        }
        let last = parts.len() - 1;
        let segments = parts
            .iter()
            .enumerate()
            .map(|(index, part)| segment(part, index == last).map_err(&fail))
            .collect::<Result<Box<[Segment]>, _>>()?;
        if segments.iter().filter(|segment| **segment == Segment::Deep).count() > DEEP_MAX {
            return Err(fail(format!("it has more than {DEEP_MAX} `**`")));
        }
        Ok(Self(segments))
    }
}

fn segment(part: &str, last: bool) -> Result<Segment, String> {
    match part {
        "*" => return Ok(Segment::One),
        "**" => return Ok(Segment::Deep),
        "" if !last => return Err("it has an empty segment".to_owned()),
        _ => {}
    }
    if part.contains('*') {
        return Err("a wildcard is a whole segment; did you mean \"*\" in its place?".to_owned());
    }
    if part.contains(['?', '#']) {
        return Err("a path pattern has no query and no fragment".to_owned());
    }
    let mut form = String::new();
    push_segment(part, &mut form)?;
    if form == part {
        Ok(Segment::Exact(part.into()))
    } else {
        Err(format!("its one form is \"{form}\""))
    }
}

/// Appends the one form of a path segment: unreserved characters plain, the others as they came, hexadecimal
/// in capitals.
pub(crate) fn push_segment(part: &str, out: &mut String) -> Result<(), &'static str> {
    if part == "." || part == ".." {
        return Err("dot segments have no single meaning");
    }
    let mut bytes = part.bytes();
    while let Some(byte) = bytes.next() {
        match byte {
            b'%' => {
                let pair = [bytes.next().unwrap_or(b'x'), bytes.next().unwrap_or(b'x')];
                push_encoded(pair, out)?;
            }
            b'\\' => return Err("a backslash has no single meaning"),
            _ if is_pchar(byte) => out.push(char::from(byte)),
            _ => return Err("it has a character that must be percent-encoded"),
        }
    }
    Ok(())
}

/// What RFC 3986 allows in a segment as it is; anything else has to be encoded by the sender.
fn is_pchar(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=:@".contains(&byte)
}

fn push_encoded(pair: [u8; 2], out: &mut String) -> Result<(), &'static str> {
    let mut decoded = [0u8; 1];
    hex::decode_to_slice(pair, &mut decoded)
        .map_err(|_| "`%` is followed by two hexadecimal digits")?;
    let [byte] = decoded;
    match byte {
        b'.' => return Err("an encoded dot has no single meaning"),
        b'/' | b'\\' => return Err("an encoded slash has no single meaning"),
        0..0x20 | 0x7f => return Err("it has an encoded control character"),
        b'%' => return Err("an encoded percent sign has no single meaning"),
        b'-' | b'_' | b'~' => out.push(char::from(byte)),
        _ if byte.is_ascii_alphanumeric() => out.push(char::from(byte)),
        _ => {
            out.push('%');
            out.extend(pair.iter().map(|digit| char::from(digit.to_ascii_uppercase())));
        }
    }
    Ok(())
}

impl fmt::Display for PathPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|segment| write!(f, "/{}", segment.as_str()))
    }
}

string_form!(PathPattern, "PathPattern", "a path pattern: /repos/*/issues, /v1/**");

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn path(text: &str) -> PathPattern {
        text.parse().unwrap()
    }

    #[test]
    fn a_star_is_one_segment_and_two_are_any_depth() {
        for (pattern, yes, no) in [
            ("/", vec!["/"], vec!["", "/a", "//"]),
            ("/a", vec!["/a"], vec!["/a/", "/ab", "/", "/b"]),
            ("/a/", vec!["/a/"], vec!["/a"]),
            (
                "/repos/*/issues",
                vec!["/repos/x/issues"],
                vec!["/repos//issues", "/repos/x/y/issues", "/repos/issues"],
            ),
            ("/a/**", vec!["/a", "/a/", "/a/b", "/a/b/c/"], vec!["/b", "/ab"]),
            ("/**/end", vec!["/end", "/a/end", "/a/b/end"], vec!["/end/", "/a"]),
            ("/**", vec!["/", "/a", "/a//b"], vec!["", "a"]),
            ("/**/a/**/b", vec!["/a/b", "/x/a/y/z/b"], vec!["/b/a"]),
        ] {
            for good in yes {
                assert!(path(pattern).allows(good), "{pattern} refuses {good}");
            }
            for bad in no {
                assert!(!path(pattern).allows(bad), "{pattern} allows {bad}");
            }
        }
    }

    #[test]
    fn other_texts_get_a_hint() {
        for (bad, hint) in [
            ("a", "\"/a\""),
            ("/a*", "whole segment"),
            ("/a?b", "no query"),
            ("/a//b", "empty segment"),
            ("/..", "dot segments"),
            ("/%2e", "encoded dot"),
            ("/%7Ea", "\"~a\""),
            ("/a\\b", "backslash"),
            ("/%zz", "hexadecimal"),
            ("/%2", "hexadecimal"),
            ("/%00", "control"),
            ("/%25", "percent sign"),
            ("/a b", "percent-encoded"),
            ("/**/**/**", "more than 2"),
        ] {
            let said = bad.parse::<PathPattern>().unwrap_err().to_string();
            assert!(said.contains(hint), "{bad}: {said}");
        }
        assert!("/a".repeat(33).parse::<PathPattern>().is_err());
        assert!(format!("/{}", "a".repeat(1024)).parse::<PathPattern>().is_err());
    }

    fn pattern() -> impl Strategy<Value = PathPattern> {
        let segment = prop_oneof![Just("a"), Just("b"), Just("*"), Just("**")];
        (prop::collection::vec(segment, 1..6), any::<bool>()).prop_filter_map(
            "at most two **",
            |(parts, slash)| {
                format!("/{}{}", parts.join("/"), if slash { "/" } else { "" }).parse().ok()
            },
        )
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]
        #[test]
        fn covers_implies_allows(outer in pattern(), inner in pattern(), parts in prop::collection::vec("[ab]?", 1..6)) {
            let text = format!("/{}", parts.join("/"));
            if outer.covers(&inner) && inner.allows(&text) {
                prop_assert!(outer.allows(&text), "{} covers {} but refuses {}", outer, inner, text);
            }
            prop_assert!(outer.covers(&outer));
            prop_assert_eq!(outer.to_string().parse(), Ok(outer));
        }

        #[test]
        fn the_canonical_segment_is_a_fixed_point(text in "([a-zA-Z0-9.~:@!]|%[0-9a-fA-F]{2}){0,12}") {
            let (mut form, mut again) = (String::new(), String::new());
            if push_segment(&text, &mut form).is_ok() {
                prop_assert_eq!(push_segment(&form, &mut again), Ok(()));
                prop_assert_eq!(again, form);
            }
        }
    }
}
