//! What the guest's firmware is to boot from, while the machine is there.

use qmp::{Context, hmp_command};

use super::cpus::pc;
use crate::cmdline::check_devices;
use crate::machine::PcMachine;
use crate::rtc::cmos::BootOrder;

/// Tells the firmware, which looks when the machine is reset.
fn set(context: &Context, devices: &str) -> Result<(), String> {
    let machine = pc(context).map_err(|error| error.to_string())?;
    let board = machine.as_deref().and_then(PcMachine::board);
    let board = board.ok_or("no function defined to set boot device list for this architecture")?;
    check_devices(devices).map_err(|error| error.to_string())?;
    board.set_boot_order(BootOrder::read(devices).map_err(|error| error.to_string())?);
    Ok(())
}

hmp_command! {
    "boot_set", "bootdevice:s", "bootdevice", "define new values for the boot device list" =>
    fn boot_set(monitor, arguments) {
        let devices = arguments.str("bootdevice").unwrap_or_default();
        match set(monitor.context, devices) {
            Ok(()) => monitor.print(format_args!("boot device list now set to {devices}\n")),
            Err(refusal) => monitor.print(format_args!("{refusal}\n")),
        }
        Ok(())
    }
}
