//! CPUID tables against what guests of QEMU 11.1.2 read (`fixtures/guest-cpuid.json`).

use std::collections::BTreeMap;

use target_i386::cpuid::{CpuidRegs, CpuidTable};
use target_i386::describe;
use target_i386::source::Tcg;
use target_i386::topology::{CpuTopology, Placement};

type Rows = Vec<[u32; 6]>;
type Fixture = BTreeMap<String, BTreeMap<String, Rows>>;

/// Sub-leaves that the guest program asked for.
fn subleaves(leaf: u32) -> u32 {
    match leaf {
        0xb => 4,
        0x1f => 6,
        0x4 | 0x7 | 0xd | 0x12 | 0x14 | 0x1d | 0x1e | 0x24 | 0x29 | 0x8000_001d => 32,
        _ => 1,
    }
}

/// What a guest in real mode would list of a table: all-zero rows left out, ranges by their
/// first leaf's EAX where it is of the range.
fn listing(table: &CpuidTable) -> Rows {
    let mut rows = Rows::new();
    for base in [0u32, 0x4000_0000, 0x8000_0000, 0xc000_0000] {
        let last = table.read_at_reset(base, 0).eax;
        let last = if (base..base + 0x1000).contains(&last) { last } else { base };
        for leaf in base..=last {
            for subleaf in 0..subleaves(leaf) {
                let r = table.read_at_reset(leaf, subleaf);
                if r != CpuidRegs::ZERO {
                    rows.push([leaf, subleaf, r.eax, r.ebx, r.ecx, r.edx]);
                }
            }
        }
    }
    rows
}

fn hex(rows: &Rows) -> String {
    rows.iter()
        .map(|r| format!("{:8x} {:2x}: {:08x} {:08x} {:08x} {:08x}\n", r[0], r[1], r[2], r[3], r[4], r[5]))
        .collect()
}

#[test]
fn guests_read_what_the_reference_shows() {
    let fixture: Fixture = serde_json::from_str(include_str!("fixtures/guest-cpuid.json")).unwrap();
    assert_eq!(fixture.len(), 127);
    for (model, variants) in &fixture {
        for (variant, expected) in variants {
            let text = match variant.as_str() {
                "tcg" => model.clone(),
                "forced" => format!("{model},x-force-features=on"),
                other => panic!("unknown variant {other}"),
            };
            let cpu = describe(&text, Placement::boot(CpuTopology::single()), &Tcg).unwrap().cpu;
            let mut rows = listing(&cpu.table);
            if expected.iter().all(|r| r[0] != 0xc000_0000) {
                // The guest program looked at VIA's range only where there is one.
                rows.retain(|r| r[0] < 0xc000_0000);
            }
            assert_eq!(hex(&rows), hex(expected), "{text}");
        }
    }
}
