//! The feature words read from CPUID, second part: those that QEMU reports after the feature MSRs.

use super::FeatureWord as W;
use super::row::{WordDef, h, n, subleaf, word};
use crate::cpuid::Register::{Eax, Ebx, Ecx, Edx};

/// Words in the order in which QEMU reports them, after the feature MSRs.
pub(super) const WORDS: &[WordDef] = &[
    word(W::Leaf14Sub0Ecx, subleaf(0x14, 0, Ecx), &[n(31, "intel-pt-lip")]),
    word(W::Leaf12Sub0Eax, subleaf(0x12, 0, Eax), &[n(0, "sgx1"), n(1, "sgx2"), n(11, "sgx-edeccssa")]),
    word(W::Leaf12Sub0Ebx, subleaf(0x12, 0, Ebx), &[n(0, "sgx-exinfo")]),
    word(
        W::Leaf12Sub1Eax,
        subleaf(0x12, 1, Eax),
        &[
            n(1, "sgx-debug"),
            n(2, "sgx-mode64"),
            n(4, "sgx-provisionkey"),
            n(5, "sgx-tokenkey"),
            n(7, "sgx-kss"),
            n(10, "sgx-aex-notify"),
        ],
    ),
    word(
        W::XssLow,
        subleaf(0xd, 1, Ecx),
        &[
            h(11, "xss-cet-u").migratable(),
            h(12, "xss-cet-s").migratable(),
            h(15, "xss-arch-lbr").migratable(),
        ],
    ),
    word(W::XssHigh, subleaf(0xd, 1, Edx), &[]),
    word(W::Leaf7Sub1Ecx, subleaf(0x7, 1, Ecx), &[n(5, "msr-imm")]),
    word(
        W::Leaf7Sub1Edx,
        subleaf(0x7, 1, Edx),
        &[
            n(4, "avx-vnni-int8"),
            n(5, "avx-ne-convert"),
            n(8, "amx-complex"),
            n(10, "avx-vnni-int16"),
            n(14, "prefetchiti"),
            n(19, "avx10"),
            n(21, "apxf"),
        ],
    ),
    word(
        W::Leaf7Sub2Edx,
        subleaf(0x7, 2, Edx),
        &[
            n(0, "intel-psfd"),
            n(1, "ipred-ctrl"),
            n(2, "rrsba-ctrl"),
            n(3, "ddpd-u"),
            n(4, "bhi-ctrl"),
            n(5, "mcdt-no"),
        ],
    ),
    word(
        W::Leaf24Sub0Ebx,
        subleaf(0x24, 0, Ebx),
        &[n(16, "avx10-128"), n(17, "avx10-256"), n(18, "avx10-512")],
    ),
    word(W::Leaf29Sub0Ebx, subleaf(0x29, 0, Ebx), &[n(0, "apx-nci-ndd-nf")]),
    word(
        W::Leaf1ESub1Eax,
        subleaf(0x1e, 1, Eax),
        &[
            n(0, "amx-int8-alias"),
            n(1, "amx-bf16-alias"),
            n(2, "amx-complex-alias"),
            n(3, "amx-fp16-alias"),
            n(4, "amx-fp8"),
            n(6, "amx-tf32"),
            n(7, "amx-avx512"),
            n(8, "amx-movrs"),
        ],
    ),
    word(W::Leaf24Sub1Ecx, subleaf(0x24, 1, Ecx), &[n(2, "avx10-vnni-int")]),
];
