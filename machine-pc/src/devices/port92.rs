//! `port92`: system control port A.

use qom::{ClassInit, DeviceClass, TypeInfo};

use super::board;

fn class_init(class: &mut ClassInit<'_>) {
    let methods = class.data_mut::<DeviceClass>();
    methods.user_creatable = false;
    methods.reset.hold = |device, _| {
        if let Some(board) = board(&**device.as_object()) {
            board.port92().reset();
        }
    };
}

fn port92() -> TypeInfo {
    TypeInfo::new("port92", "isa-device", qom::site!()).class_init(class_init)
}

qom::register_types!(port92);
