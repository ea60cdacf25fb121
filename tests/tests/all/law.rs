//! A constitution: written in a folder, signed by operators, followed by the host that joined.

use std::path::PathBuf;

use serde_json::json;

use soma_tests::bazaar::{Bazaar, text};

const NO_SLUGS: &str = "@id(\"no-slugs\")\n@reason(\"Names are not what they seem.\")\n\
    forbid (principal is Caller, action == Action::\"call\", resource in Capsule::\"acme/text\")\n\
    when { context.function == \"slugify\" };\n";
const WORDS: &str = "# What we hold ourselves to\n\nNobody is called what they are not.\n";

/// A folder with the starter policy, words, and these policies.
fn written(bazaar: &Bazaar, name: &str, more: &[(&str, &str)]) -> PathBuf {
    let folder = bazaar.home.beside(name);
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join("starter.cedar"), soma_policy::STARTER_POLICY).unwrap();
    std::fs::write(folder.join("limits.toml"), soma_policy::STARTER_LIMITS).unwrap();
    std::fs::write(folder.join("principles.md"), WORDS).unwrap();
    for (file, text) in more {
        std::fs::write(folder.join(file), text).unwrap();
    }
    folder
}

#[tokio::test(flavor = "multi_thread")]
async fn what_operators_signed_holds_at_the_server_and_on_its_host_and_never_goes_back() {
    let bazaar = Bazaar::open().await.unwrap();
    let operator = &bazaar.operator;
    bazaar.publish("text", &[]).await.unwrap();
    operator.does(&["install", "acme/text"]).await.unwrap();
    let call = ["call", "text", "slugify", "-a", "text=Crème Brûlée!"];
    operator.does(&call).await.unwrap();
    let none = operator.reads(&["constitution", "show"]).await.unwrap();
    assert_eq!((&none["constitution"], &none["needed"]), (&json!(null), &json!(1)));

    let broken = written(&bazaar, "broken", &[("z.cedar", "permit (")]);
    let broken = broken.to_str().unwrap();
    for check in
        [vec!["check", broken, "--offline"], vec!["check", broken], vec!["propose", broken]]
    {
        let refused =
            operator.soma(&["constitution"]).unwrap().args(&check).finish().await.unwrap();
        assert!(refused.code == 2 && refused.said().contains("P001"), "{check:?}: {refused:?}");
    }
    let law = written(&bazaar, "law", &[("no-slugs.cedar", NO_SLUGS)]);
    let law = law.to_str().unwrap();
    operator.does(&["constitution", "check", law, "--offline"]).await.unwrap();
    let checked = operator.reads(&["constitution", "check", law]).await.unwrap();
    assert_eq!(checked["ok"], true, "{checked}");
    let proposed = operator.reads(&["constitution", "propose", law]).await.unwrap();
    let digest = text(&proposed, "/digest");
    assert_eq!((&proposed["signed"], &proposed["needed"]), (&json!(1), &json!(1)));
    let waiting = operator.reads(&["constitution", "proposals"]).await.unwrap();
    assert_eq!(text(&waiting, "/items/0/digest"), digest);
    operator.does(&call).await.unwrap();
    operator.does(&["constitution", "activate", digest, "--yes"]).await.unwrap();

    // The host follows: what was allowed is refused by the law's own words.
    let refused = loop {
        let called = operator.soma(&call).unwrap().finish().await.unwrap();
        if called.code != 0 {
            break called;
        }
    };
    assert!(refused.code == 3 && refused.stderr.contains("SOMA-D003"), "{refused:?}");
    assert!(refused.stderr.contains("no-slugs"), "{refused:?}");
    operator.does(&["call", "text", "statistics", "-a", "text=one two"]).await.unwrap();
    let shown = operator.does(&["constitution", "show"]).await.unwrap().stdout;
    assert!(shown.contains("Nobody is called") && shown.contains("no-slugs"), "{shown}");
    let author = bazaar.author.reads(&["constitution", "show", "--tenant", "acme"]).await.unwrap();
    assert_eq!(text(&author, "/constitution/digest"), digest, "who is held to it may read it");
    let log = operator.does(&["audit", "log", "--tenant", "platform"]).await.unwrap().stdout;
    for kind in ["constitution-proposed", "constitution-activated"] {
        assert!(log.contains(kind), "{log}");
    }

    // The next one takes it back, under a new number.
    let next = written(&bazaar, "next", &[]);
    let proposed =
        operator.reads(&["constitution", "propose", next.to_str().unwrap()]).await.unwrap();
    let diff = operator.does(&["constitution", "diff", text(&proposed, "/digest")]).await.unwrap();
    assert!(diff.stdout.contains("removed no-slugs.cedar"), "{}", diff.stdout);
    let activate = ["constitution", "activate", text(&proposed, "/digest"), "--yes"];
    operator.does(&activate).await.unwrap();
    while operator.soma(&call).unwrap().finish().await.unwrap().code != 0 {}
    let history = operator.reads(&["constitution", "history"]).await.unwrap();
    let versions: Vec<&str> =
        history["items"].as_array().unwrap().iter().map(|it| text(it, "/version")).collect();
    assert_eq!(versions, ["2", "1"]);
    let again = operator.soma(&["constitution", "activate", digest, "--yes"]).unwrap();
    let again = again.finish().await.unwrap();
    assert!(again.code == 8 && again.stderr.contains("SOMA-P013"), "{again:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn where_two_must_sign_one_is_not_enough() {
    let bazaar = Bazaar::open().await.unwrap();
    let operator = &bazaar.operator;
    operator.does(&["key", "new", "bob", "--role", "operator"]).await.unwrap();
    let key = bazaar.home.path().join("keys/bob.pub");
    let add = ["trust", "operator", "add", "bob", key.to_str().unwrap(), "--person", "bob"];
    operator.does(&add).await.unwrap();
    operator.does(&["trust", "operator", "quorum", "2"]).await.unwrap();
    let law = written(&bazaar, "law", &[]);
    let proposed =
        operator.reads(&["constitution", "propose", law.to_str().unwrap()]).await.unwrap();
    let digest = text(&proposed, "/digest");
    assert_eq!((&proposed["signed"], &proposed["needed"]), (&json!(1), &json!(2)));
    let activate = ["constitution", "activate", digest, "--yes"];
    let refused = operator.soma(&activate).unwrap().finish().await.unwrap();
    assert!(refused.code == 3 && refused.stderr.contains("SOMA-P012"), "{refused:?}");
    let sign = ["constitution", "sign", digest, "--key", "bob"];
    let asked = operator.soma(&sign).unwrap().finish().await.unwrap();
    assert!(asked.code == 2 && asked.stderr.contains("added principles.md"), "{asked:?}");
    let signed = operator.does(&["constitution", "sign", digest, "--key", "bob", "--yes"]).await;
    assert!(signed.unwrap().stdout.contains("2 of 2 operators"));
    operator.does(&activate).await.unwrap();
    let shown = operator.reads(&["constitution", "show"]).await.unwrap();
    assert_eq!(text(&shown, "/constitution/version"), "1");
}
