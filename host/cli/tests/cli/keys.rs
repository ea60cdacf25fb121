//! Keys of publishers: made, shown, used, trusted, withdrawn.

use super::bench::Bench;

#[test]
fn a_key_is_made_once_listed_and_exported() {
    let bench = Bench::new().with_home();
    let made = bench.run(&["key", "new", "acme", "--output", "json"]).ok().json();
    let fingerprint = made["fingerprint"].as_str().unwrap().to_owned();
    bench.run(&["key", "new", "acme"]).failed(8, "SOMA-U004");
    let listed = bench.run(&["key", "list", "--output", "json"]).ok().json();
    let names: Vec<&str> =
        listed["items"].as_array().unwrap().iter().map(|i| i["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["acme", "operator", "root"]);
    let exported = bench.run(&["key", "export", "acme"]).ok();
    assert!(exported.out.starts_with("-----BEGIN PUBLIC KEY-----"), "{exported:?}");
    assert_eq!(exported.out, bench.read(".soma/keys/acme.pub"));
    let private = bench.read(".soma/keys/acme.key");
    assert!(private.contains("ENCRYPTED SIGSTORE PRIVATE KEY"), "{private}");
    assert!(
        bench.run(&["key", "export", "acme", "--output", "json"]).ok().out.contains(&fingerprint)
    );
}

#[test]
fn a_key_with_a_passphrase_opens_with_it_alone() {
    let bench = Bench::new().with_home().with_capsule();
    bench.run(&["capsule", "build", "--dir", "answer", "--component", "bare.wasm"]).ok();
    let with = |password: &str, arguments: &[&str]| {
        let output = bench.command(arguments).env("SOMA_KEY_PASSWORD", password).output().unwrap();
        (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    let (exit, err) = with("correct horse", &["key", "new", "acme"]);
    assert_eq!(exit, Some(0), "{err}");
    let sign = ["capsule", "sign", "answer/answer.wasm", "--key", "acme"];
    assert_eq!(with("correct horse", &sign).0, Some(0));
    assert_ne!(with("wrong", &sign).0, Some(0));
    let refused = bench.run(&sign);
    assert!(refused.err.contains("SOMA_KEY_PASSWORD"), "{refused:?}");
}

#[test]
fn names_that_leave_the_folder_are_refused() {
    let bench = Bench::new().with_home();
    for bad in ["../x", "a/b", ".", "A", "", "a b"] {
        bench.run(&["key", "new", bad]).failed(2, "SOMA-U001");
        bench.run(&["trust", "add", bad, "x.pub"]).failed(2, "SOMA-U001");
    }
}

#[test]
fn trust_is_given_listed_and_withdrawn() {
    let bench = Bench::new().with_home();
    bench.run(&["key", "new", "acme"]).ok();
    let added = bench.run(&["trust", "add", "acme", ".soma/keys/acme.pub"]).ok();
    assert!(added.out.starts_with("acme/* may be signed by SHA256:"), "{added:?}");
    assert!(bench.run(&["trust", "list"]).ok().out.contains("acme"));
    bench.run(&["trust", "remove", "acme", ".soma/keys/acme.pub"]).failed(2, "--yes");
    bench.run(&["trust", "remove", "acme", ".soma/keys/acme.pub", "--yes"]).ok();
    bench.run(&["trust", "remove", "acme", ".soma/keys/acme.pub", "--yes"]).failed(5, "SOMA-U003");
    bench.write("junk.pub", "not a key");
    assert_ne!(bench.run(&["trust", "add", "acme", "junk.pub"]).exit, 0);
    assert!(bench.run(&["trust", "list"]).ok().out.contains("nobody is trusted"));
}
