//! The statistics that KVM keeps of a VM and of each vCPU, as it describes them itself (Linux `Documentation/virt/kvm/api.rst`,
//! `KVM_GET_STATS_FD`).
//!
//! A descriptor of statistics is a small file: a header, a name for the whole, a block of descriptions and a block of 64-bit
//! numbers. What statistics there are is the kernel's to say, so none is named here. The file is not believed: offsets and
//! counts that cannot be are errors.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

use kvm_bindings::{
    KVM_STATS_BASE_MASK, KVM_STATS_BASE_POW2, KVM_STATS_BASE_POW10, KVM_STATS_TYPE_CUMULATIVE,
    KVM_STATS_TYPE_INSTANT, KVM_STATS_TYPE_LINEAR_HIST, KVM_STATS_TYPE_LOG_HIST, KVM_STATS_TYPE_MASK,
    KVM_STATS_TYPE_PEAK, KVM_STATS_UNIT_BOOLEAN, KVM_STATS_UNIT_BYTES, KVM_STATS_UNIT_CYCLES,
    KVM_STATS_UNIT_MASK, KVM_STATS_UNIT_NONE, KVM_STATS_UNIT_SECONDS,
};

/// `struct kvm_stats_header`: six 32-bit numbers.
const HEADER: usize = 24;
/// `struct kvm_stats_desc` without the name.
const DESCRIPTION: usize = 16;
/// The most that a file may hold; Linux has some five KiB.
const MAX_SIZE: u64 = 1 << 20;

/// What a number says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StatisticKind {
    /// It only grows.
    Cumulative,
    /// It is so at this moment.
    Instant,
    /// The highest so far.
    Peak,
    /// How often a value lay in each range of the same width; the last range has no end.
    LinearHistogram {
        /// The width of a range.
        bucket_size: u32,
    },
    /// How often a value lay in each range; from the second one on each is twice as wide as the one before.
    Log2Histogram,
}

/// What a number counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StatisticUnit {
    /// Things.
    None,
    /// Bytes.
    Bytes,
    /// Seconds.
    Seconds,
    /// Clock cycles of a CPU.
    Cycles,
    /// 1 for true, 0 for false.
    Boolean,
}

/// One of the kernel's statistics.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Statistic {
    /// The kernel's name.
    pub name: String,
    /// What its numbers say.
    pub kind: StatisticKind,
    /// What they count.
    pub unit: StatisticUnit,
    /// 2 or 10: its numbers are to be multiplied by `base` to the power of `exponent`.
    pub base: u8,
    /// See `base`.
    pub exponent: i16,
    /// Where its numbers lie in the block of data.
    offset: usize,
    count: usize,
}

/// The statistics of one VM or vCPU.
#[derive(Debug)]
pub struct Statistics {
    file: File,
    data_offset: u64,
    data_size: usize,
    described: Vec<Statistic>,
}

fn invalid(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("KVM describes its statistics wrongly: {what}"))
}

fn number(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(bytes.get(at..at + 4)?.try_into().ok()?))
}

fn half(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_le_bytes(bytes.get(at..at + 2)?.try_into().ok()?))
}

/// Where the blocks of a file are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Header {
    name_size: usize,
    count: usize,
    descriptions: u64,
    data: u64,
}

impl Header {
    fn read(bytes: &[u8]) -> Option<Self> {
        Some(Self {
            name_size: usize::try_from(number(bytes, 4)?).ok()?,
            count: usize::try_from(number(bytes, 8)?).ok()?,
            descriptions: number(bytes, 16)?.into(),
            data: number(bytes, 20)?.into(),
        })
    }

    /// Bytes of the block of descriptions.
    fn descriptions_size(&self) -> Option<usize> {
        let size = DESCRIPTION.checked_add(self.name_size)?.checked_mul(self.count)?;
        (self.descriptions.checked_add(u64::try_from(size).ok()?)? <= MAX_SIZE).then_some(size)
    }
}

/// One description; `Ok(None)` for a kind, unit or base that later kernels may have.
fn description(bytes: &[u8]) -> Result<Option<Statistic>, &'static str> {
    let read =
        || Some((number(bytes, 0)?, half(bytes, 4)?, half(bytes, 6)?, number(bytes, 8)?, number(bytes, 12)?));
    let (flags, exponent, count, offset, bucket_size) = read().ok_or("a description is too short")?;
    let name = bytes.get(DESCRIPTION..).unwrap_or_default();
    let name = name.split(|byte| *byte == 0).next().unwrap_or_default();
    let name = std::str::from_utf8(name).map_err(|_| "a name is no text")?;
    let offset = usize::try_from(offset).map_err(|_| "an offset is too large")?;
    let count = usize::from(count);
    if count == 0 {
        return Err("no number of one");
    }
    let kind = match flags & KVM_STATS_TYPE_MASK {
        KVM_STATS_TYPE_CUMULATIVE => StatisticKind::Cumulative,
        KVM_STATS_TYPE_INSTANT => StatisticKind::Instant,
        KVM_STATS_TYPE_PEAK => StatisticKind::Peak,
        KVM_STATS_TYPE_LINEAR_HIST => StatisticKind::LinearHistogram { bucket_size },
        KVM_STATS_TYPE_LOG_HIST => StatisticKind::Log2Histogram,
        _ => return Ok(None),
    };
    let unit = match flags & KVM_STATS_UNIT_MASK {
        KVM_STATS_UNIT_NONE => StatisticUnit::None,
        KVM_STATS_UNIT_BYTES => StatisticUnit::Bytes,
        KVM_STATS_UNIT_SECONDS => StatisticUnit::Seconds,
        KVM_STATS_UNIT_CYCLES => StatisticUnit::Cycles,
        KVM_STATS_UNIT_BOOLEAN => StatisticUnit::Boolean,
        _ => return Ok(None),
    };
    let base = match flags & KVM_STATS_BASE_MASK {
        KVM_STATS_BASE_POW10 => 10,
        KVM_STATS_BASE_POW2 => 2,
        _ => return Ok(None),
    };
    let exponent = i16::from_le_bytes(exponent.to_le_bytes());
    Ok(Some(Statistic { name: name.to_owned(), kind, unit, base, exponent, offset, count }))
}

/// All descriptions of a block, in the kernel's order.
fn descriptions(block: &[u8], name_size: usize) -> Result<Vec<Statistic>, &'static str> {
    block.chunks_exact(DESCRIPTION + name_size).filter_map(|one| description(one).transpose()).collect()
}

impl Statistics {
    /// Reads which statistics a descriptor has.
    ///
    /// # Errors
    /// That it cannot be read, or is no such file.
    pub fn new(file: File) -> io::Result<Self> {
        let mut header = [0; HEADER];
        file.read_exact_at(&mut header, 0)?;
        let header = Header::read(&header).ok_or_else(|| invalid("a header that is too short"))?;
        let size = header.descriptions_size().ok_or_else(|| invalid("more than there can be"))?;
        let mut block = vec![0; size];
        file.read_exact_at(&mut block, header.descriptions)?;
        let described = descriptions(&block, header.name_size).map_err(invalid)?;
        let end = |one: &Statistic| one.offset.checked_add(one.count.checked_mul(size_of::<u64>())?);
        let ends: Option<Vec<usize>> = described.iter().map(end).collect();
        let data_size = ends.map(|ends| ends.into_iter().max().unwrap_or(0));
        let data_size = data_size.filter(|size| u64::try_from(*size).is_ok_and(|size| size <= MAX_SIZE));
        let data_size = data_size.ok_or_else(|| invalid("numbers beyond the end"))?;
        Ok(Self { file, data_offset: header.data, data_size, described })
    }

    /// What there is, in the kernel's order.
    pub fn described(&self) -> &[Statistic] {
        &self.described
    }

    /// The numbers of each statistic as they are now, in the same order; a single number for those that are no histogram.
    ///
    /// # Errors
    /// That they cannot be read.
    pub fn values(&self) -> io::Result<Vec<Vec<u64>>> {
        let mut data = vec![0; self.data_size];
        self.file.read_exact_at(&mut data, self.data_offset)?;
        let values = |one: &Statistic| {
            let bytes = data.get(one.offset..)?.get(..one.count * size_of::<u64>())?;
            let (numbers, _) = bytes.as_chunks();
            Some(numbers.iter().map(|number| u64::from_le_bytes(*number)).collect())
        };
        self.described
            .iter()
            .map(values)
            .collect::<Option<_>>()
            .ok_or_else(|| invalid("numbers beyond the end"))
    }
}

#[cfg(test)]
#[path = "stats_tests.rs"]
mod tests;
