#!/usr/bin/env python3
"""Records what QEMU shows of its machines' address spaces and blocks of memory, once firmware has set them up.

    record_memory_tree.py FIXTURE QEMU...

QEMU is the command that starts it, for example `qemu-system-x86_64`. The fixture's lines that begin with `#` start a program with
those arguments and `-serial null`, `>` is a line of the human monitor; the replies are written below each anew. A PC runs until its firmware has
placed the power management registers, which the tree shows, and is stopped then.
Needs /dev/kvm.
"""

import json
import sys
import time

import guests
import version


def settle(qemu):
    """Lets firmware run until it has placed the power management registers and the I/O space has not changed for a second."""
    before = None
    for _ in range(60):
        now = qemu.line("info mtree")
        if now == before and "-pm\r\n" in now:
            break
        before = now
        time.sleep(1)
    else:
        raise TimeoutError("firmware")
    qemu.line("stop")


def main():
    fixture, command = sys.argv[1], sys.argv[2:]
    with open(fixture, encoding="ascii") as file:
        lines = [line.rstrip("\n") for line in file]
    qemu, written = None, []
    for line in lines:
        if line.startswith("< "):
            continue
        if line.startswith("##"):
            line = version.renewed(line, version.of(command))
        written.append(line)
        if line.startswith("# "):
            if qemu:
                qemu.close()
            words = json.loads(line[2:])
            qemu = guests.Qemu(command + words + ["-serial", "null"])
            if words[1] != "none":
                settle(qemu)
        elif line.startswith("> "):
            written.append("< " + json.dumps(qemu.line(line[2:])))
    if qemu:
        qemu.close()
    with open(fixture, "w", encoding="ascii") as file:
        file.write("\n".join(written) + "\n")


if __name__ == "__main__":
    main()
