//! Reading an option, from words (`-numa`) or from JSON (`set-numa-node`).
//!
//! Members are looked at in the order of QAPI's schema, whatever order they were written in, and what is left over is
//! refused last. The two forms differ in the words of their errors and in how a list and a size are written: in words a
//! list is the key repeated, each time with a number or a range, and the last value of any other key counts.

use qom::text::{ParameterError, parse_i64, parse_size, parse_u64, size};
use serde_json::{Map, Value};

use super::hmat::{Associativity, DataType, Hierarchy, WritePolicy};
use super::options::{
    CpuOptions, DistanceOptions, HmatCacheOptions, HmatLbOptions, NodeOptions, NumaOptions,
};

/// How many numbers a range in words may have.
const RANGE_MAX: u64 = 65536;

/// An option's members in one of the two forms. Taking one removes it.
trait Members {
    fn text(&mut self, name: &str) -> Result<Option<String>, ParameterError>;
    /// A number of at most `max`, which is the highest of `type_name`.
    fn unsigned(
        &mut self,
        name: &str,
        max: u64,
        type_name: &'static str,
    ) -> Result<Option<u64>, ParameterError>;
    fn signed(&mut self, name: &str) -> Result<Option<i64>, ParameterError>;
    fn size(&mut self, name: &str) -> Result<Option<u64>, ParameterError>;
    fn list(&mut self, name: &str) -> Result<Vec<u16>, ParameterError>;
    /// Refuses what was not taken.
    fn finish(self) -> Result<(), ParameterError>;
}

fn expects(name: &str, expected: &'static str) -> ParameterError {
    ParameterError::Expects { name: name.to_owned(), expected }
}

fn required<T>(name: &str, value: Option<T>) -> Result<T, ParameterError> {
    value.ok_or_else(|| ParameterError::Missing { name: name.to_owned() })
}

fn small<T: TryFrom<u64>>(
    members: &mut impl Members,
    name: &str,
    max: T,
    type_name: &'static str,
) -> Result<Option<T>, ParameterError>
where
    u64: From<T>,
{
    let wide = members.unsigned(name, max.into(), type_name)?;
    wide.map(|wide| T::try_from(wide).map_err(|_| expects(name, type_name))).transpose()
}

fn u8(members: &mut impl Members, name: &str) -> Result<u8, ParameterError> {
    required(name, small(members, name, u8::MAX, "uint8_t")?)
}

fn u16(members: &mut impl Members, name: &str) -> Result<Option<u16>, ParameterError> {
    small(members, name, u16::MAX, "uint16_t")
}

fn choice<T: Copy>(
    members: &mut impl Members,
    name: &str,
    values: &[(&str, T)],
) -> Result<T, ParameterError> {
    let text = required(name, members.text(name)?)?;
    let found = values.iter().find(|(known, _)| *known == text);
    found.map(|(_, value)| *value).ok_or(ParameterError::NotAccepted { name: name.to_owned(), value: text })
}

fn read(mut members: impl Members) -> Result<NumaOptions, ParameterError> {
    #[derive(Clone, Copy)]
    enum Kind {
        Node,
        Distance,
        Cpu,
        HmatLb,
        HmatCache,
    }
    let kinds = [
        ("node", Kind::Node),
        ("dist", Kind::Distance),
        ("cpu", Kind::Cpu),
        ("hmat-lb", Kind::HmatLb),
        ("hmat-cache", Kind::HmatCache),
    ];
    let options = match choice(&mut members, "type", &kinds)? {
        Kind::Node => NumaOptions::Node(NodeOptions {
            nodeid: u16(&mut members, "nodeid")?,
            cpus: members.list("cpus")?,
            mem: members.size("mem")?,
            memdev: members.text("memdev")?,
            initiator: u16(&mut members, "initiator")?,
        }),
        Kind::Distance => NumaOptions::Distance(DistanceOptions {
            src: required("src", u16(&mut members, "src")?)?,
            dst: required("dst", u16(&mut members, "dst")?)?,
            val: u8(&mut members, "val")?,
        }),
        Kind::Cpu => NumaOptions::Cpu(CpuOptions {
            node_id: members.signed("node-id")?,
            drawer_id: members.signed("drawer-id")?,
            book_id: members.signed("book-id")?,
            socket_id: members.signed("socket-id")?,
            die_id: members.signed("die-id")?,
            cluster_id: members.signed("cluster-id")?,
            module_id: members.signed("module-id")?,
            core_id: members.signed("core-id")?,
            thread_id: members.signed("thread-id")?,
        }),
        Kind::HmatLb => NumaOptions::HmatLb(HmatLbOptions {
            initiator: required("initiator", u16(&mut members, "initiator")?)?,
            target: required("target", u16(&mut members, "target")?)?,
            hierarchy: choice(&mut members, "hierarchy", Hierarchy::NAMES)?,
            data_type: choice(&mut members, "data-type", DataType::NAMES)?,
            latency: members.unsigned("latency", u64::MAX, "uint64")?,
            bandwidth: members.size("bandwidth")?,
        }),
        Kind::HmatCache => NumaOptions::HmatCache(HmatCacheOptions {
            node_id: required("node-id", small(&mut members, "node-id", u32::MAX, "uint32_t")?)?,
            size: required("size", members.size("size")?)?,
            level: u8(&mut members, "level")?,
            associativity: choice(&mut members, "associativity", Associativity::NAMES)?,
            policy: choice(&mut members, "policy", WritePolicy::NAMES)?,
            line: required("line", u16(&mut members, "line")?)?,
        }),
    };
    members.finish()?;
    Ok(options)
}

impl NumaOptions {
    /// Reads an option in words: keys and values, in order, the kind as `type`.
    ///
    /// # Errors
    /// The first member that is wrong, in the order of the schema.
    pub fn from_pairs(pairs: &[(String, String)]) -> Result<Self, ParameterError> {
        let mut options = read(Words(pairs.iter().map(|(key, value)| (&**key, &**value)).collect()))?;
        if let Self::Node(node) = &mut options
            && let Some((_, text)) = pairs.iter().rev().find(|(key, _)| key == "mem")
        {
            // A number alone is one of mebibytes.
            node.mem = Some(size::parse_mebibytes(text).map_err(|_| expects("mem", "a size value"))?);
        }
        Ok(options)
    }

    /// Reads an option in JSON.
    ///
    /// # Errors
    /// As [`from_pairs`](Self::from_pairs).
    pub fn from_json(members: Map<String, Value>) -> Result<Self, ParameterError> {
        read(Json(members))
    }
}

/// Keys and values in order.
struct Words<'a>(Vec<(&'a str, &'a str)>);

impl<'a> Words<'a> {
    /// All values of a key, in order.
    fn take(&mut self, name: &str) -> Vec<&'a str> {
        let values = self.0.iter().filter(|(key, _)| *key == name).map(|(_, value)| *value).collect();
        self.0.retain(|(key, _)| *key != name);
        values
    }

    /// The last value of a key, read.
    fn last<T>(
        &mut self,
        name: &str,
        expected: &'static str,
        read: impl Fn(&str) -> Option<T>,
    ) -> Result<Option<T>, ParameterError> {
        let last = self.take(name).pop();
        last.map(|text| read(text).ok_or_else(|| expects(name, expected))).transpose()
    }
}

/// An unsigned number, with no minus sign.
fn plain_unsigned(text: &str) -> Option<u64> {
    if text.trim_start().starts_with('-') { None } else { parse_u64(text) }
}

/// `N` or `N-M`.
fn range(text: &str) -> Option<std::ops::RangeInclusive<u64>> {
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    let (first, last) = (plain_unsigned(first)?, plain_unsigned(last)?);
    // White space may stand before a number and not behind it, so not before the dash either.
    (first <= last && last - first < RANGE_MAX).then_some(first..=last)
}

impl Members for Words<'_> {
    fn text(&mut self, name: &str) -> Result<Option<String>, ParameterError> {
        Ok(self.take(name).pop().map(str::to_owned))
    }

    fn unsigned(
        &mut self,
        name: &str,
        max: u64,
        type_name: &'static str,
    ) -> Result<Option<u64>, ParameterError> {
        let value = self.last(name, "a uint64 value", plain_unsigned)?;
        if value.is_some_and(|value| value > max) { Err(expects(name, type_name)) } else { Ok(value) }
    }

    fn signed(&mut self, name: &str) -> Result<Option<i64>, ParameterError> {
        self.last(name, "an int64 value", parse_i64)
    }

    fn size(&mut self, name: &str) -> Result<Option<u64>, ParameterError> {
        self.last(name, "a size value", parse_size)
    }

    fn list(&mut self, name: &str) -> Result<Vec<u16>, ParameterError> {
        let mut numbers = Vec::new();
        for text in self.take(name) {
            let range = range(text).ok_or_else(|| expects(name, "a uint64 value or range"))?;
            for number in range {
                numbers.push(u16::try_from(number).map_err(|_| expects(name, "uint16_t"))?);
            }
        }
        Ok(numbers)
    }

    fn finish(self) -> Result<(), ParameterError> {
        match self.0.first() {
            Some((name, _)) => Err(ParameterError::Invalid { name: (*name).to_owned() }),
            None => Ok(()),
        }
    }
}

struct Json(Map<String, Value>);

fn wrong_kind(name: &str, expected: &'static str) -> ParameterError {
    ParameterError::WrongKind { name: name.to_owned(), expected }
}

/// A negative number stands for its 64 bits, as in the reference.
fn json_unsigned(
    name: &str,
    value: &Value,
    max: u64,
    type_name: &'static str,
) -> Result<u64, ParameterError> {
    let wide = value.as_u64().or_else(|| value.as_i64().map(i64::cast_unsigned));
    let wide = wide.ok_or_else(|| expects(name, "uint64"))?;
    if wide > max { Err(expects(name, type_name)) } else { Ok(wide) }
}

impl Members for Json {
    fn text(&mut self, name: &str) -> Result<Option<String>, ParameterError> {
        match self.0.shift_remove(name) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(_) => Err(wrong_kind(name, "string")),
        }
    }

    fn unsigned(
        &mut self,
        name: &str,
        max: u64,
        type_name: &'static str,
    ) -> Result<Option<u64>, ParameterError> {
        let value = self.0.shift_remove(name);
        value.map(|value| json_unsigned(name, &value, max, type_name)).transpose()
    }

    fn signed(&mut self, name: &str) -> Result<Option<i64>, ParameterError> {
        let value = self.0.shift_remove(name);
        value.map(|value| value.as_i64().ok_or_else(|| wrong_kind(name, "integer"))).transpose()
    }

    fn size(&mut self, name: &str) -> Result<Option<u64>, ParameterError> {
        self.unsigned(name, u64::MAX, "uint64")
    }

    fn list(&mut self, name: &str) -> Result<Vec<u16>, ParameterError> {
        let items = match self.0.shift_remove(name) {
            None => return Ok(Vec::new()),
            Some(Value::Array(items)) => items,
            Some(_) => return Err(wrong_kind(name, "array")),
        };
        let item = |(index, item): (usize, &Value)| {
            let name = format!("{name}[{index}]");
            let wide = json_unsigned(&name, item, u16::MAX.into(), "uint16_t")?;
            u16::try_from(wide).map_err(|_| expects(&name, "uint16_t"))
        };
        items.iter().enumerate().map(item).collect()
    }

    fn finish(self) -> Result<(), ParameterError> {
        match self.0.into_iter().next() {
            Some((name, _)) => Err(ParameterError::Unexpected { name }),
            None => Ok(()),
        }
    }
}
