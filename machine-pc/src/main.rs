//! The program `qom-system-x86_64`; see [`machine_pc::program`].

use std::process::ExitCode;

fn main() -> ExitCode {
    machine_pc::program::main(std::env::args_os().skip(1).map(|word| word.to_string_lossy().into_owned()))
}
