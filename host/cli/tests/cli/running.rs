//! A host of files that runs: the real `soma serve --role host`, and everything that people type beside it.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

use serde_json::Value;

use super::bench::{Bench, Ran};

/// A host of files on a free port.
const HOST: [&str; 5] = ["serve", "--role", "host", "--listen", "127.0.0.1:0"];

/// A running host; ended with the value.
struct Running {
    child: Child,
    url: String,
    ready: String,
}

impl Running {
    fn start(bench: &Bench, more: &[&str]) -> Self {
        let mut arguments = HOST.to_vec();
        arguments.extend(more);
        Self::of(bench, bench.command(&arguments))
    }

    fn of(bench: &Bench, mut command: Command) -> Self {
        let errors = std::fs::File::create(bench.path("up.err")).unwrap();
        let mut child = command.stdout(Stdio::piped()).stderr(errors).spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let ready = lines.next().map(Result::unwrap).unwrap_or_default();
        let url = ready.split(' ').nth(1).unwrap_or_default().to_owned();
        assert!(url.starts_with("http://"), "{ready}: {}", bench.read("up.err"));
        Self { child, url, ready }
    }

    /// Asks it to end, as an operator or a supervisor would.
    fn stop(mut self) -> Option<i32> {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
        self.child.wait().unwrap().code()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn started() -> (Bench, Running) {
    let bench = Bench::new().with_signed_capsule();
    bench.run(&["install", "answer/answer.wasm"]).ok();
    let running = Running::start(&bench, &[]);
    (bench, running)
}

/// Runs a command until it says what is waited for; the host follows files within seconds.
fn until(bench: &Bench, arguments: &[&str], is: impl Fn(&Ran) -> bool) -> Ran {
    for _ in 0..200 {
        let ran = bench.run(arguments);
        if is(&ran) {
            return ran;
        }
    }
    panic!("{arguments:?} never came to it: {:?}", bench.run(arguments));
}

/// The soft and hard limits of open files of a process.
fn open_files(pid: u32) -> (String, String) {
    let limits = std::fs::read_to_string(format!("/proc/{pid}/limits")).unwrap();
    let line = limits.lines().find(|line| line.starts_with("Max open files")).unwrap();
    let mut words = line.split_whitespace().skip(3).map(str::to_owned);
    (words.next().unwrap(), words.next().unwrap())
}

#[test]
fn a_host_raises_its_limit_of_open_files_and_the_doctor_says_so() {
    let bench = Bench::new().with_home();
    let mut command = Command::new("sh");
    let plain = bench.command(&HOST);
    command.args(["-c", "ulimit -Sn 256 && ulimit -Hn 2048 && exec \"$0\" \"$@\""]);
    command.arg(plain.get_program()).args(plain.get_args());
    command.current_dir(bench.folder.path()).env_clear();
    command.envs(plain.get_envs().filter_map(|(name, value)| Some((name, value?))));
    let host = Running::of(&bench, command);
    assert_eq!(open_files(host.child.id()), ("2048".to_owned(), "2048".to_owned()));
    let doctor = bench.run(&["doctor"]);
    assert!(doctor.out.contains("open files"), "{doctor:?}");
}

#[test]
fn a_call_is_answered_listed_shown_and_proven() {
    let (bench, host) = started();
    assert!(
        host.ready.contains("1 installations · next: soma call answer answer"),
        "{}",
        host.ready
    );
    let call = bench.run(&["call", "answer", "answer"]).ok();
    assert_eq!(call.out, "42\n");
    assert!(call.err.starts_with("ok · call "), "{call:?}");
    let value = bench.run(&["call", "answer", "answer", "--output", "json"]).ok().json();
    assert_eq!(value["result"], 42);
    let id = value["call"].as_str().unwrap().to_owned();
    let shown = bench.run(&["show", &id]).ok();
    assert!(shown.out.contains("answer answer · ok") && shown.out.contains("receipt"), "{shown:?}");
    assert!(bench.run(&["ps", "--all"]).ok().out.contains(&id));
    assert!(bench.run(&["list"]).ok().out.contains("active"));
    assert!(bench.run(&["audit", "tail", "--kind", "call"]).ok().out.contains(&id));
    assert_eq!(host.stop(), Some(0));
    let proof = bench.run(&["audit", "verify"]).ok();
    assert!(
        proof.out.contains("verified 2 receipts") && proof.out.contains("no gaps"),
        "{proof:?}"
    );
}

#[test]
fn what_is_not_there_and_what_the_token_may_not_do_end_with_their_own_codes() {
    let (bench, _host) = started();
    bench.run(&["call", "nothing", "answer"]).failed(5, "SOMA-I015");
    bench.run(&["call", "answer", "nothing"]).failed(5, "SOMA-H004");
    let with = |scope: &str, arguments: &[&str]| {
        let token = bench.run(&["token", "new", "--can", scope]).ok().out.trim().to_owned();
        let output = bench.command(arguments).env("SOMA_TOKEN", token).output().unwrap();
        (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    assert_eq!(with("call:answer", &["call", "answer", "answer"]).0, Some(0));
    for (scope, arguments) in [
        ("call:other", &["call", "answer", "answer"][..]),
        ("read:calls", &["call", "answer", "answer"]),
        ("call:*", &["ps"]),
        ("read:calls", &["audit", "tail"]),
    ] {
        let (exit, err) = with(scope, arguments);
        assert_eq!(exit, Some(3), "{scope} {arguments:?}: {err}");
    }
    let forged =
        bench.command(&["ps"]).env("SOMA_TOKEN", "eyJhbGciOiJub25lIn0.e30.").output().unwrap();
    assert_eq!(forged.status.code(), Some(3), "{forged:?}");
}

#[test]
fn a_kill_stops_starts_until_it_is_lifted_and_survives_a_restart() {
    let (bench, host) = started();
    let radius = bench.run(&["kill", "capsule:acme/answer", "--dry-run"]).ok();
    assert!(radius.out.contains("1 installations"), "{radius:?}");
    bench.run(&["call", "answer", "answer"]).ok();
    let killed = bench.run(&[
        "kill",
        "capsule:acme/answer",
        "--reason",
        "drill",
        "--yes",
        "--output",
        "json",
    ]);
    let killed = killed.ok().json();
    let order = killed["order"].as_str().unwrap().to_owned();
    assert!(bench.path(&format!("kill-{order}.json")).exists(), "{killed}");
    bench.run(&["call", "answer", "answer"]).failed(6, "SOMA-K");

    // Neither an edit nor a restart brings it back.
    let file = ".soma/installations/local/production/answer.toml";
    bench.write(file, &bench.read(file).replace("concurrent_calls = 16", "concurrent_calls = 8"));
    assert_eq!(host.stop(), Some(0));
    let _host = Running::start(&bench, &[]);
    bench.run(&["call", "answer", "answer"]).failed(6, "SOMA-K");
    let lifted = bench.run(&["unkill", &order, "--reason", "drill over", "--yes"]).ok();
    assert!(lifted.out.contains("lifted · 1 installations"), "{lifted:?}");
    bench.run(&["call", "answer", "answer"]).ok();
}

#[test]
fn an_order_that_was_signed_offline_is_carried_out() {
    let (bench, _host) = started();
    bench
        .run(&["kill", "publisher:acme", "--reason", "key-compromise", "--offline", "stop.json"])
        .ok();
    bench.run(&["kill", "apply", "stop.json", "--yes"]).ok();
    bench.run(&["call", "answer", "answer"]).failed(6, "SOMA-K");
    let order: Value = serde_json::from_str(&bench.read("stop.json")).unwrap();
    let mut forged = order.clone();
    forged["signatures"][0]["sig"] = Value::from("AAAA");
    bench.write("forged.json", &forged.to_string());
    assert_ne!(bench.run(&["kill", "apply", "forged.json", "--yes"]).exit, 0);
}

#[test]
fn a_bad_edit_is_told_and_the_old_revision_goes_on() {
    let (bench, _host) = started();
    let file = ".soma/installations/local/production/answer.toml";
    let good = bench.read(file);
    bench.write(file, &good.replace("concurrent_calls", "concurent_calls"));
    let list = until(&bench, &["list"], |ran| ran.out.contains("kept-back"));
    assert!(list.out.contains("did you mean \"concurrent_calls\"?"), "{list:?}");
    bench.run(&["call", "answer", "answer"]).ok();
    bench.write(file, &good.replace("concurrent_calls = 16", "concurrent_calls = 8"));
    let list =
        until(&bench, &["list", "--output", "json"], |ran| ran.out.contains("active")).json();
    assert_eq!(list["items"][0]["revision"], "2", "{list}");
    std::fs::remove_file(bench.path(file)).unwrap();
    until(&bench, &["list"], |ran| ran.out.contains("no installations"));
    bench.run(&["call", "answer", "answer"]).failed(5, "SOMA-I015");
}

#[test]
fn one_home_has_one_host_and_an_address_one_listener() {
    let (bench, host) = started();
    let second = bench.run(&HOST).failed(9, "SOMA-R013");
    assert!(second.err.contains("process"), "{second:?}");
    let other = Bench::new().with_home();
    let address = host.url.trim_start_matches("http://").to_owned();
    other.run(&["serve", "--role", "host", "--listen", &address]).failed(9, "SOMA-R010");
}

#[test]
fn only_a_host_that_is_told_so_runs_what_the_development_key_signed() {
    let bench = Bench::new().with_home().with_capsule();
    bench.run(&["capsule", "build", "--dir", "answer", "--component", "bare.wasm"]).ok();
    bench.run(&["capsule", "sign", "answer/answer.wasm", "--dev"]).ok();
    let refused = bench.run(&["install", "answer/answer.wasm"]);
    assert_eq!(refused.exit, 4, "{refused:?}");
    let public = bench.path("config/soma/dev.pub").display().to_string();
    bench.run(&["trust", "add", "acme", &public]).failed(4, "SOMA-V007");
    bench.run(&["install", "answer/answer.wasm", "--dev"]).ok();
    let host = Running::start(&bench, &[]);
    assert_ne!(bench.run(&["call", "answer", "answer"]).exit, 0);
    assert_eq!(host.stop(), Some(0));
    let _host = Running::start(&bench, &["--dev"]);
    bench.run(&["call", "answer", "answer"]).ok();
}

#[test]
fn an_author_runs_and_tests_a_capsule_without_home_or_host() {
    let bench = Bench::new().with_capsule();
    let here = ["--dir", "answer", "--component", "bare.wasm"];
    let run = bench.run(&[&["capsule", "run", "answer"][..], &here].concat()).ok();
    assert_eq!(run.out, "42\n");
    assert!(run.err.contains("· cpu ") && run.err.contains("/64 MiB"), "{run:?}");
    std::fs::create_dir(bench.path("answer/tests")).unwrap();
    bench.write(
        "answer/tests/answer.toml",
        "[[test]]\nname = \"the_answer\"\nfunction = \"answer\"\nexpect = { value = 42 }\n\n\
         [[test]]\nname = \"the_question\"\nfunction = \"answer\"\nexpect = { denied = \"http.x\" }\n",
    );
    let test = bench.run(&[&["capsule", "test"][..], &here].concat());
    assert_eq!(test.exit, 1, "{test:?}");
    assert!(test.out.starts_with("1 passed, 1 failed:"), "{test:?}");
    assert!(
        test.out.contains("the_question · expected denied, got ok (answer/tests/answer.toml:6)"),
        "{test:?}"
    );
    bench.run(&[&["capsule", "test", "the_answer"][..], &here].concat()).ok();
    assert!(!bench.home().exists());
}
