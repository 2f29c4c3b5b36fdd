//! Devices that are connected to a chardev: their property `chardev`, and the chardev's ends while the device does not work.

use std::io::Write;

use parking_lot::Mutex;
use qom::{Field, Property, PropertyValue};

use super::chardev_ends::{ChardevEnds, ConnectError, InputTaker};
use super::{machine, refused};
use crate::chardev::OpenError;

/// A device's property `chardev`: its value, and the chardev's ends.
#[derive(Debug, Default)]
pub(super) struct Connected {
    chardev: Field<Option<String>>,
    ends: Mutex<Option<ChardevEnds>>,
}

impl Connected {
    /// The property `chardev` of devices of `O`. Errors name the device's part of type `part`.
    pub(super) fn property<O: qom::Object>(part: &'static str, of: fn(&O) -> &Self) -> Property {
        Property::typed::<String>("chardev")
            .description("ID of a chardev to use as a backend")
            .get(move |object| {
                let name = object.downcast_ref::<O>().and_then(|this| of(this).chardev.get());
                Ok(name.unwrap_or_default().into())
            })
            .set(move |object, input| {
                let name = String::read("chardev", input)?;
                let Some(this) = object.downcast_ref::<O>().map(of) else { return Ok(()) };
                if name.is_empty() {
                    this.chardev.set(None);
                    this.replace(None);
                    return Ok(());
                }
                let taken = machine(object).and_then(|machine| Some(machine.chardevs()?.take(&name)));
                match taken.unwrap_or(Err(ConnectError::NotFound)) {
                    Ok(ends) => {
                        this.replace(Some(ends));
                        this.chardev.set(Some(name));
                        Ok(())
                    }
                    Err(ConnectError::NotFound) => {
                        Err(refused(format_args!("Property '{part}.chardev' can't find value '{name}'")))
                    }
                    Err(ConnectError::InUse) => Err(refused(format_args!(
                        "Property '{part}.chardev' can't take value '{name}': chardev '{name}' is already in use"
                    ))),
                    Err(ConnectError::TooMany) => Err(refused(format_args!(
                        "Property '{part}.chardev' can't take value '{name}': {}",
                        OpenError::TooManyUsers(name.clone())
                    ))),
                }
            })
    }

    /// Has other ends. The place of those before is free after that: not while they are locked, as the chardevs' lock is taken for it, and
    /// what the device wrote is sent.
    fn replace(&self, ends: Option<ChardevEnds>) {
        let before = std::mem::replace(&mut *self.ends.lock(), ends);
        drop(before);
    }

    /// Whether a chardev was named.
    pub(super) fn is_connected(&self) -> bool {
        self.ends.lock().is_some()
    }

    /// Takes the end that output goes into, for as long as the device works; of no chardev, one that leads nowhere.
    pub(super) fn take_output(&self) -> Box<dyn Write + Send> {
        let nowhere: Box<dyn Write + Send> = Box::new(std::io::sink());
        match &mut *self.ends.lock() {
            Some(ends) => std::mem::replace(&mut ends.output, nowhere),
            None => nowhere,
        }
    }

    /// Gives it back, so that the device can be put to work again.
    pub(super) fn give_back(&self, output: Box<dyn Write + Send>) {
        if let Some(ends) = &mut *self.ends.lock() {
            ends.output = output;
        }
    }

    /// Says who gets what comes from the chardev.
    pub(super) fn set_input(&self, taker: Option<InputTaker>) {
        if let Some(ends) = &*self.ends.lock() {
            ends.input.set(taker);
        }
    }
}
