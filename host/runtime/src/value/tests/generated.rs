//! Generated values and generated nonsense: what is accepted survives the way there and back and fits the schema.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::checker::fits;
use super::{Echo, echo};

/// Every composed type at once.
const TYPES: &str = "
    enum colour { red, green, blue }
    flags perms { read, write, run }
    variant shape { dot, circle(f64), named(string) }
    record item {
        n: u64, s: s64, small: s8, f: f32, g: f64, c: char, t: string, b: list<u8>,
        colour: colour, perms: perms, shape: shape, pair: tuple<bool, u16>,
        maybe: option<option<u8>>, left: option<string>, outcome: result<u8, string>, plain: result,
    }";

fn item() -> impl Strategy<Value = Value> {
    let float = prop_oneof![
        any::<f64>().prop_filter("finite", |n| n.is_finite()).prop_map(|n| json!(n)),
        prop::sample::select(vec![json!("NaN"), json!("Infinity"), json!("-Infinity")]),
    ];
    let narrow = any::<f32>().prop_filter("finite", |n| n.is_finite());
    let first =
        (any::<u64>(), any::<i64>(), any::<i8>(), narrow, float, any::<char>(), any::<String>());
    let colour = prop::sample::select(vec!["red", "green", "blue"]);
    let perms = prop::sample::subsequence(vec!["read", "write", "run"], 0..=3);
    let shape = prop_oneof![
        Just(json!({"dot": null})),
        (-1e9..1e9).prop_map(|r: f64| json!({"circle": r})),
        any::<String>().prop_map(|name| json!({"named": name})),
    ];
    let maybe = prop_oneof![
        Just(json!(null)),
        Just(json!({"some": null})),
        any::<u8>().prop_map(|n| json!({"some": n})),
    ];
    let outcome = prop_oneof![
        any::<u8>().prop_map(|n| json!({"ok": n})),
        any::<String>().prop_map(|text| json!({"err": text})),
    ];
    let bytes = prop::collection::vec(any::<u8>(), 0..20);
    let second = (
        bytes,
        colour,
        perms,
        shape,
        any::<(bool, u16)>(),
        maybe,
        any::<Option<String>>(),
        outcome,
    );
    (first, second).prop_map(|((n, s, small, f, g, c, t), (b, colour, perms, shape, pair, maybe, left, outcome))| {
        use base64::Engine as _;
        let b = base64::engine::general_purpose::STANDARD.encode(b);
        let f: f64 = f.to_string().parse().unwrap();
        json!({
            "n": n.to_string(), "s": s.to_string(), "small": small, "f": f, "g": g, "c": c, "t": t, "b": b,
            "colour": colour, "perms": perms, "shape": shape, "pair": pair,
            "maybe": maybe, "left": left, "outcome": outcome, "plain": {"ok": null},
        })
    })
}

/// Any JSON at all, biased towards the names of [`TYPES`].
fn anything() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(json!(null)),
        any::<bool>().prop_map(|b| json!(b)),
        any::<i64>().prop_map(|n| json!(n)),
        any::<f64>().prop_map(|n| json!(n)),
        "[a-z0-9=+/]{0,8}".prop_map(|s| json!(s)),
        prop::sample::select(vec![
            json!("red"),
            json!("read"),
            json!("NaN"),
            json!("18446744073709551615")
        ]),
    ];
    leaf.prop_recursive(4, 32, 6, |inner| {
        let key = prop::sample::select(vec![
            "n", "s", "shape", "dot", "circle", "some", "ok", "err", "pair", "maybe", "zzz",
        ]);
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(|all| json!(all)),
            prop::collection::btree_map(key, inner, 0..5).prop_map(|all| json!(all)),
        ]
    })
}

#[test]
fn generated_values_survive_and_validate() {
    let echo = echo(TYPES, "list<item>");
    proptest!(ProptestConfig::with_cases(128), |(items in prop::collection::vec(item(), 0..4))| {
        let given = json!(items);
        echo.passes(&given, &given);
    });
}

#[test]
fn what_the_host_accepts_the_schema_accepts() {
    let echoes: Vec<Echo> = [
        "item",
        "shape",
        "perms",
        "list<u8>",
        "option<option<u8>>",
        "tuple<bool, u16>",
        "u64",
        "f32",
    ]
    .iter()
    .map(|ty| echo(TYPES, ty))
    .collect();
    proptest!(ProptestConfig::with_cases(512), |(json in anything(), which in 0..8_usize)| {
        let echo = &echoes[which];
        if echo.decode(&json).is_ok() {
            let valid = fits(&echo.schema.input, &echo.schema.input, &json!({"a": json}));
            prop_assert!(valid, "{}", json);
        }
    });
}

#[test]
fn values_of_one_field_replaced_never_panic() {
    let echo = echo(TYPES, "item");
    proptest!(ProptestConfig::with_cases(256), |(mut item in item(), at in any::<prop::sample::Index>(), other in anything())| {
        let object = item.as_object_mut().unwrap();
        let key = object.keys().nth(at.index(object.len())).unwrap().clone();
        object.insert(key.clone(), other);
        match echo.decode(&item) {
            Ok(value) => {
                let valid = fits(&echo.schema.input, &echo.schema.input, &json!({"a": item}));
                prop_assert!(valid, "{}", item);
                let out = echo.encode(&value);
                let valid = fits(&echo.schema.output, &echo.schema.output, &out);
                prop_assert!(valid, "{}", out);
                prop_assert!(echo.decode(&out).is_ok());
            }
            Err(error) => {
                let inside = format!("args.a.{key}");
                prop_assert!(error.path().starts_with(&inside), "{error}");
            }
        }
    });
}
