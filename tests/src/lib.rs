//! What the tests of whole programs share: starting the program, talking to its monitors, reading its guest's console.
//!
//! There are two clients. [`Qmp`] is a few lines of its own over the socket, which read strictly and send any bytes: it
//! shows what is on the wire. [`Client`](::qmp::client::Client) is the one that users have: it executes commands by their types.

mod firmware;
mod mortal;
mod program;
mod qmp;
mod transcript;

pub use firmware::{firmware, out, wait_for_file};
pub use mortal::{Mortal, lines};
pub use program::{Finished, Program, binary, run, run_with_input};
pub use qmp::Qmp;
pub use transcript::{replay, replay_on_stdio};

/// How long a test waits for something that happens at once on an idle machine, in seconds.
pub const PATIENCE: std::time::Duration = std::time::Duration::from_secs(60);

/// Whether `/dev/kvm` can be used. Says aloud that a test is skipped where it cannot.
#[must_use]
pub fn kvm_or_skip(test: &str) -> bool {
    let usable = std::fs::OpenOptions::new().read(true).write(true).open("/dev/kvm").is_ok();
    if !usable {
        eprintln!("SKIPPED {test}: /dev/kvm cannot be used");
    }
    usable
}
