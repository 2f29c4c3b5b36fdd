//! One stream out of several frontends' output.
//!
//! The frontend in focus writes as it likes. A console beside a monitor in focus writes whole lines: if the monitor's prompt stands on
//! the line, a terminal erases it first (`\r`, `ESC [ K`), anything else gets a new line, and so does a terminal where a long line was
//! echoed over several rows, which stay as they are. After the console's lines the prompt is written again, with what was typed behind it
//! where the monitor edits lines. Elsewhere what a user has typed and not ended is still taken, although it no longer stands behind the
//! prompt. A console's line that does not end is written as one after [`LINE_WAIT`].

use std::time::{Duration, Instant};

use super::frontend::Frontend;

/// How long a console's line that does not end is held back.
const LINE_WAIT: Duration = Duration::from_millis(100);

/// A console's line that is longer is written in pieces.
const LINE_BYTES: usize = 4096;

/// Collects output.
#[derive(Debug, Default)]
pub(super) struct Mixer {
    mixed: Vec<u8>,
    /// A console's unfinished line, and until when it waits for its end.
    line: Vec<u8>,
    line_until: Option<Instant>,
}

impl Mixer {
    /// What is to be written.
    pub(super) fn output(&self) -> &[u8] {
        &self.mixed
    }

    /// Forgets what was written.
    pub(super) fn sent(&mut self, count: usize) {
        self.mixed.drain(..count);
    }

    /// Nobody is there any more to read it.
    pub(super) fn clear(&mut self) {
        self.mixed.clear();
    }

    /// Adds a text of the chardev's own.
    pub(super) fn say(&mut self, text: &[u8]) {
        self.mixed.extend_from_slice(text);
    }

    /// When an unfinished line has waited long enough.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.line_until
    }

    /// An unfinished line waits no longer.
    pub(super) fn end_line(&mut self) {
        if !self.line.is_empty() {
            self.line_until = Some(Instant::now());
        }
    }

    /// Takes the output of all frontends, once what was taken before is written.
    pub(super) fn mix(&mut self, frontends: &mut [Frontend], focus: usize, terminal: bool) {
        if !self.mixed.is_empty() {
            return;
        }
        for (at, frontend) in frontends.iter_mut().enumerate() {
            let output = frontend.output();
            let beside = frontend.is_console() && at != focus;
            if beside { &mut self.line } else { &mut self.mixed }.extend_from_slice(output);
            let count = output.len();
            frontend.sent(count);
        }
        let now = Instant::now();
        let overdue = self.line_until.is_some_and(|until| until <= now);
        let whole = match self.line.iter().rposition(|&byte| byte == b'\n') {
            _ if overdue || self.line.len() > LINE_BYTES => self.line.len(),
            Some(end) => end + 1,
            None => 0,
        };
        if whole > 0 {
            let focused = frontends.get_mut(focus);
            // As it stands now; the prompt that is written again stands in one row.
            let can_erase = terminal && focused.as_ref().is_some_and(|frontend| frontend.is_in_one_row());
            let prompt = focused.and_then(Frontend::prompt);
            if prompt.is_some() {
                let erase: &[u8] = if can_erase { b"\r\x1b[K" } else { b"\r\n" };
                self.mixed.extend_from_slice(erase);
            }
            self.mixed.extend(self.line.drain(..whole));
            if !self.mixed.ends_with(b"\n") {
                self.mixed.extend_from_slice(b"\r\n");
            }
            self.mixed.extend_from_slice(prompt.unwrap_or_default().as_bytes());
        }
        self.line_until = match self.line_until {
            _ if self.line.is_empty() => None,
            Some(until) if !overdue => Some(until),
            _ => Some(now + LINE_WAIT),
        };
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use qmp::Context;
    use qmp::hmp::Echo;

    use super::*;
    use crate::chardev::{ConsoleBuffer, ConsoleSink};
    use crate::main_loop::tests::context;

    /// A monitor in focus and a console beside it, on a terminal.
    struct Shared {
        context: Context,
        frontends: [Frontend; 2],
        console: ConsoleSink,
        mixer: Mixer,
    }

    impl Shared {
        fn new() -> Self {
            let buffer = ConsoleBuffer::new(|| {});
            let console = Frontend::console(buffer.clone(), Box::new(<[u8]>::len));
            let mut frontends = [Frontend::hmp(Echo::Terminal), console];
            frontends.iter_mut().for_each(Frontend::opened);
            Self { context: context(), frontends, console: ConsoleSink::new(buffer), mixer: Mixer::default() }
        }

        /// What the terminal is sent when these keys come.
        fn press(&mut self, keys: &str) -> String {
            assert_eq!(
                self.frontends[0].feed(keys.as_bytes(), &mut self.context, &mut Vec::new()),
                keys.len()
            );
            self.frontends[1].console_output();
            self.mixer.mix(&mut self.frontends, 0, true);
            let output = String::from_utf8(self.mixer.output().to_owned()).unwrap();
            self.mixer.sent(output.len());
            output
        }

        /// What it is sent when the guest writes this.
        fn write(&mut self, text: &str) -> String {
            self.console.write_all(text.as_bytes()).unwrap();
            self.press("")
        }
    }

    #[test]
    fn a_console_line_takes_the_row_of_what_is_typed() {
        let mut shared = Shared::new();
        assert!(shared.press("").ends_with("\r\n(qemu) "));
        assert_eq!(shared.press("info\x1b[D"), "info\x08");
        assert_eq!(shared.write("one\r\n"), "\r\x1b[Kone\r\n(qemu) info\x08");
        assert_eq!(shared.press("X"), "Xo\x08");
    }

    #[test]
    fn a_long_line_stands_in_one_row_after_a_console_line() {
        let mut shared = Shared::new();
        shared.press("");
        let typed = "0 + ".repeat(32);
        assert_eq!(shared.press(&typed), typed);
        // The rows of the echo stay; below them is one row, and it is known as one.
        let shown = shared.write("one\r\n");
        let row = shown.strip_prefix("\r\none\r\n").unwrap_or_else(|| panic!("{shown:?}"));
        assert!(row.starts_with("(qemu) <") && row.len() < 80 && row.ends_with("0 + "), "{row:?}");
        assert_eq!(shared.write("two\r\n"), format!("\r\x1b[Ktwo\r\n{row}"));
        let shown = shared.press("\x1b[D");
        assert!(shown.starts_with("\r(qemu) <") && shown.ends_with("0 + \x1b[K\x08"), "{shown:?}");
        // What is typed on does not run over the end of the row.
        let mut shown = shared.press("\x05");
        for _ in 0..100 {
            shown = shared.press("1");
            assert!(shown.starts_with("\r(qemu) <") && shown.len() < 85, "{shown:?}");
        }
        assert!(shown.ends_with("1\x1b[K"), "{shown:?}");
        // The next line begins anew.
        assert!(shared.press("\r").starts_with("\r\n"));
        assert_eq!(shared.press(&typed), typed);
    }
}
