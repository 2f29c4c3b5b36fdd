//! `memory-backend-file`: memory that is a file, such as huge pages of a file system of them, or memory that other processes have too.
//!
//! The file is opened, made or made longer when the object is complete. A file that had bytes is never made longer: whoever made it said
//! how large it is. A directory stands for a file in it that has no name and goes with the memory.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use qom::user_creatable::{Member, MemberType, UserCreatableClass};
use qom::{ClassInit, Field, Instance, OnOffAuto, PropertyError, Size};
use qom_derive::Object;
use rustix::fs::fstatfs;
use thiserror::Error as ThisError;
use vm_memory::mmap::MmapRegionError;
use vm_memory::{FileOffset, MmapRegion};

use super::memory::{MapError, Mapping, MemoryBackend, MemoryBackendClass, PAGE_BYTES};
use super::{part, property};
use crate::os_error;

/// `HUGETLBFS_MAGIC` of Linux: the block size of such a file system is the size of its pages.
const HUGE_PAGES: i64 = 0x958_458f6;

/// Why there is no memory from a file. The texts are the reference's where it has them.
#[derive(Debug, Clone, PartialEq, Eq, ThisError)]
#[non_exhaustive]
pub enum FileError {
    /// The file does not open.
    #[error("can't open backing store {} for guest RAM: {reason}", path.display())]
    Open {
        /// The file.
        path: PathBuf,
        /// What the host said.
        reason: String,
    },
    /// The file does not become as long as the memory.
    #[error("cannot make backing store {} {bytes:#x} bytes long: {reason}", path.display())]
    Extend {
        /// The file.
        path: PathBuf,
        /// How long it had to be; that may be beyond 64 bits.
        bytes: u128,
        /// What the host said.
        reason: String,
    },
    /// The file is not mapped.
    #[error("unable to map backing store for guest RAM: {0}")]
    Map(String),
    /// An alignment of parts of pages.
    #[error("alignment {align:#x} must be multiples of page size {page:#x}")]
    AlignPages {
        /// What was asked for.
        align: u64,
        /// Bytes.
        page: u64,
    },
    /// An alignment that is none.
    #[error("alignment {0:#x} must be a power of two")]
    AlignPower(u64),
    /// Memory lies where the host puts it, at pages.
    #[error("alignment {align:#x} is not supported: this memory is aligned to its pages of {page:#x} bytes")]
    AlignMore {
        /// What was asked for.
        align: u64,
        /// Bytes.
        page: u64,
    },
    /// Less than a page.
    #[error("memory size {size:#x} must be equal to or larger than page size {page:#x}")]
    Small {
        /// What was asked for.
        size: u64,
        /// Bytes.
        page: u64,
    },
    /// A place in the file within a page.
    #[error("offset {offset:#x} must be multiples of page size {page:#x}")]
    Offset {
        /// What was asked for.
        offset: u64,
        /// Bytes.
        page: u64,
    },
    /// A file that is too short.
    #[error(
        "{name} backing store size {have:#x} is too small for 'size' option {size:#x} plus 'offset' option {offset:#x}"
    )]
    Short {
        /// The memory.
        name: String,
        /// Bytes of the file.
        have: u64,
        /// Bytes of the memory.
        size: u64,
        /// Where it begins.
        offset: u64,
    },
    /// Parts of pages.
    #[error("backend 'memory-backend-file' memory size must be multiple of {} KiB", page >> 10)]
    Pages {
        /// Bytes.
        page: u64,
    },
    /// What cannot be written to and must be.
    #[error("property 'rom' = 'on' is not supported with 'readonly' = 'off'")]
    RomWritable,
    /// What is written to and must not be.
    #[error("property 'rom' = 'off' is incompatible with 'readonly' = 'on' and 'share' = 'on'")]
    SharedReadonly,
    /// Memory of a guest that it cannot write to.
    #[error(
        "memory that cannot be written to is not supported: say 'rom' = 'off', and the file stays as it is"
    )]
    Rom,
}

/// The state of a memory backend on a file.
#[derive(Debug, Object)]
#[object(name = "memory-backend-file", class_init = MemoryBackendFile::class_init)]
pub struct MemoryBackendFile {
    parent: MemoryBackend,
    path: Field<String>,
    align: Field<u64>,
    offset: Field<u64>,
    readonly: Field<bool>,
    #[object(default = Field::new(OnOffAuto::Auto))]
    rom: Field<OnOffAuto>,
}

qom::register_types!(<MemoryBackendFile as Instance>::type_info);

/// A property that only says that something is not done.
fn refuse(what: &'static str) -> impl Fn(bool) -> Result<(), PropertyError> {
    move |value| match value {
        false => Ok(()),
        true => Err(PropertyError::Refused(what.to_owned())),
    }
}

impl MemoryBackendFile {
    fn class_init(class: &mut ClassInit<'_>) {
        class.data_mut::<MemoryBackendClass>().map = |object, mapping| {
            let this = part::<Self>(object).map_err(|error| io::Error::other(error.to_string()))?;
            Ok(this.map(mapping)?)
        };
        Self::add_properties(class);
        let user_creatable = class.data_mut::<UserCreatableClass>();
        user_creatable.doc = "Memory that is a file: huge pages, or memory that other processes have too.";
        user_creatable.members.extend([
            Member::optional("align", MemberType::Size)
                .doc("What its address is a multiple of, in bytes: at most the size of its pages; 0, the default, means that."),
            Member::optional("offset", MemberType::Size)
                .doc("Where it begins in the file, in bytes: a multiple of the size of its pages; 0 by default."),
            Member::optional("discard-data", MemberType::Bool)
                .doc("Whether what was written need not be kept when it goes. Refused if true: a file keeps it."),
            Member::required("mem-path", MemberType::Text)
                .doc("The file, which is made or made longer if it is empty, or a directory for a file without a name that goes with the memory."),
            Member::optional("pmem", MemberType::Bool)
                .doc("Whether the file is persistent memory. Refused if true."),
            Member::optional("readonly", MemberType::Bool)
                .doc("Whether the file is opened for reading only, so that writes stay in this process; false by default. Needs `rom` off."),
            Member::optional("rom", MemberType::Enum(&["auto", "on", "off"]))
                .doc("Whether the guest cannot write to it; `auto`, the default, means as `readonly` says. Refused where the answer is yes."),
        ]);
    }

    fn add_properties(class: &mut ClassInit<'_>) {
        class.add_property(property::<Self, bool>(
            "discard-data",
            "bool",
            |_| false,
            |_, value| refuse("a file keeps what was written: 'discard-data' = 'on' is not supported")(value),
        ));
        class.add_property(property::<Self, String>(
            "mem-path",
            "string",
            |this| this.path.get(),
            |this, value| this.set_unmapped(&this.path, value, "mem-path", ""),
        ));
        class.add_property(property::<Self, Size>(
            "align",
            "int",
            |this| Size(this.align.get()),
            |this, value| this.set_unmapped(&this.align, value.0, "align", ""),
        ));
        class.add_property(
            property::<Self, Size>(
                "offset",
                "int",
                |this| Size(this.offset.get()),
                |this, value| this.set_unmapped(&this.offset, value.0, "offset", ""),
            )
            .description("Offset into the target file (ex: 1G)"),
        );
        class.add_property(property::<Self, bool>(
            "pmem",
            "bool",
            |_| false,
            |this, value| {
                this.check_unmapped("pmem", ".")?;
                refuse(
                    "Lack of libpmem support while setting the 'pmem=on' of memory-backend-file. We can't ensure \
                     data persistence.",
                )(value)
            },
        ));
        class.add_property(property::<Self, bool>(
            "readonly",
            "bool",
            |this| this.readonly.get(),
            |this, value| this.set_unmapped(&this.readonly, value, "readonly", "."),
        ));
        class.add_property(
            property::<Self, OnOffAuto>(
                "rom",
                "OnOffAuto",
                |this| this.rom.get(),
                |this, value| this.set_unmapped(&this.rom, value, "rom", "."),
            )
            .description("Whether to create Read Only Memory (ROM)"),
        );
    }

    /// The reference ends some of these sentences.
    fn check_unmapped(&self, name: &str, end: &str) -> Result<(), PropertyError> {
        if self.parent.region().is_some() {
            let text = format!("cannot change property '{name}' of memory-backend-file{end}");
            return Err(PropertyError::Refused(text));
        }
        Ok(())
    }

    fn set_unmapped<T>(
        &self,
        field: &Field<T>,
        value: T,
        name: &str,
        end: &str,
    ) -> Result<(), PropertyError> {
        self.check_unmapped(name, end)?;
        field.set(value);
        Ok(())
    }

    /// Judges what may be written to; the memory always may, here or in the file.
    fn check_rom(&self, share: bool) -> Result<(), FileError> {
        match (self.rom.get(), self.readonly.get()) {
            (OnOffAuto::On, false) => Err(FileError::RomWritable),
            (OnOffAuto::On | OnOffAuto::Auto, true) => Err(FileError::Rom),
            (OnOffAuto::Off, true) if share => Err(FileError::SharedReadonly),
            _ => Ok(()),
        }
    }

    fn map(&self, mapping: Mapping) -> Result<MmapRegion, FileError> {
        let Mapping { size: asked, share, reserve } = mapping;
        self.check_rom(share)?;
        self.rom.set(OnOffAuto::Off);
        let path = PathBuf::from(self.path.get());
        let mut backing = Backing::open(&path, self.readonly.get())
            .map_err(|error| FileError::Open { path: path.clone(), reason: os_error::text(&error) })?;
        let page = page_size(&backing.file);
        let (align, offset) = (self.align.get(), self.offset.get());
        // As in the reference, a size so close to 2^64 that no whole pages hold it is none.
        let size = asked.checked_next_multiple_of(page).unwrap_or(0);
        let end = u128::from(offset) + u128::from(size);
        let have = backing.len().map_err(|error| backing.not_extended(end, &error))?;
        if have.is_some_and(|have| have > 0 && u128::from(have) < end) {
            let (name, have) = (self.parent.memory_name(), have.unwrap_or(0));
            return Err(FileError::Short { name, have, size, offset });
        }
        check_align(align, page)?;
        if offset % page != 0 {
            return Err(FileError::Offset { offset, page });
        }
        if size < page {
            return Err(FileError::Small { size, page });
        }
        if have == Some(0) {
            backing.extend(end)?;
        }
        let not_mapped = |error: &io::Error| FileError::Map(os_error::text(error));
        let too_large = || not_mapped(&io::Error::from_raw_os_error(libc::ENOMEM));
        let sharing = if share { libc::MAP_SHARED } else { libc::MAP_PRIVATE };
        let reservation = if reserve { 0 } else { libc::MAP_NORESERVE };
        let place = FileOffset::new(backing.file.try_clone().map_err(|error| not_mapped(&error))?, offset);
        let len = usize::try_from(size).map_err(|_| too_large())?;
        let protection = libc::PROT_READ | libc::PROT_WRITE;
        let region =
            MmapRegion::build(Some(place), len, protection, sharing | reservation).map_err(|error| {
                match error {
                    MmapRegionError::Mmap(error) => not_mapped(&error),
                    other => FileError::Map(other.to_string()),
                }
            })?;
        if asked % page != 0 {
            return Err(FileError::Pages { page });
        }
        backing.made = None;
        Ok(region)
    }
}

fn check_align(align: u64, page: u64) -> Result<(), FileError> {
    match align {
        0 => Ok(()),
        align if align % page != 0 => Err(FileError::AlignPages { align, page }),
        align if !align.is_power_of_two() => Err(FileError::AlignPower(align)),
        align if align > page => Err(FileError::AlignMore { align, page }),
        _ => Ok(()),
    }
}

/// The size of the pages of other memory, in bytes.
pub(crate) const PAGE: u64 = PAGE_BYTES as u64;

/// The size of the pages that a file's memory is made of.
pub(crate) fn page_size(file: &File) -> u64 {
    match fstatfs(file) {
        Ok(system) if system.f_type == HUGE_PAGES => u64::try_from(system.f_bsize).unwrap_or(PAGE).max(PAGE),
        _ => PAGE,
    }
}

/// An open file; removed again if it was made here and is not used.
struct Backing {
    file: File,
    path: PathBuf,
    made: Option<PathBuf>,
}

impl Backing {
    fn open(path: &Path, readonly: bool) -> io::Result<Self> {
        let open = |options: &mut OpenOptions| options.read(true).write(!readonly).open(path);
        // A pipe that nobody writes to must not be waited for: it is no memory, which mapping it tells.
        let (file, made) = match open(OpenOptions::new().custom_flags(libc::O_NONBLOCK)) {
            // Only what is written to can be a file without a name.
            Ok(file) if file.metadata()?.is_dir() => return Err(io::Error::from_raw_os_error(libc::EISDIR)),
            Ok(file) => (file, None),
            Err(error) if error.kind() == io::ErrorKind::IsADirectory => {
                let mut options = OpenOptions::new();
                // The user alone may look at a guest's memory.
                (open(options.custom_flags(libc::O_TMPFILE).mode(0o600))?, None)
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound && !readonly => {
                (open(OpenOptions::new().create_new(true).mode(0o644))?, Some(path.to_owned()))
            }
            Err(error) => return Err(error),
        };
        Ok(Self { file, path: path.to_owned(), made })
    }

    /// How long it is in bytes; what is no regular file has no length.
    fn len(&self) -> io::Result<Option<u64>> {
        let about = self.file.metadata()?;
        Ok(about.is_file().then_some(about.len()))
    }

    fn not_extended(&self, bytes: u128, error: &io::Error) -> FileError {
        FileError::Extend { path: self.path.clone(), bytes, reason: os_error::text(error) }
    }

    /// Makes it so many bytes long.
    fn extend(&mut self, bytes: u128) -> Result<(), FileError> {
        let length = i64::try_from(bytes).map_err(|_| io::Error::from_raw_os_error(libc::EFBIG));
        length
            .and_then(|length| self.file.set_len(length.cast_unsigned()))
            .map_err(|error| self.not_extended(bytes, &error))
    }
}

impl Drop for Backing {
    fn drop(&mut self) {
        if let Some(path) = self.made.take() {
            // It was not there before.
            let _ = std::fs::remove_file(path);
        }
    }
}

impl From<FileError> for MapError {
    fn from(error: FileError) -> Self {
        Self::File(error)
    }
}
