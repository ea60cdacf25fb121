//! A temporary place with a home of its own, in which the binary is run.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::Value;
use tempfile::TempDir;

/// A component with one function: `answer: func() -> u32`.
const ANSWER: &str = r#"(component
    (core module $m (func (export "f") (result i32) i32.const 42))
    (core instance $i (instantiate $m))
    (func (export "answer") (result u32) (canon lift (core func $i "f"))))"#;

const MANIFEST: &str = r#"schema = 1
name = "acme/answer"
version = "1.2.0"
kind = "task"
summary = "The answer"
licence = "Apache-2.0"

[functions.answer]
summary = "Forty-two"
"#;

pub(crate) struct Bench {
    pub(crate) folder: TempDir,
}

/// What a run of the binary gave.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) exit: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Ran {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|e| panic!("{e}: {self:?}"))
    }

    #[track_caller]
    pub(crate) fn ok(self) -> Self {
        assert_eq!(self.exit, 0, "{self:?}");
        self
    }

    /// It failed with this exit code and named this code.
    #[track_caller]
    pub(crate) fn failed(self, exit: i32, code: &str) -> Self {
        assert_eq!(self.exit, exit, "{self:?}");
        assert!(self.err.contains(code), "{code} is not in {self:?}");
        assert!(self.out.is_empty(), "a failure prints no result: {self:?}");
        self
    }
}

impl Bench {
    pub(crate) fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn home(&self) -> PathBuf {
        self.path(".soma")
    }

    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_soma"));
        command
            .args(arguments)
            .current_dir(self.folder.path())
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap())
            .env("HOME", self.folder.path())
            .env("XDG_CONFIG_HOME", self.path("config"))
            .env("USER", "ada")
            .stdin(Stdio::null());
        // Where coverage is measured, the program says what of it ran: not into the test's own folder.
        if let Some(profile) = std::env::var_os("LLVM_PROFILE_FILE") {
            command.env("LLVM_PROFILE_FILE", profile);
        }
        command
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> Ran {
        ran(self.command(arguments).output().unwrap())
    }

    pub(crate) fn run_with_input(&self, arguments: &[&str], input: &[u8]) -> Ran {
        let mut child = self
            .command(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        child.stdin.take().unwrap().write_all(input).unwrap();
        ran(child.wait_with_output().unwrap())
    }

    /// A home made the way people make one, without a host that runs on.
    pub(crate) fn with_home(self) -> Self {
        self.run(&["up", "--check"]).ok();
        self
    }

    /// A capsule's folder `answer/`, to be built with `--component answer.wasm`.
    pub(crate) fn with_capsule(self) -> Self {
        std::fs::create_dir(self.path("answer")).unwrap();
        self.write("answer/capsule.toml", MANIFEST);
        let component = wat::parse_str(ANSWER).unwrap();
        std::fs::write(self.path("bare.wasm"), component).unwrap();
        self
    }

    /// The capsule built, signed by a trusted key `acme`: `answer/answer.wasm` and its bundle.
    pub(crate) fn with_signed_capsule(self) -> Self {
        let bench = self.with_home().with_capsule();
        bench.run(&["capsule", "build", "--dir", "answer", "--component", "bare.wasm"]).ok();
        bench.run(&["key", "new", "acme"]).ok();
        bench.run(&["trust", "add", "acme", ".soma/keys/acme.pub"]).ok();
        bench.run(&["capsule", "sign", "answer/answer.wasm", "--key", "acme"]).ok();
        bench
    }

    pub(crate) fn write(&self, name: &str, text: &str) {
        std::fs::write(self.path(name), text).unwrap();
    }

    pub(crate) fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.path(name)).unwrap()
    }
}

fn ran(output: Output) -> Ran {
    Ran {
        exit: output.status.code().unwrap_or(-1),
        out: String::from_utf8_lossy(&output.stdout).into_owned(),
        err: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

/// Every file and folder below, with its permission bits.
pub(crate) fn modes(folder: &Path) -> Vec<(PathBuf, u32, bool)> {
    use std::os::unix::fs::PermissionsExt;
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let meta = std::fs::symlink_metadata(&path).unwrap();
        found.push((path.clone(), meta.permissions().mode() & 0o777, meta.is_dir()));
        if meta.is_dir() {
            found.extend(modes(&path));
        }
    }
    found
}
