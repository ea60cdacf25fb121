//! The control plane: configuration, database, founding code, listener.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use serde_json::json;
use soma_policy::Code;
use soma_server::continuity::clear_beside;
use soma_server::{BootstrapCode, Server, ServerConfig, SystemClock};

use super::{LAST, asked_to_end, listen, telemetry, threads};
use crate::context::Context;
use crate::failure::Failure;
use crate::output::Report;

/// Reads `server.toml` and the environment.
pub(crate) fn configuration(home: &Path) -> Result<ServerConfig, Failure> {
    ServerConfig::load(home).map_err(|error| {
        let code = error.code();
        Failure::new(code, error.to_string()).fix(code.entry().remedy)
    })
}

/// Removes what a backup or restore that was cut off left beside the home, and says so.
pub(crate) fn tidy(context: &Context) {
    for path in clear_beside(context.home_path()) {
        let path = path.display();
        context.out.note(format!("removed {path}: a backup or restore was cut off and left it"));
    }
}

/// Opens database and keys.
pub(crate) async fn open(
    config: &ServerConfig,
) -> Result<(Server, Option<BootstrapCode>), Failure> {
    Server::open(config, Arc::new(SystemClock)).await.map_err(|error| {
        let code = match &error {
            soma_server::OpenError::Store(_) | soma_server::OpenError::Law(_) => Code::StoreDown,
            soma_server::OpenError::Config(inner) => inner.code(),
            _ => Code::HomeUnsafe,
        };
        Failure::new(code, Failure::chain(&error)).fix(code.entry().remedy)
    })
}

/// Serves the control plane alone until SIGINT or SIGTERM.
pub(crate) fn run(context: &Context, at: SocketAddr) -> Result<(), Failure> {
    telemetry(context);
    tidy(context);
    let config = configuration(context.home_path())?;
    soma_host::home::make_folder(context.home_path())?;
    let runtime = threads("soma-server", None)?;
    let ended = runtime.block_on(async {
        let (listener, address) = listen(at).await?;
        let stop = asked_to_end()?;
        let (server, code) = open(&config).await?;
        tell_code(context, code.as_ref());
        let url = format!("http://{address}");
        let value = json!({ "role": "server", "url": url, "unfounded": code.is_some() });
        let text = format!("ready {url} · server");
        context.out.event(&Report::new("soma.serve.v1", value, text))?;
        let served = server.serve(listener, stop.cancelled_owned()).await;
        served.map_err(|e| Failure::new(Code::HostFailure, format!("the listener failed: {e}")))?;
        context.out.note("ended");
        Ok(())
    });
    runtime.shutdown_timeout(LAST);
    ended
}

/// The code goes to whoever runs the process, and nowhere else.
fn tell_code(context: &Context, code: Option<&BootstrapCode>) {
    if let Some(code) = code {
        let code = code.expose();
        context
            .out
            .note(format!("nobody has come yet · founding code {code} · soma login --found"));
    }
}

/// Reads the configuration as the server would, and says what it comes to.
pub(crate) fn check(context: &Context) -> Result<(), Failure> {
    let config = configuration(context.home_path())?;
    let text = format!("right · {:?} · keys {}", config.database, config.keys.display());
    let value = json!({ "ok": true, "database": format!("{:?}", config.database) });
    Ok(context.out.report(&Report::new("soma.serve.check.v1", value, text))?)
}
