//! `soma kill sign ORDER|FILE --key NAME`: one more signature on an order.

use std::path::PathBuf;

use reqwest::Method;
use serde_json::{Value, json};
use soma_capsule::dsse::{self, Envelope};
use soma_host::token::Scope;
use soma_policy::{Code, KillOrder, OrderId};

use super::ORDER_KIND;
use crate::client::Access;
use crate::command::key::open_private;
use crate::context::{Context, Place};
use crate::failure::Failure;
use crate::output::Report;
use crate::run::block_on;

/// Add a signature to an order
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  soma kill sign 01JD7Q2M3N4P5R6S7T8V9W0XYZ --key ada\n  soma kill sign stop.json --key ada"
)]
pub(crate) struct Sign {
    /// An order that a host knows, or a file
    #[arg(value_name = "ORDER|FILE")]
    order: String,
    /// The operator's key
    #[arg(long, value_name = "NAME")]
    key: String,
    #[command(flatten)]
    place: Place,
}

impl Sign {
    pub(crate) fn run(&self, context: &Context) -> Result<(), Failure> {
        match self.order.parse::<OrderId>() {
            Ok(order) => self.sign_at_host(context, order),
            Err(_) => self.sign_file(context),
        }
    }

    fn sign_file(&self, context: &Context) -> Result<(), Failure> {
        let path = PathBuf::from(&self.order);
        let bytes = context.read(&path, dsse::ENVELOPE_BYTES_MAX as u64)?;
        let mut envelope = Envelope::from_json(&bytes)?;
        envelope.add_signature(&open_private(context, &self.key)?)?;
        crate::files::write_whole(&path, &envelope.to_json())?;
        let text = format!("signed {} by {}", path.display(), self.key);
        let value = json!({ "file": path, "key": self.key });
        Ok(context.out.report(&Report::new("soma.kill.file.v1", value, text))?)
    }

    fn sign_at_host(&self, context: &Context, order: OrderId) -> Result<(), Failure> {
        let client = context.client()?;
        let access = Access::new(&self.place, &[Scope::Operate]);
        let known = block_on(client.get("/v1/kill-orders", &access))?;
        let document = find(&known, order)?;
        let key = open_private(context, &self.key)?;
        let envelope = dsse::sign_document(ORDER_KIND, &document, &[&key])?;
        let body: Value = serde_json::from_slice(&envelope.to_json())
            .map_err(|e| Failure::new(Code::EnvelopeMalformed, e.to_string()))?;
        let path = format!("/v1/kill-orders/{order}/sign");
        let answer = block_on(client.put(Method::POST, &path, &access, &body))?;
        super::order::told(context, &answer)
    }
}

/// The order's own document, as the host holds it.
pub(crate) fn find(known: &Value, order: OrderId) -> Result<KillOrder, Failure> {
    let id = order.to_string();
    let items = crate::command::list::items_of(known);
    let found = items.iter().find_map(|item| {
        let document = item.get("order").filter(|o| o.is_object()).unwrap_or(item);
        let is_it = document.get("id").and_then(Value::as_str) == Some(id.as_str());
        is_it.then(|| serde_json::from_value::<KillOrder>(document.clone()).ok()).flatten()
    });
    found.ok_or_else(|| {
        Failure::new(Code::NotFound, format!("the host knows no order `{order}`"))
            .fix("GET /v1/kill-orders lists them")
    })
}
