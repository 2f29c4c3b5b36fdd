//! Start to greeting, `-cpu help` as a process, and round trips, beside the reference and a bare socket, in one run.
//!
//! `REFERENCE='qemu-system-x86_64' cargo bench -p tests --bench against_reference`. `REFERENCE` is a command that
//! runs QEMU; without it (or where it does not start) only the program and the bare socket are measured. Measurements of
//! the parties alternate, so that a machine whose speed drifts slows all of them; figures are medians.

use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixStream;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// Runs of each program from start to greeting.
const STARTS: usize = 40;
/// Rounds of round trips, each of [`BATCH`] requests to each party.
const ROUNDS: usize = 30;
const BATCH: u32 = 100;

/// What is asked in round trips, and the request.
const REQUESTS: [(&str, &[u8]); 2] = [
    (
        "qom-get of a CPU's property",
        br#"{"execute": "qom-get", "arguments": {"path": "/machine/unattached/device[0]", "property": "family"}}"#,
    ),
    (
        "full query-cpu-model-expansion of EPYC",
        br#"{"execute": "query-cpu-model-expansion", "arguments": {"type": "full", "model": {"name": "EPYC"}}}"#,
    ),
];

fn median(mut samples: Vec<Duration>) -> Duration {
    samples.sort_unstable();
    samples.get(samples.len() / 2).copied().unwrap_or_default()
}

/// A program with QMP on its standard input and output.
struct Party {
    name: &'static str,
    command: Vec<String>,
}

impl Party {
    /// Starts it; the times to the end of the greeting and to the answer to `qmp_capabilities`, which waits in the pipe.
    fn start(&self, machine: &[&str]) -> std::io::Result<(Child, [Duration; 2])> {
        let start = Instant::now();
        let mut child = Command::new(&self.command[0])
            .args(&self.command[1..])
            .args(["-display", "none", "-nodefaults", "-S", "-qmp", "stdio"])
            .args(machine)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()?;
        let mut times = [Duration::ZERO; 2];
        let mut line = Vec::new();
        if let (Some(stdin), Some(stdout)) = (&mut child.stdin, &mut child.stdout) {
            // A program that does not start closes the pipe; it then sends no line either.
            let _ = stdin.write_all(br#"{"execute": "qmp_capabilities"}"#);
            let mut stdout = BufReader::new(stdout);
            for time in &mut times {
                line.clear();
                stdout.read_until(b'\n', &mut line)?;
                *time = start.elapsed();
            }
        }
        if line.starts_with(b"{\"return\"") {
            return Ok((child, times));
        }
        end(child);
        Err(std::io::Error::other("no greeting"))
    }
}

fn end(mut child: Child) {
    let _ = child.kill();
    let _ = child.wait();
}

fn starts(parties: &[Party], machine: &[&str]) {
    let mut greeting = vec![Vec::new(); parties.len()];
    let mut ready = greeting.clone();
    for _ in 0..STARTS {
        for (at, party) in parties.iter().enumerate() {
            if let Ok((child, times)) = party.start(machine) {
                greeting[at].push(times[0]);
                ready[at].push(times[1]);
                end(child);
            }
        }
    }
    for (what, samples) in [("greeting", greeting), ("answer to qmp_capabilities", ready)] {
        println!("start to {what}, {}:", machine.join(" "));
        report(parties.iter().map(|party| party.name).zip(samples.into_iter().map(median)));
    }
}

/// Figures, and each as a ratio to the first.
fn report<'a>(figures: impl Iterator<Item = (&'a str, Duration)>) {
    let mut first = None;
    for (name, figure) in figures {
        if figure.is_zero() {
            println!("  {name:<14} not measured");
            continue;
        }
        let base = *first.get_or_insert(figure);
        println!("  {name:<14} {figure:>12.1?}   {:.2}x", figure.as_secs_f64() / base.as_secs_f64());
    }
}

/// A process from its start to its end.
fn processes(parties: &[Party], arguments: &[&str]) {
    let mut samples = vec![Vec::new(); parties.len()];
    for _ in 0..STARTS {
        for (party, samples) in parties.iter().zip(&mut samples) {
            let mut command = Command::new(&party.command[0]);
            command.args(&party.command[1..]).args(arguments).stdout(Stdio::null()).stderr(Stdio::null());
            let start = Instant::now();
            if command.status().is_ok_and(|status| status.success()) {
                samples.push(start.elapsed());
            }
        }
    }
    println!("{} as a process:", arguments.join(" "));
    report(parties.iter().map(|party| party.name).zip(samples.into_iter().map(median)));
}

/// One request, one reply line.
trait RoundTrip {
    fn round_trip(&mut self, request: &[u8], reply: &mut Vec<u8>);
}

struct Session<R, W> {
    reader: BufReader<R>,
    writer: W,
}

impl<R: Read, W: Write> RoundTrip for Session<R, W> {
    fn round_trip(&mut self, request: &[u8], reply: &mut Vec<u8>) {
        reply.clear();
        if self.writer.write_all(request).and_then(|()| self.writer.flush()).is_err() {
            return;
        }
        let _ = self.reader.read_until(b'\n', reply);
    }
}

/// Answers each request of the right length with the same bytes: what two processes and a socket cost at least.
fn bare_server(mut stream: UnixStream, length: usize, reply: &[u8]) {
    let mut request = vec![0; length];
    while stream.read_exact(&mut request).is_ok() && stream.write_all(reply).is_ok() {}
}

fn main() {
    // Cargo passes `--bench`; with `--test` it only wants to know that this builds.
    if std::env::args().any(|argument| argument == "--test") {
        return;
    }
    let own = tests::binary().display().to_string();
    let mut parties = vec![Party { name: "this program", command: vec![own] }];
    if let Ok(reference) = std::env::var("REFERENCE") {
        let command: Vec<String> = reference.split_whitespace().map(str::to_owned).collect();
        parties.push(Party { name: "reference", command });
    } else {
        println!("REFERENCE is not set: the reference is not measured");
    }
    parties.retain(|party| match party.start(&["-M", "none"]) {
        Ok((child, _)) => {
            end(child);
            true
        }
        Err(error) => {
            println!("{} does not start: {error}", party.name);
            false
        }
    });
    starts(&parties, &["-M", "none", "-accel", "tcg"]);
    starts(&parties, &["-M", "pc", "-accel", "tcg"]);
    if tests::kvm_or_skip("start under KVM") {
        starts(&parties, &["-M", "pc", "-accel", "kvm"]);
    }
    processes(&parties, &["-accel", "tcg", "-cpu", "help"]);
    for (what, request) in REQUESTS {
        round_trips(&parties, what, request);
    }
}

fn round_trips(parties: &[Party], what: &str, request: &'static [u8]) {
    let mut children = Vec::new();
    let mut sessions: Vec<(&str, Box<dyn RoundTrip>)> = Vec::new();
    let mut reply = Vec::new();
    for party in parties {
        let (near, far) = match UnixStream::pair() {
            Ok(pair) => pair,
            Err(error) => return println!("no socket pair: {error}"),
        };
        let Ok(input) = far.try_clone() else { return println!("no descriptor") };
        let child = Command::new(&party.command[0])
            .args(&party.command[1..])
            .args(["-display", "none", "-nodefaults", "-S", "-M", "pc", "-accel", "tcg", "-qmp", "stdio"])
            .stdin(Stdio::from(std::os::fd::OwnedFd::from(input)))
            .stdout(Stdio::from(std::os::fd::OwnedFd::from(far)))
            .stderr(Stdio::null())
            .spawn();
        let (Ok(child), Ok(writer)) = (child, near.try_clone()) else { continue };
        children.push(child);
        let mut session = Session { reader: BufReader::new(near), writer };
        let _ = session.reader.read_until(b'\n', &mut reply);
        let _ = session.writer.write_all(br#"{"execute": "qmp_capabilities"}"#);
        let _ = session.reader.read_until(b'\n', &mut reply);
        session.round_trip(request, &mut reply);
        if !reply.starts_with(b"{\"return\"") {
            println!("{}: {}", party.name, String::from_utf8_lossy(&reply));
        }
        sessions.push((party.name, Box::new(session)));
    }
    if let Ok((near, far)) = UnixStream::pair() {
        let bytes = reply.clone();
        std::thread::spawn(move || bare_server(far, request.len(), &bytes));
        if let Ok(writer) = near.try_clone() {
            sessions.insert(0, ("bare socket", Box::new(Session { reader: BufReader::new(near), writer })));
        }
    }
    let mut samples = vec![Vec::new(); sessions.len()];
    for _ in 0..ROUNDS {
        for ((_, session), samples) in sessions.iter_mut().zip(&mut samples) {
            let start = Instant::now();
            for _ in 0..BATCH {
                session.round_trip(request, &mut reply);
            }
            samples.push(start.elapsed() / BATCH);
        }
    }
    println!("one {what}, request to reply:");
    report(sessions.iter().map(|(name, _)| *name).zip(samples.into_iter().map(median)));
    children.into_iter().for_each(end);
}
