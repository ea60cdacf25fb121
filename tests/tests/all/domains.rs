//! Capsules under the operator's own domain.

use reqwest::{Client, Response};
use soma_tests::{TestHome, TestHost};

async fn page(host: &TestHost, name: &str) -> Response {
    let client = Client::builder().no_proxy().build().unwrap();
    client.get(host.url()).header("host", name).send().await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_capsule_is_served_under_the_apps_domain_and_a_misspelt_name_is_never_the_api() {
    let home = TestHome::new().await.unwrap();
    home.install("hello-http", "hello", &[]).await.unwrap();
    let settings = home.path().join("host.toml");
    let text = "schema = 1\n[apps]\ndomains = [\"apps.example.org\"]\nhttps = true\n";
    std::fs::write(&settings, text).unwrap();
    let host = TestHost::start(&home).await.unwrap();
    let served = page(&host, "hello--production--local.apps.example.org").await;
    assert_eq!(served.status(), 200);
    assert!(served.text().await.unwrap().contains("Hello from a capsule"));
    for (name, status) in [
        ("hello--production--local.localhost", 200),
        ("helo--production--local.apps.example.org", 404),
        ("hello.apps.example.org", 404),
        ("hello--production--local.apps.example.com", 404),
    ] {
        assert_eq!(page(&host, name).await.status(), status, "{name}");
    }
    host.stop().await.unwrap();
    std::fs::write(&settings, text.replace("apps.example.org", "*.example.org")).unwrap();
    let refused = home.soma().unwrap().args(["up", "--check"]).finish().await.unwrap();
    assert_eq!(refused.code, 2, "{refused:?}");
    assert!(refused.stderr.contains("is not a domain"), "{refused:?}");
}
