//! Installing from a marketplace: the release is looked up, every right is shown, the tenant's yes names the plan.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use soma_policy::{CapsuleFacts, CapsuleName, Code, InstallationId, LimitsAsk, OfferSpec};

use super::Install;
use crate::client::{Ask, ServerClient};
use crate::command::list::word;
use crate::context::{Context, Place};
use crate::failure::Failure;
use crate::output::{Report, neutral};
use crate::run::block_on;
use crate::spec::{Expanded, bind_secret, expand};

/// How long hosts may take to run what was installed, and how often they are asked.
const PATIENCE: Duration = Duration::from_secs(30);
const AGAIN: Duration = Duration::from_millis(100);

/// `publisher/name[@range]`, if it is one and no file is called so.
pub(super) fn named(reference: &str) -> Option<(CapsuleName, semver::VersionReq)> {
    if std::path::Path::new(reference).exists() {
        return None;
    }
    let (name, range) = reference.split_once('@').unwrap_or((reference, "*"));
    Some((name.parse().ok()?, range.parse().ok()?))
}

impl Install {
    pub(super) fn at_server(
        &self,
        context: &Context,
        name: &CapsuleName,
        range: &semver::VersionReq,
    ) -> Result<(), Failure> {
        let id: InstallationId = match &self.id {
            Some(id) => id.clone(),
            None => name.name.parse()?,
        };
        let installed = block_on(async {
            let server = at(context, &self.place).await?;
            let expanded = self.expanded(&server, name, range).await?;
            let spec = serde_json::to_value(&expanded.spec).map_err(unfit)?;
            let route = format!("/v1/installations?id={id}");
            let planned =
                server.send(Ask::post(format!("{route}&dry_run=true"), &spec)).await?.value;
            context.out.note(sheet(&planned));
            if self.dry_run {
                return Ok(planned);
            }
            let plan = word(planned.get("plan"));
            server.send(Ask::post(format!("{route}&plan={plan}"), &spec)).await?;
            until_active(&server, &id).await
        })?;
        let text =
            if self.dry_run { format!("would install {name} as {id}") } else { line(&installed) };
        Ok(context.out.report(&Report::new("soma.installation.v1", installed, text))?)
    }

    async fn expanded(
        &self,
        server: &ServerClient<'_>,
        name: &CapsuleName,
        range: &semver::VersionReq,
    ) -> Result<Expanded, Failure> {
        let (facts, offer) = release(server, name, range).await?;
        let (tenant, environment) = (self.place.tenant.clone(), self.place.environment.clone());
        let mut expanded = expand(&facts, tenant, environment, &self.without, self.budget)?;
        expanded.spec.offer = Some(offer);
        for binding in &self.secrets {
            bind_secret(&mut expanded.spec, binding)?;
        }
        Ok(expanded)
    }
}

/// What the newest version in range is, and at which offer.
pub(crate) async fn release(
    server: &ServerClient<'_>,
    name: &CapsuleName,
    range: &semver::VersionReq,
) -> Result<(CapsuleFacts, OfferSpec), Failure> {
    let page = server.get(&format!("/v1/capsules/{name}")).await?;
    let version = newest(&page, range).ok_or_else(|| {
        let what = format!("no published version of {name} is in `{range}`");
        Failure::new(Code::ReleaseUnknown, what).fix(format!("soma search {name}"))
    })?;
    let page = server.get(&format!("/v1/capsules/{name}/versions/{version}")).await?;
    Ok((facts(&page, name, version)?, OfferSpec { digest: field(&page, "/offer")? }))
}

/// The newest version that can be installed; one that is deprecated only if there is no other.
fn newest(page: &Value, range: &semver::VersionReq) -> Option<semver::Version> {
    let versions = page.get("versions").and_then(Value::as_array)?;
    let of = |state: &str| {
        let listed = versions.iter().filter(|it| word(it.get("state")) == state);
        let parsed =
            listed.filter_map(|it| word(it.get("version")).parse::<semver::Version>().ok());
        parsed.filter(|version| range.matches(version)).max()
    };
    of("published").or_else(|| of("deprecated"))
}

fn facts(
    page: &Value,
    name: &CapsuleName,
    version: semver::Version,
) -> Result<CapsuleFacts, Failure> {
    Ok(CapsuleFacts {
        name: name.clone(),
        version,
        digest: field(page, "/release/digest")?,
        declarations: field(page, "/declared")?,
        limits_asked: LimitsAsk::default(),
        price: field(page, "/price")?,
        signer: field(page, "/signer")?,
        imports: Vec::new(),
    })
}

pub(crate) fn field<T: serde::de::DeserializeOwned>(
    page: &Value,
    pointer: &str,
) -> Result<T, Failure> {
    let value = page.pointer(pointer).cloned().unwrap_or(Value::Null);
    serde_json::from_value(value).map_err(unfit)
}

pub(crate) fn unfit(error: serde_json::Error) -> Failure {
    Failure::new(
        Code::HostUnreachable,
        format!("the server's answer is of another version: {error}"),
    )
}

/// A plan for people: what is granted, what changes, what has to be agreed to, what it costs.
pub(crate) fn sheet(plan: &Value) -> String {
    let list = |name: &str| -> Vec<String> {
        let items = plan.get(name).and_then(Value::as_array);
        items.into_iter().flatten().map(|it| word(Some(it))).collect()
    };
    let mut lines = vec![format!("{}@{}", word(plan.get("capsule")), word(plan.get("version")))];
    lines.extend(list("granted").iter().map(|it| format!("  {it}")));
    lines.extend(list("changes").iter().map(|it| format!("  {it}")));
    // An ask names its changes again: its first line says what kind it is.
    let first = |it: &String| it.lines().next().unwrap_or_default().to_owned();
    lines.extend(list("asks").iter().map(|it| format!("  ! {}", first(it))));
    match word(plan.get("price")).as_str() {
        "" => {}
        price => lines.push(format!("  a call costs {price}, and what it uses")),
    }
    neutral(&lines.join("\n")).into_owned()
}

/// `csv  acme/csv@1.2.0  active  revision 3`.
pub(crate) fn line(it: &Value) -> String {
    let of = |pointer: &str| word(it.pointer(pointer));
    let mut text = format!(
        "{} · {}@{} · {} · revision {}",
        of("/installation"),
        of("/capsule"),
        of("/active/version"),
        of("/state"),
        of("/active/revision"),
    );
    if !of("/candidate/version").is_empty() {
        let (version, revision) = (of("/candidate/version"), of("/candidate/revision"));
        text.push_str(&format!(" · at its gate: {version}, revision {revision}"));
    }
    if !of("/refused").is_empty() {
        text.push_str(&format!(" · given up: {}", of("/refused")));
    }
    neutral(&text).into_owned()
}

/// Asks until every live host runs it. What takes longer is not an error: it is told as it stands.
pub(crate) async fn until_active(
    server: &ServerClient<'_>,
    id: &InstallationId,
) -> Result<Value, Failure> {
    let since = Instant::now();
    loop {
        let now = server.get(&format!("/v1/installations/{id}")).await?;
        if word(now.get("state")) != "pending" || since.elapsed() > PATIENCE {
            return Ok(now);
        }
        tokio::time::sleep(AGAIN).await;
    }
}

/// The server, for who installs in this place.
pub(crate) async fn at<'a>(
    context: &'a Context,
    place: &Place,
) -> Result<ServerClient<'a>, Failure> {
    context.server(&place.tenant)?.placed(place, &["install", "org:read"]).await
}

/// Removes an installation at the server; hosts stop it.
pub(crate) fn remove(context: &Context, place: &Place, id: &InstallationId) -> Result<(), Failure> {
    let ask = Ask::delete(format!("/v1/installations/{id}"));
    block_on(async { at(context, place).await?.send(ask).await })?;
    let value = json!({ "installation": id, "removed": true });
    Ok(context.out.report(&Report::new("soma.uninstall.v1", value, format!("uninstalled {id}")))?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_a_capsule_and_a_file_is_a_file() {
        assert!(named("acme/csv").is_some() && named("acme/csv@^1.2").is_some());
        assert!(named("csv.wasm").is_none() && named("./a/csv.wasm").is_none());
        assert!(named("acme/csv@^^").is_none());
    }

    #[test]
    fn the_newest_published_version_in_range_is_taken() {
        let page = json!({ "versions": [
            { "version": "2.0.0", "state": "yanked" }, { "version": "1.1.0", "state": "published" },
            { "version": "1.2.0", "state": "deprecated" }, { "version": "0.9.0", "state": "published" } ] });
        let of = |range: &str| newest(&page, &range.parse().unwrap()).map(|it| it.to_string());
        assert_eq!(of("*").as_deref(), Some("1.1.0"));
        assert_eq!(of("=1.2.0").as_deref(), Some("1.2.0"));
        assert_eq!(of("^2"), None);
    }
}
