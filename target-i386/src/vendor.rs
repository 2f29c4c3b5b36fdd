//! Vendor string and family/model/stepping signature.

use std::fmt;

/// The twelve bytes of CPUID leaf 0 (EBX, EDX, ECX). All zero: not set.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Vendor([u8; 12]);

/// A vendor must be twelve bytes long.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("value of property 'vendor' must consist of exactly 12 characters")]
pub struct BadVendor;

impl Vendor {
    /// Not set.
    pub const NONE: Self = Self([0; 12]);
    /// `GenuineIntel`.
    pub const INTEL: Self = Self(*b"GenuineIntel");
    /// `AuthenticAMD`.
    pub const AMD: Self = Self(*b"AuthenticAMD");
    /// `HygonGenuine`: a relative of AMD that does not count as AMD for CPUID's layout.
    pub const HYGON: Self = Self(*b"HygonGenuine");
    /// `  Shanghai  `: Zhaoxin.
    pub const ZHAOXIN: Self = Self(*b"  Shanghai  ");
    /// `CentaurHauls`: counts as Zhaoxin.
    pub const CENTAUR: Self = Self(*b"CentaurHauls");

    /// A vendor from its text.
    ///
    /// # Errors
    ///
    /// If the text is not twelve bytes long.
    pub fn new(text: &str) -> Result<Self, BadVendor> {
        text.as_bytes().try_into().map(Self).map_err(|_| BadVendor)
    }

    /// A vendor from a constant text.
    ///
    /// # Panics
    ///
    /// If the text is not twelve bytes long; in a constant that is a compile error.
    #[must_use]
    pub const fn from_static(text: &'static str) -> Self {
        match text.as_bytes() {
            [a, b, c, d, e, f, g, h, i, j, k, l] => Self([*a, *b, *c, *d, *e, *f, *g, *h, *i, *j, *k, *l]),
            _ => panic!("a vendor has twelve characters"),
        }
    }

    /// A vendor from EBX, EDX and ECX of leaf 0, in the order of the text.
    #[must_use]
    pub fn from_registers(ebx: u32, edx: u32, ecx: u32) -> Self {
        let mut bytes = [0; 12];
        for (chunk, value) in bytes.chunks_exact_mut(4).zip([ebx, edx, ecx]) {
            chunk.copy_from_slice(&value.to_le_bytes());
        }
        Self(bytes)
    }

    /// EBX, EDX and ECX of leaf 0.
    #[must_use]
    pub const fn registers(self) -> (u32, u32, u32) {
        let [a, b, c, d, e, f, g, h, i, j, k, l] = self.0;
        (u32::from_le_bytes([a, b, c, d]), u32::from_le_bytes([e, f, g, h]), u32::from_le_bytes([i, j, k, l]))
    }

    /// Whether leaves are laid out as Intel's.
    #[must_use]
    pub fn is_intel(self) -> bool {
        self == Self::INTEL
    }

    /// Whether leaves are laid out as AMD's.
    #[must_use]
    pub fn is_amd(self) -> bool {
        self == Self::AMD
    }

    /// Whether the CPU follows Intel's topology leaves: Intel, Zhaoxin or Centaur.
    #[must_use]
    pub fn is_intel_like(self) -> bool {
        [Self::INTEL, Self::ZHAOXIN, Self::CENTAUR].contains(&self)
    }

    /// Whether a host of this vendor can give a guest of the other its performance counters: those of Intel, Zhaoxin and
    /// Centaur have the same registers, and all others their own.
    #[must_use]
    pub fn has_counters_of(self, guest: Self) -> bool {
        self == guest || self.is_intel_like() && guest.is_intel_like()
    }
}

/// The text up to the first zero byte.
impl fmt::Display for Vendor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let end = self.0.iter().position(|b| *b == 0).unwrap_or(12);
        f.write_str(&String::from_utf8_lossy(&self.0[..end]))
    }
}

impl fmt::Debug for Vendor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Vendor({:?})", self.to_string())
    }
}

/// Family, model and stepping as EAX of CPUID leaf 1 packs them (Intel SDM volume 2A, figure 3-6).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Signature(u32);

impl Signature {
    /// Highest family: the base field at 0Fh plus the extended field at FFh.
    pub const MAX_FAMILY: u64 = 0xff + 0xf;
    /// Highest model.
    pub const MAX_MODEL: u64 = 0xff;
    /// Highest stepping.
    pub const MAX_STEPPING: u64 = 0xf;

    /// The packed value; higher families, models and steppings than the maximum are cut.
    #[must_use]
    pub const fn new(family: u16, model: u8, stepping: u8) -> Self {
        Self(0).with_family(family).with_model(model).with_stepping(stepping)
    }

    /// From EAX of leaf 1.
    #[must_use]
    pub const fn from_eax(eax: u32) -> Self {
        Self(eax)
    }

    /// EAX of leaf 1.
    #[must_use]
    pub const fn eax(self) -> u32 {
        self.0
    }

    /// Family, extended part included.
    #[must_use]
    pub const fn family(self) -> u32 {
        let base = self.0 >> 8 & 0xf;
        if base == 0xf { base + (self.0 >> 20 & 0xff) } else { base }
    }

    /// Model, extended part included.
    #[must_use]
    pub const fn model(self) -> u32 {
        self.0 >> 4 & 0xf | self.0 >> 12 & 0xf0
    }

    /// Stepping.
    #[must_use]
    pub const fn stepping(self) -> u32 {
        self.0 & 0xf
    }

    /// With another family.
    #[must_use]
    pub const fn with_family(self, family: u16) -> Self {
        let family = family as u32;
        let field = if family > 0xf { 0xf00 | ((family - 0xf) & 0xff) << 20 } else { family << 8 };
        Self(self.0 & !0x0ff0_0f00 | field)
    }

    /// With another model.
    #[must_use]
    pub const fn with_model(self, model: u8) -> Self {
        let model = model as u32;
        Self(self.0 & !0x000f_00f0 | (model & 0xf) << 4 | (model >> 4) << 16)
    }

    /// With another stepping.
    #[must_use]
    pub const fn with_stepping(self, stepping: u8) -> Self {
        Self(self.0 & !0xf | stepping as u32 & 0xf)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn vendor_registers_are_those_of_the_manuals() {
        // Intel SDM volume 2A, CPUID leaf 0.
        assert_eq!(Vendor::INTEL.registers(), (0x756e_6547, 0x4965_6e69, 0x6c65_746e));
        assert_eq!(Vendor::from_registers(0x756e_6547, 0x4965_6e69, 0x6c65_746e), Vendor::INTEL);
        assert_eq!(Vendor::new("short"), Err(BadVendor));
        assert_eq!(Vendor::NONE.to_string(), "");
        assert_eq!(Vendor::from_static("AuthenticAMD"), Vendor::AMD);
    }

    #[test]
    fn counters_are_a_family_matter() {
        for (host, guest, same) in [
            (Vendor::AMD, Vendor::AMD, true),
            (Vendor::INTEL, Vendor::ZHAOXIN, true),
            (Vendor::CENTAUR, Vendor::INTEL, true),
            (Vendor::AMD, Vendor::HYGON, false),
            (Vendor::INTEL, Vendor::AMD, false),
        ] {
            assert_eq!(host.has_counters_of(guest), same, "{host} {guest}");
        }
    }

    proptest! {
        #[test]
        fn signature_round_trip(family in 0u16..=270, model: u8, stepping in 0u8..16) {
            let s = Signature::new(family, model, stepping);
            prop_assert_eq!((s.family(), s.model(), s.stepping()),
                (u32::from(family), u32::from(model), u32::from(stepping)));
        }
    }
}
