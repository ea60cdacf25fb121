//! Whether the host of a home belongs to the server beside it, and how it comes to.
//!
//! A host that joined follows the server and not its files, so it joins only when it is asked to. The token is made by the
//! server of this process for this one host; the two ports change with each start, so the address that the host
//! pinned is brought up to date: which server it is stays pinned by its key.

use soma_host::feed::{Joining, enrol};
use soma_host::home::{Home, Server as Pinned};
use soma_policy::Code;
use soma_policy::feed::HostRole;

use super::together::Beside;
use crate::context::Context;
use crate::failure::Failure;

/// The address of a host that nobody calls.
const LISTENS_NOWHERE: &str = "http://127.0.0.1";

/// Joins if that is asked for; says whether the host belongs to the server.
pub(super) async fn settle(
    context: &Context,
    home: &Home,
    beside: &Beside,
    (host_url, join): (&str, bool),
) -> Result<bool, Failure> {
    match home.server()? {
        Some(known) if known.deployment == beside.server.deployment() => {
            moved(home, known, &beside.url)?;
            Ok(true)
        }
        Some(other) => {
            let what = format!("the host of this home belongs to another server, {}", other.url);
            Err(Failure::new(Code::ConfigurationBad, what).fix(
                "run it alone: soma serve --role host, or remove trust/server.toml from the home",
            ))
        }
        None if !join => Ok(false),
        None => {
            joined(home, beside, host_url, HostRole::Host).await?;
            context
                .out
                .note("  the host joined the server: soma search, soma install PUBLISHER/NAME");
            Ok(true)
        }
    }
}

/// The review host beside a server always belongs to it.
pub(super) async fn settle_review(home: &Home, beside: &Beside) -> Result<(), Failure> {
    match home.server()? {
        Some(known) if known.deployment == beside.server.deployment() => {
            moved(home, known, &beside.url)
        }
        // A review host keeps nothing: one of another deployment is enrolled anew.
        _ => joined(home, beside, LISTENS_NOWHERE, HostRole::Review).await,
    }
}

async fn joined(
    home: &Home,
    beside: &Beside,
    host_url: &str,
    role: HostRole,
) -> Result<(), Failure> {
    let made = beside.server.enrolment(role).await.map_err(|error| {
        Failure::new(Code::StoreDown, Failure::chain(&error)).fix(Code::StoreDown.entry().remedy)
    })?;
    let (url, token) = (beside.url.as_str(), made.expose());
    enrol(home, Joining { url, token, address: host_url, role, region: None }).await?;
    Ok(())
}

/// The same server at another port.
fn moved(home: &Home, known: Pinned, url: &str) -> Result<(), Failure> {
    let now = url::Url::parse(url)
        .map_err(|e| Failure::new(Code::ConfigurationBad, format!("`{url}`: {e}")))?;
    if known.url == now {
        return Ok(());
    }
    Ok(Pinned { url: now, ..known }.write(home.layout())?)
}
