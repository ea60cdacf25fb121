//! Tokens for whom a host serves: minted from the home of a host that follows its files, or by the server that a host
//! joined.

use std::path::Path;

use reqwest::Method;
use serde_json::json;

use crate::realm::text;
use crate::{Plane, Soma};

/// Mints a token with these rights from a home.
///
/// # Errors
/// If the command fails.
pub async fn mint(home: &Path, rights: &[&str]) -> anyhow::Result<String> {
    mint_for(home, "local", rights).await
}

/// The same for a tenant.
///
/// # Errors
/// If the command fails.
pub async fn mint_for(home: &Path, tenant: &str, rights: &[&str]) -> anyhow::Result<String> {
    let mut command = Soma::new(home)?.args(["token", "new", "--tenant", tenant, "--ttl", "1h"]);
    for right in rights {
        command = command.args(["--can", right]);
    }
    Ok(command.succeed().await?.stdout.trim().to_owned())
}

/// A narrower token of a server's, by whoever has the wider one.
///
/// # Errors
/// If the server refuses.
pub async fn caller(plane: &Plane, token: &str, caps: &[&str]) -> anyhow::Result<String> {
    let body = json!({ "caps": caps, "seconds": 300 });
    let made = plane.ask(Method::POST, "/v1/tokens", token, &body).await?.made()?;
    text(&made, "access_token")
}
