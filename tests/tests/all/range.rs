//! Where stories about peers happen: the servers that guests may reach, under a CA of their own.

use soma_tests::{Authority, TestHome, TestServer, evil, github};

/// The servers, and the home that knows them as peers.
pub(crate) struct Range {
    pub(crate) home: TestHome,
    pub(crate) evil: TestServer,
    pub(crate) github: TestServer,
}

impl Range {
    pub(crate) async fn new() -> Self {
        let authority = Authority::new().unwrap();
        let evil = evil::start(&authority).await.unwrap();
        let github = github::start(&authority).await.unwrap();
        let home = TestHome::new().await.unwrap();
        let peers = [
            ("https://evil.test:443", evil.address()),
            ("https://bank.test:443", evil.address()),
            ("https://api.github.com:443", github.address()),
        ];
        home.peers(&authority, &peers).unwrap();
        Self { home, evil, github }
    }
}
