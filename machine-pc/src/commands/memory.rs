//! The guest's memory: QMP and the human monitor.

use std::fs::File;
use std::io::{self, Seek, SeekFrom, Write};

use qmp::hmp::{Format, Monitor, Notation};
use qmp::{Context, Empty, Error, command, hmp_command};
use serde::Deserialize;

use crate::inspect::disassembly::{self, CodeSize};
use crate::inspect::paging::Paging;
use crate::inspect::physical::PhysicalMemory;
use crate::inspect::{Guest, dump, page_walk};
use crate::os_error;

/// Bytes that are copied at a time.
const PIECE: usize = 64 << 10;
/// The same of linear addresses. All before the first piece that is not there is saved; the reference has pieces of this size.
const LINEAR_PIECE: usize = 1 << 10;

/// Most bytes that are saved by linear addresses: as many as there are physical addresses up to the last memory, and 4 GiB of a
/// smaller guest. More can only be the same pages again and again, which a guest's tables can map without end.
fn most_linear(memory: &PhysicalMemory) -> u64 {
    memory.end().max(1 << 32)
}

/// Takes bytes from an address on; false: they are not there.
type Read<'a> = dyn Fn(u64, &mut [u8]) -> bool + 'a;

fn create(path: &str) -> Result<File, Error> {
    File::create(path)
        .map_err(|error| Error::generic(format_args!("Could not open '{path}': {}", os_error::text(&error))))
}

fn write_failed(error: &io::Error) -> Error {
    Error::generic(format_args!("writing memory to file failed: {}", os_error::text(error)))
}

fn bad_range(address: u64, size: u64) -> Error {
    Error::generic(format_args!("Invalid addr 0x{address:016x}/size {size} specified"))
}

/// Writes `size` bytes to a file, as far as they are there.
fn save_linear(address: u64, size: u64, path: &str, read: &Read<'_>) -> Result<(), Error> {
    let mut file = create(path)?;
    let (mut at, mut left) = (address, size);
    let mut piece = vec![0; LINEAR_PIECE];
    while left > 0 {
        let len = usize::try_from(left).map_or(LINEAR_PIECE, |left| left.min(LINEAR_PIECE));
        let bytes = &mut piece[..len];
        if !read(at, bytes) {
            return Err(bad_range(address, size));
        }
        file.write_all(bytes).map_err(|error| write_failed(&error))?;
        (at, left) = (at.wrapping_add(len as u64), left - len as u64);
    }
    Ok(())
}

/// What `memsave` takes.
#[derive(Debug, Deserialize, qmp::QapiType)]
#[serde(rename_all = "kebab-case")]
struct Memsave {
    /// The first linear address.
    val: u64,
    /// How many bytes. More than there are addresses up to the last memory, but at least 4 GiB, is refused.
    size: u64,
    /// The file on the host; what it had is lost.
    filename: String,
    /// The number of the CPU whose page tables count (`query-cpus-fast`); the first that is there by default.
    cpu_index: Option<i64>,
}

fn memsave(context: &Context, cpu: Option<usize>, address: u64, size: u64, path: &str) -> Result<(), Error> {
    let guest = Guest::of(context)?;
    let (memory, paging) = (guest.memory()?, guest.paging(guest.current(cpu)?)?);
    let most = most_linear(&memory);
    if size > most {
        return Err(Error::generic(format_args!(
            "{size} bytes are more than the {most} that can be saved of this guest's virtual memory at once"
        )));
    }
    save_linear(address, size, path, &|at, to| paging.read(&memory, at, to))
}

command! {
    /// Writes guest memory to a file, by a CPU's linear addresses.
    ///
    /// Fails where no guest code runs, under any accelerator but KVM (`no guest code runs with this accelerator, so there is
    /// nothing to look at`), if there is no such CPU (`Parameter 'cpu-index' expects a CPU number`), if an address is not mapped
    /// (`Invalid addr 0xADDRESS/size SIZE specified`; the file then has what comes before), or if the file cannot be written.
    "memsave" => fn qmp_memsave(context: &mut Context, arguments: Memsave) -> Result<Empty, Error> {
        let Memsave { val, size, filename, cpu_index } = arguments;
        let cpu = cpu_index.map(|index| usize::try_from(index).ok()).map(|index| {
            let cpus = Guest::of(context).map(|guest| guest.cpus()).unwrap_or_default();
            index.filter(|index| cpus.contains(index))
        });
        if cpu == Some(None) {
            return Err(Error::generic("Parameter 'cpu-index' expects a CPU number"));
        }
        memsave(context, cpu.flatten(), val, size, &filename)?;
        Ok(Empty)
    }
}

/// What `pmemsave` takes.
#[derive(Debug, Deserialize, qmp::QapiType)]
struct Pmemsave {
    /// The first physical address.
    val: u64,
    /// How many bytes. What ends beyond the last memory and beyond 4 GiB is refused.
    size: u64,
    /// The file on the host; what it had is lost.
    filename: String,
}

/// Writes zeroes; a file of the host gets a hole instead, which takes no room.
fn write_zeroes(file: &mut File, mut count: u64) -> io::Result<()> {
    if file.metadata()?.is_file() {
        let end = file.stream_position()? + count;
        file.set_len(end)?;
        return file.seek(SeekFrom::Start(end)).map(drop);
    }
    let zeroes = vec![0; PIECE];
    while count > 0 {
        let len = usize::try_from(count).map_or(zeroes.len(), |left| left.min(zeroes.len()));
        file.write_all(&zeroes[..len])?;
        count -= len as u64;
    }
    Ok(())
}

/// What lies between pieces of memory is zeroes.
fn pmemsave(context: &Context, address: u64, size: u64, path: &str) -> Result<(), Error> {
    let memory = Guest::of(context)?.memory()?;
    let end = address.checked_add(size).filter(|end| *end <= memory.end().max(1 << 32));
    let end = end.ok_or_else(|| bad_range(address, size))?;
    let mut file = create(path)?;
    let mut piece = vec![0; PIECE];
    let mut written = address;
    for slot in memory.slots() {
        let (mut at, until) = (slot.guest_base.max(address), (slot.guest_base + slot.len).min(end));
        if at >= until {
            continue;
        }
        write_zeroes(&mut file, at - written).map_err(|error| write_failed(&error))?;
        while at < until {
            let len = usize::try_from(until - at).map_or(PIECE, |left| left.min(PIECE));
            if !memory.read(at, &mut piece[..len]) {
                return Err(bad_range(address, size));
            }
            file.write_all(&piece[..len]).map_err(|error| write_failed(&error))?;
            at += len as u64;
        }
        written = until;
    }
    write_zeroes(&mut file, end - written).map_err(|error| write_failed(&error))
}

command! {
    /// Writes guest memory to a file, by physical addresses. Where there is no memory the file has zeroes.
    ///
    /// Fails where no guest code runs, under any accelerator but KVM (`no guest code runs with this accelerator, so there is
    /// nothing to look at`), if it goes beyond the last memory (`Invalid addr 0xADDRESS/size SIZE specified`), or if the file
    /// cannot be written.
    "pmemsave" => fn qmp_pmemsave(context: &mut Context, arguments: Pmemsave) -> Result<Empty, Error> {
        pmemsave(context, arguments.val, arguments.size, &arguments.filename)?;
        Ok(Empty)
    }
}

/// A number as an address: its 64 bits.
pub(super) fn address(value: Option<i64>) -> u64 {
    value.unwrap_or_default().cast_unsigned()
}

hmp_command! {
    "memsave", "val:l,size:i,filename:s", "addr size file",
    "save to disk virtual memory dump starting at 'addr' of size 'size'" =>
    fn hmp_memsave(monitor, arguments) {
        let (at, size) = (address(arguments.int("val")), address(arguments.int("size")));
        memsave(monitor.context, monitor.state.cpu, at, size, arguments.str("filename").unwrap_or_default())
    }
}

hmp_command! {
    "pmemsave", "val:l,size:i,filename:s", "addr size file",
    "save to disk physical memory dump starting at 'addr' of size 'size'" =>
    fn hmp_pmemsave(monitor, arguments) {
        let (at, size) = (address(arguments.int("val")), address(arguments.int("size")));
        pmemsave(monitor.context, at, size, arguments.str("filename").unwrap_or_default())
    }
}

fn show(monitor: &mut Monitor<'_>, format: Format, at: u64, width: usize, code: CodeSize, read: &Read<'_>) {
    let text = match format.notation {
        Notation::Instruction => disassembly::lines(code, at, format.count, read),
        _ => dump::lines(format, at, width, read),
    };
    monitor.print(format_args!("{text}"));
}

hmp_command! {
    "x", "fmt:/,addr:l", "/fmt addr", "virtual memory dump starting at 'addr'" =>
    fn x(monitor, arguments) {
        let guest = Guest::of(monitor.context)?;
        let (memory, cpu) = (guest.memory()?, guest.snapshot(guest.current(monitor.state.cpu)?)?);
        let (paging, code) = (Paging::of(&cpu.system), CodeSize::of(&cpu));
        let at = address(arguments.int("addr"));
        show(monitor, arguments.format(), at, 16, code, &|at, to| paging.read(&memory, at, to));
        Ok(())
    }
}

hmp_command! {
    "xp", "fmt:/,addr:l", "/fmt addr", "physical memory dump starting at 'addr'" =>
    fn xp(monitor, arguments) {
        let guest = Guest::of(monitor.context)?;
        let (memory, cpu) = (guest.memory()?, guest.snapshot(guest.current(monitor.state.cpu)?)?);
        let at = address(arguments.int("addr"));
        show(monitor, arguments.format(), at, 8, CodeSize::of(&cpu), &|at, to| memory.read(at, to));
        Ok(())
    }
}

hmp_command! {
    "sum", "start:i,size:i", "addr size", "compute the checksum of a memory region" =>
    fn sum(monitor, arguments) {
        let memory = Guest::of(monitor.context)?.memory()?;
        let start = address(arguments.int("start"));
        let end = start + address(arguments.int("size"));
        let (mut sum, mut at) = (0_u16, start);
        let mut piece = vec![0; PIECE];
        for slot in memory.slots() {
            let (from, until) = (slot.guest_base.clamp(at, end), (slot.guest_base + slot.len).clamp(at, end));
            // Zeroes only turn the sum, as long as no memory is there.
            sum = sum.rotate_right(u32::try_from((from - at) % 16).unwrap_or(0));
            at = from;
            while at < until {
                let len = usize::try_from(until - at).map_or(PIECE, |left| left.min(PIECE));
                memory.read(at, &mut piece[..len]);
                sum = piece[..len].iter().fold(sum, |sum, byte| sum.rotate_right(1).wrapping_add((*byte).into()));
                at += len as u64;
            }
        }
        sum = sum.rotate_right(u32::try_from((end - at) % 16).unwrap_or(0));
        monitor.print(format_args!("{sum:05}\n"));
        Ok(())
    }
}

hmp_command! {
    info "tlb", "", "", "show virtual to physical memory mappings" =>
    fn info_tlb(monitor, _arguments) {
        let guest = Guest::of(monitor.context)?;
        let (memory, paging) = (guest.memory()?, guest.paging(guest.current(monitor.state.cpu)?)?);
        monitor.print(format_args!("{}", page_walk::pages(&paging, &memory)));
        Ok(())
    }
}

hmp_command! {
    info "mem", "", "", "show the active virtual memory mappings" =>
    fn info_mem(monitor, _arguments) {
        let guest = Guest::of(monitor.context)?;
        let (memory, paging) = (guest.memory()?, guest.paging(guest.current(monitor.state.cpu)?)?);
        monitor.print(format_args!("{}", page_walk::ranges(&paging, &memory)));
        Ok(())
    }
}
