//! Debian's libvirt in a house of its own (`tests/libvirt/house`), and domains whose emulator is the program.

use std::io::Write;
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;
use tests::{PATIENCE, binary};

const PROGRAMS: [&str; 5] = ["unshare", "virtlogd", "libvirtd", "virsh", "timeout"];

/// The daemons; they end when it is dropped.
pub(crate) struct House {
    directory: TempDir,
    process: Child,
    words: Option<ChildStdin>,
}

fn wait_until(what: &str, mut done: impl FnMut() -> bool) {
    let start = Instant::now();
    while !done() {
        assert!(start.elapsed() < PATIENCE, "{what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Why there can be no house here.
fn missing() -> Option<String> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    // Where Debian keeps daemons is not in everybody's.
    let places: Vec<_> = std::env::split_paths(&path).chain(["/usr/sbin".into(), "/sbin".into()]).collect();
    let found = |program: &&str| places.iter().any(|place| place.join(program).is_file());
    if let Some(program) = PROGRAMS.iter().find(|program| !found(program)) {
        return Some(format!("there is no {program}"));
    }
    let mut unshare = Command::new("unshare");
    unshare.args(["--mount", "--propagation", "private", "--pid", "--fork", "--mount-proc", "true"]);
    match unshare.stderr(Stdio::null()).status() {
        Ok(status) if status.success() => None,
        _ => Some("this user cannot make namespaces".to_owned()),
    }
}

impl House {
    /// None where it cannot be, which is said aloud.
    pub(crate) fn open_or_skip(test: &str) -> Option<Self> {
        if let Some(reason) = missing() {
            eprintln!("SKIPPED {test}: {reason}");
            return None;
        }
        let directory = tempfile::tempdir().expect("a directory");
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("libvirt/house");
        let log = std::fs::File::create(directory.path().join("house.log")).expect("a file");
        let mut process = Command::new("unshare")
            .args(["--mount", "--propagation", "private", "--pid", "--fork", "--mount-proc", "--kill-child"])
            .arg(script)
            .arg(directory.path())
            .env("PATH", format!("{}:/usr/sbin:/sbin", std::env::var("PATH").unwrap_or_default()))
            .stdin(Stdio::piped())
            .stdout(log.try_clone().expect("a descriptor"))
            .stderr(log)
            .spawn()
            .expect("unshare starts");
        let words = process.stdin.take();
        let mut house = Self { directory, process, words };
        house.wait_for("ready");
        house.say("virtlogd");
        house.start_libvirtd();
        Some(house)
    }

    fn path(&self, name: &str) -> std::path::PathBuf {
        self.directory.path().join(name)
    }

    fn wait_for(&mut self, file: &str) {
        let path = self.path(file);
        let log = self.path("house.log");
        let process = &mut self.process;
        wait_until(&format!("no {file}"), || {
            if let Ok(Some(status)) = process.try_wait() {
                panic!("the house fell ({status}): {}", std::fs::read_to_string(&log).unwrap_or_default());
            }
            path.exists()
        });
    }

    fn say(&mut self, word: &str) {
        let words = self.words.as_mut().expect("it listens as long as it stands");
        writeln!(words, "{word}").expect("it listens");
    }

    fn start_libvirtd(&mut self) {
        self.say("libvirtd");
        let start = Instant::now();
        while let Err(error) = self.virsh(&["list"]) {
            if start.elapsed() > PATIENCE {
                let log = std::fs::read_to_string(self.path("libvirtd.log")).unwrap_or_default();
                panic!("no libvirtd: {error}\n{log}");
            }
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// Ends libvirtd and starts it again. Domains go on.
    pub(crate) fn restart_libvirtd(&mut self) {
        self.say("no-libvirtd");
        self.wait_for("no-libvirtd");
        self.start_libvirtd();
    }

    /// Runs virsh; what it printed, or else that and what it complained of. One that does not end in time is ended.
    pub(crate) fn virsh(&self, arguments: &[&str]) -> Result<String, String> {
        let socket = format!("qemu+unix:///system?socket={}", self.path("libvirt-sock").display());
        let patience = PATIENCE.as_secs().to_string();
        let output = Command::new("timeout")
            .args(["--kill-after=5", &patience, "virsh", "--connect", &socket])
            .args(arguments)
            .env("HOME", self.directory.path())
            .env("LC_ALL", "C")
            .stdin(Stdio::null())
            .output()
            .expect("virsh starts");
        let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).trim().to_owned();
        // What `timeout` and a signal end with.
        if matches!(output.status.code(), Some(124 | 137) | None) {
            return Err(format!("virsh {arguments:?} does not end"));
        }
        let (said, complained) = (text(output.stdout), text(output.stderr));
        if output.status.success() {
            Ok(said)
        } else {
            Err(format!("{complained}\n{said}").trim().to_owned())
        }
    }

    /// The same for what must succeed.
    pub(crate) fn ok(&self, arguments: &[&str]) -> String {
        self.virsh(arguments)
            .unwrap_or_else(|error| panic!("virsh {arguments:?}: {error}\n{}", self.log(arguments)))
    }

    /// What a domain's program has said, if one of the words is a domain's name.
    fn log(&self, words: &[&str]) -> String {
        let log = |name: &&str| {
            std::fs::read_to_string(self.path(&format!("root/var/log/libvirt/qemu/{name}.log"))).ok()
        };
        words.iter().find_map(log).unwrap_or_default()
    }

    /// The command line that libvirt gave to a domain's program, an option a line.
    pub(crate) fn command_line(&self, domain: &str) -> Vec<String> {
        let log = self.log(&[domain]);
        let lines = log.lines().map(|line| line.trim_end_matches(" \\").to_owned());
        lines.filter(|line| line.starts_with('-')).collect()
    }

    /// Runs a QMP command in a domain; what it returns.
    pub(crate) fn qmp(&self, domain: &str, command: &Value) -> Value {
        let reply = self.ok(&["qemu-monitor-command", domain, &command.to_string()]);
        let mut reply: Value = serde_json::from_str(&reply).expect("JSON");
        reply["return"].take()
    }

    /// Writes a domain's description to a file and returns its path.
    pub(crate) fn describe(&self, domain: &Domain<'_>) -> String {
        let path = self.path(&format!("{}.xml", domain.name));
        std::fs::write(&path, domain.xml()).expect("a file");
        path.display().to_string()
    }

    /// Starts a domain that is forgotten when it ends.
    pub(crate) fn create(&self, domain: &Domain<'_>) {
        let xml = self.describe(domain);
        if let Err(error) = self.virsh(&["create", &xml]) {
            panic!("{}: {error}\n{}", domain.xml(), self.log(&[domain.name]));
        }
    }

    /// Waits until a domain is in a state, with the reason in parentheses.
    pub(crate) fn wait_for_state(&self, domain: &str, state: &str) {
        let mut last = String::new();
        wait_until(&format!("{domain} does not get {state}"), || {
            last = self.virsh(&["domstate", domain, "--reason"]).unwrap_or_else(|error| error);
            last == state
        });
    }

    /// The numbers of a domain's CPUs that are there now, as libvirt counts them.
    pub(crate) fn cpu_count(&self, domain: &str) -> String {
        self.ok(&["vcpucount", domain, "--current", "--live"])
    }

    /// Waits until a domain has so many CPUs.
    pub(crate) fn wait_for_cpus(&self, domain: &str, count: &str) {
        wait_until(&format!("{domain} does not get {count} CPUs"), || self.cpu_count(domain) == count);
    }

    /// A file of the house.
    pub(crate) fn file(&self, name: &str) -> String {
        self.path(name).display().to_string()
    }
}

impl Drop for House {
    fn drop(&mut self) {
        // The end of its input is the end of it, and of all that lives there.
        drop(self.words.take());
        let start = Instant::now();
        while !matches!(self.process.try_wait(), Ok(Some(_))) {
            if start.elapsed() > Duration::from_secs(5) {
                let _ = self.process.kill();
                let _ = self.process.wait();
                return;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

/// A headless domain.
pub(crate) struct Domain<'a> {
    pub(crate) name: &'a str,
    /// `kvm`, or `qemu` for TCG.
    pub(crate) kind: &'a str,
    pub(crate) machine: &'a str,
    /// How many CPUs there are and can be.
    pub(crate) cpus: (u32, u32),
    /// The element `cpu`, or nothing for libvirt's own choice.
    pub(crate) cpu: &'a str,
    /// More elements of the domain.
    pub(crate) more: &'a str,
    /// More elements of its devices.
    pub(crate) devices: &'a str,
    /// Arguments that libvirt passes on.
    pub(crate) arguments: &'a [&'a str],
}

impl Default for Domain<'_> {
    fn default() -> Self {
        Self {
            name: "domain",
            kind: "qemu",
            machine: "q35",
            cpus: (1, 4),
            cpu: "",
            more: "",
            devices: "",
            arguments: &[],
        }
    }
}

impl Domain<'_> {
    fn xml(&self) -> String {
        let Self { name, kind, machine, cpus: (now, most), cpu, more, devices, arguments } = self;
        let arguments: String = arguments.iter().map(|word| format!("<qemu:arg value='{word}'/>")).collect();
        format!(
            "<domain type='{kind}' xmlns:qemu='http://libvirt.org/schemas/domain/qemu/1.0'>\
             <name>{name}</name><memory unit='MiB'>64</memory>\
             <vcpu placement='static' current='{now}'>{most}</vcpu>\
             <os><type arch='x86_64' machine='{machine}'>hvm</type></os><features><acpi/></features>{cpu}{more}\
             <devices><emulator>{}</emulator><controller type='usb' model='none'/><memballoon model='none'/>{devices}\
             </devices><qemu:commandline>{arguments}</qemu:commandline></domain>",
            binary().display()
        )
    }
}
