#!/usr/bin/env python3
"""Records what QEMU shows of a guest that stands: memory, registers, ports, interrupt controllers.

    record_inspect.py TRANSCRIPT QEMU...

QEMU is the command that starts it, for example `qemu-system-x86_64`. The transcript's lines that begin with `#` start a
program with those arguments, `>` is a QMP command or, without a brace, a line of the human monitor; the replies are written
below each anew, and the version at the head. `* halted` lets the guest run until its CPU halts, and stops it. BIOS stands for an image whose first bytes
are those of the line with `!`, made from inspect_guest.S (needs `as` and `ld`); `image` says what else is in it.
Needs /dev/kvm.
"""

import json
import os
import sys
import tempfile
import time

import guests
import version

TEXT = b"Hello, \"world\"\t\n\0\x7f\x80\xff\\'xyz"


def image(code):
    numbers = (0x9E3779B1 * (index + 1) & 0xFFFFFFFF for index in range(2048))
    numbers = b"".join(number.to_bytes(4, "little") for number in numbers)
    return guests.image(code, (0x1000, TEXT), (0x2000, numbers))


def run_until_halted(qemu):
    qemu.line("cont")
    while "HLT=1" not in qemu.line("info registers"):
        time.sleep(0.05)
    qemu.line("stop")


def main():
    path, command = sys.argv[1], sys.argv[2:]
    # Where a QEMU in a chroot finds it too.
    root = command[1] if command[0] == "chroot" else ""
    lines = [line for line in open(path).read().splitlines() if not line.startswith("<")]
    qemu = None
    with tempfile.TemporaryDirectory(dir=f"{root}/tmp") as directory, open(path, "w") as out:
        bios = f"{directory}/image"
        code = guests.assembled(directory, "inspect_guest")
        open(bios, "wb").write(image(code))
        saved = f"{directory}/saved"
        inside = {"BIOS": bios[len(root):], "SAVED": saved[len(root):]}
        for line in lines:
            if line.startswith("##"):
                line = version.renewed(line, version.of(command))
            if line.startswith("!"):
                line = "! " + code.hex()
            out.write(line + "\n")
            kind, _, text = line.partition(" ")
            for name, value in inside.items():
                text = text.replace(name, value)
            if kind == "#":
                if qemu:
                    qemu.close()
                qemu = guests.Qemu(command + json.loads(text))
            elif kind == "*":
                run_until_halted(qemu)
            elif kind == ">":
                reply = qemu.ask(json.loads(text)) if text.startswith("{") else qemu.line(text)
                if "SAVED" in line and os.path.exists(saved):
                    reply = [reply, open(saved, "rb").read().hex()]
                    os.remove(saved)
                shown = json.dumps(reply)
                for name, value in inside.items():
                    shown = shown.replace(value, name)
                out.write("< " + shown + "\n")
    qemu.close()


if __name__ == "__main__":
    main()
