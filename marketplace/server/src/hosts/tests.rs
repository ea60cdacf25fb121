use soma_policy::feed::{HostProof, HostRole, PROOF_AGE_MAX_MS};

use super::fixture::{TestHost, moved};
use super::*;
use crate::fixture::on_both_databases;
use crate::server::Server;
use crate::store::PlatformScope;

const PATH: &str = "/v1/feed/heartbeat?x=1";

async fn judged(server: &Server, header: &str, body: &[u8]) -> Result<HostPrincipal, HostError> {
    server.claim(header, "POST", PATH).await?.over(server, body)
}

fn refused(result: Result<HostPrincipal, HostError>) -> String {
    result.unwrap_err().to_string()
}

on_both_databases! {
    async fn a_proof_counts_once_and_only_for_its_own_request(database: TestDatabase) {
        let (server, clock, _) = database.server().await;
        let host = TestHost::joined(1, &server, HostRole::Host).await;
        let header = host.proof(&server, "POST", PATH, b"{}");
        let principal = judged(&server, &header, b"{}").await.unwrap();
        assert_eq!((principal.host, principal.role), (host.id, HostRole::Host));
        assert!(matches!(judged(&server, &header, b"{}").await, Err(HostError::Replayed)));
        let other = host.proof(&server, "POST", PATH, b"{}");
        assert!(refused(judged(&server, &other, b"{ }").await).contains("another body"));
        judged(&server, &other, b"{}").await.unwrap();
        let header = host.proof(&server, "POST", PATH, b"");
        for (method, path) in [("GET", PATH), ("POST", "/v1/feed/heartbeat"), ("POST", "/v1/feed/leases")] {
            let found = server.claim(&header, method, path).await.unwrap_err().to_string();
            assert!(found.contains("another method or path"), "{found}");
        }
        clock.advance_ms(1);
        judged(&server, &header, b"").await.unwrap();
        server.store.close().await;
    }

    async fn a_proof_of_a_stranger_or_for_another_server_is_refused(database: TestDatabase) {
        let (server, _, _) = database.server().await;
        let host = TestHost::joined(1, &server, HostRole::Host).await;
        let stranger = TestHost::new(2);
        let header = stranger.proof(&server, "POST", PATH, b"");
        assert!(refused(judged(&server, &header, b"").await).contains("no enrolled key"));
        // Somebody else's key under the name of a host that is enrolled.
        let thief = TestHost { id: host.id, ..TestHost::new(3) };
        let header = thief.proof(&server, "POST", PATH, b"");
        assert!(refused(judged(&server, &header, b"").await).contains("no enrolled key"));
        let elsewhere = HostProof { deployment: "other".to_owned(), ..host.says(&server, "POST", PATH, b"") };
        assert!(refused(judged(&server, &host.signs(&elsewhere), b"").await).contains("another server"));
        for rubbish in ["", "%", "e30", &"A".repeat(9000)] {
            assert!(refused(judged(&server, rubbish, b"").await).contains("no signed document"), "{rubbish}");
        }
        server.store.close().await;
    }

    async fn a_proof_is_too_old_too_new_or_from_before_the_start(database: TestDatabase) {
        let (server, clock, _) = database.server().await;
        let host = TestHost::joined(1, &server, HostRole::Host).await;
        let at = |by: i64| {
            let says = host.says(&server, "POST", PATH, b"");
            host.signs(&HostProof { at: moved(says.at, by), ..says })
        };
        let max = i64::try_from(PROOF_AGE_MAX_MS).unwrap();
        // The memory of nonces began with this server.
        assert!(matches!(judged(&server, &at(-1), b"").await, Err(HostError::Replayed)));
        clock.advance_ms(10 * PROOF_AGE_MAX_MS);
        judged(&server, &at(-max), b"").await.unwrap();
        judged(&server, &at(max), b"").await.unwrap();
        for by in [-max - 1, max + 1] {
            assert!(refused(judged(&server, &at(by), b"").await).contains("too far"), "{by}");
        }
        for nonce in ["short", &"a".repeat(65), "sixteen bytes ok?"] {
            let says = HostProof { nonce: nonce.to_owned(), ..host.says(&server, "POST", PATH, b"") };
            assert!(refused(judged(&server, &host.signs(&says), b"").await).contains("nonce"), "{nonce}");
        }
        server.store.close().await;
    }

    async fn a_retired_host_gets_nothing_more(database: TestDatabase) {
        let (server, _, _) = database.server().await;
        let host = TestHost::joined(1, &server, HostRole::Host).await;
        let mut unit = server.store.platform(PlatformScope::of("tests")).await.unwrap();
        assert!(unit.retire_host(&host.id, server.now()).await.unwrap());
        assert!(!unit.retire_host(&host.id, server.now()).await.unwrap());
        unit.commit().await.unwrap();
        let header = host.proof(&server, "POST", PATH, b"");
        assert!(matches!(judged(&server, &header, b"").await, Err(HostError::Retired(_))));
        server.store.close().await;
    }
}
