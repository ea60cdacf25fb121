//! Persons, as operators see them; each person sees and may erase themselves.

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::json;
use soma_policy::UserId;
use utoipa::ToSchema;

use super::body::{At, Body, Search};
use super::etag::{IfMatch, stale};
use super::page::{Listed, Paging};
use super::problem::Problem;
use super::reply::Reply;
use crate::audit::Act;
use crate::identity::{GivenPassword, Principal, judge_password};
use crate::server::Server;
use crate::store::{PlatformScope, PlatformUnit, User, UserState};

const TEXT_CHARS_MAX: usize = 200;
const LOGIN_CHARS_MAX: usize = 64;

/// Somebody new.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewPerson {
    /// The login name: 3 to 64 of a-z, 0-9, `.`, `_`, `-` and `@`.
    login: String,
    /// The name.
    name: String,
    /// An address, if there is one.
    email: Option<String>,
    /// The password: at least 12 characters.
    #[schema(value_type = String)]
    password: GivenPassword,
}

/// Somebody new, checked, with the password hashed.
pub(super) struct Person {
    login: String,
    name: String,
    email: Option<String>,
    pub(super) password: String,
}

impl Person {
    pub(super) fn fields(&self) -> (&str, &str, Option<&str>) {
        (&self.login, &self.name, self.email.as_deref())
    }
}

/// Checks somebody new and hashes the password. Slow on purpose: never inside a unit.
pub(super) async fn person(server: &Server, new: NewPerson) -> Result<Person, Problem> {
    let NewPerson { login, name, email, password } = new;
    let plain = |b: u8| {
        b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'.' | b'_' | b'-' | b'@')
    };
    if !(3..=LOGIN_CHARS_MAX).contains(&login.len()) || !login.bytes().all(plain) {
        return Err(Problem::field("login", "it is 3 to 64 of a-z, 0-9, `.`, `_`, `-` and `@`"));
    }
    let name = short_text("name", &name)?.to_owned();
    if let Some(email) = &email {
        let email = short_text("email", email)?;
        if !email.contains('@') {
            return Err(Problem::field("email", "it holds an `@`"));
        }
    }
    judge_password(password.as_str(), &login)?;
    let password = server.passwords.hash(password.take()).await?;
    Ok(Person { login, name, email, password })
}

/// A line of text for people: not empty, not long, nothing that controls a terminal.
pub(super) fn short_text<'a>(field: &str, text: &'a str) -> Result<&'a str, Problem> {
    let text = text.trim();
    let sound = !text.is_empty()
        && text.chars().count() <= TEXT_CHARS_MAX
        && !text.chars().any(char::is_control);
    let rule = "it has 1 to 200 characters, none of them a control character";
    if sound { Ok(text) } else { Err(Problem::field(field, rule)) }
}

/// Locks or unlocks.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct UserChange {
    /// `active` or `locked`.
    state: UserState,
}

/// Every person. For operators.
#[utoipa::path(get, path = "/v1/users", tag = "users", params(Paging),
    responses((status = 200, description = "a page", body = Listed<User>)), security(("token" = [])))]
pub(super) async fn list(
    State(server): State<Server>,
    principal: Principal,
    Search(paging): Search<Paging>,
) -> Result<Response, Problem> {
    let mut unit = server.store.survey(principal.operating()?).await?;
    let rows = unit.users(&paging.after()?, paging.limit()? + 1).await?;
    Ok(Reply::ok(&paging.page(rows, |it| it.user.to_string())?).into_response())
}

/// One person: oneself, or anybody for operators.
#[utoipa::path(get, path = "/v1/users/{user}", tag = "users", params(("user" = String, Path)),
    responses((status = 200, description = "the person", body = User)), security(("token" = [])))]
pub(super) async fn show(
    State(server): State<Server>,
    principal: Principal,
    At(user): At<UserId>,
) -> Result<Response, Problem> {
    let mut unit = server.store.survey(own_or_operating(&principal, user)?).await?;
    let found = find(&mut unit, user).await?;
    Ok(Reply::ok(&found).version(found.version).into_response())
}

/// Locks a person out, or lets them in again. For operators with two fresh factors.
#[utoipa::path(patch, path = "/v1/users/{user}", tag = "users", request_body = UserChange,
    params(("user" = String, Path), ("If-Match" = String, Header, description = "the ETag that was read")),
    responses((status = 200, description = "the person", body = User)), security(("token" = [])))]
pub(super) async fn update(
    State(server): State<Server>,
    principal: Principal,
    At(user): At<UserId>,
    if_match: IfMatch,
    Body { value, .. }: Body<UserChange>,
) -> Result<Response, Problem> {
    let scope = principal.operating()?;
    principal.must_be_fresh(&server)?;
    if value.state == UserState::Erased || principal.user() == Some(user) {
        return Err(Problem::field("state", "it is `active` or `locked`, and not one's own"));
    }
    let mut unit = server.store.platform(scope).await?;
    let version = if_match.judge(find(&mut unit, user).await?.version)?;
    if !unit.set_user_state(user, version, value.state).await? {
        return Err(stale());
    }
    if value.state == UserState::Locked {
        server.cut_person(&mut unit, user).await?;
    }
    let (actor, detail) = (principal.subject.to_string(), json!({ "state": value.state.as_str() }));
    let entry = server.note(&server.platform, &actor, Act::UserChanged, user, &detail);
    unit.audit(&entry).await?;
    let changed = find(&mut unit, user).await?;
    unit.commit().await?;
    server.bell.notify_one();
    Ok(Reply::ok(&changed).version(changed.version).into_response())
}

/// Erases a person's data: oneself, or anybody for operators. Needs two fresh factors.
#[utoipa::path(delete, path = "/v1/users/{user}", tag = "users", params(("user" = String, Path)),
    responses((status = 204, description = "done")), security(("token" = [])))]
pub(super) async fn erase(
    State(server): State<Server>,
    principal: Principal,
    At(user): At<UserId>,
) -> Result<Response, Problem> {
    let scope = own_or_operating(&principal, user)?;
    principal.must_be_whole()?;
    principal.must_be_fresh(&server)?;
    let mut unit = server.store.platform(scope).await?;
    find(&mut unit, user).await?;
    heads_remain(&mut unit, user).await?;
    server.cut_person(&mut unit, user).await?;
    if !unit.erase_user(user).await? {
        return Err(Problem::not_found("person"));
    }
    let actor = principal.subject.to_string();
    let entry = server.note(&server.platform, &actor, Act::UserErased, user, &json!({}));
    unit.audit(&entry).await?;
    unit.commit().await?;
    server.bell.notify_one();
    Ok(Reply::nothing().into_response())
}

fn own_or_operating(principal: &Principal, user: UserId) -> Result<PlatformScope, Problem> {
    if principal.user() == Some(user) && principal.whole {
        return Ok(PlatformScope::of("oneself"));
    }
    principal.operating().map_err(|_| Problem::not_found("person"))
}

async fn find(unit: &mut PlatformUnit, user: UserId) -> Result<User, Problem> {
    unit.user(user).await?.ok_or_else(|| Problem::not_found("person"))
}

/// Erasing somebody leaves no org without a head.
async fn heads_remain(unit: &mut PlatformUnit, user: UserId) -> Result<(), Problem> {
    for membership in unit.memberships_of(user).await? {
        if membership.role.is_head() && unit.heads_of(&membership.org).await? <= 1 {
            let what = format!("the person is the last head of `{}`", membership.org);
            return Err(Problem::new(soma_policy::Code::LastHead, what));
        }
    }
    Ok(())
}
