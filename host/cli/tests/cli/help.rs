//! Every command explains itself, with an example.

use super::bench::Bench;

const COMMANDS: &[&str] = &[
    "up",
    "serve",
    "login",
    "logout",
    "whoami",
    "org",
    "org list",
    "org show",
    "org new",
    "org environments",
    "org environment",
    "org members",
    "org invite",
    "org invitations",
    "org withdraw",
    "org join",
    "org role",
    "org remove",
    "org claim",
    "org names",
    "org keys",
    "org key",
    "org revoke-key",
    "org transfer",
    "org standing",
    "org close",
    "user",
    "user list",
    "user show",
    "user lock",
    "user unlock",
    "user erase",
    "user reset",
    "user password",
    "service",
    "service list",
    "service new",
    "service change",
    "service remove",
    "service key",
    "service key list",
    "service key new",
    "service key revoke",
    "installation",
    "installation revisions",
    "installation back-out",
    "installation owner",
    "installation forget",
    "token exchange",
    "token keys",
    "token rotate",
    "token retire",
    "review publish",
    "review passport",
    "capsule rate",
    "capsule ratings",
    "capsule unfreeze",
    "host",
    "host list",
    "host show",
    "host invite",
    "host retire",
    "host enrol",
    "search",
    "ledger",
    "account",
    "account list",
    "account events",
    "account enter",
    "account refund",
    "account credit",
    "account payouts",
    "account payout",
    "budget",
    "budget list",
    "budget set",
    "budget remove",
    "upgrade",
    "rollback",
    "review",
    "review list",
    "review show",
    "review approve",
    "review revise",
    "review reject",
    "capsule submit",
    "capsule diff",
    "capsule deprecate",
    "capsule yank",
    "capsule unyank",
    "capsule revoke",
    "audit log",
    "capsule",
    "capsule new",
    "capsule build",
    "capsule check",
    "capsule test",
    "capsule run",
    "capsule sign",
    "capsule inspect",
    "key",
    "key new",
    "key list",
    "key export",
    "trust",
    "trust add",
    "trust list",
    "trust remove",
    "install",
    "list",
    "secret",
    "secret set",
    "secret list",
    "secret remove",
    "token",
    "token new",
    "call",
    "ps",
    "logs",
    "show",
    "kill",
    "kill sign",
    "kill apply",
    "unkill",
    "audit",
    "audit verify",
    "audit tail",
    "policy",
    "policy check",
    "policy explain",
    "db",
    "db status",
    "db migrate",
    "db move",
    "backup",
    "backup verify",
    "restore",
    "doctor",
    "explain",
    "completions",
    "version",
];

#[test]
fn every_command_has_help_with_an_example_that_begins_with_soma() {
    let bench = Bench::new();
    for command in COMMANDS {
        let mut arguments: Vec<&str> = command.split(' ').collect();
        arguments.push("--help");
        let help = bench.run(&arguments).ok();
        let (_, example) =
            help.out.split_once("Example:\n").unwrap_or_else(|| panic!("{command}: {help:?}"));
        let first = example.lines().next().unwrap_or_default().trim();
        assert!(
            first.starts_with("soma ") || first.contains("$(soma ") || first.contains("| soma "),
            "{command}: {first}"
        );
        assert!(help.err.is_empty(), "{help:?}");
    }
}

#[test]
fn the_front_page_lists_every_command_and_hides_the_internal_one() {
    let help = Bench::new().run(&["--help"]).ok();
    for command in COMMANDS.iter().filter(|c| !c.contains(' ')) {
        assert!(
            help.out.lines().any(|l| l.trim_start().starts_with(command)),
            "{command}: {}",
            help.out
        );
    }
    assert!(!help.out.contains("compile-child"), "{}", help.out);
}

#[test]
fn completions_are_made_for_every_shell() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = Bench::new().run(&["completions", shell]).ok();
        assert!(script.out.contains("soma"), "{shell}");
    }
}

#[test]
fn the_version_is_told_for_people_and_for_programs() {
    let bench = Bench::new();
    let text = bench.run(&["version"]).ok();
    assert!(text.out.starts_with(&format!("soma {}", env!("CARGO_PKG_VERSION"))), "{text:?}");
    let value = bench.run(&["version", "--output", "json"]).ok().json();
    assert_eq!(value["schema"], "soma.version.v1");
    assert_eq!(value["version"], env!("CARGO_PKG_VERSION"));
}

#[test]
fn codes_are_explained_offline_one_by_one_and_as_a_page() {
    let bench = Bench::new();
    let one = bench.run(&["explain", "d012"]).ok();
    assert!(one.out.starts_with("SOMA-D012") && one.out.contains("What to do:"), "{one:?}");
    let page = bench.run(&["explain", "--all"]).ok();
    assert!(
        page.out.starts_with("# Error codes") && page.out.contains("### SOMA-M007"),
        "{page:?}"
    );
    bench.run(&["explain", "SOMA-D999"]).failed(5, "SOMA-U010");
}

#[test]
fn no_command_leaves_a_home_behind_that_nobody_asked_for() {
    let bench = Bench::new();
    for arguments in
        [&["version"][..], &["list"], &["doctor"], &["key", "list"], &["secret", "list"]]
    {
        bench.run(arguments);
    }
    assert!(!bench.home().exists());
}

#[test]
fn the_reference_page_of_errors_says_what_the_program_says() {
    let page = std::fs::read_to_string(concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../docs/reference/errors.md"
    ))
    .unwrap();
    let now = Bench::new().run(&["explain", "--all"]).ok().out;
    for entry in page.split("\n### ").skip(1) {
        let entry = entry.split("\n## ").next().unwrap_or_default().trim_end();
        assert!(now.contains(entry), "make it again with `soma explain --all`: {entry}");
    }
}
