//! What the routes of the kill switch are asked. Orders are signed here, by the operator's own key.

use reqwest::{Method, RequestBuilder};
use serde_json::json;
use soma_capsule::dsse::{self, Envelope};
use soma_capsule::key::KeyPair;
use soma_policy::{KillOrder, Lift, LiftReason, OrderId, Reason, Severity, Timestamp};
use soma_tests::binary::PASSPHRASE;

use super::Place;
use super::cases::{Case, Route};

const AT: Timestamp = Timestamp(1_800_000_000_000);

fn operator(place: &Place) -> KeyPair {
    let pem = std::fs::read(place.home.path().join("keys/operator.key")).unwrap();
    KeyPair::from_encrypted_pem(&pem, PASSPHRASE.as_bytes()).unwrap()
}

/// A narrow order over an installation that is not there.
fn order(id: u128) -> KillOrder {
    KillOrder {
        evidence: Some("https://example.org/why".to_owned()),
        id: OrderId::from_u128(id),
        issued_at: AT,
        reason: Reason::Drill,
        scope: "installation:local/production/other".parse().unwrap(),
        severity: Severity::Low,
        version: 1,
    }
}

fn lift(order: &KillOrder) -> Lift {
    Lift::of(order, LiftReason::try_from("over".to_owned()).unwrap(), AT)
}

fn sent(request: RequestBuilder, envelope: &Envelope) -> RequestBuilder {
    request.header("content-type", "application/json").body(envelope.to_json())
}

pub(super) fn all(place: &Place) -> Vec<Case> {
    let key = operator(place);
    let first = order(17);
    let route = |method: Method, path: &'static str| Route {
        place,
        method,
        path,
        concrete: path.replace("{id}", &first.id.to_string()),
    };
    let give = route(Method::POST, "/v1/kill-orders");
    let list = route(Method::GET, "/v1/kill-orders");
    let sign = route(Method::POST, "/v1/kill-orders/{id}/sign");
    let undo = route(Method::DELETE, "/v1/kill-orders/{id}");
    let receipts = route(Method::GET, "/v1/kill-orders/{id}/receipts");
    let signed = dsse::sign_document("kill-order", &first, &[&key]).unwrap();
    let lifted = dsse::sign_document("kill-lift", &lift(&first), &[&key]).unwrap();

    let mut cases = dry_run(&give);
    cases.push(sign.case(404, "no such order yet", sent(sign.without_token(), &signed)));
    cases.push(undo.case(404, "no such order yet", sent(undo.without_token(), &lifted)));
    cases.push(receipts.case(404, "no such order yet", receipts.asked()));
    cases.push(give.case(
        200,
        "a signed order needs no token",
        sent(give.without_token(), &signed),
    ));
    cases.push(list.case(200, "an operator", list.asked()));
    cases.push(receipts.case(200, "an operator", receipts.asked()));
    cases.push(sign.case(200, "the same signature", sent(sign.without_token(), &signed)));
    for route in [&give, &sign, &undo] {
        cases.extend(refused(route, &first, &key));
    }
    cases.push(undo.case(200, "a signed lift", sent(undo.without_token(), &lifted)));
    for route in [&list, &receipts] {
        cases.push(route.case(401, "no token", route.without_token()));
        cases.push(route.case(403, "not an operator", route.with(&place.reader)));
    }
    cases
}

fn dry_run(give: &Route<'_>) -> Vec<Case> {
    let concrete = format!("{}?dry_run=true", give.concrete);
    let dry = Route { concrete, method: give.method.clone(), ..*give };
    let ask = |scope: &str| json!({ "scope": scope });
    let wide = ask("publisher:soma");
    vec![
        dry.case(200, "what it would stop", dry.asked().json(&wide)),
        dry.case(401, "no token", dry.without_token().json(&wide)),
        dry.case(403, "not an operator", dry.with(&dry.place.reader).json(&wide)),
        dry.case(422, "no scope", dry.asked().json(&ask("publsher:soma"))),
    ]
}

fn refused(route: &Route<'_>, order: &KillOrder, key: &KeyPair) -> Vec<Case> {
    let stranger = KeyPair::generate().unwrap();
    let theirs = dsse::sign_document("kill-order", order, &[&stranger]).unwrap();
    let other = KillOrder { reason: Reason::Malware, ..order.clone() };
    let wrong = dsse::sign_document("kill-lift", &lift(&other), &[key]).unwrap();
    let bytes = |body: Vec<u8>| route.without_token().body(body);
    vec![
        route.case(403, "signed by a stranger", sent(route.without_token(), &theirs)),
        route.case(409, "a lift of another document", sent(route.without_token(), &wrong)),
        route.case(413, "too long", bytes(vec![b' '; 18 << 20])),
        route.case(422, "nothing at all", bytes(Vec::new())),
        route.case(422, "longer than an order may be", bytes(vec![b' '; 65 << 10])),
    ]
}
