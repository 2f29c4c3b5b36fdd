//! The human monitor's topics about CPUs.

use qmp::hmp_command;

use super::cpus::{cpus, hotpluggable_cpus, model_name, pc};
use crate::inspect::Guest;

hmp_command! {
    info "hotpluggable-cpus", "", "", "Show information about hotpluggable CPUs" (allow_preconfig) =>
    fn info_hotpluggable_cpus(monitor, _arguments) {
        let machine = pc(monitor.context)?
            .ok_or_else(|| qmp::Error::generic("machine does not support hot-plugging CPUs"))?;
        monitor.print(format_args!("Hotpluggable CPUs:\n"));
        for cpu in hotpluggable_cpus(&machine) {
            monitor.print(format_args!("  type: \"{}\"\n  vcpus_count: \"{}\"\n", cpu.cpu_type, cpu.vcpus_count));
            if let Some(path) = cpu.qom_path {
                monitor.print(format_args!("  qom_path: \"{path}\"\n"));
            }
            if let Some(state) = cpu.state {
                monitor.print(format_args!("  x-vcpu-state: \"{state}\"\n"));
            }
            monitor.print(format_args!("  CPUInstance Properties:\n"));
            let props = cpu.props;
            for (name, id) in [
                ("node-id", props.node_id.map(u32::from)),
                ("socket-id", Some(props.socket_id)),
                ("die-id", props.die_id),
                ("module-id", props.module_id),
                ("core-id", Some(props.core_id)),
                ("thread-id", Some(props.thread_id)),
            ] {
                if let Some(id) = id {
                    monitor.print(format_args!("    {name}: \"{id}\"\n"));
                }
            }
        }
        Ok(())
    }
}

hmp_command! {
    info "cpus", "", "", "show infos for each CPU" =>
    fn info_cpus(monitor, _arguments) {
        let Some(machine) = pc(monitor.context)? else { return Ok(()) };
        let current = Guest::of(monitor.context)?.current(monitor.state.cpu)?;
        for cpu in cpus(&machine) {
            let mark = if cpu.cpu_index == current { '*' } else { ' ' };
            let model = model_name(&cpu.qom_type);
            monitor.print(format_args!("{mark} CPU #{}: thread_id={} model={model}\n", cpu.cpu_index, cpu.thread_id));
        }
        Ok(())
    }
}
