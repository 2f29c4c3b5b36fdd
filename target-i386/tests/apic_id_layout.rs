//! How wide the fields of an APIC ID are, and what comes of it: what QEMU's own test of x86 topology asks.
//!
//! The widths follow from Intel's rule: as many bits as the highest number of a level needs. The cases are at the steps from one
//! width to the next.

use target_i386::topology::{CpuTopology, Level};

/// Dies in a socket, modules in a die, cores in a module, threads in a core.
fn topology([dies, modules, cores, threads]: [u32; 4]) -> CpuTopology {
    CpuTopology::new(dies, modules, cores, threads).expect("a topology")
}

/// The widths of the fields for threads, cores, modules and dies.
fn widths(counts: [u32; 4]) -> [u32; 4] {
    let topology = topology(counts);
    let from = [Level::Thread, Level::Core, Level::Module, Level::Die, Level::Socket]
        .map(|level| topology.offset(level));
    [from[1] - from[0], from[2] - from[1], from[3] - from[2], from[4] - from[3]]
}

fn apic_id(counts: [u32; 4], index: u32) -> u32 {
    let topology = topology(counts);
    topology.encode(topology.ids_of_index(index)).expect("an APIC ID").0
}

#[test]
fn a_level_with_one_unit_takes_no_bits() {
    assert_eq!(widths([1, 1, 1, 1]), [0, 0, 0, 0]);
    for index in 0..4 {
        assert_eq!(apic_id([1, 1, 1, 1], index), index);
    }
}

#[test]
fn a_field_is_as_wide_as_its_highest_number() {
    for (threads, width) in [(1, 0), (2, 1), (3, 2), (4, 2), (14, 4), (15, 4), (16, 4), (17, 5)] {
        assert_eq!(widths([1, 1, 1, threads]), [width, 0, 0, 0], "{threads} threads");
    }
    for (cores, width) in [(30, 5), (31, 5), (32, 5), (33, 6)] {
        assert_eq!(widths([1, 1, cores, 2]), [1, width, 0, 0], "{cores} cores");
    }
    for (modules, width) in [(6, 3), (7, 3), (8, 3), (9, 4)] {
        assert_eq!(widths([1, modules, 30, 2]), [1, 5, width, 0], "{modules} modules");
    }
    for (dies, width) in [(1, 0), (2, 1), (3, 2), (4, 2)] {
        assert_eq!(widths([dies, 6, 30, 2]), [1, 5, 3, width], "{dies} dies");
    }
}

#[test]
fn indices_count_units_and_apic_ids_bits() {
    // 2 bits for 3 threads, 3 for 6 cores, none for modules and dies.
    let counts = [1, 1, 6, 3];
    assert_eq!(widths(counts), [2, 3, 0, 0]);
    let index = |socket: u32, core: u32, thread: u32| socket * 6 * 3 + core * 3 + thread;
    for (socket, core, thread) in [
        (0, 0, 0),
        (0, 0, 1),
        (0, 0, 2),
        (0, 1, 0),
        (0, 1, 1),
        (0, 1, 2),
        (0, 2, 0),
        (0, 2, 1),
        (0, 2, 2),
        (0, 5, 2),
        (1, 0, 0),
        (1, 1, 1),
        (3, 5, 2),
    ] {
        let expected = socket << 5 | core << 2 | thread;
        assert_eq!(apic_id(counts, index(socket, core, thread)), expected, "{socket} {core} {thread}");
    }
}
