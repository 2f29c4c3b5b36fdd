//! The guest's interrupt controllers, and the interrupt that a user can give it: QMP and the human monitor.

use qmp::{Context, Empty, Error, command, hmp_command};

use super::numa::HumanReadableText;
use crate::inspect::{Guest, irqchip, lapic};

/// The I/O APIC and both 8259s.
fn controllers(context: &Context) -> Result<String, Error> {
    let guest = Guest::of(context)?;
    let vm = guest.kvm()?;
    let failed = |error: crate::kvm::KvmError| Error::generic(error);
    let mut text = irqchip::io_apic_text(&vm.io_apic().map_err(failed)?);
    for number in [1, 0] {
        text.push_str(&irqchip::pic_text(number, &vm.pic(number == 0).map_err(failed)?));
    }
    Ok(text)
}

command! {
    /// Returns the state of the I/O APIC and of both 8259s, for a person to read.
    ///
    /// Fails on a machine without CPUs (`No CPU available`), and where no guest code runs, under any accelerator but KVM.
    "x-query-interrupt-controllers" =>
    fn x_query_interrupt_controllers(context: &mut Context, (): ()) -> Result<HumanReadableText, Error> {
        Ok(HumanReadableText { human_readable_text: controllers(context)? })
    }
}

hmp_command! {
    info "pic", "", "", "show PIC state" =>
    fn info_pic(monitor, _arguments) {
        let text = controllers(monitor.context)?;
        monitor.print(format_args!("{text}"));
        Ok(())
    }
}

/// KVM counts no interrupts of its controllers.
fn statistics(context: &Context) -> Result<String, Error> {
    Guest::of(context)?.kvm()?;
    Ok("IRQ statistics for kvm-ioapic:\nIRQ statistics for kvm-i8259:\n".to_owned())
}

command! {
    /// Returns how often each interrupt came, for a person to read: the controllers are named without figures, as KVM counts
    /// nothing.
    ///
    /// Fails on a machine without CPUs (`No CPU available`), and where no guest code runs, under any accelerator but KVM.
    "x-query-irq" => fn x_query_irq(context: &mut Context, (): ()) -> Result<HumanReadableText, Error> {
        Ok(HumanReadableText { human_readable_text: statistics(context)? })
    }
}

hmp_command! {
    info "irq", "", "", "show the interrupts statistics (if available)" =>
    fn info_irq(monitor, _arguments) {
        let text = statistics(monitor.context)?;
        monitor.print(format_args!("{text}"));
        Ok(())
    }
}

hmp_command! {
    info "lapic", "apic-id:i?", "[apic-id]",
    "show local apic state (apic-id: local apic to read, default is which of current CPU)" =>
    fn info_lapic(monitor, arguments) {
        let guest = Guest::of(monitor.context)?;
        let index = match arguments.int("apic-id") {
            None => Some(guest.current(monitor.state.cpu)?),
            Some(id) => u32::try_from(id).ok().and_then(|id| guest.with_apic_id(id)),
        };
        let Some(index) = index else {
            monitor.print(format_args!("No CPU available\n"));
            return Ok(());
        };
        let state = guest.vcpu(index)?.local_apic().map_err(Error::generic)?;
        let x2apic = guest.cpu(index).and_then(|cpu| cpu.get("x2apic").ok());
        let text = lapic::text(&state, index, x2apic == Some(true.into()));
        monitor.print(format_args!("{text}"));
        Ok(())
    }
}

/// Gives an NMI to every CPU whose LINT1 is set up for one, as the board's NMI line reaches them.
fn nmi(context: &Context) -> Result<(), Error> {
    let guest = Guest::of(context).map_err(|_| Error::generic("machine does not provide NMIs"))?;
    guest.kvm().map_err(|_| Error::generic("machine does not provide NMIs"))?;
    for index in guest.cpus() {
        let vcpu = guest.vcpu(index)?;
        if lapic::takes_nmi(&vcpu.local_apic().map_err(Error::generic)?) {
            vcpu.inject_nmi().map_err(Error::generic)?;
        }
    }
    Ok(())
}

command! {
    /// Gives the guest a non-maskable interrupt: to every CPU whose local APIC takes one from the board (LINT1).
    ///
    /// Fails where no guest code runs: on a machine without CPUs, and with any accelerator but KVM (`machine does not provide
    /// NMIs`).
    "inject-nmi" => fn inject_nmi(context: &mut Context, (): ()) -> Result<Empty, Error> {
        nmi(context)?;
        Ok(Empty)
    }
}

hmp_command! {
    "nmi", "", "", "inject an NMI" =>
    fn hmp_nmi(monitor, _arguments) {
        nmi(monitor.context)
    }
}
