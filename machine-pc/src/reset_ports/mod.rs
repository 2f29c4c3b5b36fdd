//! The three ways in which a guest resets a PC by a port write.
//!
//! Each is the small part of a larger chip that resets need: a keyboard controller without a
//! keyboard, system control port A, and the chipset's reset control register. None of them
//! resets anything itself: they report [`crate::vm_event::VmEvent::ResetRequest`]. A20 is always on: KVM
//! has no gate for it, so the bits that would switch it only read back.

pub mod i8042;
pub mod port92;
pub mod reset_control;

pub use i8042::I8042;
pub use port92::Port92;
pub use reset_control::ResetControl;
