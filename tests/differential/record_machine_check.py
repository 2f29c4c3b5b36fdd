#!/usr/bin/env python3
"""Records what QEMU's human monitor answers to `mce`, and the events that follow, under KVM.

    record_machine_check.py TRANSCRIPT QEMU...

QEMU is the command that starts it. The transcript's lines that begin with `#` start a program with those arguments, `>` is a line of
the human monitor; below each stands what it printed, the events with their data, and what the guest has written to the debug console
so far, in JSON. GUEST stands for an image with machine_check_guest.S, whose bytes the line with `!` has. Needs `as`, `ld` and /dev/kvm.
"""

import json
import os
import sys
import tempfile
import time

import guests
import version

def told(qemu, text):
    printed = qemu.line(text)
    # The guest and the main loop do their part.
    time.sleep(0.5)
    qemu.ask({"execute": "query-status"})
    events = [[event["event"], event.get("data", {})] for event in qemu.events]
    qemu.events.clear()
    return printed, events


def main():
    path, command = sys.argv[1], sys.argv[2:]
    root = command[1] if command[0] == "chroot" else ""
    lines = [line for line in open(path).read().splitlines() if not line.startswith("<")]
    qemu = None
    with tempfile.TemporaryDirectory(dir=f"{root}/tmp") as directory, open(path, "w") as out:
        os.chmod(directory, 0o755)
        guest, said = f"{directory}/image", f"{directory}/said"
        code = guests.assembled(directory, "machine_check_guest")
        # HLT wherever there is no code.
        open(guest, "wb").write(guests.image(code, fill=0xF4))
        for line in lines:
            if line.startswith("##"):
                line = version.renewed(line, version.of(command))
            elif line.startswith("!"):
                line = "! " + code.hex()
            out.write(line + "\n")
            if line.startswith("# "):
                if qemu:
                    qemu.close()
                open(said, "wb").close()
                words = json.loads(line[2:])
                words = [word.replace("GUEST", guest[len(root):]) for word in words]
                qemu = guests.Qemu(command + words + ["-nodefaults", "-debugcon", f"file:{said[len(root):]}"])
                time.sleep(1.5)
            elif line.startswith("> "):
                printed, events = told(qemu, line[2:])
                out.write("< " + json.dumps([printed, events, open(said, "rb").read().hex()]) + "\n")
    qemu.close()


if __name__ == "__main__":
    main()
