//! Features that several models share, by CPUID leaf and by the model that they came with.
//!
//! A later model names all parts that it has; the parts of a word are disjoint.

/// Bits of leaf 1 EDX that came with `pentium`.
pub(super) const PENTIUM_LEAF_1_EDX: &[&str] =
    &["fpu", "vme", "de", "pse", "tsc", "msr", "mce", "cx8", "apic", "mmx"];

/// Bits of leaf 1 EDX that came with `pentium2`.
pub(super) const PENTIUM2_LEAF_1_EDX: &[&str] =
    &["pae", "sep", "mtrr", "pge", "mca", "cmov", "pat", "pse36", "fxsr"];

/// Bits of leaf 1 EDX that came with `coreduo`.
pub(super) const COREDUO_LEAF_1_EDX: &[&str] =
    &["pae", "sep", "mtrr", "pge", "mca", "cmov", "pat", "clflush", "fxsr", "sse", "sse2"];

/// Bits of leaf 1 ECX that came with `n270`.
pub(super) const N270_LEAF_1_ECX: &[&str] = &["pni", "monitor", "ssse3", "movbe"];

/// Bits of leaf 1 ECX that came with `core2duo`.
pub(super) const CORE2DUO_LEAF_1_ECX: &[&str] = &["pni", "monitor", "ssse3", "cx16"];

/// Bits of leaf 1 ECX that came with `Penryn`.
pub(super) const PENRYN_LEAF_1_ECX: &[&str] = &["pni", "ssse3", "cx16", "sse4.1"];

/// Bits of leaf 1 ECX that came with `Westmere`.
pub(super) const WESTMERE_LEAF_1_ECX: &[&str] = &["pclmulqdq", "sse4.2", "popcnt", "aes"];

/// Bits of leaf 1 ECX that came with `SandyBridge`.
pub(super) const SANDY_BRIDGE_LEAF_1_ECX: &[&str] = &["x2apic", "tsc-deadline", "xsave", "avx"];

/// Bits of leaf 8000_0001h EDX that came with `SandyBridge`.
pub(super) const SANDY_BRIDGE_LEAF_8000_0001_EDX: &[&str] = &["syscall", "nx", "rdtscp", "lm"];

/// Bits of leaf 1 ECX that came with `Haswell`.
pub(super) const HASWELL_LEAF_1_ECX: &[&str] = &["fma", "pcid", "movbe", "f16c", "rdrand"];

/// Bits of leaf 7 EBX that came with `Haswell`.
pub(super) const HASWELL_LEAF_7_EBX: &[&str] =
    &["fsgsbase", "bmi1", "hle", "avx2", "smep", "bmi2", "erms", "invpcid", "rtm"];

/// Bits of leaf 7 EBX that came with `Skylake-Server`.
pub(super) const SKYLAKE_SERVER_LEAF_7_EBX: &[&str] = &[
    "avx512f",
    "avx512dq",
    "rdseed",
    "adx",
    "smap",
    "clflushopt",
    "clwb",
    "avx512cd",
    "avx512bw",
    "avx512vl",
];

/// Bits of leaf 7 EDX that came with `Cooperlake`.
pub(super) const COOPERLAKE_LEAF_7_EDX: &[&str] = &["spec-ctrl", "stibp", "arch-capabilities", "ssbd"];

/// Bits of the word `ArchCapabilities` that came with `Cooperlake`.
pub(super) const COOPERLAKE_ARCH_CAPABILITIES: &[&str] =
    &["rdctl-no", "ibrs-all", "skip-l1dfl-vmentry", "mds-no", "pschange-mc-no"];

/// Bits of leaf 7 ECX that came with `Icelake-Server`.
pub(super) const ICELAKE_SERVER_LEAF_7_ECX: &[&str] = &[
    "avx512vbmi",
    "umip",
    "pku",
    "avx512vbmi2",
    "gfni",
    "vaes",
    "vpclmulqdq",
    "avx512vnni",
    "avx512bitalg",
    "avx512-vpopcntdq",
    "la57",
];

/// Bits of leaf 7 EDX that came with `SapphireRapids`.
pub(super) const SAPPHIRE_RAPIDS_LEAF_7_EDX: &[&str] = &[
    "fsrm",
    "serialize",
    "tsx-ldtrk",
    "amx-bf16",
    "avx512-fp16",
    "amx-tile",
    "amx-int8",
    "spec-ctrl",
    "arch-capabilities",
    "ssbd",
];

/// Bits of leaf 7, sub-leaf 1, EAX that came with `SapphireRapids`.
pub(super) const SAPPHIRE_RAPIDS_LEAF_7_SUB_1_EAX: &[&str] =
    &["avx-vnni", "avx512-bf16", "fzrm", "fsrs", "fsrc"];

/// Bits of leaf Dh, sub-leaf 1, EAX that came with `SapphireRapids`.
pub(super) const SAPPHIRE_RAPIDS_LEAF_D_SUB_1_EAX: &[&str] = &["xsaveopt", "xsavec", "xgetbv1", "xsaves"];

/// Bits of the word `ArchCapabilities` that came with `GraniteRapids`.
pub(super) const GRANITE_RAPIDS_ARCH_CAPABILITIES: &[&str] =
    &["sbdr-ssdp-no", "fbsdp-no", "psdp-no", "pbrsb-no"];

/// Bits of leaf 7 ECX that came with `DiamondRapids`.
pub(super) const DIAMOND_RAPIDS_LEAF_7_ECX: &[&str] =
    &["rdpid", "bus-lock-detect", "cldemote", "movdiri", "movdir64b"];

/// Bits of leaf 7, sub-leaf 2, EDX that came with `DiamondRapids`.
pub(super) const DIAMOND_RAPIDS_LEAF_7_SUB_2_EDX: &[&str] =
    &["intel-psfd", "ipred-ctrl", "rrsba-ctrl", "ddpd-u", "bhi-ctrl", "mcdt-no"];

/// Bits of leaf 1 ECX that came with `Denverton`.
pub(super) const DENVERTON_LEAF_1_ECX: &[&str] =
    &["cx16", "sse4.1", "x2apic", "tsc-deadline", "xsave", "rdrand"];

/// Bits of leaf 7 EBX that came with `Denverton`.
pub(super) const DENVERTON_LEAF_7_EBX: &[&str] =
    &["fsgsbase", "smep", "erms", "rdseed", "smap", "clflushopt", "sha-ni"];

/// Bits of leaf 7 ECX that came with `Snowridge`.
pub(super) const SNOWRIDGE_LEAF_7_ECX: &[&str] = &["umip", "gfni", "cldemote", "movdiri", "movdir64b"];

/// Bits of leaf 1 ECX that came with `SierraForest`.
pub(super) const SIERRA_FOREST_LEAF_1_ECX: &[&str] = &["pni", "ssse3", "fma", "movbe", "avx", "f16c"];

/// Bits of leaf 7 EBX that came with `SierraForest`.
pub(super) const SIERRA_FOREST_LEAF_7_EBX: &[&str] = &["bmi1", "avx2", "bmi2", "adx"];

/// Bits of leaf 7 ECX that came with `SierraForest`.
pub(super) const SIERRA_FOREST_LEAF_7_ECX: &[&str] =
    &["umip", "pku", "gfni", "vaes", "vpclmulqdq", "rdpid", "bus-lock-detect"];

/// Bits of leaf 7 EDX that came with `SierraForest`.
pub(super) const SIERRA_FOREST_LEAF_7_EDX: &[&str] =
    &["fsrm", "serialize", "spec-ctrl", "arch-capabilities", "ssbd"];

/// Bits of leaf 7, sub-leaf 1, EAX that came with `SierraForest`.
pub(super) const SIERRA_FOREST_LEAF_7_SUB_1_EAX: &[&str] = &["avx-vnni", "cmpccxadd", "fsrs", "avx-ifma"];
