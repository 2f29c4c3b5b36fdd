//! The interrupt controllers and the timer, which are inside KVM: what `kvm-i8259`, `kvm-ioapic` and `kvm-pit` say of
//! them. Where no guest runs there are none, and no device stands for one; the types of an emulator are there, so that what is said of
//! them globally is known.
//!
//! KVM has the state of all of them; a reset brings it back as a whole ([`crate::machine::reset`]).

use qom::{ClassInit, DeviceClass, Field, Instance, TypeInfo};
use qom_derive::Object;

use super::fixed::fixed;
use super::real_time_clock::{LOST_TICK_POLICY, LostTickPolicy};
use super::{IsaDevice, SysBusDevice, SystemBusClass};

/// For a place that the machine fills in.
const UNSET: u32 = u32::MAX;

/// Where the I/O APIC's registers are, and how long they are in bytes.
const IOAPIC_MMIO: (u64, u64) = (0xfec0_0000, 0x1000);

/// One of the two 8259 interrupt controllers.
#[derive(Debug, Object)]
#[object(name = "pic-common", abstract, class_init = Pic::class_init)]
pub(super) struct Pic {
    parent: IsaDevice,
    #[property(get, set, default = UNSET)]
    iobase: Field<u32>,
    #[property(get, set, name = "elcr_addr", default = UNSET)]
    elcr_addr: Field<u32>,
    #[property(get, set, name = "elcr_mask", default = u8::MAX)]
    elcr_mask: Field<u8>,
    #[property(get, set, description = "on/off", default = false)]
    master: Field<bool>,
}

impl Pic {
    fn class_init(class: &mut ClassInit<'_>) {
        class.data_mut::<DeviceClass>().user_creatable = false;
    }
}

/// The 8254 timer.
#[derive(Debug, Object)]
#[object(name = "pit-common", abstract, class_init = Pit::class_init)]
pub(super) struct Pit {
    parent: IsaDevice,
    #[property(get, set, default = UNSET)]
    iobase: Field<u32>,
}

impl Pit {
    fn class_init(class: &mut ClassInit<'_>) {
        class.data_mut::<DeviceClass>().user_creatable = false;
    }
}

/// The I/O APIC.
#[derive(Debug, Object)]
#[object(name = "ioapic-common", abstract, class_init = IoApic::class_init)]
pub(super) struct IoApic {
    parent: SysBusDevice,
}

impl IoApic {
    fn class_init(class: &mut ClassInit<'_>) {
        class.data_mut::<SystemBusClass>().mmio = vec![IOAPIC_MMIO];
    }
}

/// Types without state of their own.
fn types() -> Vec<TypeInfo> {
    let new = |name, parent| TypeInfo::new(name, parent, qom::site!());
    vec![
        new("isa-i8259", Pic::TYPE_NAME),
        new("kvm-i8259", Pic::TYPE_NAME),
        new("isa-pit", Pit::TYPE_NAME),
        new("kvm-pit", Pit::TYPE_NAME).class_init(|class| {
            class.add_property(
                fixed("lost_tick_policy", LostTickPolicy::Delay, "KVM's timer makes up for lost ticks")
                    .description(LOST_TICK_POLICY),
            );
        }),
        new("ioapic", IoApic::TYPE_NAME)
            .class_init(|class| class.add_property(fixed("version", 0x20_u8, "no other is known"))),
        new("kvm-ioapic", IoApic::TYPE_NAME).class_init(|class| {
            class.add_property(fixed("gsi_base", 0_u32, "its inputs are the first"));
        }),
    ]
}

qom::register_types!(
    <Pic as Instance>::type_info,
    <Pit as Instance>::type_info,
    <IoApic as Instance>::type_info
);
qom::register_type_tables!(types);
