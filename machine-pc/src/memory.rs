//! Guest RAM and ROM, and where they lie.
//!
//! RAM is anonymous memory that the kernel fills page by page as the guest touches it, or memory that the user made as
//! objects, one after the other. A PC
//! leaves a hole for devices below 4 GiB, so RAM that does not fit below it goes on at 4 GiB; where the split
//! lies is the board's rule ([`RamLayout`]). The guest's window for video memory at 640 KiB is
//! a hole too. ROM lies just below 4 GiB, where a CPU starts, and its end again below 1 MiB, where
//! real-mode code can reach it.
//!
//! This module only lays out; [`crate::kvm::KvmVm::map`] gives the result to KVM.

use std::io;
use std::sync::Arc;

use thiserror::Error;
use vm_memory::bitmap::BS;
use vm_memory::guest_memory::Error as GuestMemoryError;
use vm_memory::{
    Bytes, GuestAddress, GuestMemoryBackend, GuestMemoryMmap, GuestMemoryRegion, GuestMemoryRegionBytes,
    GuestRegionCollection, GuestRegionMmap, GuestUsize, MemoryRegionAddress, MmapRegion, VolatileMemory,
    VolatileSlice,
};

use crate::os_error;
use crate::raw::{self, Advice};

const MIB: u64 = 1 << 20;
const GIB: u64 = 1 << 30;
const FOUR_GIB: u64 = 4 * GIB;
/// Video memory's window, where no RAM is seen.
pub(crate) const VIDEO_WINDOW: std::ops::Range<u64> = 0xa_0000..0xc_0000;
/// How much of the ROM's end is seen below 1 MiB.
const ISA_ROM_MAX: u64 = 128 << 10;

/// How a board splits RAM at 4 GiB.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RamLayout {
    /// Bytes from address 0 on.
    pub below_4g: u64,
    /// Bytes from 4 GiB on.
    pub above_4g: u64,
}

impl RamLayout {
    /// The i440FX board: all below if it is less than 3.5 GiB, else 3 GiB below. `max_below` is
    /// the machine property `max-ram-below-4g`.
    pub fn i440fx(ram: u64, max_below: Option<u64>) -> Self {
        let max_below = max_below.filter(|m| *m != 0).unwrap_or(0xe000_0000);
        let low = if ram >= max_below { max_below.min(0xc000_0000) } else { max_below };
        Self::split(ram, low)
    }

    /// The Q35 board: all below if it is less than 2.75 GiB, else 2 GiB below. `max_below` is
    /// the machine property `max-ram-below-4g`.
    pub fn q35(ram: u64, max_below: Option<u64>) -> Self {
        let max_below = max_below.filter(|m| *m != 0).unwrap_or(FOUR_GIB);
        Self::split(ram, Self::q35_low(ram).min(max_below))
    }

    fn q35_low(ram: u64) -> u64 {
        if ram >= 0xb000_0000 { 0x8000_0000 } else { 0xb000_0000 }
    }

    /// What the reference warns of in [`Self::i440fx`]: RAM that the guest cannot map in large pages.
    pub fn i440fx_advice(ram: u64, max_below: u64) -> Option<String> {
        let uneven = !max_below.min(0xc000_0000).is_multiple_of(GIB);
        (ram >= max_below && uneven).then(|| {
            format!(
                "Large machine and max_ram_below_4g ({max_below}) not a multiple of 1G; possible bad performance."
            )
        })
    }

    /// The same of [`Self::q35`]. As in the reference, RAM that all lies below the limit is warned of too.
    pub fn q35_advice(ram: u64, max_below: u64) -> Option<String> {
        let uneven = max_below < Self::q35_low(ram) && !max_below.is_multiple_of(GIB);
        (uneven && ram.wrapping_sub(max_below) > max_below).then(|| {
            format!(
                "There is possibly poor performance as the ram size  ({ram:#x}) is more then twice the size of \
                 max-ram-below-4g ({max_below}) and max-ram-below-4g is not a multiple of 1G."
            )
        })
    }

    /// There is RAM, in whole pages.
    fn check(self) -> Result<(), MemoryError> {
        let size = self.below_4g.saturating_add(self.above_4g);
        let whole = self.below_4g.is_multiple_of(4096) && self.above_4g.is_multiple_of(4096);
        if size == 0 || !whole { Err(MemoryError::BadSize { size }) } else { Ok(()) }
    }

    fn split(ram: u64, low: u64) -> Self {
        let below_4g = ram.min(low);
        Self { below_4g, above_4g: ram - below_4g }
    }
}

/// Why guest memory cannot be had.
#[derive(Debug, Error)]
pub enum MemoryError {
    /// There is no RAM at all, or its size is not a multiple of a page.
    #[error("guest RAM of {size} bytes is not possible: it must be a multiple of 4 KiB, not 0")]
    BadSize {
        /// Size in bytes.
        size: u64,
    },
    /// The host refused the mapping. The text is the reference's.
    #[error("cannot set up guest memory 'pc.ram': {}", os_error::text(source))]
    Map {
        /// What the host said.
        source: io::Error,
    },
    /// Memory that was made elsewhere is not of the size that the machine has.
    #[error("memory of {found} bytes cannot be guest RAM of {size} bytes")]
    OtherSize {
        /// Bytes of all of it.
        found: u64,
        /// Bytes that it should have.
        size: u64,
    },
    /// The regions do not fit together.
    #[error("guest memory regions do not fit: {0}")]
    Layout(String),
    /// An access to guest memory outside of RAM.
    #[error("no RAM of {len:#x} bytes at guest address {address:#x}")]
    NoRam {
        /// Guest-physical address.
        address: u64,
        /// Length in bytes.
        len: usize,
    },
}

/// Part of a host mapping that the guest sees at an address.
#[derive(Debug, Clone)]
pub struct MemorySlot {
    /// Guest-physical address, a multiple of 4 KiB.
    pub guest_base: u64,
    /// The host memory, which stays mapped as long as any VM has the slot.
    pub region: Arc<MmapRegion>,
    /// Where in the region the slot begins, a multiple of 4 KiB.
    pub offset: u64,
    /// Length in bytes, a multiple of 4 KiB, not 0.
    pub len: u64,
    /// The guest's writes do not reach it.
    pub read_only: bool,
}

/// A ROM image in memory.
#[derive(Debug, Clone)]
pub struct Rom {
    region: Arc<MmapRegion>,
    memory: Arc<GuestMemoryMmap>,
    image: Arc<[u8]>,
}

impl Rom {
    /// Maps `image`, whose length is a multiple of 4 KiB (firmware: of 64 KiB), below 4 GiB.
    pub fn new(image: Vec<u8>) -> Result<Self, MemoryError> {
        let size = image.len() as u64;
        if size == 0 || !size.is_multiple_of(4096) || size > 16 * MIB {
            return Err(MemoryError::BadSize { size });
        }
        let (region, guest_region) = anonymous(FOUR_GIB - size, size)?;
        let rom = Self { region, memory: collect(vec![guest_region])?, image: image.into() };
        rom.restore()?;
        Ok(rom)
    }

    /// Length in bytes.
    pub fn size(&self) -> u64 {
        self.image.len() as u64
    }

    /// Writes the image again: needed on reset where KVM has no read-only slots.
    pub fn restore(&self) -> Result<(), MemoryError> {
        let address = FOUR_GIB - self.size();
        self.memory
            .write_slice(&self.image, GuestAddress(address))
            .map_err(|_| MemoryError::NoRam { address, len: self.image.len() })
    }

    /// The host memory.
    pub(crate) fn region(&self) -> &Arc<MmapRegion> {
        &self.region
    }

    /// First address at which the ROM's end is seen below 1 MiB.
    pub(crate) fn isa_base(&self) -> u64 {
        MIB - self.size().min(ISA_ROM_MAX)
    }
}

/// RAM at an address: part of a mapping, which can hold RAM of several addresses.
#[derive(Debug, Clone)]
pub struct RamRegion {
    base: u64,
    region: Arc<MmapRegion>,
    /// Where in the mapping it begins.
    offset: usize,
    len: usize,
}

impl GuestMemoryRegion for RamRegion {
    type B = ();

    fn len(&self) -> GuestUsize {
        self.len as GuestUsize
    }

    fn start_addr(&self) -> GuestAddress {
        GuestAddress(self.base)
    }

    fn bitmap(&self) -> BS<'_, Self::B> {}

    fn get_slice(
        &self,
        offset: MemoryRegionAddress,
        count: usize,
    ) -> Result<VolatileSlice<'_, BS<'_, Self::B>>, GuestMemoryError> {
        let at = usize::try_from(offset.0).map_err(|_| GuestMemoryError::InvalidBackendAddress)?;
        if at.checked_add(count).is_none_or(|end| end > self.len) {
            return Err(GuestMemoryError::InvalidBackendAddress);
        }
        Ok(self.region.get_slice(self.offset + at, count)?)
    }
}

impl GuestMemoryRegionBytes for RamRegion {}

/// Guest RAM by guest-physical addresses.
pub type Ram = GuestRegionCollection<RamRegion>;

/// A machine's memory.
#[derive(Debug, Clone)]
pub struct GuestMemory {
    layout: RamLayout,
    ram: Arc<Ram>,
    regions: Vec<RamRegion>,
    rom: Option<Rom>,
}

impl GuestMemory {
    /// Reserves RAM after `layout`; nothing is populated. With a ROM its end hides the RAM below
    /// 1 MiB; without one (a kernel is loaded directly) RAM is seen there.
    pub fn new(layout: RamLayout, rom: Option<Rom>) -> Result<Self, MemoryError> {
        layout.check()?;
        let (region, _) = anonymous(0, layout.below_4g.saturating_add(layout.above_4g))?;
        Self::of(&[region], layout, rom)
    }

    /// RAM after `layout` that was made elsewhere, mapping by mapping from address 0 on. One that reaches beyond the RAM below
    /// 4 GiB goes on above.
    ///
    /// # Errors
    /// [`MemoryError::OtherSize`] if there is more or less than `layout` has, [`MemoryError::BadSize`] if a mapping ends
    /// within a page, or as [`new`](Self::new).
    pub fn of(
        mappings: &[Arc<MmapRegion>],
        layout: RamLayout,
        rom: Option<Rom>,
    ) -> Result<Self, MemoryError> {
        layout.check()?;
        let size = layout.below_4g.saturating_add(layout.above_4g);
        let found = mappings.iter().map(|mapping| mapping.size() as u64).fold(0, u64::saturating_add);
        if found != size {
            return Err(MemoryError::OtherSize { found, size });
        }
        let mut regions = Vec::new();
        // How much RAM there is before.
        let mut at = 0;
        for region in mappings {
            let end = at + region.size() as u64;
            if !end.is_multiple_of(4096) || end == at {
                return Err(MemoryError::BadSize { size: end - at });
            }
            let low = layout.below_4g.clamp(at, end);
            for (base, from, until) in [(at, at, low), (FOUR_GIB + low - layout.below_4g, low, end)] {
                if until > from {
                    let size =
                        |bytes| usize::try_from(bytes).map_err(|_| MemoryError::BadSize { size: bytes });
                    let (offset, len) = (size(from - at)?, size(until - from)?);
                    regions.push(RamRegion { base, region: Arc::clone(region), offset, len });
                }
            }
            at = end;
        }
        Self::from_regions(layout, regions, rom)
    }

    fn from_regions(
        layout: RamLayout,
        regions: Vec<RamRegion>,
        rom: Option<Rom>,
    ) -> Result<Self, MemoryError> {
        let ram = Ram::from_regions(regions.clone()).map_err(|e| MemoryError::Layout(e.to_string()))?;
        Ok(Self { layout, ram: Arc::new(ram), regions, rom })
    }

    /// Tells the host whether RAM is part of a core dump, and whether equal pages may be merged. A host that does not know
    /// the advice goes on without it, as under the reference.
    pub(crate) fn advise(&self, dump: bool, merge: bool) {
        let advice = [(!dump, Advice::DontDump), (merge, Advice::Mergeable)];
        for (region, (_, advice)) in self
            .regions
            .iter()
            .flat_map(|part| advice.iter().filter(|(told, _)| *told).map(move |it| (&part.region, it)))
        {
            if let Err(error) = raw::advise(region, *advice) {
                tracing::debug!("the host does not take {advice:?}: {error}");
            }
        }
    }

    /// Where RAM lies.
    pub fn layout(&self) -> RamLayout {
        self.layout
    }

    /// RAM, for loaders and for the monitor's memory commands. Bytes under the ROM or in the video
    /// window are there but not seen by the guest.
    pub fn ram(&self) -> &Arc<Ram> {
        &self.ram
    }

    /// The mappings that RAM is, in rising order of address.
    pub(crate) fn mappings(&self) -> Vec<Arc<MmapRegion>> {
        let mut mappings: Vec<Arc<MmapRegion>> = Vec::new();
        for RamRegion { region, .. } in &self.regions {
            if !mappings.iter().any(|known| Arc::ptr_eq(known, region)) {
                mappings.push(Arc::clone(region));
            }
        }
        mappings
    }

    /// The ROM, if there is one.
    pub fn rom(&self) -> Option<&Rom> {
        self.rom.as_ref()
    }

    /// What KVM is to map, in rising order of address, nothing overlapping.
    pub fn slots(&self) -> Vec<MemorySlot> {
        let isa_rom = self.rom.as_ref().map_or(MIB..MIB, |rom| rom.isa_base()..MIB);
        let mut slots = Vec::new();
        for RamRegion { base, region, offset, len } in &self.regions {
            let end = base + *len as u64;
            let mut at = *base;
            for hole in [VIDEO_WINDOW, isa_rom.clone(), end..end] {
                let until = hole.start.clamp(at, end);
                if until > at {
                    slots.push(MemorySlot {
                        guest_base: at,
                        region: Arc::clone(region),
                        offset: *offset as u64 + (at - base),
                        len: until - at,
                        read_only: false,
                    });
                }
                at = at.max(hole.end.min(end));
            }
        }
        if let Some(rom) = &self.rom {
            let slot = |guest_base, len| MemorySlot {
                guest_base,
                region: Arc::clone(&rom.region),
                offset: rom.size() - len,
                len,
                read_only: true,
            };
            slots.push(slot(isa_rom.start, MIB - isa_rom.start));
            slots.push(slot(FOUR_GIB - rom.size(), rom.size()));
        }
        slots.sort_by_key(|s| s.guest_base);
        slots
    }
}

fn anonymous(base: u64, size: u64) -> Result<(Arc<MmapRegion>, GuestRegionMmap), MemoryError> {
    let map_error = |e: &dyn std::fmt::Display| io::Error::other(e.to_string());
    let len = usize::try_from(size).map_err(|e| MemoryError::Map { source: map_error(&e) })?;
    let region = MmapRegion::new(len).map_err(|e| MemoryError::Map {
        source: match e {
            vm_memory::mmap::MmapRegionError::Mmap(e) => e,
            other => map_error(&other),
        },
    })?;
    let region = Arc::new(region);
    let guest_region = GuestRegionMmap::with_arc(Arc::clone(&region), GuestAddress(base))
        .ok_or_else(|| MemoryError::Layout(format!("{size:#x} bytes at {base:#x}")))?;
    Ok((region, guest_region))
}

fn collect(regions: Vec<GuestRegionMmap>) -> Result<Arc<GuestMemoryMmap>, MemoryError> {
    let memory = GuestMemoryMmap::from_regions(regions).map_err(|e| MemoryError::Layout(e.to_string()))?;
    Ok(Arc::new(memory))
}

impl GuestMemory {
    /// Reads RAM at a guest-physical address; all of it or an error.
    pub fn read(&self, address: u64, data: &mut [u8]) -> Result<(), MemoryError> {
        let len = data.len();
        self.ram.read_slice(data, GuestAddress(address)).map_err(|_| MemoryError::NoRam { address, len })
    }

    /// Bytes of RAM in all.
    pub fn ram_size(&self) -> u64 {
        self.ram.iter().map(GuestMemoryRegion::len).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const M: u64 = MIB;

    /// Sizes and splits were read from the reference's `info mtree -f`.
    #[test]
    fn ram_splits_as_the_reference_does() {
        let i440fx = |ram| RamLayout::i440fx(ram * M, None);
        let q35 = |ram| RamLayout::q35(ram * M, None);
        let low = |below_4g, above_4g| RamLayout { below_4g, above_4g };
        assert_eq!(i440fx(3583), low(3583 * M, 0));
        assert_eq!(i440fx(3584), low(0xc000_0000, 0x2000_0000));
        assert_eq!(i440fx(4096), low(0xc000_0000, 0x4000_0000));
        assert_eq!(i440fx(5000), low(0xc000_0000, 0x7880_0000));
        assert_eq!(q35(2815), low(2815 * M, 0));
        assert_eq!(q35(2816), low(0x8000_0000, 0x3000_0000));
        assert_eq!(q35(5000), low(0x8000_0000, 0xb880_0000));
        assert_eq!(RamLayout::i440fx(2 * GIB, Some(GIB)), low(GIB, GIB));
        assert_eq!(RamLayout::q35(2 * GIB, Some(GIB)), low(GIB, GIB));
    }

    fn ranges(memory: &GuestMemory) -> Vec<(u64, u64, bool)> {
        let slots = memory.slots();
        slots.iter().map(|s| (s.guest_base, s.guest_base + s.len, s.read_only)).collect()
    }

    #[test]
    fn the_rom_lies_below_4_gib_and_its_end_below_1_mib() {
        let mut image = vec![0u8; 256 << 10];
        image[(256 << 10) - 16] = 0xea;
        let rom = Rom::new(image).unwrap();
        let layout = RamLayout::i440fx(4096 * M, None);
        let memory = GuestMemory::new(layout, Some(rom)).unwrap();
        let expected = [
            (0, 0xa_0000, false),
            (0xc_0000, 0xe_0000, false),
            (0xe_0000, 0x10_0000, true),
            (0x10_0000, 0xc000_0000, false),
            (0xfffc_0000, 0x1_0000_0000, true),
            (0x1_0000_0000, 0x1_4000_0000, false),
        ];
        assert_eq!(ranges(&memory), expected);
        assert_eq!(memory.slots()[2].offset, 128 << 10);
        assert_eq!(memory.ram_size(), 4096 * M);
    }

    #[test]
    fn tiny_ram_and_no_rom() {
        let tiny = GuestMemory::new(RamLayout::q35(8192, None), None).unwrap();
        assert_eq!(ranges(&tiny), [(0, 8192, false)]);
        let rom = Rom::new(vec![0; 64 << 10]).unwrap();
        let one = GuestMemory::new(RamLayout::q35(M, None), Some(rom)).unwrap();
        let expected = [
            (0, 0xa_0000, false),
            (0xc_0000, 0xf_0000, false),
            (0xf_0000, 0x10_0000, true),
            (0xffff_0000, 0x1_0000_0000, true),
        ];
        assert_eq!(ranges(&one), expected);
    }

    #[test]
    fn impossible_sizes_are_errors() {
        for layout in [RamLayout::q35(0, None), RamLayout::q35(4097, None)] {
            assert!(matches!(GuestMemory::new(layout, None), Err(MemoryError::BadSize { .. })));
        }
        let huge = RamLayout::i440fx(1 << 62, None);
        let text = GuestMemory::new(huge, None).unwrap_err().to_string();
        assert!(text.starts_with("cannot set up guest memory 'pc.ram': "), "{text}");
        assert!(Rom::new(vec![0; 100]).is_err());
        assert!(Rom::new(Vec::new()).is_err());
    }

    fn region(size: u64) -> Arc<MmapRegion> {
        anonymous(0, size).unwrap().0
    }

    #[test]
    fn memory_made_elsewhere_goes_on_above_the_hole() {
        let layout = RamLayout { below_4g: 3 * M, above_4g: 3 * M };
        let regions = [region(M / 2), region(M / 2), region(4 * M), region(M)];
        let memory = GuestMemory::of(&regions, layout, None).unwrap();
        let high = FOUR_GIB;
        let expected = [
            (0, M / 2, false),
            (M / 2, 0xa_0000, false),
            (0xc_0000, M, false),
            (M, 3 * M, false),
            (high, high + 2 * M, false),
            (high + 2 * M, high + 3 * M, false),
        ];
        assert_eq!(ranges(&memory), expected);
        let offsets: Vec<u64> = memory.slots().iter().map(|slot| slot.offset).collect();
        assert_eq!(offsets, [0, 0, 0x4_0000, 0, 2 * M, 0]);
        assert_eq!(memory.ram_size(), 6 * M);
        // Bytes that lie in two pieces, and some that lie in none.
        regions[1].get_slice(regions[1].size() - 1, 1).unwrap().copy_from(&[7u8]);
        regions[2].get_slice(0, 1).unwrap().copy_from(&[8u8]);
        let mut bytes = [0; 2];
        memory.read(M - 1, &mut bytes).unwrap();
        assert_eq!(bytes, [7, 8]);
        assert!(matches!(memory.read(3 * M - 1, &mut bytes), Err(MemoryError::NoRam { .. })));
    }

    #[test]
    fn memory_made_elsewhere_has_to_fit() {
        let layout = RamLayout::q35(2 * M, None);
        assert!(matches!(
            GuestMemory::of(&[region(M)], layout, None),
            Err(MemoryError::OtherSize { found, .. }) if found == M
        ));
        let odd = [region(M + 100), region(M - 100)];
        assert!(matches!(GuestMemory::of(&odd, layout, None), Err(MemoryError::BadSize { .. })));
    }

    proptest! {
        /// All RAM but what a hole hides is mapped, once, in page multiples.
        #[test]
        fn slots_never_overlap(pages in 1u64..2_000_000, rom_64k in 0usize..5, q35: bool) {
            let ram = pages * 4096;
            let layout = if q35 { RamLayout::q35(ram, None) } else { RamLayout::i440fx(ram, None) };
            prop_assert_eq!(layout.below_4g + layout.above_4g, ram);
            let rom = (rom_64k > 0).then(|| Rom::new(vec![0; rom_64k << 16]).unwrap());
            let memory = GuestMemory::new(layout, rom).unwrap();
            let mut end = 0;
            let mut mapped = 0;
            for slot in memory.slots() {
                prop_assert!(slot.guest_base >= end && slot.len > 0);
                prop_assert_eq!((slot.guest_base | slot.len | slot.offset) % 4096, 0);
                prop_assert!(slot.offset + slot.len <= slot.region.size() as u64);
                end = slot.guest_base + slot.len;
                mapped += if slot.read_only { 0 } else { slot.len };
            }
            let isa = (rom_64k as u64 * 0x1_0000).min(0x2_0000);
            let hidden = |r: std::ops::Range<u64>| r.end.min(ram).saturating_sub(r.start);
            prop_assert_eq!(mapped, ram - hidden(0xa_0000..0xc_0000) - hidden(M - isa..M));
        }
    }
}
