//! The state components that XSAVE saves, and what they need of its area.
//!
//! Components 0 to 62 are bits of XCR0 (user states) or IA32_XSS (supervisor states); Intel SDM
//! volume 1, chapter 13. A component is enabled by features: `avx` brings component 2.

use crate::feature::{Feature, FeatureSet, FeatureWord, feature};

/// Number of components that QEMU knows: 0 (x87) to 19 (APX).
pub const COMPONENTS: usize = 20;

/// Supervisor components: CET user and supervisor state, architectural LBR.
const SUPERVISOR: u64 = 1 << 11 | 1 << 12 | 1 << 15;

/// Size and place of one component in the XSAVE area.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
pub struct XsaveComponent {
    /// Bytes; 0 if the accelerator has no such component.
    pub size: u32,
    /// Offset in the standard form of the area, in bytes.
    pub offset: u32,
    /// ECX of the component's sub-leaf: bit 0 for a supervisor component, bit 1 if aligned to
    /// 64 bytes in the compacted form.
    pub flags: u32,
}

/// Legacy region and header, in bytes.
pub(crate) const HEADER: u32 = 512 + 64;

/// Architectural sizes and, for those that TCG saves, offsets in the standard form.
pub(crate) const ARCHITECTURAL: [XsaveComponent; COMPONENTS] = {
    const fn at(size: u32, offset: u32) -> XsaveComponent {
        XsaveComponent { size, offset, flags: 0 }
    }
    let mut all = [at(0, 0); COMPONENTS];
    all[0] = at(HEADER, 0);
    all[1] = at(HEADER, 0);
    all[2] = at(256, 576);
    all[3] = at(64, 960);
    all[4] = at(64, 1024);
    all[5] = at(64, 1088);
    all[6] = at(512, 1152);
    all[7] = at(1024, 1664);
    all[9] = at(8, 2688);
    all[11] = at(16, 0);
    all[12] = at(24, 0);
    all[15] = at(808, 0);
    all[17] = at(64, 0);
    all[18] = at(8192, 0);
    all[19] = at(128, 0);
    all
};

const XSAVE: Feature = feature("xsave");
const AVX: Feature = feature("avx");
const MPX: Feature = feature("mpx");
const AVX512F: Feature = feature("avx512f");
const AVX10: Feature = feature("avx10");
const PKU: Feature = feature("pku");
const CET_SS: Feature = feature("cet-ss");
const CET_IBT: Feature = feature("cet-ibt");
const ARCH_LBR: Feature = feature("arch-lbr");
const AMX_TILE: Feature = feature("amx-tile");
const APXF: Feature = feature("apxf");
const XSAVES: Feature = feature("xsaves");

/// Features of which any one brings the component; the first names it in reports.
pub(crate) const fn enablers(component: usize) -> &'static [Feature] {
    match component {
        0 | 1 => &[XSAVE],
        2 => &[AVX],
        3 | 4 => &[MPX],
        5..=7 => &[AVX512F, AVX10],
        9 => &[PKU],
        11 | 12 => &[CET_SS, CET_IBT],
        15 => &[ARCH_LBR],
        17 | 18 => &[AMX_TILE],
        19 => &[APXF],
        _ => &[],
    }
}

/// Sets the XCR0 and IA32_XSS words to the components that the features bring.
pub(crate) fn enable_components(features: &mut FeatureSet, components: &[XsaveComponent; COMPONENTS]) {
    let mut mask = 0u64;
    if features.has(XSAVE) {
        for (i, component) in components.iter().enumerate() {
            let bit = 1 << i;
            let reachable = bit & SUPERVISOR == 0 || features.has(XSAVES);
            if component.size != 0 && reachable && enablers(i).iter().any(|f| features.has(*f)) {
                mask |= bit;
            }
        }
    }
    let (user, supervisor) = (mask & !SUPERVISOR, mask & SUPERVISOR);
    features.set_word(FeatureWord::Xcr0Low, user & 0xffff_ffff);
    features.set_word(FeatureWord::Xcr0High, user >> 32);
    features.set_word(FeatureWord::XssLow, supervisor & 0xffff_ffff);
    features.set_word(FeatureWord::XssHigh, supervisor >> 32);
}

/// Bytes that the components of `mask` need, in the standard or the compacted form.
///
/// The compacted form is QEMU's: without the alignment that some components ask for.
#[must_use]
pub fn area_size(components: &[XsaveComponent; COMPONENTS], mask: u64, compacted: bool) -> u32 {
    let mut size = HEADER;
    for (i, component) in components.iter().enumerate().skip(2) {
        if mask >> i & 1 == 1 {
            let offset = if compacted { size } else { component.offset };
            size = size.max(offset.saturating_add(component.size));
        }
    }
    size
}
