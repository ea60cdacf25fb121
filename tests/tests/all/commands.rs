//! Commands over the server's routes that no other story needs: accounts of programs, keys of tokens, names that change hands.

use soma_tests::bazaar::{Bazaar, items, text};

#[tokio::test(flavor = "multi_thread")]
async fn a_program_comes_in_with_a_key_and_goes_when_its_key_is_taken_back() {
    let bazaar = Bazaar::open().await.unwrap();
    let operator = &bazaar.operator;
    operator
        .does(&["service", "new", "deployer", "--can", "org:read", "--can", "install"])
        .await
        .unwrap();
    let made =
        operator.reads(&["service", "key", "new", "deployer", "--days", "30"]).await.unwrap();
    let (key, secret) = (text(&made, "/key/key").to_owned(), text(&made, "/api_key").to_owned());
    let exchange = || async {
        let command = bazaar.platform.soma(["token", "exchange"]).unwrap();
        command.env("SOMA_API_KEY", &secret).finish().await.unwrap()
    };
    let token = exchange().await.stdout.trim().to_owned();
    let whoami = || async {
        let command = bazaar.platform.soma(["whoami"]).unwrap().env("SOMA_TOKEN", &token);
        command.finish().await.unwrap()
    };
    let known = whoami().await;
    assert!(known.stdout.contains("account:deployer"), "{}{}", known.stdout, known.stderr);
    operator.does(&["service", "key", "revoke", "deployer", &key, "--yes"]).await.unwrap();
    assert_eq!(whoami().await.code, 3, "what the key made ends with it");
    assert_eq!(exchange().await.code, 3);
    let keys = operator.reads(&["service", "key", "list", "deployer"]).await.unwrap();
    assert!(!text(&keys, "/items/0/revoked").is_empty(), "{keys}");
    operator.does(&["service", "change", "deployer", "--state", "disabled"]).await.unwrap();
    operator.does(&["service", "remove", "deployer", "--yes"]).await.unwrap();
    let left = operator.reads(&["service", "list"]).await.unwrap();
    assert!(items(&left).is_empty(), "{left}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_tenants_and_operators_say_about_names_keys_and_installations() {
    let bazaar = Bazaar::open().await.unwrap();
    let (operator, author) = (&bazaar.operator, &bazaar.author);
    bazaar.publish("text", &[]).await.unwrap();
    operator
        .does(&["account", "enter", "local", "top-up", "1.00 EUR", "--reason", "test", "--yes"])
        .await
        .unwrap();
    operator.does(&["install", "acme/text"]).await.unwrap();
    operator.until(&["list"], |it| text(it, "/items/0/state") == "active").await.unwrap();
    operator.does(&["call", "text", "slugify", "-a", "text=A b"]).await.unwrap();
    operator.until(&["ledger"], |it| !items(it).is_empty()).await.unwrap();
    let rated =
        operator.reads(&["capsule", "rate", "acme/text", "4", "--comment", "short"]).await.unwrap();
    assert_eq!(rated["stars"], 4, "{rated}");
    let ratings = operator.reads(&["capsule", "ratings", "acme/text"]).await.unwrap();
    assert_eq!(text(&ratings, "/items/0/comment"), "short", "{ratings}");
    let revisions = operator.reads(&["installation", "revisions", "text"]).await.unwrap();
    assert_eq!(items(&revisions).len(), 1, "{revisions}");
    let submissions = operator.reads(&["review", "list", "--state", "all"]).await.unwrap();
    let id = text(&submissions, "/items/0/submission").to_owned();
    let passport = operator.does(&["review", "passport", &id]).await.unwrap();
    assert!(passport.stdout.contains("payload"), "{}", passport.stdout);

    let offered = author
        .reads(&["org", "transfer", "acme", "--to", "local", "--tenant", "acme"])
        .await
        .unwrap();
    assert_eq!(text(&offered, "/transfer/to"), "local", "{offered}");
    author.does(&["org", "transfer", "acme", "--cancel", "--tenant", "acme"]).await.unwrap();
    operator.does(&["org", "standing", "acme", "--checked", "true"]).await.unwrap();
    let keys = author.reads(&["org", "keys", "acme", "--tenant", "acme"]).await.unwrap();
    let fingerprint = text(&keys, "/items/0/fingerprint").to_owned();
    let revoke = ["org", "revoke-key", "acme", &fingerprint, "--tenant", "acme", "--yes"];
    author.does(&revoke).await.unwrap();
    let keys = author.reads(&["org", "keys", "acme", "--tenant", "acme"]).await.unwrap();
    assert!(!text(&keys, "/items/0/revoked").is_empty(), "{keys}");

    let before = operator.reads(&["token", "keys"]).await.unwrap();
    operator.does(&["token", "rotate"]).await.unwrap();
    let after = operator.reads(&["token", "keys"]).await.unwrap();
    assert_eq!(items(&after).len(), items(&before).len() + 1, "{after}");
}
