//! A small disk of a test's own: a tmpfs where the machine lets tests mount one.

use std::io::Write as _;
use std::path::Path;
use std::process::Command;

use anyhow::ensure;
use tempfile::TempDir;

/// A mounted tmpfs; it goes away with the value.
pub struct Disk(TempDir);

impl Disk {
    /// Mounts one of a size such as `12m`; none where tests may not mount, which is said.
    ///
    /// # Errors
    /// If no folder can be made.
    #[expect(clippy::print_stderr, reason = "a test that is skipped says so")]
    pub fn mount(size: &str) -> anyhow::Result<Option<Self>> {
        let folder = tempfile::Builder::new().prefix("soma-disk-").tempdir()?;
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", &format!("size={size},mode=0700"), "soma-tests"]);
        if mount.arg(folder.path()).output().is_ok_and(|done| done.status.success()) {
            return Ok(Some(Self(folder)));
        }
        eprintln!("skipped: tests may not mount here");
        Ok(None)
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.0.path()
    }

    /// Makes it one that only reads (`ro`), or one that writes again (`rw`). Nothing may be open for writing.
    ///
    /// # Errors
    /// If it cannot be mounted so.
    pub fn again(&self, how: &str) -> anyhow::Result<()> {
        let options = format!("remount,{how}");
        let done = Command::new("mount").args(["-o", &options]).arg(self.path()).status()?;
        ensure!(done.success(), "{options} ended with {done}");
        Ok(())
    }

    /// Takes all the room that is left.
    ///
    /// # Errors
    /// If nothing can be written at all.
    pub fn fill(&self) -> anyhow::Result<()> {
        let mut file = std::fs::File::create(self.path().join("filler"))?;
        let chunk = [7_u8; 4096];
        while file.write_all(&chunk).is_ok() {}
        Ok(())
    }

    /// Gives the room back.
    ///
    /// # Errors
    /// If it was not taken.
    pub fn relieve(&self) -> anyhow::Result<()> {
        Ok(std::fs::remove_file(self.path().join("filler"))?)
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        // What is left open keeps it for a moment, and nobody sees it any more.
        let _ = Command::new("umount").arg("-l").arg(self.path()).status();
    }
}
