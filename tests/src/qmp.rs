//! A QMP client of a few lines.

use std::collections::VecDeque;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Instant;

use serde_json::{Value, json};

use crate::PATIENCE;

/// A session after negotiation. Events are kept until somebody waits for them.
#[derive(Debug)]
pub struct Qmp {
    reader: BufReader<UnixStream>,
    writer: UnixStream,
    events: VecDeque<Value>,
    /// The greeting.
    pub greeting: Value,
}

impl Qmp {
    /// Connects and negotiates, with no capability.
    #[must_use]
    pub fn connect(path: &Path) -> Self {
        Self::connect_with(path, &[])
    }

    /// Connects and enables capabilities.
    #[must_use]
    pub fn connect_with(path: &Path, enable: &[&str]) -> Self {
        let start = Instant::now();
        let stream = loop {
            match UnixStream::connect(path) {
                Ok(stream) => break stream,
                Err(error) => assert!(start.elapsed() < PATIENCE, "{}: {error}", path.display()),
            }
            std::thread::sleep(std::time::Duration::from_millis(2));
        };
        let _ = stream.set_read_timeout(Some(PATIENCE));
        let writer = stream.try_clone().unwrap_or_else(|error| panic!("clone: {error}"));
        let mut this =
            Self { reader: BufReader::new(stream), writer, events: VecDeque::new(), greeting: Value::Null };
        this.greeting = this.read();
        let _ = this.ok("qmp_capabilities", &json!({"enable": enable}));
        this
    }

    /// Sends bytes as they are.
    pub fn send(&mut self, bytes: &[u8]) {
        self.writer.write_all(bytes).unwrap_or_else(|error| panic!("send: {error}"));
    }

    /// The next message, whatever it is: a line, or as many as a pretty one has.
    #[must_use]
    pub fn read(&mut self) -> Value {
        let mut text = String::new();
        loop {
            let count = self.reader.read_line(&mut text).unwrap_or_else(|error| panic!("read: {error}"));
            assert!(count > 0, "the program closed the session");
            assert!(text.ends_with("\r\n"), "{text:?}");
            match serde_json::from_str(&text) {
                Ok(message) => return message,
                Err(error) => assert!(error.is_eof(), "{text:?}: {error}"),
            }
        }
    }

    /// The next reply; events that come before it are kept.
    #[must_use]
    pub fn reply(&mut self) -> Value {
        loop {
            let message = self.read();
            if message.get("event").is_none() {
                return message;
            }
            self.events.push_back(message);
        }
    }

    /// Runs a command; the whole reply.
    #[must_use]
    pub fn execute(&mut self, command: &str, arguments: &Value) -> Value {
        self.send(json!({"execute": command, "arguments": arguments}).to_string().as_bytes());
        self.reply()
    }

    /// Runs a command that must succeed; what it returns.
    #[must_use]
    pub fn ok(&mut self, command: &str, arguments: &Value) -> Value {
        let mut reply = self.execute(command, arguments);
        assert!(reply.get("return").is_some(), "{command} {arguments}: {reply}");
        reply["return"].take()
    }

    /// What the human monitor prints for a line.
    #[must_use]
    pub fn human(&mut self, line: &str) -> String {
        match self.ok("human-monitor-command", &json!({"command-line": line})) {
            Value::String(text) => text,
            other => panic!("{line}: {other}"),
        }
    }

    /// Runs a command that must fail; class and description.
    #[must_use]
    pub fn error(&mut self, command: &str, arguments: &Value) -> (String, String) {
        let reply = self.execute(command, arguments);
        let text = |key: &str| reply["error"][key].as_str().unwrap_or_default().to_owned();
        assert!(reply.get("error").is_some(), "{command} {arguments}: {reply}");
        (text("class"), text("desc"))
    }

    /// Waits for an event of that name; others before it are dropped.
    #[must_use]
    pub fn event(&mut self, name: &str) -> Value {
        let start = Instant::now();
        loop {
            let message = match self.events.pop_front() {
                Some(event) => event,
                None => self.read(),
            };
            if message["event"] == name {
                return message;
            }
            assert!(start.elapsed() < PATIENCE, "no {name}");
        }
    }
}
