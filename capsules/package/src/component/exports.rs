//! What a component exports, by name and by what the host does with it.

use wit_parser::{Resolve, WorldId, WorldItem};

use super::InterfaceName;

/// One outermost export.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Export {
    /// The name in the binary: a plain name, or `ns:package/interface@version`.
    pub name: String,
    /// What the host does with it.
    pub kind: ExportKind,
}

/// What an export is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExportKind {
    /// A function that can be called.
    Function,
    /// An interface whose functions can be called.
    Interface,
    /// `wasi:http/incoming-handler`: the component is served.
    HttpHandler,
    /// Another standard interface, or one that a toolchain adds for itself; never called.
    Ignored,
    /// A type.
    Type,
}

/// The interface that componentize-py adds for itself.
const TOOLCHAIN_INTERFACE: &str = "exports";

pub(super) fn list(resolve: &Resolve, world: WorldId) -> Vec<Export> {
    let Some(world) = resolve.worlds.get(world) else { return Vec::new() };
    let of = |(key, item): (&wit_parser::WorldKey, &WorldItem)| {
        let name = resolve.name_world_key(key);
        let kind = match item {
            WorldItem::Function(_) => ExportKind::Function,
            WorldItem::Type { .. } => ExportKind::Type,
            WorldItem::Interface { .. } => ExportKind::of_interface(&name),
        };
        Export { name, kind }
    };
    world.exports.iter().map(of).collect()
}

impl ExportKind {
    /// What the host does with an exported interface of that name.
    #[must_use]
    pub fn of_interface(name: &str) -> Self {
        if is_http_handler(name) {
            Self::HttpHandler
        } else if name.starts_with("wasi:") || name == TOOLCHAIN_INTERFACE {
            Self::Ignored
        } else {
            Self::Interface
        }
    }
}

fn is_http_handler(name: &str) -> bool {
    InterfaceName::parse(name).is_some_and(|found| {
        let release =
            found.version.is_some_and(|v| v.major == 0 && v.minor == 2 && v.pre.is_empty());
        found.package == "wasi:http" && found.interface == "incoming-handler" && release
    })
}
