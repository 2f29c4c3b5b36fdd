//! Machine checks for the guest: `mce` of the human monitor, and the event that tells of them.

use qmp::hmp::Monitor;
use qmp::{Error, EventType, RunControl, ShutdownCause, hmp_command};
use serde::Serialize;

use crate::inspect::Guest;
use crate::kvm::{MachineCheck, MachineCheckOutcome, Vcpu};

/// Whom a failure of memory was told (QAPI `MemoryFailureRecipient`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, qmp::QapiType)]
#[serde(rename_all = "kebab-case")]
enum MemoryFailureRecipient {
    /// The guest's operating system.
    Guest,
}

/// What was done about a failure of memory (QAPI `MemoryFailureAction`), of what can be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, qmp::QapiType)]
#[serde(rename_all = "kebab-case")]
enum MemoryFailureAction {
    /// The guest got a machine check.
    Inject,
    /// The guest could not be told, and the machine is reset.
    Reset,
}

/// What a failure of memory was like (QAPI `MemoryFailureFlags`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, qmp::QapiType)]
#[serde(rename_all = "kebab-case")]
struct MemoryFailureFlags {
    /// Whether the guest has to act before it goes on.
    action_required: bool,
    /// Whether the guest was handling another one.
    recursive: bool,
}

/// A CPU of the guest was given a machine check, by `mce` of the human monitor (QAPI `MEMORY_FAILURE`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, qmp::QapiType)]
#[serde(rename_all = "kebab-case")]
struct MemoryFailure {
    /// Whom it was told: always `guest`.
    recipient: MemoryFailureRecipient,
    /// What was done.
    action: MemoryFailureAction,
    /// What it was like.
    flags: MemoryFailureFlags,
}

impl EventType for MemoryFailure {
    const NAME: &'static str = "MEMORY_FAILURE";
}
qmp::register_event!(MemoryFailure);

/// Whether a machine check of one CPU reaches the others: on Intel's processors from family 6, model 14 on, as the reference
/// reckons.
fn reaches_all(guest: &Guest, index: usize) -> bool {
    let Some(cpu) = guest.cpu(index) else { return false };
    let number = |name: &str| cpu.get(name).ok().and_then(|value| value.as_i64()).unwrap_or(0);
    let vendor = cpu.get("vendor").ok();
    let is_amd = vendor.is_some_and(|vendor| vendor.as_str() == Some("AuthenticAMD"));
    !is_amd && (number("family") > 6 || (number("family") == 6 && number("model") >= 14))
}

/// Gives a CPU a machine check, and tells of it; whether the machine has to be reset instead.
fn give(monitor: &mut Monitor<'_>, vcpu: &Vcpu, index: usize, check: MachineCheck) -> Result<bool, Error> {
    let (recursive, outcome) = vcpu.give_machine_check(check).map_err(Error::generic)?;
    let not_reported = "Uncorrected error reporting disabled";
    let (action, why) = match outcome {
        MachineCheckOutcome::Given => (MemoryFailureAction::Inject, ""),
        MachineCheckOutcome::NotReported => {
            monitor.print(format_args!("CPU {index}: {not_reported}\n"));
            return Ok(false);
        }
        MachineCheckOutcome::NotReportedByBank => {
            monitor.print(format_args!("CPU {index}: {not_reported} for bank {}\n", check.bank));
            return Ok(false);
        }
        MachineCheckOutcome::NotTaken => (MemoryFailureAction::Reset, "MCE capability is not enabled"),
        MachineCheckOutcome::StillInProgress => {
            (MemoryFailureAction::Reset, "Previous MCE still in progress")
        }
    };
    let action_required = check.status & MachineCheck::ACTION_REQUIRED != 0;
    let flags = MemoryFailureFlags { action_required, recursive };
    let told = MemoryFailure { recipient: MemoryFailureRecipient::Guest, action, flags };
    monitor.context.events().emit(&told);
    let has_failed = action == MemoryFailureAction::Reset;
    if has_failed {
        // Without an end of the line, as in the reference.
        monitor.print(format_args!("CPU {index}: {why}, raising triple fault"));
    }
    Ok(has_failed)
}

/// Gives a CPU its machine check, and then the others theirs; resets the machine if one of them could not take its own. That was told
/// already, so it is done whatever becomes of the others. `give` says whether a reset is needed.
///
/// # Errors
/// Of the first CPU: then nobody else is told. Else the first one of the others, which keeps none of them from theirs, or why there is
/// no reset.
fn give_each<S>(
    on: &mut S,
    first: usize,
    others: impl IntoIterator<Item = usize>,
    mut give: impl FnMut(&mut S, usize) -> Result<bool, Error>,
    reset: impl FnOnce(&mut S) -> Result<(), Error>,
) -> Result<(), Error> {
    let mut has_failed = give(on, first)?;
    let mut outcome = Ok(());
    for other in others {
        match give(on, other) {
            Ok(failed) => has_failed |= failed,
            Err(error) => outcome = outcome.and(Err(error)),
        }
    }
    if has_failed {
        let done = reset(on);
        outcome = outcome.and(done);
    }
    outcome
}

hmp_command! {
    "mce", "broadcast:-b,cpu_index:i,bank:i,status:l,mcg_status:l,addr:l,misc:l",
    "[-b] cpu bank status mcgstatus addr misc",
    "inject a MCE on the given CPU [and broadcast to other CPUs with -b option]" =>
    fn mce(monitor, arguments) {
        let guest = Guest::of(monitor.context)?;
        let number = |name: &str| arguments.int(name).unwrap_or_default();
        let cpus = guest.cpus();
        // The reference says nothing of a CPU that is not there.
        let index = usize::try_from(number("cpu_index")).ok().filter(|index| cpus.contains(index));
        let Some(index) = index else { return Ok(()) };
        if guest.kvm().is_err() {
            return Err(Error::generic("no guest code runs with this accelerator, so there is nothing to interrupt"));
        }
        let vcpu = guest.vcpu(index)?;
        let status = number("status").cast_unsigned();
        let Some(banks) = vcpu.machine_check_banks().map_err(Error::generic)? else {
            monitor.print(format_args!("MCE injection not supported\n"));
            return Ok(());
        };
        let bank = u8::try_from(number("bank")).ok().filter(|bank| *bank < banks);
        let Some(bank) = bank else {
            monitor.print(format_args!("Invalid MCE bank number\n"));
            return Ok(());
        };
        if status & MachineCheck::VALID == 0 {
            monitor.print(format_args!("Invalid MCE status code\n"));
            return Ok(());
        }
        let all = arguments.flag("broadcast");
        if all && !reaches_all(&guest, index) {
            monitor.print(format_args!("Guest CPU does not support MCA broadcast\n"));
            return Ok(());
        }
        let [mcg_status, address, misc] = ["mcg_status", "addr", "misc"].map(|name| number(name).cast_unsigned());
        let own = MachineCheck { bank, status, mcg_status, address, misc };
        // What the others are told: that there is one somewhere.
        let elsewhere = MachineCheck {
            bank: 1,
            status: MachineCheck::VALID | MachineCheck::UNCORRECTED,
            mcg_status: MachineCheck::IN_PROGRESS | MachineCheck::RESTART_VALID,
            address: 0,
            misc: 0,
        };
        let others = cpus.into_iter().filter(|other| all && *other != index);
        give_each(
            monitor,
            index,
            others,
            |monitor, cpu| {
                let check = if cpu == index { own } else { elsewhere };
                give(monitor, &*guest.vcpu(cpu)?, cpu, check)
            },
            |monitor| {
                monitor.context.require_mut::<Box<dyn RunControl>>()?.reset(ShutdownCause::GuestReset);
                Ok(())
            },
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What was done with CPUs of which some fail and some give an error, in order, and what came of it.
    fn done(cpus: &[Result<bool, &str>], reset: Result<(), &str>) -> (Vec<String>, Result<(), String>) {
        let mut steps = Vec::new();
        let outcome = give_each(
            &mut steps,
            0,
            1..cpus.len(),
            |steps, cpu| {
                steps.push(format!("CPU {cpu}"));
                cpus[cpu].map_err(Error::generic)
            },
            |steps| {
                steps.push("reset".to_owned());
                reset.map_err(Error::generic)
            },
        );
        (steps, outcome.map_err(|error| error.to_string()))
    }

    #[test]
    fn the_reset_that_one_cpu_needs_is_done_whatever_becomes_of_the_others() {
        let steps = |steps: &[&str]| steps.iter().map(|&step| step.to_owned()).collect::<Vec<_>>();
        let error = |text: &str| Err(text.to_owned());
        assert_eq!(done(&[Ok(false); 2], Ok(())), (steps(&["CPU 0", "CPU 1"]), Ok(())));
        assert_eq!(done(&[Ok(false), Ok(true)], Ok(())), (steps(&["CPU 0", "CPU 1", "reset"]), Ok(())));
        let all = steps(&["CPU 0", "CPU 1", "CPU 2", "reset"]);
        // An error behind the one that fails, or before it; the first of them is what the user is told.
        let (failed, ended, gone) = (Ok(true), Err("ended"), Err("gone"));
        assert_eq!(done(&[failed, ended, gone], Ok(())), (all.clone(), error("ended")));
        assert_eq!(done(&[Ok(false), ended, failed], Ok(())), (all.clone(), error("ended")));
        assert_eq!(done(&[failed, ended, Ok(false)], Err("no reset")), (all.clone(), error("ended")));
        assert_eq!(done(&[failed, Ok(false), failed], Err("no reset")), (all, error("no reset")));
        // Nothing to reset for, and nothing to tell the others.
        assert_eq!(done(&[Ok(false), ended], Ok(())), (steps(&["CPU 0", "CPU 1"]), error("ended")));
        assert_eq!(done(&[ended, failed], Ok(())), (steps(&["CPU 0"]), error("ended")));
    }
}
