//! People of a control plane: how they log in with two factors, without waiting for a clock.
//!
//! An authenticator is added with its present code; after that the recovery codes prove the second factor, each
//! once.

use anyhow::Context;
use reqwest::Method;
use serde_json::{Value, json};

use crate::authenticator::Authenticator;
use crate::plane::Plane;

/// Somebody with an account and two factors.
#[derive(Debug, Clone)]
pub struct Someone {
    login: String,
    password: String,
    /// Recovery codes that were not used yet.
    codes: Vec<String>,
}

impl Someone {
    /// Gives a person who has only a password a second factor; `token` is theirs.
    ///
    /// # Errors
    /// If the server refuses.
    pub async fn enrol(
        plane: &Plane,
        (login, password): (&str, &str),
        token: &str,
    ) -> anyhow::Result<Self> {
        let again = json!({ "password": password });
        let begun = plane.ask(Method::POST, "/v1/auth/totp", token, &again).await?.made()?;
        let uri = begun.get("uri").and_then(Value::as_str).context("no uri")?;
        let body = json!({ "totp": Authenticator::new(uri)?.code()? });
        let shown = plane.ask(Method::PUT, "/v1/auth/totp", token, &body).await?.made()?;
        let codes = shown.get("recovery_codes").cloned().unwrap_or_default();
        let codes = serde_json::from_value(codes)?;
        Ok(Self { login: login.to_owned(), password: password.to_owned(), codes })
    }

    /// Logs in to an org, with two fresh factors.
    ///
    /// # Errors
    /// If the server refuses, or the recovery codes are used up.
    pub async fn enter(&mut self, plane: &Plane, org: &str) -> anyhow::Result<String> {
        let code = self.codes.pop().context("no recovery code is left")?;
        let body = json!({
            "login": self.login, "password": self.password, "org": org, "recovery_code": code,
        });
        let entered = plane.ask(Method::POST, "/v1/auth/login", "", &body).await?.made()?;
        let token = entered.get("access_token").and_then(Value::as_str);
        Ok(token.context("no token")?.to_owned())
    }
}
