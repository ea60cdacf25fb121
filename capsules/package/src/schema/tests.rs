use serde_json::{Value, json};

use super::*;
use crate::component::analyse;
use crate::fixture::component;

fn world(exports: &str) -> Vec<u8> {
    component(&format!(
        "package acme:test; interface api {{ {exports} }} world w {{ export api; }}"
    ))
}

fn only(exports: &str) -> FunctionSchema {
    let mut found = functions(&world(exports)).unwrap();
    assert_eq!(found.len(), 1, "{found:?}");
    found.remove(0)
}

fn refusal(exports: &str) -> SchemaReason {
    let analysis = analyse(&world(exports)).unwrap();
    analysis.uncallable.into_iter().next().unwrap().reason
}

fn output_of(ty: &str) -> Value {
    let mut output = only(&format!("f: func() -> {ty};")).output;
    output.as_object_mut().unwrap().remove("$schema");
    output
}

#[test]
fn primitives_have_their_ranges() {
    assert_eq!(output_of("bool"), json!({"type": "boolean"}));
    assert_eq!(output_of("u8"), json!({"type": "integer", "minimum": 0, "maximum": 255}));
    assert_eq!(output_of("s16"), json!({"type": "integer", "minimum": -32768, "maximum": 32767}));
    assert_eq!(
        output_of("u32"),
        json!({"type": "integer", "minimum": 0, "maximum": 4_294_967_295_u32})
    );
    assert_eq!(output_of("u64")["type"], json!(["string", "integer"]));
    assert_eq!(output_of("s64")["minimum"], json!(i64::MIN));
    assert_eq!(output_of("f32")["anyOf"][1]["enum"], json!(["NaN", "Infinity", "-Infinity"]));
    assert_eq!(output_of("char"), json!({"type": "string", "minLength": 1, "maxLength": 1}));
    assert_eq!(output_of("string"), json!({"type": "string"}));
}

#[test]
fn composed_types_follow_the_page() {
    assert_eq!(output_of("list<u8>")["contentEncoding"], "base64");
    assert_eq!(output_of("list<string>"), json!({"type": "array", "items": {"type": "string"}}));
    assert_eq!(
        output_of("option<bool>"),
        json!({"anyOf": [{"type": "boolean"}, {"type": "null"}]})
    );
    let nested = output_of("option<option<bool>>");
    assert_eq!(nested["anyOf"][0]["required"], json!(["some"]));
    let pair = output_of("tuple<bool, string>");
    assert_eq!(pair["prefixItems"], json!([{"type": "boolean"}, {"type": "string"}]));
    assert_eq!((&pair["items"], &pair["minItems"]), (&json!(false), &json!(2)));
    let nested_result = output_of("option<result<u8>>");
    assert_eq!(nested_result["anyOf"][0]["oneOf"][0]["required"], json!(["ok"]));
    assert_eq!(nested_result["anyOf"][0]["oneOf"][1]["properties"]["err"], json!({"type": "null"}));
}

#[test]
fn named_types_become_definitions_once() {
    let function = only(
        "record point { x: s32, label: option<string> }
         enum colour { red, green }
         flags perms { read, write }
         variant shape { dot(point), line(tuple<point, point>), none }
         draw: func(shapes: list<shape>, colour: colour, perms: option<perms>) -> point;",
    );
    let defs = function.input["$defs"].as_object().unwrap();
    assert_eq!(defs.keys().collect::<Vec<_>>(), ["shape", "point", "colour", "perms"]);
    assert_eq!(defs["point"]["required"], json!(["x"]));
    assert_eq!(defs["point"]["additionalProperties"], json!(false));
    assert_eq!(defs["colour"], json!({"type": "string", "enum": ["red", "green"]}));
    assert_eq!(defs["perms"]["uniqueItems"], json!(true));
    let dot = &defs["shape"]["oneOf"][0];
    assert_eq!(dot["properties"]["dot"], json!({"$ref": "#/$defs/point"}));
    assert_eq!(defs["shape"]["oneOf"][2]["properties"]["none"], json!({"type": "null"}));
    assert_eq!(function.input["required"], json!(["shapes", "colour"]));
    assert_eq!(function.output["$ref"], "#/$defs/point");
}

#[test]
fn two_types_of_one_name_stay_apart() {
    let wit = "package acme:test;
        interface a { record item { x: u8 } }
        interface b { record item { y: string } }
        interface api { use a.{item as item-a}; use b.{item as item-b};
            f: func(one: item-a, two: item-b); }
        world w { export api; }";
    let analysis = analyse(&component(wit)).unwrap();
    let defs = analysis.functions[0].input["$defs"].as_object().unwrap();
    assert_eq!(defs.len(), 2, "{defs:?}");
    assert_ne!(defs.values().next(), defs.values().nth(1));
}

#[test]
fn a_result_at_the_top_is_unwrapped() {
    let function = only("f: func() -> result<string, u8>;");
    assert_eq!(function.output["type"], "string");
    assert_eq!(function.error.unwrap()["maximum"], 255);
    let function = only("f: func() -> result;");
    assert_eq!(function.output["type"], "null");
    assert_eq!(function.error.unwrap()["type"], "null");
    let function = only("f: func();");
    assert_eq!(function.output["type"], "null");
    assert_eq!(function.error, None);
}

#[test]
fn signatures_read_as_wit() {
    let function = only(
        "record p { x: u8 } f: func(a: list<p>, b: tuple<u8, option<s64>>) -> result<_, string>;",
    );
    assert_eq!(
        function.signature,
        "f: func(a: list<p>, b: tuple<u8, option<s64>>) -> result<_, string>"
    );
    assert_eq!(function.interface.as_deref(), Some("acme:test/api"));
}

#[test]
fn resources_are_refused_by_name() {
    let reason = refusal("resource file; open: func() -> file;");
    assert_eq!(reason, SchemaReason::Resource { path: "result".into() });
    let reason = refusal("resource file; close: func(all: list<tuple<u8, borrow<file>>>);");
    assert_eq!(reason, SchemaReason::Resource { path: "args.all[][1]".into() });
    let reason = refusal("resource file { size: func() -> u64; }");
    assert_eq!(reason, SchemaReason::Method);
}

#[test]
fn functions_that_share_a_name_are_called_with_their_interface() {
    let wit = "package acme:test@1.0.0;
        interface csv { parse: func(text: string); write: func(); }
        interface json { parse: func(text: string); }
        world w { export csv; export json; }";
    let analysis = analyse(&component(wit)).unwrap();
    let names: Vec<&str> = analysis.functions.iter().map(|f| f.name.as_str()).collect();
    assert_eq!(names, ["csv.parse", "write", "json.parse"]);
    assert_eq!(analysis.function("csv.parse").unwrap().export, "parse");
    assert!(analysis.function("parse").is_none());
}

#[test]
fn a_schema_that_would_blow_up_is_capped() {
    // Anonymous tuples of tuples: each level doubles what is written.
    let mut ty = "u16".to_string();
    for _ in 0..14 {
        ty = format!("tuple<{ty}, {ty}>");
    }
    assert_eq!(refusal(&format!("f: func() -> {ty};")), SchemaReason::TooLarge(10_000));
}

#[test]
fn shared_named_types_do_not_blow_up() {
    let mut types = String::from("record r0 { a: u8, b: u8 }");
    for level in 1..30 {
        let below = level - 1;
        types.push_str(&format!("record r{level} {{ a: r{below}, b: r{below} }}"));
    }
    // The component model bounds the flattened size, so the sharing goes through a list.
    let function =
        only(&format!("{} f: func() -> list<r9>;", types.split("record r10").next().unwrap()));
    assert_eq!(function.output["$defs"].as_object().unwrap().len(), 10);
    assert!(function.output.to_string().len() < 4_000);
}

#[test]
fn caps_count_depth_and_functions() {
    let wit = "package acme:test; world w {
        export a: func() -> list<list<list<u16>>>; export b: func(); export c: func(); }";
    let wit_component::DecodedWasm::Component(resolve, world) =
        wit_component::decode(&component(wit)).unwrap()
    else {
        panic!("a component")
    };
    let caps = SchemaCaps { depth: 2, functions: 2, ..SchemaCaps::DEFAULT };
    let (described, refused) = of_world(&resolve, world, &caps);
    assert_eq!(described.len(), 1);
    let reasons: Vec<&SchemaReason> = refused.iter().map(|error| &error.reason).collect();
    assert_eq!(reasons, [&SchemaReason::TooDeep(2), &SchemaReason::TooMany(2)]);
}

#[test]
fn endless_names_are_refused() {
    let long = "a".repeat(200);
    let reason = refusal(&format!("record r {{ {long}: u8 }} f: func(r: r);"));
    assert_eq!(reason, SchemaReason::LongName(128));
}
