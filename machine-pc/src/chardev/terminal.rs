//! The user's terminal, and how it gives keys: one by one and unechoed, as an editor of its own or a guest wants them.

use std::io;

use rustix::termios::{
    InputModes, LocalModes, OptionalActions, OutputModes, SpecialCodeIndex, Termios, tcgetattr, tcsetattr,
};

/// Standard input as a terminal that gives keys. It is as it was when this is dropped.
#[derive(Debug)]
pub(crate) struct Keyboard {
    before: Termios,
}

impl Keyboard {
    /// Has the terminal give keys.
    ///
    /// # Errors
    /// Standard input is no terminal, or it refuses.
    pub(crate) fn new() -> io::Result<Self> {
        Ok(Self { before: tcgetattr(rustix::stdio::stdin())? })
    }

    /// Whether keys such as Ctrl-C raise their signal, or are keys like others.
    ///
    /// # Errors
    /// The terminal refuses.
    pub(crate) fn set(&self, signals: bool) -> io::Result<()> {
        let mut mode = self.before.clone();
        // What the reference sets: keys as they are, output with the driver's line ends.
        mode.input_modes &= !(InputModes::IGNBRK
            | InputModes::BRKINT
            | InputModes::PARMRK
            | InputModes::ISTRIP
            | InputModes::INLCR
            | InputModes::IGNCR
            | InputModes::ICRNL
            | InputModes::IXON);
        mode.output_modes |= OutputModes::OPOST;
        mode.local_modes &=
            !(LocalModes::ECHO | LocalModes::ECHONL | LocalModes::ICANON | LocalModes::IEXTEN);
        mode.local_modes.set(LocalModes::ISIG, signals);
        mode.special_codes[SpecialCodeIndex::VMIN] = 1;
        mode.special_codes[SpecialCodeIndex::VTIME] = 0;
        Ok(tcsetattr(rustix::stdio::stdin(), OptionalActions::Now, &mode)?)
    }
}

impl Drop for Keyboard {
    fn drop(&mut self) {
        if tcsetattr(rustix::stdio::stdin(), OptionalActions::Now, &self.before).is_err() {
            tracing::warn!("cannot restore the terminal's mode");
        }
    }
}
