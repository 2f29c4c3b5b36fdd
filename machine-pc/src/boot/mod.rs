//! Booting a kernel with no firmware: `-kernel`, `-initrd` and `-append`.
//!
//! What firmware and a boot loader would leave behind is written to guest memory, and the boot CPU starts in the kernel:
//! at the 64-bit entry point of Linux's boot protocol (a bzImage; the 32-bit one for a 32-bit kernel), or by the PVH protocol
//! (an ELF file with Xen's note). A reset of the machine writes all of it again.
//!
//! * [`image`] reads the files and says what they are.
//! * [`layout`] says where everything lies, or that it does not fit. [`e820`] says the same to the guest.
//! * [`params`] are the structures that the protocols pass to the kernel.
//! * [`entry`] is the state in which the boot CPU starts.
//!
//! All but the reading of files are functions of plain values, so that they can be tested without KVM. Nothing here knows
//! vCPUs or objects. The files are read once, at the start: what is on disk later makes no difference.
//!
//! Sources: Linux, `Documentation/arch/x86/boot.rst`; Xen, `docs/misc/pvh.pandoc`.

pub mod e820;
pub mod entry;
pub mod image;
pub mod layout;
pub mod params;

use std::path::PathBuf;
use std::sync::Arc;

use linux_loader::loader::{KernelLoader, bzimage};
use parking_lot::Mutex;
use thiserror::Error;
use vm_memory::{Bytes, GuestAddress};

use crate::acpi::tables::{self, AcpiTables};
use crate::acpi::{AcpiCpu, AcpiDescription};
use crate::memory::{Ram, RamLayout};
use crate::serial::{COM_PORTS, ComPort};

pub use entry::CpuEntry;
pub use image::ImageError;
pub use layout::LayoutError;

use image::{Initrd, Kernel, Kind};
use layout::{Layout, RSDP};

/// What the user says of a kernel.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct KernelOptions {
    /// The kernel's file.
    pub kernel: PathBuf,
    /// The file of its initial RAM disk.
    pub initrd: Option<PathBuf>,
    /// Its command line.
    pub append: String,
}

/// Why a kernel cannot be booted.
#[derive(Debug, Error)]
pub enum BootError {
    /// One of the files.
    #[error(transparent)]
    Image(#[from] ImageError),
    /// It does not fit the machine's memory.
    #[error(transparent)]
    Layout(#[from] LayoutError),
    /// The command line holds a zero byte, where it would end.
    #[error("the kernel's command line holds a zero byte")]
    ZeroInCommandLine,
    /// The CPU cannot run a 64-bit kernel.
    #[error("the kernel needs a CPU with long mode (CPU feature 'lm')")]
    NoLongMode,
    /// The guest's memory did not take what was laid out for it: a mistake in the program.
    #[error("cannot load the kernel: {0}")]
    Write(String),
}

impl BootError {
    fn write(error: impl std::fmt::Display) -> Self {
        Self::Write(error.to_string())
    }
}

/// A kernel that was read, and all that it is booted with.
#[derive(Debug)]
pub struct DirectBoot {
    kernel: Kernel,
    initrd: Initrd,
    command_line: Vec<u8>,
    ram: RamLayout,
    tables: Option<AcpiDescription>,
    /// The serial ports that there are, each with its index, in the order in which they came.
    serials: Mutex<Vec<(usize, ComPort)>>,
}

impl DirectBoot {
    /// Reads the files for a machine with this RAM. `tables` is what the guest is told by ACPI, if anything.
    ///
    /// # Errors
    /// [`BootError`]. What does not fit is told here too.
    pub fn new(
        options: &KernelOptions,
        ram: RamLayout,
        tables: Option<AcpiDescription>,
    ) -> Result<Self, BootError> {
        let kernel = Kernel::read(&options.kernel, ram.below_4g)?;
        let limit = layout::initrd_limit(&kernel, ram, layout::ACPI_MIN);
        let initrd = match &options.initrd {
            Some(path) => Initrd::read(path, limit)?,
            None => Initrd::default(),
        };
        Self::of(kernel, initrd, &options.append, ram, tables)
    }

    /// The same of images that were read.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub fn of(
        kernel: Kernel,
        initrd: Initrd,
        append: &str,
        ram: RamLayout,
        tables: Option<AcpiDescription>,
    ) -> Result<Self, BootError> {
        if append.contains('\0') {
            return Err(BootError::ZeroInCommandLine);
        }
        let mut command_line = append.as_bytes().to_vec();
        command_line.push(0);
        let serials = tables.iter().flat_map(|tables| tables.serials.into_iter().enumerate());
        let serials = serials.filter_map(|(index, port)| Some((index, port?))).collect();
        let boot = Self { kernel, initrd, command_line, ram, tables, serials: Mutex::new(serials) };
        boot.layout(&|_| true)?;
        Ok(boot)
    }

    /// A serial port came: the tables show it from the next load on, unless they show another of that index, whose name it would have.
    pub fn show_serial(&self, index: usize, port: ComPort) {
        self.serials.lock().push((index, port));
    }

    /// The serial port that begins there is gone.
    pub fn hide_serial(&self, base: u32) {
        self.serials.lock().retain(|(_, port)| u32::from(port.base) != base);
    }

    /// The serial ports that the tables show.
    fn shown_serials(&self) -> [Option<ComPort>; COM_PORTS.len()] {
        let serials = self.serials.lock();
        std::array::from_fn(|at| serials.iter().find(|(index, _)| *index == at).map(|(_, port)| *port))
    }

    /// How the boot CPU starts.
    pub fn entry(&self) -> CpuEntry {
        match self.kernel.kind() {
            Kind::Linux64 { .. } => CpuEntry::long_mode(layout::KERNEL_LINUX + 0x200, layout::ZERO_PAGE),
            Kind::Linux32 { .. } => CpuEntry::linux_32(layout::KERNEL_LINUX, layout::ZERO_PAGE),
            Kind::Pvh { entry, .. } => CpuEntry::pvh(u64::from(*entry), layout::START_INFO),
        }
    }

    /// Holds the kernel against the CPU that starts it.
    ///
    /// # Errors
    /// [`BootError::NoLongMode`].
    pub fn check_cpu(&self, long_mode: bool) -> Result<(), BootError> {
        let needed = matches!(self.kernel.kind(), Kind::Linux64 { .. });
        if needed && !long_mode { Err(BootError::NoLongMode) } else { Ok(()) }
    }

    /// Where everything lies, and the tables for that place. `present` says which slots hold a CPU.
    fn layout(&self, present: &dyn Fn(usize) -> bool) -> Result<(Layout, Option<AcpiTables>), BootError> {
        let Some(tables) = &self.tables else {
            return Ok((Layout::new(&self.kernel, &self.initrd, &self.command_line, self.ram, 0)?, None));
        };
        let mut tables = AcpiDescription { serials: self.shown_serials(), ..tables.clone() };
        for (slot, cpu) in tables.cpus.iter_mut().enumerate() {
            *cpu = AcpiCpu { present: present(slot), ..*cpu };
        }
        // They are as long wherever they lie, and whoever is present.
        let len = tables::build(&tables, layout::LOW_END).tables.len() as u64;
        let layout = Layout::new(&self.kernel, &self.initrd, &self.command_line, self.ram, len)?;
        let built = tables::build(&tables, layout.acpi.start);
        Ok((layout, Some(built)))
    }

    /// Writes everything to the guest's memory. `present` says which slots hold a CPU now.
    ///
    /// # Errors
    /// [`BootError`]; the guest's memory then holds part of it.
    pub fn load(&self, memory: &Arc<Ram>, present: &dyn Fn(usize) -> bool) -> Result<(), BootError> {
        let (layout, tables) = self.layout(present)?;
        let write =
            |bytes: &[u8], at: u64| memory.write_slice(bytes, GuestAddress(at)).map_err(BootError::write);
        self.load_kernel(memory)?;
        write(self.initrd.bytes(), layout.initrd.start)?;
        write(&self.command_line, layout::COMMAND_LINE)?;
        let rsdp = tables.as_ref().map_or(0, |_| RSDP);
        if let Some(AcpiTables { rsdp, tables }) = &tables {
            write(tables, layout.acpi.start)?;
            write(rsdp, RSDP)?;
        }
        let map = e820::map(self.ram, &layout.acpi);
        match self.kernel.kind() {
            Kind::Linux64 { header } | Kind::Linux32 { header } => {
                params::write_zero_page(&**memory, header, &layout, rsdp, &map).map_err(BootError::write)?;
            }
            Kind::Pvh { .. } => {
                params::write_start_info(&**memory, &layout, rsdp, &map).map_err(BootError::write)?;
            }
        }
        for (at, bytes) in self.entry().tables() {
            write(&bytes, at)?;
        }
        tracing::debug!(kernel = self.kernel.bytes().len(), initrd = self.initrd.bytes().len(), "loaded");
        Ok(())
    }

    fn load_kernel(&self, memory: &Arc<Ram>) -> Result<(), BootError> {
        let mut file = std::io::Cursor::new(self.kernel.bytes());
        match self.kernel.kind() {
            Kind::Linux64 { .. } | Kind::Linux32 { .. } => {
                let at = Some(GuestAddress(layout::KERNEL_LINUX));
                bzimage::BzImage::load(&**memory, at, &mut file, None).map_err(BootError::write)?;
            }
            Kind::Pvh { segments, .. } => {
                for segment in segments {
                    let bytes = segment.bytes(self.kernel.bytes());
                    memory.write_slice(bytes, GuestAddress(segment.start())).map_err(BootError::write)?;
                    let zeroes = segment.start() + bytes.len() as u64..segment.end();
                    layout::zero(memory, zeroes).map_err(BootError::write)?;
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
