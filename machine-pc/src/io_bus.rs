//! The buses that vCPU threads reach devices by: I/O ports and memory-mapped registers.
//!
//! A bus is mostly read: a vCPU's exit finds its device by a binary search, with no lock. Where a device comes or goes, a new
//! list of all takes the old one's place at once; an access that is under way ends on the old one. Devices lock themselves.
//!
//! What no device answers reads as all ones on the port bus, as on a PC with nothing at the
//! address, and as zero on the memory bus; writes there have no effect. An access that leaves a
//! device's range in the middle is taken apart into bytes, so a device never sees an offset
//! outside its range; one that it does not know as a whole, or that is not aligned in its range, into pieces.

use std::fmt;
use std::sync::Arc;

use arc_swap::ArcSwap;
use parking_lot::Mutex;
use thiserror::Error;

/// A device's registers on a bus.
///
/// `offset` is relative to the range the device was inserted with and `offset + size` never
/// exceeds its length; `size` is 1, 2, 4 or (memory only) 8 bytes, `offset` a multiple of it. Values are
/// little-endian. Called on vCPU threads, several at a time.
pub trait IoDevice: Send + Sync {
    /// The widest access in bytes that it knows; wider ones come in pieces of that size.
    fn max_access(&self) -> u8 {
        8
    }
    /// Reads `size` bytes.
    fn read(&self, offset: u64, size: u8) -> u64;
    /// Writes the low `size` bytes of `value`.
    fn write(&self, offset: u64, size: u8, value: u64);
}

/// Why a device cannot be put on a bus.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum InsertError {
    /// The range is empty or wraps around the end of the address space.
    #[error("'{name}': a range of {len:#x} bytes at {base:#x} is not possible")]
    BadRange {
        /// The device that was to be inserted.
        name: &'static str,
        /// First address.
        base: u64,
        /// Length in bytes.
        len: u64,
    },
    /// Another device answers there.
    #[error("'{name}' at {base:#x} (length {len:#x}) overlaps '{other}'")]
    Overlap {
        /// The device that was to be inserted.
        name: &'static str,
        /// First address.
        base: u64,
        /// Length in bytes.
        len: u64,
        /// The device that is there.
        other: &'static str,
    },
}

#[derive(Clone)]
struct Range {
    base: u64,
    len: u64,
    name: &'static str,
    device: Arc<dyn IoDevice>,
}

/// Ranges in rising order, none overlapping.
#[derive(Default)]
struct Ranges(Vec<Range>);

impl Ranges {
    fn find(&self, address: u64) -> Option<&Range> {
        let at = self.0.partition_point(|r| r.base <= address).checked_sub(1)?;
        self.0.get(at).filter(|r| address - r.base < r.len)
    }

    /// The device that answers the whole access, with the offset in it.
    fn whole(&self, address: u64, size: usize) -> Option<(&Range, u64)> {
        let range = self.find(address)?;
        let offset = address - range.base;
        (range.len - offset >= size as u64).then_some((range, offset))
    }
}

/// Devices by address.
pub struct IoBus {
    ranges: ArcSwap<Ranges>,
    /// Held while a new list is made.
    changing: Mutex<()>,
    unmapped_byte: u8,
}

impl fmt::Debug for IoBus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ranges = self.ranges.load();
        f.debug_list().entries(ranges.0.iter().map(|r| (r.name, r.base..r.base + r.len))).finish()
    }
}

impl IoBus {
    fn new(unmapped_byte: u8) -> Self {
        Self { ranges: ArcSwap::default(), changing: Mutex::default(), unmapped_byte }
    }

    /// The port bus: what is not there reads as all ones.
    pub fn pio() -> Self {
        Self::new(0xff)
    }

    /// The memory bus: what is not there reads as zero.
    pub fn mmio() -> Self {
        Self::new(0)
    }

    /// Puts `device` at `base`, `len` bytes long. `name` is for diagnostics.
    ///
    /// # Errors
    /// [`InsertError`]; then nothing changed.
    pub fn insert(
        &self,
        name: &'static str,
        base: u64,
        len: u64,
        device: Arc<dyn IoDevice>,
    ) -> Result<(), InsertError> {
        let end = match base.checked_add(len) {
            Some(end) if len > 0 => end,
            _ => return Err(InsertError::BadRange { name, base, len }),
        };
        let _changing = self.changing.lock();
        let old = self.ranges.load();
        let at = old.0.partition_point(|r| r.base < base);
        let before = at.checked_sub(1).map(|i| &old.0[i]).filter(|r| r.base + r.len > base);
        let after = old.0.get(at).filter(|r| r.base < end);
        if let Some(other) = before.or(after) {
            return Err(InsertError::Overlap { name, base, len, other: other.name });
        }
        let mut ranges = old.0.clone();
        ranges.insert(at, Range { base, len, name, device });
        self.ranges.store(Arc::new(Ranges(ranges)));
        Ok(())
    }

    /// Takes away what begins at `base`; whether something did.
    pub fn remove(&self, base: u64) -> bool {
        let _changing = self.changing.lock();
        let old = self.ranges.load();
        let ranges: Vec<Range> = old.0.iter().filter(|r| r.base != base).cloned().collect();
        let removed = ranges.len() < old.0.len();
        self.ranges.store(Arc::new(Ranges(ranges)));
        removed
    }

    /// The ranges in rising order: first address, length, name.
    pub fn ranges(&self) -> Vec<(u64, u64, &'static str)> {
        self.ranges.load().0.iter().map(|r| (r.base, r.len, r.name)).collect()
    }

    /// Reads `data.len()` bytes (1, 2, 4 or 8) at `address`.
    pub fn read(&self, address: u64, data: &mut [u8]) {
        let ranges = self.ranges.load();
        if let Some((range, mut offset)) = ranges.whole(address, data.len())
            && let Some(size) = access_size(data.len())
        {
            let size = piece(&*range.device, offset, size);
            for part in data.chunks_exact_mut(size.into()) {
                let value = range.device.read(offset, size).to_le_bytes();
                part.copy_from_slice(&value[..part.len()]);
                offset += u64::from(size);
            }
            return;
        }
        for (i, byte) in data.iter_mut().enumerate() {
            let address = address.wrapping_add(i as u64);
            *byte = match ranges.find(address) {
                Some(range) => range.device.read(address - range.base, 1).to_le_bytes()[0],
                None => self.unmapped_byte,
            };
        }
    }

    /// Writes `data.len()` bytes (1, 2, 4 or 8) at `address`.
    pub fn write(&self, address: u64, data: &[u8]) {
        let ranges = self.ranges.load();
        if let Some((range, mut offset)) = ranges.whole(address, data.len())
            && let Some(size) = access_size(data.len())
        {
            let size = piece(&*range.device, offset, size);
            for part in data.chunks_exact(size.into()) {
                let mut value = [0; 8];
                value[..part.len()].copy_from_slice(part);
                range.device.write(offset, size, u64::from_le_bytes(value));
                offset += u64::from(size);
            }
            return;
        }
        for (i, byte) in data.iter().enumerate() {
            let address = address.wrapping_add(i as u64);
            if let Some(range) = ranges.find(address) {
                range.device.write(address - range.base, 1, u64::from(*byte));
            }
        }
    }
}

/// How much of an access of `size` bytes a device sees at a time: what it knows, and what is aligned. The reference does so with
/// accesses of a guest under KVM; under TCG and qtest it drops those that are not aligned.
fn piece(device: &dyn IoDevice, offset: u64, size: u8) -> u8 {
    let size = size.min(device.max_access().max(1));
    if offset.is_multiple_of(u64::from(size)) { size } else { 1 << offset.trailing_zeros().min(3) }
}

/// An access that a device may see whole.
fn access_size(len: usize) -> Option<u8> {
    matches!(len, 1 | 2 | 4 | 8).then_some(len as u8)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::sync::Mutex;

    #[derive(Default)]
    struct Log(Mutex<Vec<(u64, u8, u64)>>);

    impl IoDevice for Log {
        fn read(&self, offset: u64, size: u8) -> u64 {
            0x8877_6655_4433_2200 | (offset << 4) | u64::from(size)
        }
        fn write(&self, offset: u64, size: u8, value: u64) {
            self.0.lock().unwrap().push((offset, size, value));
        }
    }

    #[test]
    fn what_is_not_there_reads_as_ones_on_ports_and_as_zero_in_memory() {
        let mut data = [0; 4];
        IoBus::pio().read(0x1234, &mut data);
        assert_eq!(data, [0xff; 4]);
        IoBus::mmio().read(0xd000_0000, &mut data);
        assert_eq!(data, [0; 4]);
    }

    #[test]
    fn an_access_over_the_end_of_a_device_is_taken_apart() {
        let log = Arc::new(Log::default());
        let bus = IoBus::pio();
        bus.insert("a", 0x100, 2, log.clone()).unwrap();
        let mut data = [0; 4];
        bus.read(0x101, &mut data);
        assert_eq!(data, [0x11, 0xff, 0xff, 0xff]);
        bus.write(0xff, &[1, 2, 3, 4]);
        bus.write(0x100, &[5, 6]);
        assert_eq!(*log.0.lock().unwrap(), [(0, 1, 2), (1, 1, 3), (0, 2, 0x605)]);
    }

    struct Narrow(Log);

    impl IoDevice for Narrow {
        fn max_access(&self) -> u8 {
            2
        }
        fn read(&self, offset: u64, size: u8) -> u64 {
            self.0.read(offset, size)
        }
        fn write(&self, offset: u64, size: u8, value: u64) {
            self.0.write(offset, size, value);
        }
    }

    #[test]
    fn a_device_sees_aligned_accesses_that_it_knows() {
        let (narrow, wide) = (Arc::new(Narrow(Log::default())), Arc::new(Log::default()));
        let bus = IoBus::pio();
        bus.insert("narrow", 0x100, 8, narrow.clone()).unwrap();
        bus.insert("wide", 0x200, 8, wide.clone()).unwrap();
        bus.write(0x100, &[1, 2, 3, 4]);
        bus.write(0x101, &[5, 6]);
        assert_eq!(*narrow.0.0.lock().unwrap(), [(0, 2, 0x201), (2, 2, 0x403), (1, 1, 5), (2, 1, 6)]);
        bus.write(0x204, &[1, 2, 3, 4]);
        bus.write(0x202, &[1, 2, 3, 4]);
        assert_eq!(*wide.0.lock().unwrap(), [(4, 4, 0x0403_0201), (2, 2, 0x201), (4, 2, 0x403)]);
        let mut data = [0; 4];
        bus.read(0x102, &mut data);
        assert_eq!(data, [0x22, 0x22, 0x42, 0x22]);
    }

    #[test]
    fn overlaps_and_impossible_ranges_are_refused_by_name() {
        let bus = IoBus::pio();
        let dev = || Arc::new(Log::default());
        bus.insert("a", 0x60, 1, dev()).unwrap();
        bus.insert("b", 0x64, 1, dev()).unwrap();
        let err = bus.insert("c", 0x5f, 6, dev()).unwrap_err();
        assert_eq!(err.to_string(), "'c' at 0x5f (length 0x6) overlaps 'a'");
        assert!(bus.insert("d", 0x61, 3, dev()).is_ok());
        assert!(matches!(bus.insert("e", 1, 0, dev()), Err(InsertError::BadRange { .. })));
        assert!(matches!(bus.insert("e", u64::MAX, 2, dev()), Err(InsertError::BadRange { .. })));
    }

    #[test]
    fn devices_come_and_go_while_others_are_read() {
        let bus = Arc::new(IoBus::pio());
        bus.insert("stays", 0x100, 1, Arc::new(Log::default())).unwrap();
        let reader = {
            let bus = bus.clone();
            std::thread::spawn(move || {
                for _ in 0..20_000 {
                    let mut data = [0; 2];
                    bus.read(0x100, &mut data[..1]);
                    bus.read(0x200, &mut data[1..]);
                    assert!(data[0] == 1 && matches!(data[1], 1 | 0xff), "{data:?}");
                }
            })
        };
        while !reader.is_finished() {
            bus.insert("comes", 0x200, 1, Arc::new(Log::default())).unwrap();
            assert!(bus.remove(0x200) && !bus.remove(0x200));
        }
        reader.join().unwrap();
        assert_eq!(bus.ranges(), [(0x100, 1, "stays")]);
    }

    proptest! {
        /// Whatever is inserted in whatever order, every address finds the device that was
        /// accepted for it, and accepted ranges never overlap.
        #[test]
        fn every_address_finds_its_device(
            wanted in prop::collection::vec((0u64..64, 1u64..8), 0..20),
        ) {
            let bus = IoBus::pio();
            let mut owner = [None; 80];
            for (base, len) in wanted {
                let free = (base..base + len).all(|a| owner[a as usize].is_none());
                let result = bus.insert("x", base, len, Arc::new(Log::default()));
                prop_assert_eq!(result.is_ok(), free);
                if free {
                    owner[base as usize..(base + len) as usize].fill(Some(base));
                }
            }
            for address in 0..80u64 {
                prop_assert_eq!(bus.ranges.load().find(address).map(|r| r.base), owner[address as usize]);
            }
        }
    }
}
