//! The registers of the guest's CPUs: the human monitor.

use qmp::hmp::{GuestCpus, Monitor};
use qmp::{Context, Error, hmp_command};

use crate::inspect::{Guest, registers};

/// What the monitor's language says of CPUs.
pub(crate) const GUEST_CPUS: GuestCpus = GuestCpus { exists, register };

fn exists(context: &Context, index: usize) -> bool {
    Guest::of(context).is_ok_and(|guest| guest.cpus().contains(&index))
}

fn register(context: &Context, cpu: Option<usize>, name: &str) -> Option<i64> {
    let guest = Guest::of(context).ok()?;
    let snapshot = guest.snapshot(guest.current(cpu).ok()?).ok()?;
    registers::named(&snapshot, name).map(u64::cast_signed)
}

hmp_command! {
    "cpu", "index:i", "index", "set the default CPU" =>
    fn cpu(monitor, arguments) {
        let index = arguments.int("index").and_then(|index| usize::try_from(index).ok());
        match index.filter(|&index| exists(monitor.context, index)) {
            Some(index) => monitor.state.cpu = Some(index),
            None => monitor.print(format_args!("invalid CPU index\n")),
        }
        Ok(())
    }
}

fn print(monitor: &mut Monitor<'_>, guest: &Guest, index: usize) -> Result<(), Error> {
    let text = registers::text(&guest.snapshot(index)?);
    monitor.print(format_args!("\nCPU#{index}\n{text}"));
    Ok(())
}

hmp_command! {
    info "registers", "cpustate_all:-a,vcpu:i?", "[-a|vcpu]",
    "show the cpu registers (-a: show register info for all cpus; vcpu: specific vCPU to query; show the current CPU's registers if no argument is specified)" =>
    fn info_registers(monitor, arguments) {
        let guest = Guest::of(monitor.context)?;
        if arguments.flag("cpustate_all") {
            return guest.cpus().into_iter().try_for_each(|index| print(monitor, &guest, index));
        }
        let index = match arguments.int("vcpu") {
            None => guest.current(monitor.state.cpu)?,
            Some(index) => match usize::try_from(index).ok().filter(|index| guest.cpus().contains(index)) {
                Some(index) => index,
                None => {
                    monitor.print(format_args!("CPU#{index} not available\n"));
                    return Ok(());
                }
            },
        };
        print(monitor, &guest, index)
    }
}
