//! A thousand CPUs come and go, and nothing remains of them.
//!
//! Tests run as threads of one process, and others' threads and descriptors would be counted
//! too: so the test runs itself again, alone in a process.

use std::process::Command;
use std::time::Instant;

use super::board::{Board, Options, need_kvm};
use crate::kvm::VcpuId;
use crate::vm_event::VmEvent;

const ALONE: &str = "QOM_TEST_ALONE";

fn entries(directory: &str) -> usize {
    std::fs::read_dir(directory).unwrap().count()
}

fn resident_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|l| l.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

#[test]
fn a_thousand_cycles_leak_neither_threads_nor_descriptors_nor_memory() {
    need_kvm!();
    if std::env::var_os(ALONE).is_some() {
        return cycles();
    }
    let name = std::thread::current().name().unwrap().to_owned();
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", &name, "--nocapture", "--test-threads", "1"])
        .env(ALONE, "1")
        .output()
        .unwrap();
    println!("{}", String::from_utf8_lossy(&output.stdout));
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

fn cycles() {
    let mut board = Board::boot(Options { apic_id: |slot| slot * 37, ..Options::default() });
    let config = board.config(1);
    let mut plugs = Vec::new();
    let mut ups = Vec::new();
    let mut unplugs = Vec::new();
    let mut counts = Vec::new();
    for _ in 0..1000 {
        let start = Instant::now();
        board.vm.plug(config.clone()).unwrap();
        board.hotplug.plug_hot(1).unwrap();
        plugs.push(start.elapsed());
        let seen = board.read;
        board.expect(&[board.up_line(1)]);
        ups.push(board.console.time_of(seen).duration_since(start));
        board.expect_ost(1, 1, 0);
        board.request_unplug(1);
        board.expect_ost(1, 3, 0x84);
        assert_eq!(board.event(), VmEvent::CpuEject { slot: 1 });
        let start = Instant::now();
        board.vm.unplug(VcpuId(37)).unwrap();
        unplugs.push(start.elapsed());
        board.expect_ost(1, 3, 0);
        board.expect(&["qom guest: cpu 1: gone".to_owned()]);
        assert_eq!(board.vm.parked(), 1);
        counts.push((entries("/proc/self/task"), entries("/proc/self/fd"), resident_kib()));
    }
    for (what, times) in [("plug", &mut plugs), ("plug to first output", &mut ups), ("unplug", &mut unplugs)]
    {
        times.sort();
        println!("{what}: median {:?}, worst {:?}", times[500], times[999]);
    }
    println!("threads, descriptors, resident KiB: {:?}, {:?}", counts[0], counts[999]);
    // The first cycles warm caches up; the console's text itself is 120 KiB.
    let (early, late) = (counts[10], counts[999]);
    assert_eq!((early.0, early.1), (late.0, late.1));
    assert!(late.2 < early.2 + 1024, "{early:?} {late:?}");
}
