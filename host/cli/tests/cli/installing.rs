//! Installing: verified first, shown, written in full, never over another.

use super::bench::Bench;

#[test]
fn an_installation_is_written_in_full_and_listed() {
    let bench = Bench::new().with_signed_capsule();
    let dry = bench.run(&["install", "answer/answer.wasm", "--dry-run"]).ok();
    assert!(dry.out.starts_with("would write") && dry.err.contains("asks for nothing"), "{dry:?}");
    let file = ".soma/installations/local/production/answer.toml";
    assert!(!bench.path(file).exists());
    let written = bench.run(&["install", "answer/answer.wasm"]).ok();
    assert!(written.out.contains("0 of 0 capabilities granted"), "{written:?}");
    let text = bench.read(file);
    for part in
        ["capsule = \"acme/answer\"", "version = \"^1.2.0\"", "digest = \"sha256:", "[budget]"]
    {
        assert!(text.contains(part), "{part}: {text}");
    }
    let list = bench.run(&["list", "--host", "http://127.0.0.1:1"]).ok();
    assert!(list.out.contains("answer") && list.err.contains("no host is running"), "{list:?}");
    bench.run(&["install", "answer/answer.wasm"]).failed(8, "SOMA-I014");
    bench.run(&["install", "answer/answer.wasm", "--as", "other"]).ok();
    bench.run(&["install", "answer/answer.wasm", "--replace"]).ok();
}

#[test]
fn what_does_not_verify_is_not_installed() {
    let bench = Bench::new().with_signed_capsule();
    std::fs::copy(bench.path("answer/answer.wasm"), bench.path("bare2.wasm")).unwrap();
    bench.run(&["install", "bare2.wasm"]).failed(4, "SOMA-V001");
    bench.run(&["trust", "remove", "acme", ".soma/keys/acme.pub", "--yes"]).ok();
    bench.run(&["install", "answer/answer.wasm"]).failed(4, "SOMA-V005");
    bench.run(&["key", "new", "other"]).ok();
    bench.run(&["trust", "add", "acme", ".soma/keys/other.pub"]).ok();
    bench.run(&["install", "answer/answer.wasm"]).failed(4, "SOMA-V006");
    assert!(!bench.path(".soma/installations/local/production/answer.toml").exists());
}

#[test]
fn only_what_is_declared_can_be_left_out() {
    let bench = Bench::new().with_signed_capsule();
    let ran = bench.run(&["install", "answer/answer.wasm", "--without", "http.issues"]);
    ran.failed(2, "SOMA-I007");
    bench.run(&["install", "answer/answer.wasm", "--tenant", "nobody"]).failed(5, "SOMA-U003");
    bench.run(&["install", "none.wasm"]).failed(5, "SOMA-U002");
}
