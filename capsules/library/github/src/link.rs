//! The `Link` header (RFC 8288), as far as pagination needs it: the target with `rel="next"`.

/// The path and query of the next page, if the header names one on the origin we asked.
pub(crate) fn next<'a>(header: &'a str, origin: &str) -> Option<&'a str> {
    header.split(',').find_map(|part| {
        let (target, parameters) = part.trim().strip_prefix('<')?.split_once('>')?;
        let is_next = parameters.split(';').map(str::trim).any(|p| {
            p.strip_prefix("rel=")
                .is_some_and(|rel| rel.trim_matches('"').split(' ').any(|r| r == "next"))
        });
        // Another origin is not followed: the token belongs to this one.
        target.strip_prefix(origin).filter(|path| is_next && path.starts_with('/'))
    })
}

#[cfg(test)]
mod tests {
    use super::next;

    const API: &str = "https://api.github.com";

    #[test]
    fn the_next_page_is_found_among_the_others() {
        let header = r#"<https://api.github.com/r?page=1>; rel="prev", <https://api.github.com/r?page=3>; rel="next", <https://api.github.com/r?page=9>; rel="last""#;
        assert_eq!(next(header, API), Some("/r?page=3"));
    }

    #[test]
    fn another_origin_is_not_followed() {
        assert_eq!(next(r#"<https://evil.test/r?page=3>; rel="next""#, API), None);
        assert_eq!(next(r#"<https://api.github.com.evil.test/r>; rel="next""#, API), None);
    }

    #[test]
    fn the_last_page_has_no_next() {
        assert_eq!(next(r#"<https://api.github.com/r?page=1>; rel="first""#, API), None);
        assert_eq!(next("", API), None);
    }
}
