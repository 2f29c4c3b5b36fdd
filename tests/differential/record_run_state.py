#!/usr/bin/env python3
"""Writes what QEMU 11.1 tells of a machine that is stopped, reset and ended, in some orders and with some options.

    tests/differential/record_run_state.py > tests/transcripts/run-state.txt

The reference is named by REFERENCE. A line of a session is a direction and JSON: `>` what is sent, `<` what is told, without
time stamps; each request is followed by a `query-status`, so that what it causes belongs to it. A session begins with its options, and ends with
the exit status.
"""
import itertools
import json

import version
from differential import REFERENCE
from sessions import Talk

OPTIONS = [[], ["-S"], ["-no-shutdown"], ["-action", "reboot=shutdown"], ["-no-reboot", "-no-shutdown"], ["-S", "-no-reboot", "-no-shutdown"]]
ORDERS = [
    ["stop", "stop", "cont", "cont", "quit"],
    ["stop", "system_reset", "cont", "stop", "system_reset", "stop", "quit"],
    ["system_reset", "system_reset", "stop", "system_powerdown", "cont", "quit"],
    ["cont", "system_reset", "stop", "cont", "quit"],
    ["system_powerdown", "stop", "system_powerdown", "system_reset", "cont", "quit"],
    ["set-action", "system_reset", "cont", "stop", "quit"],
    ["human-monitor-command stop", "human-monitor-command system_reset", "human-monitor-command cont", "human-monitor-command quit"],
]


def request(text):
    """A request from its short form."""
    command, _, line = text.partition(" ")
    tree = {"execute": command}
    if line:
        tree["arguments"] = {"command-line": line}
    elif command == "set-action":
        tree["arguments"] = {"reboot": "shutdown", "shutdown": "pause"}
    return tree


def bare(message):
    """A message without its time."""
    return {key: value for key, value in message.items() if key != "timestamp"}


def main():
    """Records."""
    print(f"# What {version.of(REFERENCE)} tells of a machine that is stopped, reset and ended.")
    print("# Made by tests/differential/record_run_state.py.")
    for options, order in itertools.product(OPTIONS, ORDERS):
        talk = Talk(REFERENCE, ["-M", "none", "-accel", "qtest", *options])
        talk.send(b'{"execute": "qmp_capabilities"}\n')
        talk.read()
        print(f"= {json.dumps(options)}")
        for number, text in enumerate(order):
            if talk.gone:
                break
            talk.send(json.dumps(request(text)).encode() + b"\n")
            # Twice: what follows a reply may follow the next one's too.
            told = talk.fence(number) + talk.fence(number)
            print(f"> {json.dumps(request(text))}")
            for message in told[:-1] if not talk.gone else told:
                if message.get("id") != ["fence", number]:
                    print(f"< {json.dumps(bare(message))}")
            if not talk.gone:
                print(f"< {json.dumps(bare(told[-1])['return'])}")
        rest, said, status = talk.end()
        assert not said, said
        for message in rest:
            print(f"< {json.dumps(bare(message))}")
        print(f"$ {status}")


if __name__ == "__main__":
    main()
