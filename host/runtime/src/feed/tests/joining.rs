use soma_policy::feed::HostRole;
use soma_policy::{HostId, Timestamp};

use super::server::{DEPLOYMENT, TOKEN, TestServer};
use crate::feed::{FeedError, Joining, enrol};
use crate::home::{Birth, Home};

const NOW: Timestamp = Timestamp(1_800_000_000_000);

fn home(folder: &tempfile::TempDir) -> Home {
    let birth =
        Birth { now: NOW, host: HostId::from_u128(7), person: "ada".to_owned(), passphrase: None };
    Home::open_or_create(&folder.path().join("home"), &birth).unwrap().0
}

fn joining<'a>(url: &'a str, token: &'a str) -> Joining<'a> {
    Joining { url, token, address: "http://127.0.0.1:9", role: HostRole::Host, region: None }
}

#[tokio::test]
async fn a_host_joins_with_a_token_and_pins_the_servers_key() {
    let (server, folder) = (TestServer::start().await, tempfile::tempdir().unwrap());
    let (home, url) = (home(&folder), server.url());
    assert_eq!(home.server().unwrap(), None);
    let joined = enrol(&home, joining(&url, TOKEN)).await.unwrap();
    assert_eq!(home.server().unwrap(), Some(joined.clone()));
    assert_eq!(joined.deployment, DEPLOYMENT);
    assert_eq!(joined.feed_key, *server.key.public());
    let own = home.keys().unwrap().host.pair().unwrap();
    assert_eq!(server.content.lock().host.as_ref(), Some(own.public()));
}

#[tokio::test]
async fn a_refused_token_leaves_the_home_as_it_was() {
    let (server, folder) = (TestServer::start().await, tempfile::tempdir().unwrap());
    let (home, url) = (home(&folder), server.url());
    let refused = enrol(&home, joining(&url, "used")).await.unwrap_err();
    let is_refusal =
        matches!(&refused, FeedError::Refused { status: 403, code, .. } if code == "SOMA-T018");
    assert!(is_refusal, "{refused:?}");
    for bad in ["ftp://x", "http://127.0.0.1:1/path", "not a url"] {
        assert!(enrol(&home, joining(bad, TOKEN)).await.is_err(), "{bad}");
    }
    assert_eq!(home.server().unwrap(), None);
}
