//! What a CPU costs that comes and goes while a guest runs, beside the reference and bare KVM vCPUs, in one run.
//!
//! `REFERENCE='qemu-system-x86_64' cargo bench -p tests --bench hotplug`. `REFERENCE` is a command that becomes QEMU in its own
//! process; if it sees another root directory (`chroot DIR`), `SHARED=DIR` says which. Both run the built-in guest, given to
//! both as a file with `-bios`, on a PC of 255 possible CPUs of which one is there. Every other is added, seen to come up, then
//! all are taken out again, in turns: a machine whose speed drifts slows both.
//!
//! * *reply*: `device_add` to its reply;
//! * *up*: `device_add` to the new CPU's first line on the serial port, which it writes as soon as it runs;
//! * *gone*: `device_del` to `DEVICE_DELETED`, with all that the guest does in between;
//! * *eject*: the guest's report that it is about to eject (`ACPI_DEVICE_OST` with status 84h) to `DEVICE_DELETED`.
//!
//! A *bare* vCPU is `KVM_CREATE_VCPU`, the mapping of its page and a thread, in a VM with interrupt controllers, timer and as much
//! memory, made by a thread that is asked over a socket, in the same turns: *made* is what it took by that thread's own clock,
//! *reply* is from asking to its answer, as with the programs.

use std::io::{BufRead, BufReader, Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{Duration, Instant};

use kvm_bindings::{kvm_pit_config, kvm_userspace_memory_region};
use kvm_ioctls::Kvm;
use machine_pc::guest::{BoardInfo, image};
use serde_json::{Value, json};
use vm_memory::MmapRegion;

/// CPUs that a PC can have.
const CPUS: u32 = 255;
/// RAM in bytes, of the programs' default and of the bare VM.
const RAM: usize = 128 << 20;
/// How often all CPUs come and go. The first round makes vCPUs, later ones find them parked, in both.
const ROUNDS: usize = 2;
const PATIENCE: Duration = Duration::from_secs(60);

/// Why there is no measurement.
type Failure = Box<dyn std::error::Error>;

/// A running program with its monitor and its guest's console.
struct Party {
    name: &'static str,
    child: Child,
    qmp: UnixStream,
    messages: Receiver<(Instant, Value)>,
    lines: Receiver<(Instant, String)>,
    figures: Vec<Figures>,
}

/// Of each CPU in the order of measuring.
#[derive(Default)]
struct Figures {
    reply: Vec<Duration>,
    up: Vec<Duration>,
    gone: Vec<Duration>,
    eject: Vec<Duration>,
}

impl Drop for Party {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Reads lines on a thread of its own, so that each is stamped when it comes.
fn stamped<T: Send + 'static>(
    stream: impl Read + Send + 'static,
    read: impl Fn(&str) -> Option<T> + Send + 'static,
) -> Receiver<(Instant, T)> {
    let (sender, receiver) = channel();
    std::thread::spawn(move || {
        let mut stream = BufReader::new(stream);
        let mut line = String::new();
        while stream.read_line(&mut line).is_ok_and(|count| count > 0) {
            let now = Instant::now();
            if let Some(value) = read(line.trim_end())
                && sender.send((now, value)).is_err()
            {
                break;
            }
            line.clear();
        }
    });
    receiver
}

impl Party {
    fn start(name: &'static str, command: &[String], root: &str, directory: &Path) -> Result<Self, Failure> {
        // As the party itself sees a path.
        let seen = |file: &str| {
            let path = directory.join(file).display().to_string();
            path.strip_prefix(root).map(str::to_owned).ok_or("the directory is outside SHARED")
        };
        let console = format!("console-{}", command.len());
        let (near, far) = UnixStream::pair()?;
        let child = Command::new(&command[0])
            .args(&command[1..])
            .args([
                "-M",
                "pc",
                "-accel",
                "kvm",
                "-cpu",
                "qemu64,pni=off",
                "-smp",
                &format!("1,maxcpus={CPUS}"),
            ])
            .args(["-display", "none", "-nodefaults", "-bios", &seen("guest.bin")?])
            .args(["-serial", &format!("unix:{},server=on,wait=on", seen(&console)?), "-qmp", "stdio"])
            .stdin(Stdio::from(OwnedFd::from(far.try_clone()?)))
            .stdout(Stdio::from(OwnedFd::from(far)))
            .stderr(Stdio::null())
            .spawn()?;
        let start = Instant::now();
        let console = loop {
            match UnixStream::connect(directory.join(&console)) {
                Ok(stream) => break stream,
                Err(error) if start.elapsed() > PATIENCE => return Err(error.into()),
                Err(_) => std::thread::sleep(Duration::from_millis(5)),
            }
        };
        let messages = stamped(near.try_clone()?, |line| serde_json::from_str(line).ok());
        let lines = stamped(console, |line| Some(line.to_owned()));
        let mut party = Self { name, child, qmp: near, messages, lines, figures: Vec::new() };
        party.message(|message| message.get("QMP").is_some())?;
        party.ask("qmp_capabilities", &json!({}))?;
        party.line("cpu 0: up")?;
        Ok(party)
    }

    /// The next message that is meant, and when it came.
    fn message(&self, is: impl Fn(&Value) -> bool) -> Result<Instant, Failure> {
        loop {
            let (at, message) = self.messages.recv_timeout(PATIENCE)?;
            if let Some(error) = message.get("error") {
                return Err(error.to_string().into());
            }
            if is(&message) {
                return Ok(at);
            }
        }
    }

    fn line(&self, text: &str) -> Result<Instant, Failure> {
        loop {
            let (at, line) = self.lines.recv_timeout(PATIENCE)?;
            if line.contains(text) {
                return Ok(at);
            }
        }
    }

    /// Sends a command; when it was sent, and when its reply came.
    fn ask(&mut self, command: &str, arguments: &Value) -> Result<(Instant, Instant), Failure> {
        let request = json!({"execute": command, "arguments": arguments}).to_string();
        let start = Instant::now();
        self.qmp.write_all(request.as_bytes())?;
        Ok((start, self.message(|message| message.get("return").is_some())?))
    }

    fn add(&mut self, cpu: u32) -> Result<(), Failure> {
        let arguments = json!({
            "driver": "qemu64-x86_64-cpu", "id": format!("c{cpu}"), "socket-id": 0, "core-id": cpu, "thread-id": 0,
        });
        let (start, reply) = self.ask("device_add", &arguments)?;
        let up = self.line(&format!("cpu {cpu}: up"))?;
        // The guest's report is its last word about the CPU.
        self.message(|message| message["data"]["info"]["source"] == 1)?;
        if let Some(figures) = self.figures.last_mut() {
            figures.reply.push(reply - start);
            figures.up.push(up - start);
        }
        Ok(())
    }

    fn delete(&mut self, cpu: u32) -> Result<(), Failure> {
        let id = format!("c{cpu}");
        let request = json!({"execute": "device_del", "arguments": {"id": id}}).to_string();
        let start = Instant::now();
        self.qmp.write_all(request.as_bytes())?;
        let about_to = self.message(|message| message["data"]["info"]["status"] == 0x84)?;
        let gone =
            self.message(|message| message["event"] == "DEVICE_DELETED" && message["data"]["device"] == id)?;
        self.message(|message| message["data"]["info"]["source"] == 3)?;
        self.line(&format!("cpu {cpu}: gone"))?;
        if let Some(figures) = self.figures.last_mut() {
            figures.gone.push(gone - start);
            figures.eject.push(gone - about_to);
        }
        Ok(())
    }
}

/// Makes vCPUs where nothing else is done, one for each byte that it is sent, and answers each with a byte. A thread of this
/// process: to be asked over a socket and to wake up costs it what it costs the programs.
struct Bare {
    asked: UnixStream,
    /// What each vCPU took, by the thread's own clock: without being asked and answering.
    made: Receiver<Duration>,
    /// From asking to the answer.
    replies: Vec<Duration>,
}

impl Bare {
    fn start() -> Result<Self, Failure> {
        let (asked, theirs) = UnixStream::pair()?;
        let (sender, made) = channel();
        std::thread::spawn(move || {
            if let Err(error) = bare_vcpus(theirs, &sender) {
                println!("bare vCPUs: {error}");
            }
        });
        let mut bare = Self { asked, made, replies: Vec::new() };
        // The first is the boot CPU, as in the programs.
        bare.add()?;
        bare.replies.clear();
        let _ = bare.made.recv()?;
        Ok(bare)
    }

    fn add(&mut self) -> Result<(), Failure> {
        let start = Instant::now();
        self.asked.write_all(&[1])?;
        self.asked.read_exact(&mut [0])?;
        self.replies.push(start.elapsed());
        Ok(())
    }
}

fn bare_vcpus(mut asked: UnixStream, made: &Sender<Duration>) -> Result<(), Failure> {
    let kvm = Kvm::new()?;
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
    // SAFETY: the address and the size are those of `ram`, which lives longer than the VM.
    unsafe { vm.set_user_memory_region(region) }?;
    let mut threads = Vec::new();
    while asked.read_exact(&mut [0]).is_ok() {
        let start = Instant::now();
        let vcpu = vm.create_vcpu(threads.len() as u64)?;
        let (end, ends) = channel::<()>();
        let body = move || {
            let _vcpu = vcpu;
            let _ = ends.recv();
        };
        let thread = std::thread::Builder::new().stack_size(256 << 10).spawn(body)?;
        let _ = made.send(start.elapsed());
        asked.write_all(&[1])?;
        threads.push((end, thread));
    }
    for (end, thread) in threads {
        drop(end);
        let _ = thread.join();
    }
    Ok(())
}

fn median(samples: &[Duration]) -> Duration {
    let mut sorted = samples.to_vec();
    sorted.sort_unstable();
    sorted.get(sorted.len() / 2).copied().unwrap_or_default()
}

/// The median of all, of the first and of the last 32.
fn print(name: &str, what: &str, samples: &[Duration]) {
    let tail = samples.len().saturating_sub(32);
    let (all, first, last) =
        (median(samples), median(&samples[..samples.len().min(32)]), median(&samples[tail..]));
    println!("  {name:<14} {what:<6} {all:>10.1?}   first 32 {first:>10.1?}   last 32 {last:>10.1?}");
}

fn measure() -> Result<(), Failure> {
    let root = std::env::var("SHARED").unwrap_or_default();
    let directory = tempfile::TempDir::new_in(if root.is_empty() {
        std::env::temp_dir()
    } else {
        PathBuf::from(format!("{root}/tmp"))
    })?;
    std::fs::write(directory.path().join("guest.bin"), image(BoardInfo::I440FX, RAM as u64, CPUS)?)?;
    let own = vec![tests::binary().display().to_string()];
    let mut parties = vec![Party::start("this program", &own, "", directory.path())?];
    match std::env::var("REFERENCE") {
        Ok(reference) => {
            let command: Vec<String> = reference.split_whitespace().map(str::to_owned).collect();
            parties.push(Party::start("reference", &command, &root, directory.path())?);
        }
        Err(_) => println!("REFERENCE is not set: the reference is not measured"),
    }
    let mut bare = Bare::start()?;
    let mut ended = Vec::new();
    for round in 0..ROUNDS {
        for party in &mut parties {
            party.figures.push(Figures::default());
        }
        for (act, adds) in [(Party::add as fn(&mut Party, u32) -> _, true), (Party::delete, false)] {
            for cpu in 1..CPUS {
                if round == 0 && adds {
                    bare.add()?;
                }
                parties.retain_mut(|party| {
                    let outcome = act(party, cpu);
                    if let Err(error) = &outcome {
                        println!("{} in round {}: {error}", party.name, round + 1);
                        ended.push((party.name, std::mem::take(&mut party.figures)));
                    }
                    outcome.is_ok()
                });
            }
        }
    }
    let parties = parties.iter_mut().map(|party| (party.name, std::mem::take(&mut party.figures)));
    let mut parties: Vec<_> = parties.chain(ended).collect();
    parties
        .iter_mut()
        .for_each(|(_, figures)| figures.retain(|round| round.eject.len() == CPUS as usize - 1));
    let made: Vec<Duration> = bare.made.try_iter().collect();
    for round in 0..ROUNDS {
        println!("round {} ({}):", round + 1, if round == 0 { "new vCPUs" } else { "parked vCPUs" });
        if round == 0 {
            print("bare vCPU", "made", &made);
            print("bare vCPU", "reply", &bare.replies);
        }
        let measured: Vec<_> =
            parties.iter().filter_map(|(name, figures)| Some((name, figures.get(round)?))).collect();
        for (name, Figures { reply, up, gone, eject }) in &measured {
            for (what, samples) in [("reply", reply), ("up", up), ("gone", gone), ("eject", eject)] {
                print(name, what, samples);
            }
        }
        if let [(_, own), (_, reference)] = &measured[..] {
            let ratio = |of: fn(&Figures) -> &Vec<Duration>| {
                let [own, theirs] = [own, reference].map(|figures| median(of(figures)).as_secs_f64());
                theirs / own
            };
            println!(
                "  the reference's to ours: reply {:.1}, up {:.1}, gone {:.1}, eject {:.1}",
                ratio(|f| &f.reply),
                ratio(|f| &f.up),
                ratio(|f| &f.gone),
                ratio(|f| &f.eject)
            );
        }
        if let (0, Some((_, own))) = (round, measured.first()) {
            let ratio = |bare: &[Duration]| median(&own.reply).as_secs_f64() / median(bare).as_secs_f64();
            println!(
                "  our reply to a bare vCPU: made {:.2}, reply {:.2}",
                ratio(&made),
                ratio(&bare.replies)
            );
        }
    }
    Ok(())
}

fn main() {
    // Cargo passes `--bench`; with `--test` it only wants to know that this builds.
    if std::env::args().any(|argument| argument == "--test")
        || !tests::kvm_or_skip("the benchmark of hotplug")
    {
        return;
    }
    if let Err(error) = measure() {
        eprintln!("not measured: {error}");
        std::process::exit(1);
    }
}
