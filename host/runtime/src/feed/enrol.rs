//! Joining a server: the host says who it is, with a one-time token, and pins the key that it is answered with.
//!
//! The token proves to the server that an operator wants this host. What proves the server to the host is the
//! connection of this one exchange; from then on it is the feed key.

use std::time::Duration;

use bytes::Bytes;
use http::HeaderValue;
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE};
use http_body_util::Full;
use soma_policy::RegionId;
use soma_policy::feed::{Enrol, Enrolled, HostRole};

use super::wire::{Bounds, Wire};
use super::{FeedError, route};
use crate::home::{Home, HomeError, Server, Settings, origin, read_if_there, spki_key};

const WITHIN: Duration = Duration::from_secs(30);
const ANSWER_BYTES_MAX: usize = 64 << 10;
const ANCHOR_BYTES_MAX: u64 = 1024 * 1024;

/// How a host joins.
#[derive(Debug, Clone)]
pub struct Joining<'a> {
    /// The server's origin.
    pub url: &'a str,
    /// The one-time token.
    pub token: &'a str,
    /// Where the gateway reaches this host: an http or https origin.
    pub address: &'a str,
    /// What it does.
    pub role: HostRole,
    /// Where it stands.
    pub region: Option<RegionId>,
}

/// Joins a server, and writes `trust/server.toml`. A host that joined before joins the new one instead.
/// Certificates in `trust/server.pem`, if it is there, are trusted for the connection instead of the public ones.
///
/// # Errors
/// [`FeedError`]: the home is as it was then.
pub async fn enrol(home: &Home, joining: Joining<'_>) -> Result<Server, FeedError> {
    let layout = home.layout();
    let malformed = |what: String| HomeError::Malformed { path: layout.server(), what };
    let url = origin(joining.url).map_err(malformed)?;
    origin(joining.address).map_err(malformed)?;
    let anchor = read_if_there(&layout.server_anchor(), ANCHOR_BYTES_MAX)?;
    let joining = Joining { region: region_of(home, joining.region)?, ..joining };
    let body = Bytes::from(request(home, &joining)?);
    let token = HeaderValue::from_str(&format!("Bearer {}", joining.token))
        .map_err(|_| FeedError::Unfit("the token is not text".to_owned()))?;
    let make = || {
        http::Request::post(route::ENROL)
            .header(AUTHORIZATION, token.clone())
            .header(ACCEPT, "application/json")
            .header(CONTENT_TYPE, "application/json")
            .body(Full::new(body.clone()))
            .map_err(FeedError::system("the request"))
    };
    let bounds = Bounds { within: WITHIN, bytes: ANSWER_BYTES_MAX };
    let answer = Wire::new(&url, anchor.as_deref())?.send(make, bounds).await?;
    let enrolled: Enrolled =
        serde_json::from_slice(&answer).map_err(|error| FeedError::Unfit(error.to_string()))?;
    if enrolled.host != home.identity().host {
        return Err(FeedError::Unfit(format!("it enrolled another host, {}", enrolled.host)));
    }
    let server = Server {
        url,
        deployment: enrolled.deployment,
        feed_key: spki_key(&enrolled.feed_key).map_err(FeedError::Unfit)?,
        issuer: enrolled.issuer,
        role: joining.role,
        region: joining.region,
        anchor,
    };
    server.write(layout)?;
    Ok(server)
}

/// Where the host stands: as it is told now, or as its `host.toml` says. They never differ.
fn region_of(home: &Home, told: Option<RegionId>) -> Result<Option<RegionId>, HomeError> {
    let layout = home.layout();
    let own = Settings::load(layout)?.region;
    match (&told, &own) {
        (Some(told), Some(own)) if told != own => {
            let what = format!("region `{own}`, and this host is to join as one of `{told}`");
            Err(HomeError::Malformed { path: layout.settings(), what })
        }
        _ => Ok(told.or(own)),
    }
}

fn request(home: &Home, joining: &Joining<'_>) -> Result<Vec<u8>, FeedError> {
    let keys = home.keys()?;
    let enrol = Enrol {
        address: joining.address.to_owned(),
        host: home.identity().host,
        region: joining.region.clone(),
        role: joining.role,
        sealing_key: home.unsealing_key()?.published(),
        signing_key: crate::home::encoded(keys.host.pair()?.public()),
        version: env!("CARGO_PKG_VERSION").to_owned(),
    };
    serde_json::to_vec(&enrol).map_err(FeedError::system("the request"))
}
