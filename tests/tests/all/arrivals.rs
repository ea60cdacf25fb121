//! What comes into the marketplace of `soma up --join` from beside it: installation files of before, and the catalogue.

use serde_json::json;
use soma_tests::bazaar::{items, text};
use soma_tests::{Person, Platform, TestHome, TestHost, platform};

#[tokio::test(flavor = "multi_thread")]
async fn files_of_a_home_that_joins_are_brought_in_with_their_rights_secrets_and_data() {
    let home = TestHome::new().await.unwrap();
    // What has a secret and no bill of materials comes to more than the rules let through unless the operator says so.
    let own = format!("{}[review]\nbelow_thousandths = 400\n", platform::RATES);
    std::fs::write(home.path().join("server.toml"), own).unwrap();
    home.secret("github-readonly", "ghp-brought-along").await.unwrap();
    home.install("github", "issues", &["--secret", "token=github-readonly"]).await.unwrap();
    home.install("kv-notes", "notes", &[]).await.unwrap();
    let files = home.path().join("installations/local/production");
    let notes = std::fs::read_to_string(files.join("notes.toml")).unwrap();
    let nowhere = notes.lines().map(|line| match line.strip_prefix("digest = ") {
        Some(_) => format!("digest = \"sha256:{}\"", "0".repeat(64)),
        None => line.to_owned(),
    });
    std::fs::write(files.join("lost.toml"), nowhere.collect::<Vec<_>>().join("\n")).unwrap();
    let host = TestHost::start(&home).await.unwrap();
    let put = json!({ "name": "todo", "text": "move house" });
    assert_eq!(host.call("notes", "put", &put).await.unwrap().body, json!("1"));
    host.stop().await.unwrap();

    let platform = Platform::start_with(&home, &["--join"]).await.unwrap();
    let owner = Person::owner(&platform);
    let active = |count: usize| {
        move |it: &serde_json::Value| {
            items(it).iter().filter(|it| text(it, "/state") == "active").count() == count
        }
    };
    let listed = owner.until(&["list"], active(2)).await.unwrap();
    let found = items(&listed).iter().find(|it| text(it, "/id") == "notes").unwrap();
    assert_eq!(text(found, "/capsule"), "soma/kv-notes", "{found}");
    let got = owner.reads(&["call", "notes", "get", "-a", "name=todo"]).await.unwrap();
    assert!(got.to_string().contains("move house"), "{got}");
    let secrets = owner.reads(&["secret", "list"]).await.unwrap();
    let secret = &items(&secrets)[0];
    assert_eq!(text(secret, "/name"), "github-readonly");
    assert!(secret["used_by"].to_string().contains("issues (secret.token)"), "{secret}");
    let imported = home.path().join("state/imported/local/production");
    assert!(imported.join("notes.toml").is_file() && !files.join("notes.toml").exists());
    assert!(files.join("lost.toml").is_file(), "what did not come stays where it was");

    // What the tenant does at the server is not undone by a file of before.
    owner.does(&["uninstall", "notes", "--yes"]).await.unwrap();
    let (said, code) = platform.stop().await.unwrap();
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("imported local/production/notes (soma/kv-notes@0.1.0)"), "{said}");
    assert!(said.contains("not imported: local/production/lost"), "{said}");
    let platform = Platform::start_with(&home, &[]).await.unwrap();
    let listed = Person::owner(&platform).until(&["list"], active(1)).await.unwrap();
    assert_eq!(text(&items(&listed)[0], "/id"), "issues", "{listed}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_catalogue_beside_the_program_is_published_once_and_a_tenant_installs_from_it() {
    let program = soma_tests::binary::path().unwrap();
    let beside = program.parent().unwrap().join("../share/soma/capsules");
    assert!(beside.is_dir(), "{} is not there: run `make guests`", beside.display());
    let home = TestHome::new().await.unwrap();
    let arguments = ["--join", "--catalogue", beside.to_str().unwrap()];
    let platform = Platform::start_with(&home, &arguments).await.unwrap();
    let owner = Person::owner(&platform);
    let wanted = std::fs::read_dir(&beside).unwrap().filter_map(Result::ok);
    let wanted = wanted.filter(|it| it.path().extension().is_some_and(|end| end == "wasm")).count();
    assert!(wanted >= 5, "a catalogue of {wanted}");
    let all = |it: &serde_json::Value| items(it).len() == wanted;
    owner.until(&["search"], all).await.unwrap();
    owner.does(&["install", "soma/text"]).await.unwrap();
    let called =
        owner.does(&["call", "text", "slugify", "-a", "text=Crème Brûlée!"]).await.unwrap();
    assert_eq!(called.stdout.trim(), "\"creme-brulee\"");
    let (said, _) = platform.stop().await.unwrap();
    assert!(said.contains("catalogue:") && said.contains("soma/csv"), "{said}");
    assert!(!said.contains("not in the catalogue"), "{said}");

    let platform = Platform::start_with(&home, &arguments).await.unwrap();
    Person::owner(&platform).until(&["search"], all).await.unwrap();
    let submitted =
        Person::owner(&platform).reads(&["review", "list", "--state", "all"]).await.unwrap();
    assert_eq!(items(&submitted).len(), wanted, "{submitted}");
}
