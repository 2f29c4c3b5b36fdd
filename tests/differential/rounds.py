"""What the comparisons of random cases have in common: their options, the reference that there must be, and how long they go on."""
import argparse
import itertools
import subprocess
import time


def parser(doc):
    """A reader of the options that all have; `doc` is the script's docstring."""
    options = argparse.ArgumentParser(description=doc.splitlines()[0])
    options.add_argument("--minutes", type=float, default=60)
    options.add_argument("--cases", type=int, help="stop after this many")
    options.add_argument("--seed", type=int, default=int(time.time()))
    options.add_argument("--only", type=int, help="the number of a case to ask alone")
    return options


def begins(reference, options):
    """Whether the reference can be run; says what is compared with, or that nothing is."""
    try:
        version = subprocess.run([*reference, "-version"], capture_output=True, text=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError) as error:
        print(f"SKIPPED: the reference cannot be run: {error}")
        return False
    print(f"{version.splitlines()[0]}; seed {options.seed}", flush=True)
    return True


def numbers(options):
    """The numbers of the cases: the only one, or from 0 on until the time or the count is over."""
    if options.only is not None:
        yield options.only
        return
    end = time.monotonic() + options.minutes * 60
    for number in itertools.count():
        if time.monotonic() > end or number == options.cases:
            return
        yield number
