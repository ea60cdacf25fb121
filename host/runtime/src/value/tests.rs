//! The mapping of docs/reference/values.md, and its agreement with the schemas of soma-capsule.

use serde_json::{Value, json};
use wasmtime::Engine;
use wasmtime::component::types::ComponentItem;
use wasmtime::component::{Component, Type, Val};
use wit_component::{ComponentEncoder, StringEncoding, dummy_module, embed_component_metadata};
use wit_parser::{LiftLowerAbi, ManglingAndAbi, Resolve};

use super::*;

mod checker;
mod generated;

use checker::fits;

const ROOMY: ValueCaps = ValueCaps { depth: 64, nodes: 100_000, bytes: 1 << 20 };

/// A function that takes `a` of a type and returns the same type, as engine types and as schema.
struct Echo {
    params: Vec<(String, Type)>,
    result: Type,
    schema: soma_capsule::schema::FunctionSchema,
}

fn component(wit: &str) -> Vec<u8> {
    let mut resolve = Resolve::default();
    let package = resolve.push_str("test.wit", wit).unwrap();
    let world = resolve.select_world(&[package], None).unwrap();
    let abi = ManglingAndAbi::Legacy(LiftLowerAbi::Sync);
    let mut module = dummy_module(&resolve, world, abi);
    embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8).unwrap();
    ComponentEncoder::default().module(&module).unwrap().encode().unwrap()
}

/// The host's own engine, made once: its pool takes a moment.
fn engine() -> Engine {
    static ENGINE: std::sync::OnceLock<Engine> = std::sync::OnceLock::new();
    let make = || crate::engine::build(crate::engine::PoolSize::compiler()).unwrap();
    ENGINE.get_or_init(make).clone()
}

fn echo(types: &str, ty: &str) -> Echo {
    let wit = format!(
        "package acme:echo; interface api {{ {types} echo: func(a: {ty}) -> {ty}; }}
         world w {{ export api; }}"
    );
    let bytes = component(&wit);
    let schema = soma_capsule::schema::functions(&bytes).unwrap().remove(0);
    let engine = engine();
    let compiled = Component::new(&engine, &bytes).unwrap();
    let exported = compiled.component_type();
    let api = exported.get_export(&engine, "acme:echo/api").unwrap();
    let ComponentItem::ComponentInstance(api) = api.ty else { panic!("an interface") };
    let ComponentItem::ComponentFunc(function) = api.get_export(&engine, "echo").unwrap().ty else {
        panic!("a function")
    };
    let params = function.params().map(|(name, ty)| (name.to_string(), ty)).collect();
    let result = function.results().next().unwrap();
    Echo { params, result, schema }
}

impl Echo {
    fn decode(&self, a: &Value) -> Result<Val, ValueError> {
        args_from_json(&self.params, &json!({"a": a}), &ROOMY).map(|mut args| args.remove(0))
    }

    fn encode(&self, value: &Val) -> Value {
        match result_to_json(
            std::slice::from_ref(value),
            std::slice::from_ref(&self.result),
            &ROOMY,
        )
        .unwrap()
        {
            CallValue::Ok(json) => json,
            CallValue::GuestError(json) => panic!("{json}"),
        }
    }

    /// In and out again gives the canonical form, which the schema accepts both ways.
    fn passes(&self, given: &Value, canonical: &Value) {
        let value = self.decode(given).unwrap_or_else(|error| panic!("{given}: {error}"));
        assert_eq!(&self.encode(&value), canonical, "{given}");
        let args = json!({"a": given});
        assert!(
            fits(&self.schema.input, &self.schema.input, &args),
            "{args} by {}",
            self.schema.input
        );
        let output = &self.schema.output;
        assert!(fits(output, output, canonical), "{canonical} by {output}");
    }

    fn refuses(&self, given: &Value, words: &str) {
        let error = self.decode(given).unwrap_err().to_string();
        assert!(error.contains(words), "{given}: {error}");
    }
}

#[test]
fn small_integers_have_ranges() {
    let u8s = echo("", "u8");
    u8s.passes(&json!(0), &json!(0));
    u8s.passes(&json!(255), &json!(255));
    u8s.passes(&json!(1.0), &json!(1));
    for wrong in [json!(256), json!(-1), json!(1.5), json!("1"), json!(null), json!([]), json!({})]
    {
        u8s.refuses(&wrong, "args.a: expected an integer from 0 to 255, found ");
    }
    for (ty, least, most) in [
        ("s8", -128_i64, 127_i64),
        ("u16", 0, 65_535),
        ("s16", -32_768, 32_767),
        ("u32", 0, 4_294_967_295_i64),
        ("s32", -2_147_483_648, 2_147_483_647),
    ] {
        let echo = echo("", ty);
        echo.passes(&json!(least), &json!(least));
        echo.passes(&json!(most), &json!(most));
        echo.refuses(&json!(least - 1), "expected an integer");
        echo.refuses(&json!(most + 1), "expected an integer");
    }
}

#[test]
fn large_integers_are_decimal_strings() {
    let u64s = echo("", "u64");
    u64s.passes(&json!("18446744073709551615"), &json!("18446744073709551615"));
    u64s.passes(&json!(u64::MAX), &json!("18446744073709551615"));
    u64s.passes(&json!(7), &json!("7"));
    u64s.passes(&json!(9_007_199_254_740_992.0_f64), &json!("9007199254740992"));
    for wrong in [
        json!("+1"),
        json!("01"),
        json!("-1"),
        json!(" 1"),
        json!(""),
        json!("18446744073709551616"),
        json!(1e17),
        json!(0.5),
        json!(-1),
    ] {
        u64s.refuses(&wrong, "expected a decimal string");
    }
    let s64s = echo("", "s64");
    s64s.passes(&json!("-9223372036854775808"), &json!("-9223372036854775808"));
    s64s.passes(&json!(i64::MIN), &json!("-9223372036854775808"));
    s64s.passes(&json!(-7), &json!("-7"));
    for wrong in [json!("-0"), json!("9223372036854775808"), json!(u64::MAX)] {
        s64s.refuses(&wrong, "expected a decimal string");
    }
}

#[test]
fn floats_keep_what_json_cannot_say() {
    let f64s = echo("", "f64");
    f64s.passes(&json!(0.1), &json!(0.1));
    f64s.passes(&json!(3), &json!(3.0));
    for name in ["NaN", "Infinity", "-Infinity"] {
        f64s.passes(&json!(name), &json!(name));
    }
    f64s.refuses(&json!("nan"), "expected a number");
    f64s.refuses(&json!(null), "found null");
    let f32s = echo("", "f32");
    f32s.passes(&json!(0.1), &json!(0.1));
    f32s.passes(&json!("Infinity"), &json!("Infinity"));
    f32s.refuses(&json!(1e39), "within the range of f32");
}

#[test]
fn texts_and_bytes_are_strings() {
    echo("", "string").passes(&json!("é\u{0}"), &json!("é\u{0}"));
    echo("", "bool").passes(&json!(true), &json!(true));
    echo("", "bool").refuses(&json!("true"), "expected a boolean");
    let chars = echo("", "char");
    chars.passes(&json!("🦀"), &json!("🦀"));
    for wrong in [json!(""), json!("ab"), json!(1)] {
        chars.refuses(&wrong, "one character");
    }
    let bytes = echo("", "list<u8>");
    bytes.passes(&json!(""), &json!(""));
    bytes.passes(&json!("AP8="), &json!("AP8="));
    for wrong in [json!("AP8"), json!("AP8=="), json!("A-_="), json!("AP9="), json!([0])] {
        bytes.refuses(&wrong, "base64");
    }
    assert_eq!(echo("", "list<u16>").encode(&Val::List(vec![])), json!([]));
}

#[test]
fn records_and_tuples_are_complete() {
    let types = "record point { x: s32, label: option<string> }";
    let points = echo(types, "list<point>");
    points.passes(&json!([{"x": 1}]), &json!([{"x": 1, "label": null}]));
    points.passes(&json!([{"label": "a", "x": 1}]), &json!([{"x": 1, "label": "a"}]));
    points.refuses(
        &json!([{"x": 1}, {"x": 1, "lable": "a"}]),
        "args.a[1].lable: there is no such field; did you mean \"label\"?",
    );
    points.refuses(&json!([{"x": 1}, {}]), "args.a[1].x: it is missing");
    points.refuses(&json!([{"x": "1"}]), "args.a[0].x: expected an integer");
    points.refuses(&json!([[]]), "expected an object, found an array");
    let pairs = echo("", "tuple<bool, string>");
    pairs.passes(&json!([true, "a"]), &json!([true, "a"]));
    pairs.refuses(&json!([true]), "expected an array of 2 items, found 1 items");
    pairs.refuses(&json!([true, 1]), "args.a[1]: expected a string");
}

#[test]
fn variants_have_exactly_one_case() {
    let types = "variant shape { dot, circle(f64), path(list<u16>) }";
    let shapes = echo(types, "shape");
    shapes.passes(&json!({"dot": null}), &json!({"dot": null}));
    shapes.passes(&json!({"circle": 1.5}), &json!({"circle": 1.5}));
    shapes.refuses(&json!({"dot": 1}), "args.a.dot: expected null");
    shapes.refuses(
        &json!({"circel": 1}),
        "args.a.circel: there is no such field; did you mean \"circle\"?",
    );
    shapes.refuses(&json!({"dot": null, "circle": 1}), "found 2 keys");
    shapes.refuses(&json!({}), "found 0 keys");
    shapes.refuses(&json!("dot"), "an object with one of \"dot\", \"circle\", \"path\"");
    shapes.refuses(&json!({"path": [1, "x"]}), "args.a.path[1]: expected");
}

#[test]
fn enums_and_flags_are_names() {
    let colours = echo("enum colour { red, green }", "colour");
    colours.passes(&json!("green"), &json!("green"));
    colours.refuses(&json!("gren"), "did you mean \"green\"?");
    let perms = echo("flags perms { read, write, run }", "perms");
    perms.passes(&json!([]), &json!([]));
    perms.passes(&json!(["run", "read"]), &json!(["read", "run"]));
    perms.refuses(&json!(["read", "read"]), "args.a[1]: expected each flag once");
    perms.refuses(&json!(["raed"]), "args.a[0]: expected one of");
    perms.refuses(&json!("read"), "expected an array of");
}

#[test]
fn options_tell_none_from_some_none() {
    let once = echo("", "option<u8>");
    once.passes(&json!(null), &json!(null));
    once.passes(&json!(1), &json!(1));
    assert_eq!(args_from_json(&once.params, &json!({}), &ROOMY).unwrap(), [Val::Option(None)]);
    let twice = echo("", "option<option<u8>>");
    twice.passes(&json!(null), &json!(null));
    twice.passes(&json!({"some": null}), &json!({"some": null}));
    twice.passes(&json!({"some": 1}), &json!({"some": 1}));
    twice.refuses(&json!(1), "one of \"some\"");
}

#[test]
fn a_result_below_the_top_is_a_variant() {
    let nested = echo("", "list<result<u8, string>>");
    nested.passes(&json!([{"ok": 1}, {"err": "no"}]), &json!([{"ok": 1}, {"err": "no"}]));
    nested.refuses(&json!([{"ok": "no"}]), "args.a[0].ok: expected an integer");
    let empty = echo("", "list<result>");
    empty.passes(&json!([{"ok": null}, {"err": null}]), &json!([{"ok": null}, {"err": null}]));
}

#[test]
fn a_result_at_the_top_is_unwrapped() {
    let top = echo("", "result<u8, string>");
    let given = |json: &Value| top.decode(json).unwrap();
    let whole =
        |value: Val| result_to_json(&[value], std::slice::from_ref(&top.result), &ROOMY).unwrap();
    assert_eq!(whole(given(&json!({"ok": 7}))), CallValue::Ok(json!(7)));
    assert_eq!(whole(given(&json!({"err": "no"}))), CallValue::GuestError(json!("no")));
    assert_eq!(result_to_json(&[], &[], &ROOMY).unwrap(), CallValue::Ok(json!(null)));
    let plain = echo("", "result");
    let failed = [Val::Result(Err(None))];
    let failed = result_to_json(&failed, std::slice::from_ref(&plain.result), &ROOMY).unwrap();
    assert_eq!(failed, CallValue::GuestError(json!(null)));
    assert!(fits(&top.schema.output, &top.schema.output, &json!(7)));
    let error = top.schema.error.unwrap();
    assert!(fits(&error, &error, &json!("no")));
}

#[test]
fn resources_are_refused_with_a_named_error() {
    let wit =
        "package acme:res; interface api { resource file; echo: func(a: list<borrow<file>>); }
        world w { export api; }";
    let engine = Engine::default();
    let compiled = Component::new(&engine, component(wit)).unwrap();
    let api = compiled.component_type().get_export(&engine, "acme:res/api").unwrap().ty;
    let ComponentItem::ComponentInstance(api) = api else { panic!("an interface") };
    let ComponentItem::ComponentFunc(function) = api.get_export(&engine, "echo").unwrap().ty else {
        panic!("a function")
    };
    let params: Vec<_> = function.params().map(|(name, ty)| (name.to_string(), ty)).collect();
    let error = args_from_json(&params, &json!({"a": [1]}), &ROOMY).unwrap_err();
    assert_eq!(error.reason(), &ValueReason::Resource);
    assert_eq!(error.to_string(), "args.a[0]: it is a resource; JSON cannot carry resources");
    assert_eq!(error.code(), soma_policy::Code::ComponentType);
}

#[test]
fn arguments_are_one_object_of_the_parameters() {
    let one = echo("", "u8");
    let error = |json: Value| args_from_json(&one.params, &json, &ROOMY).unwrap_err();
    assert_eq!(error(json!([1])).to_string(), "args: expected an object, found an array");
    assert_eq!(error(json!({})).to_string(), "args.a: it is missing");
    assert_eq!(error(json!({"a": 1, "b": 2})).path(), "args.b");
    assert_eq!(error(json!({})).code(), soma_policy::Code::InputType);
    let hostile = error(json!({"a": 1, "\u{1b}[31m": 2})).to_string();
    assert!(!hostile.contains('\u{1b}'), "{hostile}");
}

#[test]
fn both_ways_are_capped() {
    let lists = echo("", "list<list<list<u16>>>");
    let json = json!([[[1, 2], [3]], []]);
    let value = lists.decode(&json).unwrap();
    let (nodes, depth) = (9, 3);
    for (caps, words) in [
        (ValueCaps { depth: depth - 1, ..ROOMY }, "deeper than 2 levels"),
        (ValueCaps { nodes: 7, ..ROOMY }, "more than 7 values"),
    ] {
        let error = args_from_json(&lists.params, &json!({"a": json}), &caps).unwrap_err();
        assert!(error.to_string().contains(words), "{error}");
        assert_eq!(error.code(), soma_policy::Code::InputTooComplex);
        let values = std::slice::from_ref(&value);
        let error = result_to_json(values, std::slice::from_ref(&lists.result), &caps).unwrap_err();
        assert!(error.to_string().contains(words), "{error}");
    }
    let exact = ValueCaps { depth, nodes, bytes: 100 };
    args_from_json(&lists.params, &json!({"a": json}), &exact).unwrap();

    let texts = echo("", "list<string>");
    let json = json!(["aaaaaaaa", "bbbbbbbb"]);
    let caps = ValueCaps { bytes: 12, ..ROOMY };
    let error = args_from_json(&texts.params, &json!({"a": json}), &caps).unwrap_err();
    assert_eq!(error.reason(), &ValueReason::TooLarge(12));
    assert_eq!(error.path(), "args.a[1]");
    let value = [texts.decode(&json).unwrap()];
    let error = result_to_json(&value, std::slice::from_ref(&texts.result), &caps).unwrap_err();
    assert_eq!(error.reason(), &ValueReason::TooLarge(12));

    let bytes = echo("", "list<u8>");
    let caps = ValueCaps { nodes: 100, ..ROOMY };
    let json = json!("AAAA".repeat(100));
    let error = args_from_json(&bytes.params, &json!({"a": json}), &caps).unwrap_err();
    assert_eq!(error.reason(), &ValueReason::TooMany(100));
    let value = [Val::List(vec![Val::U8(0); 300])];
    let error = result_to_json(&value, std::slice::from_ref(&bytes.result), &caps).unwrap_err();
    assert_eq!(error.reason(), &ValueReason::TooMany(100));
}

#[test]
fn fields_left_out_count_too() {
    let fields: Vec<String> = (0..50).map(|i| format!("x{i}: option<u8>")).collect();
    let wide = echo(&format!("record wide {{ {} }}", fields.join(", ")), "list<wide>");
    let caps = ValueCaps { nodes: 1_000, ..ROOMY };
    let many = json!({"a": vec![json!({}); 100]});
    let error = args_from_json(&wide.params, &many, &caps).unwrap_err();
    assert_eq!(error.reason(), &ValueReason::TooMany(1_000));
}

#[test]
fn values_that_are_not_of_their_type_are_the_hosts_fault() {
    let one = echo("", "u8");
    for values in [vec![], vec![Val::Bool(true)], vec![Val::U8(1), Val::U8(2)]] {
        let error = result_to_json(&values, std::slice::from_ref(&one.result), &ROOMY).unwrap_err();
        assert!(matches!(error.reason(), ValueReason::Mismatch(_)), "{error}");
        assert_eq!(error.code(), soma_policy::Code::HostFailure);
    }
    let record = echo("record r { x: u8 }", "r");
    for value in [Val::Record(vec![]), Val::Record(vec![("y".into(), Val::U8(1))])] {
        let error =
            result_to_json(&[value], std::slice::from_ref(&record.result), &ROOMY).unwrap_err();
        assert!(matches!(error.reason(), ValueReason::Mismatch(_)));
    }
    for (ty, value) in [
        ("tuple<u8>", Val::Tuple(vec![])),
        ("list<u8>", Val::List(vec![Val::Bool(true)])),
        ("option<result<u8>>", Val::Option(Some(Box::new(Val::Result(Ok(None)))))),
    ] {
        let echo = echo("", ty);
        let error =
            result_to_json(&[value], std::slice::from_ref(&echo.result), &ROOMY).unwrap_err();
        assert!(matches!(error.reason(), ValueReason::Mismatch(_)), "{ty}: {error}");
    }
}

#[test]
fn the_size_is_that_of_the_written_text() {
    let json = json!({"a": [1, "é\n", null, 1.5]});
    assert_eq!(size_of_json(&json), json.to_string().len() as u64);
}

#[test]
fn caps_follow_the_bytes() {
    assert_eq!(ValueCaps::default().nodes, ValueCaps::NODES_MAX);
    assert_eq!(ValueCaps::for_bytes(0), ValueCaps { depth: 64, nodes: 1024, bytes: 0 });
    assert_eq!(ValueCaps::for_bytes(1 << 16).nodes, 1 << 16);
    assert_eq!(ValueCaps::for_bytes(u64::MAX).nodes, ValueCaps::NODES_MAX);
}
