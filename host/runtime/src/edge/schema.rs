//! Schemas that are not of this room: soma-policy's types bring their own, DSSE envelopes are a standard.

use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
use serde_json::{Map, Value, json};
use soma_policy::{Budget, Denial, InstallationKey, KillOrder, Outcome, Usage};
use utoipa::openapi::schema::{ArrayBuilder, OneOfBuilder, Schema, Type};
use utoipa::openapi::{ObjectBuilder, Ref, RefOr};
use utoipa::{PartialSchema, ToSchema};

pub(super) fn denials() -> RefOr<Schema> {
    ArrayBuilder::new().items(of::<Denial>()).into()
}

pub(super) fn usage() -> RefOr<Schema> {
    of::<Usage>().into()
}

pub(super) fn outcome() -> RefOr<Schema> {
    of::<Outcome>().into()
}

pub(super) fn order() -> RefOr<Schema> {
    of::<KillOrder>().into()
}

pub(super) fn installation() -> RefOr<Schema> {
    of::<InstallationKey>().into()
}

pub(super) fn installations() -> RefOr<Schema> {
    ArrayBuilder::new().items(of::<InstallationKey>()).into()
}

pub(super) fn budget() -> RefOr<Schema> {
    let none = ObjectBuilder::new().schema_type(Type::Null);
    OneOfBuilder::new().item(none).item(of::<Budget>()).into()
}

fn of<T: JsonSchema>() -> Ref {
    Ref::from_schema_name(T::schema_name())
}

/// The schemas that the others refer to by name.
pub(super) fn named() -> Map<String, Value> {
    let settings = SchemaSettings::draft2020_12()
        .with(|settings| settings.definitions_path = "/components/schemas".into());
    let mut generator = settings.into_generator();
    generator.subschema_for::<Denial>();
    generator.subschema_for::<Usage>();
    generator.subschema_for::<Outcome>();
    generator.subschema_for::<KillOrder>();
    generator.subschema_for::<Budget>();
    generator.subschema_for::<InstallationKey>();
    generator.take_definitions(true)
}

/// A problem's body is soma-policy's: what its own schema cannot say is said here.
pub(super) fn complete_problem(schemas: &mut Map<String, Value>) {
    let problem = schemas.get_mut("ProblemBody");
    let fields = problem.and_then(|problem| problem.get_mut("properties"));
    if let Some(fields) = fields.and_then(Value::as_object_mut) {
        let denials =
            json!({ "type": "array", "items": { "$ref": "#/components/schemas/Denial" } });
        fields.insert("denials".to_owned(), denials);
        // Any JSON value: a function's error is its WIT type's to say.
        fields.insert("guest_error".to_owned(), json!({}));
    }
}

/// A DSSE envelope.
#[derive(Debug)]
pub(super) struct Envelope;

impl ToSchema for Envelope {}

impl PartialSchema for Envelope {
    fn schema() -> RefOr<Schema> {
        let text = || ObjectBuilder::new().schema_type(Type::String);
        let signature =
            ObjectBuilder::new().property("keyid", text()).property("sig", text()).required("sig");
        ObjectBuilder::new()
            .property("payload", text())
            .property("payloadType", text())
            .property("signatures", ArrayBuilder::new().items(signature))
            .required("payload")
            .required("payloadType")
            .required("signatures")
            .examples([json!({ "payloadType": "application/vnd.soma.kill-order.v1+json" })])
            .into()
    }
}

/// A signed order, or the question of a dry run. The route reads bytes: what is signed is proven as it came.
#[derive(Debug)]
pub(super) struct KillBody;

impl ToSchema for KillBody {}

impl PartialSchema for KillBody {
    fn schema() -> RefOr<Schema> {
        let either = |name| Ref::from_schema_name(name);
        OneOfBuilder::new().item(either("Envelope")).item(either("DryRun")).into()
    }
}
