"""A command of a worker that says all the time that it runs: its token and the clock of the machine, a line every 5 ms."""
import os
import signal
import sys
import time

path, manners = sys.argv[1:]
if manners == "stubborn":
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
token = os.environ["CAPITANA_FENCING_TOKEN"]
with open(path, "a", buffering=1) as out:
    while True:
        out.write(f"{token} {os.getpid()} {time.clock_gettime_ns(time.CLOCK_BOOTTIME)}\n")
        time.sleep(0.005)
