#!/usr/bin/env python3
"""Asks QEMU 11.1 and this program the same questions about random CPUs, and prints where the answers differ.

    tests/differential/differential.py [--minutes 60] [--seed N] [--accel tcg] [--case '-cpu …']

Run by hand: it needs the reference, named by REFERENCE ('qemu-system-x86_64' by default; 'chroot DIR
qemu-system-x86_64' works, with SHARED=DIR), and the program, named by PROGRAM (target/debug/qom-system-x86_64).
Without the reference it says so and does nothing. A case is a model, `+f`, `-f`, `f=on`, other properties, a machine
type and a topology, under one accelerator. Compared are:

* what is printed, and whether the program goes on;
* every property of the first CPU (`qom-get`), feature-words and filtered-features included;
* under tcg what a guest reads from CPUID (`cpuid_rows.S` as firmware) against `x-query-cpuid`;
* `query-cpu-model-expansion` (static and full), where this program has it, and `query-cpu-definitions` once.

The exit status is 1 if anything differs that `docs/differences.md` does not explain.
"""
import argparse
import json
import os
import random
import shlex
import struct
import subprocess
import sys
import tempfile
import time

REFERENCE = shlex.split(os.environ.get("REFERENCE", "qemu-system-x86_64"))
SHARED = os.environ.get("SHARED", "")
PROGRAM = shlex.split(os.environ.get("PROGRAM", "target/debug/qom-system-x86_64"))
HERE = os.path.dirname(os.path.abspath(__file__))
CPU = "/machine/unattached/device[0]"
# Of every object or device, or (memory) a link that this program's CPUs do not have.
NOT_COMPARED = {"type", "parent_bus", "realized", "hotplugged", "hotpluggable", "memory", "crash-information",
                "legacy-memory", "lapic", "unattached", "start-powered-off"}
# Explained in docs/differences.md: lines that one of the two prints alone, and a property under KVM.
SAID_BY_ONE = ("and no guest code is run", "falling back to", "exceeds the recommended cpus supported by KVM")
NOT_COMPARED_KVM = {"tsc-frequency"}


def run(program, arguments, commands=()):
    """Answers to commands, what was printed without the program's name, exit status."""
    lines = [{"execute": "qmp_capabilities"}, *commands, {"execute": "quit"}]
    text = "".join(json.dumps(line) + "\n" for line in lines)
    command = [*program, *arguments, "-S", "-display", "none", "-nodefaults", "-qmp", "stdio"]
    done = subprocess.run(command, input=text, capture_output=True, text=True, timeout=120, check=False)
    answers = []
    for line in done.stdout.splitlines():
        message = json.loads(line)
        if "return" in message:
            answers.append(message["return"])
        elif "error" in message:
            answers.append(message["error"])
    said = []
    for line in done.stderr.splitlines():
        name, _, rest = line.partition(": ")
        line = rest if os.path.basename(name).startswith(("qemu", "qom")) else line
        if line and not any(part in line for part in SAID_BY_ONE):
            said.append(line)
    return answers[1:], said, done.returncode


def both(arguments, commands=()):
    """The reference's answer and ours."""
    return run(REFERENCE, arguments, commands), run(PROGRAM, arguments, commands)


def guest_rows(arguments, firmware):
    """What a guest of the reference reads; leaf and sub-leaf to registers."""
    out = os.path.join(SHARED + "/tmp" if SHARED else tempfile.gettempdir(), f"rows-{os.getpid()}")
    inside = out[len(SHARED):] if SHARED else out
    command = [*REFERENCE, *arguments, "-bios", firmware, "-display", "none", "-nodefaults",
               "-chardev", f"file,id=d,path={inside}", "-device", "isa-debugcon,iobase=0xe9,chardev=d",
               "-device", "isa-debug-exit,iobase=0xf4,iosize=1"]
    subprocess.run(command, capture_output=True, timeout=120, check=False)
    with open(out, "rb") as file:
        data = file.read()
    os.unlink(out)
    rows = struct.iter_unpack("<6I", data[:len(data) // 24 * 24])
    return {(row[0], row[1]): row[2:] for row in rows}


def compare_rows(theirs, answer):
    """Rows that differ, but for bits that follow the guest's state: OSXSAVE, OSPKE, XSAVE's size, SYSCALL."""
    ours = {(row["leaf"], row.get("subleaf")): tuple(row[r] for r in ("eax", "ebx", "ecx", "edx"))
            for row in answer["cpuid"]}
    for (leaf, subleaf), registers in sorted(theirs.items()):
        mine = ours.get((leaf, None)) or ours.get((leaf, subleaf))
        if mine is None:
            # Leaf 0Bh and 1Fh tell the input and the APIC ID in sub-leaves beyond the last.
            mine = (0, 0, subleaf, 0) if leaf in (0xb, 0x1f) and (leaf, 0) in ours else (0, 0, 0, 0)
        masks = {(1, 0): (0, 0, 1 << 27, 0), (7, 0): (0, 0, 1 << 4, 0), (0xd, 0): (0, 0xffffffff, 0, 0)}
        ignored = (0, 0, 0, 1 << 11) if leaf == 0x80000001 else masks.get(
            (leaf, 0 if leaf == 1 else subleaf), (0, 0, 0, 0))
        if any((a ^ b) & ~i for a, b, i in zip(registers, mine, ignored)):
            yield f"leaf {leaf:#x}.{subleaf}: {[hex(r) for r in registers]} here {[hex(r) for r in mine]}"


def make_firmware():
    """Assembles the firmware where the reference can read it."""
    directory = SHARED + "/tmp" if SHARED else tempfile.gettempdir()
    base = os.path.join(directory, f"cpuid-rows-{os.getpid()}")
    subprocess.run(["as", "--32", f"{HERE}/cpuid_rows.S", "-o", base + ".o"], check=True)
    subprocess.run(["ld", "-m", "elf_i386", "-Ttext", "0", "--oformat", "binary", "-o", base + ".bin", base + ".o"],
                   check=True)
    os.unlink(base + ".o")
    return base[len(SHARED):] + ".bin" if SHARED else base + ".bin"


class Questions:
    """Random cases out of what both programs have."""

    def __init__(self, accel, rng):
        self.accel, self.rng = accel, rng
        commands = [{"execute": "query-cpu-definitions"}, {"execute": "query-machines"},
                    {"execute": "device-list-properties", "arguments": {"typename": "max-x86_64-cpu"}},
                    {"execute": "query-commands"}]
        (theirs, _, _), (ours, _, _) = both(["-M", "pc", "-accel", accel], commands)
        names = [{d["name"] for d in answers[0]} for answers in (theirs, ours)]
        self.models = sorted(names[0] & names[1] - {"host"} if accel == "tcg" else names[0] & names[1])
        machines = [{m["name"] for m in answers[1]} for answers in (theirs, ours)]
        self.machines = sorted(m for m in machines[0] & machines[1] if m.startswith("pc"))
        properties = [{p["name"]: p for p in answers[2]} for answers in (theirs, ours)]
        not_compared = NOT_COMPARED | (NOT_COMPARED_KVM if accel == "kvm" else set())
        self.properties = sorted(set(properties[0]) - not_compared)
        self.missing = sorted(set(properties[0]) - set(properties[1]) - NOT_COMPARED)
        self.switches = sorted(n for n, p in properties[0].items() if p["type"] == "bool" and n in properties[1]
                               and n not in NOT_COMPARED)
        self.expansion = any(c["name"] == "query-cpu-model-expansion" for c in ours[3])
        self.definitions = [
            {d["name"]: d for d in answers[0] if d["name"] in self.models} for answers in (theirs, ours)]

    def setting(self):
        """One part of a -cpu text."""
        rng = self.rng
        kind = rng.randrange(10)
        name = rng.choice(self.switches)
        if kind < 3:
            return "+" + name
        if kind < 6:
            return "-" + name
        if kind < 8:
            return f"{name}={rng.choice(['on', 'off'])}"
        # Under KVM this program does not ask for a frequency (docs/differences.md).
        frequency = f"tsc-frequency={rng.randrange(10**10)}" if self.accel == "tcg" else "check=off"
        return rng.choice([
            frequency, f"level={rng.randrange(0x30)}", f"xlevel={0x80000000 + rng.randrange(0x30):#x}",
            f"min-level={rng.randrange(0x30)}", f"min-xlevel={0x80000000 + rng.randrange(0x30):#x}",
            f"phys-bits={rng.randrange(28, 56)}", f"guest-phys-bits={rng.randrange(28, 56)}",
            f"family={rng.randrange(300)}", f"model={rng.randrange(260)}", f"stepping={rng.randrange(20)}",
            "vendor=" + rng.choice(["GenuineIntel", "AuthenticAMD", "HygonGenuine", "CentaurHauls", "x"]),
            "model-id=some name", f"lbr-fmt={rng.randrange(70)}",
            f"avx10-version={rng.randrange(4)}", f"hv-spinlocks={rng.randrange(1 << 33)}",
            "hv-vendor-id=" + "abcdefghijklmnop"[:rng.randrange(16)], f"level-func7={rng.randrange(4)}",
            "x-force-features=on", "enforce", "check=off", "legacy-cache=off", "l3-cache=off", "pmu=on"])

    def case(self):
        """Arguments of one random case."""
        rng = self.rng
        text = ",".join([rng.choice(self.models), *(self.setting() for _ in range(rng.randrange(7)))])
        counts = {level: rng.choice([1, 1, 1, 2, 3]) for level in ("dies", "modules", "cores", "threads")}
        total = 1
        for count in counts.values():
            total *= count
        smp = ",".join([f"{total}", *(f"{level}={count}" for level, count in counts.items())])
        return ["-M", rng.choice(self.machines), "-accel", self.accel, "-cpu", text, "-smp", smp]


def differences(questions, arguments, firmware):
    """What differs in one case."""
    get = [{"execute": "qom-get", "arguments": {"path": CPU, "property": name}}
           for name in questions.properties if name not in questions.missing]
    get.append({"execute": "qom-get", "arguments": {"path": CPU, "property": "feature-words"}})
    get.append({"execute": "qom-get", "arguments": {"path": CPU, "property": "filtered-features"}})
    (theirs, said, status), (ours, said_here, status_here) = both(arguments, get)
    if status < 0:
        return  # The reference itself crashed.
    if any("phys-bits too low" in line for line in said):
        return  # A 64-bit window for PCI, which this program's machines do not have.
    if said != said_here:
        yield f"printed: {said}\n    here {said_here}"
    if status != status_here:
        yield f"status: {status} here {status_here}"
    if status != 0 or status_here != 0:
        return
    for command, a, b in zip(get, theirs, ours):
        if a != b:
            name = command["arguments"]["property"]
            if isinstance(a, list) and isinstance(b, list) and len(a) == len(b):
                a, b = [x for x, y in zip(a, b) if x != y], [y for x, y in zip(a, b) if x != y]
            yield f"{name}: {a} here {b}"
    if firmware:
        answer = run(PROGRAM, arguments, [{"execute": "x-query-cpuid", "arguments": {"qom-path": CPU}}])[0][0]
        yield from compare_rows(guest_rows(arguments, firmware), answer)
    if questions.expansion:
        name = arguments[arguments.index("-cpu") + 1].split(",")[0]
        for kind in ("static", "full"):
            ask = [{"execute": "query-cpu-model-expansion", "arguments": {"type": kind, "model": {"name": name}}}]
            (theirs, _, _), (ours, _, _) = both(arguments, ask)
            if theirs != ours:
                a, b = (x[0].get("model", {}).get("props", x[0]) for x in (theirs, ours))
                yield f"expansion {kind}: {[(k, a.get(k), b.get(k)) for k in {**a, **b} if a.get(k) != b.get(k)]}"


def main():
    """Asks until the time is over."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parser.add_argument("--accel", default="tcg")
    parser.add_argument("--case", help="one case: the arguments of a command line")
    options = parser.parse_args()
    try:
        version = subprocess.run([*REFERENCE, "-version"], capture_output=True, text=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError) as error:
        print(f"SKIPPED: the reference cannot be run: {error}")
        return 0
    print(f"{version.splitlines()[0]}; seed {options.seed}")
    questions = Questions(options.accel, random.Random(options.seed))
    if questions.missing:
        print(f"properties that are not there: {questions.missing}")
    firmware = make_firmware() if options.accel == "tcg" else None
    failed = 0
    theirs, ours = questions.definitions
    for name, definition in theirs.items():
        mine = ours[name]
        if definition != mine:
            failed += 1
            print(f"definition of {name}: {definition} here {mine}")
    end, asked = time.monotonic() + options.minutes * 60, 0
    cases = [shlex.split(options.case)] if options.case else iter(questions.case, None)
    for arguments in cases:
        if time.monotonic() > end:
            break
        asked += 1
        found = list(differences(questions, arguments, firmware))
        if found:
            failed += 1
            print(shlex.join(arguments), *found, sep="\n  ", flush=True)
    print(f"{asked} cases, {failed} with differences")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
