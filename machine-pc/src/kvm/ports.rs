//! The I/O ports that KVM answers itself: those of the interrupt controllers and of the timer.

use super::Capabilities;
use crate::io_bus::IoDevice;

/// First port, length in bytes and name.
pub type PortRange = (u64, u64, &'static str);

const INTERRUPT_CONTROLLERS: [PortRange; 4] =
    [(0x20, 2, "kvm-pic"), (0xa0, 2, "kvm-pic"), (0x4d0, 1, "kvm-elcr"), (0x4d1, 1, "kvm-elcr")];
const TIMER: PortRange = (0x40, 4, "kvm-pit");

/// Those of a KVM with these capabilities.
pub(super) fn of(capabilities: &Capabilities) -> impl Iterator<Item = PortRange> + use<> {
    let timer = !capabilities.missing().iter().any(|(name, _)| *name == "PIT2");
    INTERRUPT_CONTROLLERS.into_iter().chain(timer.then_some(TIMER))
}

/// Holds their place on the port bus, so that no device is put where no guest would find it. A guest's accesses do not come here; to
/// others the ports are as where nothing is.
#[derive(Debug)]
pub struct InKvm;

impl IoDevice for InKvm {
    fn read(&self, _offset: u64, _size: u8) -> u64 {
        u64::MAX
    }

    fn write(&self, _offset: u64, _size: u8, _value: u64) {}
}
