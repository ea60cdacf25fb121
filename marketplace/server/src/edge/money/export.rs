//! The ledger as a file, CSV or JSON Lines: streamed page by page, so that its length costs no memory.

use axum::body::Body;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use futures::stream;
use http::header::CONTENT_TYPE;
use serde::Deserialize;
use soma_policy::{CapsuleName, Currency, OrgId, Timestamp};
use utoipa::{IntoParams, ToSchema};

use super::super::body::Search;
use super::super::problem::Problem;
use super::Side;
use super::ledgers::{LedgerItem, LedgerQuery, View, page};
use crate::identity::Principal;
use crate::server::Server;
use crate::store::{LedgerFilter, StoreError};

/// Rows of one step.
const STEP: u32 = 500;
const HEADER: &str = "id,posting,cause,at,tenant,author,capsule,environment,installation,service,debit,credit,amount,currency,reverses\r\n";

/// The form of the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(in crate::edge) enum Form {
    /// RFC 4180, with a header line.
    #[default]
    Csv,
    /// One JSON object per line.
    Jsonl,
}

/// Which rows, in which form.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(in crate::edge) struct ExportQuery {
    /// `csv` or `jsonl`.
    #[serde(default)]
    #[param(inline)]
    format: Form,
    /// `tenant` for what the org paid, `author` for what it earned.
    #[serde(default)]
    #[param(inline)]
    side: Side,
    /// Of every org, or of this one: for the platform.
    #[param(value_type = Option<String>)]
    org: Option<OrgId>,
    /// One capsule.
    #[param(value_type = Option<String>)]
    capsule: Option<CapsuleName>,
    /// One service, such as `cpu` or `author-share`.
    service: Option<String>,
    /// One currency.
    #[param(value_type = Option<String>)]
    currency: Option<Currency>,
    /// From this time on (milliseconds).
    #[param(value_type = Option<String>)]
    from: Option<Timestamp>,
    /// Before this time (milliseconds).
    #[param(value_type = Option<String>)]
    until: Option<Timestamp>,
}

/// Where the stream is.
struct Streaming {
    server: Server,
    principal: Principal,
    view: View,
    filter: LedgerFilter,
    form: Form,
    begun: bool,
}

/// The rows of the ledger that the list shows, as one file.
#[utoipa::path(get, path = "/v1/billing/ledgers/export", tag = "billing", params(ExportQuery),
    responses((status = 200, description = "the rows", content_type = "text/csv", body = String)), security(("token" = [])))]
pub(in crate::edge) async fn export(
    State(server): State<Server>,
    principal: Principal,
    Search(query): Search<ExportQuery>,
) -> Result<Response, Problem> {
    let form = query.format;
    let ExportQuery { side, org, capsule, service, currency, from, until, .. } = query;
    let asked = LedgerQuery::of(side, org, capsule, (service, currency), (from, until));
    let (view, mut filter) = asked.judge(&server, &principal)?;
    filter.limit = STEP;
    let at = Streaming { server, principal, view, filter, form, begun: false };
    // The first page is read before the answer begins, so that a database that is down is a problem.
    let first = at.next().await?;
    let rest = stream::try_unfold(first, |step| async move {
        match step {
            None => Ok(None),
            Some((bytes, at)) => {
                let next = at.next().await?;
                Ok::<_, StoreError>(Some((bytes, next)))
            }
        }
    });
    let kind = match form {
        Form::Csv => "text/csv; charset=utf-8",
        Form::Jsonl => "application/jsonl",
    };
    Ok(([(CONTENT_TYPE, kind)], Body::from_stream(rest)).into_response())
}

impl Streaming {
    /// The next piece; none at the end.
    async fn next(mut self) -> Result<Option<(Bytes, Self)>, StoreError> {
        let rows = page(&self.server, &self.principal, &self.view, &self.filter).await?;
        let header = !self.begun && self.form == Form::Csv;
        let Some((n, place, _)) = rows.last() else {
            let empty = header.then(|| Bytes::from_static(HEADER.as_bytes()));
            self.begun = true;
            return Ok(empty.map(|bytes| (bytes, self)));
        };
        self.filter.after = (*n, *place);
        self.begun = true;
        let mut text = if header { HEADER.to_owned() } else { String::new() };
        for (_, _, item) in &rows {
            match self.form {
                Form::Csv => line(&mut text, item),
                Form::Jsonl => {
                    text.push_str(&serde_json::to_string(item).unwrap_or_default());
                    text.push('\n');
                }
            }
        }
        Ok(Some((Bytes::from(text), self)))
    }
}

fn line(out: &mut String, item: &LedgerItem) {
    let (amount, currency) = (item.amount.number(), item.amount.currency.to_string());
    let none = |text: &Option<String>| text.clone().unwrap_or_default();
    let fields = [
        item.id.clone(),
        item.posting.clone(),
        item.cause.clone(),
        item.at.clone(),
        none(&item.tenant),
        none(&item.author),
        none(&item.capsule),
        none(&item.environment),
        none(&item.installation),
        item.service.clone(),
        item.debit.clone(),
        item.credit.clone(),
        amount,
        currency,
        none(&item.reverses),
    ];
    for (at, field) in fields.iter().enumerate() {
        out.push_str(if at == 0 { "" } else { "," });
        if field.contains([',', '"', '\r', '\n']) {
            out.push('"');
            out.push_str(&field.replace('"', "\"\""));
            out.push('"');
        } else {
            out.push_str(field);
        }
    }
    out.push_str("\r\n");
}
