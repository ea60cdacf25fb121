//! A function's signature as WIT text, for people. Bounded, as the types come from a file.

use wit_parser::{Function, Handle, Resolve, Type, TypeDefKind};

const DEPTH_MAX: usize = 8;
const CHARS_MAX: usize = 2_000;

/// `name: func(a: string, b: list<u8>) -> result<u32, string>`.
pub(super) fn signature(resolve: &Resolve, function: &Function) -> String {
    let mut out = format!("{}: func(", function.name);
    for (index, param) in function.params.iter().enumerate() {
        if index > 0 {
            out.push_str(", ");
        }
        out.push_str(&param.name);
        out.push_str(": ");
        write_type(resolve, param.ty, 0, &mut out);
    }
    out.push(')');
    if let Some(result) = function.result {
        out.push_str(" -> ");
        write_type(resolve, result, 0, &mut out);
    }
    out
}

fn write_type(resolve: &Resolve, ty: Type, depth: usize, out: &mut String) {
    if depth > DEPTH_MAX || out.len() > CHARS_MAX {
        out.push('…');
        return;
    }
    let Type::Id(id) = ty else {
        out.push_str(primitive(ty));
        return;
    };
    let Some(def) = resolve.types.get(id) else { return };
    if let Some(name) = &def.name {
        out.push_str(name);
        return;
    }
    match &def.kind {
        TypeDefKind::Type(target) => write_type(resolve, *target, depth, out),
        TypeDefKind::List(item) => wrap(resolve, "list", &[Some(*item)], depth, out),
        TypeDefKind::Option(item) => wrap(resolve, "option", &[Some(*item)], depth, out),
        TypeDefKind::Tuple(tuple) => {
            let parts: Vec<Option<Type>> = tuple.types.iter().copied().map(Some).collect();
            wrap(resolve, "tuple", &parts, depth, out);
        }
        TypeDefKind::Result(result) => match (result.ok, result.err) {
            (None, None) => out.push_str("result"),
            (ok, None) => wrap(resolve, "result", &[ok], depth, out),
            (ok, err) => wrap(resolve, "result", &[ok, err], depth, out),
        },
        TypeDefKind::Handle(Handle::Own(id)) => write_type(resolve, Type::Id(*id), depth, out),
        TypeDefKind::Handle(Handle::Borrow(id)) => {
            wrap(resolve, "borrow", &[Some(Type::Id(*id))], depth, out);
        }
        other => out.push_str(other.as_str()),
    }
}

fn wrap(resolve: &Resolve, name: &str, parts: &[Option<Type>], depth: usize, out: &mut String) {
    out.push_str(name);
    out.push('<');
    for (index, part) in parts.iter().enumerate() {
        if index > 0 {
            out.push_str(", ");
        }
        match part {
            Some(ty) => write_type(resolve, *ty, depth + 1, out),
            None => out.push('_'),
        }
    }
    out.push('>');
}

fn primitive(ty: Type) -> &'static str {
    match ty {
        Type::Bool => "bool",
        Type::U8 => "u8",
        Type::U16 => "u16",
        Type::U32 => "u32",
        Type::U64 => "u64",
        Type::S8 => "s8",
        Type::S16 => "s16",
        Type::S32 => "s32",
        Type::S64 => "s64",
        Type::F32 => "f32",
        Type::F64 => "f64",
        Type::Char => "char",
        Type::String => "string",
        Type::ErrorContext => "error-context",
        Type::Id(_) => "_",
    }
}
