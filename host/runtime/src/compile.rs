//! Compiling in a child process: Cranelift can be neither cancelled nor capped in process.
//!
//! The child is this very program with a hidden argument. It lowers its own limits before it reads
//! a byte, takes the component on standard input and gives machine code on standard output. The
//! parent bounds time and output. Deliberately absent: trust. What comes back is only ever loaded
//! by the cache, which authenticates it.

use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use soma_policy::Code;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::process::{Child, Command};

mod child;
pub use child::child_main;

/// Machine code may be larger than the component, but not without bound.
const OUTPUT_MAX: u64 = 512 << 20;
const STDERR_MAX: u64 = 8 << 10;

/// How the compiler is started and how long it may take.
#[derive(Debug, Clone)]
pub struct Compiler {
    program: PathBuf,
    argument: String,
    wall_max: Duration,
    at_once: std::sync::Arc<tokio::sync::Semaphore>,
}

/// Why a component could not be compiled. The component is at fault unless it says otherwise.
#[derive(Debug, thiserror::Error)]
pub enum CompileError {
    /// The component would take longer to compile than it may.
    #[error("compiling took more than {} s", .0.as_secs())]
    TooSlow(Duration),
    /// The compiler ran into its memory or CPU limit.
    #[error("compiling needed more memory or CPU than it may: {0}")]
    TooLarge(String),
    /// The compiler refused the component.
    #[error("the compiler refused the component: {0}")]
    Refused(String),
    /// The child process could not be started or spoken to.
    #[error("the compiler process failed")]
    Process(#[source] std::io::Error),
}

impl CompileError {
    /// The stable code, where the component is at fault and not the host.
    #[must_use]
    pub const fn code(&self) -> Option<Code> {
        match self {
            Self::TooSlow(_) => Some(Code::CompileTimeout),
            Self::TooLarge(_) => Some(Code::CompileMemory),
            Self::Refused(_) => Some(Code::CompileFailed),
            Self::Process(_) => None,
        }
    }
}

impl Compiler {
    /// Runs `program argument` for each component, one or two at a time.
    #[must_use]
    pub fn new(program: PathBuf, argument: &str, wall_max: Duration) -> Self {
        let at_once = std::sync::Arc::new(tokio::sync::Semaphore::new(2));
        Self { program, argument: argument.to_owned(), wall_max, at_once }
    }

    /// Compiles one component to machine code for the engine of [`crate::engine::build`].
    ///
    /// # Errors
    /// [`CompileError`]; nothing is left running.
    pub async fn compile(&self, component: &[u8]) -> Result<Vec<u8>, CompileError> {
        let _slot = self.at_once.acquire().await.map_err(|_| closed())?;
        let mut child = self.spawn().map_err(CompileError::Process)?;
        let work = tokio::time::timeout(self.wall_max, exchange(&mut child, component)).await;
        match work {
            Ok(done) => done,
            Err(_) => {
                child.kill().await.map_err(CompileError::Process)?;
                Err(CompileError::TooSlow(self.wall_max))
            }
        }
    }

    fn spawn(&self) -> std::io::Result<Child> {
        let mut command = Command::new(&self.program);
        command.arg(&self.argument).env_clear();
        // It may write no file, so it would be ended for the profile that an instrumented build leaves.
        #[cfg(coverage)]
        command.env("LLVM_PROFILE_FILE", "/dev/null");
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command.kill_on_drop(true).spawn()
    }
}

fn closed() -> CompileError {
    CompileError::Process(std::io::Error::other("the compiler is shut down"))
}

async fn exchange(child: &mut Child, component: &[u8]) -> Result<Vec<u8>, CompileError> {
    let (Some(mut stdin), Some(stdout), Some(stderr)) =
        (child.stdin.take(), child.stdout.take(), child.stderr.take())
    else {
        return Err(closed());
    };
    let send = async move {
        // A child that gives up early closes the pipe; its own words then say why.
        let sent = stdin.write_all(component).await;
        drop(stdin);
        sent
    };
    let mut code = Vec::new();
    let mut words = Vec::new();
    let mut stdout = stdout.take(OUTPUT_MAX);
    let mut stderr = stderr.take(STDERR_MAX);
    let read_code = stdout.read_to_end(&mut code);
    let read_words = stderr.read_to_end(&mut words);
    let (_, got, _) = tokio::join!(send, read_code, read_words);
    got.map_err(CompileError::Process)?;
    let status = child.wait().await.map_err(CompileError::Process)?;
    let words = String::from_utf8_lossy(&words).trim().to_owned();
    match status.code() {
        Some(0) => Ok(code),
        Some(child::REFUSED) => Err(CompileError::Refused(words)),
        _ => Err(CompileError::TooLarge(format!("{status}"))),
    }
}
