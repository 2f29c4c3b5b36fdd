//! The structures by which the boot protocols tell a kernel of its machine.

use linux_loader::configurator::linux::LinuxBootConfigurator;
use linux_loader::configurator::pvh::PvhBootConfigurator;
use linux_loader::configurator::{BootConfigurator, BootParams, Error};
use linux_loader::loader::bootparam::{boot_e820_entry, boot_params, setup_header};
use linux_loader::loader::elf::start_info::{
    XEN_HVM_START_MAGIC_VALUE, hvm_memmap_table_entry, hvm_modlist_entry, hvm_start_info,
};
use vm_memory::{GuestAddress, GuestMemoryBackend};

use super::e820::Entry;
use super::layout::{COMMAND_LINE, KERNEL_LINUX, Layout, MEMORY_MAP, MODULES, START_INFO, ZERO_PAGE};

/// `type_of_loader`: the reference's number, version 0.
const LOADER: u8 = 0xb0;

/// Linux's `boot_params`, from the setup header in its file. `rsdp` is 0 where there are no ACPI tables.
pub fn zero_page(header: &setup_header, layout: &Layout, rsdp: u64, map: &[Entry]) -> boot_params {
    let mut params = boot_params { hdr: *header, acpi_rsdp_addr: rsdp, ..boot_params::default() };
    params.hdr.type_of_loader = LOADER;
    params.hdr.code32_start = KERNEL_LINUX as u32;
    params.hdr.cmd_line_ptr = COMMAND_LINE as u32;
    // Below 4 GiB, both.
    params.hdr.ramdisk_image = layout.initrd.start as u32;
    params.hdr.ramdisk_size = (layout.initrd.end - layout.initrd.start) as u32;
    let mut table = params.e820_table;
    for (to, entry) in table.iter_mut().zip(map) {
        *to = boot_e820_entry { addr: entry.start, size: entry.len, r#type: entry.kind as u32 };
        params.e820_entries += 1;
    }
    params.e820_table = table;
    params
}

/// Writes Linux's `boot_params`.
///
/// # Errors
/// There is no RAM.
pub fn write_zero_page<M: GuestMemoryBackend>(
    memory: &M,
    header: &setup_header,
    layout: &Layout,
    rsdp: u64,
    map: &[Entry],
) -> Result<(), Error> {
    let params = BootParams::new(&zero_page(header, layout, rsdp, map), GuestAddress(ZERO_PAGE));
    LinuxBootConfigurator::write_bootparams(&params, memory)
}

/// Writes PVH's start info, with what it refers to.
///
/// # Errors
/// There is no RAM.
pub fn write_start_info<M: GuestMemoryBackend>(
    memory: &M,
    layout: &Layout,
    rsdp: u64,
    map: &[Entry],
) -> Result<(), Error> {
    let map: Vec<_> = map
        .iter()
        .map(|entry| hvm_memmap_table_entry {
            addr: entry.start,
            size: entry.len,
            type_: entry.kind as u32,
            reserved: 0,
        })
        .collect();
    let modules = if layout.initrd.is_empty() { 0 } else { 1 };
    let info = hvm_start_info {
        magic: XEN_HVM_START_MAGIC_VALUE,
        version: 1,
        nr_modules: modules,
        modlist_paddr: if modules == 0 { 0 } else { MODULES },
        cmdline_paddr: COMMAND_LINE,
        rsdp_paddr: rsdp,
        memmap_paddr: MEMORY_MAP,
        memmap_entries: map.len() as u32,
        ..hvm_start_info::default()
    };
    let mut params = BootParams::new(&info, GuestAddress(START_INFO));
    params.set_sections(&map, GuestAddress(MEMORY_MAP));
    if modules != 0 {
        let module = hvm_modlist_entry {
            paddr: layout.initrd.start,
            size: layout.initrd.end - layout.initrd.start,
            ..hvm_modlist_entry::default()
        };
        params.set_modules(&[module], GuestAddress(MODULES));
    }
    PvhBootConfigurator::write_bootparams(&params, memory)
}
