//! A tenant's secret on its whole way: set at the server, sealed to the host that joined, placed into a guest's request
//! by its grant, and found nowhere else in clear, in a backup neither.

use reqwest::Method;
use serde_json::Value;
use soma_tests::bazaar::{Bazaar, items, text};
use soma_tests::{Authority, Person, Platform, Traces, github};

const ISSUES: [&str; 6] =
    ["call", "issues", "list-issues", "-a", "repo=octocat/Hello-World", "--raw"];

/// A token of somebody that may do everything that they may.
async fn token(who: &Person, org: &str) -> String {
    let me = who.reads(&["whoami", "--tenant", org]).await.unwrap();
    let mut ask = vec!["token", "new", "--tenant", org];
    for cap in me["caps"].as_array().unwrap() {
        ask.extend(["--can", cap.as_str().unwrap()]);
    }
    who.does(&ask).await.unwrap().stdout.trim().to_owned()
}

/// Every route without a name in it that a token may read, and what it answered.
async fn routes(platform: &Platform, tokens: &[String]) -> Vec<(String, Vec<u8>)> {
    let document: Value =
        platform.answer(platform.request(Method::GET, "/openapi.json")).await.unwrap();
    let paths = document["paths"].as_object().unwrap();
    let mut said = Vec::new();
    for (path, methods) in paths {
        if path.contains('{') || methods.get("get").is_none() || path.starts_with("/v1/feed") {
            continue;
        }
        for token in tokens {
            let ask = platform.request(Method::GET, path).bearer_auth(token);
            let body = ask.send().await.unwrap().bytes().await.unwrap();
            said.push((path.clone(), body.to_vec()));
        }
    }
    said
}

#[tokio::test(flavor = "multi_thread")]
async fn a_value_reaches_the_request_it_is_for_and_is_found_nowhere_else() {
    let bazaar = Bazaar::open().await.unwrap();
    let operator = &bazaar.operator;
    let authority = Authority::new().unwrap();
    let github = github::start(&authority).await.unwrap();
    let origin = "https://api.github.com:443";
    bazaar.home.peers(&authority, &[(origin, github.address())]).unwrap();
    let canary = Traces::of(github::TOKEN);

    // What reaches out with a secret is looked at by a person.
    let packed = bazaar.pack("github", &[]).await.unwrap();
    let judged = bazaar.submit(&packed).await.unwrap();
    if text(&judged, "/state") != "published" {
        let approve = ["review", "approve", text(&judged, "/submission")];
        operator.does(&approve).await.unwrap();
    }
    let set = operator.soma(&["secret", "set", "github-token"]).unwrap().input(github::TOKEN);
    let mut said = vec![set.succeed().await.unwrap().said()];
    let install = ["install", "acme/github", "--as", "issues", "--secret", "token=github-token"];
    said.push(operator.does(&install).await.unwrap().said());
    // Host and secret come to each other in a moment; what is said until then is looked at too.
    let listed = loop {
        let called = operator.soma(&ISSUES).unwrap().finish().await.unwrap();
        said.push(called.said());
        if called.code == 0 {
            break called.stdout;
        }
    };
    assert!(listed.contains("Found a bug"), "{listed}");
    let seen = github.seen();
    assert!(
        seen.iter().any(|it| it.header("authorization") == format!("Bearer {}", github::TOKEN))
    );
    // A refusal, and an answer of the peer that holds nothing: errors are told in words too.
    let gone = ["call", "issues", "list-issues", "-a", "repo=octocat/nothing"];
    said.push(operator.soma(&gone).unwrap().finish().await.unwrap().said());

    let list = operator.reads(&["secret", "list"]).await.unwrap();
    assert_eq!(text(&list, "/items/0/name"), "github-token", "{list}");
    let calls = [
        "audit log --everywhere",
        "ledger",
        "list",
        "logs issues",
        "secret list",
        "org show",
        "host list",
        "doctor",
    ];
    for command in calls {
        let arguments: Vec<&str> = command.split(' ').chain(["--output", "json"]).collect();
        said.push(operator.soma(&arguments).unwrap().finish().await.unwrap().said());
    }
    let host = operator.reads(&["host", "list"]).await.unwrap();
    assert!(items(&host).iter().any(|it| text(it, "/role") == "host"), "{host}");
    for words in &said {
        assert!(!canary.is_in(words.as_bytes()), "a command said it: {words}");
    }

    let archive = bazaar.home.beside("tuesday.tar");
    let back_up = operator.soma(&["backup"]).unwrap().args([&archive]);
    back_up.env("SOMA_BACKUP_PASSWORD", "correct horse battery staple").succeed().await.unwrap();
    let archive = std::fs::read(archive).unwrap();
    assert!(Traces::of("github-token").is_in(&archive), "what is not secret can be found");
    assert!(!canary.is_in(&archive), "the archive holds it");

    let platform = &bazaar.platform;
    let tokens = [token(operator, "platform").await, token(operator, "local").await];
    let answers = routes(platform, &tokens).await;
    assert!(
        answers.iter().any(|(path, body)| {
            path == "/v1/secrets" && Traces::of("github-token").is_in(body)
        })
    );
    for (path, body) in answers {
        assert!(!canary.is_in(&body), "GET {path} gave it away");
    }

    // The process while it ran, and every file that it leaves: databases, journals, receipts, feed, keys.
    let (home, author) = (bazaar.home.path().to_owned(), bazaar.author.home().to_owned());
    let (said, code) = bazaar.platform.stop().await.unwrap();
    assert!(code == Some(0) && !canary.is_in(said.as_bytes()), "{said}");
    for folder in [&home, &author] {
        assert_eq!(canary.below(folder).unwrap(), [] as [std::path::PathBuf; 0]);
    }
    let named = Traces::of("github-token").below(&home).unwrap();
    assert!(named.iter().any(|path| path.ends_with("server.db")), "{named:?}");
    assert!(named.iter().any(|path| path.to_string_lossy().contains("/state/")), "{named:?}");
}
