//! Prints the host file of this machine: `cargo run -p target-i386 --features kvm --example record_host`.

use kvm_ioctls::Kvm;
use target_i386::source::HostCpuid;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    println!("{}", HostCpuid::record(&Kvm::new()?)?.to_json()?);
    Ok(())
}
