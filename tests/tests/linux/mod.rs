//! The guest of `linux_guest.rs`: the program with a kernel, a shell on its console, and what the tests do with its CPUs.

mod reference;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tests::{Program, Qmp};

pub(crate) use reference::compare_with_reference;

/// How long the guest may take for anything, on a machine that is itself emulated.
const GUEST_PATIENCE: Duration = Duration::from_secs(60);

/// Where the guest's files are, or the reason that there is no test.
pub(crate) fn files_or_skip(test: &str) -> Option<PathBuf> {
    let files = std::env::var_os("LINUX_GUEST").map(PathBuf::from);
    if files.is_none() {
        eprintln!("SKIPPED {test}: tests/linux/run starts it");
    }
    files
}

/// A place in the topology of the tests' machine.
pub(crate) struct Place {
    pub(crate) socket: u32,
    pub(crate) core: u32,
    pub(crate) thread: u32,
}

/// Two sockets of two cores of two threads.
pub(crate) fn topology(apic_id: u32) -> Place {
    Place { socket: apic_id >> 2, core: apic_id >> 1 & 1, thread: apic_id & 1 }
}

/// A running guest.
pub(crate) struct Linux {
    pub(crate) program: Program,
    pub(crate) qmp: Qmp,
    commands: usize,
    boots: usize,
}

impl Linux {
    /// Boots the bzImage with a machine's own arguments and more for the kernel's command line. None where the files are
    /// missing, which is said aloud.
    pub(crate) fn start(machine: &str, arguments: &[&str], append: &str) -> Option<Self> {
        Self::start_kernel("vmlinuz", machine, arguments, append)
    }

    /// The same with one of the kernel's two forms.
    pub(crate) fn start_kernel(
        kernel: &str,
        machine: &str,
        arguments: &[&str],
        append: &str,
    ) -> Option<Self> {
        let test = std::thread::current().name().unwrap_or_default().to_owned();
        let files = files_or_skip(&test)?;
        let at = |name: &str| files.join(name).display().to_string();
        let append = format!("console=ttyS0 quiet panic=-1 mitigations=off {append}");
        let (kernel, initrd) = (at(kernel), at("initrd"));
        let boot = ["-kernel", &kernel, "-initrd", &initrd, "-append", &append];
        let common = ["-M", machine, "-accel", "kvm", "-nodefaults", "-m", "256"];
        let program = Program::start(&[&common[..], &boot, arguments].concat());
        let qmp = program.qmp();
        let mut this = Self { program, qmp, commands: 0, boots: 0 };
        this.wait_boot();
        Some(this)
    }

    fn wait_boot(&mut self) {
        self.boots += 1;
        let start = Instant::now();
        while self.program.console().matches("guest is up").count() < self.boots {
            assert!(start.elapsed() < GUEST_PATIENCE, "the guest does not boot:\n{}", self.program.console());
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Types a command, and does not wait for its end.
    pub(crate) fn send(&mut self, command: &str) {
        self.commands += 1;
        self.program.type_on_console(&format!("{} {command}\n", self.commands));
    }

    /// Runs a command in the guest: its exit status, and what it wrote, without the last newline.
    pub(crate) fn run(&mut self, command: &str) -> (i32, String) {
        self.send(command);
        let prefix = format!("{}> ", self.commands);
        let end = format!("{prefix}STATUS ");
        let start = Instant::now();
        loop {
            let console = self.program.console();
            let mut output = Vec::new();
            for line in console.lines().filter_map(|line| Some(&line[line.find(&prefix)?..])) {
                match line.trim_end().strip_prefix(&end) {
                    Some(status) if console.rfind('\n') > console.rfind(&end) => {
                        return (status.parse().expect("a status"), output.join("\n"));
                    }
                    _ => output.push(line[prefix.len()..].trim_end()),
                }
            }
            assert!(start.elapsed() < GUEST_PATIENCE, "{command} does not end:\n{console}");
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// Runs a command that must succeed; what it wrote.
    pub(crate) fn ok(&mut self, command: &str) -> String {
        let (status, output) = self.run(command);
        assert_eq!(status, 0, "{command}: {output}");
        output
    }

    /// Waits until a command writes this.
    pub(crate) fn wait(&mut self, command: &str, expected: &str) {
        let start = Instant::now();
        loop {
            let (_, output) = self.run(command);
            if output == expected {
                return;
            }
            assert!(start.elapsed() < GUEST_PATIENCE, "{command}: {output:?}, not {expected:?}");
        }
    }

    /// What `/proc/cpuinfo` says of an online CPU.
    pub(crate) fn cpuinfo(&mut self, cpu: u32) -> BTreeMap<String, String> {
        let text = self.ok(&format!("sed -n '/^processor.*: {cpu}$/,/^$/p' /proc/cpuinfo"));
        let pairs = text.lines().filter_map(|line| line.split_once(':'));
        pairs.map(|(name, value)| (name.trim().to_owned(), value.trim().to_owned())).collect()
    }

    /// The guest's number of a CPU: the kernel counts them as they come. The APIC ID is the address of its firmware node,
    /// which is there whether the CPU is online or not.
    pub(crate) fn cpu_of(&mut self, apic_id: u32) -> u32 {
        let name = format!("\\_SB_.CPUS.C{apic_id:03X}");
        let find = format!("cd /sys/devices/system/cpu; grep -lF '{name}' cpu*/firmware_node/path");
        let found = self.ok(&find);
        let number = found.strip_prefix("cpu").and_then(|rest| rest.strip_suffix("/firmware_node/path"));
        number.and_then(|number| number.parse().ok()).unwrap_or_else(|| panic!("{found:?} for {name}"))
    }

    fn id(apic_id: u32) -> String {
        format!("cpu-{apic_id}")
    }

    /// How often a line of the kernel's list of CPUs that are there has come.
    fn has(&mut self, apic_id: u32) -> bool {
        let name = format!("\\_SB_.CPUS.C{apic_id:03X}");
        self.run(&format!("cd /sys/devices/system/cpu; grep -qF '{name}' cpu*/firmware_node/path")).0 == 0
    }

    /// `device_add`, and waits until the kernel has the CPU.
    pub(crate) fn plug(&mut self, apic_id: u32) {
        let Place { socket, core, thread } = topology(apic_id);
        let slots = self.qmp.ok("query-hotpluggable-cpus", &json!({}));
        let place = json!({"socket-id": socket, "core-id": core, "thread-id": thread});
        let slot = slots.as_array().expect("a list").iter().find(|slot| {
            place.as_object().expect("an object").iter().all(|(name, id)| slot["props"][name] == *id)
        });
        let slot = slot.unwrap_or_else(|| panic!("no {place} in {slots}"));
        let mut arguments = slot["props"].clone();
        arguments["driver"] = slot["type"].clone();
        arguments["id"] = Value::from(Self::id(apic_id));
        let _ = self.qmp.ok("device_add", &arguments);
        let start = Instant::now();
        while !self.has(apic_id) {
            assert!(start.elapsed() < GUEST_PATIENCE, "the kernel does not find CPU {apic_id}");
        }
    }

    /// `device_del`, and waits until the guest has let the CPU go.
    pub(crate) fn unplug(&mut self, apic_id: u32) {
        let id = Self::id(apic_id);
        let _ = self.qmp.ok("device_del", &json!({"id": id}));
        loop {
            let event = self.qmp.event("DEVICE_DELETED");
            if event["data"]["device"] == id.as_str() {
                break;
            }
        }
        // The kernel asks for the eject before it has forgotten the CPU.
        let start = Instant::now();
        while self.has(apic_id) {
            assert!(start.elapsed() < GUEST_PATIENCE, "the kernel keeps CPU {apic_id}");
        }
    }

    /// The guest starts again, by its own wish.
    pub(crate) fn reboot(&mut self) {
        self.send("reboot -f");
        let event = self.qmp.event("RESET");
        assert_eq!(event["data"], json!({"guest": true, "reason": "guest-reset"}));
        self.wait_boot();
    }

    /// `system_powerdown` presses the button; the guest switches itself off, and the program ends.
    pub(crate) fn power_down(mut self) {
        let _ = self.qmp.ok("system_powerdown", &json!({}));
        let event = self.qmp.event("SHUTDOWN");
        assert_eq!(event["data"], json!({"guest": true, "reason": "guest-shutdown"}));
        assert_eq!(self.program.wait(), Some(0));
    }
}
