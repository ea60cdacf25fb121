//! What a component can be called for: its exported functions by the names people use.
//!
//! A function is called by its bare name (`list-issues`) where that names one function only, and one
//! inside an interface always by `interface.function`. Interfaces that toolchains and the standard
//! export for a host of their own are not names that people call; static analysis says which.

use std::collections::HashMap;
use std::sync::Arc;

use soma_capsule::component::ExportKind;
use wasmtime::Engine;
use wasmtime::component::types::{ComponentFunc, ComponentInstance, ComponentItem};
use wasmtime::component::{Component, ComponentExportIndex, Type};

/// Functions of a component that are looked at; a component with more is cut off here.
const FUNCTIONS_MAX: usize = 512;

/// One callable function.
#[derive(Clone)]
pub(crate) struct Export {
    pub(crate) index: ComponentExportIndex,
    pub(crate) params: Arc<[(String, Type)]>,
    pub(crate) results: Arc<[Type]>,
}

/// The functions of one component.
pub(crate) struct Exports {
    by_name: HashMap<String, Export>,
    ambiguous: Vec<String>,
    /// Whether it exports `wasi:http/incoming-handler`.
    pub(crate) serves_http: bool,
}

impl Exports {
    pub(crate) fn of(component: &Component, engine: &Engine) -> Self {
        let mut exports =
            Self { by_name: HashMap::new(), ambiguous: Vec::new(), serves_http: false };
        for (name, item) in component.component_type().exports(engine) {
            match item.ty {
                ComponentItem::ComponentFunc(function) => {
                    let index = component.get_export_index(None, name);
                    exports.add(name.to_owned(), name, index, &function);
                }
                ComponentItem::ComponentInstance(instance) => {
                    match ExportKind::of_interface(name) {
                        ExportKind::HttpHandler => exports.serves_http = true,
                        ExportKind::Interface => {
                            exports.add_interface(component, engine, name, &instance);
                        }
                        _ => {}
                    }
                }
                _ => {}
            }
        }
        exports
    }

    fn add_interface(
        &mut self,
        component: &Component,
        engine: &Engine,
        name: &str,
        instance: &ComponentInstance,
    ) {
        let parent = component.get_export_index(None, name);
        for (inner, item) in instance.exports(engine) {
            let ComponentItem::ComponentFunc(function) = item.ty else { continue };
            let index = component.get_export_index(parent.as_ref(), inner);
            self.add(dotted(name, inner), inner, index, &function);
        }
    }

    fn add(
        &mut self,
        full: String,
        bare: &str,
        index: Option<ComponentExportIndex>,
        function: &ComponentFunc,
    ) {
        let Some(index) = index else { return };
        if self.by_name.len() >= FUNCTIONS_MAX {
            return;
        }
        let params = function.params().map(|(name, ty)| (name.to_owned(), ty)).collect();
        let export = Export { index, params, results: function.results().collect() };
        if full != bare {
            self.insert_bare(bare, export.clone());
        }
        self.by_name.insert(full, export);
    }

    fn insert_bare(&mut self, bare: &str, export: Export) {
        if self.ambiguous.iter().any(|name| name == bare) {
            return;
        }
        if self.by_name.insert(bare.to_owned(), export).is_some() {
            self.by_name.remove(bare);
            self.ambiguous.push(bare.to_owned());
        }
    }

    pub(crate) fn get(&self, name: &str) -> Option<&Export> {
        self.by_name.get(name)
    }

    /// Every name that can be called, sorted: for the error that names the right spelling.
    pub(crate) fn names(&self) -> Vec<&str> {
        let mut names: Vec<_> = self.by_name.keys().map(String::as_str).collect();
        names.sort_unstable();
        names
    }
}

/// `package:name/interface@version` and `function` as `interface.function`.
fn dotted(interface: &str, function: &str) -> String {
    let short = interface.rsplit_once('/').map_or(interface, |(_, name)| name);
    let short = short.split_once('@').map_or(short, |(name, _)| name);
    format!("{short}.{function}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::{PoolSize, build};

    #[test]
    fn only_what_a_capsule_offers_has_a_name_to_call_it_by() {
        let export = |name: &str| format!("(export \"{name}\" (instance $face))");
        let names = ["acme:csv/convert@1.0.0", "wasi:cli/run@0.2.3", "exports"];
        let text = format!(
            r#"(component
                (core module $m (func (export "run")))
                (core instance $i (instantiate $m))
                (func $run (canon lift (core func $i "run")))
                (instance $face (export "run" (func $run)))
                (export "start" (func $run))
                {})"#,
            names.map(export).concat()
        );
        let engine = build(PoolSize::compiler()).unwrap();
        let component = Component::new(&engine, wat::parse_str(text).unwrap()).unwrap();
        let exports = Exports::of(&component, &engine);
        assert_eq!(exports.names(), ["convert.run", "run", "start"]);
        assert!(!exports.serves_http);
    }
}
