//! The program under test as a child process.

use std::fs::File;
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Instant;

use qmp::client::{Client, ClientError, Config};
use tempfile::TempDir;

use crate::{Mortal, PATIENCE, Qmp};

/// The program: the one that the environment names in `QOM_SYSTEM`, or else built with the profile of the running test or
/// benchmark.
#[must_use]
pub fn binary() -> &'static Path {
    static BINARY: OnceLock<PathBuf> = OnceLock::new();
    BINARY.get_or_init(|| {
        if let Some(given) = std::env::var_os("QOM_SYSTEM") {
            return given.into();
        }
        let mut build = Command::new(env!("CARGO"));
        build.args(["build", "--quiet", "-p", "machine-pc", "--bin", "qom-system-x86_64"]);
        if !cfg!(debug_assertions) {
            build.arg("--release");
        }
        let status = build.status().unwrap_or_else(|error| panic!("cargo: {error}"));
        assert!(status.success(), "the program does not build");
        let test = std::env::current_exe().unwrap_or_else(|error| panic!("current_exe: {error}"));
        let profile = test.ancestors().nth(2).unwrap_or_else(|| panic!("{} lies too high", test.display()));
        profile.join("qom-system-x86_64")
    })
}

/// What a program that ended has left.
#[derive(Debug)]
pub struct Finished {
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
    /// Exit status; none if a signal ended it.
    pub status: Option<i32>,
}

/// Runs the program to its end, with nothing on standard input.
#[must_use]
pub fn run(arguments: &[&str]) -> Finished {
    run_with_input(arguments, "")
}

/// Runs the program to its end with text on standard input.
#[must_use]
pub fn run_with_input(arguments: &[&str], input: &str) -> Finished {
    let mut child = Command::new(binary())
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("the program does not start: {error}"));
    if let Some(mut stdin) = child.stdin.take() {
        // A program that ends without reading closes the pipe; that is its right.
        let _ = stdin.write_all(input.as_bytes());
    }
    let (stdout, stderr, status) = Mortal::new(child).output();
    Finished { stdout, stderr, status }
}

/// The running program, ended when dropped. Its guest's console and QMP are on sockets.
#[derive(Debug)]
pub struct Program {
    child: Child,
    directory: TempDir,
    keyboard: UnixStream,
    console: Arc<Mutex<Vec<u8>>>,
}

/// Connects to a socket that the program is about to make.
fn connect(path: &Path, child: &mut Child) -> UnixStream {
    let start = Instant::now();
    loop {
        match UnixStream::connect(path) {
            Ok(stream) => return stream,
            Err(error) => assert!(start.elapsed() < PATIENCE, "{}: {error}", path.display()),
        }
        if let Ok(Some(status)) = child.try_wait() {
            let stderr = std::fs::read_to_string(path.with_file_name("stderr")).unwrap_or_default();
            panic!("the program ended ({status}): {stderr}");
        }
        std::thread::sleep(std::time::Duration::from_millis(2));
    }
}

impl Program {
    /// Starts it with these arguments besides its sockets, and waits for them.
    #[must_use]
    pub fn start(arguments: &[&str]) -> Self {
        let directory = TempDir::new().unwrap_or_else(|error| panic!("no directory: {error}"));
        let at = |name: &str| directory.path().join(name).display().to_string();
        // A file and not a pipe: what nobody reads must not stop the program.
        let stderr = File::create(directory.path().join("stderr")).unwrap_or_else(|error| panic!("{error}"));
        let mut child = Command::new(binary())
            .args(["-display", "none", "-serial", &format!("unix:{},server=on,wait=on", at("console"))])
            .args(["-qmp", &format!("unix:{},server=on,wait=off", at("qmp"))])
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(stderr)
            .spawn()
            .unwrap_or_else(|error| panic!("the program does not start: {error}"));
        // The program waits for somebody at the console, so nothing that the guest writes is missed.
        let keyboard = connect(&directory.path().join("console"), &mut child);
        let mut screen = keyboard.try_clone().unwrap_or_else(|error| panic!("clone: {error}"));
        let console = Arc::new(Mutex::new(Vec::new()));
        let written = console.clone();
        std::thread::spawn(move || {
            let mut buffer = [0; 4096];
            while let Ok(count @ 1..) = screen.read(&mut buffer) {
                written.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(&buffer[..count]);
            }
        });
        let _ = connect(&directory.path().join("qmp"), &mut child);
        Self { child, directory, keyboard, console }
    }

    /// The path of its QMP socket.
    #[must_use]
    pub fn socket(&self) -> PathBuf {
        self.directory.path().join("qmp")
    }

    /// A new session on its QMP socket, after negotiation.
    #[must_use]
    pub fn qmp(&self) -> Qmp {
        Qmp::connect(&self.socket())
    }

    /// The same, with the events that are not QEMU's.
    #[must_use]
    pub fn qmp_with_own_events(&self) -> Qmp {
        Qmp::connect_with(&self.socket(), &["x-events"])
    }

    /// A new session of the typed client on its QMP socket.
    ///
    /// # Errors
    /// That there is none.
    pub fn client(&self, config: Config) -> Result<Client, ClientError> {
        Client::unix(self.socket(), config)
    }

    /// All that the guest has written so far.
    #[must_use]
    pub fn console(&self) -> String {
        String::from_utf8_lossy(&self.console.lock().unwrap_or_else(PoisonError::into_inner)).into_owned()
    }

    /// Types on the guest's console.
    pub fn type_on_console(&self, text: &str) {
        (&self.keyboard).write_all(text.as_bytes()).unwrap_or_else(|error| panic!("console: {error}"));
    }

    /// Waits until the guest's console has `count` lines that contain `text`, and returns the last of them.
    #[must_use]
    pub fn wait_console(&self, text: &str, count: usize) -> String {
        let start = Instant::now();
        loop {
            let console = self.console();
            // The last piece may be half a line.
            let whole = console.rfind('\n').map_or("", |end| &console[..end]);
            let lines: Vec<&str> = whole.lines().filter(|line| line.contains(text)).collect();
            if lines.len() >= count {
                return lines[count - 1].trim_end().to_owned();
            }
            assert!(start.elapsed() < PATIENCE, "no {count} times {text:?} on the console:\n{console}");
            std::thread::sleep(std::time::Duration::from_millis(5));
        }
    }

    /// The process id.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// How many entries a directory of `/proc/PID` has: `task` for threads, `fd` for descriptors.
    #[must_use]
    pub fn proc_count(&self, directory: &str) -> usize {
        std::fs::read_dir(format!("/proc/{}/{directory}", self.pid())).map_or(0, Iterator::count)
    }

    /// Waits for its end and returns its exit status.
    #[must_use]
    pub fn wait(mut self) -> Option<i32> {
        let start = Instant::now();
        loop {
            if let Ok(Some(status)) = self.child.try_wait() {
                return status.code();
            }
            assert!(start.elapsed() < PATIENCE, "the program does not end");
            std::thread::sleep(std::time::Duration::from_millis(2));
        }
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
