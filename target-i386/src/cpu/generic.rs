//! What CPUs of any architecture share: the abstract type `cpu`.

use std::fmt;
use std::sync::Arc;

use qom::derive::Object;
use qom::{ClassInit, Device, DeviceClass, Field, Property};

/// Who runs a CPU: the board's side of it. Its registers are there, not in the object.
pub trait CpuRunner: fmt::Debug + Send + Sync {
    /// Brings the registers to their state after a reset. Called in the *hold* phase of a reset; a failure is
    /// for the runner to keep and to report to whoever resets the machine.
    fn reset(&self);
}

/// The state of a CPU that does not depend on its architecture.
///
/// The board numbers its CPUs, and who runs one says on which thread of the host.
#[derive(Debug, Object)]
#[object(name = "cpu", abstract, class_init = Cpu::class_init)]
pub struct Cpu {
    parent: Device,
    index: Field<Option<u32>>,
    host_thread: Field<Option<u32>>,
    start_powered_off: Field<bool>,
    runner: Field<Option<Arc<dyn CpuRunner>>>,
    life: Field<Option<&'static str>>,
}

impl Cpu {
    fn class_init(class: &mut ClassInit<'_>) {
        // Boards wire CPUs up; a type opts in to `device_add` where its board can do that at any time.
        let device = class.data_mut::<DeviceClass>();
        device.user_creatable = false;
        device.reset.hold = |device, _| {
            // Copied out: no lock is held while it resets.
            let runner = device.cast::<Self>().and_then(|cpu| cpu.runner.get());
            if let Some(runner) = runner {
                runner.reset();
            }
        };
        // An x86 processor other than the first waits for INIT and SIPI whatever this says.
        class.add_property(
            Property::of::<Self, bool>("start-powered-off", |cpu| cpu.start_powered_off.get())
                .settable::<Self, bool>(|cpu, value| {
                    cpu.start_powered_off.set(value);
                    Ok(())
                })
                .settable_after_realize(),
        );
        class.add_property(
            Property::of::<Self, String>("x-vcpu-state", |cpu| {
                cpu.life.get().unwrap_or("unplugged").to_owned()
            })
            .description("What has become of it in its machine: unplugged until a board takes it in"),
        );
    }

    /// Says what has become of the CPU, in the board's word; none where no board knows it. Called by the board.
    pub fn set_life(&self, state: Option<&'static str>) {
        self.life.set(state);
    }

    /// `cpu-index`: the board's number of the CPU; none before the board takes it in.
    #[must_use]
    pub fn index(&self) -> Option<u32> {
        self.index.get()
    }

    /// Gives the CPU its number, or takes it away. Called by the board.
    pub fn set_index(&self, index: Option<u32>) {
        self.index.set(index);
    }

    /// The host's ID of the thread that runs the CPU (`gettid`), as `query-cpus-fast` shows it.
    #[must_use]
    pub fn host_thread(&self) -> Option<u32> {
        self.host_thread.get()
    }

    /// Says which host thread runs the CPU; none when it no longer runs.
    pub fn set_host_thread(&self, id: Option<u32>) {
        self.host_thread.set(id);
    }

    /// Says who runs the CPU, or that nobody does. Called by the board when it takes the CPU in and lets it go.
    pub fn set_runner(&self, runner: Option<Arc<dyn CpuRunner>>) {
        self.runner.set(runner);
    }
}
