//! Payouts of a server that dies: asked for once, moved once, whatever is repeated.

use serde_json::{Value, json};
use soma_tests::{Plane, Realm};

use super::fleet::{Fleet, installed};
use super::server::assert_sound;

/// What one call earned.
const EARNED: &str = "0.00035 EUR";
/// The earnings of a day long ago: their pause is over.
const LONG_AGO: &str = "UPDATE earnings SET span = '2026-01-01', ends_ms = 1767312000000";
const ROUTE: &str = "/v1/billing/payouts";

/// A realm in which `acme` has earned something long ago.
async fn earned(base: Realm) -> Realm {
    let fleet = Fleet::start(&installed(base).await, None).await;
    assert!(fleet.append().await);
    fleet.taken().await;
    let realm = fleet.rest().await;
    realm.database().run(realm.home(), LONG_AGO).await.unwrap();
    realm
}

async fn ask(plane: &Plane, acme: &str, key: &str) -> anyhow::Result<Value> {
    plane.once(ROUTE, (acme, key), &json!({ "amount": EARNED })).await?.made()
}

async fn payouts(plane: &Plane, token: &str) -> Vec<Value> {
    plane.get(ROUTE, token).await.unwrap()["items"].as_array().unwrap().clone()
}

async fn asking(base: &Realm) {
    for (point, stands) in [("server.payout.requested", 0), ("server.once.committed", 1)] {
        let mut realm = base.copy().unwrap();
        let plane = realm.server(Some(point)).await.unwrap();
        let acme = realm.acme.enter(&plane, "acme").await.unwrap();
        let due = |it: &Value| it["items"][0]["state"] == "available";
        plane.until("/v1/billing/earnings", &acme, due).await.unwrap();
        let cut = ask(&plane, &acme, "payout-1").await;
        assert!(cut.is_err(), "{cut:?}");
        plane.killed().await.unwrap();
        let plane = realm.server(None).await.unwrap();
        println!("{point:<32} payouts: {}", payouts(&plane, &acme).await.len());
        assert_eq!(payouts(&plane, &acme).await.len(), stands, "{point}");
        ask(&plane, &acme, "payout-1").await.unwrap();
        assert_eq!(payouts(&plane, &acme).await.len(), 1, "{point}");
        // It was taken out of what is available, and there is no more of that.
        let more = ask(&plane, &acme, "payout-2").await;
        assert!(more.is_err(), "{point}: {more:?}");
        let operator = realm.operator.enter(&plane, "platform").await.unwrap();
        assert_sound(&plane, &operator).await;
    }
}

/// A realm in which it was asked for.
async fn asked(base: &Realm) -> Realm {
    let mut realm = base.copy().unwrap();
    let plane = realm.server(None).await.unwrap();
    let acme = realm.acme.enter(&plane, "acme").await.unwrap();
    let due = |it: &Value| it["items"][0]["state"] == "available";
    plane.until("/v1/billing/earnings", &acme, due).await.unwrap();
    ask(&plane, &acme, "payout-1").await.unwrap();
    plane.stop().await.unwrap();
    realm
}

async fn moving(base: &Realm) {
    for (point, stands) in
        [("server.payout.moved", "requested"), ("server.once.committed", "approved")]
    {
        let mut realm = base.copy().unwrap();
        let plane = realm.server(Some(point)).await.unwrap();
        let operator = realm.operator.enter(&plane, "platform").await.unwrap();
        let id = payouts(&plane, &operator).await[0]["id"].as_str().unwrap().to_owned();
        let step = async |plane: &Plane, key: &str, body: Value| {
            plane.once(&format!("{ROUTE}/{id}/steps"), (&operator, key), &body).await
        };
        let cut = step(&plane, "approve-1", json!({ "step": "approve" })).await;
        assert!(cut.is_err(), "{cut:?}");
        plane.killed().await.unwrap();
        let plane = realm.server(None).await.unwrap();
        let found = payouts(&plane, &operator).await;
        println!("{point:<32} {}", found[0]["state"]);
        assert_eq!(found[0]["state"], stands, "{point}");
        let again = step(&plane, "approve-1", json!({ "step": "approve" })).await.unwrap();
        assert_eq!(again.made().unwrap()["state"], "approved", "{point}");
        let file = json!({ "reference": "file 7" });
        let file = plane.once(&format!("{ROUTE}/export"), (&operator, "file-7"), &file).await;
        let file = file.unwrap().made().unwrap();
        assert_eq!(file["items"].as_array().unwrap().len(), 1, "{file}");
        let paid = json!({ "step": "settle", "note": "bank 7" });
        let paid = step(&plane, "settle-1", paid).await.unwrap().made().unwrap();
        assert_eq!((&paid["state"], &paid["amount"]), (&json!("settled"), &json!(EARNED)));
        assert_sound(&plane, &operator).await;
    }
}

/// Both, in a realm of any database.
pub(super) async fn of_server(base: Realm) {
    let base = earned(base).await;
    asking(&base).await;
    moving(&asked(&base).await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_payout_is_asked_for_once_and_moved_once() {
    of_server(Realm::found().await.unwrap()).await;
}
