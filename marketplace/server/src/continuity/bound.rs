//! How much of anything a backup may hold: every byte of an archive comes from outside.

use super::error::ContinuityError;

/// Entries of one archive.
pub(super) const ENTRIES_MAX: u64 = 2_000_000;
/// The list of an archive's files.
pub(super) const INDEX_BYTES_MAX: u64 = 512 << 20;
/// What is sealed: keys, and whatever else is not known to be harmless.
pub(super) const SEALED_BYTES_MAX: u64 = 64 << 20;
/// The signed manifest.
pub(super) const MANIFEST_BYTES_MAX: u64 = 64 << 10;
/// The public key beside it.
pub(super) const KEY_BYTES_MAX: u64 = 4 << 10;
/// A path, and the folders of one.
const PATH_BYTES_MAX: usize = 4096;
const DEPTH_MAX: usize = 64;

/// A path that stays inside of a home.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Inside(String);

impl Inside {
    /// Reads a path with `/` between names.
    pub(super) fn parse(text: &str) -> Result<Self, ContinuityError> {
        let named = |name: &str| {
            !name.is_empty() && name != "." && name != ".." && !name.contains(['\0', '\\'])
        };
        let fits = text.len() <= PATH_BYTES_MAX && text.split('/').count() <= DEPTH_MAX;
        if fits && text.split('/').all(named) {
            return Ok(Self(text.to_owned()));
        }
        let shown: String = text.chars().filter(|c| !c.is_control()).take(80).collect();
        Err(ContinuityError::Bad(format!("`{shown}` is no path inside of a home")))
    }

    pub(super) fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether it is that place, or lies below it.
    pub(super) fn is_at(&self, place: &str) -> bool {
        self.0.strip_prefix(place).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    }

    /// The name at its end.
    pub(super) fn name(&self) -> &str {
        self.0.rsplit('/').next().unwrap_or_default()
    }

    pub(super) fn under(&self, folder: &std::path::Path) -> std::path::PathBuf {
        folder.join(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_that_leave_the_home_are_refused() {
        for good in ["home.toml", "a/b/c", "keys/root.key", "ä/…"] {
            assert!(Inside::parse(good).is_ok(), "{good}");
        }
        let deep = vec!["a"; DEPTH_MAX + 1].join("/");
        let long = "a".repeat(PATH_BYTES_MAX + 1);
        for bad in
            ["", "/etc/passwd", "../x", "a/../b", "a//b", "a/", "./a", "a\0b", "a\\b", &deep, &long]
        {
            assert!(Inside::parse(bad).is_err(), "{bad}");
        }
    }
}
