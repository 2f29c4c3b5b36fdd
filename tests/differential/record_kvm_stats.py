#!/usr/bin/env python3
"""Writes the fixtures of KVM's statistics: what this kernel's descriptors hold, and what QEMU 11.1 says of them on the same kernel.

    tests/differential/record_kvm_stats.py machine-pc/src/kvm/fixtures

`stats-source.txt` names that kernel and that QEMU.
`stats-vm.bin` and `stats-vcpu.bin` are the descriptors' bytes as they are read from a VM and a vCPU that have not run; `stats.json` is
the reference's answer to query-stats-schemas, its provider 'kvm' only; `stats-info.txt` is what its `info stats` says of both, where
nothing has run either. The reference is named by REFERENCE.
"""
import fcntl
import json
import os
import platform
import shlex
import subprocess
import sys

import version

REFERENCE = shlex.split(os.environ.get("REFERENCE", "qemu-system-x86_64"))
KVM_CREATE_VM, KVM_CREATE_VCPU, KVM_CREATE_IRQCHIP, KVM_GET_STATS_FD = 0xAE01, 0xAE41, 0xAE60, 0xAECE


def main(directory):
    """Records."""
    vm = fcntl.ioctl(os.open("/dev/kvm", os.O_RDWR), KVM_CREATE_VM, 0)
    fcntl.ioctl(vm, KVM_CREATE_IRQCHIP, 0)
    for name, of in ("vm", vm), ("vcpu", fcntl.ioctl(vm, KVM_CREATE_VCPU, 0)):
        with open(f"{directory}/stats-{name}.bin", "wb") as file:
            file.write(os.pread(fcntl.ioctl(of, KVM_GET_STATS_FD, 0), 1 << 20, 0))
    requests = [{"execute": name} for name in ("qmp_capabilities", "query-stats-schemas")]
    requests += [{"execute": "human-monitor-command", "arguments": {"command-line": f"info stats {target}"}}
                 for target in ("vm", "vcpu")]
    requests += [{"execute": "quit"}]
    options = "-M pc -accel kvm -S -display none -nodefaults -qmp stdio".split()
    answer = subprocess.run([*REFERENCE, *options], input="\n".join(map(json.dumps, requests)),
                            capture_output=True, text=True, check=True)
    (schemas,) = (reply["return"] for line in answer.stdout.splitlines()
                  if isinstance((reply := json.loads(line)).get("return"), list))
    with open(f"{directory}/stats.json", "w", encoding="utf-8") as file:
        lines = (json.dumps(schema) for schema in schemas if schema["provider"] == "kvm")
        file.write("[\n" + ",\n".join(lines) + "\n]\n")
    with open(f"{directory}/stats-source.txt", "w", encoding="utf-8") as file:
        kernel = platform.uname()
        file.write(f"Statistics of KVM in {kernel.system} {kernel.release} ({kernel.machine}), and what {version.of(REFERENCE)} says of them.\n")
    texts = [reply["return"] for line in answer.stdout.splitlines()
             if isinstance((reply := json.loads(line)).get("return"), str)]
    with open(f"{directory}/stats-info.txt", "w", encoding="utf-8") as file:
        file.write("".join(texts).replace("\r\n", "\n"))


main(sys.argv[1])
