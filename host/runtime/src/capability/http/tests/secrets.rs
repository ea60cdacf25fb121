//! Secrets on their way out, and their echoes on the way back.

use soma_policy::Digest;

use super::*;
use crate::feed::secrets::FeedSecrets;
use crate::feed::secrets::fixture::{answer, home, wants};
use crate::host::Source;

const SECRET: &str = r#"
    [http.open]
    origin = "https://api.example.com:443"
    methods = ["POST"]
    paths = ["/echo"]
    [secret.token]
    place = { http = "api", header = "authorization", format = "Bearer {}" }
"#;

#[tokio::test]
async fn a_secret_goes_where_its_rule_says_and_its_echo_is_masked() {
    let authority = Authority::new();
    let declared = format!("{API}{SECRET}").replace("\"GET\", \"POST\"", "\"GET\"");
    let mut guest = Guest::mapped(&declared, api(&authority).await, &authority);
    let name = header::AUTHORIZATION;
    assert!(guest.hooks.is_forbidden_header(&name), "the host writes this field");
    let response = guest.get("https://api.example.com/echo").await.unwrap();
    let masked = "*".repeat(VALUE.len());
    assert!(
        response.body().contains(&format!("authorization: Bearer {masked}\n")),
        "{}",
        response.body()
    );
    assert!(response.body().contains("accept-encoding: identity\n"));
    assert_eq!(response.headers()["x-echo"].to_str().unwrap(), format!("Bearer {masked}"));
    assert!(guest.running().labels().has(Label::SecretDerived));

    let mut open = Guest::mapped(&declared, api(&authority).await, &authority);
    let response =
        open.fetch(post("https://api.example.com/echo", "text/plain", "x")).await.unwrap();
    assert!(!response.body().contains("authorization"), "another entry carries no secret");
    assert!(open.running().labels().is_empty());
}

#[tokio::test]
async fn a_secret_in_query_or_body_reaches_the_peer_and_not_the_guest() {
    let authority = Authority::new();
    let mut shown = HeaderMap::new();
    shown.insert("x", "1".parse().unwrap());
    for (place, content_type, body, whole) in [
        ("query = \"key\"", "text/plain", "x", format!("POST /echo?key={}", "*".repeat(18))),
        (
            "body = \"key\"",
            "application/json",
            "{\"a\":1}",
            format!("{{\"a\":1,\"key\":\"{}\"}}", "*".repeat(14)),
        ),
        (
            "body = \"key\"",
            "application/x-www-form-urlencoded",
            "a=1",
            format!("a=1&key={}", "*".repeat(18)),
        ),
    ] {
        let declared = format!("{API}\n[secret.token]\nplace = {{ http = \"api\", {place} }}");
        let mut guest = Guest::mapped(&declared, api(&authority).await, &authority);
        let request = post("https://api.example.com/echo", content_type, body);
        let response = guest.fetch(request).await.unwrap();
        assert!(response.body().contains(&whole), "{place}: {}", response.body());
    }
}

#[tokio::test]
async fn a_secret_that_is_missing_or_has_no_place_refuses_the_request() {
    let authority = Authority::new();
    let table = [
        ("[secret.other]\nplace = { http = \"api\", header = \"x-key\" }", Code::SecretMissing),
        ("[secret.token]\nplace = { http = \"api\", header = \"forwarded\" }", Code::SecretPlace),
        ("[secret.token]\nplace = { http = \"api\", body = \"key\" }", Code::SecretPlace),
    ];
    for (secret, code) in table {
        let declared = format!("{API}\n{secret}");
        let mut guest = Guest::mapped(&declared, api(&authority).await, &authority);
        let refused = guest.fetch(post("https://api.example.com/echo", "text/plain", "x")).await;
        assert!(matches!(refused, Err(Error::HttpRequestDenied)), "{secret}: {refused:?}");
        assert_eq!(guest.codes(), [code], "{secret}");
    }
}

#[tokio::test]
async fn an_encoded_answer_to_a_request_with_a_secret_is_refused() {
    async fn encoded(_: Request<Incoming>) -> Response<Full<Bytes>> {
        let response = Response::builder().header("content-encoding", "gzip");
        response.body(Full::from("not looked at")).unwrap()
    }
    let authority = Authority::new();
    let peer = rig::https(&authority, "api.example.com", &[b"h2"], encoded).await;
    let declared =
        format!("{API}\n[secret.token]\nplace = {{ http = \"api\", header = \"x-key\" }}");
    let mut with = Guest::mapped(&declared, peer, &authority);
    let refused = with.get("https://api.example.com/echo").await;
    assert!(matches!(refused, Err(Error::HttpResponseContentCoding(_))));
    let mut without = Guest::mapped(API, peer, &authority);
    assert_eq!(without.get("https://api.example.com/echo").await.unwrap().body(), "not looked at");
}

/// Says which credential came, without saying it: its digest is no echo.
async fn which(request: Request<Incoming>) -> Response<Full<Bytes>> {
    let came = request.headers().get("authorization").map_or(&b"none"[..], |it| it.as_bytes());
    Response::new(Full::from(Digest::of(came).to_string()))
}

#[tokio::test]
async fn what_a_server_sent_is_placed_and_a_rotation_takes_effect_for_the_next_request() {
    let authority = Authority::new();
    let folder = tempfile::tempdir().unwrap();
    let home = home(folder.path());
    let held = Arc::new(FeedSecrets::open(&home).unwrap());
    let source = Arc::new(Source::of(&home, Some(&held)).unwrap());
    let declared = format!("{API}{SECRET}").replace("\"GET\", \"POST\"", "\"GET\"");
    let peer = rig::https(&authority, "api.example.com", &[b"h2"], which).await;
    let (peers, anchor) = (peers(peer), authority.pem());
    let setup =
        Setup { declared: &declared, peers: &peers, anchor: Some(&anchor), ..Setup::default() };
    let mut guest = Guest::with(&setup, &[], source);
    let refused = guest.get("https://api.example.com/echo").await;
    assert!(matches!(refused, Err(Error::HttpRequestDenied)), "{refused:?}");
    assert_eq!(guest.codes(), [Code::SecretMissing]);
    for (version, value) in [(1, "first"), (2, "the second one")] {
        let wanted = wants(&[("token", version)]);
        held.take(&wanted, answer(&held, "token", version, value.as_bytes())).unwrap();
        let response = guest.get("https://api.example.com/echo").await.unwrap();
        assert_eq!(*response.body(), Digest::of(format!("Bearer {value}").as_bytes()).to_string());
    }
    assert!(held.asks(&wants(&[])).unwrap().is_empty());
    let refused = guest.get("https://api.example.com/echo").await;
    assert!(matches!(refused, Err(Error::HttpRequestDenied)), "it was removed: {refused:?}");
}
