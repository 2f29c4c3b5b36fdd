//! A stock Linux in the program under KVM: it boots with no firmware, and its CPUs come and go.
//!
//! The guest is Debian's cloud kernel with a shell on COM1 (`tests/linux/init`). `tests/linux/run` gathers its files and a
//! machine whose KVM can run it, and starts these tests there with the files' directory in `LINUX_GUEST`. Without that they
//! say that they are skipped: a software KVM does not run stock kernels.

mod linux;

use linux::{Linux, files_or_skip, topology};
use serde_json::json;

/// What the kernel must never say: that its firmware or its ACPI tables are wrong, or that something went wrong in itself.
const COMPLAINTS: &str = r"dmesg | grep -E 'Firmware Bug|ACPI.*(Error|Exception|Warning|BIOS)|WARNING:|BUG:|Oops|Call Trace|unchecked MSR'";

/// Two sockets of two cores of two threads, so that the APIC IDs are 0 to 7, of a model that tells all levels. The KVM of
/// the emulated machine does not let the size of XSAVE's area follow XCR0, which a kernel rightly warns of, in QEMU too.
const EIGHT: [&str; 4] = ["-cpu", "EPYC,-xsave", "-smp", "1,sockets=2,cores=2,threads=2,maxcpus=8"];

fn no_complaint(guest: &mut Linux) {
    let (status, log) = guest.run(COMPLAINTS);
    assert_eq!((status, log.as_str()), (1, ""), "the kernel complains");
}

/// Plugs a CPU, puts it online by hand, and has it work.
fn add_and_use(guest: &mut Linux, apic_id: u32) {
    guest.plug(apic_id);
    let cpu = guest.cpu_of(apic_id);
    assert_eq!(
        guest.ok(&format!("cat /sys/devices/system/cpu/cpu{cpu}/online")),
        "0",
        "nobody has put it online"
    );
    let _ = guest.ok(&format!("echo 1 > /sys/devices/system/cpu/cpu{cpu}/online"));
    works(guest, apic_id);
}

/// A loop that is pinned to the CPU runs there, and the CPU is what was plugged.
fn works(guest: &mut Linux, apic_id: u32) {
    let cpu = guest.cpu_of(apic_id);
    let pinned = format!(
        "taskset -c {cpu} sh -c 'i=0; while [ $i -lt 3000 ]; do i=$((i+1)); done; echo $i; cut -d\" \" -f39 /proc/self/stat'"
    );
    assert_eq!(guest.ok(&pinned), format!("3000\n{cpu}"), "the loop ran there");
    let ours = guest.cpuinfo(cpu);
    let first = guest.cpuinfo(0);
    let at = topology(apic_id);
    assert_eq!(ours["apicid"], apic_id.to_string());
    assert_eq!(ours["physical id"], at.socket.to_string());
    assert_eq!(ours["core id"], at.core.to_string());
    for same in
        ["vendor_id", "cpu family", "model", "stepping", "model name", "flags", "bugs", "address sizes"]
    {
        assert_eq!(ours[same], first[same], "{same} of CPU {apic_id} and of the boot CPU");
    }
}

fn remove(guest: &mut Linux, apic_id: u32) {
    let cpu = guest.cpu_of(apic_id);
    guest.unplug(apic_id);
    assert!(!guest.ok("ls /sys/devices/system/cpu").lines().any(|name| name == format!("cpu{cpu}")));
}

fn cpus_come_and_go(machine: &str) {
    let Some(mut guest) = Linux::start(machine, &EIGHT, "") else { return };
    assert_eq!(guest.ok("cat /sys/devices/system/cpu/present"), "0");
    assert_eq!(guest.ok("cat /sys/devices/system/cpu/possible"), "0-7");
    for apic_id in [6, 1, 3] {
        add_and_use(&mut guest, apic_id);
    }
    assert_eq!(guest.ok("nproc"), "4");
    for apic_id in [1, 6] {
        remove(&mut guest, apic_id);
    }
    for apic_id in [6, 7, 1] {
        add_and_use(&mut guest, apic_id);
    }
    remove(&mut guest, 3);
    no_complaint(&mut guest);

    // What was plugged is there after a reboot, from the start.
    guest.reboot();
    assert_eq!(guest.ok("cat /sys/devices/system/cpu/online"), "0-3");
    for apic_id in [0, 1, 6, 7] {
        works(&mut guest, apic_id);
    }
    for apic_id in [7, 1] {
        remove(&mut guest, apic_id);
    }
    add_and_use(&mut guest, 2);
    no_complaint(&mut guest);

    guest.power_down();
}

#[test]
fn cpus_of_a_pc_come_and_go() {
    cpus_come_and_go("pc");
}

#[test]
fn cpus_of_a_q35_come_and_go() {
    cpus_come_and_go("q35");
}

/// A plugged CPU is on the node that the user gave its socket to. (Of the first EPYC, Linux takes the cache's sharers to
/// be those of APIC ID / 8, whatever CPUID says, so that both sockets would share one; Rome's it reads from CPUID.)
#[test]
fn a_hot_added_cpu_is_on_its_node() {
    let numa = [
        "-cpu",
        "EPYC-Rome,-xsave",
        "-object",
        "memory-backend-ram,id=ram0,size=128M",
        "-object",
        "memory-backend-ram,id=ram1,size=128M",
        "-numa",
        "node,nodeid=0,memdev=ram0",
        "-numa",
        "node,nodeid=1,memdev=ram1",
        "-numa",
        "cpu,node-id=0,socket-id=0",
        "-numa",
        "cpu,node-id=1,socket-id=1",
        "-numa",
        "dist,src=0,dst=1,val=30",
    ];
    let Some(mut guest) = Linux::start("q35", &[&EIGHT[..], &numa].concat(), "") else { return };
    assert_eq!(guest.ok("cat /sys/devices/system/node/online"), "0-1");
    assert_eq!(guest.ok("cat /sys/devices/system/node/node0/distance"), "10 30");
    for (apic_id, node) in [(5, 1), (2, 0)] {
        add_and_use(&mut guest, apic_id);
        let cpu = guest.cpu_of(apic_id);
        assert_eq!(
            guest.ok(&format!("ls -d /sys/devices/system/cpu/cpu{cpu}/node*")),
            format!("/sys/devices/system/cpu/cpu{cpu}/node{node}")
        );
    }
    remove(&mut guest, 5);
    add_and_use(&mut guest, 5);
    no_complaint(&mut guest);
}

/// The rule of `docs/guest-cpu-hotplug.md`, with the udev that Debian has.
#[test]
fn the_udev_rule_puts_cpus_online() {
    let Some(mut guest) = Linux::start("q35", &EIGHT, "udev") else { return };
    for apic_id in [4, 1] {
        guest.plug(apic_id);
        let cpu = guest.cpu_of(apic_id);
        guest.wait(&format!("cat /sys/devices/system/cpu/cpu{cpu}/online"), "1");
        works(&mut guest, apic_id);
    }
}

/// An ELF kernel is started by the PVH protocol, and is the same guest.
#[test]
fn a_vmlinux_boots() {
    let Some(mut guest) = Linux::start_kernel("vmlinux", "pc", &EIGHT, "") else { return };
    add_and_use(&mut guest, 1);
    no_complaint(&mut guest);
}

/// `-no-reboot` ends the program where the guest would start again.
#[test]
fn no_reboot_holds() {
    let Some(mut guest) = Linux::start("q35", &[&EIGHT[..], &["-no-reboot"]].concat(), "") else { return };
    guest.send("reboot -f");
    let event = guest.qmp.event("SHUTDOWN");
    assert_eq!(event["data"], json!({"guest": true, "reason": "guest-reset"}));
    assert_eq!(guest.program.wait(), Some(0));
}

/// What the guest sees of its CPUs is what it sees in QEMU 11.1 with the same command line.
#[test]
fn cpus_are_those_of_the_reference() {
    let Some(directory) = files_or_skip("cpus_are_those_of_the_reference") else { return };
    linux::compare_with_reference(&directory);
}
