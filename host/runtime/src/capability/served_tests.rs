//! What is linked is exactly what soma-wit lists as served: every function of it, by nothing else than its own kind, and
//! no socket. The components are made from the WIT text, one import of each function.

use soma_capsule::component::{Import, Need};
use soma_policy::CapabilityKind;
use soma_wit::served::{FOLDERS, Needs, SERVED, Served, WIT_DIR};
use wasmtime::component::Component;
use wasmtime::{Engine, Result};
use wit_component::{ComponentEncoder, StringEncoding, dummy_module, embed_component_metadata};
use wit_parser::{LiftLowerAbi, ManglingAndAbi, Resolve};

use crate::engine::{PoolSize, build};
use crate::linker::{Interfaces, Linkers};

/// A component that imports every function of these interfaces and does nothing.
fn importing(interfaces: &[&str]) -> Vec<u8> {
    let mut resolve = Resolve::default();
    for folder in FOLDERS {
        resolve.push_path(std::path::Path::new(WIT_DIR).join(folder)).unwrap();
    }
    let imports: String = interfaces.iter().map(|name| format!("import {name};\n")).collect();
    let world = format!("package test:all; world all {{ {imports} }}");
    let package = resolve.push_str("all.wit", &world).unwrap();
    let world = resolve.select_world(&[package], None).unwrap();
    let abi = ManglingAndAbi::Legacy(LiftLowerAbi::Sync);
    let mut module = dummy_module(&resolve, world, abi);
    embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8).unwrap();
    ComponentEncoder::default().module(&module).unwrap().encode().unwrap()
}

struct Bench {
    engine: Engine,
    linkers: Linkers,
}

impl Bench {
    fn new() -> Self {
        let engine = build(PoolSize::compiler()).unwrap();
        Self { linkers: Linkers::new(engine.clone()), engine }
    }

    fn link(
        &self,
        interfaces: &[&str],
        kinds: impl IntoIterator<Item = CapabilityKind>,
    ) -> Result<()> {
        let component = Component::new(&self.engine, importing(interfaces))?;
        let kinds = kinds.into_iter().fold(Interfaces::default(), Interfaces::with);
        self.linkers.get(kinds)?.instantiate_pre(&component).map(|_| ())
    }
}

fn names(rows: impl Iterator<Item = &'static Served>) -> Vec<&'static str> {
    rows.map(|row| row.interface).collect()
}

fn kind(name: &str) -> CapabilityKind {
    name.parse().unwrap()
}

#[test]
fn every_function_that_is_served_is_linked() {
    let all = names(SERVED.iter());
    Bench::new().link(&all, CapabilityKind::ALL.iter().copied()).unwrap();
}

#[test]
fn the_base_world_is_linked_without_any_capability() {
    let base = names(SERVED.iter().filter(|row| row.needs == Needs::Base));
    Bench::new().link(&base, []).unwrap();
}

#[test]
fn an_interface_is_linked_by_its_own_kind_and_by_no_other() {
    let bench = Bench::new();
    for row in SERVED {
        let own = match row.needs {
            Needs::Base => continue,
            Needs::Capability(name) => vec![kind(name)],
            Needs::Either(one, other) => vec![kind(one), kind(other)],
        };
        for one in &own {
            bench.link(&[row.interface], [*one]).unwrap();
        }
        let others = CapabilityKind::ALL.iter().copied().filter(|kind| !own.contains(kind));
        let refused = bench.link(&[row.interface], others).unwrap_err();
        // The first function that is missing may be of a sister interface that this one uses.
        let package = row.interface.split('/').next().unwrap();
        assert!(format!("{refused:#}").contains(package), "{refused:#}");
    }
}

#[test]
fn no_socket_is_linked_whatever_is_granted() {
    let bench = Bench::new();
    for interface in [
        "tcp",
        "tcp-create-socket",
        "udp",
        "udp-create-socket",
        "ip-name-lookup",
        "instance-network",
    ] {
        let interface = format!("wasi:sockets/{interface}@0.2.12");
        let refused = bench.link(&[&interface], CapabilityKind::ALL.iter().copied()).unwrap_err();
        assert!(format!("{refused:#}").contains("wasi:sockets/"), "{refused:#}");
    }
}

#[test]
fn the_import_analysis_says_what_the_linker_does() {
    for row in SERVED {
        let need = Import::classify(row.interface, false).need;
        let expected = match row.needs {
            Needs::Base => Need::Base,
            Needs::Capability(name) | Needs::Either(name, _) => Need::Capability(kind(name)),
        };
        assert_eq!(need, expected, "{}", row.interface);
    }
}
