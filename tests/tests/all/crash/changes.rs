//! An installation that is upgraded or rolled back while somebody dies: it runs one revision, the other comes when it is
//! asked for again, and the ledger goes on over both.

use serde_json::{Value, json};
use soma_tests::plane::Answer;
use soma_tests::{Plane, Realm};

use super::fleet::{Fleet, Who, installed};

const UPGRADING: &[(Who, &str)] = &[
    (Who::Server, "server.upgrade.kept"),
    (Who::Server, "server.upgrade.committed"),
    (Who::Host, "host.feed.applied"),
];
const GOING_BACK: &[(Who, &str)] = &[
    (Who::Server, "server.rollback.kept"),
    (Who::Server, "server.rollback.committed"),
    (Who::Host, "host.feed.applied"),
];

/// A change of the notes.
#[derive(Clone, Copy)]
struct Change {
    verb: &'static str,
    from: &'static str,
    to: &'static str,
}

const UPGRADE: Change = Change { verb: "upgrade", from: "1.0.0", to: "1.1.0" };
const ROLLBACK: Change = Change { verb: "rollback", from: "1.1.0", to: "1.0.0" };

impl Change {
    async fn ask(self, plane: &Plane, token: &str) -> anyhow::Result<Answer> {
        let body = if self.verb == "upgrade" { json!({ "version": self.to }) } else { Value::Null };
        let route = format!("/v1/installations/notes/{}", self.verb);
        plane.once(&route, (token, self.verb), &body).await
    }

    /// Waits until every host runs what was asked for.
    async fn there(self, fleet: &Fleet) {
        let there = |it: &Value| it["state"] == "active" && it["active"]["version"] == self.to;
        fleet.plane.until("/v1/installations/notes", &fleet.local, there).await.unwrap();
    }
}

/// The notes run, and a newer version of them is published.
pub(super) async fn upgradable(base: Realm) -> Realm {
    let mut base = installed(base).await;
    let plane = base.server(None).await.unwrap();
    base.publish(&plane, UPGRADE.to).await.unwrap();
    plane.stop().await.unwrap();
    base
}

/// They run in the newer version.
pub(super) async fn upgraded(base: &Realm) -> Realm {
    let fleet = Fleet::start(base, None).await;
    UPGRADE.ask(&fleet.plane, &fleet.local).await.unwrap().made().unwrap();
    UPGRADE.there(&fleet).await;
    fleet.rest().await
}

async fn changing(base: &Realm, change: Change, paths: &[(Who, &str)]) {
    for (who, point) in paths {
        let fleet = Fleet::start(base, Some((*who, point))).await;
        assert!(fleet.append().await);
        let answered = change.ask(&fleet.plane, &fleet.local).await;
        let fleet = fleet.again(*who).await;
        let now = fleet.plane.get("/v1/installations/notes", &fleet.local).await.unwrap();
        let stands = now["active"]["version"] == change.to;
        println!("{point:<28} {who:?} died, {} to {}: {stands}", change.verb, change.to);
        assert_eq!(stands, !point.ends_with(".kept"), "{now}");
        assert!(stands || answered.is_err(), "{point}: what was answered is not there");
        if !stands {
            assert_eq!(now["active"]["version"], change.from, "{now}");
            change.ask(&fleet.plane, &fleet.local).await.unwrap().made().unwrap();
        }
        change.there(&fleet).await;
        let revisions = "/v1/installations/notes/revisions";
        let revisions = fleet.plane.get(revisions, &fleet.local).await.unwrap();
        assert_eq!(revisions["items"].as_array().unwrap().len(), 2, "{revisions}");
        assert!(fleet.append().await);
        fleet.settled(2).await;
    }
}

/// Both changes, with a server that dies before and after they last.
pub(super) async fn of_server(base: Realm) {
    let base = upgradable(base).await;
    changing(&base, UPGRADE, &UPGRADING[..1]).await;
    changing(&upgraded(&base).await, ROLLBACK, &GOING_BACK[1..2]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upgrade_and_a_rollback_arrive_once_whoever_dies_on_the_way() {
    let base = upgradable(Realm::found().await.unwrap()).await;
    changing(&base, UPGRADE, UPGRADING).await;
    changing(&upgraded(&base).await, ROLLBACK, GOING_BACK).await;
}
