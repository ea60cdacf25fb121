//! The shape of a component: how large, how many of what, how deep. Read in one pass over the
//! section headers, before any reader that recurses or allocates by what the file claims.
//!
//! It does not validate: a file that passes here may still be malformed.

use wasmparser::{ComponentTypeRef, Encoding, Parser, Payload, TypeBounds};

use super::ComponentError;

/// Counts and sizes of a component, nested modules and components included.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Shape {
    /// Bytes of the whole file.
    pub bytes: u64,
    /// Deepest nesting of components and modules; the outermost is 1.
    pub depth: u64,
    /// Core modules.
    pub modules: u64,
    /// Components, the outermost one not counted.
    pub components: u64,
    /// Functions with a body.
    pub functions: u64,
    /// Type definitions, core and component.
    pub types: u64,
    /// Upper bound of type definitions inside other type definitions.
    pub nested_types: u64,
    /// Imports and exports of all levels.
    pub externs: u64,
    /// Core and component instances, aliases and canonical definitions.
    pub definitions: u64,
    /// Memories, tables, globals, element and data segments.
    pub storage: u64,
    /// Sections, custom ones included.
    pub sections: u64,
}

/// The most of each that is accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ShapeLimits {
    /// Bytes of the whole file.
    pub bytes: u64,
    /// Nesting of components and modules.
    pub depth: u64,
    /// Core modules.
    pub modules: u64,
    /// Nested components.
    pub components: u64,
    /// Functions with a body.
    pub functions: u64,
    /// Type definitions.
    pub types: u64,
    /// Type definitions inside other type definitions, in one section.
    pub nested_types: u64,
    /// Bytes of one section of component types.
    pub type_section_bytes: u64,
    /// Imports and exports.
    pub externs: u64,
    /// Instances, aliases and canonical definitions.
    pub definitions: u64,
    /// Memories, tables, globals and segments.
    pub storage: u64,
    /// Sections.
    pub sections: u64,
}

impl ShapeLimits {
    /// A CPython or a JavaScript engine fits several times; a bomb does not.
    pub const DEFAULT: Self = Self {
        bytes: 32 << 20,
        depth: 8,
        modules: 256,
        components: 128,
        functions: 250_000,
        types: 100_000,
        nested_types: 1_000,
        type_section_bytes: 1 << 20,
        externs: 100_000,
        definitions: 100_000,
        storage: 200_000,
        sections: 20_000,
    };
}

/// What the first pass found.
#[derive(Debug)]
pub(super) struct Scan {
    /// Counts and sizes.
    pub(super) shape: Shape,
    /// Names of the outermost imports.
    pub(super) imports: Vec<String>,
}

/// Bounds the file and lists the names of its outermost imports.
pub(super) fn scan(bytes: &[u8], limits: &ShapeLimits) -> Result<Scan, ComponentError> {
    refuse_foreign(bytes, limits)?;
    let size = bytes.len() as u64;
    let mut pass = Pass {
        bytes,
        limits,
        depth: 0,
        shape: Shape { bytes: size, ..Shape::default() },
        imports: Vec::new(),
    };
    for payload in Parser::new(0).parse_all(bytes) {
        pass.take(payload.map_err(malformed)?)?;
    }
    Ok(Scan { shape: pass.shape, imports: pass.imports })
}

fn malformed(error: wasmparser::BinaryReaderError) -> ComponentError {
    ComponentError::Malformed { offset: error.offset(), reason: error.message().to_string() }
}

/// Bounds the size, and looks at the first bytes alone.
pub(super) fn refuse_foreign(bytes: &[u8], limits: &ShapeLimits) -> Result<(), ComponentError> {
    let size = bytes.len() as u64;
    if size > limits.bytes {
        return Err(ComponentError::Oversize { size, max: limits.bytes });
    }
    refuse_other_formats(bytes)
}

/// Names what people hand in by mistake, or on purpose, in place of a component.
fn refuse_other_formats(bytes: &[u8]) -> Result<(), ComponentError> {
    const ELF: &[u8] = b"\x7fELF";
    const MACH_O: [&[u8]; 2] = [b"\xcf\xfa\xed\xfe", b"\xfe\xed\xfa\xcf"];
    const WASM: &[u8] = b"\0asm";
    if bytes.starts_with(ELF) || MACH_O.iter().any(|magic| bytes.starts_with(magic)) {
        return Err(ComponentError::Precompiled);
    }
    if bytes.starts_with(WASM) {
        return match bytes.get(4..8) {
            Some([0x01, 0, 0, 0]) => Err(ComponentError::CoreModule),
            Some(_) => Ok(()),
            None => Err(ComponentError::NotWasm),
        };
    }
    let text = bytes.iter().find(|byte| !byte.is_ascii_whitespace());
    Err(match text {
        Some(b'(' | b';') => ComponentError::Text,
        _ => ComponentError::NotWasm,
    })
}

struct Pass<'a> {
    bytes: &'a [u8],
    limits: &'a ShapeLimits,
    depth: u64,
    shape: Shape,
    imports: Vec<String>,
}

impl Pass<'_> {
    fn take(&mut self, payload: Payload<'_>) -> Result<(), ComponentError> {
        self.shape.sections += 1;
        most("sections", self.shape.sections, self.limits.sections + self.shape.functions)?;
        match payload {
            Payload::Version { encoding, .. } => self.enter(encoding),
            Payload::End(_) => {
                self.depth = self.depth.saturating_sub(1);
                Ok(())
            }
            Payload::CodeSectionStart { count, .. } => {
                self.shape.functions += u64::from(count);
                most("functions", self.shape.functions, self.limits.functions)
            }
            Payload::TypeSection(s) => self.types(s.count()),
            Payload::CoreTypeSection(s) => {
                self.nested(s.range())?;
                self.types(s.count())
            }
            Payload::ComponentTypeSection(s) => {
                self.nested(s.range())?;
                self.types(s.count())
            }
            Payload::ComponentImportSection(s) => {
                self.externs(s.count())?;
                if self.depth == 1 { self.names(s) } else { Ok(()) }
            }
            Payload::ImportSection(s) => self.externs(s.count()),
            Payload::ExportSection(s) => self.externs(s.count()),
            Payload::ComponentExportSection(s) => self.externs(s.count()),
            Payload::InstanceSection(s) => self.definitions(s.count()),
            Payload::ComponentInstanceSection(s) => self.definitions(s.count()),
            Payload::ComponentAliasSection(s) => self.definitions(s.count()),
            Payload::ComponentCanonicalSection(s) => self.definitions(s.count()),
            Payload::TableSection(s) => self.storage(s.count()),
            Payload::MemorySection(s) => self.storage(s.count()),
            Payload::GlobalSection(s) => self.storage(s.count()),
            Payload::ElementSection(s) => self.storage(s.count()),
            Payload::DataSection(s) => self.storage(s.count()),
            _ => Ok(()),
        }
    }

    fn enter(&mut self, encoding: Encoding) -> Result<(), ComponentError> {
        self.depth += 1;
        self.shape.depth = self.shape.depth.max(self.depth);
        most("levels of nesting", self.depth, self.limits.depth)?;
        match encoding {
            Encoding::Module => {
                self.shape.modules += 1;
                most("core modules", self.shape.modules, self.limits.modules)
            }
            Encoding::Component if self.depth > 1 => {
                self.shape.components += 1;
                most("nested components", self.shape.components, self.limits.components)
            }
            Encoding::Component => Ok(()),
        }
    }

    /// Bounds how deep definitions inside definitions can go, without parsing them: a definition
    /// inside another is introduced by the two bytes `01 41` or `01 42`, so their number bounds
    /// the depth of recursion. Text and indices may hold these bytes too, hence a roomy limit.
    fn nested(&mut self, range: std::ops::Range<usize>) -> Result<(), ComponentError> {
        most("bytes in one type section", range.len() as u64, self.limits.type_section_bytes)?;
        let section = self.bytes.get(range).unwrap_or_default();
        let pairs = section.windows(2).filter(|pair| matches!(pair, [0x01, 0x41 | 0x42])).count();
        self.shape.nested_types = self.shape.nested_types.max(pairs as u64);
        most("types inside types", pairs as u64, self.limits.nested_types)
    }

    fn names(
        &mut self,
        section: wasmparser::ComponentImportSectionReader<'_>,
    ) -> Result<(), ComponentError> {
        for import in section {
            let import = import.map_err(malformed)?;
            // The name of a type that is known in full asks nothing of the host.
            if !matches!(import.ty, ComponentTypeRef::Type(TypeBounds::Eq(_))) {
                self.imports.push(import.name.name.to_string());
            }
        }
        Ok(())
    }

    fn types(&mut self, count: u32) -> Result<(), ComponentError> {
        self.shape.types += u64::from(count);
        most("types", self.shape.types, self.limits.types)
    }

    fn externs(&mut self, count: u32) -> Result<(), ComponentError> {
        self.shape.externs += u64::from(count);
        most("imports and exports", self.shape.externs, self.limits.externs)
    }

    fn definitions(&mut self, count: u32) -> Result<(), ComponentError> {
        self.shape.definitions += u64::from(count);
        most("instances and aliases", self.shape.definitions, self.limits.definitions)
    }

    fn storage(&mut self, count: u32) -> Result<(), ComponentError> {
        self.shape.storage += u64::from(count);
        most("memories, tables, globals and segments", self.shape.storage, self.limits.storage)
    }
}

fn most(what: &'static str, count: u64, max: u64) -> Result<(), ComponentError> {
    if count > max { Err(ComponentError::TooMany { what, count, max }) } else { Ok(()) }
}
