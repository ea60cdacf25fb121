//! What each route is asked, apart from the kill switch.

use reqwest::{Client, Method, RequestBuilder};
use serde_json::json;

use super::Place;

/// One request, and the status that it must meet.
pub(super) struct Case {
    pub(super) method: Method,
    /// As the document writes it.
    pub(super) path: String,
    pub(super) request: RequestBuilder,
    pub(super) expected: u16,
    pub(super) why: &'static str,
}

/// A route of the document, and how it is written this time.
pub(super) struct Route<'a> {
    pub(super) place: &'a Place,
    pub(super) method: Method,
    pub(super) path: &'static str,
    pub(super) concrete: String,
}

impl Route<'_> {
    pub(super) fn case(&self, expected: u16, why: &'static str, request: RequestBuilder) -> Case {
        let (method, path) = (self.method.clone(), self.path.to_owned());
        Case { method, path, request, expected, why }
    }

    /// With a token of every right.
    pub(super) fn asked(&self) -> RequestBuilder {
        self.place.host.request(self.method.clone(), &self.concrete)
    }

    /// The same with a query.
    fn queried(&self, query: &str) -> RequestBuilder {
        self.place.host.request(self.method.clone(), &format!("{}?{query}", self.concrete))
    }

    pub(super) fn without_token(&self) -> RequestBuilder {
        let client = Client::builder().no_proxy().build().unwrap();
        client.request(self.method.clone(), format!("{}{}", self.place.host.url(), self.concrete))
    }

    pub(super) fn with(&self, token: &str) -> RequestBuilder {
        self.without_token().bearer_auth(token)
    }

    /// What every route with a token refuses.
    fn guarded(&self, poor: &str) -> Vec<Case> {
        let forged = format!("{}x", self.place.host.token());
        vec![
            self.case(401, "no token", self.without_token()),
            self.case(401, "a forged token", self.with(&forged)),
            self.case(401, "not a bearer token", self.without_token().basic_auth("a", Some("b"))),
            self.case(403, "a token without the right", self.with(poor)),
        ]
    }
}

pub(super) fn all(place: &Place) -> Vec<Case> {
    let mut cases = open(place);
    cases.extend(lists(place));
    cases.extend(of_one_call(place));
    cases.extend(calling(place));
    cases.extend(purging(place));
    cases
}

fn purging(place: &Place) -> Vec<Case> {
    let path = "/v1/installations/{id}/data";
    let concrete = |id: &str| path.replace("{id}", id);
    let of = |id| Route { place, method: Method::DELETE, path, concrete: concrete(id) };
    let (gone, installed, odd) = (of("gone"), of("text"), of("NOT-AN-ID"));
    let mut cases = vec![
        gone.case(200, "nothing was kept", gone.asked()),
        installed.case(409, "it is installed", installed.asked()),
        odd.case(404, "no id", odd.asked()),
    ];
    cases.extend(gone.guarded(&place.reader));
    cases
}

fn get<'a>(place: &'a Place, path: &'static str) -> Route<'a> {
    Route { place, method: Method::GET, path, concrete: path.to_owned() }
}

/// Routes that anybody may read.
fn open(place: &Place) -> Vec<Case> {
    let paths =
        ["/health", "/ready", "/version", "/metrics", "/openapi.json", "/.well-known/jwks.json"];
    let of = |path| {
        let route = get(place, path);
        route.case(200, "anybody", route.without_token())
    };
    paths.into_iter().map(of).collect()
}

fn lists(place: &Place) -> Vec<Case> {
    let (calls, journal) = (get(place, "/v1/calls"), get(place, "/v1/journal"));
    let installations = get(place, "/v1/installations");
    let mut cases = vec![
        calls.case(200, "all", calls.asked()),
        calls.case(200, "a page", calls.queried("state=ended&limit=1")),
        calls.case(400, "a bad cursor", calls.queried("cursor=x")),
        calls.case(422, "a bad state", calls.queried("state=odd")),
        calls.case(422, "an unknown parameter", calls.queried("sort=up")),
        journal.case(200, "all", journal.asked()),
        journal.case(200, "a page", journal.queried("cursor=2&limit=1")),
        journal.case(400, "a bad cursor", journal.queried("cursor=-1")),
        journal.case(422, "a bad limit", journal.queried("limit=x")),
        installations.case(200, "an operator", installations.asked()),
        installations.case(200, "a tenant", installations.with(&place.reader)),
    ];
    cases.extend(calls.guarded(&place.caller));
    cases.extend(journal.guarded(&place.reader));
    cases.extend(installations.guarded(&place.caller));
    cases
}

fn of_one_call(place: &Place) -> Vec<Case> {
    let mut cases = Vec::new();
    for path in ["/v1/calls/{id}", "/v1/calls/{id}/logs"] {
        let of = |id: &str| Route { concrete: path.replace("{id}", id), ..get(place, path) };
        let (known, unknown, odd) =
            (of(&place.call), of("0000000000000000000000000H"), of("%2e%2e"));
        cases.push(known.case(200, "it ended", known.asked()));
        cases.push(unknown.case(404, "never was", unknown.asked()));
        cases.push(odd.case(404, "no id", odd.asked()));
        cases.extend(known.guarded(&place.caller));
    }
    cases
}

fn calling(place: &Place) -> Vec<Case> {
    let path = "/v1/installations/{id}/calls/{function}";
    let of = |id: &str, function: &str| Route {
        place,
        method: Method::POST,
        path,
        concrete: path.replace("{id}", id).replace("{function}", function),
    };
    let (right, words) = (of("text", "slugify"), json!({ "text": "A b" }));
    let (nothing, no_function) = (of("nothing", "slugify"), of("text", "no-such"));
    let asked = || right.asked().json(&words);
    let sent =
        |kind: &str, body: &'static str| right.asked().header("content-type", kind).body(body);
    let mut cases = vec![
        right.case(200, "it answers", asked()),
        right.case(200, "it streams", asked().header("accept", "text/event-stream")),
        right.case(400, "not JSON", sent("application/json", "{")),
        right.case(404, "no installation", nothing.asked().json(&words)),
        right.case(404, "no function", no_function.asked().json(&words)),
        right.case(406, "an odd form", asked().header("accept", "image/png")),
        right.case(409, "an old key", asked().header("idempotency-key", &place.call)),
        right.case(413, "too much", right.asked().body(vec![b' '; 18 << 20])),
        right.case(415, "not JSON by name", sent("text/plain", "{}")),
        right.case(422, "not an object", sent("application/json", "[]")),
        right.case(422, "a missing argument", right.asked().json(&json!({}))),
        right.case(422, "an unknown argument", right.asked().json(&json!({ "txt": "x" }))),
        right.case(422, "a bad key", asked().header("idempotency-key", "x")),
        right.case(422, "a bad timeout", asked().header("soma-timeout", "soon")),
    ];
    cases.extend(right.guarded(&place.caller));
    cases
}
