//! A capsule's project: its folder, its `capsule.toml`, its build, the file that comes out.

pub(crate) mod sbom;

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use soma_capsule::manifest::locate;
use soma_capsule::{Analysis, CapsuleFile, Finding, Manifest, analyse, check, section};
use soma_policy::{Bytes, Code, Digest};

use crate::context::Context;
use crate::failure::Failure;

/// Largest component.
pub(crate) const COMPONENT_BYTES_MAX: u64 = 32 * 1024 * 1024;
const MANIFEST_BYTES_MAX: u64 = 256 * 1024;

/// A folder with a `capsule.toml`.
#[derive(Debug)]
pub(crate) struct Project {
    pub(crate) folder: PathBuf,
    pub(crate) text: String,
    pub(crate) file: CapsuleFile,
}

/// What a build gives.
#[derive(Debug)]
pub(crate) struct Built {
    /// The component with its manifest inside.
    pub(crate) component: Vec<u8>,
    pub(crate) digest: Digest,
    pub(crate) analysis: Analysis,
    pub(crate) findings: Vec<Finding>,
}

/// How to build.
#[derive(Debug, Clone, Default, clap::Args)]
pub(crate) struct BuildOptions {
    /// Add --release to a cargo build command that lacks it
    #[arg(long)]
    pub(crate) release: bool,
    /// Add --locked to a cargo build command: no dependency may change
    #[arg(long)]
    pub(crate) locked: bool,
    /// Take this component instead of building one
    #[arg(long, value_name = "F")]
    pub(crate) component: Option<PathBuf>,
    /// The capsule's folder
    #[arg(long, value_name = "DIR", default_value = ".")]
    pub(crate) dir: PathBuf,
}

impl Project {
    /// Reads the project in a folder.
    pub(crate) fn open(context: &Context, folder: &Path) -> Result<Self, Failure> {
        let path = folder.join("capsule.toml");
        if !path.exists() {
            let what = format!("there is no capsule.toml in `{}`", folder.display());
            return Err(Failure::new(Code::FileNotFound, what)
                .fix("go to a capsule's folder, or make one with soma capsule new NAME"));
        }
        let bytes = context.read(&path, MANIFEST_BYTES_MAX)?;
        let text = String::from_utf8(bytes)
            .map_err(|_| Failure::new(Code::ManifestSyntax, "capsule.toml is not UTF-8 text"))?;
        let file = CapsuleFile::parse(&text)?;
        Ok(Self { folder: folder.to_owned(), text, file })
    }

    pub(crate) fn manifest(&self) -> &Manifest {
        &self.file.manifest
    }

    /// `csv.wasm` in the project's folder.
    pub(crate) fn output(&self) -> PathBuf {
        self.folder.join(format!("{}.wasm", self.manifest().name.name))
    }

    /// Builds the component and puts the manifest into it.
    pub(crate) fn build(
        &self,
        context: &Context,
        options: &BuildOptions,
    ) -> Result<Built, Failure> {
        let path = match &options.component {
            Some(path) => path.clone(),
            None => self.run_build(context, options)?,
        };
        if !path.exists() {
            let what = format!("the build left no component at `{}`", path.display());
            return Err(Failure::new(Code::BuildFailed, what)
                .fix("correct build.component in capsule.toml"));
        }
        self.embed(&context.read(&path, COMPONENT_BYTES_MAX)?)
    }

    fn embed(&self, component: &[u8]) -> Result<Built, Failure> {
        let analysis = analyse(component)?;
        let component = section::embed(component, &self.manifest().to_canonical()?)?;
        let digest = Digest::of(&component);
        let findings = check(self.manifest(), &analysis);
        Ok(Built { component, digest, analysis, findings })
    }

    fn run_build(&self, context: &Context, options: &BuildOptions) -> Result<PathBuf, Failure> {
        let Some(build) = &self.file.build else {
            return Err(Failure::new(
                Code::ManifestMissingKey,
                "capsule.toml has no [build] table",
            )
            .fix("add [build] with command and component, or give --component FILE"));
        };
        let command = with_flags(&build.command, options);
        let progress = context.out.progress(&format!("building: {command}"));
        let result = Command::new("sh")
            .args(["-c", &command])
            .current_dir(&self.folder)
            .stdin(Stdio::null())
            .stdout(if context.out.verbose { Stdio::inherit() } else { Stdio::piped() })
            .stderr(if context.out.verbose { Stdio::inherit() } else { Stdio::piped() })
            .output();
        drop(progress);
        let output = result
            .map_err(|e| Failure::new(Code::ToolMissing, format!("`sh` cannot be started: {e}")))?;
        if output.status.success() {
            return Ok(self.folder.join(&build.component));
        }
        context.out.note(String::from_utf8_lossy(&output.stdout).trim_end());
        context.out.note(String::from_utf8_lossy(&output.stderr).trim_end());
        Err(build_failed(&command, &output))
    }

    /// A finding with the line of capsule.toml that it is about.
    pub(crate) fn line_of(&self, finding: &Finding) -> Option<usize> {
        locate(&self.text, &finding.path)
    }

    /// A finding as one line: `error SOMA-M013 capsule.toml:14 … · fix: …`.
    pub(crate) fn describe(&self, finding: &Finding) -> String {
        let grade = if finding.is_error() { "error" } else { "warning" };
        let place = match self.line_of(finding) {
            Some(line) => format!("capsule.toml:{line}"),
            None => "capsule.toml".to_owned(),
        };
        format!("{grade} {} {place} {} · fix: {}", finding.code, finding.message, finding.remedy)
    }
}

impl Built {
    /// `42 KiB sha256:3b1f…`.
    pub(crate) fn summary(&self) -> String {
        let size = Bytes(self.component.len() as u64 / 1024 * 1024);
        format!("{size} {}", short(&self.digest))
    }

    /// The first error of manifest and component together, as a failure.
    pub(crate) fn refuse_errors(&self, project: &Project) -> Result<(), Failure> {
        match self.findings.iter().find(|f| f.is_error()) {
            None => Ok(()),
            Some(finding) => {
                let place = project.line_of(finding).map(|l| format!(":{l}")).unwrap_or_default();
                let what = format!("capsule.toml{place} {}", finding.message);
                Err(Failure::new(finding.code, what).fix(finding.remedy.clone()))
            }
        }
    }
}

/// The head of a digest: enough to recognise it.
pub(crate) fn short(digest: &Digest) -> String {
    let text = digest.to_string();
    format!("{}…", text.chars().take(15).collect::<String>())
}

fn with_flags(command: &str, options: &BuildOptions) -> String {
    let mut command = command.to_owned();
    let is_cargo = command.split_whitespace().next() == Some("cargo");
    for (wanted, flag) in [(options.release, "--release"), (options.locked, "--locked")] {
        if wanted && is_cargo && !command.split_whitespace().any(|word| word == flag) {
            command.push(' ');
            command.push_str(flag);
        }
    }
    command
}

fn build_failed(command: &str, output: &std::process::Output) -> Failure {
    let text = String::from_utf8_lossy(&output.stderr);
    let failure =
        Failure::new(Code::BuildFailed, format!("`{command}` ended with {}", output.status));
    if text.contains("wasm32-wasip2") && text.contains("may not be installed") {
        return failure.fix("rustup target add wasm32-wasip2");
    }
    failure.fix("read its output above")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_are_added_to_cargo_once_and_to_nothing_else() {
        let both = BuildOptions { release: true, locked: true, ..BuildOptions::default() };
        assert_eq!(with_flags("cargo build --release", &both), "cargo build --release --locked");
        assert_eq!(with_flags("make", &both), "make");
        assert_eq!(with_flags("cargo build", &BuildOptions::default()), "cargo build");
    }
}
