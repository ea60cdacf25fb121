//! `host.toml`: how this host is run, where that is not a matter of policy, trust or tenants.
//!
//! Read once, when the host starts. A home without the file has every default; what is in it must be right.

use serde::Deserialize;
use soma_policy::{Bytes, RegionId};

use super::{HomeError, Layout, file};

const BYTES_MAX: u64 = 64 * 1024;
/// Most apps domains.
const DOMAINS_MAX: usize = 16;
/// Longest apps domain: the label of an app has to fit in front of it.
const DOMAIN_BYTES_MAX: usize = 253 - 64;
/// How long a segment of the journal may be.
const SEGMENT: std::ops::RangeInclusive<u64> = 64 << 10..=1 << 30;

/// The file as a new home has it.
pub(crate) const STARTER: &str = "\
# How this host is run. Read when it starts. docs/reference/home.md says what can stand here.
schema = 1

# Where it stands: what a kill order of `region:eu` stops. A host with a server says it when it joins.
# region = \"eu\"

# Capsules that serve web requests are reached at ID--ENV--ORG.localhost, and under these domains too:
# point *.apps.example.org at this host, and say whether clients come over TLS.
# [apps]
# domains = [\"apps.example.org\"]
# https = true

# A segment of the journal is closed when it has this length: what the server has taken goes by whole segments.
# [journal]
# segment = \"64 MiB\"
";

/// What `host.toml` says.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// Version of this file's format.
    #[serde(default)]
    pub schema: u32,
    /// Where this host stands: `region:` kill orders and tenants' regions are judged by it.
    #[serde(default)]
    pub region: Option<RegionId>,
    /// Where capsules are served.
    #[serde(default)]
    pub apps: Apps,
    /// How the journal is kept.
    #[serde(default)]
    pub journal: JournalSettings,
}

/// `[journal]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct JournalSettings {
    /// A segment is closed when it has this length.
    pub segment: Bytes,
}

impl Default for JournalSettings {
    fn default() -> Self {
        Self { segment: Bytes(64 << 20) }
    }
}

/// `[apps]`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Apps {
    /// Domains beside `localhost`, in lower case.
    #[serde(default)]
    pub domains: Vec<String>,
    /// Whether clients reach them over TLS, which ends in front of this host.
    #[serde(default)]
    pub https: bool,
}

impl Settings {
    /// Reads the settings of a home.
    ///
    /// # Errors
    /// When the file cannot be read, or something in it is unknown or does not fit.
    pub fn load(layout: &Layout) -> Result<Self, HomeError> {
        let path = layout.settings();
        let Some(text) = file::read_text_if_there(&path, BYTES_MAX)? else {
            return Ok(Self::default());
        };
        let refused = |what: String| HomeError::Malformed { path: path.clone(), what };
        let settings: Self = toml::from_str(&text)
            .map_err(|e| refused(crate::installations::explain_toml(&text, &e)))?;
        if settings.schema != 1 {
            return Err(refused(format!("schema {} is not known, write 1", settings.schema)));
        }
        settings.apps.check().map_err(&refused)?;
        settings.journal.check().map_err(refused)?;
        Ok(settings)
    }
}

impl JournalSettings {
    fn check(self) -> Result<(), String> {
        if SEGMENT.contains(&self.segment.0) {
            return Ok(());
        }
        Err(format!("journal.segment: {} is not from 64 KiB to 1 GiB", self.segment))
    }
}

impl Apps {
    fn check(&self) -> Result<(), String> {
        if self.domains.len() > DOMAINS_MAX {
            return Err(format!("apps.domains has at most {DOMAINS_MAX} entries"));
        }
        match self.domains.iter().find(|domain| !is_domain(domain)) {
            Some(bad) => Err(format!(
                "apps.domains: `{}` is not a domain such as apps.example.org, in lower case",
                bad.escape_debug()
            )),
            None => Ok(()),
        }
    }
}

/// A name of at least two labels that is no address and does not end in `localhost`.
fn is_domain(text: &str) -> bool {
    let label = |label: &str| {
        let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
        let edges = label.starts_with('-') || label.ends_with('-');
        !label.is_empty() && label.len() <= 63 && label.bytes().all(plain) && !edges
    };
    let labels: Vec<&str> = text.split('.').collect();
    let last = labels.last().copied().unwrap_or_default();
    let is_number = last.bytes().all(|byte| byte.is_ascii_digit());
    text.len() <= DOMAIN_BYTES_MAX
        && labels.len() >= 2
        && labels.iter().all(|part| label(part))
        && !is_number
        && last != "localhost"
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load(text: &str) -> Result<Settings, String> {
        let folder = tempfile::tempdir().unwrap();
        let layout = Layout::new(folder.path());
        file::write_private(&layout.settings(), text.as_bytes()).unwrap();
        Settings::load(&layout).map_err(|e| e.to_string())
    }

    #[test]
    fn a_home_without_the_file_and_the_starter_have_the_defaults() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(Settings::load(&Layout::new(folder.path())).unwrap(), Settings::default());
        assert_eq!(load(STARTER).unwrap().apps, Apps::default());
    }

    #[test]
    fn the_starter_s_own_example_is_right() {
        let example: String = STARTER.lines().map(|l| l.strip_prefix("# ").unwrap_or(l)).fold(
            String::new(),
            |all, l| {
                let keep = l.starts_with("schema") || l.starts_with('[') || l.contains(" = ");
                if keep { all + l + "\n" } else { all }
            },
        );
        let apps = load(&example).unwrap().apps;
        assert_eq!((apps.domains, apps.https), (vec!["apps.example.org".to_owned()], true));
    }

    #[test]
    fn a_segment_of_the_journal_has_bounds() {
        let segment = |text: &str| load(&format!("schema = 1\n[journal]\nsegment = \"{text}\"\n"));
        assert_eq!(segment("64 KiB").unwrap().journal.segment, Bytes(64 << 10));
        assert_eq!(segment("1 GiB").unwrap().journal.segment, Bytes(1 << 30));
        for bad in ["63 KiB", "2 GiB"] {
            assert!(segment(bad).unwrap_err().contains("from 64 KiB to 1 GiB"), "{bad}");
        }
        assert!(segment("64KB").unwrap_err().contains("did you mean"));
        assert!(load("schema = 1\n[journal]\n").is_err(), "what is opened is said");
    }

    #[test]
    fn unknown_keys_and_what_is_no_domain_are_refused() {
        let wrong = load("schema = 1\n[apps]\ndomain = []\n").unwrap_err();
        assert!(wrong.contains("did you mean \"domains\"?"), "{wrong}");
        assert!(load("schema = 2\n").unwrap_err().contains("write 1"));
        for bad in [
            "localhost",
            "a.localhost",
            "org",
            "",
            ".example.org",
            "example.org.",
            "*.example.org",
            "Apps.example.org",
            "127.0.0.1",
            "a b.org",
            "-a.org",
            "exa_mple.org",
            "[::1]",
        ] {
            let text = format!("schema = 1\n[apps]\ndomains = [\"{bad}\"]\n");
            assert!(load(&text).unwrap_err().contains("is not a domain"), "{bad}");
        }
    }
}
