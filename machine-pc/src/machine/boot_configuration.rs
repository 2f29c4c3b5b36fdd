//! The machine property `boot`: what was said of booting (`-boot`, `-machine boot.…`).
//!
//! It is kept for whoever tells firmware. Nothing is told to firmware here, and nothing is booted.

use qom::property_struct;

use crate::cmdline::BootOptions;

property_struct! {
    /// How a machine boots; the members are those of `-boot`.
    #[derive(Default)]
    pub struct BootConfiguration("BootConfiguration") {
        /// Devices to boot from, a letter each.
        optional order: String = "order",
        /// The same, for the first boot only.
        optional once: String = "once",
        /// Show a menu.
        optional menu: bool = "menu",
        /// A picture to show.
        optional splash: String = "splash",
        /// How long to show it, in milliseconds.
        optional splash_time: i64 = "splash-time",
        /// When to boot again after a failure, in milliseconds; -1 for never.
        optional reboot_timeout: i64 = "reboot-timeout",
        /// Boot from nothing else.
        optional strict: bool = "strict",
    }
}

/// What a PC boots from where nobody says: hard disk, CD-ROM, floppy disk.
const DEFAULT_ORDER: &str = "cad";

impl BootConfiguration {
    /// As a PC has it: with an order.
    #[must_use]
    pub fn of_pc(self) -> Self {
        Self { order: self.order.or_else(|| Some(DEFAULT_ORDER.to_owned())), ..self }
    }
}

impl From<&BootOptions> for BootConfiguration {
    fn from(options: &BootOptions) -> Self {
        let BootOptions { order, once, menu, splash, splash_time, reboot_timeout, strict } = options.clone();
        Self { order, once, menu, splash, splash_time, reboot_timeout, strict }
    }
}
