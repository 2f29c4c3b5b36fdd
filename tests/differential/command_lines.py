#!/usr/bin/env python3
"""Gives QEMU 11.1 and this program the same random command lines, and prints where they do otherwise.

    tests/differential/command_lines.py [--minutes 60] [--seed N] [--cases N] [--only CASE] [--record FILE]

Run by hand, with REFERENCE, SHARED and PROGRAM as `differential.py` has them; without the reference it says so and does
nothing. A case is a machine type of any version and a handful of options, right or wrong (`lines.py`), and commands about
CPUs if both programs run. It depends on nothing but the seed and its number, so `--only` asks it again. With `--record` the command lines that are answered alike
are written to a file, with what the reference said of them; tests/transcripts/command-lines.txt is one. Compared are:

* the exit status and what is printed on standard error;
* query-hotpluggable-cpus, query-cpus-fast, a few other queries, and members and values of the machine and the last CPU;
* the answers to random device_add and device_del, right or wrong, and the queries once more after them;
* of all machine types once: `-machine help`, and query-machines without the properties that a version sets.

Where the two tell different mistakes, the line may have both: then some option can be left out so that both programs tell the
one, and another, or a part of one, so that both tell the other. The exit status is 1 if anything differs that `docs/differences.md` does not explain.
"""
import argparse
import json
import os
import random
import re
import shlex
import subprocess
import sys

import rounds
from differential import NOT_COMPARED, PROGRAM, REFERENCE, Session, unlike
from lines import Lines

# Members of the machine that docs/differences.md tells of: properties of what is not there ("properties a machine or CPU
# does not honour"), and children that are no objects or are not there.
NOT_HERE = {"append", "bus-lock-ratelimit", "confidential-guest-support", "cxl-fmw", "dt-compatible", "dtb", "dumpdtb",
            "firmware", "fw_cfg", "hmat", "initrd", "kernel", "max-fw-size", "memory-encryption",
            "nvdimm-persistence", "pcspk-audiodev", "phandle-start", "rtc-time", "sgx-epc", "shim", "smbios-entry-point-type",
            "smram", "x-oem-id", "x-oem-table-id", "x-south-bridge", "acpi-device", "q35", "i440fx", "ioport80[0]",
            "ioportF0[0]", "vmport[0]"}
# Those that read as the machine is, "of what is not there or always there"; and guest RAM, which is no object.
AS_IT_IS = {"aux-ram-share", "cxl", "default-bus-bypass-iommu", "graphics", "hpet", "nvdimm", "pic", "pit", "sata", "smbus",
            "smm", "spcr", "suppress-vmdesc", "usb", "vmport", "wdat", "x-change-vmfd-on-reset"}
# Of a CPU: there are no memory regions.
NO_REGIONS = {"memory[0]", "memory[1]", "smram[0]", "memory", "smram"}
# Of a CPU and of a machine, here alone.
OURS = {"x-vcpu-state", "x-cpu-unplug-timeout-ms"}
# What says the same of neither side: found by comparing, and explained in docs/differences.md.
EXPLAINED = (
    # Refused here with the reason, as there is nothing that would have an effect.
    "does not accept value 'on': there ", "does not accept value 'on': a virtual",
    "not supported: ", "not supported yet", "this board has four serial ports",
    # There is no `host` but under KVM, and no place for a CPU on machine `none`.
    "CPU model 'host' requires KVM", "does not take CPU models",
)
QUERIES = ("query-hotpluggable-cpus", "query-cpus-fast", "query-status", "query-memdev",
           "query-iothreads", "query-kvm")


class Told(Session):
    """A session whose program may print a text, such as help, where QMP is wanted."""

    def ask(self, command, **arguments):
        try:
            return super().ask(command, **arguments)
        except ValueError:
            return None


def plain(answer):
    """An answer without what differs from run to run, or counts a PC's other devices."""
    text = json.dumps(answer, sort_keys=True)
    text = re.sub(r"(/machine/unattached/device|/machine/peripheral-anon/device)\[\d+\]", r"\1[N]", text)
    return json.loads(re.sub(r'"thread-id": \d{3,}', '"thread-id": 0', text))


def members(session, path):
    """Members of an object and their types, and the values of its properties."""
    listed = session.ask("qom-list", path=path)
    if not isinstance(listed, list):
        return listed, {}
    (values,) = session.ask("qom-list-get", paths=[path])
    return ({member["name"]: member["type"] for member in listed},
            {p["name"]: p["value"] for p in values["properties"] if "value" in p and not p["type"].startswith("child<")})


def member_differences(sessions, what, paths, not_here):
    """What differs in an object's members."""
    (theirs, values), (ours, values_here) = (members(session, path) for session, path in zip(sessions, paths))
    for name in sorted({**theirs, **ours}):
        if name in theirs and name not in ours and name in not_here or name not in theirs and name in OURS:
            continue
        yield from unlike(f"type of {name} of {what}", theirs.get(name), ours.get(name))
        if name in values and name in ours and name not in not_here | AS_IT_IS:
            value = plain(values[name])
            value = "" if value in ("/objects/pc.ram", "/objects/ram") else value
            yield from unlike(f"{name} of {what}", value, plain(values_here.get(name)))


def state_differences(sessions, when):
    """What differs in the answers to queries."""
    cpus = []
    for query in QUERIES:
        theirs, ours = (session.ask(query) for session in sessions)
        if query == "query-cpus-fast" and theirs and ours == []:
            # Machine `none`, where a CPU of -device has no place.
            continue
        if query == "query-cpus-fast":
            cpus = [theirs, ours]
        theirs, ours = plain(theirs), plain(ours)
        if query == "query-memdev" and theirs:
            theirs = [backend for backend in theirs if backend["id"] not in ("pc.ram", "ram")]
        yield from unlike(f"{query} {when}", theirs, ours)
    yield from member_differences(sessions, f"the machine {when}", ["/machine"] * 2, NOT_HERE)
    if cpus and all(cpus):
        paths = [of[-1]["qom-path"] for of in cpus]
        yield from member_differences(sessions, f"the last CPU {when}", paths, NOT_COMPARED | NO_REGIONS)


def command_differences(lines, sessions, rng, model):
    """What differs in the answers to commands. A CPU that was added while the machine runs is not taken out: no guest has seen
    it, so here it is gone at once (docs/differences.md)."""
    added = set()
    for _ in range(rng.choice([0, 1, 3, 6])):
        paths = [[cpu["qom-path"] for cpu in session.ask("query-cpus-fast") or []] for session in sessions]
        which = rng.randrange(len(paths[0])) if paths[0] and len(paths[0]) == len(paths[1]) else None
        command, tree = lines.command(rng, model, [] if which is None else ["LAST"])
        leaving = paths[0][which] if tree.get("id") == "LAST" else str(tree.get("id"))
        if command == "device_del" and os.path.basename(leaving) in added:
            continue
        if command == "device_add":
            added.add(str(tree.get("id")))
        answers = []
        for session, of in zip(sessions, paths):
            here = {**tree, "id": of[which]} if tree.get("id") == "LAST" else tree
            answers.append(plain(session.ask(command, **here)))
        if ASKED:
            print(command, json.dumps(tree), json.dumps(answers[0]))
        if answers[0] is None:
            return
        yield from unlike(f"{command} {json.dumps(tree)}", *answers)
        if answers[1] is None:
            return


def run(arguments):
    """What both programs print but warnings, and whether both refuse."""
    sessions = [Told(program, arguments) for program in (REFERENCE, PROGRAM)]
    ends = [session.end() for session in sessions]
    return [errors(said) for said, _ in ends], all(status == 1 for _, status in ends)


def errors(said):
    """What is printed but warnings, which come or not as an error comes sooner or later."""
    return [plain_line(line) for line in said if "warning: " not in line]


def plain_line(line):
    """A line that may name the program behind the guest's name (`-msg guest-name=on`)."""
    return re.sub(r"\b(qemu|qom)-system-x86_64\b", "PROGRAM", line)


def without_one(arguments):
    """The line without one of its options, or without one part between commas."""
    starts = [at for at, word in enumerate(arguments) if word.startswith("-")]
    for start, end in zip(starts, [*starts[1:], len(arguments)]):
        yield arguments[:start] + arguments[end:]
    for at, word in enumerate(arguments):
        parts = word.split(",")
        for part in range(len(parts)) if len(parts) > 1 and not word.startswith("{") else ():
            yield arguments[:at] + [",".join(parts[:part] + parts[part + 1:])] + arguments[at + 1:]


def told_in_another_order(arguments, said, said_here):
    """Whether each program tells what the other would tell later: "several mistakes in one command line". Then there is an
    option, or a part of one, without which both say what the reference says, and another one for what this program says."""
    told = set()
    for shorter in without_one(arguments):
        both, refused = run(shorter)
        if refused and both[0] == both[1]:
            told |= {which for which, what in enumerate((said, said_here)) if errors(what) == both[0]}
    return told == {0, 1}


def differences(lines, rng, record):
    """A case's command line, and what differs."""
    arguments, model = lines.arguments(rng)
    sessions = [Told(program, arguments) for program in (REFERENCE, PROGRAM)]
    found = []
    if all(session.ask("query-version") for session in sessions):
        try:
            found += state_differences(sessions, "at first")
            told = len(found)
            # What commands print is not the command line's.
            found += () if record else command_differences(lines, sessions, rng, model)
            if len(found) == told:
                found += state_differences(sessions, "in the end")
        except (TypeError, ValueError, BrokenPipeError) as error:
            found.append(f"no comparison: {error!r}")
    (said, status), (said_here, status_here) = (session.end() for session in sessions)
    if status < 0:
        return arguments, [f"CRASHED: the reference, by signal {-status}"]
    if any(part in line for line in said_here for part in EXPLAINED) or any("smbios-entry-point" in line for line in said):
        return arguments, []
    if said != said_here and status == status_here == 1 and told_in_another_order(arguments, said, said_here):
        return arguments, []
    if [plain_line(line) for line in said] != [plain_line(line) for line in said_here]:
        found.append(f"printed {said} here {said_here}")
    found += unlike("status", status, status_here)
    if record and not found:
        print(json.dumps(arguments), json.dumps(said), status, sep="\t", file=record)
    return arguments, found


def once():
    """What differs in the list of machine types."""
    listed = [subprocess.run([*program, "-machine", "help"], capture_output=True, text=True, check=True).stdout.splitlines()
              for program in (REFERENCE, PROGRAM)]
    ours = {line.split()[0]: line for line in listed[1]}
    yield from unlike("-machine help", [line for line in listed[0] if line.split()[0] in ours], listed[1])
    sessions = [Session(program, ["-M", "none", "-accel", "tcg"]) for program in (REFERENCE, PROGRAM)]
    theirs, ours = ({m["name"]: m for m in session.ask("query-machines")} for session in sessions)
    for name, machine in ours.items():
        yield from unlike(f"query-machines {name}", theirs.get(name), machine)
    for session in sessions:
        session.end()


# Whether to print the commands of a case.
ASKED = []


def main():
    """Asks until the time is over."""
    parser = rounds.parser(__doc__)
    parser.add_argument("--record", type=argparse.FileType("w"), help="where to write what the reference says")
    options = parser.parse_args()
    if not rounds.begins(REFERENCE, options):
        return 0
    session = Session(PROGRAM, ["-M", "none", "-accel", "tcg"])
    machines = sorted(machine["name"] for machine in session.ask("query-machines"))
    models = sorted(definition["name"] for definition in session.ask("query-cpu-definitions"))
    session.end()
    refused = subprocess.run([*PROGRAM, "-numa", "node", "-M", "none", "-accel", "foo"], capture_output=True, text=True, check=False)
    lines = Lines(machines, models, "-numa" not in refused.stderr)
    print(f"machine types {' '.join(machines)}; {len(models)} models; -numa {'asked' if lines.numa else 'not there'}", flush=True)
    asked, failed, crashed = 0, 0, 0
    for line in once() if options.only is None else ():
        failed += 1
        print(line, flush=True)
    ASKED.extend([] if options.only is None else [options.only])
    for number in rounds.numbers(options):
        arguments, found = differences(lines, random.Random(f"{options.seed}/{number}"), options.record)
        asked += 1
        crash = bool(found) and found[0].startswith("CRASHED")
        crashed += crash
        failed += bool(found) and not crash
        if found or options.only is not None:
            print(f"case {number}: {shlex.join(arguments)}", *found, sep="\n  ", flush=True)
    print(f"{asked} cases, {failed} differences, {crashed} crashes of the reference")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
