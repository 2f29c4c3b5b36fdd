//! The CPUs in the namespace: the hotplug registers as a device, an object a CPU, and the methods through which an operating
//! system asks for a CPU's state, ejects it and reports on it. Interface: the reference's `acpi_cpu_hotplug` specification.
//!
//! Names are the reference's: `\_SB.CPUS` holds the CPUs, `C000` and so on by slot, and the methods that they share.
//! The registers are `\_SB.PRES`, as there is no PCI root to hold them. A slot is a CPU's UID.
//!
//! Every access to the registers takes the mutex `CPLK`, since the selector is shared. The methods of the reference that
//! leave an eject to firmware are not here: there is no firmware that would do it.

use acpi_tables::aml::{
    Acquire, Add, Arg, BufferData, Device, EISAName, Equal, Field, FieldAccessType, FieldEntry,
    FieldLockRule, FieldUpdateRule, GreaterEqual, IO, If, LessThan, Local, Method, MethodCall, Mutex, Name,
    Notify, ONE, OpRegion, OpRegionSpace, Or, Path, Release, ResourceTemplate, Return, Scope, Store, While,
    ZERO,
};
use acpi_tables::{Aml, AmlSink};

use super::aml::{Break, Processor, Raw};
use super::cpu_hotplug::MODERN_LEN;
use super::dsdt::PRESENT;
use super::madt::LocalApic;
use super::tables::AcpiCpu;

/// Values of the command register.
const NEXT_WITH_EVENT: u8 = 0;
const OST_EVENT: u8 = 1;
const OST_STATUS: u8 = 2;
/// What an operating system is notified of (ACPI 6.5, 5.6.6).
const DEVICE_CHECK: u8 = 1;
const EJECT_REQUEST: u8 = 3;
/// No timeout.
const FOREVER: u16 = 0xffff;

/// A field of the registers, or a method of the container, as an operand.
struct At(&'static str);

impl Aml for At {
    fn to_aml_bytes(&self, sink: &mut dyn AmlSink) {
        Path::new(self.0).to_aml_bytes(sink);
    }
}

const LOCK: &str = "\\_SB_.PRES.CPLK";
const SELECTOR: At = At("\\_SB_.PRES.CSEL");
const COMMAND: At = At("\\_SB_.PRES.CCMD");
const DATA: At = At("\\_SB_.PRES.CDAT");
const ENABLED: At = At("\\_SB_.PRES.CPEN");
const INSERTED: At = At("\\_SB_.PRES.CINS");
const REMOVAL: At = At("\\_SB_.PRES.CRMV");
const EJECT: At = At("\\_SB_.PRES.CEJ0");
const FIRMWARE_EJECT: At = At("\\_SB_.PRES.CEJF");

/// A CPU's name in its container.
fn name(slot: u32) -> Path {
    Path::new(&format!("C{slot:03X}"))
}

/// Adds all of it, for registers from port `base` on. There are at most 4096 CPUs.
pub(super) fn append(to: &mut Vec<u8>, base: u16, cpus: &[AcpiCpu]) {
    registers(to, base);
    let mut children = Vec::new();
    notify(&mut children, cpus.len());
    state(&mut children);
    eject(&mut children);
    scan(&mut children, cpus.len());
    report(&mut children);
    for (slot, cpu) in (0..).zip(cpus) {
        processor(&mut children, slot, *cpu);
    }
    Device::new(
        "\\_SB_.CPUS".into(),
        vec![
            &Name::new("_HID".into(), &"ACPI0010"),
            &Name::new("_CID".into(), &EISAName::new("PNP0A05")),
            &Raw(&children),
        ],
    )
    .to_aml_bytes(to);
    // GPE 2, an edge.
    Scope::new(
        "\\_GPE".into(),
        vec![&Method::new(
            "_E02".into(),
            0,
            false,
            vec![&MethodCall::new("\\_SB_.CPUS.CSCN".into(), vec![])],
        )],
    )
    .to_aml_bytes(to);
}

/// The register block: its resources, its fields, the mutex.
fn registers(to: &mut Vec<u8>, base: u16) {
    // 12 bytes.
    let len = MODERN_LEN as u8;
    let ports = IO::new(base, base, 1, len);
    let bit = |name: &[u8; 4]| FieldEntry::Named(*name, 1);
    let flags = vec![
        FieldEntry::Reserved(32),
        bit(b"CPEN"),
        bit(b"CINS"),
        bit(b"CRMV"),
        bit(b"CEJ0"),
        bit(b"CEJF"),
        FieldEntry::Reserved(3),
        FieldEntry::Named(*b"CCMD", 8),
    ];
    let words =
        vec![FieldEntry::Named(*b"CSEL", 32), FieldEntry::Reserved(32), FieldEntry::Named(*b"CDAT", 32)];
    let field =
        |access, update, entries| Field::new("PRST".into(), access, FieldLockRule::NoLock, update, entries);
    Device::new(
        "\\_SB_.PRES".into(),
        vec![
            &Name::new("_HID".into(), &EISAName::new("PNP0A06")),
            &Name::new("_UID".into(), &"CPU Hotplug resources"),
            &Mutex::new("CPLK".into(), 0),
            &Name::new("_CRS".into(), &ResourceTemplate::new(vec![&ports])),
            &OpRegion::new("PRST".into(), OpRegionSpace::SystemIO, &base, &len),
            // A write of one bit must not repeat the others.
            &field(FieldAccessType::Byte, FieldUpdateRule::WriteAsZeroes, flags),
            &field(FieldAccessType::DWord, FieldUpdateRule::Preserve, words),
        ],
    )
    .to_aml_bytes(to);
}

/// `CTFY(slot, event)`: notifies the operating system of a CPU.
fn notify(to: &mut Vec<u8>, cpus: usize) {
    let mut body = Vec::new();
    for slot in 0..cpus as u32 {
        If::new(&Equal::new(&Arg(0), &slot), vec![&Notify::new(&name(slot), &Arg(1))])
            .to_aml_bytes(&mut body);
    }
    Method::new("CTFY".into(), 2, false, vec![&Raw(&body)]).to_aml_bytes(to);
}

/// `CSTA(slot)`: a CPU's `_STA`.
fn state(to: &mut Vec<u8>) {
    Method::new(
        "CSTA".into(),
        1,
        true,
        vec![
            &Acquire::new(LOCK.into(), FOREVER),
            &Store::new(&SELECTOR, &Arg(0)),
            &Store::new(&Local(0), &ZERO),
            &If::new(&Equal::new(&ENABLED, &ONE), vec![&Store::new(&Local(0), &PRESENT)]),
            &Release::new(LOCK.into()),
            &Return::new(&Local(0)),
        ],
    )
    .to_aml_bytes(to);
}

/// `CEJ0(slot)`: ejects a CPU.
fn eject(to: &mut Vec<u8>) {
    Method::new(
        "CEJ0".into(),
        1,
        true,
        vec![
            &Acquire::new(LOCK.into(), FOREVER),
            &Store::new(&SELECTOR, &Arg(0)),
            &Store::new(&EJECT, &ONE),
            &Release::new(LOCK.into()),
        ],
    )
    .to_aml_bytes(to);
}

/// `CSCN()`: announces every event that is pending, slot after slot from the first on.
///
/// The command moves the selector to the next slot with an event, itself included, and begins again at the first one after the
/// last. So it is done when the selector went back, or when the slot has no event: then none has. It is also done where nothing
/// answers at the ports and all reads give ones. An event that comes behind the scan raises the GPE again.
fn scan(to: &mut Vec<u8>, cpus: usize) {
    let (from, slot, events) = (Local(0), Local(1), Local(2));
    let count = cpus as u32;
    let mut body = Vec::new();
    for (event, code) in [(&INSERTED, &DEVICE_CHECK), (&REMOVAL, &EJECT_REQUEST)] {
        let children: [&dyn Aml; 2] =
            [&MethodCall::new("CTFY".into(), vec![&slot, code]), &Store::new(event, &ONE)];
        If::new(&Equal::new(event, &ONE), children.to_vec()).to_aml_bytes(&mut body);
    }
    Method::new(
        "CSCN".into(),
        0,
        true,
        vec![
            &Acquire::new(LOCK.into(), FOREVER),
            &Store::new(&from, &ZERO),
            &While::new(
                &LessThan::new(&from, &count),
                vec![
                    &Store::new(&SELECTOR, &from),
                    &Store::new(&COMMAND, &NEXT_WITH_EVENT),
                    &Store::new(&slot, &DATA),
                    &If::new(&LessThan::new(&slot, &from), vec![&Break]),
                    &If::new(&GreaterEqual::new(&slot, &count), vec![&Break]),
                    &Or::new(&events, &INSERTED, &REMOVAL),
                    &Or::new(&events, &events, &FIRMWARE_EJECT),
                    &If::new(&Equal::new(&events, &ZERO), vec![&Break]),
                    &Raw(&body),
                    &Add::new(&from, &slot, &ONE),
                ],
            ),
            &Release::new(LOCK.into()),
        ],
    )
    .to_aml_bytes(to);
}

/// `COST(slot, event, status)`: reports what became of an event.
fn report(to: &mut Vec<u8>) {
    Method::new(
        "COST".into(),
        3,
        true,
        vec![
            &Acquire::new(LOCK.into(), FOREVER),
            &Store::new(&SELECTOR, &Arg(0)),
            &Store::new(&COMMAND, &OST_EVENT),
            &Store::new(&DATA, &Arg(1)),
            &Store::new(&COMMAND, &OST_STATUS),
            &Store::new(&DATA, &Arg(2)),
            &Release::new(LOCK.into()),
        ],
    )
    .to_aml_bytes(to);
}

/// A CPU: a `Processor` if its IDs fit one, else a device.
fn processor(to: &mut Vec<u8>, slot: u32, cpu: AcpiCpu) {
    let apic = LocalApic { uid: slot, apic_id: cpu.apic_id, enabled: true };
    let mut entry = Vec::new();
    apic.to_aml_bytes(&mut entry);

    let mut body = Vec::new();
    let state = MethodCall::new("CSTA".into(), vec![&slot]);
    Method::new("_STA".into(), 0, true, vec![&Return::new(&state)]).to_aml_bytes(&mut body);
    // The entry of the MADT, as it is once the CPU is there.
    Name::new("_MAT".into(), &BufferData::new(entry)).to_aml_bytes(&mut body);
    // The first CPU boots, and stays.
    if slot != 0 {
        let eject = MethodCall::new("CEJ0".into(), vec![&slot]);
        Method::new("_EJ0".into(), 1, false, vec![&eject]).to_aml_bytes(&mut body);
    }
    let report = MethodCall::new("COST".into(), vec![&slot, &Arg(0), &Arg(1)]);
    Method::new("_OST".into(), 3, true, vec![&report]).to_aml_bytes(&mut body);
    if let Some(node) = cpu.node {
        Name::new("_PXM".into(), &node).to_aml_bytes(&mut body);
    }
    match apic.short() {
        Some((id, _)) => Processor { path: name(slot), id, children: vec![&Raw(&body)] }.append(to),
        None => Device::new(
            name(slot),
            vec![&Name::new("_HID".into(), &"ACPI0007"), &Name::new("_UID".into(), &slot), &Raw(&body)],
        )
        .to_aml_bytes(to),
    }
}
