//! A disk that is full, and one that only reads: typed errors, nothing half done, and it goes on afterwards.
//!
//! A small tmpfs where the machine lets tests mount one; elsewhere they say that they were skipped.

use std::process::Command;

use super::*;
use crate::config::ServerConfig;

/// A small disk of the test's own.
struct Disk(tempfile::TempDir);

impl Disk {
    #[expect(clippy::print_stderr, reason = "a test that is skipped says so")]
    fn mount(size: &str) -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", &format!("size={size},mode=0700"), "soma-tests"]);
        let done = mount.arg(folder.path()).output();
        if done.is_ok_and(|done| done.status.success()) {
            return Some(Self(folder));
        }
        eprintln!("skipped: tests may not mount here");
        None
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    fn again(&self, how: &str) {
        let how = format!("remount,{how}");
        let done = Command::new("mount").args(["-o", &how]).arg(self.path()).status();
        assert!(done.unwrap().success(), "{how}");
    }

    /// Takes all the room that is left.
    fn fill(&self) {
        use std::io::Write as _;
        let mut file = std::fs::File::create(self.path().join("filler")).unwrap();
        let chunk = [7u8; 4096];
        while file.write_all(&chunk).is_ok() {}
    }

    fn relieve(&self) {
        std::fs::remove_file(self.path().join("filler")).unwrap();
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(self.path()).status();
    }
}

async fn server(disk: &Disk) -> (Server, Arc<FixedClock>) {
    let clock = Arc::new(FixedClock::new(START));
    let config =
        ServerConfig { passwords: COST, ..ServerConfig::embedded(&disk.path().join("home")) };
    std::fs::create_dir(disk.path().join("home")).unwrap();
    let (server, _) = Server::open(&config, clock.clone()).await.unwrap();
    (server, clock)
}

async fn write(server: &Server, bytes: usize) -> Result<(), StoreError> {
    let mut unit = server.store.platform(SCOPE).await?;
    let detail = json!({ "fill": "x".repeat(bytes) });
    let entry = server.note(&server.platform, "user:x", Act::LoggedIn, "x", &detail);
    unit.audit(&entry).await?;
    unit.commit().await
}

async fn sound(server: &Server) {
    Sequencer::default().run(server).await.unwrap();
    let chains = server.verify_chains().await.unwrap();
    assert!(chains.iter().all(|chain| chain.findings.is_empty()), "{chains:?}");
}

#[tokio::test]
async fn a_full_disk_refuses_what_does_not_fit_and_the_server_goes_on_when_there_is_room() {
    let Some(disk) = Disk::mount("12m") else { return };
    let (server, _) = server(&disk).await;
    write(&server, 10).await.unwrap();
    disk.fill();
    let mut refused = None;
    for _ in 0..200 {
        if let Err(error) = write(&server, 64 * 1024).await {
            refused = Some(error);
            break;
        }
    }
    let refused = refused.expect("at some point nothing fits any more");
    assert!(matches!(refused, StoreError::Full | StoreError::Down(_)), "{refused:?}");
    // What was accepted can still be read.
    server.store.survey(SCOPE).await.unwrap().unchained(1).await.unwrap();
    disk.relieve();
    write(&server, 64 * 1024).await.unwrap();
    sound(&server).await;
    server.store.close().await;
}

#[tokio::test]
async fn a_disk_that_only_reads_refuses_writes_and_the_server_goes_on_afterwards() {
    let Some(disk) = Disk::mount("32m") else { return };
    let (server, _) = server(&disk).await;
    write(&server, 10).await.unwrap();
    // Nothing that is open for writing may be remounted: the server is started on the disk as it is.
    server.store.close().await;
    disk.again("ro");
    let config =
        ServerConfig { passwords: COST, ..ServerConfig::embedded(&disk.path().join("home")) };
    let clock = Arc::new(FixedClock::new(START));
    let refused = Server::open(&config, clock.clone()).await.err().unwrap().to_string();
    assert!(!refused.is_empty(), "{refused}");
    disk.again("rw");
    let (server, _) = Server::open(&config, clock).await.unwrap();
    write(&server, 10).await.unwrap();
    sound(&server).await;
    server.store.close().await;
}

#[tokio::test]
async fn a_backup_that_does_not_fit_leaves_nothing_and_fits_when_there_is_room() {
    let Some(disk) = Disk::mount("4m") else { return };
    let it = Deployment::new().await;
    it.fill("acme", 10).await;
    disk.fill();
    let archive = disk.path().join("soma.backup");
    let refused = it.back_up(&archive).await.unwrap_err();
    let typed = matches!(&refused, ContinuityError::Disk { .. } | ContinuityError::Store(_));
    assert!(typed, "{refused:?}");
    disk.relieve();
    assert_eq!(std::fs::read_dir(disk.path()).unwrap().count(), 0, "nothing is left behind");
    it.back_up(&archive).await.unwrap();
    let home = disk.path().join("home");
    disk.fill();
    let refused = super::restore(&archive, &home, WORDS).await.unwrap_err();
    assert!(matches!(refused, ContinuityError::Disk { .. }), "{refused}");
    assert!(!home.exists());
    disk.relieve();
    disk.again("ro");
    let other = disk.path().join("other");
    assert!(matches!(it.back_up(&other).await.unwrap_err(), ContinuityError::Disk { .. }));
    assert!(verify_backup(&archive, None, Some(WORDS)).await.is_ok(), "reading is enough for that");
}
