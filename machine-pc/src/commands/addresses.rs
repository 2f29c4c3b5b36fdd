//! What an address is elsewhere: a guest's virtual one in its memory, and that in the program's and the host's.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use qmp::hmp::Monitor;
use qmp::{Error, hmp_command};
use vm_memory::{MmapRegion, VolatileMemory};

use super::memory::address;
use crate::inspect::{Guest, address_spaces, ram_blocks};
use crate::os_error;

hmp_command! {
    "gva2gpa", "addr:l", "addr", "print the guest physical address corresponding to a guest virtual address" =>
    fn gva2gpa(monitor, arguments) {
        let guest = Guest::of(monitor.context)?;
        let (memory, paging) = (guest.memory()?, guest.paging(guest.current(monitor.state.cpu)?)?);
        match paging.translate(&memory, address(arguments.int("addr"))) {
            Some(physical) => monitor.print(format_args!("gpa: {physical:#x}\n")),
            None => monitor.print(format_args!("Unmapped\n")),
        }
        Ok(())
    }
}

/// Where the program has what lies at one of a guest's addresses.
struct Place {
    /// The name of the block.
    name: String,
    region: Arc<MmapRegion>,
    /// Bytes from the region's begin.
    offset: u64,
}

impl Place {
    /// As an address of the program's.
    fn host(&self) -> u64 {
        self.region.as_ptr().addr() as u64 + self.offset
    }
}

/// Finds it, or says to the person who asks why there is none.
fn find(monitor: &mut Monitor<'_>, at: u64) -> Result<Option<Place>, Error> {
    let guest = Guest::of(monitor.context)?;
    let memory = guest.memory()?;
    let Some((slot, offset)) = memory.find(at) else {
        if address_spaces::has_registers(at) {
            monitor.print(format_args!("Memory at address {at:#x} is not RAM\n"));
        } else {
            monitor.print(format_args!("No memory is mapped at address {at:#x}\n"));
        }
        return Ok(None);
    };
    let blocks = ram_blocks::of(monitor.context, guest.board().and_then(|board| board.memory()));
    let block = blocks.into_iter().find(|block| Arc::ptr_eq(&block.region, &slot.region));
    let name = block.map(|block| block.name).unwrap_or_default();
    Ok(Some(Place { name, region: Arc::clone(&slot.region), offset: slot.offset + offset }))
}

hmp_command! {
    "gpa2hva", "addr:l", "addr", "print the host virtual address corresponding to a guest physical address" =>
    fn gpa2hva(monitor, arguments) {
        let at = address(arguments.int("addr"));
        if let Some(place) = find(monitor, at)? {
            let (name, host) = (&place.name, place.host());
            monitor.print(format_args!("Host virtual address for {at:#x} ({name}) is {host:#x}\n"));
        }
        Ok(())
    }
}

/// Bits of an entry of `/proc/PID/pagemap` (Linux, `Documentation/admin-guide/mm/pagemap.rst`).
mod pagemap {
    pub(super) const PRESENT: u64 = 1 << 63;
    /// The page's number; zero for a process that may not know it.
    pub(super) const NUMBER: u64 = (1 << 55) - 1;
}

/// The host's physical address of a place.
fn host_physical(place: &Place) -> Result<u64, Error> {
    let failed =
        |what: &str, error: &io::Error| Error::generic(format_args!("{what}: {}", os_error::text(error)));
    let file =
        File::open("/proc/self/pagemap").map_err(|error| failed("Cannot open /proc/self/pagemap", &error))?;
    // A page that nothing was written to yet is nowhere, or is everybody's page of zeroes.
    if place.region.prot() & libc::PROT_WRITE != 0
        && let Ok(offset) = usize::try_from(place.offset)
        && let Ok(byte) = place.region.get_atomic_ref::<AtomicU8>(offset)
    {
        byte.fetch_add(0, Ordering::Relaxed);
    }
    let (page, host) = (rustix::param::page_size() as u64, place.host());
    let mut entry = [0; 8];
    file.read_exact_at(&mut entry, host / page * 8).map_err(|error| failed("Cannot read pagemap", &error))?;
    let entry = u64::from_le_bytes(entry);
    if entry & pagemap::PRESENT == 0 {
        return Err(Error::generic("Page not present"));
    }
    Ok((entry & pagemap::NUMBER) * page + host % page)
}

hmp_command! {
    "gpa2hpa", "addr:l", "addr", "print the host physical address corresponding to a guest physical address" =>
    fn gpa2hpa(monitor, arguments) {
        let at = address(arguments.int("addr"));
        if let Some(place) = find(monitor, at)? {
            let host = host_physical(&place)?;
            monitor.print(format_args!("Host physical address for {at:#x} ({}) is {host:#x}\n", place.name));
        }
        Ok(())
    }
}
