//! Kernel and initial RAM disk: reading them, and what can be told from them.
//!
//! Nothing is written to guest memory here, and nothing is believed: what a file says is held against its length, and where it
//! lies in memory against the machine's in [`super::layout`].

use std::fs::{File, OpenOptions};
use std::io::{self, Read};
use std::ops::Range;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use linux_loader::loader::bootparam::{LOADED_HIGH, XLF_CAN_BE_LOADED_ABOVE_4G, XLF_KERNEL_64, setup_header};
use object::elf::{EM_386, EM_X86_64, FileHeader32, FileHeader64, Machine, NoteType, PT_LOAD};
use object::read::elf::{FileHeader, ProgramHeader};
use object::{FileKind, LittleEndian};
use thiserror::Error;
use vm_memory::ByteValued;

use super::layout::KERNEL_LINUX;
use crate::os_error;

/// Why a file cannot be used. The texts are the reference's, with the reason added where it gives none.
#[derive(Debug, Error)]
pub enum ImageError {
    /// The kernel's file is not there or not to be opened.
    #[error("could not open kernel file '{}': {}", path.display(), os_error::text(source))]
    Open {
        /// Its path.
        path: PathBuf,
        /// What the host said.
        source: io::Error,
    },
    /// The kernel's file cannot be read.
    #[error("could not load kernel '{}': {reason}", path.display())]
    Read {
        /// Its path.
        path: PathBuf,
        /// Why.
        reason: FileError,
    },
    /// The kernel is none that can be booted.
    #[error("invalid kernel header: {0}")]
    Header(&'static str),
    /// The kernel is an ELF file that cannot be loaded.
    #[error("Error while loading elf kernel: {0}")]
    Elf(String),
    /// The kernel is an ELF file that says nothing of how it is entered.
    #[error("Error loading uncompressed kernel without PVH ELF Note")]
    NoPvhNote,
    /// The initial RAM disk is not there or not to be opened.
    #[error("error reading initrd {0}: Failed to open file “{0}”: open() failed: {err}", path.display(), err = os_error::text(source))]
    OpenInitrd {
        /// Its path.
        path: PathBuf,
        /// What the host said.
        source: io::Error,
    },
    /// The initial RAM disk cannot be read.
    #[error("error reading initrd {}: {reason}", path.display())]
    ReadInitrd {
        /// Its path.
        path: PathBuf,
        /// Why.
        reason: FileError,
    },
    /// The initial RAM disk has no place in the machine's memory.
    #[error("initrd is too large, cannot support.(max: {max}, need {need})")]
    InitrdTooLarge {
        /// What there is room for, in bytes.
        max: u64,
        /// Its size in bytes.
        need: u64,
    },
}

/// Why a file that was opened cannot be read.
#[derive(Debug, Error)]
pub enum FileError {
    /// The host's reason.
    #[error("{}", os_error::text(.0))]
    Io(#[from] io::Error),
    /// A pipe, a socket, a device.
    #[error("it is not a regular file")]
    NotRegular,
    /// There is nothing in it.
    #[error("it is empty")]
    Empty,
    /// It is larger than the machine's memory.
    #[error("it has {size} bytes, and the RAM below 4 GiB {max}")]
    TooLarge {
        /// Its size in bytes.
        size: u64,
        /// The RAM's, in bytes.
        max: u64,
    },
}

/// Opens a file without waiting for whom it may come from.
fn open(path: &Path) -> io::Result<File> {
    OpenOptions::new().read(true).custom_flags(libc::O_NONBLOCK).open(path)
}

/// Reads a regular file of at most `max` bytes.
fn read(file: File, max: u64) -> Result<Vec<u8>, FileError> {
    let metadata = file.metadata()?;
    if metadata.is_dir() {
        return Err(io::Error::from_raw_os_error(libc::EISDIR).into());
    }
    if !metadata.is_file() {
        return Err(FileError::NotRegular);
    }
    if metadata.len() > max {
        return Err(FileError::TooLarge { size: metadata.len(), max });
    }
    let mut bytes = Vec::new();
    // It may grow while it is read.
    file.take(max.saturating_add(1)).read_to_end(&mut bytes)?;
    match bytes.len() as u64 {
        size if size > max => Err(FileError::TooLarge { size, max }),
        _ => Ok(bytes),
    }
}

/// An initial RAM disk; empty for none.
#[derive(Debug, Clone, Default)]
pub struct Initrd(Vec<u8>);

impl Initrd {
    /// Takes its bytes.
    pub fn new(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }

    /// Reads one that must end below address `limit`.
    ///
    /// # Errors
    /// [`ImageError`].
    pub fn read(path: &Path, limit: u64) -> Result<Self, ImageError> {
        let path_buf = || path.to_owned();
        let file = open(path).map_err(|source| ImageError::OpenInitrd { path: path_buf(), source })?;
        // The reference refuses one of exactly the limit too.
        read(file, limit.saturating_sub(1)).map(Self).map_err(|reason| match reason {
            FileError::TooLarge { size, .. } => ImageError::InitrdTooLarge { max: limit, need: size },
            reason => ImageError::ReadInitrd { path: path_buf(), reason },
        })
    }

    /// Its bytes.
    pub fn bytes(&self) -> &[u8] {
        &self.0
    }
}

/// A part of an ELF file and where it lies in guest memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Segment {
    start: u64,
    len: u64,
    /// What it begins with: from where in the file, until where. Zeros follow.
    file: (usize, usize),
}

impl Segment {
    /// First address.
    pub fn start(&self) -> u64 {
        self.start
    }

    /// What it begins with; zeros follow. `kernel` is the file.
    pub fn bytes<'a>(&self, kernel: &'a [u8]) -> &'a [u8] {
        kernel.get(self.file.0..self.file.1).unwrap_or_default()
    }

    /// Address after the last.
    pub fn end(&self) -> u64 {
        self.start + self.len
    }
}

/// What kind of kernel it is.
#[derive(Debug, Clone, PartialEq)]
pub enum Kind {
    /// A bzImage with a 64-bit entry point, and its setup header.
    Linux64 {
        /// The header.
        header: Box<setup_header>,
    },
    /// A bzImage without one.
    Linux32 {
        /// The header.
        header: Box<setup_header>,
    },
    /// An ELF file with an entry point for PVH.
    Pvh {
        /// The entry point.
        entry: u32,
        /// What it is loaded as, rising and without overlaps.
        segments: Vec<Segment>,
    },
}

/// A kernel.
#[derive(Debug, Clone)]
pub struct Kernel {
    bytes: Vec<u8>,
    kind: Kind,
}

impl Kernel {
    /// Reads a kernel of at most `max` bytes.
    ///
    /// # Errors
    /// [`ImageError`].
    pub fn read(path: &Path, max: u64) -> Result<Self, ImageError> {
        let file = open(path).map_err(|source| ImageError::Open { path: path.to_owned(), source })?;
        let bytes = read(file, max).and_then(|bytes| match bytes.is_empty() {
            true => Err(FileError::Empty),
            false => Ok(bytes),
        });
        Self::new(bytes.map_err(|reason| ImageError::Read { path: path.to_owned(), reason })?)
    }

    /// Looks at a kernel's bytes.
    ///
    /// # Errors
    /// [`ImageError::Header`], [`ImageError::Elf`], [`ImageError::NoPvhNote`].
    pub fn new(bytes: Vec<u8>) -> Result<Self, ImageError> {
        let kind = if bytes.starts_with(b"\x7fELF") { pvh(&bytes)? } else { linux(&bytes)? };
        Ok(Self { bytes, kind })
    }

    /// The whole file.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// What it is.
    pub fn kind(&self) -> &Kind {
        &self.kind
    }

    /// The guest-physical memory that it needs, loaded and unpacked.
    pub fn ranges(&self) -> Vec<Range<u64>> {
        match &self.kind {
            Kind::Linux64 { header } | Kind::Linux32 { header } => {
                let loaded = (self.bytes.len() as u64).saturating_sub(setup_len(header));
                // It moves up to where it was linked for, if it was loaded below.
                let alignment = u64::from(header.kernel_alignment).max(1);
                let start = KERNEL_LINUX.next_multiple_of(alignment).max(header.pref_address);
                let unpacked = start..start.saturating_add(header.init_size.into());
                vec![KERNEL_LINUX..KERNEL_LINUX + loaded, unpacked]
            }
            Kind::Pvh { segments, .. } => segments.iter().map(|part| part.start..part.end()).collect(),
        }
    }

    /// The highest address that the initial RAM disk may have.
    pub fn initrd_max(&self) -> u64 {
        match &self.kind {
            Kind::Linux64 { header } | Kind::Linux32 { header } => {
                // Both bits are of version 2.12 of the protocol.
                let anywhere = header.version >= 0x20c && header.xloadflags & XLF_CAN_BE_LOADED_ABOVE_4G != 0;
                if anywhere { u32::MAX.into() } else { header.initrd_addr_max.into() }
            }
            Kind::Pvh { .. } => u32::MAX.into(),
        }
    }

    /// How long its command line may be in bytes, without the zero at its end.
    pub fn command_line_max(&self) -> u64 {
        match &self.kind {
            Kind::Linux64 { header } | Kind::Linux32 { header } => header.cmdline_size.into(),
            Kind::Pvh { .. } => u64::MAX,
        }
    }
}

/// Where the setup header lies in the file.
const HEADER_AT: usize = 0x1f1;
const MAGIC: u32 = u32::from_le_bytes(*b"HdrS");
/// The first version that says where the kernel unpacks to and how much memory that takes (Linux 2.6.31).
const OLDEST: u16 = 0x20a;

/// Length in bytes of the real-mode part, before the kernel proper.
fn setup_len(header: &setup_header) -> u64 {
    let sectors = if header.setup_sects == 0 { 4 } else { header.setup_sects };
    (u64::from(sectors) + 1) * 512
}

fn linux(bytes: &[u8]) -> Result<Kind, ImageError> {
    let mut header = setup_header::default();
    let Some(found) = bytes.get(HEADER_AT..HEADER_AT + size_of::<setup_header>()) else {
        return Err(ImageError::Header("the file is too short"));
    };
    header.as_mut_slice().copy_from_slice(found);
    if header.header != MAGIC {
        return Err(ImageError::Header("it is neither a bzImage nor an ELF file"));
    }
    if header.version < OLDEST || header.loadflags & LOADED_HIGH == 0 {
        return Err(ImageError::Header("its boot protocol is older than 2.10"));
    }
    if header.relocatable_kernel == 0 && header.pref_address != KERNEL_LINUX {
        return Err(ImageError::Header("it cannot be loaded at 1 MiB"));
    }
    if setup_len(&header) >= bytes.len() as u64 {
        return Err(ImageError::Header("the file ends before the kernel"));
    }
    // The header says itself how long it is; what follows is code.
    let end = 0x202 - HEADER_AT + usize::from(bytes[0x201]);
    if let Some(code) = header.as_mut_slice().get_mut(end..) {
        code.fill(0);
    }
    let header = Box::new(header);
    let is_64 = header.version >= 0x20c && header.xloadflags & XLF_KERNEL_64 != 0;
    Ok(if is_64 { Kind::Linux64 { header } } else { Kind::Linux32 { header } })
}

/// The note that says where a kernel is entered by PVH: its name and its type.
const PVH_NOTE: (&[u8], NoteType) = (b"Xen", NoteType(18));

/// An ELF file, of 32 or 64 bits.
fn pvh(bytes: &[u8]) -> Result<Kind, ImageError> {
    let broken = |error: object::Error| ImageError::Elf(error.to_string());
    match FileKind::parse(bytes).map_err(broken)? {
        FileKind::Elf32 => pvh_of(FileHeader32::<LittleEndian>::parse(bytes).map_err(broken)?, EM_386, bytes),
        FileKind::Elf64 => {
            pvh_of(FileHeader64::<LittleEndian>::parse(bytes).map_err(broken)?, EM_X86_64, bytes)
        }
        _ => Err(ImageError::Elf("it is no program".to_owned())),
    }
}

fn pvh_of<H: FileHeader<Endian = LittleEndian>>(
    header: &H,
    machine: Machine,
    bytes: &[u8],
) -> Result<Kind, ImageError> {
    let error = |text: &str| ImageError::Elf(text.to_owned());
    let broken = |error: object::Error| ImageError::Elf(error.to_string());
    let endian = header.endian().map_err(broken)?;
    if header.e_machine(endian) != machine {
        return Err(error("it is for another processor"));
    }
    let mut segments = Vec::new();
    let mut entry = None;
    for part in header.program_headers(endian, bytes).map_err(broken)? {
        if part.p_type(endian) == PT_LOAD {
            segments.extend(segment(part, endian, bytes).ok_or_else(|| error("a part is not in the file"))?);
        }
        let mut notes = part.notes(endian, bytes).map_err(broken)?;
        while let Some(note) = notes.as_mut().and_then(|notes| notes.next().transpose()) {
            let note = note.map_err(broken)?;
            if (note.name(), note.n_type(endian)) == PVH_NOTE {
                let address = note.desc().first_chunk().copied().map(u32::from_le_bytes);
                entry = entry.or(Some(address.ok_or_else(|| error("its PVH note is too short"))?));
            }
        }
    }
    segments.sort_by_key(|segment: &Segment| segment.start);
    if !segments.is_sorted_by(|one, next| one.end() <= next.start) {
        return Err(error("its parts overlap"));
    }
    let entry = entry.ok_or(ImageError::NoPvhNote)?;
    if !segments.iter().any(|part| (part.start..part.end()).contains(&entry.into())) {
        return Err(error("its entry point is not loaded"));
    }
    Ok(Kind::Pvh { entry, segments })
}

/// A part that is loaded, if it takes any memory; an error if the file does not hold it.
fn segment<P: ProgramHeader<Endian = LittleEndian>>(
    part: &P,
    endian: LittleEndian,
    bytes: &[u8],
) -> Option<Option<Segment>> {
    let (start, len) = (part.p_paddr(endian).into(), part.p_memsz(endian).into());
    let (file_start, file_len) = part.file_range(endian);
    let (from, until) =
        (usize::try_from(file_start).ok()?, usize::try_from(file_start.checked_add(file_len)?).ok()?);
    bytes.get(from..until)?;
    start.checked_add(len)?;
    (file_len <= len).then_some((len > 0).then_some(Segment { start, len, file: (from, until) }))
}
