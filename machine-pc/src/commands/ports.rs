//! I/O ports: the human monitor's `i` and `o`.
//!
//! They reach the devices that the program has. The interrupt controllers and the timer are in the kernel, which answers for
//! them to the guest only: here, as where nothing is, they read as all ones.

use qmp::{Context, Error, hmp_command};

use crate::io_bus::IoBus;
use crate::vm::Vm;

/// The widest access to a port.
const WIDEST: usize = 4;

fn on_bus<R>(context: &Context, act: impl FnOnce(&IoBus) -> R) -> Result<R, Error> {
    let machine = context.require::<Vm>()?.machine();
    let board = machine.and_then(|machine| machine.board());
    board.map(|board| act(board.pio())).ok_or_else(|| Error::generic("this machine has no I/O ports"))
}

/// A port's number: the low 16 bits.
fn port(value: Option<i64>) -> u64 {
    value.unwrap_or_default().cast_unsigned() & 0xffff
}

hmp_command! {
    "i", "fmt:/,addr:i,index:i.", "/fmt addr", "I/O port read" =>
    fn i(monitor, arguments) {
        let mut port = port(arguments.int("addr"));
        let size = usize::from(arguments.format().size);
        let index = arguments.int("index").map(|index| (index & 0xff) as u8);
        let mut value = [0; 8];
        on_bus(monitor.context, |bus| {
            if let Some(index) = index {
                bus.write(port, &[index]);
                port += 1;
            }
            bus.read(port, &mut value[..size.min(WIDEST)]);
        })?;
        let suffix = match size {
            1 => 'b',
            2 => 'w',
            _ => 'l',
        };
        let (value, width) = (u64::from_le_bytes(value), size * 2);
        monitor.print(format_args!("port{suffix}[0x{port:04x}] = 0x{value:0width$x}\n"));
        Ok(())
    }
}

hmp_command! {
    "o", "fmt:/,addr:i,val:i", "/fmt addr value", "I/O port write" =>
    fn o(monitor, arguments) {
        let size = usize::from(arguments.format().size).min(WIDEST);
        let value = arguments.int("val").unwrap_or_default().to_le_bytes();
        on_bus(monitor.context, |bus| bus.write(port(arguments.int("addr")), &value[..size]))
    }
}
