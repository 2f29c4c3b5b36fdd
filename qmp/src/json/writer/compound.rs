//! Arrays and objects that are being written: serde's compound serializers, which all are one type.
//!
//! A member is noted with its place in the text when it is begun; the writer brings an object's members into order when it ends.

use serde::ser::{self, Serialize};

use super::{Member, Writer, WriterError, field_names};
use crate::json::format::bucket;

/// An array or object that is being written.
#[derive(Debug)]
pub struct Compound<'a> {
    pub(super) writer: &'a mut Writer,
    first: bool,
    /// Where this object's members begin in [`Writer::members`].
    pub(super) base: usize,
    /// What closes it, from the inside out.
    closing: &'static [u8],
}

impl<'a> Compound<'a> {
    pub(super) fn array(writer: &'a mut Writer, closing: &'static [u8]) -> Self {
        let base = writer.members.len();
        writer.open(b'[');
        Self { writer, first: true, base, closing }
    }

    pub(super) fn object(writer: &'a mut Writer, closing: &'static [u8]) -> Self {
        let base = writer.members.len();
        writer.open(b'{');
        Self { writer, first: true, base, closing }
    }

    fn item<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), WriterError> {
        self.writer.separator(self.first);
        self.first = false;
        value.serialize(&mut *self.writer)
    }

    pub(super) fn key(&mut self, key: &'static str) {
        self.writer.separator(self.first);
        self.first = false;
        let start = self.writer.text.len();
        let (bucket, written) = field_names::write(key, &mut self.writer.text);
        self.writer.members.push(Member { bucket, start, end: start });
        if !written {
            self.writer.name(key);
        }
    }

    pub(super) fn member_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), WriterError> {
        value.serialize(&mut *self.writer)?;
        self.writer.absent = false;
        let end = self.writer.text.len();
        if let Some(member) = self.writer.members.last_mut() {
            member.end = end;
        }
        Ok(())
    }

    fn field<T: Serialize + ?Sized>(&mut self, key: &'static str, value: &T) -> Result<(), WriterError> {
        let (before, first) = (self.writer.text.len(), self.first);
        self.key(key);
        self.writer.absent = false;
        value.serialize(&mut *self.writer)?;
        if std::mem::take(&mut self.writer.absent) {
            self.writer.text.truncate(before);
            self.writer.members.pop();
            self.first = first;
            return Ok(());
        }
        let end = self.writer.text.len();
        if let Some(member) = self.writer.members.last_mut() {
            member.end = end;
        }
        Ok(())
    }

    pub(super) fn finish(self) {
        if self.closing.first() == Some(&b'}') && self.writer.members.len() > self.base {
            self.writer.end_object(self.base);
        }
        for &bracket in self.closing {
            self.writer.close(bracket);
        }
        self.writer.absent = false;
    }
}

impl ser::SerializeSeq for Compound<'_> {
    type Ok = ();
    type Error = WriterError;

    fn serialize_element<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), WriterError> {
        self.item(value)
    }

    fn end(self) -> Result<(), WriterError> {
        self.finish();
        Ok(())
    }
}

impl ser::SerializeTuple for Compound<'_> {
    type Ok = ();
    type Error = WriterError;

    fn serialize_element<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), WriterError> {
        self.item(value)
    }

    fn end(self) -> Result<(), WriterError> {
        self.finish();
        Ok(())
    }
}

impl ser::SerializeTupleStruct for Compound<'_> {
    type Ok = ();
    type Error = WriterError;

    fn serialize_field<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), WriterError> {
        self.item(value)
    }

    fn end(self) -> Result<(), WriterError> {
        self.finish();
        Ok(())
    }
}

impl ser::SerializeTupleVariant for Compound<'_> {
    type Ok = ();
    type Error = WriterError;

    fn serialize_field<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), WriterError> {
        self.item(value)
    }

    fn end(self) -> Result<(), WriterError> {
        self.writer.members.truncate(self.base);
        self.finish();
        Ok(())
    }
}

impl ser::SerializeMap for Compound<'_> {
    type Ok = ();
    type Error = WriterError;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), WriterError> {
        self.writer.separator(self.first);
        self.first = false;
        let start = self.writer.text.len();
        key.serialize(&mut *self.writer)?;
        let written = &self.writer.text[start..];
        let bucket = match written {
            // Quotes and escapes are not part of the name that is hashed.
            [b'"', name @ .., b'"'] if !name.contains(&b'\\') => bucket(name),
            [b'"', ..] => {
                let name: String = serde_json::from_slice(written).map_err(ser::Error::custom)?;
                bucket(name.as_bytes())
            }
            [b'0'..=b'9' | b'-', ..] if !written.contains(&b'.') => {
                let bucket = bucket(written);
                self.writer.text.insert(start, b'"');
                self.writer.text.push(b'"');
                bucket
            }
            _ => return Err(WriterError("a member's name must be text or an integer".to_owned())),
        };
        self.writer.members.push(Member { bucket, start, end: start });
        self.writer.text.extend_from_slice(b": ");
        Ok(())
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), WriterError> {
        self.member_value(value)
    }

    fn end(self) -> Result<(), WriterError> {
        self.finish();
        Ok(())
    }
}

impl ser::SerializeStruct for Compound<'_> {
    type Ok = ();
    type Error = WriterError;

    fn serialize_field<T: Serialize + ?Sized>(
        &mut self,
        key: &'static str,
        value: &T,
    ) -> Result<(), WriterError> {
        self.field(key, value)
    }

    fn end(self) -> Result<(), WriterError> {
        self.finish();
        Ok(())
    }
}

impl ser::SerializeStructVariant for Compound<'_> {
    type Ok = ();
    type Error = WriterError;

    fn serialize_field<T: Serialize + ?Sized>(
        &mut self,
        key: &'static str,
        value: &T,
    ) -> Result<(), WriterError> {
        self.field(key, value)
    }

    fn end(self) -> Result<(), WriterError> {
        self.finish();
        Ok(())
    }
}
