//! Children that end with the test, and what they say, waited for no longer than [`PATIENCE`].

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, ChildStdin};
use std::sync::mpsc::{Receiver, channel};
use std::time::Instant;

use crate::PATIENCE;

/// A child process, ended when dropped.
#[derive(Debug)]
pub struct Mortal(Child);

impl Mortal {
    /// Takes charge of a child.
    #[must_use]
    pub fn new(child: Child) -> Self {
        Self(child)
    }

    /// Its standard input.
    ///
    /// # Panics
    /// It has none, or somebody took it.
    #[must_use]
    pub fn stdin(&mut self) -> ChildStdin {
        self.0.stdin.take().unwrap_or_else(|| panic!("no pipe"))
    }

    /// The lines of its standard output, without their ends.
    ///
    /// # Panics
    /// It has none, or somebody took it.
    #[must_use]
    pub fn lines(&mut self) -> Receiver<String> {
        lines(self.0.stdout.take().unwrap_or_else(|| panic!("no pipe")))
    }

    /// Waits for its end and returns its exit status; none if a signal ended it.
    ///
    /// # Panics
    /// It does not end.
    #[must_use]
    pub fn wait(mut self) -> Option<i32> {
        let start = Instant::now();
        loop {
            if let Ok(Some(status)) = self.0.try_wait() {
                return status.code();
            }
            assert!(start.elapsed() < PATIENCE, "the process does not end");
            std::thread::sleep(std::time::Duration::from_millis(2));
        }
    }

    /// Waits for its end and returns standard output, standard error and the exit status.
    ///
    /// # Panics
    /// It does not end.
    #[must_use]
    pub fn output(mut self) -> (String, String, Option<i32>) {
        let all = |reader: Option<Box<dyn Read + Send>>| {
            let (sender, receiver) = channel();
            std::thread::spawn(move || {
                let mut bytes = Vec::new();
                if let Some(mut reader) = reader {
                    let _ = reader.read_to_end(&mut bytes);
                }
                let _ = sender.send(String::from_utf8_lossy(&bytes).into_owned());
            });
            receiver
        };
        let stdout = all(self.0.stdout.take().map(|pipe| Box::new(pipe) as _));
        let stderr = all(self.0.stderr.take().map(|pipe| Box::new(pipe) as _));
        let status = self.wait();
        let text = |receiver: Receiver<String>| {
            let text = receiver.recv_timeout(PATIENCE);
            text.unwrap_or_else(|_| panic!("somebody else holds the output of a process that has ended"))
        };
        (text(stdout), text(stderr), status)
    }
}

impl Drop for Mortal {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The lines of what can be read, without their ends, so that they can be waited for. No more come at its end.
pub fn lines(reader: impl Read + Send + 'static) -> Receiver<String> {
    let (sender, receiver) = channel();
    std::thread::spawn(move || {
        let mut reader = BufReader::new(reader);
        let mut line = Vec::new();
        while matches!(reader.read_until(b'\n', &mut line), Ok(1..)) {
            let text = String::from_utf8_lossy(&line).trim_end_matches(['\r', '\n']).to_owned();
            if sender.send(text).is_err() {
                break;
            }
            line.clear();
        }
    });
    receiver
}
