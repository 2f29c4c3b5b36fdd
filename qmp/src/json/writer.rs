//! Values to JSON text, as the reference writes it.
//!
//! * `", "` and `": "` between things; nothing but printable ASCII inside strings, the rest as `\uXXXX`;
//! * floating-point numbers with 17 significant digits in `%g` form (`0.10000000000000001`, `1e+23`);
//! * members of an object in the order of QEMU's hash table, whatever order they are written in: a
//!   transcript then equals the reference's byte for byte. A struct declares its fields as QAPI does (of
//!   two in one bucket, the later one is written first); one that happens to be in order costs nothing extra;
//! * a struct field that is `None` is left out, as QAPI leaves out an absent optional member.

mod compound;
mod field_names;

use std::fmt::Display;

use serde::ser::{self, Serialize};

use super::format::general;
use compound::Compound;

/// Why a value cannot be written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct WriterError(String);

impl ser::Error for WriterError {
    fn custom<T: Display>(message: T) -> Self {
        Self(message.to_string())
    }
}

/// A member that has been written: where its text lies, and where the reference would put it.
#[derive(Debug, Clone, Copy)]
struct Member {
    bucket: u32,
    start: usize,
    end: usize,
}

/// Collects JSON text; implements [`serde::Serializer`] by reference.
#[derive(Debug, Default)]
pub struct Writer {
    text: Vec<u8>,
    pretty: bool,
    depth: usize,
    /// Members of all objects that are being written, innermost last.
    members: Vec<Member>,
    /// Room for an object that is brought into order.
    unordered: Vec<u8>,
    /// The value written last was an absent optional.
    absent: bool,
}

impl Writer {
    /// An empty text; `pretty` spreads it over several lines, indented by four spaces.
    #[must_use]
    pub fn new(pretty: bool) -> Self {
        Self { pretty, ..Self::default() }
    }

    /// The text so far.
    #[must_use]
    pub fn text(&self) -> &[u8] {
        &self.text
    }

    /// The text, to be taken away.
    pub(crate) fn text_mut(&mut self) -> &mut Vec<u8> {
        &mut self.text
    }

    /// Whether it spreads the text over several lines.
    pub(crate) fn is_pretty(&self) -> bool {
        self.pretty
    }

    /// Writes a value that is text already.
    pub(crate) fn put(&mut self, text: &[u8]) {
        self.text.extend_from_slice(text);
    }

    /// Forgets the text, keeps at most `kept` bytes of capacity.
    pub fn clear(&mut self, kept: usize) {
        self.text.clear();
        self.text.shrink_to(kept);
        self.unordered.clear();
        self.unordered.shrink_to(kept);
        self.members.clear();
        self.depth = 0;
    }

    /// Begins an object by hand, with its first member's name. Members written by hand stay in that order.
    pub(crate) fn begin(&mut self, name: &str) {
        self.open(b'{');
        self.separator(true);
        self.name(name);
    }

    /// Names the next member of an object that [`begin`](Self::begin) began.
    pub(crate) fn next(&mut self, name: &str) {
        self.separator(false);
        self.name(name);
    }

    /// Ends an object that [`begin`](Self::begin) began.
    pub(crate) fn end(&mut self) {
        self.close(b'}');
    }

    fn name(&mut self, name: &str) {
        self.string(name);
        self.text.extend_from_slice(b": ");
    }

    fn newline(&mut self) {
        self.text.push(b'\n');
        self.text.resize(self.text.len() + 4 * self.depth, b' ');
    }

    fn separator(&mut self, first: bool) {
        if self.pretty {
            if !first {
                self.text.push(b',');
            }
            self.newline();
        } else if !first {
            self.text.extend_from_slice(b", ");
        }
    }

    fn open(&mut self, bracket: u8) {
        self.text.push(bracket);
        self.depth += 1;
    }

    fn close(&mut self, bracket: u8) {
        self.depth -= 1;
        if self.pretty {
            self.newline();
        }
        self.text.push(bracket);
    }

    fn string(&mut self, value: &str) {
        let bytes = value.as_bytes();
        self.text.reserve(bytes.len() + 2);
        self.text.push(b'"');
        // Without a stop at the first, so that several bytes are looked at together.
        if bytes.iter().fold(true, |plain, byte| plain & is_plain(*byte)) {
            self.text.extend_from_slice(bytes);
        } else {
            self.escaped(value);
        }
        self.text.push(b'"');
    }

    /// The inside of a string that is not all plain.
    fn escaped(&mut self, value: &str) {
        let bytes = value.as_bytes();
        let mut plain = 0;
        let mut escape = |text: &mut Vec<u8>, at: usize, length: usize, shown: &str| {
            text.extend_from_slice(&bytes[plain..at]);
            text.extend_from_slice(shown.as_bytes());
            plain = at + length;
        };
        for (at, character) in value.char_indices() {
            let short = match character {
                '"' => "\\\"",
                '\\' => "\\\\",
                '\u{8}' => "\\b",
                '\u{c}' => "\\f",
                '\n' => "\\n",
                '\r' => "\\r",
                '\t' => "\\t",
                ' '..='~' => continue,
                _ => {
                    let mut units = [0; 2];
                    let shown: String = character
                        .encode_utf16(&mut units)
                        .iter()
                        .map(|unit| format!("\\u{unit:04X}"))
                        .collect();
                    escape(&mut self.text, at, character.len_utf8(), &shown);
                    continue;
                }
            };
            escape(&mut self.text, at, 1, short);
        }
        self.text.extend_from_slice(&bytes[plain..]);
    }

    fn integer(&mut self, value: impl itoa::Integer) {
        self.text.extend_from_slice(itoa::Buffer::new().format(value).as_bytes());
    }

    fn float(&mut self, value: f64) -> Result<(), WriterError> {
        if !value.is_finite() {
            return Err(WriterError("a number that is not finite has no JSON form".to_owned()));
        }
        self.text.extend_from_slice(general(value).as_bytes());
        Ok(())
    }

    /// Ends an object whose members are those from `base` on: brings them into the reference's order.
    fn end_object(&mut self, base: usize) {
        let members = &mut self.members[base..];
        // The table puts a newer member of the same bucket first.
        if !members.windows(2).all(|pair| pair[0].bucket < pair[1].bucket) {
            let body = members[0].start;
            members.sort_by(|a, b| a.bucket.cmp(&b.bucket).then(b.start.cmp(&a.start)));
            let mut unordered = std::mem::take(&mut self.unordered);
            unordered.clear();
            unordered.extend_from_slice(&self.text[body..]);
            self.text.truncate(body);
            for index in base..self.members.len() {
                if index > base {
                    self.separator(false);
                }
                let Member { start, end, .. } = self.members[index];
                self.text.extend_from_slice(&unordered[start - body..end - body]);
            }
            self.unordered = unordered;
        }
        self.members.truncate(base);
    }
}

/// Whether a byte of a string is written as it is.
fn is_plain(byte: u8) -> bool {
    matches!(byte, b' '..=b'~') & (byte != b'"') & (byte != b'\\')
}

/// The compact text of a value.
///
/// # Errors
/// A number that is not finite, a map key that is neither text nor an integer, or whatever the
/// value's own `Serialize` refuses.
pub fn to_string<T: Serialize + ?Sized>(value: &T) -> Result<String, WriterError> {
    let mut writer = Writer::new(false);
    value.serialize(&mut writer)?;
    String::from_utf8(writer.text).map_err(ser::Error::custom)
}

impl<'a> ser::Serializer for &'a mut Writer {
    type Ok = ();
    type Error = WriterError;
    type SerializeSeq = Compound<'a>;
    type SerializeTuple = Compound<'a>;
    type SerializeTupleStruct = Compound<'a>;
    type SerializeTupleVariant = Compound<'a>;
    type SerializeMap = Compound<'a>;
    type SerializeStruct = Compound<'a>;
    type SerializeStructVariant = Compound<'a>;

    fn serialize_bool(self, value: bool) -> Result<(), WriterError> {
        self.text.extend_from_slice(if value { b"true" } else { b"false" });
        Ok(())
    }

    fn serialize_i8(self, value: i8) -> Result<(), WriterError> {
        self.integer(value);
        Ok(())
    }

    fn serialize_i16(self, value: i16) -> Result<(), WriterError> {
        self.integer(value);
        Ok(())
    }

    fn serialize_i32(self, value: i32) -> Result<(), WriterError> {
        self.integer(value);
        Ok(())
    }

    fn serialize_i64(self, value: i64) -> Result<(), WriterError> {
        self.integer(value);
        Ok(())
    }

    fn serialize_u8(self, value: u8) -> Result<(), WriterError> {
        self.integer(value);
        Ok(())
    }

    fn serialize_u16(self, value: u16) -> Result<(), WriterError> {
        self.integer(value);
        Ok(())
    }

    fn serialize_u32(self, value: u32) -> Result<(), WriterError> {
        self.integer(value);
        Ok(())
    }

    fn serialize_u64(self, value: u64) -> Result<(), WriterError> {
        self.integer(value);
        Ok(())
    }

    fn serialize_f32(self, value: f32) -> Result<(), WriterError> {
        self.float(f64::from(value))
    }

    fn serialize_f64(self, value: f64) -> Result<(), WriterError> {
        self.float(value)
    }

    fn serialize_char(self, value: char) -> Result<(), WriterError> {
        self.string(value.encode_utf8(&mut [0; 4]));
        Ok(())
    }

    fn serialize_str(self, value: &str) -> Result<(), WriterError> {
        self.string(value);
        Ok(())
    }

    fn serialize_bytes(self, value: &[u8]) -> Result<(), WriterError> {
        value.serialize(self)
    }

    fn serialize_none(self) -> Result<(), WriterError> {
        self.serialize_unit()?;
        self.absent = true;
        Ok(())
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<(), WriterError> {
        value.serialize(self)
    }

    fn serialize_unit(self) -> Result<(), WriterError> {
        self.text.extend_from_slice(b"null");
        Ok(())
    }

    /// A command that returns nothing returns `{}`, so a unit struct is an object without members.
    fn serialize_unit_struct(self, _: &'static str) -> Result<(), WriterError> {
        Compound::object(self, b"}").finish();
        Ok(())
    }

    fn serialize_unit_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
    ) -> Result<(), WriterError> {
        self.string(variant);
        Ok(())
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        value: &T,
    ) -> Result<(), WriterError> {
        value.serialize(self)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        value: &T,
    ) -> Result<(), WriterError> {
        let mut object = Compound::object(self, b"}");
        object.key(variant);
        object.member_value(value)?;
        object.finish();
        Ok(())
    }

    fn serialize_seq(self, _: Option<usize>) -> Result<Compound<'a>, WriterError> {
        Ok(Compound::array(self, b"]"))
    }

    fn serialize_tuple(self, _: usize) -> Result<Compound<'a>, WriterError> {
        Ok(Compound::array(self, b"]"))
    }

    fn serialize_tuple_struct(self, _: &'static str, _: usize) -> Result<Compound<'a>, WriterError> {
        Ok(Compound::array(self, b"]"))
    }

    fn serialize_tuple_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        _: usize,
    ) -> Result<Compound<'a>, WriterError> {
        let mut object = Compound::object(self, b"}");
        object.key(variant);
        let base = object.base;
        let mut array = Compound::array(object.writer, b"]}");
        array.base = base;
        Ok(array)
    }

    fn serialize_map(self, _: Option<usize>) -> Result<Compound<'a>, WriterError> {
        Ok(Compound::object(self, b"}"))
    }

    fn serialize_struct(self, _: &'static str, _: usize) -> Result<Compound<'a>, WriterError> {
        Ok(Compound::object(self, b"}"))
    }

    fn serialize_struct_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        _: usize,
    ) -> Result<Compound<'a>, WriterError> {
        let mut outer = Compound::object(self, b"}");
        outer.key(variant);
        // The outer object has one member and so needs no order; only its brace is left to write.
        outer.writer.members.pop();
        Ok(Compound::object(outer.writer, b"}}"))
    }
}
