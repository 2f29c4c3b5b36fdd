//! What the machine has for a person to read: its ROM, what translates code, and what it has none of.

use qmp::{Context, Error, command, hmp_command};

use super::about::Accelerator;
use super::cpus::pc;
use super::numa::HumanReadableText;

/// What stands in ROM.
fn roms(context: &Context) -> Result<String, Error> {
    let Some(machine) = pc(context)? else { return Ok(String::new()) };
    let rom = machine.board().and_then(|board| board.memory()?.rom().map(crate::memory::Rom::size));
    let name = machine.machine().firmware().unwrap_or_else(|| "qom-guest".to_owned());
    Ok(rom.map_or_else(String::new, |size| {
        format!("addr={:016x} size=0x{size:06x} mem=rom name=\"{name}\"\n", (1_u64 << 32) - size)
    }))
}

command! {
    /// Returns the ROM images that the guest sees with their addresses, for a person to read. Empty where there are none.
    "x-query-roms" => fn x_query_roms(context: &mut Context, (): ()) -> Result<HumanReadableText, Error> {
        Ok(HumanReadableText { human_readable_text: roms(context)? })
    }
}

hmp_command! {
    info "roms", "", "", "show roms" =>
    fn info_roms(monitor, _arguments) {
        let text = roms(monitor.context)?;
        monitor.print(format_args!("{text}"));
        Ok(())
    }
}

/// No accelerator here translates code, whatever its name.
fn no_translation(context: &Context) -> Error {
    match Accelerator::in_use(context.qom()) {
        Some((_, Accelerator::Tcg)) => {
            Error::generic("accel=tcg runs no guest code here, so there is no JIT information")
        }
        _ => Error::generic("JIT information is only available with accel=tcg"),
    }
}

command! {
    /// Returns figures about translated code. Always fails, as no accelerator here translates code: with `tcg`
    /// (`accel=tcg runs no guest code here, so there is no JIT information`) and with all others
    /// (`JIT information is only available with accel=tcg`).
    "x-query-jit" => fn x_query_jit(context: &mut Context, (): ()) -> Result<HumanReadableText, Error> {
        Err(no_translation(context))
    }
}

hmp_command! {
    info "jit", "", "", "show dynamic compiler info" =>
    fn info_jit(monitor, _arguments) {
        Err(no_translation(monitor.context))
    }
}
