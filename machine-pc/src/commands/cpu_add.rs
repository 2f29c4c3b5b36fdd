//! `cpu-add`: the old way to plug a CPU by its slot number, as a wrapper over `device_add`.

use qmp::device::{AddDevice, Form};
use qmp::{Context, Empty, Error, command, hmp_command};
use serde::Deserialize;
use serde_json::{Map, Value};

use super::cpus::pc;

/// Plugs the CPU of a slot. The messages are those of the command's last version (QEMU 5.1).
fn cpu_add(context: &Context, id: i64) -> Result<(), Error> {
    let machine = pc(context)?.ok_or_else(|| Error::generic("Not supported"))?;
    let cpus = machine.possible_cpus().ok_or_else(|| Error::generic("Not supported"))?;
    if id < 0 {
        return Err(Error::generic(format_args!("Invalid CPU id: {id}")));
    }
    let slot = usize::try_from(id).ok().and_then(|slot| cpus.get(slot)).ok_or_else(|| {
        let last = cpus.len().saturating_sub(1);
        Error::generic(format_args!("Unable to add CPU: {id}, max allowed: {last}"))
    })?;
    if slot.cpu().is_some() {
        return Err(Error::generic(format_args!("Unable to add CPU: {id}, it already exists")));
    }
    let mut members = Map::new();
    members.insert("driver".into(), machine.cpu_type().into());
    if let Value::Object(props) = serde_json::to_value(slot.props()).map_err(Error::generic)? {
        members.extend(props);
    }
    qmp::device::add(context.qom(), members, AddDevice::hotplug(Form::Json))?;
    Ok(())
}

/// What `cpu-add` takes.
#[derive(Debug, Deserialize, qmp::QapiType)]
struct CpuAdd {
    /// The slot's number, 0 to maxcpus - 1.
    id: i64,
}

command! {
    /// Plugs the CPU of a slot. It is `device_add` with the machine's CPU type and the properties of that slot from
    /// `query-hotpluggable-cpus`, without an id; slots may be filled in any order.
    ///
    /// Fails if there is no such slot (`Unable to add CPU: ID, max allowed: LAST`), if there is a CPU in it (`Unable to add CPU:
    /// ID, it already exists`), if the machine has no CPUs (`Not supported`), and as `device_add` does. QEMU had this command until
    /// its version 5.1.
    "cpu-add" => fn cpu_add_command(context: &mut Context, arguments: CpuAdd) -> Result<Empty, Error> {
        cpu_add(context, arguments.id)?;
        Ok(Empty)
    }
}

hmp_command! {
    "cpu-add", "id:i", "id", "add cpu (a wrapper over device_add)" =>
    fn hmp_cpu_add(monitor, arguments) {
        cpu_add(monitor.context, arguments.int("id").unwrap_or(-1))
    }
}
