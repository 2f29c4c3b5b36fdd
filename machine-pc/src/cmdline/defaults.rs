//! What is on the terminal when nobody says; see the [module above](super) for the rules.

use super::SerialSpec;
use super::build::Builder;
use super::error::{ErrorKind, Failure};
use crate::chardev::spec::{ChardevBackend, ChardevSpec, MonitorMode, MonitorSpec};

/// What was said about the terminal as a whole.
#[derive(Debug, Default)]
pub(super) struct Terminal {
    /// `-display none`.
    pub(super) display_none: bool,
    /// `-nographic`.
    pub(super) nographic: bool,
    /// `-parallel none`, which matters to `-nographic -daemonize`: QEMU refuses the pair unless everything
    /// that would be on the terminal is said to be elsewhere.
    pub(super) parallel_option: bool,
}

/// The first two character devices that both want standard input and output, by position; the second is at
/// fault.
#[must_use]
pub fn stdio_conflict(chardevs: &[ChardevSpec]) -> Option<(usize, usize)> {
    let mut users = (0..chardevs.len()).filter(|&index| is_stdio(&chardevs[index]));
    Some((users.next()?, users.next()?))
}

fn is_stdio(chardev: &ChardevSpec) -> bool {
    matches!(chardev.backend, ChardevBackend::Stdio { .. })
}

fn chardev(id: &str, backend: ChardevBackend, mux: bool) -> ChardevSpec {
    ChardevSpec { id: id.to_owned(), backend, mux, logfile: None }
}

/// The ID of COM1's own character device.
const CONSOLE: &str = "serial0";

impl Builder {
    /// COM1 is there and nobody said where it goes.
    fn default_console(&self) -> bool {
        !self.line.no_defaults && !self.monitors.serial_option && !self.devices.has_driver("isa-serial")
    }

    /// In the sense of `-nographic`: nobody said where a monitor goes.
    fn default_monitor(&self) -> bool {
        let said = self.monitors.monitor_option || self.monitors.qmp_option || self.monitors.muxed_serial;
        !self.line.no_defaults && !said
    }

    /// `-nographic` puts on the terminal what is not said to be elsewhere, and a daemon has none.
    pub(super) fn check_nographic(&self) -> Result<(), Failure> {
        let parallel = !self.line.no_defaults && !self.terminal.parallel_option;
        let anything = self.default_console() || self.default_monitor() || parallel;
        if self.terminal.nographic && self.line.daemonize && anything {
            return Err(Failure::nowhere(ErrorKind::NographicWithDaemonize));
        }
        Ok(())
    }

    /// Adds the default monitor and console.
    pub(super) fn add_defaults(&mut self) -> Result<(), Failure> {
        let line = &self.line;
        let console = self.default_console() && !line.chardevs.iter().any(|chardev| chardev.id == CONSOLE);
        if self.terminal.nographic {
            return self.add_nographic_defaults(console);
        }
        let quiet = line.no_defaults || self.terminal.display_none || line.daemonize;
        let stdio_taken = line.chardevs.iter().any(is_stdio);
        if !quiet && !stdio_taken && !self.monitors.monitor_option && !self.monitors.serial_option {
            self.add_stdio_monitor();
        }
        if console {
            self.add_console(quiet);
        }
        Ok(())
    }

    fn add_stdio_monitor(&mut self) {
        let mut id = self.monitors.next_monitor_name();
        // Somebody may have called a device of their own by that name.
        while self.line.chardevs.iter().any(|chardev| chardev.id == id) {
            id = self.monitors.next_monitor_name();
        }
        self.line.chardevs.push(chardev(&id, ChardevBackend::Stdio { signal: true }, false));
        self.line.monitors.push(MonitorSpec {
            id: Some(id.clone()),
            chardev: id,
            mode: MonitorMode::Readline,
        });
    }

    fn add_console(&mut self, quiet: bool) {
        let stdio =
            self.line.chardevs.iter().find(|chardev| is_stdio(chardev)).map(|chardev| chardev.id.clone());
        let has_human_monitor = |id: &String| {
            self.line
                .monitors
                .iter()
                .any(|monitor| monitor.chardev == *id && monitor.mode == MonitorMode::Readline)
        };
        let backend = match stdio {
            _ if quiet => ChardevBackend::Null,
            Some(id) if has_human_monitor(&id) => {
                self.line.serials.push(SerialSpec::OutputOf(id));
                return;
            }
            Some(_) => ChardevBackend::Null,
            None => ChardevBackend::Stdio { signal: true },
        };
        self.line.chardevs.push(chardev(CONSOLE, backend, false));
        self.line.serials.push(SerialSpec::Chardev(CONSOLE.to_owned()));
    }

    /// `-nographic`: what of serial port and monitor is not said otherwise shares standard input and output.
    fn add_nographic_defaults(&mut self, console: bool) -> Result<(), Failure> {
        let monitor = self.default_monitor();
        if console {
            let stdio = ChardevBackend::Stdio { signal: !monitor };
            let failed = |error| {
                Failure::nowhere(error).therefore(ErrorKind::SerialBackend {
                    text: if monitor { "mon:stdio" } else { "stdio" }.to_owned(),
                })
            };
            self.open(chardev(CONSOLE, stdio, monitor)).map_err(failed)?;
            self.line.serials.push(SerialSpec::Chardev(CONSOLE.to_owned()));
            if monitor {
                let chardev = CONSOLE.to_owned();
                self.line.monitors.push(MonitorSpec { id: None, chardev, mode: MonitorMode::Readline });
            }
        } else if monitor && !self.line.chardevs.iter().any(is_stdio) {
            self.add_stdio_monitor();
        }
        Ok(())
    }
}
