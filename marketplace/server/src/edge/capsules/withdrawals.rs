//! What a publisher takes back, and what an operator lets go on after a kill.

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use semver::Version;
use serde::{Deserialize, Serialize};
use serde_json::json;
use soma_market::org::Permission;
use soma_market::release::EntryCommand;
use soma_policy::{Digest, PublisherName};
use utoipa::ToSchema;

use super::views::{CapsuleView, VersionLine, line, view};
use super::{SCOPE, name_of, unknown};
use crate::audit::Act;
use crate::edge::acting::{acting, words};
use crate::edge::body::{At, Body};
use crate::edge::once::Once;
use crate::edge::problem::Problem;
use crate::edge::reply::Reply;
use crate::identity::{Cap, Principal};
use crate::market::MarketError;
use crate::releases::Withdrawal;
use crate::server::Server;

/// What becomes of a release.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, rename_all = "snake_case", tag = "move")]
pub(in crate::edge) enum WithdrawalMove {
    /// Something else is better.
    Deprecate {
        /// Why.
        reason: String,
        /// What to use instead.
        #[serde(default)]
        #[schema(value_type = Option<String>)]
        instead: Option<Version>,
    },
    /// Taken back for now: no new installation.
    Yank {
        /// Why.
        reason: String,
    },
    /// Given back.
    Unyank {
        /// Why.
        reason: String,
    },
    /// Taken back for good: never run again.
    Revoke {
        /// Why.
        reason: String,
    },
}

/// A release that was withdrawn.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::edge) struct Withdrawn {
    /// Where it stands.
    release: VersionLine,
    /// The digest that operators are asked to kill, after a revocation.
    #[schema(value_type = Option<String>)]
    kill: Option<Digest>,
}

/// Why a name may have releases again.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::edge) struct Unfreeze {
    /// Why.
    reason: String,
}

/// Deprecates, yanks, gives back or revokes a release. A revocation stops it on every host, and asks operators for a kill
/// order of its digest.
#[utoipa::path(post, path = "/v1/capsules/{publisher}/{name}/versions/{version}/withdrawal", tag = "releases",
    request_body = WithdrawalMove, params(("publisher" = String, Path), ("name" = String, Path), ("version" = String, Path),
        ("Idempotency-Key" = Option<String>, Header, description = "one effect, however often it is sent")),
    responses((status = 200, description = "the release", body = Withdrawn)), security(("token" = [])))]
pub(in crate::edge) async fn withdraw(
    State(server): State<Server>,
    principal: Principal,
    At((publisher, name, version)): At<(PublisherName, String, Version)>,
    once: Once,
    Body { value, digest }: Body<WithdrawalMove>,
) -> Result<Response, Problem> {
    let name = name_of(publisher, &name)?;
    let revokes = matches!(value, WithdrawalMove::Revoke { .. });
    let wish = match value {
        WithdrawalMove::Deprecate { reason, instead } => {
            Withdrawal::Deprecate(instead, words("reason", &reason)?)
        }
        WithdrawalMove::Yank { reason } => Withdrawal::Yank(words("reason", &reason)?),
        WithdrawalMove::Unyank { reason } => Withdrawal::Unyank(words("reason", &reason)?),
        WithdrawalMove::Revoke { reason } => Withdrawal::Revoke(words("reason", &reason)?),
    };
    let cap = if principal.may(&Cap::Operate) { Cap::Operate } else { Cap::Publish };
    let permission = match revokes {
        true => Permission::ReleaseRevoke,
        false => Permission::ReleaseWithdraw,
    };
    let who = (principal.org.clone(), principal.subject.to_string());
    let mut work = once.platform(&server, who, SCOPE, &digest).await?;
    let by = acting(&server, &mut work, &principal, (cap, permission)).await?;
    let (release, kill) = server.withdraw(&mut work, &by, (&name, &version), wish).await?;
    work.done(Reply::ok(&Withdrawn { release: line(&release), kill })).await
}

/// Lets a name have new releases again after a kill. For operators.
#[utoipa::path(post, path = "/v1/capsules/{publisher}/{name}/unfreeze", tag = "releases", request_body = Unfreeze,
    params(("publisher" = String, Path), ("name" = String, Path)),
    responses((status = 200, description = "the capsule", body = CapsuleView)), security(("token" = [])))]
pub(in crate::edge) async fn unfreeze(
    State(server): State<Server>,
    principal: Principal,
    At((publisher, name)): At<(PublisherName, String)>,
    Body { value, .. }: Body<Unfreeze>,
) -> Result<Response, Problem> {
    let name = name_of(publisher, &name)?;
    let reason = words("reason", &value.reason)?;
    let mut unit = server.store.platform(SCOPE).await?;
    let need = (Cap::Operate, Permission::NamespaceRule);
    let by = acting(&server, &mut unit, &principal, need).await?;
    let row = unit.capsule(&name).await?.ok_or_else(unknown)?;
    let detail = json!({ "reason": reason });
    let next = row.entry.apply(EntryCommand::Unfreeze { by: &by, reason }, server.now())?;
    if !unit.update_entry(row.entry.sequence, &next).await? {
        return Err(MarketError::Raced.into());
    }
    let who = principal.subject.to_string();
    unit.audit(&server.note(&row.org, &who, Act::NameUnfrozen, &name, &detail)).await?;
    let row = unit.capsule(&name).await?.ok_or_else(unknown)?;
    unit.commit().await?;
    server.bell.notify_one();
    Ok(Reply::ok(&view(&row)).into_response())
}
