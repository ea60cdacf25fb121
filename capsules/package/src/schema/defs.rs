//! Walks composed types. Named types become entries of `$defs`, once each, so that a type that
//! is used a thousand times costs a thousand references and one definition.

use std::collections::HashMap;

use serde_json::{Map, Value, json};
use wit_parser::{Handle, Param, Resolve, Type, TypeDefKind, TypeId};

use super::types::{bytes, definition, nothing, object, primitive, tagged, tuple};
use super::{Payload, SchemaCaps, SchemaReason};

/// Longest name of a type, field or case that is described.
const NAME_BYTES_MAX: usize = 128;

/// Builds one schema document.
pub(super) struct Builder<'a> {
    resolve: &'a Resolve,
    depth_max: usize,
    depth: usize,
    nodes_max: usize,
    nodes_left: &'a mut usize,
    names: HashMap<TypeId, String>,
    defs: Map<String, Value>,
}

type Built = Result<Value, SchemaReason>;

impl<'a> Builder<'a> {
    pub(super) fn new(resolve: &'a Resolve, caps: &SchemaCaps, nodes_left: &'a mut usize) -> Self {
        Self {
            resolve,
            depth_max: caps.depth,
            depth: 0,
            nodes_max: caps.nodes,
            nodes_left,
            names: HashMap::new(),
            defs: Map::new(),
        }
    }

    /// The schema of an argument object.
    pub(super) fn arguments(mut self, params: &[Param]) -> Built {
        let fields: Vec<(&str, Type)> = params.iter().map(|p| (p.name.as_str(), p.ty)).collect();
        let body = self.fields("args", &fields)?;
        Ok(self.document(body))
    }

    /// The schema of one value.
    pub(super) fn whole(mut self, path: &str, payload: Payload) -> Built {
        let body = self.payload(path, payload)?;
        Ok(self.document(body))
    }

    fn document(self, body: Value) -> Value {
        let mut document = Map::new();
        document.insert("$schema".into(), "https://json-schema.org/draft/2020-12/schema".into());
        if let Value::Object(fields) = body {
            document.extend(fields);
        }
        if !self.defs.is_empty() {
            document.insert("$defs".into(), Value::Object(self.defs));
        }
        Value::Object(document)
    }

    fn payload(&mut self, path: &str, payload: Payload) -> Built {
        payload.map_or_else(|| Ok(nothing()), |ty| self.ty(path, ty))
    }

    fn ty(&mut self, path: &str, ty: Type) -> Built {
        *self.nodes_left =
            self.nodes_left.checked_sub(1).ok_or(SchemaReason::TooLarge(self.nodes_max))?;
        if let Some(simple) = primitive(ty) {
            return Ok(simple);
        }
        let Type::Id(id) = ty else {
            return Err(unsupported(path, "error context"));
        };
        let Some(def) = self.resolve.types.get(id) else {
            return Err(unsupported(path, "type without a definition"));
        };
        if let TypeDefKind::Type(target) = def.kind {
            return self.ty(path, target);
        }
        match &def.name {
            Some(name) => self.named(path, id, name),
            None => self.nested(path, &def.kind),
        }
    }

    fn named(&mut self, path: &str, id: TypeId, name: &str) -> Built {
        let name = self.name(name)?;
        if let Some(known) = self.names.get(&id) {
            return Ok(reference(known));
        }
        let label = self.label(name);
        self.names.insert(id, label.clone());
        // The place is taken before the body is walked, so that definitions keep the order in
        // which a reader meets them.
        self.defs.insert(label.clone(), Value::Null);
        let Some(def) = self.resolve.types.get(id) else {
            return Err(unsupported(path, "type without a definition"));
        };
        let body = self.nested(path, &def.kind)?;
        self.defs.insert(label.clone(), body);
        Ok(reference(&label))
    }

    /// Two interfaces may each have a type of one name.
    fn label(&self, name: &str) -> String {
        let taken = |label: &String| self.defs.contains_key(label);
        if !taken(&name.to_string()) {
            return name.to_string();
        }
        let numbered = (2u32..).map(|n| format!("{name}-{n}"));
        numbered.into_iter().find(|label| !taken(label)).unwrap_or_else(|| name.to_string())
    }

    fn nested(&mut self, path: &str, kind: &TypeDefKind) -> Built {
        if self.depth >= self.depth_max {
            return Err(SchemaReason::TooDeep(self.depth_max));
        }
        self.depth += 1;
        let built = self.composed(path, kind);
        self.depth -= 1;
        built
    }

    fn composed(&mut self, path: &str, kind: &TypeDefKind) -> Built {
        match kind {
            TypeDefKind::Record(record) => {
                let fields: Vec<(&str, Type)> =
                    record.fields.iter().map(|f| (f.name.as_str(), f.ty)).collect();
                self.fields(path, &fields)
            }
            TypeDefKind::Tuple(types) => {
                let part = |(i, ty): (usize, &Type)| self.ty(&format!("{path}[{i}]"), *ty);
                let items: Vec<Value> =
                    types.types.iter().enumerate().map(part).collect::<Result<_, _>>()?;
                Ok(tuple(&items))
            }
            TypeDefKind::Variant(variant) => {
                let cases: Vec<(&str, Payload)> =
                    variant.cases.iter().map(|c| (c.name.as_str(), c.ty)).collect();
                self.cases(path, &cases)
            }
            TypeDefKind::Result(result) => {
                self.cases(path, &[("ok", result.ok), ("err", result.err)])
            }
            TypeDefKind::Enum(cases) => {
                let names: Vec<&str> = cases.cases.iter().map(|c| c.name.as_str()).collect();
                self.names(&names)?;
                Ok(json!({"type": "string", "enum": names}))
            }
            TypeDefKind::Flags(flags) => {
                let names: Vec<&str> = flags.flags.iter().map(|f| f.name.as_str()).collect();
                self.names(&names)?;
                let items = json!({"type": "string", "enum": names});
                Ok(json!({"type": "array", "items": items, "uniqueItems": true}))
            }
            TypeDefKind::List(Type::U8) => Ok(bytes()),
            TypeDefKind::List(item) => {
                let items = self.ty(&format!("{path}[]"), *item)?;
                Ok(json!({"type": "array", "items": items}))
            }
            TypeDefKind::Option(inner) => self.option(path, *inner),
            other => Err(refuse(path, other)),
        }
    }

    /// An option inside an option is wrapped, else two of its values would both be `null`.
    fn option(&mut self, path: &str, inner: Type) -> Built {
        let some = self.ty(path, inner)?;
        let nested = matches!(definition(self.resolve, inner), Some(TypeDefKind::Option(_)));
        let some = if nested { tagged("some", some) } else { some };
        Ok(json!({"anyOf": [some, nothing()]}))
    }

    fn fields(&mut self, path: &str, fields: &[(&str, Type)]) -> Built {
        let mut properties = Map::new();
        let mut required = Vec::new();
        for (name, ty) in fields {
            let name = self.name(name)?;
            let schema = self.ty(&format!("{path}.{name}"), *ty)?;
            if !matches!(definition(self.resolve, *ty), Some(TypeDefKind::Option(_))) {
                required.push(name.to_string());
            }
            properties.insert(name.to_string(), schema);
        }
        Ok(object(properties, required))
    }

    fn cases(&mut self, path: &str, cases: &[(&str, Payload)]) -> Built {
        let mut each = Vec::new();
        self.charge(cases.len())?;
        for (name, payload) in cases {
            let name = self.name(name)?;
            each.push(tagged(name, self.payload(&format!("{path}.{name}"), *payload)?));
        }
        Ok(json!({"oneOf": each}))
    }

    /// Every use of a name copies it, and a file may hold names of 100 KB.
    fn name<'n>(&self, name: &'n str) -> Result<&'n str, SchemaReason> {
        if name.len() > NAME_BYTES_MAX {
            Err(SchemaReason::LongName(NAME_BYTES_MAX))
        } else {
            Ok(name)
        }
    }

    fn names(&mut self, names: &[&str]) -> Result<(), SchemaReason> {
        names.iter().try_for_each(|name| self.name(name).map(|_| ()))?;
        self.charge(names.len())
    }

    fn charge(&mut self, nodes: usize) -> Result<(), SchemaReason> {
        *self.nodes_left =
            self.nodes_left.checked_sub(nodes).ok_or(SchemaReason::TooLarge(self.nodes_max))?;
        Ok(())
    }
}

fn reference(label: &str) -> Value {
    json!({"$ref": format!("#/$defs/{label}")})
}

fn unsupported(path: &str, what: &'static str) -> SchemaReason {
    SchemaReason::Unsupported { path: path.to_string(), what }
}

fn refuse(path: &str, kind: &TypeDefKind) -> SchemaReason {
    match kind {
        TypeDefKind::Resource | TypeDefKind::Handle(Handle::Own(_) | Handle::Borrow(_)) => {
            SchemaReason::Resource { path: path.to_string() }
        }
        other => unsupported(path, other.as_str()),
    }
}
