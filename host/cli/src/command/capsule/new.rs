//! `soma capsule new NAME`: a Rust project that builds, tests and runs at once.
//!
//! The files are part of this program, so that it works without a network and always fits it.

use std::fs;
use std::path::{Path, PathBuf};

use clap::ValueEnum;
use serde_json::json;
use soma_policy::{CapsuleName, Code, PublisherName};

use crate::context::Context;
use crate::failure::Failure;
use crate::output::Report;

/// Make a new capsule
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  soma capsule new acme/csv\n  soma capsule new acme/weather --kind tool"
)]
pub(crate) struct New {
    /// `publisher/name`, or a name alone with --publisher
    name: String,
    /// What it will be
    #[arg(long, value_enum, default_value = "task")]
    kind: Kind,
    /// The language
    #[arg(long, value_enum, default_value = "rust")]
    lang: Language,
    /// Who publishes it, if the name does not say
    #[arg(long, default_value = "acme")]
    publisher: PublisherName,
    /// The folder; by default the name
    #[arg(long)]
    dir: Option<PathBuf>,
}

/// What a new capsule can be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Kind {
    /// Turns input into output
    Task,
    /// Reaches an HTTP service
    Tool,
    /// Answers browsers on its own host name
    Http,
}

/// Languages that are real.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Language {
    /// Rust
    Rust,
}

const TASK: &[(&str, &str)] = &[
    ("Cargo.toml", include_str!("../../../templates/task/Cargo.toml.txt")),
    ("capsule.toml", include_str!("../../../templates/task/capsule.toml")),
    ("wit/world.wit", include_str!("../../../templates/task/wit/world.wit")),
    ("src/lib.rs", include_str!("../../../templates/task/src/lib.rs")),
    ("tests/counts.toml", include_str!("../../../templates/task/tests/counts.toml")),
    ("README.md", include_str!("../../../templates/task/README.md")),
    (".gitignore", include_str!("../../../templates/task/gitignore")),
];
const TOOL: &[(&str, &str)] = &[
    ("Cargo.toml", include_str!("../../../templates/tool/Cargo.toml.txt")),
    ("capsule.toml", include_str!("../../../templates/tool/capsule.toml")),
    ("wit/world.wit", include_str!("../../../templates/tool/wit/world.wit")),
    ("src/lib.rs", include_str!("../../../templates/tool/src/lib.rs")),
    ("src/request.rs", include_str!("../../../templates/tool/src/request.rs")),
    ("tests/zen.toml", include_str!("../../../templates/tool/tests/zen.toml")),
    ("README.md", include_str!("../../../templates/tool/README.md")),
    (".gitignore", include_str!("../../../templates/tool/gitignore")),
];
const HTTP: &[(&str, &str)] = &[
    ("Cargo.toml", include_str!("../../../templates/http/Cargo.toml.txt")),
    ("capsule.toml", include_str!("../../../templates/http/capsule.toml")),
    ("src/lib.rs", include_str!("../../../templates/http/src/lib.rs")),
    ("tests/hello.toml", include_str!("../../../templates/http/tests/hello.toml")),
    ("README.md", include_str!("../../../templates/http/README.md")),
    (".gitignore", include_str!("../../../templates/http/gitignore")),
];

impl New {
    pub(crate) fn run(self, context: &Context) -> Result<(), Failure> {
        let full = if self.name.contains('/') {
            self.name.clone()
        } else {
            format!("{}/{}", self.publisher, self.name)
        };
        let name: CapsuleName = full.parse()?;
        if !name.name.starts_with(|c: char| c.is_ascii_lowercase()) {
            let what = format!("`{name}`: WIT names begin with a letter");
            return Err(Failure::new(Code::Usage, what));
        }
        let folder = self.dir.clone().unwrap_or_else(|| PathBuf::from(&*name.name));
        write_all(&folder, files(self.kind), &name)?;
        let shown = folder.display();
        let next = self.kind.first_command();
        let text = format!("created {name} in {shown} · next: cd {shown} && {next}");
        let value = json!({ "name": name.to_string(), "folder": folder });
        Ok(context.out.report(&Report::new("soma.capsule.new.v1", value, text))?)
    }
}

impl Kind {
    /// What shows a new capsule at work. One that answers HTTP has no function to run.
    const fn first_command(self) -> &'static str {
        match self {
            Self::Task | Self::Tool => "soma capsule run",
            Self::Http => "soma capsule test",
        }
    }
}

fn files(kind: Kind) -> &'static [(&'static str, &'static str)] {
    match kind {
        Kind::Task => TASK,
        Kind::Tool => TOOL,
        Kind::Http => HTTP,
    }
}

/// Writes the project beside its place and moves it there: a failure leaves nothing half done.
fn write_all(folder: &Path, files: &[(&str, &str)], name: &CapsuleName) -> Result<(), Failure> {
    if folder.exists() {
        return Err(Failure::new(Code::Exists, format!("`{}` exists already", folder.display()))
            .fix("choose another folder with --dir"));
    }
    let parent = folder.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let failed = |e: std::io::Error| {
        Failure::new(Code::HomeIo, format!("cannot write `{}`: {e}", folder.display()))
    };
    fs::create_dir_all(parent).map_err(failed)?;
    let beside =
        tempfile::Builder::new().prefix(".soma-new-").tempdir_in(parent).map_err(failed)?;
    let project = beside.path().join("project");
    for (path, text) in files {
        let path = project.join(path);
        fs::create_dir_all(path.parent().unwrap_or(&project)).map_err(failed)?;
        fs::write(&path, filled(text, name)).map_err(failed)?;
    }
    fs::rename(&project, folder).map_err(failed)
}

fn filled(text: &str, name: &CapsuleName) -> String {
    text.replace("{{publisher}}", name.publisher.as_str())
        .replace("{{name}}", &name.name)
        .replace("{{crate}}", &name.name.replace('-', "_"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_template_has_a_manifest_that_parses_and_no_gap_left() {
        let name: CapsuleName = "acme/my-thing".parse().unwrap();
        for kind in [Kind::Task, Kind::Tool, Kind::Http] {
            for (path, text) in files(kind) {
                let text = filled(text, &name);
                assert!(!text.contains("{{"), "{kind:?} {path}");
                if *path == "capsule.toml" {
                    let file = soma_capsule::CapsuleFile::parse(&text).unwrap();
                    assert_eq!(file.manifest.name, name);
                    assert!(file.build.unwrap().component.ends_with("/my_thing.wasm"));
                }
            }
        }
    }
}
