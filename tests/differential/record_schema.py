#!/usr/bin/env python3
"""Writes what query-qmp-schema of QEMU 11.1 says of the commands and events that this program has, too.

    tests/differential/record_schema.py > tests/fixtures/qmp/schema.json

The reference is named by REFERENCE ('qemu-system-x86_64' by default), the program by PROGRAM
(target/debug/qom-system-x86_64). Types that none of these commands and events reach are left out.
"""
import json
import os
import shlex
import subprocess

REFERENCE = shlex.split(os.environ.get("REFERENCE", "qemu-system-x86_64"))
PROGRAM = shlex.split(os.environ.get("PROGRAM", "target/debug/qom-system-x86_64"))


def schema(program):
    """The entries by name."""
    requests = [{"execute": name} for name in ("qmp_capabilities", "query-qmp-schema", "quit")]
    answer = subprocess.run([*program, "-M", "none", "-display", "none", "-nodefaults", "-qmp", "stdio"],
                            input="\n".join(map(json.dumps, requests)), capture_output=True, text=True, check=True)
    (entries,) = (reply["return"] for line in answer.stdout.splitlines()
                  if isinstance((reply := json.loads(line)).get("return"), list))
    return {entry["name"]: entry for entry in entries}


def names(entry):
    """The types that an entry names."""
    yield from (entry[key] for key in ("arg-type", "ret-type", "element-type") if key in entry)
    for member in [*entry.get("members", []), *entry.get("variants", [])]:
        if "type" in member:
            yield member["type"]


def main():
    """Records."""
    theirs, ours = schema(REFERENCE), schema(PROGRAM)
    wanted = [name for name, entry in theirs.items() if entry["meta-type"] in ("command", "event") and name in ours]
    for name in wanted:
        wanted.extend(set(names(theirs[name])) - set(wanted))
    print("[")
    print(",\n".join(json.dumps(theirs[name]) for name in wanted))
    print("]")


if __name__ == "__main__":
    main()
