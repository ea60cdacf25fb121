//! What the process that runs a server may have done for the owner of the home beside it.

use serde_json::json;
use soma_policy::{Code, OrgId, PublisherName};

use super::stage::Stage;
use crate::clock::Clock as _;
use crate::fixture::on_both_databases;
use crate::store::PlatformScope;

/// A server that was founded as `soma up` does it.
async fn founded(database: crate::fixture::TestDatabase) -> Stage {
    let stage = Stage::empty(database).await;
    let roles = json!({ "tenant": true, "publisher": true });
    let body = json!({ "code": stage.code, "person": Stage::person("ada"),
        "org": { "org": "local", "name": "Local", "roles": roles } });
    stage.ask("POST", "/v1/bootstrap").json(&body).send().await.expect(201);
    stage
}

on_both_databases! {
    async fn the_owner_publishes_and_installs_through_the_process_and_does_nothing_else(database: TestDatabase) {
        let stage = founded(database).await;
        let server = &stage.server;
        let (local, production): (OrgId, _) = ("local".parse().unwrap(), "production".parse().unwrap());
        let pass = server.pass("ada", &local, &production).await.unwrap();
        assert_eq!(format!("{pass:?}"), "Pass(..)");
        let claims = server.keyring.judge(pass.expose(), stage.clock.now()).unwrap();
        let caps = serde_json::to_value(&claims.caps).unwrap();
        assert_eq!(caps, json!(["org:read", "install", "publish"]));
        assert_eq!((claims.auth_time, claims.exp - claims.iat), (None, 300));
        stage.get("/v1/installations", pass.expose()).await.expect(200);
        // A name is claimed by a person with two factors, and by nothing else.
        let claim = stage.ask("POST", "/v1/namespaces").token(pass.expose()).json(&json!({ "namespace": "acme" }));
        claim.send().await.refused(401, "SOMA-T010");
    }

    async fn the_process_acts_for_nobody_else_and_nowhere_else(database: TestDatabase) {
        let stage = founded(database).await;
        let server = &stage.server;
        let (local, production): (OrgId, _) = ("local".parse().unwrap(), "production".parse().unwrap());
        let nobody = server.pass("eve", &local, &production).await.unwrap_err();
        assert_eq!(nobody.code(), Code::MemberUnknown);
        let elsewhere = server.pass("ada", &local, &"staging".parse().unwrap()).await.unwrap_err();
        assert_eq!(elsewhere.code(), Code::NotFound);
        let other = server.pass("ada", &"acme".parse().unwrap(), &production).await.unwrap_err();
        assert_eq!(other.code(), Code::MemberUnknown);
    }

    async fn a_name_that_is_free_comes_to_the_home_and_one_of_others_does_not(database: TestDatabase) {
        let stage = founded(database).await;
        let server = &stage.server;
        let (local, acme): (OrgId, OrgId) = ("local".parse().unwrap(), "acme".parse().unwrap());
        let soma: PublisherName = "soma".parse().unwrap();
        let key = soma_capsule::KeyPair::generate().unwrap();
        for _ in 0..2 {
            server.entitle("ada", &local, &soma, &[key.public().clone()]).await.unwrap();
        }
        let mut unit = server.store.survey(PlatformScope::of("test")).await.unwrap();
        let row = unit.namespace(&soma).await.unwrap().unwrap();
        assert_eq!((row.it.owner, row.checked), (local, true));
        let keys = unit.signing_keys(&soma).await.unwrap();
        assert_eq!((keys.len(), keys[0].added_by.as_str()), (1, "process"));
        drop(unit);
        let taken = server.entitle("ada", &acme, &soma, &[]).await.unwrap_err();
        assert_eq!(taken.code(), Code::NamespaceTaken);
        assert_eq!(taken.to_string(), "the publisher name `soma` belongs to `local`");
    }
}
