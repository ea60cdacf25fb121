//! The serde serializer behind `canonical::to_vec`: writes once, and reorders an object only when its fields
//! did not come sorted. Receipts declare their fields in order, so the hot path copies nothing.

use std::ops::Range;

use serde::ser::{self, Serialize};

use super::CanonicalError;

type Done = Result<(), CanonicalError>;

pub(super) struct Writer<'a> {
    pub(super) out: &'a mut Vec<u8>,
}

/// A JSON string with the escapes of RFC 8785.
pub(super) fn string(text: &str, out: &mut Vec<u8>) {
    out.push(b'"');
    for byte in text.bytes() {
        match byte {
            b'"' => out.extend_from_slice(b"\\\""),
            b'\\' => out.extend_from_slice(b"\\\\"),
            0x08 => out.extend_from_slice(b"\\b"),
            0x09 => out.extend_from_slice(b"\\t"),
            0x0a => out.extend_from_slice(b"\\n"),
            0x0c => out.extend_from_slice(b"\\f"),
            0x0d => out.extend_from_slice(b"\\r"),
            0..0x20 => out.extend_from_slice(format!("\\u{byte:04x}").as_bytes()),
            _ => out.push(byte),
        }
    }
    out.push(b'"');
}

macro_rules! plain_integers {
    ($($name:ident: $type:ty),*) => { $(
        fn $name(self, value: $type) -> Done {
            self.text(&value.to_string());
            Ok(())
        }
    )* };
}

macro_rules! wide_integers {
    ($($name:ident: $type:ty),*) => { $(
        fn $name(self, value: $type) -> Done {
            string(&value.to_string(), self.out);
            Ok(())
        }
    )* };
}

impl<'a> Writer<'a> {
    fn text(self, text: &str) {
        self.out.extend_from_slice(text.as_bytes());
    }

    fn list(self, close: &'static [u8]) -> List<'a> {
        self.out.push(b'[');
        List { out: self.out, first: true, close }
    }

    fn object(self, close: &'static [u8]) -> Object<'a> {
        self.out.push(b'{');
        let start = self.out.len();
        Object { out: self.out, start, entries: Vec::new(), close }
    }

    fn tagged(self, variant: &str) -> Self {
        self.out.push(b'{');
        string(variant, self.out);
        self.out.push(b':');
        self
    }
}

impl<'a> ser::Serializer for Writer<'a> {
    type Ok = ();
    type Error = CanonicalError;
    type SerializeSeq = List<'a>;
    type SerializeTuple = List<'a>;
    type SerializeTupleStruct = List<'a>;
    type SerializeTupleVariant = List<'a>;
    type SerializeMap = Object<'a>;
    type SerializeStruct = Object<'a>;
    type SerializeStructVariant = Object<'a>;

    plain_integers!(serialize_i8: i8, serialize_i16: i16, serialize_i32: i32,
        serialize_u8: u8, serialize_u16: u16, serialize_u32: u32);
    wide_integers!(serialize_i64: i64, serialize_u64: u64, serialize_i128: i128, serialize_u128: u128);

    fn serialize_bool(self, value: bool) -> Done {
        self.text(if value { "true" } else { "false" });
        Ok(())
    }

    fn serialize_f32(self, _: f32) -> Done {
        Err(CanonicalError::Float)
    }

    fn serialize_f64(self, _: f64) -> Done {
        Err(CanonicalError::Float)
    }

    fn serialize_char(self, value: char) -> Done {
        self.serialize_str(value.encode_utf8(&mut [0; 4]))
    }

    fn serialize_str(self, value: &str) -> Done {
        string(value, self.out);
        Ok(())
    }

    fn serialize_bytes(self, value: &[u8]) -> Done {
        ser::Serializer::collect_seq(self, value)
    }

    fn serialize_none(self) -> Done {
        self.serialize_unit()
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Done {
        value.serialize(self)
    }

    fn serialize_unit(self) -> Done {
        self.text("null");
        Ok(())
    }

    fn serialize_unit_struct(self, _: &'static str) -> Done {
        self.serialize_unit()
    }

    fn serialize_unit_variant(self, _: &'static str, _: u32, variant: &'static str) -> Done {
        self.serialize_str(variant)
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(self, _: &'static str, value: &T) -> Done {
        value.serialize(self)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        value: &T,
    ) -> Done {
        let writer = self.tagged(variant);
        value.serialize(Writer { out: &mut *writer.out })?;
        writer.out.push(b'}');
        Ok(())
    }

    fn serialize_seq(self, _: Option<usize>) -> Result<List<'a>, CanonicalError> {
        Ok(self.list(b"]"))
    }

    fn serialize_tuple(self, _: usize) -> Result<List<'a>, CanonicalError> {
        Ok(self.list(b"]"))
    }

    fn serialize_tuple_struct(self, _: &'static str, _: usize) -> Result<List<'a>, CanonicalError> {
        Ok(self.list(b"]"))
    }

    fn serialize_tuple_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        _: usize,
    ) -> Result<List<'a>, CanonicalError> {
        Ok(self.tagged(variant).list(b"]}"))
    }

    fn serialize_map(self, _: Option<usize>) -> Result<Object<'a>, CanonicalError> {
        Ok(self.object(b"}"))
    }

    fn serialize_struct(self, _: &'static str, _: usize) -> Result<Object<'a>, CanonicalError> {
        Ok(self.object(b"}"))
    }

    fn serialize_struct_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        _: usize,
    ) -> Result<Object<'a>, CanonicalError> {
        Ok(self.tagged(variant).object(b"}}"))
    }
}

pub(super) struct List<'a> {
    out: &'a mut Vec<u8>,
    first: bool,
    close: &'static [u8],
}

impl List<'_> {
    fn item<T: Serialize + ?Sized>(&mut self, value: &T) -> Done {
        if !std::mem::take(&mut self.first) {
            self.out.push(b',');
        }
        value.serialize(Writer { out: self.out })
    }

    fn finish(self) -> Done {
        self.out.extend_from_slice(self.close);
        Ok(())
    }
}

macro_rules! list_form {
    ($($trait:ident $method:ident),*) => { $(
        impl ser::$trait for List<'_> {
            type Ok = ();
            type Error = CanonicalError;
            fn $method<T: Serialize + ?Sized>(&mut self, value: &T) -> Done {
                self.item(value)
            }
            fn end(self) -> Done {
                self.finish()
            }
        }
    )* };
}

list_form!(
    SerializeSeq serialize_element,
    SerializeTuple serialize_element,
    SerializeTupleStruct serialize_field,
    SerializeTupleVariant serialize_field
);

pub(super) struct Object<'a> {
    out: &'a mut Vec<u8>,
    start: usize,
    /// Each key with where its `"key":value` lies in `out`.
    entries: Vec<(std::borrow::Cow<'static, str>, Range<usize>)>,
    close: &'static [u8],
}

impl Object<'_> {
    fn key(&mut self, key: std::borrow::Cow<'static, str>) {
        if !self.entries.is_empty() {
            self.out.push(b',');
        }
        let start = self.out.len();
        string(&key, self.out);
        self.out.push(b':');
        self.entries.push((key, start..start));
    }

    fn value<T: Serialize + ?Sized>(&mut self, value: &T) -> Done {
        value.serialize(Writer { out: self.out })?;
        if let Some((_, range)) = self.entries.last_mut() {
            range.end = self.out.len();
        }
        Ok(())
    }

    fn finish(mut self) -> Done {
        // Byte order is code point order; it differs from UTF-16 order only beyond the basic plane.
        let in_order = |a: &str, b: &str| a.encode_utf16().lt(b.encode_utf16());
        let sorted = self.entries.windows(2).all(|pair| match pair {
            [(a, _), (b, _)] => in_order(a, b),
            _ => true,
        });
        if !sorted {
            self.sort()?;
        }
        self.out.extend_from_slice(self.close);
        Ok(())
    }

    fn sort(&mut self) -> Done {
        self.entries.sort_by(|(a, _), (b, _)| a.encode_utf16().cmp(b.encode_utf16()));
        let mut sorted = Vec::with_capacity(self.out.len().saturating_sub(self.start));
        let mut previous: Option<&str> = None;
        for (key, range) in &self.entries {
            if previous == Some(key.as_ref()) {
                return Err(CanonicalError::Duplicate(key.to_string()));
            }
            if previous.is_some() {
                sorted.push(b',');
            }
            sorted.extend_from_slice(self.out.get(range.clone()).unwrap_or_default());
            previous = Some(key);
        }
        self.out.truncate(self.start);
        self.out.extend_from_slice(&sorted);
        Ok(())
    }
}

impl ser::SerializeMap for Object<'_> {
    type Ok = ();
    type Error = CanonicalError;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Done {
        let mut text = Vec::new();
        key.serialize(Writer { out: &mut text })?;
        if text.first() != Some(&b'"') {
            return Err(CanonicalError::Key);
        }
        let key: String = serde_json::from_slice(&text).map_err(|_| CanonicalError::Key)?;
        Object::key(self, key.into());
        Ok(())
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Done {
        self.value(value)
    }

    fn end(self) -> Done {
        self.finish()
    }
}

macro_rules! object_form {
    ($($trait:ident),*) => { $(
        impl ser::$trait for Object<'_> {
            type Ok = ();
            type Error = CanonicalError;
            fn serialize_field<T: Serialize + ?Sized>(&mut self, key: &'static str, value: &T) -> Done {
                self.key(key.into());
                self.value(value)
            }
            fn end(self) -> Done {
                self.finish()
            }
        }
    )* };
}

object_form!(SerializeStruct, SerializeStructVariant);
