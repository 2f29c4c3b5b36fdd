//! `memory-backend-ram`: anonymous memory of this process.

use std::io;

use qom::user_creatable::UserCreatableClass;
use qom::{Instance, TypeInfo};
use vm_memory::MmapRegion;
use vm_memory::mmap::MmapRegionError;

use super::memory::{Mapping, MemoryBackend, MemoryBackendClass, PAGE_BYTES};

/// The type. All its state is its parent's.
fn type_info() -> TypeInfo {
    TypeInfo::new("memory-backend-ram", MemoryBackend::TYPE_NAME, qom::site!()).class_init(|class| {
        class.data_mut::<MemoryBackendClass>().map = |_, mapping| Ok(map(mapping)?);
        class.data_mut::<UserCreatableClass>().doc = "Memory of this program that is no file.";
    })
}

qom::register_types!(type_info);

/// Maps whole pages; without `reserve` the host counts none of them until they are used.
fn map(Mapping { size, share, reserve }: Mapping) -> io::Result<MmapRegion> {
    let no_memory = || io::Error::from_raw_os_error(libc::ENOMEM);
    let size = usize::try_from(size).ok().and_then(|size| size.checked_next_multiple_of(PAGE_BYTES));
    let sharing = if share { libc::MAP_SHARED } else { libc::MAP_PRIVATE };
    let reservation = if reserve { 0 } else { libc::MAP_NORESERVE };
    let flags = libc::MAP_ANONYMOUS | sharing | reservation;
    MmapRegion::build(None, size.ok_or_else(no_memory)?, libc::PROT_READ | libc::PROT_WRITE, flags).map_err(
        |error| match error {
            MmapRegionError::Mmap(error) => error,
            other => io::Error::other(other),
        },
    )
}
