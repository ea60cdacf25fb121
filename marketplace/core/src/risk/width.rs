//! How much a capsule may do: points for each declared capability, by what it could do at worst.
//!
//! A declaration that covers another one has at least its points; that is a property test.

use soma_policy::{
    Access, Declarations, FilesDeclaration, HttpDeclaration, Method, Scheme, ServeDeclaration,
};

use super::{Part, RiskPart};

/// The most that width adds.
pub const WIDTH_MAX: u16 = 350;

/// The width of a capsule: each capability with its points.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Width {
    lines: Vec<(String, u16)>,
}

impl Width {
    /// All points together, at most [`WIDTH_MAX`].
    #[must_use]
    pub fn points(&self) -> u16 {
        self.lines.iter().fold(0u16, |sum, (_, points)| sum.saturating_add(*points)).min(WIDTH_MAX)
    }

    /// Each capability with its points, as `http.issues`.
    #[must_use]
    pub fn lines(&self) -> &[(String, u16)] {
        &self.lines
    }

    pub(super) fn part(&self) -> RiskPart {
        let words = |(capability, points): &(String, u16)| format!("{capability}: {points}");
        let why = self.lines.iter().filter(|(_, points)| *points > 0).map(words).collect();
        RiskPart { part: Part::Width, points: self.points(), why }
    }
}

/// The width of what a manifest declares.
#[must_use]
pub fn width(declared: &Declarations) -> Width {
    let mut lines = Vec::new();
    for (name, entry) in &declared.http {
        lines.push((format!("http.{name}"), http(entry)));
    }
    for name in declared.secret.keys() {
        lines.push((format!("secret.{name}"), 30));
    }
    for name in declared.kv.keys() {
        lines.push((format!("kv.{name}"), 10));
    }
    for (name, entry) in &declared.files {
        lines.push((format!("files.{name}"), files(entry)));
    }
    for name in declared.tool.keys() {
        lines.push((format!("tool.{name}"), 40));
    }
    for name in declared.emit.keys() {
        lines.push((format!("emit.{name}"), 5));
    }
    let singles = [
        ("config", declared.config.as_ref().map(|_| 5)),
        ("clocks", declared.clocks.as_ref().map(|clocks| if clocks.precise { 10 } else { 0 })),
        ("random", declared.random.as_ref().map(|_| 0)),
        ("logging", declared.logging.as_ref().map(|_| 0)),
        ("budget", declared.budget.as_ref().map(|_| 0)),
        ("serve", declared.serve.as_ref().map(serve)),
    ];
    let present = |(name, points): (&str, Option<u16>)| Some((name.to_owned(), points?));
    lines.extend(singles.into_iter().filter_map(present));
    Width { lines }
}

/// One origin that is only read from: 40. Writing, wildcards and plain http cost extra.
fn http(entry: &HttpDeclaration) -> u16 {
    let host = match entry.origin.host.to_string().as_str() {
        "**" => 200,
        deep if deep.starts_with("**.") => 80,
        one if one.starts_with("*.") => 60,
        _ => 0,
    };
    let plain = if entry.origin.scheme == Scheme::Http { 40 } else { 0 };
    let reads = |method: Method| matches!(method, Method::Get | Method::Head | Method::Options);
    let writes = if entry.methods.iter().all(reads) { 0 } else { 30 };
    let deep = |path: &soma_policy::PathPattern| path.to_string().contains("**");
    let anywhere = if entry.paths.iter().any(deep) { 20 } else { 0 };
    40 + host + plain + writes + anywhere
}

fn files(entry: &FilesDeclaration) -> u16 {
    if entry.access == Access::Read { 10 } else { 20 }
}

fn serve(entry: &ServeDeclaration) -> u16 {
    if entry.anonymous { 90 } else { 30 }
}
