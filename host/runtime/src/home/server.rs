//! `trust/server.toml`: which server this home belongs to, and the key by which its words are known.
//!
//! Written once, when the host is enrolled. A home without it is run from its files. Nothing that the
//! server says can change this file, nor the root, the operators and the policy beside it.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use soma_capsule::key::PublicKey;
use soma_policy::RegionId;
use soma_policy::feed::HostRole;
use url::Url;

use super::{HomeError, Layout, file};

const BYTES_MAX: u64 = 16 * 1024;
const ANCHOR_BYTES_MAX: u64 = 1024 * 1024;
/// Longest name of a deployment or an issuer.
const NAME_BYTES_MAX: usize = 256;

/// The server of a home.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Server {
    /// Its origin.
    pub url: Url,
    /// Its name: what it signs says so, and what this host signs for it.
    pub deployment: String,
    /// Signs the feed, heartbeats, leases and approvals.
    pub feed_key: PublicKey,
    /// `iss` of callers' tokens.
    pub issuer: String,
    /// What this host does for it.
    pub role: HostRole,
    /// Where this host stands, as it said when it joined.
    pub region: Option<RegionId>,
    /// Certificates (PEM) that alone are trusted for its TLS: `trust/server.pem`. None trusts the public roots.
    pub anchor: Option<Vec<u8>>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    schema: u32,
    url: String,
    deployment: String,
    feed_key: String,
    issuer: String,
    role: HostRole,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    region: Option<RegionId>,
}

impl Server {
    /// Reads the server of a home; none if it was never enrolled.
    ///
    /// # Errors
    /// When the file cannot be read, or something in it is unknown or does not fit.
    pub fn load(layout: &Layout) -> Result<Option<Self>, HomeError> {
        let path = layout.server();
        let Some(text) = file::read_text_if_there(&path, BYTES_MAX)? else { return Ok(None) };
        let refused = |what: String| HomeError::Malformed { path: path.clone(), what };
        let read: File = toml::from_str(&text)
            .map_err(|e| refused(crate::installations::explain_toml(&text, &e)))?;
        if read.schema != 1 {
            return Err(refused(format!("schema {} is not known, write 1", read.schema)));
        }
        let server = Self {
            url: origin(&read.url).map_err(refused)?,
            deployment: read.deployment,
            feed_key: key(&read.feed_key).map_err(refused)?,
            issuer: read.issuer,
            role: read.role,
            region: read.region,
            anchor: file::read_if_there(&layout.server_anchor(), ANCHOR_BYTES_MAX)?,
        };
        server.check().map_err(refused)?;
        Ok(Some(server))
    }

    /// Writes it, whole.
    ///
    /// # Errors
    /// When it does not fit its rules, or cannot be written.
    pub fn write(&self, layout: &Layout) -> Result<(), HomeError> {
        let path = layout.server();
        let refused = |what: String| HomeError::Malformed { path: path.clone(), what };
        self.check().map_err(refused)?;
        let content = File {
            schema: 1,
            url: self.url.to_string(),
            deployment: self.deployment.clone(),
            feed_key: STANDARD.encode(self.feed_key.spki_der()),
            issuer: self.issuer.clone(),
            role: self.role,
            region: self.region.clone(),
        };
        let text = toml::to_string(&content).map_err(|e| refused(e.to_string()))?;
        let text =
            format!("# Written when this host was enrolled. Enrol again to change it.\n{text}");
        file::write_private(&path, text.as_bytes())
    }

    fn check(&self) -> Result<(), String> {
        for (name, value) in [("deployment", &self.deployment), ("issuer", &self.issuer)] {
            if value.is_empty() || value.len() > NAME_BYTES_MAX || value.contains(char::is_control)
            {
                return Err(format!("`{name}` has 1 to {NAME_BYTES_MAX} printable bytes"));
            }
        }
        Ok(())
    }
}

/// Reads an origin: `http` or `https`, a host, no user, no path.
pub(crate) fn origin(text: &str) -> Result<Url, String> {
    let refused =
        || format!("`{}` is not an origin such as https://soma.example.org", text.escape_debug());
    let url = Url::parse(text).map_err(|_| refused())?;
    let plain = url.username().is_empty() && url.password().is_none();
    let bare = url.path() == "/" && url.query().is_none() && url.fragment().is_none();
    let web = matches!(url.scheme(), "http" | "https") && url.host_str().is_some();
    (plain && bare && web).then_some(url).ok_or_else(refused)
}

/// Reads a public key: SubjectPublicKeyInfo in base64.
pub(crate) fn key(text: &str) -> Result<PublicKey, String> {
    let der = STANDARD.decode(text).map_err(|_| "the key is not base64".to_owned())?;
    PublicKey::from_spki_der(&der).map_err(|e| e.to_string())
}

#[cfg(test)]
mod tests {
    use soma_capsule::key::KeyPair;

    use super::*;

    fn server() -> Server {
        Server {
            url: origin("https://soma.example.org").unwrap(),
            deployment: "01JD".to_owned(),
            feed_key: KeyPair::generate().unwrap().public().clone(),
            issuer: "soma:01JD".to_owned(),
            role: HostRole::Host,
            region: Some("eu".parse().unwrap()),
            anchor: None,
        }
    }

    #[test]
    fn a_server_reads_as_it_was_written_and_none_is_none() {
        let folder = tempfile::tempdir().unwrap();
        let layout = Layout::new(folder.path());
        file::make_folder(&layout.trust()).unwrap();
        assert_eq!(Server::load(&layout).unwrap(), None);
        let server = server();
        server.write(&layout).unwrap();
        assert_eq!(Server::load(&layout).unwrap(), Some(server.clone()));
        file::write_private(&layout.server_anchor(), b"pem").unwrap();
        assert_eq!(Server::load(&layout).unwrap().unwrap().anchor, Some(b"pem".to_vec()));
    }

    #[test]
    fn what_is_no_server_is_refused_with_its_file() {
        let folder = tempfile::tempdir().unwrap();
        let layout = Layout::new(folder.path());
        file::make_folder(&layout.trust()).unwrap();
        server().write(&layout).unwrap();
        let good = std::fs::read_to_string(layout.server()).unwrap();
        for (from, to) in [
            ("schema = 1", "schema = 2"),
            ("https://", "ftp://"),
            ("https://", "https://user@"),
            ("feed_key = \"", "feed_key = \"x"),
            ("role = \"host\"", "role = \"boss\""),
            ("region = \"eu\"", "region = \"E U\""),
            ("deployment = \"01JD\"", "deployment = \"\""),
            ("issuer", "isuer"),
        ] {
            assert!(good.contains(from), "{from}");
            let bad = good.replacen(from, to, 1);
            file::write_private(&layout.server(), bad.as_bytes()).unwrap();
            let refused = Server::load(&layout).unwrap_err();
            assert!(refused.to_string().contains("server.toml"), "{from}: {refused}");
        }
    }

    #[test]
    fn an_origin_has_no_path_user_or_query() {
        for bad in ["", "x", "https://", "https://h/p", "https://h/?q", "https://h/#f", "file:///x"]
        {
            assert!(origin(bad).is_err(), "{bad}");
        }
        assert!(origin("http://127.0.0.1:7662").is_ok());
    }
}
