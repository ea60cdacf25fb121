//! The first run, and homes that are not as they should be.

use std::os::unix::fs::PermissionsExt;

use super::bench::{Bench, modes};

#[test]
fn the_first_run_makes_a_closed_home_and_says_what_to_do_next() {
    let bench = Bench::new();
    let first = bench.run(&["up", "--check"]).ok();
    assert!(first.err.contains("next") || first.out.contains("next"), "{first:?}");
    let home = bench.home();
    let mode = std::fs::metadata(&home).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode, 0o700);
    for (path, mode, is_folder) in modes(&home) {
        assert_eq!(mode, if is_folder { 0o700 } else { 0o600 }, "{}", path.display());
    }
    for name in [
        "keys/host/issuer.pem",
        "keys/host/host.pem",
        "keys/host/mac.key",
        "keys/host/seal.key",
        "keys/root.key",
        "keys/operator.key",
        "trust/operators.toml",
        "trust/issuers.jwks",
        "policy/starter.cedar",
        "installations/local/production",
        "home.toml",
    ] {
        assert!(home.join(name).exists(), "{name}");
    }
}

#[test]
fn a_second_run_changes_no_key() {
    let bench = Bench::new().with_home();
    let before = bench.read(".soma/keys/host/host.pem");
    bench.run(&["up", "--check"]).ok();
    assert_eq!(bench.read(".soma/keys/host/host.pem"), before);
}

#[test]
fn a_home_that_others_can_read_is_refused_with_the_way_out() {
    let bench = Bench::new().with_home();
    std::fs::set_permissions(bench.home(), std::fs::Permissions::from_mode(0o755)).unwrap();
    let refused = bench.run(&["key", "list"]).failed(2, "SOMA-R008");
    assert!(refused.err.contains("chmod go="), "{refused:?}");
}

#[test]
fn a_half_made_home_is_never_half_used() {
    let bench = Bench::new().with_home();
    std::fs::remove_file(bench.path(".soma/home.toml")).unwrap();
    let refused = bench.run(&["token", "new"]).failed(9, "SOMA-R009");
    assert!(refused.err.contains("soma up"), "{refused:?}");
    bench.run(&["up", "--check"]).ok();
    bench.run(&["token", "new"]).ok();
}

#[test]
fn a_folder_of_somebody_else_is_left_alone() {
    let bench = Bench::new();
    std::fs::create_dir(bench.path("thesis")).unwrap();
    bench.write("thesis/chapter1.md", "x");
    bench.run(&["--home", "thesis", "up", "--check"]).failed(8, "chapter1.md");
    assert_eq!(std::fs::read_dir(bench.path("thesis")).unwrap().count(), 1);
}

#[test]
fn secrets_come_from_standard_input_and_are_nowhere_to_be_read() {
    let bench = Bench::new().with_home();
    let set =
        bench.run_with_input(&["secret", "set", "github-readonly"], b"ghp_canary_7f3a\n").ok();
    assert!(set.out.starts_with("stored github-readonly"), "{set:?}");
    let list = bench.run(&["secret", "list"]).ok();
    assert!(list.out.contains("github-readonly"), "{list:?}");
    for (path, _, is_folder) in modes(&bench.home()) {
        if !is_folder {
            let bytes = std::fs::read(&path).unwrap();
            assert!(!bytes.windows(10).any(|w| w == b"ghp_canary"), "{}", path.display());
        }
    }
    assert!(!format!("{set:?}{list:?}").contains("canary"));
    bench.run(&["secret", "remove", "github-readonly"]).failed(2, "--yes");
    bench.run(&["secret", "remove", "github-readonly", "--yes"]).ok();
    bench.run(&["secret", "remove", "github-readonly", "--yes"]).failed(5, "SOMA-U003");
}

#[test]
fn a_secret_on_the_command_line_is_refused() {
    let bench = Bench::new().with_home();
    bench.run(&["secret", "set", "github-readonly", "hunter2"]).failed(2, "SOMA-U001");
    bench.run_with_input(&["secret", "set", "empty"], b"").failed(2, "SOMA-U012");
    bench.run_with_input(&["secret", "set", "long"], &[b'x'; 70_000]).failed(2, "SOMA-U012");
}

#[test]
fn doctor_finds_nothing_wrong_with_a_new_home_and_something_with_a_broken_one() {
    let bench = Bench::new().with_home();
    let good = bench.run(&["doctor", "--output", "json"]).ok().json();
    assert_eq!(good["ok"], true, "{good}");
    let list = bench.read(".soma/trust/operators.toml").replace("\"ada\"", "\"mallory\"");
    bench.write(".soma/trust/operators.toml", &list);
    let bad = bench.run(&["doctor"]);
    assert_eq!(bad.exit, 1);
    assert!(bad.out.contains("✗ operators"), "{bad:?}");
}
