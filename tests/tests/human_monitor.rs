//! The human monitor on terminals: keys in, screen out.

use std::fs::{File, OpenOptions};
use std::io::{IoSlice, Read, Write};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};

use rustix::net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags, sendmsg};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{LocalModes, tcgetattr};
use tests::{PATIENCE, Program, binary};

const PROMPT: &str = "(qemu) ";

/// A user at one end of a terminal.
struct User {
    terminal: File,
    screen: Receiver<u8>,
}

impl User {
    fn at(terminal: File) -> Self {
        let mut reader = terminal.try_clone().expect("a terminal");
        let (sender, screen) = channel();
        std::thread::spawn(move || {
            let mut byte = [0];
            while let Ok(1) = reader.read(&mut byte) {
                if sender.send(byte[0]).is_err() {
                    break;
                }
            }
        });
        Self { terminal, screen }
    }

    /// What appears on the screen up to `end`.
    fn sees(&mut self, end: &str) -> String {
        let mut text = Vec::new();
        while !text.ends_with(end.as_bytes()) {
            text.push(self.screen.recv_timeout(PATIENCE).unwrap_or_else(|error| {
                panic!("no {end:?} but {:?}: {error}", String::from_utf8_lossy(&text));
            }));
        }
        String::from_utf8(text).expect("text")
    }

    /// Presses keys, and sees the screen up to `end`.
    fn presses(&mut self, keys: &str, end: &str) -> String {
        self.terminal.write_all(keys.as_bytes()).expect("a terminal");
        self.sees(end)
    }
}

/// Opens a terminal and does not make it the process's own.
fn open(path: &Path) -> File {
    let mut options = OpenOptions::new();
    options.read(true).write(true).custom_flags(rustix::fs::OFlags::NOCTTY.bits().cast_signed());
    options.open(path).expect("a terminal")
}

#[test]
fn a_pseudo_terminal_edits_lines() {
    let directory = tempfile::TempDir::new().expect("a directory");
    let link = directory.path().join("monitor");
    let chardev = format!("pty,id=m,path={}", link.display());
    let _program = Program::start(&[
        "-accel",
        "tcg",
        "-smp",
        "1,maxcpus=2",
        "-chardev",
        &chardev,
        "-mon",
        "m",
        "-object",
        "rng-builtin,id=dice",
        "-chardev",
        "ringbuf,id=memory",
        "-chardev",
        "null,id=nothing",
    ]);
    let mut user = User::at(open(&link));
    // The greeting waits in the terminal.
    assert!(user.sees(PROMPT).ends_with(&format!("monitor - type 'help' for more information\r\n{PROMPT}")));
    // What is typed is echoed, and nothing else.
    assert_eq!(user.presses("print 1\r", PROMPT), "print 1\r\n0x1\r\n(qemu) ");
    // Completion of a command, a topic, and a path: certain parts are put in, the rest is listed.
    let status = user.presses("info regi\t\x15", "\x1b[K");
    assert!(status.starts_with("info registers "), "{status}");
    for (keys, line) in [
        ("device_a\tqemu64-x\t", "device_add qemu64-x86_64-cpu "),
        ("object_d\tdi\t", "object_del dice "),
        ("qom-get /obj\tdi\tty\t", "qom-get /objects/dice type "),
        ("help info regi\t", "help info registers "),
        ("qom-l\t/machine/periph\t", "qom-list /machine/peripheral"),
        ("chardev-rem\tmem\t", "chardev-remove memory "),
        ("chardev-send-break no\t", "chardev-send-break nothing "),
        ("chardev-change no\tfi\t", "chardev-change nothing file "),
        ("chardev-add nu\t", "chardev-add null "),
        // The only one that has memory.
        ("ringbuf_w\t\t", "ringbuf_write memory "),
        ("ringbuf_r\t\t", "ringbuf_read memory "),
        ("trace-event qm\tof\t", "trace-event qmp off "),
        ("info trace-ev\tqm\t", "info trace-events qmp "),
        ("watchdog_a\tinj\t", "watchdog_action inject-nmi "),
    ] {
        let seen = user.presses(&format!("{keys}\x01"), &format!("\x1b[{}D", line.len()));
        assert!(seen.contains(line), "{keys:?}: {seen:?}");
        let _ = user.presses("\x0b", "\x1b[K");
    }
    // Several are listed.
    let listed = user.presses("chardev-remove \t", "chardev-remove ");
    assert_eq!(listed, "chardev-remove ");
    let listed = user.sees("chardev-remove ");
    let ids = ["compat_monitor0", "m", "memory", "nothing", "serial0"].map(|id| format!("{id:<17}"));
    let all =
        format!("\r\n{}\r\n{}\r\n{PROMPT}chardev-remove ", ids[..4].concat().trim_end(), ids[4].trim_end());
    assert_eq!(listed, all);
    let _ = user.presses("\x15", "\x1b[K");
    // A long line is echoed as it is typed; once it is changed it stands in one row, of which a part is shown.
    let long = format!("print 1{}", " + 0".repeat(30));
    assert_eq!(user.presses(&format!("{long}!"), "!"), format!("{long}!"));
    let seen = user.presses("\x7f\x7f1\x01", "p");
    assert!(seen.starts_with(&format!("\r\n{PROMPT}<")), "{seen:?}");
    assert!(user.presses("\r", PROMPT).ends_with("\r\n0x2\r\n(qemu) "));
    assert_eq!(user.presses("print 1\r", PROMPT), "print 1\r\n0x1\r\n(qemu) ");
    // The line before is changed and run again.
    assert_eq!(user.presses("\x1b[A\x7f2\r", PROMPT), "print 1\x08\x1b[K2\r\n0x2\r\n(qemu) ");
}

#[test]
fn a_terminal_gives_keys_and_is_given_back() {
    let control = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).expect("a terminal");
    grantpt(&control).expect("a terminal");
    unlockpt(&control).expect("a terminal");
    let name = ptsname(&control, Vec::new()).expect("a name");
    let name = Path::new(std::str::from_utf8(name.as_bytes()).expect("text")).to_owned();
    let end = || Stdio::from(open(&name));
    let child: Child = Command::new(binary())
        .args(["-accel", "tcg", "-display", "none", "-serial", "none", "-monitor", "stdio", "-S"])
        .stdin(end())
        .stdout(end())
        .stderr(Stdio::null())
        .spawn()
        .expect("the program starts");
    let mut child = child;
    let other = open(&name);
    let modes = || tcgetattr(&other).expect("a terminal").local_modes;
    let mut user = User::at(File::from(control));
    let _ = user.sees(PROMPT);
    assert!(!modes().intersects(LocalModes::ICANON | LocalModes::ECHO));
    // Ctrl-C ends the program, as in the reference.
    assert!(modes().contains(LocalModes::ISIG));
    // The terminal's driver puts a return before the end of a line, where there is one already.
    let seen = user.presses("info regi\x1b[D\x1b[C\t\x1b[1~X\x08\r", PROMPT);
    let nothing =
        "Error: no guest code runs with this accelerator, so there is nothing to look at\r\r\n(qemu) ";
    assert_eq!(
        seen,
        format!(
            "info regi\x08isters \x1b[15DXinfo registers \x1b[15D\x08info registers \x1b[K\x1b[15D\r\r\n{nothing}"
        )
    );
    let history = user.presses("info history\r", PROMPT);
    assert_eq!(history, "info history\r\r\n0: 'info registers '\r\r\n1: 'info history'\r\r\n(qemu) ");
    let _ = user.presses("quit\r", "quit\r\r\n");
    assert_eq!(child.wait().expect("an end").code(), Some(0));
    assert!(modes().contains(LocalModes::ICANON | LocalModes::ECHO));
}

/// A program whose monitor is on a socket, and who has seen its prompt there.
fn on_a_socket() -> (Program, User) {
    let directory = tempfile::TempDir::new().expect("a directory");
    let path = directory.path().join("monitor");
    let monitor = format!("unix:{},server=on,wait=off", path.display());
    let program = Program::start(&["-accel", "tcg", "-monitor", &monitor]);
    let stream = UnixStream::connect(&path).expect("a socket");
    let mut user = User::at(File::from(OwnedFd::from(stream)));
    let _ = user.sees(PROMPT);
    (program, user)
}

/// A client of QEMU's monitor on a socket looks for the prompt.
#[test]
fn a_socket_shows_the_prompt() {
    let (_program, mut user) = on_a_socket();
    assert_eq!(user.presses("info kvm\n", PROMPT), "info kvm\r\nkvm support: disabled\r\n(qemu) ");
}

/// A descriptor comes with the line that names it. The answers are those of QEMU 11.1.2.
#[test]
fn a_descriptor_comes_over_a_socket() {
    let (_program, mut user) = on_a_socket();
    let (ours, theirs) = UnixStream::pair().expect("sockets");
    let none = "Error: No file descriptor supplied via SCM_RIGHTS\r\n(qemu) ";
    assert_eq!(user.presses("getfd a\n", PROMPT), format!("getfd a\r\n{none}"));
    let descriptors = [theirs.as_fd()];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    assert!(control.push(SendAncillaryMessage::ScmRights(&descriptors)));
    sendmsg(&user.terminal, &[IoSlice::new(b"getfd a\n")], &mut control, SendFlags::empty())
        .expect("a socket");
    drop(theirs);
    assert_eq!(user.sees(PROMPT), "getfd a\r\n(qemu) ");
    ours.set_nonblocking(true).expect("a socket");
    let nothing_yet = (&ours).read(&mut [0]).expect_err("it is open");
    assert_eq!(nothing_yet.kind(), std::io::ErrorKind::WouldBlock);
    assert_eq!(user.presses("closefd a\n", PROMPT), "closefd a\r\n(qemu) ");
    assert_eq!((&ours).read(&mut [0]).expect("its end"), 0);
    let gone = "Error: File descriptor named 'a' not found\r\n(qemu) ";
    assert_eq!(user.presses("closefd a\n", PROMPT), format!("closefd a\r\n{gone}"));
}
