//! The state before the machine is built (`-preconfig`), and the way out of it.

use qmp::{Context, Empty, Error, command, hmp_command};

use crate::startup::PreparedMachine;

/// Builds the machine and starts it, or says why not.
type Build = Box<dyn FnOnce(&mut Context, PreparedMachine) -> Result<(), String>>;

/// A machine that waits to be built. The program provides it where `-preconfig` asks for it.
pub(crate) struct Preconfig {
    waiting: Option<(PreparedMachine, Build)>,
}

impl Preconfig {
    /// A machine, and what to do with it when a monitor says so. A failure is told to the client; that it ends the
    /// program is for `build` to see to.
    pub(crate) fn new(
        machine: PreparedMachine,
        build: impl FnOnce(&mut Context, PreparedMachine) -> Result<(), String> + 'static,
    ) -> Self {
        Self { waiting: Some((machine, Box::new(build))) }
    }

    /// The machine, while it waits.
    pub(super) fn machine(&mut self) -> Option<&mut PreparedMachine> {
        self.waiting.as_mut().map(|(machine, _)| machine)
    }
}

fn exit_preconfig(context: &mut Context) -> Result<(), Error> {
    let waiting = context.get_mut::<Preconfig>().and_then(|preconfig| preconfig.waiting.take());
    let (machine, build) = waiting
        .ok_or_else(|| Error::generic("The command is permitted only before machine initialization"))?;
    context.set_preconfig(false);
    build(context, machine).map_err(Error::generic)
}

command! {
    /// Leaves the state that `-preconfig` asks for: the machine is built, and started unless `-S` was given, which the event
    /// `RESUME` tells.
    ///
    /// Fails once the machine is built (`The command is permitted only before machine initialization`). If it cannot be built the
    /// client is told why, and the program ends.
    "x-exit-preconfig" (allow_preconfig) =>
    fn x_exit_preconfig(context: &mut Context, (): ()) -> Result<Empty, Error> {
        exit_preconfig(context)?;
        Ok(Empty)
    }
}

hmp_command! {
    "exit_preconfig", "", "", "exit the preconfig state" (allow_preconfig) =>
    fn hmp_exit_preconfig(monitor, _arguments) {
        exit_preconfig(monitor.context)
    }
}
