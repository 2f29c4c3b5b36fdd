//! Machine properties about hardware and services that are not there, or that are there for good.
//!
//! Scripts and managers switch them off, some on every start. So each can be read, says whether the thing is there, and
//! takes every value that asks for nothing else. What asks for the contrary is refused, with the reason: nothing is accepted
//! that has no effect.

use qom::{ClassInit, Input, OnOffAuto, Property, PropertyEnum, PropertyError, PropertyValue, Value};

/// A property that says yes or no.
struct Absent {
    name: &'static str,
    /// As the reference describes it.
    description: &'static str,
    /// Why the contrary of what is so is refused.
    why: &'static str,
}

/// On all machines.
const ON_ALL: &[Absent] = &[
    Absent {
        name: "aux-ram-share",
        description: "Use anonymous shared memory for auxiliary guest RAMs",
        why: "there is no auxiliary RAM",
    },
    Absent {
        name: "graphics",
        description: "Set on/off to enable/disable graphics emulation",
        why: "there is no graphics card",
    },
    Absent {
        name: "spcr",
        description: "Set on/off to enable/disable ACPI Serial Port Console Redirection Table (spcr)",
        why: "there is no such table",
    },
    Absent {
        name: "suppress-vmdesc",
        description: "Set on to disable self-describing migration",
        why: "there is no migration",
    },
    Absent { name: "usb", description: "Set on/off to enable/disable usb", why: "there is no USB" },
    Absent {
        name: "x-change-vmfd-on-reset",
        description: "Set on/off to enable/disable generating new accelerator guest handle on guest reset. Default: off \
                      (used only for testing/debugging).",
        why: "a virtual machine keeps its handle",
    },
];

/// On PCs.
const ON_PCS: &[Absent] = &[
    Absent {
        name: "cxl",
        description: "Set on/off to enable/disable CXL instantiation",
        why: "there is no CXL",
    },
    Absent { name: "default-bus-bypass-iommu", description: "", why: "there is no IOMMU" },
    Absent {
        name: "hpet",
        description: "Enable/disable high precision event timer emulation",
        why: "there is no high precision event timer",
    },
    Absent {
        name: "nvdimm",
        description: "Set on/off to enable/disable NVDIMM instantiation",
        why: "there are no NVDIMMs",
    },
    Absent { name: "sata", description: "Enable/disable Serial ATA bus", why: "there are no disks" },
    Absent {
        name: "smbus",
        description: "Enable/disable system management bus",
        why: "there is no system management bus",
    },
];

/// On PCs, for the machine to decide.
const MAYBE_ON_PCS: &[Absent] = &[
    Absent { name: "smm", description: "Enable SMM", why: "there is no system management mode" },
    Absent { name: "vmport", description: "Enable vmport (pc & q35)", why: "there is no such port" },
];

/// On PCs, for the machine to decide, and always there.
const ALWAYS_ON_PCS: &[Absent] = &[
    Absent { name: "pic", description: "Enable i8259 PIC", why: "the board has one" },
    Absent { name: "pit", description: "Enable i8254 PIT", why: "the board has one" },
];

/// On PCs, and always so.
const ALWAYS_SO_ON_PCS: &[Absent] = &[Absent {
    name: "fd-bootchk",
    description: "Enable/disable boot signature checking for floppy disks in BIOS",
    why: "firmware is told nothing",
}];

/// On Q35s.
const ON_Q35: &[Absent] = &[Absent {
    name: "wdat",
    description: "Enable WDAT watchdog support. Default: off",
    why: "there is no watchdog",
}];

/// Declared on objects in the reference, so that `-machine TYPE,help` does not list them.
pub const NOT_IN_HELP: [&str; 4] = ["cxl", "hmat", "nvdimm", "spcr"];

fn refused(name: &str, value: &Value, why: &str) -> PropertyError {
    let value = match value {
        Value::Bool(true) => OnOffAuto::On.name(),
        Value::Bool(false) => OnOffAuto::Off.name(),
        other => other.as_str().unwrap_or_default(),
    };
    PropertyError::Refused(format!("Parameter '{name}' does not accept value '{value}': {why}"))
}

/// Declares a property that reads as `is` and takes all values but `contrary`.
fn add<T: PropertyValue + Clone + PartialEq + Send + Sync + 'static>(
    class: &mut ClassInit<'_>,
    absent: &'static Absent,
    is: &T,
    contrary: T,
) {
    let Absent { name, description, why } = *absent;
    let is = is.to_value();
    let mut property =
        Property::new(name, T::type_name()).get(move |_| Ok(is.clone())).set(move |_, input: &Input<'_>| {
            let value = T::read(name, input)?;
            if value == contrary { Err(refused(name, &value.to_value(), why)) } else { Ok(()) }
        });
    if !description.is_empty() {
        property = property.description(description);
    }
    class.add_property(property);
}

fn add_all(class: &mut ClassInit<'_>, list: &'static [Absent]) {
    for absent in list {
        add(class, absent, &false, true);
    }
}

/// Declares those of all machines.
pub fn declare(class: &mut ClassInit<'_>) {
    add_all(class, ON_ALL);
}

/// Declares those of PCs.
pub fn declare_pc(class: &mut ClassInit<'_>) {
    add_all(class, ON_PCS);
    for absent in MAYBE_ON_PCS {
        add(class, absent, &OnOffAuto::Off, OnOffAuto::On);
    }
    for present in ALWAYS_ON_PCS {
        add(class, present, &OnOffAuto::On, OnOffAuto::Off);
    }
    for so in ALWAYS_SO_ON_PCS {
        add(class, so, &true, false);
    }
}

/// Declares those of Q35s.
pub fn declare_q35(class: &mut ClassInit<'_>) {
    add_all(class, ON_Q35);
}
