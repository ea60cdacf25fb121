//! Values at rest: what opens them, and how long they stay.

use soma_policy::{OrgId, SecretName};

use super::{keys, next};
use crate::fixture::{START, on_both_databases};
use crate::store::{PlatformScope, SecretPlace, SecretRow};

fn row(version: u64, removed: bool) -> SecretRow {
    let removed = removed.then_some(START);
    SecretRow { name: "a".parse().unwrap(), version, created: START, changed: START, removed }
}

#[test]
fn versions_only_rise_and_a_value_is_replaced_by_who_saw_it() {
    let told = |before: Option<&SecretRow>, seen| {
        next(before, seen).map(|it| (it.version, it.fresh)).map_err(|error| error.code().id())
    };
    assert_eq!(told(None, None), Ok((1, true)));
    assert_eq!(told(Some(&row(3, false)), Some(3)), Ok((4, false)));
    assert_eq!(told(Some(&row(3, true)), None), Ok((4, true)));
    assert_eq!(told(Some(&row(3, false)), None), Err("SOMA-H021"));
    for (before, seen) in [(None, 1), (Some(row(3, false)), 2), (Some(row(3, true)), 3)] {
        assert_eq!(told(before.as_ref(), Some(seen)), Err("SOMA-H020"));
    }
}

on_both_databases! {
    async fn an_org_has_one_key_and_a_value_opens_at_its_place_alone(database: TestDatabase) {
        let (server, ..) = database.server().await;
        for org in ["acme", "globex"] {
            let sql = format!("INSERT INTO orgs VALUES ('{org}', 'x', {TRUE}, {TRUE}, {TRUE}, NULL, 'active', 1, 1)");
            database.tamper(&sql).await;
        }
        let (acme, globex): (OrgId, OrgId) = ("acme".parse().unwrap(), "globex".parse().unwrap());
        let (first, again) = tokio::join!(keys::sealer(&server, &acme), keys::sealer(&server, &acme));
        let other = keys::sealer(&server, &globex).await.unwrap();
        let name: SecretName = "token".parse().unwrap();
        let place = |org: &OrgId, environment: &str| SecretPlace {
            org: org.clone(), environment: environment.parse().unwrap(), name: name.clone(),
        };
        let purpose = keys::purpose(&place(&acme, "production"), 1);
        let sealed = first.unwrap().seal(&purpose, b"hunter2").unwrap();
        let again = again.unwrap();
        assert_eq!(&**again.open(&purpose, &sealed).unwrap(), b"hunter2");
        assert!(other.open(&purpose, &sealed).is_err());
        for elsewhere in [
            keys::purpose(&place(&acme, "production"), 2),
            keys::purpose(&place(&acme, "staging"), 1),
            keys::purpose(&place(&globex, "production"), 1),
        ] {
            assert!(again.open(&elsewhere, &sealed).is_err(), "{elsewhere}");
        }
        // A key that was moved to another org does not open there.
        database.tamper("UPDATE secret_keys SET sealed = (SELECT sealed FROM secret_keys WHERE org = 'acme') WHERE org = 'globex'").await;
        assert!(keys::sealer(&server, &globex).await.is_err());
        let mut unit = server.store.survey(PlatformScope::of("tests")).await.unwrap();
        let nobody = "nobody".parse().unwrap();
        assert!(keys::known(&server, &mut unit, &nobody).await.unwrap().is_none());
    }
}

/// Both databases read it as a truth.
const TRUE: &str = "'1'";
