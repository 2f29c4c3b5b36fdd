#!/usr/bin/env python3
"""Holds the same random monitor sessions with QEMU 11.1 and with this program, and prints where the two tell something else.

    tests/differential/sessions.py [--minutes 60] [--seed N] [--cases N] [--only CASE]

Run by hand, with REFERENCE, SHARED and PROGRAM as `differential.py` has them; without the reference it says so and does nothing.
A case is a command line and some forty steps (`steps.py`): requests of the commands that both programs have, with arguments
right and wrong that follow the reference's own schema, JSON in every manner that is read and in some that are not, several requests
in one piece, human monitor lines, CPUs and objects that come and go, and an end. It depends on nothing but the seed and its
number, so `--only` asks it again and prints what both say.

Each step is followed by two `query-status`, so what it causes belongs to it. Compared are, step by step, the answers and the
events in the order in which they come, with their members in theirs, and in the end the exit status and what was printed on standard error but warnings. Not compared,
as docs/differences.md or the nature of the thing explains:

* `timestamp` of events, `thread-id`, `pid`, the time of day (`rtc-time`);
* order in a list whose order is a hash table's there: types, properties, CPU definitions, event loops, character devices;
* members of objects and properties that one of the two does not have (`NOT_HERE` of command_lines.py and the like);
* numbers in `/machine/unattached/device[N]`, names of items of lists in errors;
* commands whose whole answer is about what was built in (`NOT_ASKED`).

Files are opened by names that are there or cannot be made. A case in which the reference crashes is counted and not compared. The exit status is 1 if anything differs.
"""
import itertools
import json
import random
import re
import shlex
import subprocess
import sys
import tempfile
import threading

import rounds
from command_lines import AS_IT_IS, NO_REGIONS, NOT_HERE, OURS, errors, plain_line
from differential import NOT_COMPARED, PATIENCE, PROGRAM, REFERENCE, Session, unlike
from steps import Steps

# What is answered depends on how a program was built, or would take long; other scripts compare these.
NOT_ASKED = {
    "query-version", "query-commands", "query-qmp-schema", "query-machines", "query-chardev-backends", "query-cpu-definitions",
    "query-tpm-models", "query-tpm-types", "query-accelerators", "query-command-line-options", "qom-list-types", "quit",
    "query-cpu-model-expansion", "query-audiodevs", "query-current-machine", "query-stats", "query-stats-schemas", "query-pci", "query-mice",
    "query-migrate-capabilities", "migrate-set-capabilities", "system_wakeup",
    # Of a guest that stands under KVM; inspect.txt and memory-tree.txt have what is said of one.
    "memsave", "pmemsave", "inject-nmi", "x-query-roms", "x-query-ramblock", "x-query-irq", "x-query-interrupt-controllers", "x-query-jit",
    # Names kinds of instances that there are none of here; manager-questions.txt has what both have.
    "yank",
    # Without a clock the reference aborts.
    "rtc-reset-reinjection",
    # Descriptors come over a socket, and here is none.
    "add-fd", "getfd", "closefd", "remove-fd",
    # The machine of a session under --preconfig is another case.
    "x-exit-preconfig",
}
# What this program says where docs/differences.md explains another answer; the two are not at one then, and the session ends.
EXPLAINED = (
    "Bus 'xxxx", "after it was realized", "is not a valid name for a child object", "cannot change property value",
    "Base64 data contains invalid characters", "Base64 data is incomplete or wrongly padded",
)
# What the reference says where it does.
EXPLAINED_THERE = ("Duplicate ID",)
# Guest RAM and monitors are no objects here.
NO_OBJECTS = {"pc.ram", "ram", "compat_monitor0"}
# Nor is there flash memory.
NO_FLASH = {"pflash0", "pflash1", "system.flash0", "system.flash1"}
FENCE = "fence"


class Talk:
    """A program with its monitor on standard input and output, asked in bytes."""

    def __init__(self, program, arguments):
        # pylint: disable=consider-using-with
        self.errors = tempfile.TemporaryFile("w+")
        self.process = subprocess.Popen([*program, *arguments, "-display", "none", "-nodefaults", "-qmp", "stdio"],
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.errors)
        self.watch = threading.Timer(PATIENCE, self.process.kill)
        self.watch.daemon = True
        self.watch.start()
        self.paths = []
        self.gone = False
        self.greeting = self.read()

    def read(self):
        """The next message, or None at the end."""
        line = self.process.stdout.readline()
        if not line:
            self.gone = True
            return None
        if not line.endswith(b"\r\n"):
            return {"line": repr(line)}
        return json.loads(line)

    def send(self, data):
        """Sends, with names replaced by this program's."""
        for name, path in self.names():
            data = data.replace(name.encode(), path.encode())
        try:
            self.process.stdin.write(data)
            self.process.stdin.flush()
        except BrokenPipeError:
            pass

    def names(self):
        """Names and what they stand for, longer paths first when they are read."""
        return [(f"[CPU{index}]", path) for index, path in enumerate(self.paths)]

    def fence(self, number):
        """Whatever is told until this is answered, and the answer."""
        self.send(json.dumps({"execute": "query-status", "id": [FENCE, number]}).encode() + b"\n")
        told = []
        while message := self.read():
            told.append(message)
            if message.get("id") == [FENCE, number]:
                break
        return told

    def find_cpus(self):
        """Learns the paths of the CPUs."""
        self.send(b'{"execute": "query-cpus-fast", "id": "cpus"}\n')
        while message := self.read():
            if message.get("id") == "cpus":
                self.paths = [cpu["qom-path"] for cpu in message.get("return", [])]
                return

    def end(self):
        """Closes the session; what was printed without the program's name, and the exit status."""
        rest = []
        try:
            self.process.stdin.close()
        except BrokenPipeError:
            pass
        while not self.gone:
            message = self.read()
            if message:
                rest.append(message)
        self.process.wait()
        self.watch.cancel()
        self.process.stdout.close()
        self.errors.seek(0)
        said = [re.sub(r"^\S*q(emu|om)-system-x86_64: ", "", line) for line in self.errors.read().splitlines()]
        self.errors.close()
        return rest, errors([line for line in said if "no guest code is run" not in line]), self.process.returncode


def members_alone(members):
    """Members of an object without those that one of the two does not have, in an order that is no hash table's."""
    absent = NOT_HERE | NO_FLASH | NO_OBJECTS | NO_REGIONS | NOT_COMPARED | OURS | AS_IT_IS
    return sorted((m for m in members if m["name"] not in absent and not re.search(r"\[\d+\]$", m["name"])),
                  key=lambda member: member["name"])


def plain(talk, message):
    """A message without what is not compared."""
    message = {key: value for key, value in message.items() if key != "timestamp"}
    text = json.dumps(message)
    for name, path in sorted(talk.names(), key=lambda pair: -len(pair[1])):
        text = text.replace(json.dumps(path)[:-1], '"' + name)
    text = re.sub(r"(/machine/unattached/device|/machine/peripheral-anon/device)\[\d+\]", r"\1[N]", text)
    text = re.sub(r'"thread-id": \d+', '"thread-id": 0', text)
    text = re.sub(r"thread_id=\d+", "thread_id=0", text)
    text = re.sub(r"memory backend: (pc\.)?ram\\r\\n( .*?\\r\\n)*?(?=memory backend|\\r\\n)", "", text)
    text = re.sub(r'"/objects/(pc\.)?ram"', '""', text)
    text = re.sub(r" *x-vcpu-state: .*?\\r\\n", "", text)
    # An item of a list has no name there.
    text = re.sub(r"Parameter '(null|[\w.-]*\[\d+\])'", "Parameter 'ITEM'", text)
    message = json.loads(text)
    answer = message.get("return")
    if isinstance(answer, str) and ": filename=" in answer:
        message["return"] = sorted(answer.splitlines())
    if isinstance(answer, list) and answer and all(isinstance(part, dict) for part in answer):
        if all("name" in part and "type" in part for part in answer):
            answer = members_alone(answer)
        elif all("properties" in part for part in answer):
            answer = [{**part, "properties": members_alone(part["properties"])} for part in answer]
        else:
            key = next((key for key in ("id", "label") if all(key in part for part in answer)), None)
            answer = [part for part in answer if part.get(key) not in NO_OBJECTS]
            answer = sorted(answer, key=lambda part: part[key]) if key else answer
        message["return"] = answer
    return message


def command_line(rng):
    """The options of a case."""
    machine = rng.choice(["pc", "pc", "q35", "q35", "none", "pc-q35-9.0", "pc-i440fx-8.2"])
    # Under tcg firmware runs in the reference, and resets the machine when it likes.
    line = ["-M", machine, "-accel", "tcg" if machine == "none" else "qtest"]
    if machine != "none":
        line += ["-smp", rng.choice(["1", "2", "1,maxcpus=4", "1,maxcpus=4,sockets=4", "2,sockets=2,cores=2,maxcpus=4", "1,cores=2,threads=2,sockets=1,maxcpus=4"])]
    for option in (["-S"], ["-no-reboot"], ["-no-shutdown"], ["-name", rng.choice(["a", "guest=b,process=c"])], ["-uuid", "12345678-1234-1234-1234-123456789abc"],
                   ["-action", "reboot=" + rng.choice(["reset", "shutdown"])], ["-action", "shutdown=" + rng.choice(["pause", "poweroff"])],
                   ["-action", "panic=" + rng.choice(["pause", "none", "exit-failure"])], ["-watchdog-action", rng.choice(["pause", "debug"])],
                   ["-object", "secret,id=o1,data=x"], ["-object", "iothread,id=o2"], ["-object", "memory-backend-ram,id=o3,size=1M"],
                   ["-chardev", "null,id=ch1"], ["-chardev", "ringbuf,id=ch2,size=64"], ["-m", "64"], ["-cpu", rng.choice(["EPYC", "max", "base"])]):
        if rng.random() < (0.5 if option == ["-S"] else 0.15) and not (option[0] == "-cpu" and machine == "none"):
            line += option
    return line


class Case:
    """A session with both."""

    def __init__(self, steps, rng, show):
        self.steps, self.rng, self.show = steps, rng, show
        self.arguments = command_line(rng)
        self.found = []
        # The two are not at one any more, for a reason that is known.
        self.explained = False

    def say(self, *what):
        """Prints, if the case is asked alone."""
        if self.show:
            print(*what)

    def compare(self, what, told):
        """Notes what differs of what was told."""
        plains = [[plain(talk, message) for message in messages] for talk, messages in told]
        self.say(f"> {what!r}")
        # A chardev whose change fails is gone there.
        self.explained |= b"chardev-change" in what and "Failed to add chardev" in json.dumps(plains[1])
        if plains[0] == plains[1]:
            self.say("=", json.dumps(plains[0])[:2000])
            return
        before = len(self.found)
        for theirs, ours in itertools.zip_longest(*plains):
            # Of several members that nobody knows either program tells any.
            unknown = all("' is unexpected" in json.dumps(told) for told in (theirs, ours))
            if theirs != ours and (unknown or any(text in json.dumps(ours) for text in EXPLAINED)
                                   or any(text in json.dumps(theirs) for text in EXPLAINED_THERE)):
                self.explained = True
                break
            self.found += unlike(f"{what!r}: told", *(json.dumps(x)[:3000] for x in (theirs, ours)))
        self.say("!", *self.found[before:])

    def hold(self):
        """What differs."""
        rng = self.rng
        talks = [Talk(program, self.arguments) for program in (REFERENCE, PROGRAM)]
        oob = rng.random() < 0.3
        for number in range(rng.choice([0, 0, 1, 3])):
            self.step(talks, self.steps.step(rng, False, False), -1 - number)
        enable = {"enable": ["oob"]} if oob else {}
        self.step(talks, json.dumps({"execute": "qmp_capabilities", "arguments": enable}).encode(), -10)
        for talk in talks:
            talk.find_cpus()
        added = set()
        for number in range(rng.choice([5, 20, 40, 80])):
            if self.found or self.explained or any(talk.gone for talk in talks):
                break
            data = self.steps.step(rng, True, oob)
            if not self.unplugs(data, added):
                self.step(talks, data, number)
        kind = rng.randrange(4)
        if not self.found and kind < 3:
            self.step(talks, [b"{'execute': 'quit'}", b"{'execute': 'human-monitor-command', 'arguments': {'command-line': 'quit'}}",
                              b"{'execute': 'system_reset'} {'execute': 'quit', 'id': 1}"][kind], 1000)
        else:
            self.step(talks, b"{'execute': 'quit'}", 1000)
        (rest, said, status), (rest_here, said_here, status_here) = (talk.end() for talk in talks)
        if status < 0:
            return [f"CRASHED: the reference, by signal {-status}"]
        if not self.found and not self.explained:
            self.compare(b"the end", list(zip(talks, (rest, rest_here))))
            self.found += unlike("printed", [plain_line(line) for line in said], [plain_line(line) for line in said_here])
            self.found += unlike("status", status, status_here)
        return self.found

    @staticmethod
    def unplugs(data, added):
        """Whether the step asks for a CPU back that was added while the machine runs: no guest has seen it, so here it is gone at
        once (docs/differences.md)."""
        added.update(re.findall(rb"id['\"=]?:? ?['\"]?(c[123])\b", data) if b"device_add" in data else ())
        return b"device_del" in data and any(name in data for name in added)

    def step(self, talks, data, number):
        """Sends the same to both and compares what they tell."""
        told = []
        for talk in talks:
            talk.send(data)
            told.append((talk, talk.fence(number) + talk.fence(number + 0.5)))
        self.compare(data, told)


def main():
    """Holds sessions until the time is over."""
    options = rounds.parser(__doc__).parse_args()
    if not rounds.begins(REFERENCE, options):
        return 0
    sessions = [Session(program, ["-M", "none", "-accel", "tcg"]) for program in (REFERENCE, PROGRAM)]
    commands = set.intersection(*({c["name"] for c in session.ask("query-commands")} for session in sessions)) - NOT_ASKED
    schema = {entry["name"]: entry for entry in sessions[0].ask("query-qmp-schema")}
    for session in sessions:
        session.end()
    steps = Steps(schema, commands)
    print(f"{len(commands)} commands: {' '.join(sorted(commands))}", flush=True)
    held, failed, crashed = 0, 0, 0
    for number in rounds.numbers(options):
        case = Case(steps, random.Random(f"{options.seed}/{number}"), options.only is not None)
        found = case.hold()
        held += 1
        crash = bool(found) and found[0].startswith("CRASHED")
        crashed += crash
        failed += bool(found) and not crash
        if found:
            print(f"case {number}: {shlex.join(case.arguments)}", *found, sep="\n  ", flush=True)
    print(f"{held} sessions, {failed} with differences, {crashed} crashes of the reference")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
