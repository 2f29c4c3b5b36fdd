//! Guest memory by guest-physical addresses, as the guest sees it: RAM and ROM, and the holes between them.
//!
//! Registers of devices are no memory and are not read here: looking must not change what a device does next.

use vm_memory::VolatileMemory;

use crate::memory::{GuestMemory, MemorySlot};

/// What the guest sees at an address.
#[derive(Debug, Clone)]
pub(crate) struct PhysicalMemory {
    /// In rising order of address, nothing overlapping.
    slots: Vec<MemorySlot>,
}

impl PhysicalMemory {
    pub(crate) fn new(memory: &GuestMemory) -> Self {
        Self { slots: memory.slots() }
    }

    /// The parts that there are, in rising order of address.
    pub(crate) fn slots(&self) -> &[MemorySlot] {
        &self.slots
    }

    /// One past the last address with memory.
    pub(crate) fn end(&self) -> u64 {
        self.slots.last().map_or(0, |slot| slot.guest_base + slot.len)
    }

    /// The slot with an address, and how far into it that is.
    pub(crate) fn find(&self, address: u64) -> Option<(&MemorySlot, u64)> {
        let at = self.slots.partition_point(|slot| slot.guest_base <= address).checked_sub(1)?;
        let slot = &self.slots[at];
        let offset = address - slot.guest_base;
        (offset < slot.len).then_some((slot, offset))
    }

    /// Reads bytes; whether all of them are memory. If not, what was read is not to be used.
    pub(crate) fn read(&self, mut address: u64, mut to: &mut [u8]) -> bool {
        while !to.is_empty() {
            let Some((slot, offset)) = self.find(address) else { return false };
            let len = usize::try_from(slot.len - offset).map_or(to.len(), |left| left.min(to.len()));
            let (part, rest) = to.split_at_mut(len);
            let Ok(at) = usize::try_from(slot.offset + offset) else { return false };
            let Ok(bytes) = slot.region.get_slice(at, len) else { return false };
            bytes.copy_to(part);
            let Some(next) = address.checked_add(len as u64) else { return rest.is_empty() };
            (address, to) = (next, rest);
        }
        true
    }

    /// Reads a little-endian number of eight bytes.
    pub(crate) fn read_u64(&self, address: u64) -> Option<u64> {
        let mut bytes = [0; 8];
        self.read(address, &mut bytes).then(|| u64::from_le_bytes(bytes))
    }

    /// Reads a little-endian number of four bytes.
    pub(crate) fn read_u32(&self, address: u64) -> Option<u32> {
        let mut bytes = [0; 4];
        self.read(address, &mut bytes).then(|| u32::from_le_bytes(bytes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::memory::{RamLayout, Rom};

    #[test]
    fn bytes_are_read_over_the_borders_of_memory_but_not_out_of_it() {
        let mut image = vec![0; 64 << 10];
        image[..4].copy_from_slice(&[1, 2, 3, 4]);
        let rom = Rom::new(image).unwrap();
        let memory = GuestMemory::new(RamLayout::q35(2 << 20, None), Some(rom)).unwrap();
        let memory = PhysicalMemory::new(&memory);
        assert_eq!(memory.read_u64(0xf_0000 - 4), Some(0x0403_0201_0000_0000));
        assert_eq!(memory.read_u32(0xffff_0000), Some(0x0403_0201));
        assert_eq!((memory.read_u32(0xa_0000), memory.read_u64(0x9_fffc)), (None, None));
        assert_eq!((memory.read_u32((2 << 20) - 4), memory.read_u32((2 << 20) - 3)), (Some(0), None));
        assert_eq!((memory.read_u32(u64::MAX), memory.end()), (None, 1 << 32));
        assert!(memory.read(u64::MAX, &mut []));
    }
}
