//! The registers of a 16550A, and when it interrupts.
//!
//! The interrupt is a level: high while a condition is pending that is enabled. Writing a byte takes the level down for a
//! moment, as the holding register is full for that moment; so there is an edge for every byte, whatever the guest read in
//! between. A driver that missed one edge gets the next.
//!
//! What is sent is gone at once, and received characters time out at once: there are no baud rates here, and no timers. The
//! `OUT2` bit does not gate the interrupt, as in QEMU. Nothing here knows ports, KVM or consoles.
//!
//! Source: National Semiconductor, *PC16550D Universal Asynchronous Receiver/Transmitter with FIFOs*, section 8.

use std::collections::VecDeque;

use bitflags::bitflags;

/// Length of the FIFOs in bytes.
pub const FIFO_LEN: usize = 16;

/// Offsets of the registers from the first port, in bytes.
mod offset {
    /// RBR when read, THR when written; the divisor's low byte with DLAB.
    pub(super) const DATA: u8 = 0;
    /// IER; the divisor's high byte with DLAB.
    pub(super) const IER: u8 = 1;
    /// IIR when read, FCR when written.
    pub(super) const IIR: u8 = 2;
    pub(super) const LCR: u8 = 3;
    pub(super) const MCR: u8 = 4;
    pub(super) const LSR: u8 = 5;
    pub(super) const MSR: u8 = 6;
    pub(super) const SCR: u8 = 7;
}

bitflags! {
    /// Interrupt enable register.
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    struct Ier: u8 {
        const RECEIVED = 1 << 0;
        const TRANSMIT = 1 << 1;
        const LINE_STATUS = 1 << 2;
        const MODEM_STATUS = 1 << 3;
    }

    /// FIFO control register: the bits that stay.
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    struct Fcr: u8 {
        const ENABLE = 1 << 0;
        const TRIGGER = 3 << 6;
        const CLEAR_RECEIVER = 1 << 1;
        const CLEAR_TRANSMITTER = 1 << 2;
    }

    /// Line status register.
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    struct Lsr: u8 {
        const DATA_READY = 1 << 0;
        const OVERRUN = 1 << 1;
        const BREAK = 1 << 4;
        const HOLDING_EMPTY = 1 << 5;
        const EMPTY = 1 << 6;
    }

    /// Modem control register.
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    struct Mcr: u8 {
        const DTR = 1 << 0;
        const RTS = 1 << 1;
        const OUT1 = 1 << 2;
        const OUT2 = 1 << 3;
        const LOOPBACK = 1 << 4;
    }

    /// Modem status register.
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    struct Msr: u8 {
        const CTS = 1 << 4;
        const DSR = 1 << 5;
        const RI = 1 << 6;
        const DCD = 1 << 7;
    }
}

/// Divisor latch access bit of LCR.
const DLAB: u8 = 1 << 7;
/// IIR's bits that say that there are FIFOs.
const IIR_FIFO: u8 = 0xc0;
/// The divisor of 9,600 baud, with which it starts.
const DIVISOR: u16 = 12;

/// What IIR says is pending, the most urgent first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Cause {
    LineStatus = 6,
    /// Some characters are there, fewer than the trigger level.
    Timeout = 12,
    Received = 4,
    Transmit = 2,
    None = 1,
}

/// A 16550A.
#[derive(Debug, Clone)]
pub struct Uart {
    divisor: u16,
    ier: Ier,
    fcr: Fcr,
    lcr: u8,
    mcr: Mcr,
    overrun: bool,
    broken: bool,
    scratch: u8,
    /// The holding register became empty, and IIR has not told it yet.
    transmit_pending: bool,
    received: VecDeque<u8>,
}

impl Default for Uart {
    fn default() -> Self {
        Self {
            divisor: DIVISOR,
            ier: Ier::empty(),
            fcr: Fcr::empty(),
            lcr: 0,
            mcr: Mcr::OUT2,
            overrun: false,
            broken: false,
            scratch: 0,
            transmit_pending: false,
            received: VecDeque::with_capacity(FIFO_LEN),
        }
    }
}

impl Uart {
    fn fifos(&self) -> bool {
        self.fcr.contains(Fcr::ENABLE)
    }

    /// How many characters raise the interrupt by their number alone.
    fn trigger(&self) -> usize {
        if !self.fifos() {
            return 1;
        }
        match self.fcr.intersection(Fcr::TRIGGER).bits() >> 6 {
            0 => 1,
            1 => 4,
            2 => 8,
            _ => 14,
        }
    }

    fn lsr(&self) -> Lsr {
        let mut lsr = Lsr::HOLDING_EMPTY | Lsr::EMPTY;
        lsr.set(Lsr::DATA_READY, !self.received.is_empty());
        lsr.set(Lsr::OVERRUN, self.overrun);
        lsr.set(Lsr::BREAK, self.broken);
        lsr
    }

    fn cause(&self) -> Cause {
        let ready = self.ier.contains(Ier::RECEIVED) && !self.received.is_empty();
        if self.ier.contains(Ier::LINE_STATUS) && (self.overrun || self.broken) {
            Cause::LineStatus
        } else if ready && self.received.len() < self.trigger() {
            Cause::Timeout
        } else if ready {
            Cause::Received
        } else if self.ier.contains(Ier::TRANSMIT) && self.transmit_pending {
            Cause::Transmit
        } else {
            Cause::None
        }
    }

    /// Whether it asserts its interrupt.
    pub fn interrupts(&self) -> bool {
        self.cause() != Cause::None
    }

    /// How many characters it can take now, 0 to 16.
    pub fn room(&self) -> usize {
        if self.mcr.contains(Mcr::LOOPBACK) {
            // Cut off from the outside.
            return 0;
        }
        let len = if self.fifos() { FIFO_LEN } else { 1 };
        len.saturating_sub(self.received.len())
    }

    /// Takes a character; with no room it is lost, and that is told.
    pub fn receive(&mut self, byte: u8) {
        let len = if self.fifos() { FIFO_LEN } else { 1 };
        if self.received.len() < len {
            self.received.push_back(byte);
            return;
        }
        self.overrun = true;
        if !self.fifos() {
            self.received[0] = byte;
        }
    }

    /// The other end holds the line: a zero that is no character.
    pub fn receive_break(&mut self) {
        self.receive(0);
        self.broken = true;
    }

    /// Reads a register, with what reading does.
    pub fn read(&mut self, offset: u8) -> u8 {
        let [low, high] = self.divisor.to_le_bytes();
        let latch = self.lcr & DLAB != 0;
        match offset {
            offset::DATA if latch => low,
            offset::IER if latch => high,
            offset::DATA => {
                let byte = self.received.pop_front().unwrap_or_default();
                self.broken &= !self.received.is_empty();
                byte
            }
            offset::IER => self.ier.bits(),
            offset::IIR => {
                let cause = self.cause();
                self.transmit_pending &= cause != Cause::Transmit;
                cause as u8 | if self.fifos() { IIR_FIFO } else { 0 }
            }
            offset::LCR => self.lcr,
            offset::MCR => self.mcr.bits(),
            offset::LSR => {
                let lsr = self.lsr();
                (self.overrun, self.broken) = (false, false);
                lsr.bits()
            }
            offset::MSR => self.msr().bits(),
            offset::SCR => self.scratch,
            _ => 0xff,
        }
    }

    /// Modem status: the other end is always there. In loopback the outputs are the inputs.
    fn msr(&self) -> Msr {
        if !self.mcr.contains(Mcr::LOOPBACK) {
            return Msr::DCD | Msr::DSR | Msr::CTS;
        }
        let mut msr = Msr::empty();
        msr.set(Msr::CTS, self.mcr.contains(Mcr::RTS));
        msr.set(Msr::DSR, self.mcr.contains(Mcr::DTR));
        msr.set(Msr::RI, self.mcr.contains(Mcr::OUT1));
        msr.set(Msr::DCD, self.mcr.contains(Mcr::OUT2));
        msr
    }

    /// Whether a byte that is written here is sent: then the holding register is full until [`sent`](Self::sent).
    pub fn sends(&self, offset: u8) -> bool {
        offset == offset::DATA && self.lcr & DLAB == 0
    }

    /// A byte was put into the holding register.
    pub fn hold(&mut self) {
        self.transmit_pending = false;
    }

    /// The byte has left: the character that goes to the outside. In loopback it comes in again instead.
    pub fn sent(&mut self, byte: u8) -> Option<u8> {
        self.transmit_pending = true;
        if self.mcr.contains(Mcr::LOOPBACK) {
            self.receive(byte);
            return None;
        }
        Some(byte)
    }

    /// Writes a register from which nothing is sent.
    pub fn write(&mut self, offset: u8, value: u8) {
        let [low, high] = self.divisor.to_le_bytes();
        let latch = self.lcr & DLAB != 0;
        match offset {
            offset::DATA if latch => self.divisor = u16::from_le_bytes([value, high]),
            offset::IER if latch => self.divisor = u16::from_le_bytes([low, value]),
            offset::IER => {
                let ier = Ier::from_bits_truncate(value);
                // Enabling tells again that the register is empty, even if IIR told it.
                if (ier ^ self.ier).contains(Ier::TRANSMIT) {
                    self.transmit_pending = ier.contains(Ier::TRANSMIT);
                }
                self.ier = ier;
            }
            offset::IIR => self.control_fifos(Fcr::from_bits_truncate(value)),
            offset::LCR => self.lcr = value,
            offset::MCR => self.mcr = Mcr::from_bits_truncate(value),
            offset::SCR => self.scratch = value,
            // LSR and MSR are read only.
            _ => {}
        }
    }

    fn control_fifos(&mut self, fcr: Fcr) {
        let switched = (fcr ^ self.fcr).contains(Fcr::ENABLE);
        if switched || fcr.contains(Fcr::CLEAR_RECEIVER) {
            self.received.clear();
            self.broken = false;
        }
        if switched || fcr.contains(Fcr::CLEAR_TRANSMITTER) {
            self.transmit_pending = true;
        }
        self.fcr = fcr.intersection(Fcr::ENABLE | Fcr::TRIGGER);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const THR: u8 = 0;
    const IER: u8 = 1;
    const IIR: u8 = 2;
    const FCR: u8 = 2;
    const LCR: u8 = 3;
    const MCR: u8 = 4;
    const LSR: u8 = 5;
    const MSR: u8 = 6;

    fn send(uart: &mut Uart, byte: u8) -> Option<u8> {
        assert!(uart.sends(THR));
        uart.hold();
        uart.sent(byte)
    }

    /// Reset values of the reference.
    #[test]
    fn starts_as_the_reference_does() {
        let mut uart = Uart::default();
        let registers: Vec<u8> = (0..8).map(|offset| uart.read(offset)).collect();
        assert_eq!(registers, [0, 0, 1, 0, 8, 0x60, 0xb0, 0]);
        uart.write(LCR, DLAB);
        assert_eq!((uart.read(0), uart.read(1)), (12, 0));
    }

    #[test]
    fn an_empty_holding_register_is_told_once_and_again_when_enabled() {
        let mut uart = Uart::default();
        uart.write(IER, 2);
        assert!(uart.interrupts());
        assert_eq!((uart.read(IIR), uart.interrupts(), uart.read(IIR)), (2, false, 1));
        assert_eq!(send(&mut uart, b'x'), Some(b'x'));
        assert!(uart.interrupts());
        uart.write(IER, 0);
        assert!(!uart.interrupts());
        uart.write(IER, 2);
        assert!(uart.interrupts());
    }

    #[test]
    fn characters_come_by_number_or_by_time() {
        let mut uart = Uart::default();
        uart.write(FCR, 0b1100_0001);
        uart.write(IER, 1);
        for _ in 0..13 {
            uart.receive(b'a');
        }
        assert_eq!((uart.read(IIR), uart.read(LSR) & 1), (0xcc, 1));
        uart.receive(b'b');
        assert_eq!((uart.read(IIR), uart.room()), (0xc4, 2));
        for _ in 0..14 {
            assert!(uart.interrupts());
            let _ = uart.read(0);
        }
        assert_eq!((uart.interrupts(), uart.read(LSR)), (false, 0x60));
    }

    #[test]
    fn what_does_not_fit_is_told() {
        let mut uart = Uart::default();
        uart.write(IER, 5);
        uart.receive(b'a');
        uart.receive(b'b');
        assert_eq!((uart.read(IIR), uart.read(LSR), uart.read(IIR)), (6, 0x63, 4));
        assert_eq!(uart.read(0), b'b', "without FIFOs the newer one stays");
        uart.receive_break();
        assert_eq!((uart.read(LSR), uart.read(LSR), uart.read(0)), (0x71, 0x61, 0));
    }

    #[test]
    fn loopback_cuts_the_line() {
        let mut uart = Uart::default();
        uart.write(MCR, 0x1a);
        assert_eq!((uart.room(), send(&mut uart, b'x'), uart.read(0)), (0, None, b'x'));
        assert_eq!(uart.read(MSR), 0x90, "RTS comes back as CTS, OUT2 as DCD");
    }

    proptest! {
        /// Whatever a guest does, the registers stay in their bounds, and a guest that handles what IIR tells comes to its end.
        #[test]
        fn a_driver_comes_to_its_end(accesses in prop::collection::vec((0u8..9, any::<u8>(), any::<bool>()), 0..200)) {
            let mut uart = Uart::default();
            for (offset, value, write) in accesses {
                match (offset, write) {
                    (8, _) => uart.receive(value),
                    (offset, true) if uart.sends(offset) => { let _ = send(&mut uart, value); }
                    (offset, true) => uart.write(offset, value),
                    (offset, false) => { let _ = uart.read(offset); }
                }
                prop_assert!(uart.received.len() <= FIFO_LEN && uart.room() <= FIFO_LEN);
            }
            uart.write(LCR, 0);
            for _ in 0..FIFO_LEN + 3 {
                match uart.read(IIR) & 0xf {
                    1 => break,
                    6 => { let _ = uart.read(LSR); }
                    4 | 12 => { let _ = uart.read(0); }
                    _ => {}
                }
            }
            prop_assert!(!uart.interrupts());
        }
    }
}
