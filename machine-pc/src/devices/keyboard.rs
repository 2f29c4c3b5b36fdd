//! `i8042`: the keyboard controller.

use qom::{ClassInit, DeviceClass, TypeInfo};

use super::board;
use super::fixed::{ON_OFF, fixed};

const NO_CHOICE: &str = "the controller's interrupts are these";

fn class_init(class: &mut ClassInit<'_>) {
    let methods = class.data_mut::<DeviceClass>();
    // The board has one; a second would be at the same ports.
    methods.user_creatable = false;
    methods.reset.hold = |device, _| {
        if let Some(board) = board(&**device.as_object()) {
            board.i8042().reset();
        }
    };
    class.add_property(fixed("kbd-throttle", false, "no keyboard is connected").description(ON_OFF));
    class.add_property(fixed("kbd-irq", 1_u8, NO_CHOICE));
    class.add_property(fixed("mouse-irq", 12_u8, NO_CHOICE));
}

fn keyboard_controller() -> TypeInfo {
    TypeInfo::new("i8042", "isa-device", qom::site!()).class_init(class_init)
}

qom::register_types!(keyboard_controller);
