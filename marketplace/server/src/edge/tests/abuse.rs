//! Every route against what should never pass: no token, a forged, foreign, expired or revoked one,
//! bodies that are too large, broken or of another kind. Driven by the OpenAPI document, so that a
//! new route is tried as soon as it exists.

use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde_json::{Value, json};
use soma_policy::TokenId;

use super::stage::Stage;
use crate::clock::Clock as _;
use crate::fixture::{START, on_both_databases};
use crate::identity::{NewKey, Sealer};

struct Route {
    method: String,
    path: String,
    guarded: bool,
    body: bool,
}

/// Every route of the document, its path filled with ids of the right form.
fn routes() -> Vec<Route> {
    let document = serde_json::to_value(crate::edge::openapi()).unwrap();
    let mut routes = Vec::new();
    for (path, methods) in document["paths"].as_object().unwrap() {
        for (method, operation) in methods.as_object().unwrap() {
            let id = TokenId::from_u128(1).to_string();
            let mut filled = path.clone();
            for (name, value) in [
                ("org", "acme"),
                ("environment", "production"),
                ("account", "builder"),
                ("kid", "x"),
                ("user", &id),
                ("invitation", &id),
                ("key", &id),
                ("submission", &id),
                ("host", &id),
                ("namespace", "nobody"),
                ("signing_key", "00"),
                ("publisher", "nobody"),
                ("name", "token"),
                ("version", "1.0.0"),
                ("installation", "thing"),
                ("payout", &id),
                ("journal", &id),
            ] {
                filled = filled.replace(&format!("{{{name}}}"), value);
            }
            let schemes = operation.get("security").and_then(Value::as_array);
            let open = schemes.is_none();
            // What is signed by itself needs no token, though one way of asking may take one.
            let signed = schemes.is_some_and(|all| all.contains(&json!({})));
            let by =
                |name: &str| schemes.is_some_and(|all| all.iter().any(|it| it.get(name).is_some()));
            routes.push(Route {
                method: method.to_uppercase(),
                path: filled,
                // Who joins shows a token of another kind.
                guarded: by("token") && !signed && !(method == "post" && path == "/v1/hosts"),
                // What hosts prove is judged before their bodies; `hosts` and `feed` try that.
                body: operation.get("requestBody").is_some() && (open || by("token") && !signed),
            });
        }
    }
    assert!(routes.len() > 40, "{}", routes.len());
    routes
}

fn segment(token: &str, index: usize, edit: impl Fn(&mut Value)) -> String {
    use base64::Engine as _;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;
    let mut parts: Vec<String> = token.split('.').map(str::to_owned).collect();
    let mut value =
        serde_json::from_slice(&URL_SAFE_NO_PAD.decode(&parts[index]).unwrap()).unwrap();
    edit(&mut value);
    parts[index] = URL_SAFE_NO_PAD.encode(serde_json::to_vec(&value).unwrap());
    parts.join(".")
}

/// Tokens that look right and are not, each with the code that says why.
fn bad_tokens(stage: &Stage, good: &str) -> Vec<(&'static str, String, &'static str)> {
    let judge = |token: &str| stage.server.keyring.judge(token, stage.clock.now());
    let claims = serde_json::to_value(judge(good).unwrap()).unwrap();
    // Another server's key, under our key's name.
    let sealer = Sealer::new(&[1; 32]).unwrap();
    let other = NewKey::draw(&sealer, START, START).unwrap();
    let pkcs8 = sealer.open(&format!("issuer-key/{}", other.kid), &other.sealed).unwrap();
    let mut header = Header::new(Algorithm::ES256);
    header.kid = jsonwebtoken::decode_header(good).unwrap().kid;
    let forged = jsonwebtoken::encode(&header, &claims, &EncodingKey::from_ec_der(&pkcs8)).unwrap();
    let mut symmetric = Header::new(Algorithm::HS256);
    symmetric.kid.clone_from(&header.kid);
    let shared =
        jsonwebtoken::encode(&symmetric, &claims, &EncodingKey::from_secret(b"x")).unwrap();
    // Never a whole number of bytes: it cannot be read, whatever the signature ended in.
    let cut = &good[..good.len() - 5];
    vec![
        ("rubbish", "rubbish".to_owned(), "SOMA-T002"),
        ("long", "x".repeat(9000), "SOMA-T002"),
        ("forged", forged, "SOMA-T003"),
        ("shared secret", shared, "SOMA-T002"),
        ("no algorithm", segment(good, 0, |h| h["alg"] = json!("none")), "SOMA-T002"),
        ("unknown key", segment(good, 0, |h| h["kid"] = json!("elsewhere")), "SOMA-T003"),
        ("wider", segment(good, 1, |c| c["caps"] = json!(["operate"])), "SOMA-T003"),
        ("another org", segment(good, 1, |c| c["org"] = json!("globex")), "SOMA-T003"),
        ("longer", segment(good, 1, |c| c["exp"] = json!(START.0)), "SOMA-T003"),
        ("cut", cut.to_owned(), "SOMA-T002"),
    ]
}

on_both_databases! {
    async fn no_guarded_route_answers_without_a_token_that_counts(database: TestDatabase) {
        let stage = Stage::empty(database).await;
        let (operator, _) = stage.operator().await;
        let owner = stage.org(&operator, "acme").await;
        let bad = bad_tokens(&stage, &owner.token);
        let revoked = stage.member(&owner, "acme", "viewer").await.token;
        stage.ask("POST", "/v1/auth/logout").token(&revoked).send().await.expect(204);
        let mut guarded = 0;
        for route in routes().into_iter().filter(|route| route.guarded) {
            guarded += 1;
            let what = format!("{} {}", route.method, route.path);
            let ask = || stage.ask(&route.method, &route.path).json(&json!({}));
            ask().send().await.refused(401, "SOMA-T001");
            ask().header("authorization", "Basic eDp5").send().await.refused(401, "SOMA-T002");
            let two = ask().token(&owner.token).token(&owner.token);
            two.send().await.refused(401, "SOMA-T001");
            for (name, token, code) in &bad {
                let answer = ask().token(token).send().await;
                assert_eq!((answer.status, answer.body["code"].as_str()), (401, Some(*code)), "{what} {name}: {}", answer.body);
            }
            ask().token(&revoked).send().await.refused(401, "SOMA-T008");
        }
        assert!(guarded > 30, "{guarded}");
        stage.pass_seconds(901);
        for route in routes().into_iter().filter(|route| route.guarded) {
            let ask = stage.ask(&route.method, &route.path).token(&owner.token).json(&json!({}));
            ask.send().await.refused(401, "SOMA-T004");
        }
    }

    async fn another_orgs_token_finds_nothing_on_any_route(database: TestDatabase) {
        let stage = Stage::empty(database).await;
        let (operator, _) = stage.operator().await;
        let acme = stage.org(&operator, "acme").await;
        let globex = stage.org(&operator, "globex").await;
        let body = json!({ "account": "builder", "name": "Builds", "caps": ["org:read"] });
        stage.post("/v1/orgs/acme/service-accounts", &acme.token, &body).await.expect(201);
        let member = format!("/v1/orgs/acme/members/{}", acme.user);
        for route in routes().into_iter().filter(|route| route.path.contains("/acme")) {
            for path in [route.path.clone(), member.clone()] {
                let ask = stage.ask(&route.method, &path).token(&globex.token).header("if-match", "\"v1\"");
                let answer = ask.json(&json!({ "name": "x", "role": "viewer", "environment": "production", "kind": "staging",
                    "account": "x", "caps": ["org:read"], "state": "active", "roles": {} })).send().await;
                assert!(matches!(answer.status, 403..=405 | 422), "{} {path}: {}", route.method, answer.body);
                assert!(!answer.body.to_string().contains("acme.owner"), "{}", answer.body);
            }
        }
        let seen = stage.get(&member, &acme.token).await.expect(200);
        assert_eq!(seen["role"], "owner");
    }

    async fn bodies_that_are_broken_foreign_or_too_large_never_pass_and_never_fail_us(database: TestDatabase) {
        let stage = Stage::empty(database).await;
        let (operator, _) = stage.operator().await;
        let owner = stage.org(&operator, "acme").await;
        let deep = format!("{}{}", "[".repeat(500), "]".repeat(500));
        let large = vec![b' '; 129 * 1024];
        let bodies: [(&[u8], u16); 6] = [
            (b"", 400), (b"{", 400), (b"\xff\xfe", 400), (deep.as_bytes(), 400), (b"[1]", 422), (&large, 413),
        ];
        // A constitution is read for operators alone, after everything else: its own tests bring what is none.
        for route in routes().into_iter().filter(|route| route.body && !route.path.contains("constitution")) {
            let what = format!("{} {}", route.method, route.path);
            let ask = || stage.ask(&route.method, &route.path).token(&owner.token).header("if-match", "\"v1\"");
            ask().header("content-type", "text/plain").raw(b"{}").send().await.refused(415, "SOMA-H007");
            for (body, status) in bodies {
                let answer = ask().header("content-type", "application/json").raw(body).send().await;
                let other = matches!((answer.status, status), (400, 422) | (422, 400));
                // What takes components reads more, and finds that it is nothing.
                let takes_more = route.path.contains("submissions") || route.path.contains("publish");
                let refused = answer.status == status || other || (takes_more && status == 413 && answer.status == 400);
                assert!(refused, "{what} {}: {} {}", String::from_utf8_lossy(&body[..body.len().min(20)]), answer.status, answer.body);
            }
            let unknown = ask().json(&json!({ "nobody-knows-this": 1 })).send().await;
            assert_eq!(unknown.status, 422, "{what}: {}", unknown.body);
            let nul = ask().json(&json!({ "name": "a\0b", "login": "a\0b", "code": "a\0b", "subject": "\0", "refresh_token": "\0" })).send().await;
            assert!((400..500).contains(&nul.status), "{what}: {}", nul.body);
        }
    }

    async fn ids_that_are_none_are_not_found(database: TestDatabase) {
        let stage = Stage::empty(database).await;
        let (operator, _) = stage.operator().await;
        for path in [
            "/v1/orgs/ACME", "/v1/orgs/%00", "/v1/orgs/..%2f", "/v1/users/x", "/v1/users/%ff",
            "/v1/orgs/platform/environments/%00", "/v1/orgs/platform/members/1", "/v1/nothing",
        ] {
            let answer = stage.get(path, &operator.token).await;
            assert_eq!(answer.status, 404, "{path}: {}", answer.body);
        }
        stage.ask("PUT", "/v1/orgs").token(&operator.token).send().await.refused(405, "SOMA-H006");
        let long = format!("/v1/orgs?cursor={}", "x".repeat(9000));
        stage.get(&long, &operator.token).await.refused(414, "SOMA-H022");
    }

    async fn text_with_zeroes_is_nobodys_login_and_nobodys_code(database: TestDatabase) {
        let stage = Stage::empty(database).await;
        let (operator, _) = stage.operator().await;
        let body = json!({ "login": "a\0b", "password": "long enough password" });
        stage.ask("POST", "/v1/auth/login").json(&body).send().await.refused(401, "SOMA-T011");
        let body = json!({ "code": "a\0b", "person": Stage::person("somebody") });
        stage.ask("POST", "/v1/invitations/accept").json(&body).send().await.refused(404, "SOMA-U003");
        let body = json!({ "kind": "subject", "subject": "user:\0" });
        stage.post("/v1/revocations", &operator.token, &body).await.refused(422, "SOMA-H016");
        stage.get("/v1/audit?kind=%00", &operator.token).await.expect(200);
        stage.delete("/v1/issuer-keys/%00", &operator.token).await.refused(404, "SOMA-U003");
    }
}
