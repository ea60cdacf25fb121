//! The author's loop without a network: new, build, check, sign, inspect.

use super::bench::Bench;

#[test]
fn a_new_project_has_every_file_and_is_never_written_over_another() {
    let bench = Bench::new();
    for kind in ["task", "tool", "http"] {
        let name = format!("acme/my-{kind}");
        let made = bench.run(&["capsule", "new", &name, "--kind", kind]).ok();
        assert!(
            made.out.contains(&format!("created {name}")) && made.out.contains("next:"),
            "{made:?}"
        );
        let manifest = bench.read(&format!("my-{kind}/capsule.toml"));
        assert!(manifest.contains(&format!("name = \"{name}\"")), "{manifest}");
        bench.run(&["capsule", "new", &name, "--kind", kind]).failed(8, "SOMA-U004");
    }
    for bad in ["Acme/x", "acme/../x", "acme/", "acme/1x", "a/b/c"] {
        assert_eq!(bench.run(&["capsule", "new", bad]).exit, 2, "{bad}");
    }
}

#[test]
fn a_build_embeds_the_manifest_and_the_same_input_gives_the_same_digest() {
    let bench = Bench::new().with_capsule();
    let build =
        ["capsule", "build", "--dir", "answer", "--component", "bare.wasm", "--output", "json"];
    let first = bench.run(&build).ok().json();
    let second = bench.run(&build).ok().json();
    assert_eq!(first["digest"], second["digest"]);
    assert_eq!(first["name"], "acme/answer");
    let seen = bench.run(&["capsule", "inspect", "answer/answer.wasm"]).ok();
    assert!(seen.out.starts_with("acme/answer@1.2.0 · not signed · asks: nothing"), "{seen:?}");
    let schema = bench.run(&["capsule", "inspect", "answer/answer.wasm", "--schema"]).ok();
    assert!(schema.out.contains("\"answer\""), "{schema:?}");
}

#[test]
fn a_mistyped_key_is_told_with_its_line_and_corrected_on_request() {
    let bench = Bench::new().with_capsule();
    let manifest = bench.read("answer/capsule.toml").replace("summary = \"The", "sumary = \"The");
    bench.write("answer/capsule.toml", &manifest);
    let check = ["capsule", "check", "--dir", "answer", "--component", "bare.wasm"];
    let ran = bench.run(&check).failed(2, "SOMA-M007");
    assert!(
        ran.err.contains("capsule.toml:5") && ran.err.contains("did you mean \"summary\"?"),
        "{ran:?}"
    );
    let fixed: Vec<&str> = check.iter().copied().chain(["--fix"]).collect();
    bench.run(&fixed).ok();
    assert!(bench.read("answer/capsule.toml").contains("\nsummary = \"The answer\""));
}

#[test]
fn what_is_no_component_is_refused_before_it_is_built_or_signed() {
    let bench = Bench::new().with_home().with_capsule();
    bench.run(&["key", "new", "acme"]).ok();
    bench.write("junk.wasm", "junk");
    bench
        .run(&["capsule", "build", "--dir", "answer", "--component", "junk.wasm"])
        .failed(4, "SOMA-C");
    bench.run(&["capsule", "sign", "junk.wasm", "--key", "acme"]).failed(4, "SOMA-C");
    bench.run(&["capsule", "sign", "bare.wasm", "--key", "acme"]).failed(4, "SOMA-C008");
    bench.run(&["capsule", "sign", "none.wasm", "--key", "acme"]).failed(5, "SOMA-U002");
    bench.run(&["capsule", "build", "--dir", "answer"]).failed(2, "SOMA-M002");
    bench.run(&["capsule", "build", "--dir", "nowhere"]).failed(5, "SOMA-U002");
    assert!(!bench.path("junk.sigstore.json").exists());
}

#[test]
fn a_failing_build_command_is_told_with_its_output() {
    let bench = Bench::new().with_capsule();
    let manifest = bench.read("answer/capsule.toml")
        + "\n[build]\ncommand = \"echo broken-here >&2; exit 3\"\ncomponent = \"x.wasm\"\n";
    bench.write("answer/capsule.toml", &manifest);
    let ran = bench.run(&["capsule", "build", "--dir", "answer"]).failed(1, "SOMA-U007");
    assert!(ran.err.contains("broken-here"), "{ran:?}");
}

#[test]
fn a_signature_is_made_and_recognised_by_its_pinned_key() {
    let bench = Bench::new().with_signed_capsule();
    let seen = bench.run(&["capsule", "inspect", "answer/answer.wasm"]).ok();
    assert!(seen.out.contains("signed by acme (pinned key)"), "{seen:?}");
    let mut bytes = std::fs::read(bench.path("answer/answer.wasm")).unwrap();
    let bundle = bench.read("answer/answer.sigstore.json");
    bytes.extend([0, 2, 1, b'x']);
    std::fs::write(bench.path("other.wasm"), bytes).unwrap();
    bench.write("other.sigstore.json", &bundle);
    bench.run(&["install", "other.wasm"]).failed(4, "SOMA-");
}
