//! The published WIT text of every interface on offer, and whether a component means the same by it.
//!
//! A name is only a name: a component may import a known interface with functions or types of its own
//! making. A host could not link it, and would find out at the first call; here it is found before
//! anything is installed. Only what is imported is compared, so that a component built against an older
//! release of an interface, or one that uses little of it, is what it was. What the engine does not
//! compare (names of parameters, documentation) is not compared here either.

use std::sync::LazyLock;

use wit_parser::{
    Function, Handle, InterfaceId, Resolve, Type, TypeDef, TypeDefKind, TypeId, TypeOwner, WorldId,
    WorldItem, WorldKey,
};

use super::exports::ExportKind;
use super::imports::InterfaceName;

/// Each package after those it refers to.
const TEXTS: [(&str, &str); 15] = [
    ("wasi-io", include_str!("../../../../wit/deps/wasi-io@0.2.12/io.wit")),
    ("wasi-clocks", include_str!("../../../../wit/deps/wasi-clocks@0.2.12/clocks.wit")),
    ("wasi-random", include_str!("../../../../wit/deps/wasi-random@0.2.12/random.wit")),
    ("wasi-filesystem", include_str!("../../../../wit/deps/wasi-filesystem@0.2.12/filesystem.wit")),
    ("wasi-sockets", include_str!("../../../../wit/deps/wasi-sockets@0.2.12/sockets.wit")),
    ("wasi-cli", include_str!("../../../../wit/deps/wasi-cli@0.2.12/cli.wit")),
    ("wasi-http", include_str!("../../../../wit/deps/wasi-http@0.2.12/http.wit")),
    ("wasi-keyvalue", include_str!("../../../../wit/deps/wasi-keyvalue@0.2.0-draft/keyvalue.wit")),
    ("wasi-config", include_str!("../../../../wit/deps/wasi-config@0.2.0-rc.1/config.wit")),
    ("wasi-logging", include_str!("../../../../wit/deps/wasi-logging/logging.wit")),
    (
        "wasi-logging-draft",
        include_str!("../../../../wit/deps/wasi-logging@0.1.0-draft/logging.wit"),
    ),
    ("soma-secret", include_str!("../../../../wit/soma-secret@0.1.0/secret.wit")),
    ("soma-tool", include_str!("../../../../wit/soma-tool@0.1.0/tool.wit")),
    ("soma-emit", include_str!("../../../../wit/soma-emit@0.1.0/emit.wit")),
    ("soma-budget", include_str!("../../../../wit/soma-budget@0.1.0/budget.wit")),
];

static PUBLISHED: LazyLock<Resolve> = LazyLock::new(|| {
    let mut resolve = Resolve::default();
    for (name, text) in TEXTS {
        if resolve.push_source(&format!("{name}.wit"), text).is_err() {
            // A test holds that all of them parse; what is missing is not on offer.
            debug_assert!(false, "{name}.wit does not parse");
        }
    }
    resolve
});

/// An interface that a component gives functions or types of its own making.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mismatch {
    /// The interface, as the binary names it.
    pub interface: String,
    /// What of it, in words: "has no function `x`".
    pub what: String,
}

/// Every import of a known interface that is not of its published type, and an HTTP handler that is
/// none.
pub(super) fn mismatches(resolve: &Resolve, world: WorldId) -> Vec<Mismatch> {
    let Some(world) = resolve.worlds.get(world) else { return Vec::new() };
    let handler = |key: &WorldKey| ExportKind::of_interface(&resolve.name_world_key(key));
    let exports = world.exports.iter().filter(|(key, _)| handler(key) == ExportKind::HttpHandler);
    world
        .imports
        .iter()
        .chain(exports)
        .filter_map(|(key, item)| mismatch(resolve, key, item))
        .collect()
}

fn mismatch(resolve: &Resolve, key: &WorldKey, item: &WorldItem) -> Option<Mismatch> {
    let WorldItem::Interface { id, .. } = item else { return None };
    let interface = resolve.name_world_key(key);
    let ours = published(&InterfaceName::parse(&interface)?)?;
    let both = Both { theirs: resolve, ours: &PUBLISHED };
    let what = both.interfaces(*id, ours).err()?;
    Some(Mismatch { interface, what })
}

/// The published interface that an import of that name is linked to.
fn published(wanted: &InterfaceName) -> Option<InterfaceId> {
    let serves = |id: InterfaceId| {
        let name = InterfaceName::parse(&PUBLISHED.id_of(id)?)?;
        let same = name.package == wanted.package && name.interface == wanted.interface;
        let versions = match (&name.version, &wanted.version) {
            (Some(ours), Some(theirs)) if ours.pre.is_empty() && theirs.pre.is_empty() => {
                (ours.major, ours.minor) == (theirs.major, theirs.minor)
            }
            (ours, theirs) => ours == theirs,
        };
        (same && versions).then_some(id)
    };
    PUBLISHED.interfaces.iter().find_map(|(id, _)| serves(id))
}

/// Two texts whose types are held against each other.
struct Both<'r> {
    theirs: &'r Resolve,
    ours: &'r Resolve,
}

/// A type without its aliases.
enum Plain<'r> {
    Primitive(Type),
    Defined(&'r TypeDef),
}

impl Both<'_> {
    fn interfaces(&self, theirs: InterfaceId, ours: InterfaceId) -> Result<(), String> {
        let found = self.theirs.interfaces.get(theirs).zip(self.ours.interfaces.get(ours));
        let Some((theirs, ours)) = found else { return Err("is not described".to_owned()) };
        for (name, id) in &theirs.types {
            if is_resource(self.theirs, *id)
                && !ours.types.get(name).is_some_and(|id| is_resource(self.ours, *id))
            {
                return Err(format!("has no resource `{}`", super::bounded(name)));
            }
        }
        for (name, function) in &theirs.functions {
            let Some(published) = ours.functions.get(name) else {
                return Err(format!("has no function `{}`", super::bounded(name)));
            };
            if !self.functions(function, published) {
                return Err(format!("publishes `{}` with another type", super::bounded(name)));
            }
        }
        Ok(())
    }

    fn functions(&self, theirs: &Function, ours: &Function) -> bool {
        let mut params = theirs.params.iter().zip(&ours.params);
        theirs.params.len() == ours.params.len()
            && params.all(|(theirs, ours)| self.types(&theirs.ty, &ours.ty))
            && self.options(theirs.result.as_ref(), ours.result.as_ref())
    }

    fn options(&self, theirs: Option<&Type>, ours: Option<&Type>) -> bool {
        match (theirs, ours) {
            (None, None) => true,
            (Some(theirs), Some(ours)) => self.types(theirs, ours),
            _ => false,
        }
    }

    /// Descends only as long as both agree, and so never deeper than the published text goes.
    fn types(&self, theirs: &Type, ours: &Type) -> bool {
        match (plain(self.theirs, *theirs), plain(self.ours, *ours)) {
            (Some(Plain::Primitive(theirs)), Some(Plain::Primitive(ours))) => theirs == ours,
            (Some(Plain::Defined(theirs)), Some(Plain::Defined(ours))) => {
                self.kinds(&theirs.kind, &ours.kind)
            }
            _ => false,
        }
    }

    fn kinds(&self, theirs: &TypeDefKind, ours: &TypeDefKind) -> bool {
        use TypeDefKind as Kind;
        match (theirs, ours) {
            (Kind::Record(theirs), Kind::Record(ours)) => {
                all(&theirs.fields, &ours.fields, |a, b| {
                    a.name == b.name && self.types(&a.ty, &b.ty)
                })
            }
            (Kind::Tuple(theirs), Kind::Tuple(ours)) => {
                all(&theirs.types, &ours.types, |a, b| self.types(a, b))
            }
            (Kind::Variant(theirs), Kind::Variant(ours)) => {
                all(&theirs.cases, &ours.cases, |a, b| {
                    a.name == b.name && self.options(a.ty.as_ref(), b.ty.as_ref())
                })
            }
            (Kind::Flags(theirs), Kind::Flags(ours)) => {
                all(&theirs.flags, &ours.flags, |a, b| a.name == b.name)
            }
            (Kind::Enum(theirs), Kind::Enum(ours)) => {
                all(&theirs.cases, &ours.cases, |a, b| a.name == b.name)
            }
            (Kind::Option(theirs), Kind::Option(ours)) | (Kind::List(theirs), Kind::List(ours)) => {
                self.types(theirs, ours)
            }
            (Kind::Result(theirs), Kind::Result(ours)) => {
                self.options(theirs.ok.as_ref(), ours.ok.as_ref())
                    && self.options(theirs.err.as_ref(), ours.err.as_ref())
            }
            (Kind::Handle(theirs), Kind::Handle(ours)) => match (theirs, ours) {
                (Handle::Own(theirs), Handle::Own(ours))
                | (Handle::Borrow(theirs), Handle::Borrow(ours)) => {
                    let theirs = resource(self.theirs, *theirs);
                    theirs.is_some() && theirs == resource(self.ours, *ours)
                }
                _ => false,
            },
            _ => false,
        }
    }
}

fn all<T>(theirs: &[T], ours: &[T], same: impl Fn(&T, &T) -> bool) -> bool {
    theirs.len() == ours.len() && theirs.iter().zip(ours).all(|(a, b)| same(a, b))
}

fn plain(resolve: &Resolve, mut ty: Type) -> Option<Plain<'_>> {
    loop {
        let Type::Id(id) = ty else { return Some(Plain::Primitive(ty)) };
        let definition = resolve.types.get(id)?;
        match definition.kind {
            TypeDefKind::Type(inner) => ty = inner,
            _ => return Some(Plain::Defined(definition)),
        }
    }
}

fn is_resource(resolve: &Resolve, id: TypeId) -> bool {
    let found = plain(resolve, Type::Id(id));
    matches!(found, Some(Plain::Defined(TypeDef { kind: TypeDefKind::Resource, .. })))
}

/// Which resource it is: its package, interface and name, whatever the release.
fn resource(resolve: &Resolve, id: TypeId) -> Option<(String, String, &str)> {
    let Plain::Defined(definition) = plain(resolve, Type::Id(id))? else { return None };
    let TypeOwner::Interface(owner) = definition.owner else { return None };
    let owner = InterfaceName::parse(&resolve.id_of(owner)?)?;
    Some((owner.package, owner.interface, definition.name.as_deref()?))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use wit_component::{ComponentEncoder, StringEncoding, dummy_module, embed_component_metadata};
    use wit_parser::{LiftLowerAbi, ManglingAndAbi};

    use super::*;
    use crate::component::analyse;
    use crate::component::imports::offered;

    /// A component that imports all of one interface of this text.
    fn importing(resolve: &Resolve, interface: &str) -> Vec<u8> {
        let mut resolve = resolve.clone();
        let text = format!("package a:b; world w {{ import {interface}; export run: func(); }}");
        let package = resolve.push_source("w.wit", &text).unwrap();
        let world = resolve.select_world(&[package], None).unwrap();
        let abi = ManglingAndAbi::Legacy(LiftLowerAbi::Sync);
        let mut module = dummy_module(&resolve, world, abi);
        embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8).unwrap();
        ComponentEncoder::default().module(&module).unwrap().encode().unwrap()
    }

    fn names() -> Vec<String> {
        let ids = PUBLISHED.interfaces.iter().map(|(id, _)| id);
        let names = ids.filter_map(|id| PUBLISHED.id_of(id));
        names.filter(|name| !name.starts_with("wasi:sockets/")).collect()
    }

    #[test]
    fn every_interface_on_offer_has_its_published_text() {
        let names = names();
        for offered in offered() {
            let there = names.iter().any(|name| name.split('@').next() == Some(&offered));
            assert!(there, "{offered} has no text");
        }
    }

    #[test]
    fn what_is_built_against_the_published_text_is_of_its_type() {
        for name in names() {
            let analysis = analyse(&importing(&PUBLISHED, &name)).unwrap();
            assert_eq!(analysis.mismatched, [], "{name}");
        }
    }

    #[test]
    fn an_older_release_of_an_interface_is_of_its_type() {
        let text = "package wasi:random@0.2.0;
            interface random { get-random-bytes: func(len: u64) -> list<u8>; }";
        let mut older = Resolve::default();
        older.push_source("older.wit", text).unwrap();
        let analysis = analyse(&importing(&older, "wasi:random/random@0.2.0")).unwrap();
        assert_eq!(analysis.imports[0].name, "wasi:random/random@0.2.0");
        assert_eq!(analysis.mismatched, []);
    }

    #[test]
    fn types_of_its_own_making_are_named() {
        let package =
            |inside: &str| format!("package soma:tool@0.1.0;\ninterface tool {{ {inside} }}");
        let error = "variant error { a, b(string) }";
        for (inside, what) in [
            ("call: func(a: string);".to_owned(), "publishes `call` with another type"),
            ("shout: func();".to_owned(), "has no function `shout`"),
            ("resource pipe { new: static func(); }".to_owned(), "has no resource `pipe`"),
            (
                format!(
                    "{error} call: func(a: string, b: string, c: string) -> result<string, error>;"
                ),
                "publishes `call` with another type",
            ),
        ] {
            let mut own = Resolve::default();
            own.push_source("own.wit", &package(&inside)).unwrap();
            let found = analyse(&importing(&own, "soma:tool/tool@0.1.0")).unwrap().mismatched;
            let expected =
                Mismatch { interface: "soma:tool/tool@0.1.0".to_owned(), what: what.to_owned() };
            assert_eq!(found, [expected], "{inside}");
        }
    }

    #[test]
    fn a_handler_that_takes_something_else_is_none() {
        let text = "package wasi:http@0.2.3;
            interface incoming-handler { handle: func(path: string) -> string; }
            world served { export incoming-handler; }";
        let analysis = analyse(&crate::fixture::component(text)).unwrap();
        assert_eq!(analysis.mismatched.len(), 1);
        assert_eq!(analysis.mismatched[0].what, "publishes `handle` with another type");
    }

    proptest! {
        /// Any change of the signature is seen.
        #[test]
        fn only_the_published_parameters_pass(
            params in prop::collection::vec("u8|u32|u64|s64|string|list<u8>|option<u64>", 0..3),
            result in "u64|string|list<u8>|list<string>",
        ) {
            let list: Vec<String> = params.iter().enumerate().map(|(n, ty)| format!("p{n}: {ty}")).collect();
            let text = format!(
                "package wasi:random@0.2.1;
                 interface random {{ get-random-bytes: func({}) -> {result}; }}",
                list.join(", ")
            );
            let mut own = Resolve::default();
            own.push_source("own.wit", &text).unwrap();
            let found = analyse(&importing(&own, "wasi:random/random@0.2.1")).unwrap().mismatched;
            let same = params == ["u64"] && result == "list<u8>";
            prop_assert_eq!(found.is_empty(), same);
        }
    }
}
