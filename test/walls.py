"""For the walls: httpd with alice's slow scripts in it, and an attacker."""
import contextlib
import errno
import json
import os
import re
import subprocess
import sys
import threading
import time

import proc
from harness import ALICE, BOB, put, vhost

DENIED = {errno.EPERM, errno.EACCES}

# Prints {what: errno or 0} for each thing tried on each id of the arguments;
# "own" is a child of this program's, one for each try.
ATTACK = r'''
import ctypes, json, os, signal, sys
libc = ctypes.CDLL(None, use_errno=True)
libc.ptrace.argtypes = [ctypes.c_long] * 4
buffer = ctypes.create_string_buffer(8)
here = (ctypes.c_size_t * 2)(ctypes.addressof(buffer), 8)

def call(function, *args):
    ctypes.set_errno(0)
    if function(*args) == -1:
        raise OSError(ctypes.get_errno(), "")

def opener(name, flags):
    return lambda t: os.close(os.open(f"/proc/{t}/{name}", flags))

tries = {
    "mem, read": opener("mem", os.O_RDONLY),
    "mem, write": opener("mem", os.O_RDWR),
    "environ": lambda t: open(f"/proc/{t}/environ", "rb").read(1),
    "maps": lambda t: open(f"/proc/{t}/maps").read(1),
    "task mem": lambda t: os.open(f"/proc/{t}/task/{t}/mem", os.O_RDONLY),
    "descriptors": lambda t: os.listdir(f"/proc/{t}/fd"),
    "cwd": lambda t: os.readlink(f"/proc/{t}/cwd"),
    "attach": lambda t: call(libc.ptrace, 16, t, 0, 0),
    "seize": lambda t: call(libc.ptrace, 0x4206, t, 0, 0),
    "vm_readv": lambda t: call(libc.process_vm_readv, t, here, 1, here, 1, 0),
    "vm_writev": lambda t: call(libc.process_vm_writev, t, here, 1, here, 1,
                                0),
    "get a descriptor": lambda t: call(
        libc.syscall, 438, os.pidfd_open(t, 0x80 * (t in threads)), 0, 0),
}

def attempt(what, target):
    try:
        tries[what](target)
        return 0
    except OSError as e:
        return e.errno

threads = [int(a[1:]) for a in sys.argv[1:] if a[0] == "t"]
said = {}
for target in sys.argv[1:]:
    for what in tries:
        if target != "own":
            said[f"{target} {what}"] = attempt(what, int(target.strip("t")))
            continue
        child = os.fork()
        if child == 0:
            signal.pause()
        said[f"{target} {what}"] = attempt(what, child)
        os.kill(child, signal.SIGKILL)
print(json.dumps(said))
'''

SLOW = {
    "cgi": "#!/bin/sh\necho Content-Type: text/plain\necho\nsleep 60\n",
    "lua": 'function handle(r) os.execute("sleep 60") return 0 end\n',
    "php": "<?php while (true) sleep(60);\n",
}
HANDLERS = """AddHandler lua-script .lua
AddHandler application/x-httpd-php .php
AddOutputFilter INCLUDES .shtml
"""


def hosts(folder):
    return HANDLERS + "".join(
        vhost(t.name, folder / "home" / t.name / "www",
              f"PSUserGroup {t.ids}") for t in (ALICE, BOB)) + vhost(
        "plain", folder / "home" / "alice" / "www")


def serve(start, folder, mpm, **kwargs):
    """httpd, with slow.* and whatever a case puts into alice's folder."""
    kwargs.setdefault("expect", []).append("PS0503")
    for kind, text in SLOW.items():
        put(folder / f"home/alice/www/slow.{kind}", text, 0o755, ALICE)
    return start(mpm, hosts(folder), modules=[
        "cgi", "lua", "include"] + ["php"] * (mpm == "prefork"), **kwargs)


@contextlib.contextmanager
def running(httpd, kind):
    """While alice's slow script runs: (pids of the children, ids of alice's
    threads in them: of a CGI program there is none). Ends it by ending its
    client and the script."""
    def ask():
        with contextlib.suppress(Exception):
            httpd.get(f"/slow.{kind}")

    client = threading.Thread(target=ask)
    client.start()
    try:
        assert proc.wait_until(
            lambda: (kind == "cgi" or proc.threads_of(httpd, ALICE))
            and (kind == "php" or proc.scripts(httpd))), (kind, httpd.log())
        time.sleep(0.1)
        tids = [tid for _, tid in proc.threads_of(httpd, ALICE)]
        assert bool(tids) == (kind != "cgi"), tids
        yield httpd.children(), tids
    finally:
        for pid in proc.scripts(httpd):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, 9)
        if kind != "php":  # it ends with the server
            client.join()


def all_threads(pids):
    return [tid for pid in pids for tid in proc.threads(pid)]


def attack(folder, tenant, *targets):
    program = put(folder / "attack.py", ATTACK)
    done = subprocess.run(
        [sys.executable, "-I", str(program), *map(str, targets)], text=True,
        user=tenant.uid, group=tenant.gid, extra_groups=[], check=True,
        stdout=subprocess.PIPE, timeout=60, cwd="/")
    return json.loads(done.stdout)


def kinds(mpm):
    return ["cgi", "lua"] + ["php"] * (mpm == "prefork")


def tries(text):
    return {k: int(v) for k, v in re.findall(r"^try (.+): (-?\d+)$", text,
                                             re.M)}
