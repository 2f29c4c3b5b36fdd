//! Looking into a guest: its CPUs' registers, its memory, its interrupt controllers, for a person or a debugger.
//!
//! A vCPU is asked on its own thread ([`crate::kvm::Vcpu`]): one that runs leaves the guest for as long as its registers are
//! copied and goes on. Everything else works on the copy. What is asked for here never changes the guest, and nothing is
//! kept: the next question looks again.
//!
//! Where no guest code runs (`tcg`, `qtest`) there are neither registers nor memory. That is an error which says so: made-up
//! zeroes would be taken for the guest's.

pub(crate) mod address_spaces;
pub(crate) mod cpu;
pub(crate) mod disassembly;
pub(crate) mod dump;
pub(crate) mod irqchip;
pub(crate) mod lapic;
pub(crate) mod mtree;
pub(crate) mod page_walk;
pub(crate) mod paging;
pub(crate) mod physical;
pub(crate) mod ram_blocks;
pub(crate) mod registers;

use std::sync::Arc;

use qmp::{Context, Error};
use qom::{Obj, Object};

use self::cpu::CpuSnapshot;
use self::paging::Paging;
use self::physical::PhysicalMemory;
use crate::kvm::{KvmVm, Vcpu, VcpuId};
use crate::machine::PcMachine;
use crate::machine::board::Board;
use crate::machine::possible_cpus::PossibleCpus;
use crate::vm::Vm;

/// A guest that can be looked into.
#[derive(Debug, Clone)]
pub(crate) struct Guest {
    machine: Obj<PcMachine>,
}

impl Guest {
    /// The machine's guest.
    ///
    /// # Errors
    /// The machine has no CPUs, or is not built yet.
    pub(crate) fn of(context: &Context) -> Result<Self, Error> {
        let machine = context.require::<Vm>()?.machine().cloned();
        let machine = machine.filter(|machine| machine.board().is_some());
        machine.map(|machine| Self { machine }).ok_or_else(|| Error::generic("No CPU available"))
    }

    /// Its hardware.
    pub(crate) fn board(&self) -> Option<&Arc<Board>> {
        self.machine.board()
    }

    /// Where guest code runs.
    pub(crate) fn kvm(&self) -> Result<&KvmVm, Error> {
        let vm = self.board().and_then(|board| board.vm());
        vm.ok_or_else(|| {
            Error::generic("no guest code runs with this accelerator, so there is nothing to look at")
        })
    }

    /// Indices of its CPUs, in rising order.
    pub(crate) fn cpus(&self) -> Vec<usize> {
        let mut cpus = self.machine.possible_cpus().map(PossibleCpus::plugged).unwrap_or_default();
        cpus.sort_unstable();
        cpus
    }

    /// The index of a CPU that is there: that one, or the first one if none is named or it has gone.
    pub(crate) fn current(&self, cpu: Option<usize>) -> Result<usize, Error> {
        let cpus = self.cpus();
        let chosen = cpu.filter(|cpu| cpus.contains(cpu)).or(cpus.first().copied());
        chosen.ok_or_else(|| Error::generic("No CPU available"))
    }

    /// The index of the CPU with an APIC ID, if it is there.
    pub(crate) fn with_apic_id(&self, id: u32) -> Option<usize> {
        let possible = self.machine.possible_cpus()?;
        self.cpus().into_iter().find(|index| possible.get(*index).is_some_and(|cpu| cpu.apic_id.0 == id))
    }

    /// A CPU's object.
    pub(crate) fn cpu(&self, index: usize) -> Option<Arc<dyn Object>> {
        self.machine.possible_cpus()?.get(index)?.cpu()
    }

    /// The vCPU of a CPU.
    pub(crate) fn vcpu(&self, index: usize) -> Result<Arc<Vcpu>, Error> {
        let vm = self.kvm()?;
        let id =
            self.machine.possible_cpus().and_then(|cpus| cpus.get(index)).map(|cpu| VcpuId(cpu.apic_id.0));
        id.and_then(|id| vm.vcpu(id)).ok_or_else(|| Error::generic("No CPU available"))
    }

    /// What a CPU's registers hold now.
    pub(crate) fn snapshot(&self, index: usize) -> Result<CpuSnapshot, Error> {
        CpuSnapshot::take(&*self.vcpu(index)?).map_err(Error::generic)
    }

    /// Its memory by physical addresses.
    pub(crate) fn memory(&self) -> Result<PhysicalMemory, Error> {
        self.kvm()?;
        let memory = self.board().and_then(|board| board.memory());
        memory.map(PhysicalMemory::new).ok_or_else(|| Error::generic("there is no guest memory"))
    }

    /// How a CPU's linear addresses become physical ones now.
    pub(crate) fn paging(&self, index: usize) -> Result<Paging, Error> {
        Ok(Paging::of(&self.snapshot(index)?.system))
    }
}
