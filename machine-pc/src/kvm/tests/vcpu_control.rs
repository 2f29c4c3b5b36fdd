//! Stopping, looking into and ending vCPUs, without regard to what the guest does.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use super::board::{Board, Options, cpuid, need_kvm, reset_vm};
use crate::io_bus::{IoBus, IoDevice};
use crate::kvm::{KvmVm, VcpuConfig, VcpuError, VcpuId, VmBuses, VmOptions};
use crate::memory::{GuestMemory, RamLayout, Rom};
use crate::vm_event::{ResetCause, VmEvent};

#[derive(Default)]
struct Counter {
    writes: AtomicU64,
    last: AtomicU64,
}

impl IoDevice for Counter {
    fn read(&self, _: u64, _: u8) -> u64 {
        0x42
    }
    fn write(&self, _: u64, _: u8, value: u64) {
        self.last.store(value, Ordering::SeqCst);
        self.writes.fetch_add(1, Ordering::SeqCst);
    }
}

struct Bare {
    vm: KvmVm,
    port: Arc<Counter>,
    events: std::sync::mpsc::Receiver<VmEvent>,
}

/// A VM whose CPU 0 runs `code` from the reset vector's segment, and a counter at port 0x10.
fn bare(code: &[u8]) -> Bare {
    let mut image = vec![0xf4; 64 << 10];
    image[..code.len()].copy_from_slice(code);
    image[0xfff0..0xfff5].copy_from_slice(&[0xea, 0, 0, 0, 0xf0]);
    let vm = KvmVm::new(VmOptions::default()).unwrap();
    let memory = GuestMemory::new(RamLayout::q35(1 << 20, None), Some(Rom::new(image).unwrap())).unwrap();
    vm.map(&memory).unwrap();
    let port = Arc::new(Counter::default());
    let pio = IoBus::pio();
    pio.insert("counter", 0x10, 4, port.clone()).unwrap();
    let (sender, events) = std::sync::mpsc::channel();
    let sink = Arc::new(move |e| {
        if !matches!(e, VmEvent::CpuStarted { .. }) {
            let _ = sender.send(e);
        }
    });
    vm.attach(VmBuses { pio: pio.into(), mmio: IoBus::mmio().into(), events: sink }).unwrap();
    let id = VcpuId(0);
    vm.plug(VcpuConfig {
        id,
        index: 0,
        boot: true,
        cpuid: cpuid(0, false),
        tsc_khz: None,
        machine_check: None,
        capabilities: Vec::new(),
        msrs: Vec::new(),
    })
    .unwrap();
    Bare { vm, port, events }
}

#[track_caller]
fn until(what: impl Fn() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(20);
    while !what() {
        assert!(Instant::now() < deadline);
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// `inc ax; out 0x10, ax; jmp`
const COUNT: &[u8] = &[0x40, 0xe7, 0x10, 0xeb, 0xfb];
/// `jmp $`
const SPIN: &[u8] = &[0xeb, 0xfe];
/// `cli; hlt`
const SLEEP: &[u8] = &[0xfa, 0xf4];

#[test]
fn stop_is_prompt_and_complete_whatever_the_guest_does() {
    need_kvm!();
    for code in [COUNT, SPIN, SLEEP] {
        let Bare { vm, port, .. } = bare(code);
        let mut longest = Duration::ZERO;
        for round in 0..300 {
            vm.resume();
            if round % 3 == 0 {
                std::thread::sleep(Duration::from_micros(200));
            }
            let start = Instant::now();
            vm.pause().unwrap();
            longest = longest.max(start.elapsed());
            let writes = port.writes.load(Ordering::SeqCst);
            if round % 100 == 0 {
                std::thread::sleep(Duration::from_millis(5));
            }
            assert_eq!(port.writes.load(Ordering::SeqCst), writes);
        }
        println!("longest stop of {code:x?}: {longest:?}");
        assert!(longest < Duration::from_secs(1));
    }
}

#[test]
fn registers_are_those_after_the_last_access() {
    need_kvm!();
    let Bare { vm, port, .. } = bare(COUNT);
    let vcpu = vm.vcpu(VcpuId(0)).unwrap();
    assert!(vcpu.tid().is_some());
    for _ in 0..50 {
        vm.resume();
        std::thread::sleep(Duration::from_micros(500));
        vm.pause().unwrap();
        let regs = vcpu.registers().unwrap();
        let (rip, ax) = (regs.general.rip, regs.general.rax & 0xffff);
        // The next instruction is one whose predecessor is complete.
        let out = port.last.load(Ordering::SeqCst);
        match rip {
            0 | 3 => assert_eq!(ax, out, "rip {rip}"),
            1 => assert_eq!(ax, (out + 1) & 0xffff),
            0xfff0 => assert_eq!(out, 0),
            other => panic!("rip {other:#x}"),
        }
    }
}

#[test]
fn an_answer_to_a_port_read_is_not_lost_by_a_stop() {
    need_kvm!();
    // in al, 0x10; cmp al, 0x42; je start; out 0x10, al (says it was wrong); jmp start
    let Bare { vm, port, .. } = bare(&[0xe4, 0x10, 0x3c, 0x42, 0x74, 0xfa, 0xe6, 0x10, 0xeb, 0xf6]);
    let vcpu = vm.vcpu(VcpuId(0)).unwrap();
    for _ in 0..200 {
        vm.resume();
        vcpu.registers().unwrap();
        vm.pause().unwrap();
    }
    assert_eq!(port.writes.load(Ordering::SeqCst), 0);
}

#[test]
fn a_triple_fault_asks_for_a_reset_and_the_reset_helps() {
    need_kvm!();
    // out 0x10, al; lidt of a zero-length table; int3
    let code = [0xe6, 0x10, 0x2e, 0x0f, 0x01, 0x1e, 0x20, 0x00, 0xcc];
    let mut code = code.to_vec();
    code.resize(0x26, 0);
    let Bare { vm, port, events } = bare(&code);
    vm.resume();
    for round in 1..=3 {
        let event = events.recv_timeout(Duration::from_secs(20));
        let regs = || vm.vcpu(VcpuId(0)).unwrap().registers();
        match event.unwrap_or_else(|_| panic!("round {round}: no event: {:x?}", regs())) {
            VmEvent::ResetRequest(ResetCause::TripleFault) => {}
            // The software KVM gives up on it in its own way: the vCPU stops all the same.
            VmEvent::InternalError { cpu_index: 0, detail } => println!("internal error: {detail}"),
            other => panic!("{other:?}"),
        }
        until(|| vm.vcpu(VcpuId(0)).unwrap().is_stalled());
        assert_eq!(port.writes.load(Ordering::SeqCst), round);
        reset_vm(&vm);
    }
}

#[test]
fn a_reset_brings_back_the_state_of_power_on() {
    need_kvm!();
    let Bare { vm, .. } = bare(COUNT);
    let vcpu = vm.vcpu(VcpuId(0)).unwrap();
    let fresh = vcpu.registers().unwrap();
    assert_eq!((fresh.general.rip, fresh.system.cs.base), (0xfff0, 0xffff_0000));
    let table = cpuid(0, false);
    let signature = table.as_slice().iter().find(|e| e.function == 1).unwrap().eax;
    assert_eq!(fresh.general.rdx, u64::from(signature));
    until(|| {
        vm.resume();
        std::thread::sleep(Duration::from_millis(5));
        vm.pause().unwrap();
        vcpu.registers().unwrap().general != fresh.general
    });
    reset_vm(&vm);
    let again = vcpu.registers().unwrap();
    assert_eq!(again.general, fresh.general);
    assert_eq!(again.system.cs, fresh.system.cs);
    assert_eq!(again.system.cr0, fresh.system.cr0);
    assert_eq!(again.system.apic_base, fresh.system.apic_base);
    assert!(!vm.is_running());
}

#[test]
fn a_parked_vcpu_that_ran_keeps_its_table() {
    need_kvm!();
    let Bare { vm, port, .. } = bare(COUNT);
    vm.resume();
    until(|| port.writes.load(Ordering::SeqCst) > 0);
    vm.unplug(VcpuId(0)).unwrap();
    assert!(matches!(vm.unplug(VcpuId(0)), Err(VcpuError::NotPlugged(VcpuId(0)))));
    assert_eq!(vm.parked(), 1);
    let same = VcpuConfig {
        id: VcpuId(0),
        index: 0,
        boot: true,
        cpuid: cpuid(0, false),
        tsc_khz: None,
        machine_check: None,
        capabilities: Vec::new(),
        msrs: Vec::new(),
    };
    let other = VcpuConfig { cpuid: cpuid(9, false), ..same.clone() };
    match vm.plug(other) {
        // A kernel that does not mind: older than 5.16, or one of another making.
        Ok(_) => vm.unplug(VcpuId(0)).unwrap(),
        Err(error) => assert!(error.to_string().contains("another CPUID table"), "{error}"),
    }
    let before = port.writes.load(Ordering::SeqCst);
    vm.plug(same).map_err(|e| e.to_string()).ok();
    until(|| vm.vcpu(VcpuId(0)).is_none() || port.writes.load(Ordering::SeqCst) > before);
}

#[test]
fn ended_threads_refuse_work() {
    need_kvm!();
    let Bare { vm, .. } = bare(SPIN);
    let vcpu = vm.vcpu(VcpuId(0)).unwrap();
    vm.resume();
    vm.unplug(VcpuId(0)).unwrap();
    assert!(matches!(vcpu.registers(), Err(VcpuError::Ended(VcpuId(0)))));
}

#[test]
fn dropping_a_running_machine_ends_its_threads() {
    need_kvm!();
    let board = Board::boot(Options { present: 4, ..Options::default() });
    let tids: Vec<_> = board.vm.vcpus().iter().map(|v| v.tid().unwrap()).collect();
    let name = std::fs::read_to_string(format!("/proc/self/task/{}/comm", tids[3])).unwrap();
    assert_eq!(name.trim(), "CPU 3/KVM");
    drop(board);
    until(|| tids.iter().all(|t| !std::path::Path::new(&format!("/proc/self/task/{t}")).exists()));
}
