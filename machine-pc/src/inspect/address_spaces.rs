//! What a machine's address spaces hold: memory and I/O ports.
//!
//! It is read from the board: its memory as KVM has it, its port bus, and KVM's interrupt controllers and timer. Names,
//! kinds and priorities are those of the reference for regions that it has too. What this board lacks is not there, PCI
//! above all: the reference has firmware in PCI's part of memory, and here it is in the system's. A CPU has no space of its
//! own, as all see the same.

use std::ops::RangeInclusive;
use std::sync::Arc;

use qom::{Device, Obj, Object};

use super::mtree::{AddressSpace, FlatRange, Kind, Region};
use super::ram_blocks::RamBlock;
use crate::machine::Chipset;
use crate::machine::board::Board;
use crate::memory::{GuestMemory, MemorySlot, Rom, VIDEO_WINDOW};
use crate::pm::PM_BASE;

/// All addresses of memory.
const MEMORY: RangeInclusive<u64> = 0..=u64::MAX;
/// All I/O ports.
const PORTS: RangeInclusive<u64> = 0..=0xffff;
const MIB: u64 = 1 << 20;
const FOUR_GIB: u64 = 4 << 30;

/// KVM's interrupt controllers in memory: first and last address, priority and name.
const KVM_REGISTERS: [(u64, u64, i32, &str); 2] =
    [(0xfec0_0000, 0xfec0_0fff, 0, "kvm-ioapic"), (0xfee0_0000, 0xfeef_ffff, 4096, "kvm-apic-msi")];
/// Whether a guest that has memory finds registers at an address, which are no memory.
pub(crate) fn has_registers(at: u64) -> bool {
    KVM_REGISTERS.iter().any(|(first, last, ..)| (*first..=*last).contains(&at))
}

/// The devices that regions are part of.
#[derive(Debug, Default)]
pub(crate) struct Owners(Vec<Arc<dyn Object>>);

impl Owners {
    /// Those below a machine.
    pub(crate) fn below(machine: &dyn Object) -> Self {
        let mut devices = Vec::new();
        let mut waiting = machine.core().children();
        while let Some((_, object)) = waiting.pop() {
            waiting.extend(object.core().children());
            if object.class().is_a("device") {
                devices.push(object);
            }
        }
        devices.reverse();
        Self(devices)
    }

    /// The device that a region at an address is of, as the reference writes it.
    fn of(&self, region: &str, first: u64) -> Option<String> {
        // The types that have it, and the property that tells several of a type apart.
        let (types, place): (&[&str], _) = match region {
            "piix4-pm" | "ich9-pm" | "acpi-evt" | "acpi-cnt" | "acpi-tmr" | "acpi-gpe0"
            | "acpi-cpu-hotplug" | "apm-io" => (&["PIIX4_PM", "ICH9-LPC"], None),
            "piix-reset-control" | "lpc-reset-control" => (&["PIIX3", "ICH9-LPC"], None),
            "rtc" => (&["mc146818rtc"], None),
            "i8042-data" | "i8042-cmd" => (&["i8042"], None),
            "port92" => (&["port92"], None),
            "serial" => (&["isa-serial"], Some("iobase")),
            "isa-debugcon" => (&["isa-debugcon"], Some("iobase")),
            "kvm-pic" => (&["kvm-i8259"], Some("iobase")),
            "kvm-elcr" => (&["kvm-i8259"], Some("elcr_addr")),
            "kvm-pit" => (&["kvm-pit"], None),
            "kvm-ioapic" => (&["kvm-ioapic"], None),
            _ => return None,
        };
        let owner = self.0.iter().find(|device| {
            types.contains(&device.class().name())
                && place.is_none_or(|place| device.get(place).is_ok_and(|at| at == first))
        })?;
        let device = Obj::<Device>::new(Arc::clone(owner)).ok();
        Some(match device.and_then(|device| device.id().map(|id| id.to_string())) {
            Some(id) => format!("dev id={id}"),
            None => format!("dev path={}", owner.canonical_path()),
        })
    }
}

/// A machine's address spaces, and what aliases in them show.
#[derive(Debug)]
pub(crate) struct AddressSpaces {
    /// Memory, then ports.
    pub spaces: Vec<AddressSpace>,
    /// RAM and firmware.
    pub shown: Vec<Region>,
}

impl AddressSpaces {
    /// Those of a board, or of a machine that has none; `blocks` is its RAM by address, then firmware.
    pub(crate) fn of(board: Option<&Board>, blocks: &[RamBlock], owners: &Owners) -> Self {
        let memory = board.and_then(Board::memory).map(|memory| Memory { memory, blocks });
        let mut system = Region::new(Kind::Container, *MEMORY.start(), *MEMORY.end(), "system");
        let (mut flat, mut shown) = (Vec::new(), Vec::new());
        if let Some(memory) = memory {
            memory.lay_out(&mut system);
            flat = memory.flat();
            shown = memory.shown();
            for (first, last, priority, name) in KVM_REGISTERS {
                let region = Region {
                    priority,
                    owner: owners.of(name, first),
                    ..Region::new(Kind::Io, first, last, name)
                };
                flat.push(seen(&region));
                system.children.push(region);
            }
            flat.push(seen(&video_window()));
            flat.sort_by_key(|range| range.first);
            system.children.sort_by_key(|region| region.first);
        }
        let io = ports(board, owners);
        let io_flat = flatten(&io);
        let spaces = vec![
            AddressSpace { name: "memory", root: system, flat },
            AddressSpace { name: "I/O", root: io, flat: io_flat },
        ];
        Self { spaces, shown }
    }
}

/// A region that is seen as a whole.
fn seen(region: &Region) -> FlatRange {
    let Region { first, last, priority, kind, name, owner, .. } = region.clone();
    FlatRange { first, last, priority, kind, name, offset: 0, owner, in_kvm: false }
}

fn video_window() -> Region {
    let (first, last) = (VIDEO_WINDOW.start, VIDEO_WINDOW.end - 1);
    Region { priority: 1, ..Region::new(Kind::Io, first, last, "smram-region") }
}

/// A board's memory with the names of its blocks.
#[derive(Clone, Copy)]
struct Memory<'a> {
    memory: &'a GuestMemory,
    blocks: &'a [RamBlock],
}

impl Memory<'_> {
    /// The blocks of RAM and where in RAM each begins.
    fn ram(&self) -> Vec<(u64, &RamBlock)> {
        let mappings = self.memory.mappings();
        let mut at = 0;
        mappings
            .iter()
            .filter_map(|mapping| self.blocks.iter().find(|block| Arc::ptr_eq(&block.region, mapping)))
            .map(|block| {
                let begin = at;
                at += block.region.size() as u64;
                (begin, block)
            })
            .collect()
    }

    /// RAM as a whole: a block, or a region that has several in it.
    fn ram_region(&self) -> Region {
        let mut parts: Vec<Region> = self
            .ram()
            .into_iter()
            .map(|(begin, block)| {
                let last = begin + (block.region.size() as u64 - 1);
                Region { owner: owner(block), ..Region::new(Kind::Ram, begin, last, &*block.name) }
            })
            .collect();
        match (parts.len(), parts.pop()) {
            (1, Some(whole)) => whole,
            (_, last) => {
                parts.extend(last);
                let end = parts.last().map_or(0, |part| part.last);
                Region {
                    owner: Some("obj path=/machine".to_owned()),
                    children: parts,
                    ..Region::new(Kind::Container, 0, end, "pc.ram")
                }
            }
        }
    }

    /// Firmware, where it lies below 4 GiB.
    fn firmware(&self) -> Option<Region> {
        let size = self.memory.rom()?.size();
        Some(Region::new(Kind::Rom, FOUR_GIB - size, FOUR_GIB - 1, "pc.bios"))
    }

    fn shown(&self) -> Vec<Region> {
        [Some(self.ram_region()), self.firmware()].into_iter().flatten().collect()
    }

    fn lay_out(&self, system: &mut Region) {
        let layout = self.memory.layout();
        let ram = self.ram_region();
        let alias = |first, size: u64, name: &str, offset| Region {
            alias: Some((ram.name.clone(), offset)),
            ..Region::new(ram.kind, first, first + (size - 1), name)
        };
        if layout.below_4g > 0 {
            system.children.push(alias(0, layout.below_4g, "ram-below-4g", 0));
        }
        system.children.push(video_window());
        if let Some(firmware) = self.firmware() {
            let size = firmware.last - firmware.first + 1;
            let isa = self.memory.rom().map_or(MIB, Rom::isa_base);
            system.children.push(Region {
                priority: 1,
                alias: Some((firmware.name.clone(), size - (MIB - isa))),
                ..Region::new(Kind::Rom, isa, MIB - 1, "isa-bios")
            });
            system.children.push(firmware);
        }
        if layout.above_4g > 0 {
            system.children.push(alias(FOUR_GIB, layout.above_4g, "ram-above-4g", layout.below_4g));
        }
    }

    /// What KVM was given.
    fn flat(&self) -> Vec<FlatRange> {
        let range = |MemorySlot { guest_base, region, offset, len, read_only }| {
            let block = self.blocks.iter().find(|block| Arc::ptr_eq(&block.region, &region))?;
            let kind = if read_only { Kind::Rom } else { Kind::Ram };
            Some(FlatRange {
                first: guest_base,
                last: guest_base + (len - 1),
                priority: 0,
                kind,
                name: block.name.clone(),
                offset,
                owner: owner(block),
                in_kvm: true,
            })
        };
        self.memory.slots().into_iter().filter_map(range).collect()
    }
}

/// The user's object that a block is.
fn owner(block: &RamBlock) -> Option<String> {
    block.object.as_ref().map(|path| format!("obj path={path}"))
}

/// The I/O ports.
fn ports(board: Option<&Board>, owners: &Owners) -> Region {
    let mut io = Region::new(Kind::Container, *PORTS.start(), *PORTS.end(), "io");
    let Some(board) = board else { return io };
    let found = board.pio().ranges().into_iter().map(|(base, len, name)| (base, base + (len - 1), name));
    let (name, len) = match board.chipset() {
        Chipset::I440fx => ("piix4-pm", 0x40),
        Chipset::Q35 => ("ich9-pm", 0x80),
    };
    let mut management = Region {
        owner: owners.of(name, PM_BASE),
        ..Region::new(Kind::Io, PM_BASE, PM_BASE + (len - 1), name)
    };
    for (first, last, name) in found {
        // The reference has it above PCI's configuration address.
        let priority = i32::from(name.ends_with("-reset-control"));
        let region =
            Region { priority, owner: owners.of(name, first), ..Region::new(Kind::Io, first, last, name) };
        let managed = name.starts_with("acpi-") && first >= management.first && last <= management.last;
        if managed { &mut management.children } else { &mut io.children }.push(region);
    }
    if board.pm().is_some() {
        let at = io.children.partition_point(|region| region.first < management.first);
        io.children.insert(at, management);
    }
    io
}

/// What is seen of the ports: what has others in it only holds them, and the space itself is seen between. The port bus lets no
/// two devices overlap, but what is in the window of power management need not be part of that.
fn flatten(io: &Region) -> Vec<FlatRange> {
    let mut leaves: Vec<&Region> =
        io.children
            .iter()
            .flat_map(|region| {
                if region.children.is_empty() { std::slice::from_ref(region) } else { &*region.children }
            })
            .collect();
    leaves.sort_by_key(|leaf| leaf.first);
    let mut flat = Vec::new();
    let mut at = io.first;
    let gap = |first: u64, last: u64| FlatRange { first, last, offset: first - io.first, ..seen(io) };
    for leaf in leaves {
        if at < leaf.first {
            flat.push(gap(at, leaf.first - 1));
        }
        flat.push(seen(leaf));
        at = leaf.last + 1;
    }
    if at <= io.last {
        flat.push(gap(at, io.last));
    }
    flat
}
