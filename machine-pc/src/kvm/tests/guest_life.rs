//! The built-in guest from its first instruction to resets, with CPUs that come and go.

use std::time::{Duration, Instant};

use super::board::{Board, Options, need_kvm};
use crate::guest::BoardInfo;
use crate::kvm::{PlugError, VcpuId};
use crate::vm_event::{ResetCause, VmEvent};

fn line(text: &str) -> String {
    text.to_owned()
}

#[test]
fn boots_with_one_and_with_four_cpus_on_both_boards() {
    need_kvm!();
    for info in [BoardInfo::I440FX, BoardInfo::Q35] {
        for present in [1, 4] {
            drop(Board::boot(Options { info, present, ..Options::default() }));
        }
    }
}

#[test]
fn boots_by_x2apic_and_in_the_least_ram() {
    need_kvm!();
    drop(Board::boot(Options { x2apic: true, present: 3, ..Options::default() }));
    drop(Board::boot(Options { ram: 32 << 10, present: 2, ..Options::default() }));
}

#[test]
fn cpus_come_and_go_in_any_order() {
    need_kvm!();
    let mut board = Board::boot(Options::default());
    for slot in [3, 1] {
        board.plug_and_wait(slot);
    }
    board.unplug_and_wait(3);
    for slot in [2, 3] {
        board.plug_and_wait(slot);
    }
    for slot in [1, 3, 2] {
        board.unplug_and_wait(slot);
    }
    assert_eq!(board.vm.parked(), 3);
    board.plug_and_wait(1);
    assert_eq!(board.vm.parked(), 2);
    assert!(board.no_events());
}

#[test]
fn apic_ids_above_254_come_up() {
    need_kvm!();
    let mut board =
        Board::boot(Options { apic_id: |slot| slot * 150, x2apic: true, present: 2, ..Options::default() });
    board.plug_and_wait(2);
    board.unplug_and_wait(2);
    board.plug_and_wait(3);
    board.plug_and_wait(2);
}

#[test]
fn three_hundred_cpus_come_up() {
    need_kvm!();
    let options = Options { slots: 300, present: 280, x2apic: true, ..Options::default() };
    let start = Instant::now();
    let mut board = Board::new(options);
    println!("280 vCPUs plugged in {:?}", start.elapsed());
    board.vm.resume();
    board.expect_boot();
    println!("all up after {:?}", start.elapsed());
    let mut longest = Duration::ZERO;
    for slot in 280..300 {
        let config = board.config(slot);
        let start = Instant::now();
        board.vm.plug(config).unwrap();
        longest = longest.max(start.elapsed());
        board.hotplug.plug_hot(slot).unwrap();
        board.expect(&[board.up_line(slot)]);
        board.expect_ost(slot, 1, 0);
    }
    println!("longest plug of a new vCPU among 280: {longest:?}");
}

#[test]
fn several_events_at_once_are_all_handled() {
    need_kvm!();
    let mut board = Board::boot(Options { slots: 8, ..Options::default() });
    board.vm.pause().unwrap();
    for slot in [5, 2, 7] {
        board.plug(slot);
    }
    board.request_unplug(7);
    board.vm.resume();
    board.expect(&[2, 5, 7].map(|slot| board.up_line(slot)));
    for slot in [2, 5, 7] {
        board.expect_ost(slot, 1, 0);
    }
    board.expect_ost(7, 3, 0x84);
    assert_eq!(board.event(), VmEvent::CpuEject { slot: 7 });
    board.vm.unplug(VcpuId(7)).unwrap();
    board.expect(&[line("qom guest: cpu 7: gone")]);
}

#[test]
fn a_stopped_machine_does_nothing_until_it_goes_on() {
    need_kvm!();
    let mut board = Board::new(Options { present: 2, ..Options::default() });
    std::thread::sleep(Duration::from_millis(50));
    assert_eq!(board.console.text(), "");
    board.vm.resume();
    board.expect_boot();
    for slot in [2, 3] {
        board.vm.pause().unwrap();
        let before = board.console.text();
        board.plug(slot);
        std::thread::sleep(Duration::from_millis(30));
        assert_eq!(board.console.text(), before);
        board.vm.resume();
        board.expect(&[board.up_line(slot)]);
        board.expect_ost(slot, 1, 0);
    }
}

#[test]
fn a_reset_keeps_the_cpus() {
    need_kvm!();
    let mut board = Board::boot(Options::default());
    board.plug_and_wait(2);
    board.com1.receive(b"r");
    board.expect(&[line("qom guest: reset")]);
    assert_eq!(board.event(), VmEvent::ResetRequest(ResetCause::ResetPort));
    // The guest also knocks at the keyboard controller, if it got that far.
    board.reset();
    let mut boot = vec![line("qom guest: 2 of 4 CPUs present")];
    boot.extend([0, 2].map(|slot| board.up_line(slot)));
    board.expect(&boot);
    while !board.no_events() {}
    board.unplug_and_wait(2);
    board.reset();
    board.expect(&[line("qom guest: 1 of 4 CPUs present"), board.up_line(0)]);
    board.plug_and_wait(1);
    board.plug_and_wait(2);
}

#[test]
fn a_cpu_plugged_right_before_a_reset_is_found_and_reported_once() {
    need_kvm!();
    let mut board = Board::boot(Options::default());
    board.vm.pause().unwrap();
    board.plug(3);
    board.reset();
    let mut boot = vec![line("qom guest: 2 of 4 CPUs present")];
    boot.extend([0, 3].map(|slot| board.up_line(slot)));
    board.expect(&boot);
    board.expect_ost(3, 1, 0);
    board.unplug_and_wait(3);
    assert!(board.no_events());
}

#[test]
fn console_commands_answer() {
    need_kvm!();
    let mut board = Board::boot(Options::default());
    board.com1.receive(b"?h\n");
    let help = "qom guest: h help, r reset, v print CPUID of this and of each new CPU";
    board.expect(&[line(help)]);
}

#[test]
fn the_guest_reads_the_cpuid_that_kvm_shows() {
    need_kvm!();
    let mut board = Board::boot(Options::default());
    board.com1.receive(b"v");
    board.expect(&[line("qom guest: verbose on")]);
    let dump = dump(&mut board, 0);
    board.plug(2);
    board.expect(&[board.up_line(2)]);
    let other = self::dump(&mut board, 2);
    board.com1.receive(b"v");
    for (slot, dump) in [(0, &dump), (2, &other)] {
        let table = board.vm.vcpu(VcpuId(slot)).unwrap().kvm_cpuid().unwrap();
        let entries = table.as_slice();
        assert!(dump.len() > 10, "{dump:?}");
        for leaf in [0u32, 1, 0x8000_0002, 0x8000_0003, 0x8000_0004] {
            let entry = entries.iter().find(|e| e.function == leaf).unwrap();
            let regs = [entry.eax, entry.ebx, entry.ecx, entry.edx].map(|r| format!("{r:08x}"));
            let want = format!("cpu {slot}: cpuid {leaf:08x}:00000000 {}", regs.join(" "));
            // OSXSAVE and the software KVM's own bits are not in the table it gives back.
            let compared = if leaf == 1 { want.len() - 27 } else { want.len() };
            assert!(dump.iter().any(|l| l[..compared] == want[..compared]), "{want} in {dump:?}");
        }
        let id = format!("cpu {slot}: cpuid 0000000b:00000000 00000000 00000001 00000100 {slot:08x}");
        assert!(dump.contains(&id), "{id} in {dump:?}");
    }
}

fn dump(board: &mut Board, slot: u32) -> Vec<String> {
    let end = format!("cpu {slot}: cpuid end");
    let deadline = Instant::now() + Duration::from_secs(30);
    loop {
        let all = board.console.lines(0);
        if let Some(at) = all.iter().position(|l| *l == end) {
            let dump: Vec<_> = all[..=at]
                .iter()
                .filter(|l| l.starts_with(&format!("cpu {slot}: cpuid ")))
                .cloned()
                .collect();
            board.expect(&dump);
            return dump;
        }
        assert!(Instant::now() < deadline, "{all:?}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn nonsense_in_the_registers_harms_nobody() {
    need_kvm!();
    let mut board = Board::boot(Options { present: 2, ..Options::default() });
    // Another master on the bus than the guest: every value at every register, all sizes.
    let mut seed = 0x9e37_79b9_7f4a_7c15u64;
    for _ in 0..200_000 {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        let [offset, size, value, ..] = seed.to_be_bytes();
        let size = 1usize << (size % 3);
        let eject = offset % 16 == 4 && value & 0x0e == 8;
        if !eject {
            let bytes = u32::from(value).to_le_bytes();
            board.pio.write(0xaf00 + u64::from(offset % 16), &bytes[..size]);
        }
        let mut data = [0; 4];
        board.pio.read(0xaf00 + u64::from(offset % 16), &mut data[..size]);
    }
    while !board.no_events() {}
    assert_eq!(board.hotplug.statuses().iter().filter(|s| s.present).count(), 2);
    assert_eq!(board.gpe().len(), 4);
    board.plug_and_wait(3);
}

#[test]
fn a_slot_is_taken_once_and_a_failed_plug_leaves_nothing() {
    need_kvm!();
    let mut board = Board::boot(Options::default());
    let error = board.vm.plug(board.config(0)).unwrap_err();
    assert!(matches!(error, PlugError::Exists(VcpuId(0))));
    assert_eq!(error.to_string(), "vCPU 0 exists");
    let mut bad = board.config(1);
    bad.msrs.push((0xdead_beef, 1));
    let error = board.vm.plug(bad).unwrap_err();
    assert_eq!(error.to_string(), "vCPU 1: KVM refuses MSR 0xdeadbeef = 0x1");
    assert!(board.vm.vcpu(VcpuId(1)).is_none());
    let beyond = board.vm.capabilities().max_vcpu_id();
    let far = crate::kvm::VcpuConfig { id: VcpuId(beyond), ..board.config(1) };
    assert!(matches!(board.vm.plug(far).unwrap_err(), PlugError::Create { .. }));
    board.plug_and_wait(1);
}
