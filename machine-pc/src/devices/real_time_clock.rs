//! `mc146818rtc`: the real-time clock.

use qom::{ClassInit, DeviceClass, Field, Instance, Property, Value, property_enum};
use qom_derive::Object;
use serde_json::json;

use super::fixed::fixed;
use super::{IsaDevice, board};
use crate::rtc::calendar::CivilTime;
use crate::rtc::{RTC_BASE, RTC_IRQ};

property_enum! {
    /// What becomes of ticks that come while the last one is not acknowledged.
    pub enum LostTickPolicy("LostTickPolicy") {
        /// They are lost.
        Discard = "discard",
        /// They come later, one after the other.
        Delay = "delay",
        /// They come in between until all have.
        Slew = "slew",
    }
}

/// How the reference describes a property of this type.
pub(super) const LOST_TICK_POLICY: &str = "Policy for handling lost ticks (discard/delay/slew)";

/// The state of an `mc146818rtc`.
#[derive(Debug, Object)]
#[object(name = "mc146818rtc", class_init = RealTimeClock::class_init)]
pub(super) struct RealTimeClock {
    parent: IsaDevice,
    // On a PC the machine sets it: there the century has a byte of its own.
    #[property(get, set, name = "base_year", default = 1980)]
    base_year: Field<i32>,
}

qom::register_types!(<RealTimeClock as Instance>::type_info);

const NO_CHOICE: &str = "the board has its clock there";

impl RealTimeClock {
    fn class_init(class: &mut ClassInit<'_>) {
        let methods = class.data_mut::<DeviceClass>();
        // The board has one; a second would be at the same ports.
        methods.user_creatable = false;
        methods.reset.hold = |device, _| {
            if let Some(board) = board(&**device.as_object()) {
                board.rtc().reset();
            }
        };
        class.add_property(fixed("iobase", RTC_BASE as u16, NO_CHOICE));
        class.add_property(fixed("irq", RTC_IRQ, NO_CHOICE));
        class.add_property(
            fixed("lost_tick_policy", LostTickPolicy::Discard, "ticks that nobody acknowledges are one")
                .description(LOST_TICK_POLICY),
        );
        class.add_property(Property::new("date", "struct tm").get(|object| {
            let Some(board) = board(object) else { return Ok(Value::Null) };
            let time = CivilTime::from_seconds(board.rtc().time());
            Ok(json!({
                "tm_year": time.year - 1900,
                "tm_mon": time.month - 1,
                "tm_mday": time.day,
                "tm_hour": time.hour,
                "tm_min": time.minute,
                "tm_sec": time.second,
            }))
        }));
    }
}
