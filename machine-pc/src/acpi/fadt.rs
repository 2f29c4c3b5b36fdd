//! FADT, the Fixed ACPI Description Table (ACPI 6.5, 5.2.9): where the power management registers are.
//!
//! As in the reference a PC of the i440FX has the table of ACPI 1.0, which knows neither the reset register nor the boot
//! architecture flags, and a Q35 that of ACPI 2.0. The first holds addresses of 32 bits; where they do not reach, both have the second.

use acpi_tables::Aml;
use acpi_tables::fadt::{FADTBuilder, Flags};
use acpi_tables::gas::{AccessSize, AddressSpace, GAS};

use super::table::{HEADER_LEN, OemIds};
use crate::machine::Chipset;

/// The interrupt of ACPI events.
const SCI: u16 = 9;
const SMI_CMD: u16 = 0xb2;
/// PM1 event block, PM1 control block and timer follow each other from here.
const PM_BASE: u16 = 0x600;
const PM1_EVENT: Block = Block { port: PM_BASE, len: 4 };
const PM1_CONTROL: Block = Block { port: PM_BASE + 4, len: 2 };
const PM_TIMER: Block = Block { port: PM_BASE + 8, len: 4 };
const RESET: Block = Block { port: 0xcf9, len: 1 };
/// What resets the machine there.
const RESET_VALUE: u8 = 0xf;
/// Longer than allowed: there are no power states C2 and C3.
const NO_LATENCY: u16 = 0xfff;
/// Where CMOS holds the century.
const CENTURY: u8 = 0x32;
/// Boot architecture flag: there is a keyboard controller.
const BOOT_8042: u16 = 1 << 1;

/// How many CPUs the APICs' flat logical destination mode can name.
const FLAT_LOGICAL_CPUS: usize = 8;
/// Interrupts reach I/O APICs. The field was reserved after ACPI 1.0, so the crate has no name for it.
const INT_MODEL_APIC: u8 = 1;
const INT_MODEL_AT: usize = 44;

/// Length in bytes of the table of ACPI 1.0.
const LEN_1: usize = 116;
/// Length in bytes of the table of ACPI 2.0.
const LEN_3: usize = 244;

/// Registers in a row.
#[derive(Debug, Clone, Copy)]
struct Block {
    port: u16,
    len: u8,
}

impl Block {
    fn address(self) -> GAS {
        let bits = self.len.saturating_mul(8);
        GAS::new(AddressSpace::SystemIo, bits, 0, AccessSize::Undefined, self.port.into())
    }
}

/// What a chipset has of its own.
struct Registers {
    gpe0: Block,
    /// What makes the chipset enter ACPI mode, written to the SMI command port.
    enable: u8,
    /// What makes it leave.
    disable: u8,
}

impl Registers {
    const PIIX4: Self = Self { gpe0: Block { port: 0xafe0, len: 4 }, enable: 0xf1, disable: 0xf0 };
    const ICH9: Self = Self { gpe0: Block { port: PM_BASE + 0x20, len: 16 }, enable: 2, disable: 3 };

    fn of(chipset: Chipset) -> Self {
        match chipset {
            Chipset::I440fx => Self::PIIX4,
            Chipset::Q35 => Self::ICH9,
        }
    }
}

/// What the table tells besides the chipset's registers.
#[derive(Debug, Clone, Copy)]
pub(super) struct Fadt {
    pub(super) chipset: Chipset,
    /// How many CPUs there can be.
    pub(super) cpus: usize,
    /// There is a keyboard controller.
    pub(super) i8042: bool,
    /// Address of the FACS.
    pub(super) facs: u64,
    /// Address of the DSDT.
    pub(super) dsdt: u64,
}

impl Fadt {
    pub(super) fn table(self, oem: OemIds) -> Vec<u8> {
        let Self { chipset, cpus, i8042, facs, dsdt } = self;
        let Registers { gpe0, enable, disable } = Registers::of(chipset);
        let (facs_32, dsdt_32) = (u32::try_from(facs), u32::try_from(dsdt));
        let old = chipset == Chipset::I440fx && facs_32.is_ok() && dsdt_32.is_ok();

        let mut fadt = FADTBuilder::new(oem.oem_id, oem.oem_table_id, 1)
            .gpe_info(gpe0.port.into(), 0, gpe0.len, 0, 0)
            .flag(Flags::Wbinvd)
            .flag(Flags::ProcC1)
            .flag(Flags::SlpButton)
            .flag(Flags::RtcS4)
            .flag(Flags::UsePlatformClock);
        if cpus > FLAT_LOGICAL_CPUS {
            fadt = fadt.flag(Flags::ForceApicClusterModel);
        }
        // An address is either in the short field or in the long one, but the DSDT's, which is in both.
        fadt.firmware_ctrl = facs_32.unwrap_or(0).into();
        fadt.dsdt = dsdt_32.unwrap_or(0).into();
        fadt.sci_int = SCI.into();
        fadt.smi_cmd = u32::from(SMI_CMD).into();
        fadt.acpi_enable = enable;
        fadt.acpi_disable = disable;
        fadt.pm1a_evt_blk = u32::from(PM1_EVENT.port).into();
        fadt.pm1_evt_len = PM1_EVENT.len;
        fadt.pm1a_cnt_blk = u32::from(PM1_CONTROL.port).into();
        fadt.pm1_cnt_len = PM1_CONTROL.len;
        fadt.pm_tmr_blk = u32::from(PM_TIMER.port).into();
        fadt.pm_tmr_len = PM_TIMER.len;
        fadt.p_lvl2_lat = NO_LATENCY.into();
        fadt.p_lvl3_lat = NO_LATENCY.into();
        fadt.century = CENTURY;
        fadt.fadt_minor_version = 0;
        if !old {
            fadt = fadt.flag(Flags::ResetRegSup);
            fadt.iapc_boot_arch = if i8042 { BOOT_8042 } else { 0 }.into();
            fadt.reset_reg = RESET.address();
            fadt.reset_value = RESET_VALUE;
            fadt.x_firmware_ctrl = if facs_32.is_ok() { 0 } else { facs }.into();
            fadt.x_dsdt = dsdt.into();
            fadt.x_pm1a_evt_blk = PM1_EVENT.address();
            fadt.x_pm1a_cnt_blk = PM1_CONTROL.address();
            fadt.x_pm_tmr_blk = PM_TIMER.address();
            fadt.x_gpe0_blk = gpe0.address();
        }
        // The crate's is that of ACPI 6.5: the older ones are its beginning.
        let mut newest = Vec::new();
        fadt.finalize().to_aml_bytes(&mut newest);
        newest[INT_MODEL_AT] = INT_MODEL_APIC;
        let (revision, len) = if old { (1, LEN_1) } else { (3, LEN_3) };
        oem.table(*b"FACP", revision, newest.get(HEADER_LEN..len).unwrap_or_default())
    }
}
