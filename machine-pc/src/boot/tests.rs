//! Kernels made here, good and bad ones: what is said of them, where they are put, and what they find in memory.

use std::io::Write;
use std::ops::Range;
use std::os::unix::net::UnixListener;

use linux_loader::loader::bootparam::boot_params;
use proptest::prelude::*;
use vm_memory::ByteValued;

use super::e820::{Entry, Kind as E820};
use super::*;
use crate::acpi::OemIds;
use crate::machine::Chipset;
use crate::memory::GuestMemory;
use crate::serial::COM_PORTS;

const MIB: u64 = 1 << 20;

/// Where fields of the setup header lie in the file (Linux, `Documentation/arch/x86/boot.rst`).
mod field {
    pub(super) const SETUP_SECTS: usize = 0x1f1;
    pub(super) const JUMP_LENGTH: usize = 0x201;
    pub(super) const MAGIC: usize = 0x202;
    pub(super) const VERSION: usize = 0x206;
    pub(super) const LOADFLAGS: usize = 0x211;
    pub(super) const INITRD_ADDR_MAX: usize = 0x22c;
    pub(super) const KERNEL_ALIGNMENT: usize = 0x230;
    pub(super) const RELOCATABLE: usize = 0x234;
    pub(super) const XLOADFLAGS: usize = 0x236;
    pub(super) const CMDLINE_SIZE: usize = 0x238;
    pub(super) const PREF_ADDRESS: usize = 0x258;
    pub(super) const INIT_SIZE: usize = 0x260;
}

fn put(file: &mut [u8], at: usize, bytes: &[u8]) {
    file[at..at + bytes.len()].copy_from_slice(bytes);
}

/// A bzImage of protocol 2.15 with one setup sector and 64 KiB of code, which takes 2 MiB from 16 MiB on.
fn bzimage() -> Vec<u8> {
    let mut file = vec![0; 1024 + 0x1_0000];
    put(&mut file, field::SETUP_SECTS, &[1]);
    put(&mut file, field::JUMP_LENGTH, &[0x6a]);
    put(&mut file, field::MAGIC, b"HdrS");
    put(&mut file, field::VERSION, &0x20f_u16.to_le_bytes());
    put(&mut file, field::LOADFLAGS, &[1]);
    put(&mut file, field::INITRD_ADDR_MAX, &0x7fff_ffff_u32.to_le_bytes());
    put(&mut file, field::KERNEL_ALIGNMENT, &0x20_0000_u32.to_le_bytes());
    put(&mut file, field::RELOCATABLE, &[1]);
    put(&mut file, field::XLOADFLAGS, &3_u16.to_le_bytes());
    put(&mut file, field::CMDLINE_SIZE, &2047_u32.to_le_bytes());
    put(&mut file, field::PREF_ADDRESS, &0x100_0000_u64.to_le_bytes());
    put(&mut file, field::INIT_SIZE, &0x20_0000_u32.to_le_bytes());
    for (at, byte) in file[1024..].iter_mut().enumerate() {
        *byte = at as u8;
    }
    file
}

/// Places in the ELF file below (System V ABI: an ELF header of 64 bytes, program headers of 56).
mod elf_field {
    pub(super) const MACHINE: usize = 18;
    pub(super) const LOAD: usize = 64;
    pub(super) const NOTE: usize = 64 + 56;
    pub(super) const NOTE_TEXT: usize = 64 + 2 * 56;
    /// Within a program header.
    pub(super) const OFFSET: usize = 8;
    pub(super) const PADDR: usize = 24;
    pub(super) const FILESZ: usize = 32;
    pub(super) const MEMSZ: usize = 40;
}

/// An ELF file of 64 bits: 16 bytes at 1 MiB, 4 KiB in memory, and a note that it is entered at 1 MiB + 4.
fn elf() -> Vec<u8> {
    let mut file = b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0".to_vec();
    for half in [2_u16, 62] {
        file.extend(half.to_le_bytes());
    }
    file.extend(1_u32.to_le_bytes());
    for word in [MIB, 64, 0] {
        file.extend(word.to_le_bytes());
    }
    file.extend(0_u32.to_le_bytes());
    for half in [64_u16, 56, 2, 64, 0, 0] {
        file.extend(half.to_le_bytes());
    }
    let header = |kind: u32, offset: usize, at: u64, file_len: u64, len: u64| {
        let words = [offset as u64, at, at, file_len, len, 4];
        let mut header = [kind, 7].map(u32::to_le_bytes).concat();
        header.extend(words.map(u64::to_le_bytes).concat());
        header
    };
    file.extend(header(1, elf_field::NOTE_TEXT + 20, MIB, 16, 4096));
    file.extend(header(4, elf_field::NOTE_TEXT, 0, 20, 20));
    for word in [4, 4, 18, u32::from_le_bytes(*b"Xen\0"), MIB as u32 + 4] {
        file.extend(word.to_le_bytes());
    }
    file.extend(*b"a kernel's bytes");
    file
}

fn ram(below_4g: u64) -> RamLayout {
    RamLayout { below_4g, above_4g: 0 }
}

fn tables(ram: RamLayout) -> AcpiDescription {
    let cpu = |apic_id| AcpiCpu { apic_id, present: false, node: None };
    AcpiDescription {
        chipset: Chipset::Q35,
        cpus: (0..8).map(cpu).collect(),
        numa: None,
        ram,
        cpu_hotplug: Some(0xcd8),
        i8042: true,
        serials: [Some(COM_PORTS[0]), None, None, None],
        oem: OemIds::default(),
    }
}

fn error(result: Result<impl Sized, impl ToString>) -> String {
    result.map_or_else(|error| error.to_string(), |_| panic!("accepted"))
}

#[test]
fn a_kernel_is_what_its_header_says() {
    let good = Kernel::new(bzimage()).unwrap();
    assert!(matches!(good.kind(), Kind::Linux64 { .. }));
    assert_eq!(good.ranges(), [MIB..MIB + 0x1_0000, 0x100_0000..0x120_0000]);

    let mut file = bzimage();
    put(&mut file, field::XLOADFLAGS, &[0, 0]);
    let of_32_bits = Kernel::new(file).unwrap();
    assert!(matches!(of_32_bits.kind(), Kind::Linux32 { .. }));
    assert_eq!(of_32_bits.initrd_max(), 0x7fff_ffff);

    let good = Kernel::new(elf()).unwrap();
    let Kind::Pvh { entry, segments } = good.kind() else { panic!("{good:?}") };
    assert_eq!(u64::from(*entry), MIB + 4);
    assert_eq!(good.ranges(), vec![MIB..MIB + 4096]);
    assert_eq!(segments[0].bytes(good.bytes()), b"a kernel's bytes");
}

/// What is wrong is told; the text before the colon is the reference's.
#[test]
fn a_bad_kernel_is_refused() {
    let changed = |file: fn() -> Vec<u8>, at: usize, bytes: &[u8]| {
        let mut file = file();
        put(&mut file, at, bytes);
        error(Kernel::new(file))
    };
    let linux = |at, bytes: &[u8]| changed(bzimage, at, bytes);
    assert_eq!(error(Kernel::new(vec![0; 100])), "invalid kernel header: the file is too short");
    let neither = "invalid kernel header: it is neither a bzImage nor an ELF file";
    assert_eq!(error(Kernel::new(vec![0; 4096])), neither);
    assert_eq!(linux(field::MAGIC, b"HdrX"), neither);
    let old = "invalid kernel header: its boot protocol is older than 2.10";
    assert_eq!(linux(field::VERSION, &0x209_u16.to_le_bytes()), old);
    assert_eq!(linux(field::LOADFLAGS, &[0]), old);
    assert_eq!(linux(field::RELOCATABLE, &[0]), "invalid kernel header: it cannot be loaded at 1 MiB");
    assert_eq!(linux(field::SETUP_SECTS, &[0xff]), "invalid kernel header: the file ends before the kernel");

    let elf_error = |at, bytes: &[u8]| changed(elf, at, bytes);
    let broken = |reason: &str| format!("Error while loading elf kernel: {reason}");
    assert_eq!(elf_error(elf_field::MACHINE, &[183]), broken("it is for another processor"));
    let truncated = broken("a part is not in the file");
    assert_eq!(elf_error(elf_field::LOAD + elf_field::OFFSET, &[0xff; 8]), truncated);
    assert_eq!(elf_error(elf_field::LOAD + elf_field::FILESZ, &[17]), truncated);
    assert_eq!(elf_error(elf_field::LOAD + elf_field::MEMSZ, &[8, 0]), truncated);
    assert_eq!(elf_error(elf_field::LOAD + elf_field::PADDR, &[0xff; 8]), truncated);
    let outside = broken("its entry point is not loaded");
    assert_eq!(elf_error(elf_field::NOTE_TEXT + 16, &[0, 0, 0, 0]), outside);
    assert_eq!(elf_error(elf_field::NOTE_TEXT + 4, &[2]), broken("its PVH note is too short"));
    let no_note = "Error loading uncompressed kernel without PVH ELF Note";
    assert_eq!(elf_error(elf_field::NOTE_TEXT + 8, &[19]), no_note);
    assert_eq!(elf_error(elf_field::NOTE, &[6]), no_note);
    // Two parts at one place.
    let twice = elf()[elf_field::LOAD..elf_field::NOTE].to_vec();
    assert_eq!(elf_error(elf_field::NOTE, &twice), broken("its parts overlap"));
}

#[test]
fn files_that_are_none_are_refused() {
    let directory = tempfile::tempdir().unwrap();
    let kernel =
        |path: &std::path::Path| error(Kernel::read(path, MIB)).replace(&path.display().to_string(), "PATH");
    let initrd =
        |path: &std::path::Path| error(Initrd::read(path, MIB)).replace(&path.display().to_string(), "PATH");

    let missing = directory.path().join("missing");
    assert_eq!(kernel(&missing), "could not open kernel file 'PATH': No such file or directory");
    assert_eq!(
        initrd(&missing),
        "error reading initrd PATH: Failed to open file “PATH”: open() failed: No such file or directory"
    );
    assert_eq!(kernel(directory.path()), "could not load kernel 'PATH': Is a directory");
    assert_eq!(initrd(directory.path()), "error reading initrd PATH: Is a directory");
    // They end never, or wait for somebody.
    assert_eq!(kernel("/dev/zero".as_ref()), "could not load kernel 'PATH': it is not a regular file");
    assert_eq!(initrd("/dev/zero".as_ref()), "error reading initrd PATH: it is not a regular file");
    let socket = directory.path().join("socket");
    let _listener = UnixListener::bind(&socket).unwrap();
    assert_eq!(kernel(&socket), "could not open kernel file 'PATH': No such device or address");

    let mut file = tempfile::NamedTempFile::new().unwrap();
    assert_eq!(kernel(file.path()), "could not load kernel 'PATH': it is empty");
    assert_eq!(Initrd::read(file.path(), MIB).unwrap().bytes(), b"", "as good as none");
    file.write_all(&vec![0; MIB as usize + 1]).unwrap();
    let too_large = "could not load kernel 'PATH': it has 1048577 bytes, and the RAM below 4 GiB 1048576";
    assert_eq!(kernel(file.path()), too_large);
    let too_large = "initrd is too large, cannot support.(max: 1048576, need 1048577)";
    assert_eq!(initrd(file.path()), too_large);
}

#[test]
fn what_does_not_fit_is_refused() {
    let with = |initrd: usize, append: &str, below_4g: u64| {
        let kernel = Kernel::new(bzimage()).unwrap();
        let initrd = Initrd::new(vec![0; initrd]);
        DirectBoot::of(kernel, initrd, append, ram(below_4g), Some(tables(ram(below_4g))))
    };
    assert!(with(0, "", 32 * MIB).is_ok());
    assert_eq!(error(with(0, "a\0b", 32 * MIB)), "the kernel's command line holds a zero byte");
    assert!(with(0, &"a".repeat(2047), 32 * MIB).is_ok());
    assert_eq!(
        error(with(0, &"a".repeat(2048), 32 * MIB)),
        "the kernel's command line has 2048 bytes, it takes at most 2047"
    );
    assert_eq!(
        error(with(0, "", 18 * MIB)),
        "the kernel needs memory from 0x1000000 to 0x1200000; there is some for it from 0x100000 to 0x11d8000"
    );
    // From 18 MiB on there is room for it, up to the tables, less one byte, as the reference has it.
    let room = (32 - 18) * MIB as usize - layout::ACPI_MIN as usize - 1;
    assert!(with(room, "", 32 * MIB).is_ok());
    assert_eq!(
        error(with(room + 1, "", 32 * MIB)),
        format!("initrd is too large, cannot support.(max: {room}, need {})", room + 1)
    );
    let len = tables::build(&tables(ram(MIB)), 0).tables.len();
    assert_eq!(
        error(with(0, "", MIB)),
        format!("ACPI tables of {len} bytes do not fit the machine's memory")
    );
}

fn read<const LEN: usize>(memory: &Ram, at: u64) -> [u8; LEN] {
    let mut bytes = [0; LEN];
    memory.read_slice(&mut bytes, GuestAddress(at)).unwrap();
    bytes
}

fn read_u64(memory: &Ram, at: u64) -> u64 {
    u64::from_le_bytes(read(memory, at))
}

/// What lies in memory for a kernel: its RAM, the boot as a whole.
fn loaded(kernel: Vec<u8>) -> (GuestMemory, DirectBoot) {
    let ram = ram(64 * MIB);
    let memory = GuestMemory::new(ram, None).unwrap();
    let initrd = Initrd::new(b"initial RAM disk".to_vec());
    let boot =
        DirectBoot::of(Kernel::new(kernel).unwrap(), initrd, "quiet a=b", ram, Some(tables(ram))).unwrap();
    boot.load(memory.ram(), &|slot| slot == 0).unwrap();
    (memory, boot)
}

/// The root of the tables is where guests look, and leads to tables below the end of RAM that name the CPU that is there.
fn assert_tables(memory: &Ram) {
    let rsdp = read::<36>(memory, 0xf_0000);
    assert_eq!(&rsdp[..8], b"RSD PTR ");
    assert_eq!(rsdp.iter().fold(0_u8, |sum, byte| sum.wrapping_add(*byte)), 0);
    let xsdt = u64::from_le_bytes(rsdp[24..32].try_into().unwrap());
    assert_eq!(&read::<4>(memory, xsdt), b"XSDT");
    let madt = read_u64(memory, xsdt + 36 + 8);
    assert_eq!(&read::<4>(memory, madt), b"APIC");
    // Its first entry: a local APIC that is enabled; the second is not there (ACPI 6.5, 5.2.12.2).
    assert_eq!(read::<16>(memory, madt + 44), [0, 8, 0, 0, 1, 0, 0, 0, 0, 8, 1, 1, 0, 0, 0, 0]);
}

#[test]
fn a_bzimage_finds_what_its_protocol_promises() {
    let (memory, boot) = loaded(bzimage());
    let memory = memory.ram();
    assert_eq!(boot.entry(), CpuEntry::long_mode(MIB + 0x200, 0x7000));
    assert!(boot.check_cpu(true).is_ok());
    assert_eq!(error(boot.check_cpu(false)), "the kernel needs a CPU with long mode (CPU feature 'lm')");
    assert_eq!(read::<8>(memory, MIB), [0, 1, 2, 3, 4, 5, 6, 7]);
    assert_eq!(read::<8>(memory, MIB + 0xfff8), [0xf8, 0xf9, 0xfa, 0xfb, 0xfc, 0xfd, 0xfe, 0xff]);
    assert_tables(memory);

    let mut page = boot_params::default();
    page.as_mut_slice().copy_from_slice(&read::<4096>(memory, 0x7000));
    let header = page.hdr;
    assert_eq!({ header.header }, u32::from_le_bytes(*b"HdrS"));
    assert_eq!(({ header.type_of_loader }, { header.code32_start }), (0xb0, 0x10_0000));
    assert_eq!({ page.acpi_rsdp_addr }, 0xf_0000);
    assert_eq!(&read::<10>(memory, header.cmd_line_ptr.into()), b"quiet a=b\0");
    assert_eq!({ header.ramdisk_size }, 16);
    assert_eq!(&read::<16>(memory, header.ramdisk_image.into()), b"initial RAM disk");
    let map: Vec<_> = page.e820_table[..page.e820_entries.into()]
        .iter()
        .map(|entry| ({ entry.addr }, { entry.size }, { entry.r#type }))
        .collect();
    let tables = 64 * MIB - layout::ACPI_MIN;
    assert_eq!(
        map,
        [
            (0, 0x9_fc00, 1),
            (0x9_fc00, 0x400, 2),
            (0xf_0000, 0x1_0000, 2),
            (MIB, tables - MIB, 1),
            (tables, layout::ACPI_MIN, 3),
            (0xfeff_c000, 0x4000, 2),
        ]
    );
    // The first 4 GiB one to one: 3.5 GiB, by the tables.
    let at = 0xe000_0000_u64;
    let level = |table: u64, shift: u32| read_u64(memory, table + (at >> shift & 511) * 8);
    let (pdpt, large) = (level(0x9000, 39), 1 << 7);
    assert_eq!(pdpt & 1, 1);
    let directory = level(pdpt & !0xfff, 30);
    let page = level(directory & !0xfff, 21);
    assert_eq!((page & !0xfff, page & large), (at, large));
}

#[test]
fn a_vmlinux_finds_what_its_protocol_promises() {
    let (memory, boot) = loaded(elf());
    let memory = memory.ram();
    assert_eq!(boot.entry(), CpuEntry::pvh(MIB + 4, 0x6000));
    assert!(boot.check_cpu(false).is_ok(), "it starts in 32-bit mode");
    assert_eq!(&read::<16>(memory, MIB), b"a kernel's bytes");
    assert_tables(memory);
    // Xen, `public/arch-x86/hvm/start_info.h`.
    assert_eq!(read::<4>(memory, 0x6000), 0x336e_c578_u32.to_le_bytes());
    assert_eq!(read::<4>(memory, 0x6004), 1_u32.to_le_bytes(), "version");
    assert_eq!(read::<4>(memory, 0x600c), 1_u32.to_le_bytes(), "one module");
    let module = read_u64(memory, 0x6010);
    assert_eq!(&read::<16>(memory, read_u64(memory, module)), b"initial RAM disk");
    assert_eq!(read_u64(memory, module + 8), 16);
    assert_eq!(&read::<10>(memory, read_u64(memory, 0x6018)), b"quiet a=b\0");
    assert_eq!(read_u64(memory, 0x6020), 0xf_0000, "RSDP");
    let map = read_u64(memory, 0x6028);
    assert_eq!(read::<4>(memory, 0x6030), 6_u32.to_le_bytes());
    assert_eq!(
        (read_u64(memory, map), read_u64(memory, map + 8), read_u64(memory, map + 16)),
        (0, 0x9_fc00, 1)
    );
}

/// A reset loads again, over what the guest has made of its memory.
#[test]
fn a_second_load_is_as_the_first() {
    let (memory, boot) = loaded(elf());
    let memory = memory.ram();
    let ruin = [0xff; 4096];
    for at in [MIB, 0x6000, 0x7000, 0x9000, 0xf_0000, 64 * MIB - 4096 * 41] {
        memory.write_slice(&ruin, GuestAddress(at)).unwrap();
    }
    boot.load(memory, &|slot| slot == 0).unwrap();
    assert_eq!(&read::<16>(memory, MIB), b"a kernel's bytes");
    assert_eq!(read::<4080>(memory, MIB + 16), [0; 4080], "what follows in memory is zero");
    assert_tables(memory);
}

/// Files that are near a kernel: one of the good ones with bytes changed and its end cut off.
fn near_a_kernel() -> impl Strategy<Value = Vec<u8>> {
    let change = (any::<prop::sample::Index>(), any::<[u8; 4]>());
    (any::<bool>(), prop::collection::vec(change, 0..6), any::<prop::sample::Index>(), 0..4_u8).prop_map(
        |(is_elf, changes, end, cut)| {
            let mut file = if is_elf { elf() } else { bzimage() };
            // Where the headers are.
            let headers = if is_elf { elf_field::LOAD..file.len() - 4 } else { 0x1f1..0x268 };
            for (at, bytes) in changes {
                let at = headers.start + at.index(headers.len());
                put(&mut file, at, &bytes);
            }
            if cut == 0 {
                file.truncate(end.index(file.len()));
            }
            file
        },
    )
}

fn assert_apart(ranges: &[Range<u64>]) {
    let mut ranges: Vec<_> = ranges.iter().filter(|range| !range.is_empty()).collect();
    ranges.sort_by_key(|range| range.start);
    assert!(ranges.is_sorted_by(|one, next| one.end <= next.start), "{ranges:x?}");
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(2000) })]

    #[test]
    fn no_file_is_believed(file in near_a_kernel(), mib in 1..300_u64, initrd in 0..3_000_000_usize, acpi_len in 0..1_000_000_u64) {
        let Ok(kernel) = Kernel::new(file) else { return Ok(()) };
        let ram = ram(mib * MIB);
        let initrd = Initrd::new(vec![0; initrd]);
        let Ok(layout) = Layout::new(&kernel, &initrd, b"\0", ram, acpi_len) else { return Ok(()) };
        let end = if acpi_len == 0 { ram.below_4g } else { layout.acpi.start };
        prop_assert!(layout.acpi.end - layout.acpi.start >= acpi_len);
        prop_assert_eq!(layout.initrd.end - layout.initrd.start, initrd.bytes().len() as u64);
        let whole = layout.initrd.start.is_multiple_of(4096) && layout.initrd.end <= kernel.initrd_max();
        prop_assert!(whole, "{layout:x?}");
        for range in kernel.ranges() {
            prop_assert!(range.start >= MIB && range.end <= end, "{range:x?} below {end:x}");
            assert_apart(&[range, layout.initrd.clone(), layout.acpi.clone()]);
        }
    }

    #[test]
    fn a_map_rises_and_tells_all_ram(below in 2..3584_u64, above in 0..100_u64, acpi in 0..200_u64) {
        let ram = RamLayout { below_4g: below * MIB, above_4g: above << 30 };
        let tables = ram.below_4g - acpi * 4096..ram.below_4g;
        let map = e820::map(ram, &tables);
        let end = |entry: &Entry| entry.start + entry.len;
        prop_assert!(map.is_sorted_by(|one, next| end(one) <= next.start), "{map:x?}");
        let of = |kind| map.iter().filter(|entry| entry.kind == kind).map(|entry| entry.len).sum::<u64>();
        prop_assert_eq!(of(E820::Acpi), acpi * 4096);
        // All but the 385 KiB below 1 MiB that are the BIOS's and the screen's.
        prop_assert_eq!(of(E820::Ram) + of(E820::Acpi), ram.below_4g + ram.above_4g - 385 * 1024);
    }
}

/// A port that its device makes late is in the tables from the next load on, and one that goes is not.
#[test]
fn tables_show_the_serial_ports_of_the_moment() {
    let layout = ram(64 * MIB);
    let kernel = Kernel::new(bzimage()).unwrap();
    let boot = DirectBoot::of(kernel, Initrd::default(), "", layout, Some(tables(layout))).unwrap();
    let shown = || {
        let (_, built) = boot.layout(&|_| true).unwrap();
        let bytes = built.unwrap().tables;
        [b"COM1", b"COM2"].map(|name| bytes.windows(4).any(|window| window == name))
    };
    assert_eq!(shown(), [true, false]);
    boot.show_serial(1, COM_PORTS[1]);
    boot.hide_serial(COM_PORTS[0].base.into());
    assert_eq!(shown(), [false, true]);
    boot.show_serial(4, COM_PORTS[1]);
    assert_eq!(shown(), [false, true]);
}

/// Two devices of one name would make the tables unreadable: the first of an index is shown, another one when that has gone.
#[test]
fn tables_show_one_serial_port_of_each_index() {
    let layout = ram(64 * MIB);
    let kernel = Kernel::new(bzimage()).unwrap();
    let boot = DirectBoot::of(kernel, Initrd::default(), "", layout, Some(tables(layout))).unwrap();
    let second = ComPort { base: 0x3e0, ..COM_PORTS[0] };
    boot.show_serial(0, second);
    assert_eq!(boot.shown_serials(), [Some(COM_PORTS[0]), None, None, None]);
    boot.hide_serial(COM_PORTS[0].base.into());
    assert_eq!(boot.shown_serials(), [Some(second), None, None, None]);
    boot.hide_serial(0x3e0);
    assert_eq!(boot.shown_serials(), [None; 4]);
}
