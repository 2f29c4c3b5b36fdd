//! `x-ospm-guest`: the scripted guest as a device.
//!
//! Realizing it takes the board's [seat](super::Seat) and starts the guest's thread; a reset of the machine takes the
//! guest's power and gives it back. What the user can say of it may be said again at any time, so that a test can
//! change the guest's mind. No other object is touched.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::Mutex;
use qom::{
    ClassInit, Device, DeviceClass, Error, Field, Instance, Obj, Object, Property, PropertyValue, ResetType,
};
use qom_derive::Object;
use thiserror::Error as ThisError;

use super::guest::{Counters, Guest};
use super::policy::Manner;
use super::registers::Registers;
use super::worker::Worker;
use crate::machine::PcMachine;

/// Why there can be no scripted guest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ThisError)]
pub enum OspmError {
    /// There are no registers for it.
    #[error("x-ospm-guest needs a machine with ACPI")]
    NoAcpi,
    /// A guest runs.
    #[error("x-ospm-guest takes the place of a guest, and this accelerator runs one; use tcg or qtest")]
    RealGuest,
    /// Who is to be asked to let it go is the guest itself.
    #[error("x-ospm-guest cannot be removed; with policy=never-answers it does nothing")]
    Stays,
}

/// The state of an `x-ospm-guest`.
#[derive(Debug, Object)]
#[object(name = "x-ospm-guest", class_init = OspmGuest::class_init)]
pub struct OspmGuest {
    parent: Device,
    #[object(default = Field::new(Manner::default()))]
    manner: Field<Manner>,
    counters: Arc<Counters>,
    worker: Mutex<Option<Worker>>,
}

qom::register_types!(<OspmGuest as Instance>::type_info);

/// A counter as a property.
fn counter(name: &'static str, description: &'static str, of: fn(&Counters) -> &AtomicU64) -> Property {
    Property::typed::<u64>(name).description(description).get(move |object| {
        let this = object.downcast_ref::<OspmGuest>();
        Ok(this.map_or(0, |this| of(&this.counters).load(Ordering::Relaxed)).into())
    })
}

impl OspmGuest {
    fn class_init(class: &mut ClassInit<'_>) {
        let methods = class.data_mut::<DeviceClass>();
        methods.description =
            Some("Plays the operating system's side of CPU hotplug and the power button where no guest runs");
        methods.realize = |device| Self::with(device, Self::realize).unwrap_or(Ok(()));
        methods.unrealize = |device| {
            Self::with(device, |this, device| {
                if let Some(tree) = machine(device).as_deref().and_then(PcMachine::reset_tree) {
                    tree.remove_device(device);
                }
                this.end();
            });
        };
        // In the last phase the board's registers have been reset: what is enabled from there on stays so.
        methods.reset.enter = |device, _: ResetType| Self::with_worker(device, Worker::power_off);
        methods.reset.exit = |device, _: ResetType| Self::with_worker(device, Worker::power_on);
        class.add_property(
            Self::manner_property("policy", |manner| &mut manner.policy)
                .description(
                    "How it behaves: cooperative, refuses-eject, never-answers, answers-late, \
                     reboots-in-mid-plug, legacy-bitmap, ost-error",
                )
                .default(Manner::default().policy.to_value()),
        );
        class.add_property(
            Self::manner_property("delay", |manner| &mut manner.delay_ms)
                .description("After how many milliseconds answers-late answers")
                .default(Manner::default().delay_ms),
        );
        class.add_property(
            Self::manner_property("ost-status", |manner| &mut manner.ost_status)
                .description("What ost-error reports, a status code of _OST")
                .default(Manner::default().ost_status),
        );
        for property in [
            counter("boots", "How often it has booted", |counters| &counters.boots),
            counter("cpus", "How many CPUs it has", |counters| &counters.cpus),
            counter("events-seen", "How many events it has acknowledged", |counters| &counters.events),
            counter("ejects", "How many CPUs it has let go", |counters| &counters.ejects),
            counter("osts", "How many reports it has made", |counters| &counters.reports),
        ] {
            class.add_property(property);
        }
    }

    /// A property that is a part of its manner.
    fn manner_property<T: PropertyValue + Copy>(
        name: &'static str,
        part: fn(&mut Manner) -> &mut T,
    ) -> Property {
        Property::typed::<T>(name)
            .get(move |object| {
                let mut manner =
                    object.downcast_ref::<Self>().map(|this| this.manner.get()).unwrap_or_default();
                Ok(part(&mut manner).to_value())
            })
            .set(move |object, input| {
                let value = T::read(name, input)?;
                if let Some(this) = object.downcast_ref::<Self>() {
                    this.manner.update(|manner| *part(manner) = value);
                    if let Some(worker) = &*this.worker.lock() {
                        worker.set_manner(this.manner.get());
                    }
                }
                Ok(())
            })
            .settable_after_realize()
    }

    fn with<R>(device: &Obj<Device>, act: impl FnOnce(&Self, &Obj<Device>) -> R) -> Option<R> {
        device.as_object().downcast_ref::<Self>().map(|this| act(this, device))
    }

    fn with_worker(device: &Obj<Device>, act: fn(&Worker)) {
        Self::with(device, |this, _| this.worker.lock().as_ref().map(act));
    }

    fn realize(&self, device: &Obj<Device>) -> Result<(), Error> {
        let machine = machine(device).ok_or_else(|| Error::new(OspmError::NoAcpi))?;
        let (Some(board), Some(tree)) = (machine.board(), machine.reset_tree()) else {
            return Err(Error::new(OspmError::NoAcpi));
        };
        let seat = board.seat().ok_or_else(|| Error::new(OspmError::RealGuest))?;
        let ports = seat.ports().ok_or_else(|| Error::new(OspmError::NoAcpi))?;
        let guest = Guest::new(Registers::new(board.pio().clone(), ports), self.counters.clone());
        // One that comes late is reset as part of its realization, and gets its power there.
        let worker = Worker::start(guest, seat, self.manner.get(), !device.is_hotplugged());
        *self.worker.lock() = Some(worker.map_err(Error::new)?);
        tree.add_device(device).map_err(|error| {
            self.end();
            Error::new(error)
        })
    }

    /// Whether a device is one.
    pub fn is(device: &Obj<Device>) -> bool {
        device.core().class().is_a(Self::TYPE_NAME)
    }

    /// Ends the guest.
    fn end(&self) {
        let worker = self.worker.lock().take();
        drop(worker);
    }
}

fn machine(device: &Obj<Device>) -> Option<Obj<PcMachine>> {
    Obj::new(device.core().root()?.core().child("machine")?).ok()
}
