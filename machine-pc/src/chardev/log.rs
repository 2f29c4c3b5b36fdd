//! The file that gets a copy of what a chardev's frontend writes (`logfile=`), with the time of each line if that is wanted.

use std::fs::File;
use std::io::{self, Write};
use std::time::SystemTime;

use super::OpenError;
use super::fd_set::{self, Access};
use super::spec::ChardevLog;

/// An open log file.
#[derive(Debug)]
pub(crate) struct LogFile {
    file: File,
    /// Whether lines begin with the time (`logtimestamp=on`).
    timestamp: bool,
    /// What comes next begins a line.
    at_start: bool,
}

impl LogFile {
    /// Opens the file.
    ///
    /// # Errors
    /// [`OpenError::Log`].
    pub(crate) fn open(log: &ChardevLog) -> Result<Self, OpenError> {
        let file = fd_set::open(&log.path, Access::Write { append: log.append })
            .map_err(|source| OpenError::Log { path: log.path.clone(), source })?;
        Ok(Self { file, timestamp: log.timestamp, at_start: true })
    }

    /// Writes the copy. A line's time is when its first byte is written, in UTC, as the reference shows it.
    ///
    /// # Errors
    /// The file system's.
    pub(crate) fn write(&mut self, data: &[u8]) -> io::Result<()> {
        if !self.timestamp {
            return self.file.write_all(data);
        }
        let mut text = Vec::with_capacity(data.len());
        for line in data.split_inclusive(|byte| *byte == b'\n') {
            if self.at_start {
                write!(text, "{} ", humantime::format_rfc3339_micros(SystemTime::now()))?;
            }
            text.extend_from_slice(line);
            self.at_start = line.ends_with(b"\n");
        }
        self.file.write_all(&text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_has_its_time_once() {
        let directory = tempfile::TempDir::new().unwrap();
        let path = directory.path().join("log");
        let log = |timestamp| ChardevLog { path: path.clone(), append: true, timestamp };
        let mut file = LogFile::open(&log(true)).unwrap();
        for part in ["on", "e\r\ntwo\n", "\n", "thr", "ee"] {
            file.write(part.as_bytes()).unwrap();
        }
        LogFile::open(&log(false)).unwrap().write(b"\nfour\n").unwrap();
        let text = std::fs::read_to_string(&path).unwrap();
        let bare: Vec<_> =
            text.split('\n').map(|line| line.split_once("Z ").map_or(line, |(_, line)| line)).collect();
        assert_eq!(bare, ["one\r", "two", "", "three", "four", ""], "{text}");
        let times: Vec<_> =
            text.split('\n').filter_map(|line| line.split_once("Z ")).map(|(time, _)| time).collect();
        assert_eq!(times.len(), 4, "{text}");
        for time in times {
            // 2026-11-29T16:35:15.723779
            let form: String = time.chars().map(|c| if c.is_ascii_digit() { '0' } else { c }).collect();
            assert_eq!(form, "0000-00-00T00:00:00.000000");
        }
    }
}
