//! `soma/hello-http`, on its own host name.

use reqwest::Method;
use serde_json::Value;
use soma_tests::{TestHome, TestHost, guests};

#[tokio::test(flavor = "multi_thread")]
async fn a_web_capsule_serves_a_page_an_echo_and_a_stream() {
    let home = TestHome::new().await.unwrap();
    home.install("hello-http", "hello", &[]).await.unwrap();
    let host = TestHost::start(&home).await.unwrap();

    let page = host.web(Method::GET, "hello", "/").send().await.unwrap();
    assert_eq!(page.status(), 200);
    assert!(page.text().await.unwrap().contains("Hello from a capsule"));

    let echo = host.web(Method::POST, "hello", "/echo?x=1").body("hi").send().await.unwrap();
    let echo: Value = echo.json().await.unwrap();
    assert_eq!(
        (&echo["method"], &echo["target"], &echo["body"]),
        (&"POST".into(), &"/echo?x=1".into(), &"hi".into())
    );

    let body = "some text ".repeat(10_000);
    let upper = host.web(Method::POST, "hello", "/upper").body(body.clone()).send().await.unwrap();
    assert_eq!(upper.text().await.unwrap(), body.to_uppercase());

    let missing = host.web(Method::GET, "hello", "/none").send().await.unwrap();
    assert_eq!(missing.status(), 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn credentials_cookies_and_forwarding_headers_do_not_reach_a_capsule() {
    let home = TestHome::new().await.unwrap();
    home.install("hello-http", "hello", &[]).await.unwrap();
    let host = TestHost::start(&home).await.unwrap();
    let echo = host
        .web(Method::GET, "hello", "/echo")
        .bearer_auth(host.token())
        .header("cookie", "session=caller")
        .header("x-forwarded-for", "203.0.113.7")
        .header("accept-language", "en");
    let echo: Value = echo.send().await.unwrap().json().await.unwrap();
    let headers = echo["headers"].to_string();
    assert!(headers.contains("accept-language"), "{headers}");
    for secret in ["authorization", "cookie", "x-forwarded-for", "session=caller", host.token()] {
        assert!(!headers.contains(secret), "{secret} reached the capsule: {headers}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn without_the_grant_strangers_are_refused() {
    let home = TestHome::new().await.unwrap();
    home.install("hello-http", "hello", &[]).await.unwrap();
    home.edit("hello", "anonymous = true", "anonymous = false").unwrap();
    let host = TestHost::start(&home).await.unwrap();
    let refused = host.web(Method::GET, "hello", "/").send().await.unwrap();
    assert!([401, 403].contains(&refused.status().as_u16()), "{}", refused.status());
    let known = host.web(Method::GET, "hello", "/").bearer_auth(host.token()).send().await.unwrap();
    assert_eq!(known.status(), 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_readme_of_a_new_web_capsule_says_what_works() {
    let home = TestHome::new().await.unwrap();
    let project = home.beside("hello-web");
    let soma = || home.soma().unwrap();
    let new = soma().args(["capsule", "new", "acme/hello-web", "--kind", "http", "--dir"]);
    let said = new.args([&project]).succeed().await.unwrap().said();
    assert!(!said.contains("capsule run"), "there is no function to run: {said}");
    let readme = std::fs::read_to_string(project.join("README.md")).unwrap();
    let commands: Vec<&str> = readme.lines().filter_map(|line| line.strip_prefix("    ")).collect();

    // Built from another capsule's component: compiling is shown elsewhere.
    assert!(commands.contains(&"soma capsule build"), "{readme}");
    let build = soma().within(&project).args(["capsule", "build", "--component"]);
    build.args([guests::library("hello-http").unwrap()]).succeed().await.unwrap();
    let dev: Vec<&&str> = commands.iter().filter(|command| command.ends_with(" --dev")).collect();
    assert_eq!(dev.len(), 2, "sign and install: {readme}");
    for command in dev {
        let words = command.split_whitespace().skip(1);
        soma().within(&project).args(words).succeed().await.unwrap();
    }
    assert!(commands.contains(&"soma up --dev &"), "{readme}");
    let host = TestHost::start_with(&home, &["--dev"]).await.unwrap();
    let curl = commands.iter().find_map(|command| command.strip_prefix("curl http://")).unwrap();
    let (id, path) = curl.split_once("--production--local.localhost:7662").unwrap();
    let page = host.web(Method::GET, id, path).send().await.unwrap();
    assert_eq!(page.status(), 200);
}
