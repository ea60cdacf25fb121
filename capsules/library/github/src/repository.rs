//! "owner/name" as GitHub allows it. Parsed before it goes into a path, so that no argument can
//! reach another part of the API.

use crate::GithubError;

#[derive(Debug)]
pub(crate) struct Repository(String);

impl Repository {
    pub(crate) fn parse(text: &str) -> Result<Self, GithubError> {
        let bad = || GithubError::BadRepository(text.to_owned());
        let (owner, name) = text.split_once('/').ok_or_else(bad)?;
        let owner_fits = fits(owner, 39, |c| c == '-');
        let name_fits =
            fits(name, 100, |c| matches!(c, '-' | '_' | '.')) && name != "." && name != "..";
        if owner_fits && name_fits { Ok(Self(text.to_owned())) } else { Err(bad()) }
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

fn fits(text: &str, longest: usize, also: fn(char) -> bool) -> bool {
    (1..=longest).contains(&text.len())
        && text.chars().all(|c| c.is_ascii_alphanumeric() || also(c))
}

#[cfg(test)]
mod tests {
    use super::Repository;

    #[test]
    fn only_an_owner_and_a_name_are_a_repository() {
        assert_eq!(Repository::parse("acme/web.site").unwrap().as_str(), "acme/web.site");
        for bad in
            ["acme", "acme/", "/web", "a/b/c", "acme/..", "acme/we b", "acme/%2e", "a_b/c", ""]
        {
            assert!(Repository::parse(bad).is_err(), "{bad:?}");
        }
    }
}
