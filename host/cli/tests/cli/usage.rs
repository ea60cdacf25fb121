//! Bad input at the command line: a clear error, an exit code, nothing changed.

use super::bench::Bench;

#[test]
fn bad_command_lines_end_with_two_and_name_the_usage_code() {
    let bench = Bench::new();
    for arguments in [
        &["frobnicate"][..],
        &["call"],
        &["call", "csv"],
        &["call", "CSV", "to-json"],
        &["call", "csv", "to json"],
        &["call", "csv", "f", "--timeout", "soon"],
        &["show", "not-a-call"],
        &["kill", "capsul:acme/x", "--reason", "malware"],
        &["kill", "capsule:acme/x"],
        &["kill", "capsule:acme/x", "--reason", "because"],
        &["kill", "everything", "--reason", "malware", "--severity", "huge"],
        &["unkill", "x", "--reason", "y"],
        &["capsule", "new"],
        &["capsule", "new", "acme/x", "--kind", "planner"],
        &["install", "x.wasm", "--budget", "lots"],
        &["install", "x.wasm", "--without", "htp.x"],
        &["completions", "tcsh"],
        &["list", "--output", "xml"],
        &["token", "old"],
        &["policy", "explain", "issues"],
        &["list", "--tenant", "../x"],
    ] {
        let ran = bench.run(arguments);
        assert_eq!(ran.exit, 2, "{arguments:?}: {ran:?}");
        assert!(ran.err.contains("SOMA-U001"), "{arguments:?}: {ran:?}");
        assert!(ran.out.is_empty(), "{arguments:?}: {ran:?}");
    }
    assert_eq!(std::fs::read_dir(bench.folder.path()).unwrap().count(), 0);
}

#[test]
fn bad_arguments_of_a_call_are_refused_before_anything_is_sent() {
    let bench = Bench::new().with_home();
    let call = ["call", "csv", "to-json", "--host", "http://127.0.0.1:1"];
    for (more, code) in [
        (&["{"][..], "SOMA-U001"),
        (&["[1]"], "SOMA-U001"),
        (&["-a", "x"], "SOMA-U001"),
        (&["-a", "x:={"], "SOMA-U001"),
        (&["-a", "x=1", "-a", "x=2"], "SOMA-U001"),
        (&["-a", "x=@/no/such/file"], "SOMA-U002"),
    ] {
        let arguments: Vec<&str> = call.iter().chain(more).copied().collect();
        let ran = bench.run(&arguments);
        assert!(ran.err.contains(code), "{more:?}: {ran:?}");
        assert!(ran.exit == 2 || ran.exit == 5, "{more:?}: {ran:?}");
    }
}

#[test]
fn a_host_that_does_not_answer_is_nine_and_says_what_to_do() {
    let bench = Bench::new().with_home();
    for command in [&["ps"][..], &["logs"], &["call", "csv", "f"], &["audit", "tail"]] {
        let mut arguments = command.to_vec();
        arguments.extend(["--host", "http://127.0.0.1:1"]);
        let ran = bench.run(&arguments).failed(9, "SOMA-R011");
        assert!(ran.err.contains("soma up"), "{ran:?}");
    }
    for bad in ["ftp://x", "http://user:pw@x", "nonsense"] {
        bench.run(&["ps", "--host", bad]).failed(2, "SOMA-U001");
    }
}

#[test]
fn an_error_for_programs_is_one_document_with_its_code() {
    let bench = Bench::new();
    let ran = bench.run(&["token", "new", "--output", "json"]);
    let error: serde_json::Value = serde_json::from_str(ran.err.trim()).unwrap();
    assert_eq!(error["schema"], "soma.error.v1");
    assert_eq!(error["code"], "SOMA-U003");
    assert_eq!(error["exit"], 5);
    assert_eq!(ran.exit, 5);
}

#[test]
fn what_comes_from_files_cannot_steer_the_terminal() {
    let bench = Bench::new();
    std::fs::create_dir(bench.path("x")).unwrap();
    bench.write("x/capsule.toml", "schema = 1\n\"\\u001B[2Jevil\" = 1\n");
    let ran = bench.run(&["capsule", "check", "--dir", "x"]);
    assert_ne!(ran.exit, 0);
    assert!(!ran.err.contains('\u{1b}') && !ran.out.contains('\u{1b}'), "{ran:?}");
}
