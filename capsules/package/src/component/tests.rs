use proptest::prelude::*;
use soma_policy::{CapabilityKind, Code};

use super::*;
use crate::fixture::{Damage, component, importing};

const GREET: &str = r#"
    package acme:greeter;
    world greeter {
        export greet: func(name: string) -> string;
    }
"#;

fn needs(interfaces: &[&str]) -> Vec<Need> {
    let analysis = analyse(&importing(interfaces)).unwrap();
    analysis.imports.iter().map(|import| import.need).collect()
}

#[test]
fn imports_and_exports_are_listed() {
    let analysis = analyse(&component(GREET)).unwrap();
    assert!(analysis.imports.is_empty());
    assert_eq!(analysis.exports, [Export { name: "greet".into(), kind: ExportKind::Function }]);
    assert_eq!(analysis.functions.len(), 1);
    assert_eq!(analysis.functions[0].signature, "greet: func(name: string) -> string");
    assert!(analysis.function("greet").is_some());
    assert!(analysis.function("gret").is_none());
    assert!(!analysis.serves_http());
    assert_eq!((analysis.shape.components, analysis.shape.depth), (0, 2));
}

#[test]
fn what_toolchains_always_import_is_base() {
    let base = [
        "wasi:io/error@0.2.0",
        "wasi:io/poll@0.2.3",
        "wasi:io/streams@0.2.6",
        "wasi:cli/environment@0.2.0",
        "wasi:cli/exit@0.2.3",
        "wasi:cli/stdin@0.2.3",
        "wasi:cli/stdout@0.2.3",
        "wasi:cli/stderr@0.2.3",
        "wasi:cli/terminal-input@0.2.3",
        "wasi:cli/terminal-output@0.2.3",
        "wasi:cli/terminal-stdin@0.2.3",
        "wasi:cli/terminal-stdout@0.2.3",
        "wasi:cli/terminal-stderr@0.2.3",
        "wasi:clocks/monotonic-clock@0.2.3",
        "wasi:clocks/wall-clock@0.2.3",
        "wasi:random/random@0.2.3",
        "wasi:random/insecure@0.2.3",
        "wasi:random/insecure-seed@0.2.3",
        "wasi:filesystem/types@0.2.3",
        "wasi:filesystem/preopens@0.2.3",
    ];
    assert_eq!(needs(&base), vec![Need::Base; base.len()]);
}

#[test]
fn each_capability_is_needed_by_its_interface() {
    let table = [
        ("wasi:http/outgoing-handler@0.2.0", CapabilityKind::Http),
        ("wasi:http/types@0.2.3", CapabilityKind::Http),
        ("wasi:keyvalue/store@0.2.0-draft", CapabilityKind::Kv),
        ("wasi:keyvalue/atomics@0.2.0-draft", CapabilityKind::Kv),
        ("wasi:keyvalue/batch@0.2.0-draft", CapabilityKind::Kv),
        ("wasi:config/store@0.2.0-rc.1", CapabilityKind::Config),
        ("wasi:logging/logging", CapabilityKind::Logging),
        ("wasi:logging/logging@0.1.0-draft", CapabilityKind::Logging),
        ("soma:secret/secret@0.1.0", CapabilityKind::Secret),
        ("soma:tool/tool@0.1.0", CapabilityKind::Tool),
        ("soma:emit/emit@0.1.0", CapabilityKind::Emit),
        ("soma:budget/budget@0.1.0", CapabilityKind::Budget),
    ];
    for (name, kind) in table {
        assert_eq!(needs(&[name]), [Need::Capability(kind)], "{name}");
    }
}

#[test]
fn releases_match_both_ways_and_prereleases_exactly() {
    let http = Need::Capability(CapabilityKind::Http);
    assert_eq!(needs(&["wasi:http/outgoing-handler@0.2.99"]), [http]);
    assert_eq!(
        needs(&["wasi:http/outgoing-handler@0.2.0-rc-2023-11-10"]),
        [Need::Version("0.2.x")]
    );
    assert_eq!(needs(&["wasi:http/outgoing-handler@0.1.0"]), [Need::Version("0.2.x")]);
    assert_eq!(needs(&["wasi:http/outgoing-handler"]), [Need::Version("0.2.x")]);
    assert_eq!(needs(&["wasi:keyvalue/store@0.2.0-draft2"]), [Need::Version("0.2.0-draft")]);
    assert_eq!(needs(&["wasi:keyvalue/store@0.2.0"]), [Need::Version("0.2.0-draft")]);
    assert_eq!(needs(&["wasi:config/store@0.2.0-draft"]), [Need::Version("0.2.0-rc.1")]);
    assert_eq!(
        needs(&["wasi:logging/logging@0.1.0"]),
        [Need::Version("no version, or 0.1.0-draft")]
    );
    assert_eq!(needs(&["soma:emit/emit@0.2.0"]), [Need::Version("0.1.x")]);
}

#[test]
fn interfaces_that_no_host_offers_are_unknown() {
    assert_eq!(needs(&["wasi:sockets/tcp@0.2.0"]), [Need::Sockets]);
    assert_eq!(needs(&["evil:rootkit/shell@1.0.0"]), [Need::Unknown]);
    assert_eq!(needs(&["plain"]), [Need::Unknown]);
    let slip = Import::classify("wasi:http/outgoing-handlr@0.2.0", false);
    assert_eq!(slip.need, Need::Unknown);
    assert_eq!(slip.suggestion().as_deref(), Some("wasi:http/outgoing-handler"));
    assert_eq!(Import::classify("evil:rootkit/shell@1.0.0", false).suggestion(), None);
}

#[test]
fn types_of_the_world_are_no_imports_but_its_functions_and_resources_are() {
    let wit = "package acme:types; world w {
        record point { x: u8 }
        export draw: func(at: point) -> point; }";
    let analysis = analyse(&component(wit)).unwrap();
    assert_eq!(analysis.imports, []);
    assert_eq!(analysis.functions[0].input["$defs"].as_object().unwrap().len(), 1);
    let wit = "package acme:types; world w { resource r; import ping: func(); export go: func(); }";
    let wanted = analyse(&component(wit)).unwrap().imports;
    let names: Vec<&str> = wanted.iter().map(|import| import.name.as_str()).collect();
    assert_eq!(names, ["r", "ping"]);
    assert!(wanted.iter().all(|import| import.need == Need::Unknown));
}

#[test]
fn wasi_03_gets_its_own_message() {
    let error = analyse(&importing(&["wasi:http/handler@0.3.0"])).unwrap_err();
    assert_eq!(error, ComponentError::Preview3("wasi:http/handler@0.3.0".into()));
    assert_eq!(error.code(), Code::ComponentVersion03);
    let release_candidate = importing(&["wasi:cli/stdin@0.3.0-rc-2025-09-16"]);
    assert!(matches!(analyse(&release_candidate), Err(ComponentError::Preview3(_))));
    assert_eq!(Import::classify("wasi:io/poll@0.3.0", false).need, Need::Preview3);
}

#[test]
fn an_http_handler_makes_its_types_without_a_capability() {
    let wit = r#"
        package acme:site;
        world site {
            import wasi:http/types@0.2.0;
            export wasi:http/incoming-handler@0.2.0;
        }
        package wasi:http@0.2.0 {
            interface types { resource fields { constructor(); } status: func() -> u16; }
            interface incoming-handler { use types.{fields}; handle: func(request: own<fields>); }
        }
    "#;
    let analysis = analyse(&component(wit)).unwrap();
    assert!(analysis.serves_http());
    assert!(analysis.functions.is_empty(), "{:?}", analysis.functions);
    assert!(analysis.uncallable.is_empty(), "{:?}", analysis.uncallable);
    assert!(analysis.imports.iter().all(|import| import.need == Need::Base));
}

#[test]
fn a_handler_of_another_version_serves_nothing() {
    assert_eq!(
        ExportKind::of_interface("wasi:http/incoming-handler@0.2.6"),
        ExportKind::HttpHandler
    );
    assert_eq!(ExportKind::of_interface("wasi:http/incoming-handler@0.1.0"), ExportKind::Ignored);
    assert_eq!(ExportKind::of_interface("wasi:http/incoming-handler"), ExportKind::Ignored);
    assert_eq!(ExportKind::of_interface("wasi:cli/run@0.2.0"), ExportKind::Ignored);
    assert_eq!(ExportKind::of_interface("exports"), ExportKind::Ignored);
    assert_eq!(ExportKind::of_interface("acme:csv/convert@1.0.0"), ExportKind::Interface);
}

#[test]
fn other_files_are_refused_by_name() {
    let module = wat::parse_str("(module)").unwrap();
    let table: [(&[u8], ComponentError, Code); 8] = [
        (
            b"\x7fELF\x02\x01\x01\xc8 and so on",
            ComponentError::Precompiled,
            Code::ComponentPrecompiled,
        ),
        (b"\xcf\xfa\xed\xfe", ComponentError::Precompiled, Code::ComponentPrecompiled),
        (&module, ComponentError::CoreModule, Code::ComponentIsModule),
        (b"(component)", ComponentError::Text, Code::ComponentMalformed),
        (b"  ;; text", ComponentError::Text, Code::ComponentMalformed),
        (b"PK\x03\x04", ComponentError::NotWasm, Code::ComponentMalformed),
        (b"", ComponentError::NotWasm, Code::ComponentMalformed),
        (b"\0asm", ComponentError::NotWasm, Code::ComponentMalformed),
    ];
    for (bytes, error, code) in table {
        let found = analyse(bytes).unwrap_err();
        assert_eq!(found, error);
        assert_eq!(found.code(), code);
        assert!(!found.remedy().is_empty());
    }
}

#[test]
fn a_wit_package_is_not_a_component() {
    let mut resolve = wit_parser::Resolve::default();
    let package = resolve.push_str("test.wit", GREET).unwrap();
    let bytes = wit_component::encode(&resolve, package).unwrap();
    assert_eq!(analyse(&bytes).unwrap_err(), ComponentError::WitPackage);
}

#[test]
fn an_oversize_file_is_refused_unread() {
    let bytes = vec![0; (32 << 20) + 1];
    let error = analyse(&bytes).unwrap_err();
    assert!(matches!(error, ComponentError::Oversize { max: 33_554_432, .. }));
    assert_eq!(error.code(), Code::ComponentTooLarge);
}

#[test]
fn a_cut_component_is_malformed() {
    let bytes = component(GREET);
    let error = analyse(&bytes[..bytes.len() - 3]).unwrap_err();
    assert!(matches!(error, ComponentError::Malformed { .. }), "{error}");
}

#[test]
fn features_that_the_engine_has_off_are_refused() {
    let modules =
        ["(memory i64 1)", "(memory 1 1 shared)", "(type (struct))", "(memory 1) (memory 1)"];
    for module in modules {
        let bytes = wat::parse_str(format!("(component (core module {module}))")).unwrap();
        let error = analyse(&bytes).unwrap_err();
        assert!(matches!(error, ComponentError::Feature { .. }), "{module}: {error}");
        assert_eq!(error.code(), Code::ComponentFeature);
    }
}

fn too_many(bytes: &[u8], limits: &ShapeLimits) -> &'static str {
    match analyse_within(bytes, limits) {
        Err(error @ ComponentError::TooMany { what, .. }) => {
            assert_eq!(error.code(), Code::ComponentTooComplex);
            what
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn each_count_has_its_own_cap() {
    let tight = ShapeLimits::DEFAULT;
    let bytes = wat::parse_str(
        r#"(component
            (core module (type (func)) (type (func (param i32))) (func (type 0)) (func (type 0))
                (memory 1) (table 1 funcref) (global i32 (i32.const 0)) (export "a" (func 0)) (export "b" (func 1)))
            (core module)
            (component (component))
            (component)
            (type (instance)) (type (instance)) (type (instance))
            (alias core export 0 "a" (core func)) (core instance (instantiate 0))
        )"#
        .replace("(alias core export 0 \"a\" (core func)) ", ""),
    )
    .unwrap();
    analyse_within(&bytes, &tight).unwrap();
    let table = [
        ("levels of nesting", ShapeLimits { depth: 2, ..tight }),
        ("core modules", ShapeLimits { modules: 1, ..tight }),
        ("nested components", ShapeLimits { components: 2, ..tight }),
        ("functions", ShapeLimits { functions: 1, ..tight }),
        ("types", ShapeLimits { types: 4, ..tight }),
        ("bytes in one type section", ShapeLimits { type_section_bytes: 3, ..tight }),
        ("imports and exports", ShapeLimits { externs: 1, ..tight }),
        ("instances and aliases", ShapeLimits { definitions: 0, ..tight }),
        ("memories, tables, globals and segments", ShapeLimits { storage: 2, ..tight }),
        ("sections", ShapeLimits { sections: 5, ..tight }),
    ];
    for (what, limits) in table {
        assert_eq!(too_many(&bytes, &limits), what);
    }
}

/// An instance type inside an instance type, and so on: three bytes for each level of recursion
/// in every reader that follows.
fn type_nesting_bomb(levels: usize) -> Vec<u8> {
    let mut body = vec![0x01];
    for _ in 0..levels {
        body.extend([0x42, 0x01, 0x01]);
    }
    body.extend([0x42, 0x00]);
    let mut bytes = b"\0asm\x0d\0\x01\0".to_vec();
    bytes.push(7);
    let mut size = body.len();
    loop {
        let low = (size & 0x7f) as u8;
        size >>= 7;
        bytes.push(if size > 0 { low | 0x80 } else { low });
        if size == 0 {
            break;
        }
    }
    bytes.extend(body);
    bytes
}

#[test]
fn a_type_nesting_bomb_is_refused_before_anything_recurses() {
    assert_eq!(too_many(&type_nesting_bomb(300_000), &ShapeLimits::DEFAULT), "types inside types");
    assert_eq!(
        too_many(&type_nesting_bomb(1_000_000), &ShapeLimits::DEFAULT),
        "bytes in one type section"
    );
    // As deep as is let through: the readers must stand it.
    let error = analyse(&type_nesting_bomb(999)).err();
    assert!(!matches!(error, Some(ComponentError::TooMany { .. })), "{error:?}");
}

#[test]
fn a_type_that_doubles_at_each_level_is_refused() {
    let mut types = String::from("(type $t0 (tuple u8 u8))");
    for level in 1..40 {
        types.push_str(&format!("(type $t{level} (tuple $t{p} $t{p}))", p = level - 1));
    }
    let text = format!(
        r#"(component {types}
            (core module $m (memory (export "m") 1) (func (export "f") (result i32) i32.const 0))
            (core instance $i (instantiate $m))
            (func (export "f") (result $t39)
                (canon lift (core func $i "f") (memory (core memory $i "m"))))
        )"#
    );
    let bytes = wat::parse_str(text).unwrap();
    let error = analyse(&bytes).unwrap_err();
    assert_eq!(error.code(), Code::ComponentMalformed, "{error}");
}

#[test]
fn messages_from_hostile_files_are_cut_and_cleaned() {
    let long = bounded(&"\u{1b}[31mx".repeat(1000));
    assert!(long.chars().count() <= 301);
    assert!(!long.contains('\u{1b}'));
    assert_eq!(bounded("short"), "short");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn no_damage_to_a_component_panics(damage in Damage::any()) {
        let bytes = Damage::apply(&damage, &component(GREET));
        if let Err(error) = analyse(&bytes) {
            prop_assert!(!error.to_string().is_empty());
        }
    }

    #[test]
    fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..256)) {
        let mut file = b"\0asm\x0d\0\x01\0".to_vec();
        file.extend(bytes);
        let _ = analyse(&file);
    }
}
