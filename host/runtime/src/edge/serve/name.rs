//! Host names of served capsules: `ID--ENV--ORG.localhost:PORT`, or the same label under an apps domain.
//!
//! A name that lies under an apps domain is an app or an error, never the API: a misspelt app must not fall through to
//! routes with more rights. Nothing here knows which installations exist.

use soma_policy::InstallationKey;

/// The longest label that a host name may have.
const LABEL_BYTES_MAX: usize = 63;

/// The domains under which capsules are served.
#[derive(Debug, Clone)]
pub struct AppDomains {
    domains: Vec<Box<str>>,
}

/// What a request's authority names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Site {
    /// The host's own interface.
    Api,
    /// A served capsule.
    App(InstallationKey),
}

/// A name under an apps domain that names no app.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// More than one `Host` field, or one that is no host name with an optional port.
    #[error("the request names no host, or more than one")]
    Authority,
    /// The label is not `ID--ENV--ORG`.
    #[error("the host name is not of the form `ID--ENV--ORG`")]
    Form,
}

impl AppDomains {
    /// `localhost` and the operator's own domains, in lower case and without a leading dot.
    #[must_use]
    pub fn new(more: impl IntoIterator<Item = String>) -> Self {
        let own = more
            .into_iter()
            .map(|domain| domain.trim_matches('.').to_ascii_lowercase().into_boxed_str());
        let domains = std::iter::once(Box::from("localhost")).chain(own);
        Self { domains: domains.filter(|domain| !domain.is_empty()).collect() }
    }

    /// Reads an authority (`host[:port]`) as the client sent it.
    ///
    /// # Errors
    /// When it is no authority, or lies under an apps domain and names no app.
    pub fn site(&self, authority: &str) -> Result<Site, NameError> {
        let host = host_of(authority)?;
        let label = self.domains.iter().find_map(|domain| under(host, domain));
        match label {
            Some(label) => app(label).map(Site::App),
            None => Ok(Site::Api),
        }
    }
}

fn host_of(authority: &str) -> Result<&str, NameError> {
    if authority.starts_with('[') {
        // An address literal is never an app; its port needs no look.
        return Ok(authority);
    }
    let (host, port) = authority.split_once(':').unwrap_or((authority, ""));
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_');
    let is_host = !host.is_empty() && host.bytes().all(plain);
    let is_port = port.len() <= 5 && port.bytes().all(|byte| byte.is_ascii_digit());
    if is_host && is_port {
        Ok(host.strip_suffix('.').unwrap_or(host))
    } else {
        Err(NameError::Authority)
    }
}

/// The part of `host` in front of `.domain`, without regard to case.
fn under<'h>(host: &'h str, domain: &str) -> Option<&'h str> {
    let dot = host.len().checked_sub(domain.len() + 1)?;
    let (label, rest) = host.split_at_checked(dot)?;
    let rest = rest.strip_prefix('.')?;
    rest.eq_ignore_ascii_case(domain).then_some(label)
}

fn app(label: &str) -> Result<InstallationKey, NameError> {
    if label.len() > LABEL_BYTES_MAX {
        return Err(NameError::Form);
    }
    let label = label.to_ascii_lowercase();
    let mut parts = label.split("--");
    let (Some(id), Some(environment), Some(org), None) =
        (parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return Err(NameError::Form);
    };
    Ok(InstallationKey {
        org: org.parse().map_err(|_| NameError::Form)?,
        environment: environment.parse().map_err(|_| NameError::Form)?,
        id: id.parse().map_err(|_| NameError::Form)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn domains() -> AppDomains {
        AppDomains::new(["Apps.Example.org".to_owned()])
    }

    #[test]
    fn an_app_is_found_under_each_domain_whatever_the_case_and_port() {
        let key: InstallationKey = "local/production/my-app".parse().unwrap();
        for authority in [
            "my-app--production--local.localhost",
            "my-app--production--local.localhost:7662",
            "My-App--Production--LOCAL.LocalHost:80",
            "my-app--production--local.localhost.:7662",
            "my-app--production--local.apps.example.org",
        ] {
            assert_eq!(domains().site(authority), Ok(Site::App(key.clone())), "{authority}");
        }
    }

    #[test]
    fn other_names_are_the_api() {
        for authority in [
            "localhost:7662",
            "127.0.0.1:7662",
            "[::1]:7662",
            "soma.example.org",
            "apps.example.org",
            "notlocalhost",
        ] {
            assert_eq!(domains().site(authority), Ok(Site::Api), "{authority}");
        }
    }

    #[test]
    fn a_name_under_an_apps_domain_is_never_the_api() {
        for authority in [
            "my-app.localhost",
            "a--b.localhost",
            "a--b--c--d.localhost",
            "--production--local.localhost",
            "a----b.localhost",
            "a--production--local.evil.localhost",
            "a.b--production--local.localhost",
            ".localhost",
            "my_app--production--local.localhost",
            "-a--production--local.apps.example.org",
            "a---production--local.localhost",
        ] {
            assert_eq!(domains().site(authority), Err(NameError::Form), "{authority}");
        }
        let long = format!("{}--production--local.localhost", "a".repeat(60));
        assert_eq!(domains().site(&long), Err(NameError::Form));
    }

    #[test]
    fn what_is_no_authority_is_refused() {
        for authority in [
            "",
            ":80",
            "a b",
            "user@a--b--c.localhost",
            "a/b",
            "localhost:80:80",
            "localhost:http",
            "lo\u{0131}calhost",
        ] {
            assert_eq!(domains().site(authority), Err(NameError::Authority), "{authority}");
        }
    }

    proptest::proptest! {
        #[test]
        fn whatever_a_client_sends_is_an_answer(authority in "\\PC{0,80}") {
            if let Ok(Site::App(key)) = domains().site(&authority) {
                let named = format!("{}--{}--{}.", key.id, key.environment, key.org);
                proptest::prop_assert!(authority.to_ascii_lowercase().starts_with(&named));
            }
        }

        #[test]
        fn every_installation_has_a_name_that_leads_to_it(
            id in "[a-z][a-z0-9]{0,15}", environment in "[a-z][a-z0-9]{0,15}", org in "[a-z][a-z0-9]{0,15}",
        ) {
            let key: InstallationKey = format!("{org}/{environment}/{id}").parse().unwrap();
            let site = domains().site(&format!("{id}--{environment}--{org}.localhost:80"));
            proptest::prop_assert_eq!(site, Ok(Site::App(key)));
        }
    }
}
