#!/usr/bin/env python3
"""Records how QEMU's human monitor disassembles the code of disassembly.S (`x/i`), in 16, 32 and 64-bit code.

    record_disassembly.py TRANSCRIPT QEMU...

QEMU is the command that starts it, for example `qemu-system-x86_64`; its version stands at the head of the transcript. Needs `as`,
`ld` and `nm`. A line `# BITS` begins each part; the lines below it are what QEMU printed.
"""

import json
import os
import re
import subprocess
import sys
import tempfile
import time

import guests
import version

ADDRESS = 0xF1000


def main():
    path, command = sys.argv[1], sys.argv[2:]
    # Where a QEMU in a chroot finds it too.
    root = command[1] if command[0] == "chroot" else ""
    with tempfile.TemporaryDirectory(dir=f"{root}/tmp") as directory, open(path, "w") as out:
        code = guests.assembled(directory, "disassembly")
        labels = subprocess.check_output(["nm", f"{directory}/disassembly.o"], text=True)
        labels = {name: int(value, 16) for value, _, name in map(str.split, labels.splitlines())}
        for bits in (16, 32, 64):
            boot = guests.assembled(directory, "disassembly_boot", 0xF0000, ["--defsym", f"MODE={bits}"])
            part = code[labels[f"code{bits}"] : labels[f"code{bits}_end"]]
            image = guests.image(boot, (ADDRESS - 0xF0000, part))
            bios = f"{directory}/image"
            open(bios, "wb").write(image)
            os.chmod(directory, 0o755)
            qemu = guests.Qemu(command + ["-nodefaults", "-accel", "tcg", "-bios", bios[len(root):]])
            if bits == 16:
                out.write(f"## `x/i` of {version.words(qemu.greeting['version'])}. record_disassembly.py recorded it, and says how to read it.\n")
            while "HLT=1" not in qemu.line("info registers"):
                time.sleep(0.05)
            out.write(f"# {bits}\n")
            for line in qemu.line(f"x/{len(part)}i {ADDRESS:#x}").splitlines():
                if re.match("0x[0-9a-f]{8}: ", line) is None:
                    raise ValueError(line)
                if int(line[:10], 16) >= ADDRESS + len(part):
                    break
                out.write(line + "\n")
            qemu.close()


if __name__ == "__main__":
    main()
