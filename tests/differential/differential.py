#!/usr/bin/env python3
"""Asks QEMU 11.1 and this program the same questions about random CPUs, and prints where the answers differ.

    tests/differential/differential.py [--minutes 60] [--seed N] [--accel tcg,kvm] [--only CASE]

Run by hand: it needs the reference, named by REFERENCE ('qemu-system-x86_64' by default; 'chroot DIR
qemu-system-x86_64' works, with SHARED=DIR), and the program, named by PROGRAM (target/debug/qom-system-x86_64).
Without the reference it says so and does nothing. Under KVM both need /dev/kvm, in the chroot too. A case is a model,
`+f`, `-f`, `f=on`, other properties, globals, a machine type that both have, a topology and an accelerator. It depends
on nothing but the seed and its number, so `--only` asks it again. Compared are:

* what is printed, and whether the program goes on;
* every property of the first and the last CPU, feature-words, filtered-features and unavailable-features included;
* what a guest reads from CPUID (`cpuid_rows.S` as firmware) on the last CPU: under tcg, where this program runs no
  guest, against `x-query-cpuid`; under KVM the same guest runs in both;
* query-cpu-model-expansion of random models, both types, with random properties; if both refuse several properties,
  each of them alone;
* query-cpu-definitions, of each machine type once and of some cases.

The exit status is 1 if anything differs that `docs/differences.md` does not explain.
"""
import contextlib
import json
import os
import random
import shlex
import struct
import subprocess
import sys
import tempfile
import threading

import rounds
from questions import Questions

REFERENCE = shlex.split(os.environ.get("REFERENCE", "qemu-system-x86_64"))
SHARED = os.environ.get("SHARED", "")
PROGRAM = shlex.split(os.environ.get("PROGRAM", "target/debug/qom-system-x86_64"))
HERE = os.path.dirname(os.path.abspath(__file__))
# Where both programs can read and write; the part of the path that the reference does not see.
DIRECTORY = SHARED + "/tmp" if SHARED else tempfile.gettempdir()
# Longest time for one session or guest, in seconds.
PATIENCE = 120
# Of every object or device, or a link that this program's CPUs do not have.
NOT_COMPARED = {"type", "parent_bus", "realized", "hotplugged", "hotpluggable", "memory", "crash-information",
                "legacy-memory", "lapic", "unattached", "start-powered-off"}
# Explained in docs/differences.md: lines that one of the two prints alone, and a property under KVM.
SAID_BY_ONE = ("and no guest code is run", "falling back to", "exceeds the recommended cpus supported by KVM",
               "kvm_init_vcpu: kvm_arch_init_vcpu failed")
NOT_COMPARED_KVM = {"tsc-frequency"}


class Session:
    """One of the programs, with QMP on its standard input and output."""

    def __init__(self, program, arguments):
        # pylint: disable=consider-using-with
        self.errors = tempfile.TemporaryFile("w+")
        command = [*program, *arguments, "-S", "-display", "none", "-nodefaults", "-qmp", "stdio"]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.errors,
                                        text=True)
        self.watch = threading.Timer(PATIENCE, self.process.kill)
        self.watch.daemon = True
        self.watch.start()
        self.process.stdout.readline()
        self.ask("qmp_capabilities")

    def ask(self, command, **arguments):
        """The answer: what is returned, an error's class and text, or None if the program is gone."""
        try:
            self.process.stdin.write(json.dumps({"execute": command, "arguments": arguments}) + "\n")
            self.process.stdin.flush()
        except BrokenPipeError:
            return None
        while line := self.process.stdout.readline():
            message = json.loads(line)
            if "return" in message or "error" in message:
                return message.get("return", message.get("error"))
        return None

    def end(self):
        """What was printed without the program's name, and the exit status."""
        self.ask("quit")
        with contextlib.suppress(BrokenPipeError):
            self.process.stdin.close()
        self.process.wait()
        self.watch.cancel()
        self.process.stdout.close()
        self.errors.seek(0)
        said = []
        for line in self.errors.read().splitlines():
            name, _, rest = line.partition(": ")
            line = rest if os.path.basename(name).startswith(("qemu", "qom")) else line
            if line and not any(part in line for part in SAID_BY_ONE):
                said.append(line)
        self.errors.close()
        return said, self.process.returncode


class Guests:
    """The guest that tells what it reads from CPUID."""

    def __init__(self):
        with tempfile.TemporaryDirectory() as directory:
            rows = os.path.join(directory, "rows")
            subprocess.run(["as", "--32", f"{HERE}/cpuid_rows.S", "-o", rows + ".o"], check=True)
            subprocess.run(["ld", "-m", "elf_i386", "-Ttext", "0", "--oformat", "binary", "-o", rows, rows + ".o"],
                           check=True)
            with open(rows, "rb") as file:
                self.image = bytearray(file.read())
        self.path = os.path.join(DIRECTORY, f"cpuid-rows-{os.getpid()}")

    def rows(self, program, arguments, apic_id):
        """Leaf and sub-leaf to registers of the CPU with this APIC ID; None if the guest does not come to its end."""
        self.image[0xff00:0xff04] = struct.pack("<i", apic_id)
        with open(self.path, "wb") as file:
            file.write(self.image)
        out, seen = self.path + ".out", len(SHARED) if program is REFERENCE else 0
        command = [*program, *arguments, "-bios", self.path[seen:], "-display", "none", "-nodefaults", "-no-reboot",
                   "-serial", f"file:{out[seen:]}"]
        try:
            subprocess.run(command, capture_output=True, timeout=PATIENCE, check=False)
            with open(out, "rb") as file:
                data = file.read()
        except (subprocess.TimeoutExpired, OSError):
            data = b""
        for path in (self.path, out):
            if os.path.exists(path):
                os.unlink(path)
        rows = list(struct.iter_unpack("<6I", data[:len(data) // 24 * 24]))
        if not rows or rows.pop() != (0xffffffff,) * 6:
            return None
        return {row[:2]: row[2:] for row in rows}


def table_rows(answer, theirs):
    """The answer of x-query-cpuid as such a guest would write it, of the leaves that it would look at."""
    rows = {}
    for row in answer["cpuid"]:
        registers = tuple(row[r] for r in ("eax", "ebx", "ecx", "edx"))
        count = 32 if row["leaf"] == 0xd else 6
        for subleaf in [row["subleaf"]] if "subleaf" in row else range(count):
            if any(registers) and subleaf < count:
                rows[row["leaf"], subleaf] = registers
    for (leaf, subleaf) in theirs:
        # Leaf 0Bh and 1Fh tell the input and the APIC ID in sub-leaves beyond the last.
        if leaf in (0xb, 0x1f) and (leaf, 0) in rows:
            rows.setdefault((leaf, subleaf), (0, 0, subleaf, rows[leaf, 0][3]))
    limits = {leaf: rows.get((leaf, 0), (0,))[0] for leaf in (0, 0x40000000, 0x40000100, 0x80000000, 0xc0000000)}
    return {(leaf, subleaf): registers for (leaf, subleaf), registers in rows.items()
            if any(first <= leaf <= limit for first, limit in limits.items())}


def compare_rows(theirs, ours, masks):
    """Rows that differ in bits that are not in the masks."""
    for key in sorted({**theirs, **ours}):
        a, b = theirs.get(key, (0,) * 4), ours.get(key, (0,) * 4)
        ignored = masks.get(key, masks.get(key[0], (0,) * 4))
        if any((x ^ y) & ~i for x, y, i in zip(a, b, ignored)):
            yield f"leaf {key[0]:#x}.{key[1]}: {[hex(r) for r in a]} here {[hex(r) for r in b]}"


def guest_differences(guests, accel, arguments, answer):
    """What a guest reads otherwise than it should; `answer` is x-query-cpuid's of the last CPU."""
    apic_id = answer["apic-id"]
    theirs = guests.rows(REFERENCE, arguments, apic_id)
    if theirs is None:
        return
    ours = table_rows(answer, theirs)
    # Bits that follow the guest's state: OSXSAVE, OSPKE, XSAVE's size, SYSCALL.
    masks = {1: (0, 0, 1 << 27, 0), (7, 0): (0, 0, 1 << 4, 0), (0xd, 0): (0, 0xffffffff, 0, 0),
             0x80000001: (0, 0, 0, 1 << 11)}
    if accel == "kvm":
        # A KVM without XSAVE answers with the host's leaf 0Dh, or a part of it, whatever it was told.
        told = ours.get((0xd, 0), (0,) * 4)[0]
        masks = {} if told and told == theirs.get((0xd, 0), (0,) * 4)[0] else {0xd: (0xffffffff,) * 4}
        # KVM's own frequency, which the reference asks for, and an APIC that is off.
        masks |= {1: (0, 0, 0, 1 << 9), 0x40000000: (0x1f, 0, 0, 0), 0x40000010: (0xffffffff,) * 4}
        ours = guests.rows(PROGRAM, arguments, apic_id)
        if ours is None:
            yield "the guest does not come to its end here"
            return
    yield from compare_rows(theirs, ours, masks)


def properties(session, path):
    """All properties of an object that have a value, by name; not what hangs below it."""
    (listed,) = session.ask("qom-list-get", paths=[path])
    return {p["name"]: p["value"] for p in listed["properties"] if "value" in p and "child<" not in p["type"]}


def unlike(name, theirs, ours):
    """A line if two values differ, with those parts alone that do."""
    if theirs == ours:
        return
    if isinstance(theirs, list) and isinstance(ours, list):
        theirs, ours = [x for x in theirs if x not in ours], [x for x in ours if x not in theirs]
    elif isinstance(theirs, dict) and isinstance(ours, dict):
        keys = [key for key in {**theirs, **ours} if theirs.get(key) != ours.get(key)]
        theirs, ours = ({key: x[key] for key in keys if key in x} for x in (theirs, ours))
    yield f"{name}: {theirs} here {ours}"


def alone(sessions, question):
    """What differs when each property is asked for by itself: of several mistakes either program may tell any."""
    for name, value in question["model"]["props"].items():
        one = {**question, "model": {**question["model"], "props": {name: value}}}
        theirs, ours = (session.ask("query-cpu-model-expansion", **one) for session in sessions)
        if theirs is None or ours is None or "desc" in theirs or "desc" in ours:
            yield from unlike(f"expansion {json.dumps(one)}", theirs, ours)


def expansions(sessions, questions, rng):
    """What differs in the expansion of a few models."""
    for _ in range(4):
        question = questions.expansion(rng)
        if ASKED:
            print(json.dumps(question))
        theirs, ours = (session.ask("query-cpu-model-expansion", **question) for session in sessions)
        if theirs is None or ours is None:
            yield from unlike(f"expansion {json.dumps(question)}", theirs, ours)
            return
        if "desc" in theirs and "desc" in ours and len(question["model"].get("props", {})) > 1:
            yield from alone(sessions, question)
            continue
        for answer in (theirs, ours):
            for name in NOT_COMPARED:
                answer.get("model", {}).get("props", {}).pop(name, None)
        if theirs.get("model", {}).get("name") == ours.get("model", {}).get("name"):
            theirs, ours = (x.get("model", {}).get("props", x) for x in (theirs, ours))
        yield from unlike(f"expansion {json.dumps(question)}", theirs, ours)


def definitions(sessions, questions):
    """What differs in query-cpu-definitions, of the models that both have."""
    theirs, ours = ({d["name"]: d for d in session.ask("query-cpu-definitions")} for session in sessions)
    for name in questions.models:
        yield from unlike(f"definition of {name}", theirs.get(name), ours.get(name))


def cpu_differences(sessions, ignored):
    """What differs in the properties of the first and the last CPU."""
    paths = [[cpu["qom-path"] for cpu in session.ask("query-cpus-fast")] for session in sessions]
    for which in {0, len(paths[0]) - 1}:
        theirs, ours = (properties(session, of[which]) for session, of in zip(sessions, paths))
        for name in theirs:
            if name not in ignored:
                yield from unlike(f"{name} of CPU {which}", theirs[name], ours.get(name))


def differences(accel, questions, guests, rng, arguments):
    """What differs in one case."""
    sessions = [Session(program, arguments) for program in (REFERENCE, PROGRAM)]
    found, answer = [], None
    if all(session.ask("query-status") for session in sessions):
        if "-cpu" in arguments:
            ignored = NOT_COMPARED | (NOT_COMPARED_KVM if accel == "kvm" else set()) | set(questions.missing)
            found += cpu_differences(sessions, ignored)
            path = sessions[1].ask("query-cpus-fast")[-1]["qom-path"]
            answer = sessions[1].ask("x-query-cpuid", **{"qom-path": path})
        found += expansions(sessions, questions, rng)
        if rng.random() < 0.1:
            found += definitions(sessions, questions)
    (said, status), (said_here, status_here) = (session.end() for session in sessions)
    if status < 0:
        return [f"CRASHED: the reference, by signal {-status}"]
    if any("phys-bits too low" in line or "HyperV" in line for line in said):
        return []  # A 64-bit window for PCI, or enlightenments without KVM's help (docs/differences.md).
    if said != said_here:
        same = len(os.path.commonprefix([said, said_here]))
        found.append(f"printed after {same} of {len(said)} lines: {said[same:][:3]} here {said_here[same:][:3]}")
    if any("KVM refuses MSR" in line for line in said_here):
        return []  # In the reference the feature is there without its MSR.
    found += unlike("status", status, status_here)
    if answer and not found:
        found += guest_differences(guests, accel, arguments, answer)
    return found


def machine_definitions(accel, questions):
    """What differs in query-cpu-definitions by machine type."""
    for machine in questions.machines:
        sessions = [Session(program, ["-M", machine, "-accel", accel]) for program in (REFERENCE, PROGRAM)]
        for line in definitions(sessions, questions):
            yield f"-M {machine}: {line}"
        for session in sessions:
            session.end()


# Whether to print the questions of a case.
ASKED = []


def main():
    """Asks until the time is over."""
    parser = rounds.parser(__doc__)
    parser.add_argument("--accel", default="tcg", help="accelerators, separated by commas")
    options = parser.parse_args()
    if not rounds.begins(REFERENCE, options):
        return 0
    asked, failed, crashed = 0, 0, 0
    accels, guests = options.accel.split(","), Guests()
    by_accel = {}
    for accel in accels:
        sessions = [Session(program, ["-M", "none", "-accel", accel]) for program in (REFERENCE, PROGRAM)]
        questions = by_accel[accel] = Questions(accel, sessions, NOT_COMPARED)
        for session in sessions:
            session.end()
        print(f"{accel}: machine types {' '.join(questions.machines)}; {len(questions.models)} models; "
              f"properties that are not there: {questions.missing}", flush=True)
        for line in machine_definitions(accel, questions) if options.only is None else ():
            failed += 1
            print(line, flush=True)
    ASKED.extend([] if options.only is None else [options.only])
    for number in rounds.numbers(options):
        rng = random.Random(f"{options.seed}/{number}")
        accel = rng.choice(accels)
        arguments = by_accel[accel].arguments(rng)
        try:
            found = differences(accel, by_accel[accel], guests, rng, arguments)
        except Exception as error:  # pylint: disable=broad-except
            found = [f"no comparison: {error!r}"]
        asked += 1
        if found and found[0].startswith("CRASHED"):
            crashed += 1
        elif found:
            failed += 1
        if found or options.only is not None:
            print(f"case {number}: {shlex.join(arguments)}", *found, sep="\n  ", flush=True)
    print(f"{asked} cases, {failed} differences, {crashed} crashes of the reference")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
