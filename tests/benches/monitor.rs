//! What a client waits for, beside the reference and a bare socket, in one run.
//!
//! `REFERENCE='qemu-system-x86_64' cargo bench -p tests --bench monitor`. `REFERENCE` is a command that runs QEMU; without it (or where
//! it does not start) only the program and the bare socket are measured. The parties take turns, so that a machine whose speed
//! drifts slows all; figures are medians of rounds, and the least of them: where others use the machine too, that is the one to
//! quote. The bare socket is a thread that reads so many bytes as a request has and answers with the bytes of the program's reply.
//!
//! * *synchronous*: a request is sent when the reply to the one before has come;
//! * *pipelined*: all are sent by a thread of their own while replies are read. The bare thread then reads and writes as much at a time
//!   as there is;
//! * *the first after a CPU came*: between two requests something changes that the reply shows;
//! * *walk*: `qom-list` of every object from `/machine` on;
//! * *plug*: a thousand `device_add`, one after the other;
//! * *memory*: what a connected monitor adds to resident memory. If the reference sees another root directory (`chroot DIR`),
//!   `SHARED=DIR` says which.

use std::io::{BufRead, BufReader, BufWriter, Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

/// Why there is no measurement.
type Failure = Box<dyn std::error::Error>;

/// Rounds of each figure.
const ROUNDS: usize = 25;
/// CPUs that are plugged, and monitors that are connected, to measure one.
const PLUGGED: u32 = 1000;
const MONITORS: usize = 100;
/// CPUs that come while lists of them are timed.
const CHANGES: u32 = 100;

/// Where a CPU is on every machine here.
const CPU: &str = "/machine/unattached/device[0]";

/// The median and the least.
fn figures(mut samples: Vec<Duration>) -> [Duration; 2] {
    samples.sort_unstable();
    [samples.len() / 2, 0].map(|at| samples.get(at).copied().unwrap_or_default())
}

/// A program.
struct Party {
    name: &'static str,
    command: Vec<String>,
    /// The directory that it sees as the root; nothing for `/`.
    root: String,
}

/// A program that runs, with its monitor; or a bare socket.
struct Session {
    name: &'static str,
    child: Option<Child>,
    reader: BufReader<UnixStream>,
    writer: UnixStream,
}

impl Drop for Session {
    fn drop(&mut self) {
        if let Some(child) = &mut self.child {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

impl Party {
    fn start(&self, machine: &[&str]) -> Result<Session, Failure> {
        let (near, far) = UnixStream::pair()?;
        let child = Command::new(&self.command[0])
            .args(&self.command[1..])
            .args(["-display", "none", "-nodefaults", "-S", "-qmp", "stdio"])
            .args(machine)
            .stdin(Stdio::from(OwnedFd::from(far.try_clone()?)))
            .stdout(Stdio::from(OwnedFd::from(far)))
            .stderr(Stdio::null())
            .spawn()?;
        let writer = near.try_clone()?;
        let mut session =
            Session { name: self.name, child: Some(child), reader: BufReader::new(near), writer };
        let mut reply = Vec::new();
        session.reader.read_until(b'\n', &mut reply)?;
        session.ask("qmp_capabilities", &json!({}))?;
        Ok(session)
    }
}

impl Session {
    /// A reply's line, whole.
    fn line(&mut self, request: &[u8], reply: &mut Vec<u8>) -> Result<(), Failure> {
        reply.clear();
        self.writer.write_all(request)?;
        self.reader.read_until(b'\n', reply)?;
        if reply.is_empty() { Err("the program is gone".into()) } else { Ok(()) }
    }

    fn ask(&mut self, command: &str, arguments: &Value) -> Result<Value, Failure> {
        let mut reply = Vec::new();
        self.line(&request(command, arguments), &mut reply)?;
        loop {
            let mut message: Value = serde_json::from_slice(&reply)?;
            if let Some(answer) = message.get_mut("return") {
                return Ok(answer.take());
            }
            if let Some(error) = message.get("error") {
                return Err(format!("{}: {command}: {error}", self.name).into());
            }
            reply.clear();
            self.reader.read_until(b'\n', &mut reply)?;
        }
    }

    /// So many requests without waiting.
    fn pipelined(&mut self, request: &[u8], count: u32) -> Result<Duration, Failure> {
        let mut writer = self.writer.try_clone()?;
        let all = request.repeat(64);
        let (mut whole, rest) = (count / 64, count % 64);
        let length = request.len();
        let start = Instant::now();
        let sender = std::thread::spawn(move || {
            while whole > 0 && writer.write_all(&all).is_ok() {
                whole -= 1;
            }
            writer.write_all(&all[..length * rest as usize])
        });
        let mut reply = Vec::new();
        for _ in 0..count {
            reply.clear();
            self.reader.read_until(b'\n', &mut reply)?;
        }
        let elapsed = start.elapsed();
        sender.join().map_err(|_| "the sender panicked")??;
        Ok(elapsed / count)
    }

    /// Resident memory in bytes.
    fn resident(&self) -> Result<u64, Failure> {
        let pid = self.child.as_ref().map(Child::id).ok_or("no process")?;
        let status = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).ok_or("no VmRSS")?;
        Ok(line.trim().trim_end_matches(" kB").parse::<u64>()? * 1024)
    }
}

fn request(command: &str, arguments: &Value) -> Vec<u8> {
    let mut request = json!({"execute": command});
    if arguments.as_object().is_some_and(|arguments| !arguments.is_empty()) {
        request["arguments"] = arguments.clone();
    }
    request.to_string().into_bytes()
}

/// A thread that answers every request of that length with that reply.
fn bare(length: usize, reply: Vec<u8>) -> Result<Session, Failure> {
    let (near, far) = UnixStream::pair()?;
    let output = far.try_clone()?;
    std::thread::spawn(move || {
        let mut input = BufReader::with_capacity(1 << 16, far);
        let mut output = BufWriter::with_capacity(1 << 16, output);
        let mut request = vec![0; length];
        while input.read_exact(&mut request).is_ok() && output.write_all(&reply).is_ok() {
            // Only what would make it wait sends it on.
            if input.buffer().len() < length && output.flush().is_err() {
                break;
            }
        }
    });
    Ok(Session { name: "bare socket", child: None, reader: BufReader::new(near.try_clone()?), writer: near })
}

/// Figures, and each as a ratio to the first.
fn report(what: &str, figures: &[(&str, [Duration; 2])]) {
    println!("{what}:");
    let first = figures.first().map_or([Duration::ZERO; 2], |(_, figure)| *figure);
    for (name, [median, least]) in figures {
        let ratio = |of: &Duration, to: Duration| of.as_secs_f64() / to.as_secs_f64();
        let (medians, leasts) = (ratio(median, first[0]), ratio(least, first[1]));
        println!("  {name:<14} {median:>10.1?} {medians:>8.2}x   least {least:>10.1?} {leasts:>8.2}x");
    }
}

/// Times one request with all parties, and a bare socket.
fn round_trips(sessions: &mut [Session], what: &str, request: &[u8]) -> Result<(), Failure> {
    let mut reply = Vec::new();
    for session in sessions.iter_mut().rev() {
        session.line(request, &mut reply)?;
        if !reply.starts_with(b"{\"return\"") {
            return Err(format!("{}: {}", session.name, String::from_utf8_lossy(&reply)).into());
        }
    }
    let size = reply.len();
    let mut socket = bare(request.len(), reply.clone())?;
    let mut all: Vec<&mut Session> = std::iter::once(&mut socket).chain(sessions).collect();
    let (mut one, mut piped) = (vec![Vec::new(); all.len()], vec![Vec::new(); all.len()]);
    for _ in 0..ROUNDS {
        for (at, session) in all.iter_mut().enumerate() {
            // About as long for each party.
            let start = Instant::now();
            session.line(request, &mut reply)?;
            let times = (0.02 / start.elapsed().as_secs_f64()).clamp(2.0, 200.0) as u32;
            let start = Instant::now();
            for _ in 0..times {
                session.line(request, &mut reply)?;
            }
            one[at].push(start.elapsed() / times);
            piped[at].push(session.pipelined(request, times * 4)?);
        }
    }
    for (how, samples) in [("synchronous", one), ("pipelined", piped)] {
        let figures: Vec<_> =
            all.iter().map(|session| session.name).zip(samples.into_iter().map(figures)).collect();
        report(&format!("{what}, {how}, {size} bytes"), &figures);
    }
    Ok(())
}

/// Every object below `path`, and how many there are. The reply is not parsed, which would take longer than to make it; both programs
/// write a member's name before its type.
fn walk(session: &mut Session, path: &str) -> Result<u32, Failure> {
    let mut reply = Vec::new();
    session.line(&request("qom-list", &json!({"path": path})), &mut reply)?;
    let text = String::from_utf8(reply)?;
    let mut count = 1;
    for member in text.split("{\"name\": \"").skip(1) {
        if let Some((name, rest)) = member.split_once('"')
            && rest.starts_with(", \"type\": \"child<")
        {
            count += walk(session, &format!("{path}/{name}"))?;
        }
    }
    Ok(count)
}

fn walks(parties: &[Party], smp: &str) -> Result<(), Failure> {
    let mut all = Vec::new();
    for party in parties {
        let mut session = party.start(&["-M", "q35", "-accel", "qtest", "-smp", smp])?;
        let mut samples = Vec::new();
        let mut count = 0;
        for _ in 0..ROUNDS.min(5) {
            let start = Instant::now();
            count = walk(&mut session, "/machine")?;
            samples.push(start.elapsed());
        }
        let figure = figures(samples);
        println!("  {} walks {count} objects, {:.1?} each at least", party.name, figure[1] / count);
        all.push((party.name, figure));
    }
    report(&format!("walk of {smp} CPUs"), &all);
    Ok(())
}

/// A thousand CPUs, with the time that the last hundred took beside that of the first.
fn plugs(parties: &[Party]) -> Result<(), Failure> {
    let mut all = Vec::new();
    for party in parties {
        let machine = ["-M", "q35", "-accel", "qtest", "-cpu", "qemu64,x2apic=on", "-smp", "1,maxcpus=1024"];
        let mut session = party.start(&machine)?;
        let mut times = Vec::new();
        let start = Instant::now();
        for cpu in 1..=PLUGGED {
            let begin = Instant::now();
            session.ask(
                "device_add",
                &json!({
                    "driver": "qemu64-x86_64-cpu", "id": format!("c{cpu}"),
                    "socket-id": 0, "core-id": cpu, "thread-id": 0,
                }),
            )?;
            times.push(begin.elapsed());
        }
        all.push((party.name, [start.elapsed(); 2]));
        let [first, last] = [&times[..100], &times[900..]].map(|times| times.iter().sum::<Duration>());
        println!("  {}: the first hundred {first:.1?}, the last hundred {last:.1?}", party.name);
    }
    report("a thousand device_add", &all);
    Ok(())
}

/// What a monitor adds: resident memory with a hundred monitors more, each connected and asked something, less that without.
fn memory(parties: &[Party], directory: &Path) -> Result<(), Failure> {
    for party in parties {
        let none = ["-M", "none", "-accel", "qtest"];
        let alone = party.start(&none)?.resident()?;
        let path = |number: usize| directory.join(format!("{}-{number}", party.command.len()));
        let mut arguments: Vec<String> = none.map(str::to_owned).into();
        for number in 0..MONITORS {
            let path = path(number).display().to_string();
            let seen = path.strip_prefix(&party.root).ok_or("the directory is outside SHARED")?;
            arguments.extend(["-qmp".to_owned(), format!("unix:{seen},server=on,wait=off")]);
        }
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        let session = party.start(&arguments)?;
        let mut monitors = Vec::new();
        for number in 0..MONITORS {
            let near = UnixStream::connect(path(number))?;
            let writer = near.try_clone()?;
            let mut monitor = Session { name: party.name, child: None, reader: BufReader::new(near), writer };
            monitor.reader.read_until(b'\n', &mut Vec::new())?;
            monitor.ask("qmp_capabilities", &json!({}))?;
            monitor.ask("query-version", &json!({}))?;
            monitors.push(monitor);
        }
        let each = (session.resident()?.saturating_sub(alone)) / MONITORS as u64;
        println!("  {}: {alone} bytes with one monitor, {each} more for each other", party.name);
    }
    Ok(())
}

/// The time of `query-hotpluggable-cpus` by the number of CPUs.
fn hotpluggable(parties: &[Party]) -> Result<(), Failure> {
    for cpus in [8, 255, 4096] {
        let smp = format!("1,maxcpus={cpus},sockets={cpus}");
        let machine = ["-M", "q35", "-accel", "qtest", "-smp", &smp];
        let mut sessions = start_all(parties, &machine)?;
        let request = request("query-hotpluggable-cpus", &json!({}));
        round_trips(&mut sessions, &format!("query-hotpluggable-cpus at {cpus}"), &request)?;
    }
    Ok(())
}

/// The time of `query-hotpluggable-cpus` when a CPU has just come, so that no list from before can be given again.
fn hotpluggable_after_changes(parties: &[Party]) -> Result<(), Failure> {
    let mut sessions =
        start_all(parties, &["-M", "q35", "-accel", "qtest", "-smp", "1,maxcpus=255,sockets=255"])?;
    let request = request("query-hotpluggable-cpus", &json!({}));
    let mut samples = vec![Vec::new(); sessions.len()];
    let mut reply = Vec::new();
    for cpu in 1..=CHANGES {
        for (session, samples) in sessions.iter_mut().zip(&mut samples) {
            let place = json!({"driver": "qemu64-x86_64-cpu", "id": format!("c{cpu}"), "socket-id": cpu, "core-id": 0,
                               "thread-id": 0});
            session.ask("device_add", &place)?;
            let start = Instant::now();
            session.line(&request, &mut reply)?;
            samples.push(start.elapsed());
        }
    }
    let all: Vec<_> =
        sessions.iter().map(|session| session.name).zip(samples.into_iter().map(figures)).collect();
    report("query-hotpluggable-cpus at 255, the first after a CPU came", &all);
    Ok(())
}

fn start_all(parties: &[Party], machine: &[&str]) -> Result<Vec<Session>, Failure> {
    parties.iter().map(|party| party.start(machine)).collect()
}

fn measure(parties: &[Party], directory: &Path) -> Result<(), Failure> {
    let mut sessions = start_all(parties, &["-M", "pc", "-accel", "qtest"])?;
    for (what, command, arguments) in [
        ("query-version", "query-version", json!({})),
        ("query-status", "query-status", json!({})),
        ("qom-get of a CPU's property", "qom-get", json!({"path": CPU, "property": "family"})),
        ("qom-list of /machine", "qom-list", json!({"path": "/machine"})),
        (
            "device-list-properties of a CPU",
            "device-list-properties",
            json!({"typename": "qemu64-x86_64-cpu"}),
        ),
        ("query-qmp-schema", "query-qmp-schema", json!({})),
    ] {
        round_trips(&mut sessions, what, &request(command, &arguments))?;
    }
    drop(sessions);
    hotpluggable(parties)?;
    hotpluggable_after_changes(parties)?;
    for cpus in [1, 16, 255] {
        walks(parties, &cpus.to_string())?;
    }
    plugs(parties)?;
    memory(parties, directory)
}

fn main() -> Result<(), Failure> {
    // Cargo passes `--bench`; with `--test` it only wants to know that this builds.
    if std::env::args().any(|argument| argument == "--test") {
        return Ok(());
    }
    let own = tests::binary().display().to_string();
    let mut parties = vec![Party { name: "this program", command: vec![own], root: String::new() }];
    let root = std::env::var("SHARED").unwrap_or_default();
    let directory = if root.is_empty() { std::env::temp_dir() } else { Path::new(&root).join("tmp") };
    let directory = tempfile::TempDir::new_in(directory)?;
    match std::env::var("REFERENCE") {
        Ok(reference) => {
            let command = reference.split_whitespace().map(str::to_owned).collect();
            let party = Party { name: "reference", command, root };
            match party.start(&["-M", "none"]) {
                Ok(_) => parties.push(party),
                Err(error) => println!("SKIPPED: the reference does not start: {error}"),
            }
        }
        Err(_) => println!("SKIPPED: REFERENCE is not set, so the reference is not measured"),
    }
    measure(&parties, directory.path())
}
