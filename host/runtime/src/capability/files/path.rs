//! Guest paths: text brought into its canonical form before anything is decided or touched.
//!
//! The canonical form has no `.`, no `..` and no empty name, and it is what is walked: nothing here follows links, so
//! `a/../b` can only mean `b`. Bounded in length, in the length of each name and in nesting. A path is always below
//! some descriptor; what would leave it is an escape, and so is an absolute path.

use super::fault::Fault;

/// Longest path in bytes.
pub(crate) const PATH_MAX: usize = 4096;
/// Longest name in bytes; what common file systems can store.
pub(crate) const NAME_MAX: usize = 255;
/// How deep directories may nest below the root of a volume.
pub(crate) const DEPTH_MAX: usize = 32;

/// A path that is safe to walk name by name.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct GuestPath<'p> {
    names: Vec<&'p str>,
    directory: bool,
}

impl<'p> GuestPath<'p> {
    /// Brings `text` into canonical form.
    pub(crate) fn parse(text: &'p str) -> Result<Self, Fault> {
        if text.is_empty() {
            return Err(Fault::EmptyPath);
        }
        if text.len() > PATH_MAX {
            return Err(Fault::TooLong);
        }
        if text.contains('\0') {
            return Err(Fault::Nul);
        }
        if text.starts_with('/') {
            return Err(Fault::Escape);
        }
        let last = text.rsplit('/').next();
        Ok(Self { names: names(text)?, directory: matches!(last, Some("" | "." | "..")) })
    }

    /// The directories on the way and the last name; no last name if the path means the directory it starts from.
    pub(crate) fn split(&self) -> (&[&'p str], Option<&'p str>) {
        match self.names.split_last() {
            Some((leaf, lead)) => (lead, Some(leaf)),
            None => (&[], None),
        }
    }

    /// Whether the text says that it means a directory (`a/`).
    pub(crate) const fn directory(&self) -> bool {
        self.directory
    }

    /// The whole path as the guest would say it, below `base`.
    pub(crate) fn below(&self, base: &str) -> String {
        let mut whole = base.trim_end_matches('/').to_owned();
        for name in &self.names {
            whole.push('/');
            whole.push_str(name);
        }
        whole
    }
}

fn names(text: &str) -> Result<Vec<&str>, Fault> {
    let mut names = Vec::new();
    for name in text.split('/') {
        match name {
            "" | "." => {}
            ".." => drop(names.pop().ok_or(Fault::Escape)?),
            long if long.len() > NAME_MAX => return Err(Fault::TooLong),
            name => names.push(name),
        }
        // One more than directories may nest: the last name may be a file in the deepest directory.
        if names.len() > DEPTH_MAX + 1 {
            return Err(Fault::TooDeep);
        }
    }
    Ok(names)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn tricks_are_refused_before_the_disk_is_touched() {
        let long = "x".repeat(NAME_MAX + 1);
        let longer = "a/".repeat(PATH_MAX);
        let deep = "d/".repeat(DEPTH_MAX + 2);
        let table: [(&str, Fault); 12] = [
            ("", Fault::EmptyPath),
            ("/", Fault::Escape),
            ("/etc/passwd", Fault::Escape),
            ("..", Fault::Escape),
            ("../x", Fault::Escape),
            ("a/../..", Fault::Escape),
            ("a/b/../../../c", Fault::Escape),
            ("./../x", Fault::Escape),
            ("a\0b", Fault::Nul),
            (&long, Fault::TooLong),
            (&longer, Fault::TooLong),
            (&deep, Fault::TooDeep),
        ];
        for (text, fault) in table {
            assert_eq!(GuestPath::parse(text).unwrap_err(), fault, "{text:.40}");
        }
    }

    #[test]
    fn ordinary_paths_have_one_form() {
        let path = GuestPath::parse("a//./b/../c/").unwrap();
        assert_eq!(path.split(), (&["a"][..], Some("c")));
        assert!(path.directory());
        assert_eq!(path.below("/data"), "/data/a/c");
        for here in [".", "a/..", "./", "a/b/../.."] {
            let path = GuestPath::parse(here).unwrap();
            assert_eq!((path.split().1, path.directory()), (None, true), "{here}");
            assert_eq!(path.below("/data"), "/data");
        }
        assert!(!GuestPath::parse("a").unwrap().directory());
        assert_eq!(GuestPath::parse("a").unwrap().below("/"), "/a");
    }

    #[test]
    fn names_that_only_look_like_dots_are_names() {
        for name in ["...", "..a", ".hidden", "a..", "..\u{2215}x", "..\\x"] {
            assert_eq!(GuestPath::parse(name).unwrap().split().1, Some(name));
        }
    }

    proptest! {
        #[test]
        fn an_accepted_path_is_its_own_canonical_form(text in "[a-c./]{0,40}") {
            if let Ok(path) = GuestPath::parse(&text) {
                let whole = path.below("");
                let again = whole.strip_prefix('/').unwrap_or(".");
                prop_assert!(!again.split('/').any(|name| name.is_empty() || name == ".."));
                prop_assert_eq!(GuestPath::parse(again).unwrap().below(""), whole.clone());
            }
        }
    }
}
