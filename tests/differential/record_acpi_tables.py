#!/usr/bin/env python3
"""Records the ACPI tables about CPUs, interrupts and power management that QEMU gives to a guest.

    record_acpi_tables.py DIRECTORY QEMU [ARGUMENT...] > machine-pc/src/acpi/fixtures/acpi-tables.jsonl

Arguments and method are those of record_numa_tables.py. Which slots have a CPU is what `query-hotpluggable-cpus` tells.
"""

import json
import sys

import version
from record_numa_tables import record

TABLES = ("FACP", "APIC", "WAET", "DSDT")
# These are also there as a whole: one of each chipset, one with all serial ports.
WHOLE = [
    ["-M", "pc", "-smp", "1", "-serial", "null"],
    ["-M", "q35", "-smp", "1", "-serial", "null"],
    ["-M", "pc", "-smp", "1"] + 4 * ["-serial", "null"],
]
CASES = [
    ["-M", "pc", "-smp", "2,maxcpus=8"],
    ["-M", "q35", "-smp", "2,maxcpus=8"],
    # APIC IDs with gaps.
    ["-M", "q35", "-smp", "3,maxcpus=12,sockets=2,cores=3,threads=2"],
    ["-M", "pc", "-smp", "1,maxcpus=8,sockets=8", "-device", "qemu64-x86_64-cpu,socket-id=5,core-id=0,thread-id=0"],
    ["-M", "pc", "-smp", "1,maxcpus=255"],
    ["-M", "q35", "-smp", "4,maxcpus=300"],
    # 260 slots whose IDs go far beyond.
    ["-M", "q35", "-smp", "1,maxcpus=260,sockets=52,cores=5"],
    ["-M", "pc,i8042=off", "-smp", "1"],
    ["-M", "q35,i8042=off", "-smp", "1"],
    ["-M", "q35,x-oem-id=AB,x-oem-table-id=CD", "-smp", "1"],
]


def main():
    directory, program = sys.argv[1], sys.argv[2:]
    print(f"# ACPI tables of {version.of(program)}, in hexadecimal, one machine a line.")
    print("# Made by tests/differential/record_acpi_tables.py.")
    for arguments in WHOLE + CASES:
        names = TABLES if arguments in WHOLE else TABLES[:-1]
        machine = record(directory, program, arguments, names, ["query-hotpluggable-cpus"])
        slots = machine.pop("query-hotpluggable-cpus")
        # The last slot comes first.
        machine["present"] = [slot for slot, cpu in enumerate(reversed(slots)) if "qom-path" in cpu]
        print(json.dumps(machine, separators=(",", ":")), flush=True)


main()
