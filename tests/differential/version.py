"""Which QEMU answers: for the heads of what is recorded."""
import json
import re
import subprocess

# As it stands in the heads of transcripts.
WRITTEN = re.compile(r"QEMU \d+\.\d+\.\d+ \([^)]*\)")


def words(version):
    """A version as `query-version` and the greeting have it, as a head says it."""
    numbers = ".".join(str(version["qemu"][part]) for part in ("major", "minor", "micro"))
    return f"QEMU {numbers} ({version['package']})"


def of(command):
    """That of the QEMU that a command starts, in words."""
    options = "-M none -accel qtest -display none -nodefaults -qmp stdio".split()
    requests = "".join(json.dumps({"execute": name}) for name in ("qmp_capabilities", "query-version", "quit"))
    answer = subprocess.run([*command, *options], input=requests, capture_output=True, text=True, check=True)
    (version,) = (reply["return"] for line in answer.stdout.splitlines()
                  if (reply := json.loads(line)).get("return"))
    return words(version)


def renewed(comment, version):
    """A comment with that version in the place of the one that it names."""
    return WRITTEN.sub(lambda _: version, comment)
