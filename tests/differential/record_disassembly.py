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

import version

HERE = os.path.dirname(os.path.abspath(__file__))
ADDRESS = 0xF1000


def assembled(directory, name, base, *options):
    out = f"{directory}/{name}"
    subprocess.run(["as", *options, f"{HERE}/{name}.S", "-o", f"{out}.o"], check=True)
    link = ["ld", "-e", "0", "-Ttext", hex(base), "--oformat", "binary", f"{out}.o", "-o", f"{out}.bin"]
    subprocess.run(link, check=True)
    return open(f"{out}.bin", "rb").read()


class Qemu:
    def __init__(self, command):
        self.process = subprocess.Popen(
            command + ["-nodefaults", "-display", "none", "-accel", "tcg", "-qmp", "stdio"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )
        self.greeting = json.loads(self.process.stdout.readline())
        self.ask({"execute": "qmp_capabilities"})

    def ask(self, request):
        self.process.stdin.write(json.dumps(request) + "\n")
        self.process.stdin.flush()
        for line in self.process.stdout:
            reply = json.loads(line)
            if "return" in reply or "error" in reply:
                return reply["return"]
        raise EOFError(request)

    def line(self, text):
        return self.ask({"execute": "human-monitor-command", "arguments": {"command-line": text}})

    def close(self):
        self.process.kill()
        self.process.wait()


def main():
    path, command = sys.argv[1], sys.argv[2:]
    # Where a QEMU in a chroot finds it too.
    root = command[1] if command[0] == "chroot" else ""
    with tempfile.TemporaryDirectory(dir=f"{root}/tmp") as directory, open(path, "w") as out:
        code = assembled(directory, "disassembly", 0)
        labels = subprocess.check_output(["nm", f"{directory}/disassembly.o"], text=True)
        labels = {name: int(value, 16) for value, _, name in map(str.split, labels.splitlines())}
        for bits in (16, 32, 64):
            image = bytearray(0x10000)
            boot = assembled(directory, "disassembly_boot", 0xF0000, "--defsym", f"MODE={bits}")
            image[: len(boot)] = boot
            part = code[labels[f"code{bits}"] : labels[f"code{bits}_end"]]
            image[ADDRESS - 0xF0000 : ADDRESS - 0xF0000 + len(part)] = part
            image[0xFFF0:0xFFF5] = bytes([0xEA, 0x00, 0x00, 0x00, 0xF0])
            bios = f"{directory}/image"
            open(bios, "wb").write(image)
            os.chmod(directory, 0o755)
            qemu = Qemu(command + ["-bios", bios[len(root):]])
            if bits == 16:
                out.write(f"## `x/i` of {version.words(qemu.greeting['QMP']['version'])}. record_disassembly.py recorded it, and says how to read it.\n")
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
