#!/usr/bin/env python3
"""Records what QEMU says of the memory at a guest's addresses.

    record_addresses.py QEMU [ARGUMENT...] > tests/tests/fixtures/addresses.txt

QEMU is the reference's program, with the words before it that it takes to run it (`chroot ROOT qemu-system-x86_64`). It needs a KVM
and the right to read /proc/self/pagemap. Addresses of the host are another one each time, and are written as HOST.
`tests/tests/addresses.rs` asks our program the same.
"""

import json
import re
import sys

import guests
import version

COMMON = ["-nodefaults", "-S", "-accel", "kvm", "-M"]
MACHINES = [
    ["pc"],
    ["pc,memory-backend=mine", "-object", "memory-backend-ram,id=mine,size=128M"],
    ["q35", "-smp", "2", "-object", "memory-backend-ram,id=low,size=64M", "-numa", "node,memdev=low",
     "-object", "memory-backend-ram,id=high,size=64M", "-numa", "node,memdev=high"],
    ["pc,memory-backend=mine", "-object", "memory-backend-ram,id=mine,size=128M,x-use-canonical-path-for-ramblock-id=on"],
]
PLACES = [0x1000, 0x3FFFFFF, 0x4000000, 0x7FFFFFF, 0x8000000, 0xF0000, 0xFEC00000, 0xFEE00010, 0xFFFFFFF0, 0x123456789ABC]


def main():
    print(f"# What {version.of(sys.argv[1:])} says of a guest's addresses, recorded by tests/differential/record_addresses.py:")
    print("# '=' is a command line, besides", " ".join(["-display", "none", *COMMON]) + ".")
    for machine in MACHINES:
        qemu = guests.Qemu(sys.argv[1:] + COMMON + machine)
        print("=", json.dumps(machine))
        for command in ("gpa2hva", "gpa2hpa"):
            for place in PLACES:
                line = f"{command} {place:#x}"
                answer = qemu.line(line)
                print(">", line)
                print("<", re.sub(r"is 0x[0-9a-f]+\s*$", "is HOST", answer.strip()))
        qemu.close()


main()
