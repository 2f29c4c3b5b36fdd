//! What starting costs: CPU time, wall time and resident memory beside the reference and bare KVM vCPUs, in one run.
//!
//! `REFERENCE='qemu-system-x86_64' cargo bench -p tests --bench start`. `REFERENCE` is a command that becomes QEMU in
//! its own process (as `env` and `chroot` do); without it only the program and the bare vCPUs are measured. The parties
//! take turns, so that a machine whose speed drifts slows all of them; figures are medians.
//!
//! A *bare* party is this benchmark again, as a process that makes a VM with its interrupt controllers, 128 MiB of memory
//! and as many vCPUs, each with a CPUID table and on a thread, and nothing else.
//!
//! CPU time is what the kernel counts for the threads that there are (`/proc/PID/task/*/schedstat`, in nanoseconds)
//! when the answer to `qmp_capabilities` has come, so that taking a process down does not count.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

use kvm_bindings::{KVM_MAX_CPUID_ENTRIES, kvm_pit_config, kvm_userspace_memory_region};
use kvm_ioctls::Kvm;
use vm_memory::MmapRegion;

/// Makes this process a bare party; the number of vCPUs follows.
const BARE: &str = "--bare-vcpus";
/// The RAM of a machine of which nobody says how much it has, in bytes.
const RAM: usize = 128 << 20;

/// What makes `help` texts.
const HELPS: [&[&str]; 3] =
    [&["-accel", "tcg", "-cpu", "help"], &["-machine", "help"], &["-accel", "tcg", "-device", "help"]];
const HELP_RUNS: usize = 20;

/// A machine to start, and by whom.
struct Case {
    accel: &'static str,
    machine: &'static [&'static str],
    cpus: u32,
    runs: usize,
    /// The reference's threads and translation buffers would not fit the memory of an ordinary machine.
    without_reference: bool,
}

/// CPUs of the default model cannot have the APIC IDs that 4,096 need.
const LARGE: &[&str] = &["-M", "q35", "-cpu", "qemu64,+x2apic"];
const PC: &[&str] = &["-M", "pc"];

const CASES: [Case; 8] = [
    Case { accel: "tcg", machine: PC, cpus: 1, runs: 20, without_reference: false },
    Case { accel: "kvm", machine: PC, cpus: 1, runs: 20, without_reference: false },
    Case { accel: "tcg", machine: PC, cpus: 64, runs: 10, without_reference: false },
    Case { accel: "kvm", machine: PC, cpus: 64, runs: 10, without_reference: false },
    Case { accel: "tcg", machine: PC, cpus: 255, runs: 3, without_reference: false },
    Case { accel: "kvm", machine: PC, cpus: 255, runs: 9, without_reference: false },
    Case { accel: "qtest", machine: LARGE, cpus: 4096, runs: 3, without_reference: false },
    Case { accel: "tcg", machine: LARGE, cpus: 4096, runs: 5, without_reference: true },
];

/// What one run cost.
struct Cost {
    cpu: Duration,
    wall: Duration,
    /// `VmRSS` and `VmHWM` in KiB; 0 for a process that has ended.
    resident: u64,
    peak: u64,
}

/// A command line, and its costs so far.
struct Party {
    name: &'static str,
    command: Vec<String>,
    costs: Vec<Cost>,
}

impl Party {
    fn new(name: &'static str, program: &[String], arguments: &[&str]) -> Self {
        let arguments = arguments.iter().map(|&argument| argument.to_owned());
        Self { name, command: program.iter().cloned().chain(arguments).collect(), costs: Vec::new() }
    }

    fn spawn(&self) -> std::io::Result<Child> {
        let mut command = Command::new(&self.command[0]);
        command.args(&self.command[1..]).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        command.spawn()
    }

    /// Starts it and measures when `come` has read all that is to come; then ends it.
    fn run(&mut self, come: impl FnOnce(&mut Child) -> std::io::Result<bool>) {
        let start = Instant::now();
        let Ok(mut child) = self.spawn() else { return };
        let came = come(&mut child);
        let wall = start.elapsed();
        let cpu = cpu_time(child.id());
        let status = fs::read_to_string(format!("/proc/{}/status", child.id())).unwrap_or_default();
        let _ = child.kill();
        let _ = child.wait();
        if let (Ok(true), Some(cpu)) = (came, cpu) {
            let (resident, peak) = (kilobytes(&status, "VmRSS:"), kilobytes(&status, "VmHWM:"));
            self.costs.push(Cost { cpu, wall, resident, peak });
        }
    }

    fn median<T: Ord + Default>(&self, figure: impl Fn(&Cost) -> T) -> T {
        let mut figures: Vec<T> = self.costs.iter().map(figure).collect();
        figures.sort_unstable();
        let middle = figures.len() / 2;
        figures.into_iter().nth(middle).unwrap_or_default()
    }
}

/// The CPU time of all threads of a process, one that has ended and that nobody has waited for included.
fn cpu_time(pid: u32) -> Option<Duration> {
    let mut total = Duration::ZERO;
    for thread in fs::read_dir(format!("/proc/{pid}/task")).ok()? {
        // A thread may end meanwhile.
        let Ok(text) = fs::read_to_string(thread.ok()?.path().join("schedstat")) else { continue };
        total += Duration::from_nanos(text.split_whitespace().next()?.parse().ok()?);
    }
    Some(total)
}

fn kilobytes(status: &str, name: &str) -> u64 {
    let line = status.lines().find_map(|line| line.strip_prefix(name));
    line.and_then(|line| line.split_whitespace().next()?.parse().ok()).unwrap_or_default()
}

/// Two lines: the greeting, and the answer to a request that waits in the pipe.
fn greeting_and_answer(child: &mut Child) -> std::io::Result<bool> {
    let (Some(stdin), Some(stdout)) = (&mut child.stdin, &mut child.stdout) else { return Ok(false) };
    stdin.write_all(b"{\"execute\": \"qmp_capabilities\"}\n")?;
    let mut stdout = BufReader::new(stdout);
    let mut line = String::new();
    stdout.read_line(&mut line)?;
    line.clear();
    stdout.read_line(&mut line)?;
    Ok(line.starts_with("{\"return\""))
}

/// Everything up to the end of the process, which is some text.
fn whole_text(child: &mut Child) -> std::io::Result<bool> {
    let mut text = Vec::new();
    if let Some(stdout) = &mut child.stdout {
        stdout.read_to_end(&mut text)?;
    }
    Ok(!text.is_empty())
}

/// The figures of all parties, and each as a ratio to the first one's.
fn report(what: &str, parties: &[Party]) {
    println!("{what}:");
    let Some(first) = parties.first() else { return };
    let (cpu, wall) = (first.median(|cost| cost.cpu), first.median(|cost| cost.wall));
    for party in parties {
        if party.costs.is_empty() {
            println!("  {:<14} not measured", party.name);
            continue;
        }
        let own = (party.median(|cost| cost.cpu), party.median(|cost| cost.wall));
        print!(
            "  {:<14} CPU {:>9.2?} {:>7.2}x   wall {:>9.2?} {:>7.2}x",
            party.name,
            own.0,
            own.0.as_secs_f64() / cpu.as_secs_f64(),
            own.1,
            own.1.as_secs_f64() / wall.as_secs_f64(),
        );
        let (resident, peak) = (party.median(|cost| cost.resident), party.median(|cost| cost.peak));
        let memory = if resident == 0 {
            String::new()
        } else {
            format!("   resident {resident} KiB, at most {peak} KiB")
        };
        println!("{memory}");
    }
}

/// Everything that a machine of so many vCPUs costs whoever makes it. The threads wait as those of a stopped machine do.
fn bare_vcpus(count: u64) -> Result<(), Box<dyn std::error::Error>> {
    println!("{{\"QMP\": \"none\"}}");
    let kvm = Kvm::new()?;
    let cpuid = kvm.get_supported_cpuid(KVM_MAX_CPUID_ENTRIES)?;
    let vm = kvm.create_vm()?;
    vm.set_tss_address(0xfffb_d000)?;
    vm.create_irq_chip()?;
    vm.create_pit2(kvm_pit_config::default())?;
    let ram: MmapRegion = MmapRegion::new(RAM)?;
    let region = kvm_userspace_memory_region {
        memory_size: RAM as u64,
        userspace_addr: ram.as_ptr() as u64,
        ..Default::default()
    };
    // SAFETY: the address and the size are those of `ram`, which outlives the VM: the process ends in this function.
    unsafe { vm.set_user_memory_region(region) }?;
    for index in 0..count {
        let vcpu = vm.create_vcpu(index)?;
        vcpu.set_cpuid2(&cpuid)?;
        let wait = move || {
            let _vcpu = vcpu;
            loop {
                std::thread::park();
            }
        };
        std::thread::Builder::new().stack_size(256 << 10).spawn(wait)?;
    }
    println!("{{\"return\": {{}}}}");
    // Whoever measures ends this process.
    std::io::stdin().read_to_end(&mut Vec::new())?;
    Ok(())
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().collect();
    if let [_, bare, count] = &arguments[..]
        && bare == BARE
    {
        let outcome = count.parse().map_err(Into::into).and_then(bare_vcpus);
        return outcome.map_or_else(
            |error| {
                eprintln!("{error}");
                ExitCode::FAILURE
            },
            |()| ExitCode::SUCCESS,
        );
    }
    // Cargo passes `--bench`; with `--test` it only wants to know that this builds.
    if !arguments.iter().any(|argument| argument == "--test") {
        measure(&arguments[0]);
    }
    ExitCode::SUCCESS
}

fn measure(this: &str) {
    let mut programs = vec![("this program", vec![tests::binary().display().to_string()])];
    match std::env::var("REFERENCE") {
        Ok(reference) => {
            programs.push(("reference", reference.split_whitespace().map(str::to_owned).collect()));
        }
        Err(_) => println!("REFERENCE is not set: the reference is not measured"),
    }
    for help in HELPS {
        let party = |(name, program): &(&'static str, Vec<String>)| Party::new(name, program, help);
        let mut parties: Vec<_> = programs.iter().map(party).collect();
        for _ in 0..HELP_RUNS {
            parties.iter_mut().for_each(|party| party.run(whole_text));
        }
        report(&help.join(" "), &parties);
    }
    let kvm = tests::kvm_or_skip("starts under KVM");
    for case in CASES.iter().filter(|case| case.accel != "kvm" || kvm) {
        start(this, &programs, case);
    }
}

fn start(this: &str, programs: &[(&'static str, Vec<String>)], case: &Case) {
    let Case { accel, machine, cpus, runs, without_reference } = case;
    let count = cpus.to_string();
    let mut arguments = vec!["-accel", *accel, "-smp", &count];
    arguments.extend(*machine);
    let what = arguments.join(" ");
    arguments.extend(["-S", "-display", "none", "-nodefaults", "-qmp", "stdio"]);
    let programs = if *without_reference { &programs[..1] } else { programs };
    let mut parties: Vec<_> =
        programs.iter().map(|(name, program)| Party::new(name, program, &arguments)).collect();
    if *accel == "kvm" {
        parties.push(Party::new("bare vCPUs", &[this.to_owned()], &[BARE, &count]));
    }
    for _ in 0..*runs {
        parties.iter_mut().for_each(|party| party.run(greeting_and_answer));
    }
    report(&what, &parties);
}
