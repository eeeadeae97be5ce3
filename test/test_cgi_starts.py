"""Starts of scripts: those that a tenant holds up; what they need of the
kernel and of the configuration; and the words that they are given."""
import contextlib
import os
import subprocess
import sys
import threading
import time

import pytest

import proc
import refuse
from cgi import Look, hosts, put_scripts, zombies
from conftest import MPMS
from harness import (ALICE, BOB, TENANTS, Httpd, Tenant, Who, make_homes,
                     shared, vhost)
from test_denials import refused

# Whose processes nobody else has: one stops them, one keeps them waiting.
STOPS = Tenant(33000 + os.getpid() % 1000, 33000, name="stops")
WAITS = Tenant(34000 + os.getpid() % 1000, 34000, name="waits")
STARTS_OF_ONE = 4
START_MOST = 5


def config(folder):
    make_homes(folder, [STOPS, WAITS])
    put_scripts(folder, {"look.cgi": "LOOK"}, (*TENANTS, STOPS, WAITS))
    return hosts(folder) + "".join(
        vhost(t.name, folder / "home" / t.name / "www",
              f"PSUserGroup {t.ids}") for t in (STOPS, WAITS)) + vhost(
        "late", folder / "home/alice/www",
        f"PSUserGroup {ALICE.ids}\nPSCgiTimeout 1")


@pytest.fixture(scope="module", params=MPMS)
def httpd(request):
    many = ("StartServers 8\nMaxSpareServers 12\n"
            if request.param == "prefork" else
            "ServerLimit 1\nThreadsPerChild 16\nMaxRequestWorkers 16\n")
    with shared(request.param, config, main_config=many) as server:
        yield server


# ---- starts that do not get on

# Has a lease on a file, so that who executes it waits, in the kernel: for 2
# seconds, until all processes of its user are stopped, or as long as it lives.
HOLDER = """import fcntl, os, signal, sys, time
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGIO])
fd = os.open(sys.argv[1], os.O_RDONLY)
fcntl.fcntl(fd, fcntl.F_SETLEASE, fcntl.F_WRLCK)
print("holds", flush=True)
if sys.argv[2] != "wait":
    signal.sigtimedwait([signal.SIGIO], 20)
    time.sleep(0.3 if sys.argv[2] == "stop" else 2)
    if sys.argv[2] == "stop":
        os.kill(-1, signal.SIGSTOP)
        time.sleep(0.3)
    fcntl.fcntl(fd, fcntl.F_SETLEASE, fcntl.F_UNLCK)
time.sleep(30)
"""


@contextlib.contextmanager
def holding(httpd, tenant, does):
    """A program of the tenant's, outside of httpd, that holds her script."""
    path = httpd.folder / "home" / tenant.name / "www/look.cgi"
    with subprocess.Popen([sys.executable, "-c", HOLDER, path, does],
                          user=tenant.uid, group=tenant.gid, extra_groups=[],
                          stdout=subprocess.PIPE) as process:
        try:
            assert process.stdout.readline() == b"holds\n"
            yield
        finally:
            process.kill()


def processes(tenant, pids):
    """Those of the tenant's."""
    return [pid for pid in pids if proc.has_uid(
        Who(proc.read(f"/proc/{pid}/status")), tenant)]


class Asked(threading.Thread):
    """Requests for a tenant's script, until it is enough: what was answered,
    and how long it took."""

    def __init__(self, httpd, tenant, enough=lambda: True):
        super().__init__()
        self.httpd, self.tenant, self.enough = httpd, tenant, enough
        self.answers, self.times = [], []
        self.start()

    def run(self):
        while not self.answers or not self.enough():
            begin = time.monotonic()
            self.answers.append(self.httpd.get("/look.cgi", self.tenant.name))
            self.times.append(time.monotonic() - begin)


class Held:
    """Both attacks at once, and bob meanwhile."""

    def __init__(self, httpd):
        many = STARTS_OF_ONE * (1 if httpd.mpm == "prefork" else 4)
        over = threading.Event()
        with holding(httpd, WAITS, "wait"), holding(httpd, STOPS, "stop"):
            self.waiting = [Asked(httpd, WAITS) for _ in range(many)]
            self.bob = Asked(httpd, BOB, over.is_set)
            proc.wait_until(lambda: self.count_refused() + STARTS_OF_ONE
                            == many, 3)
            self.refused = self.count_refused()
            self.starts = len(processes(WAITS, proc.scripts(httpd)))
            self.stopped = [Asked(httpd, STOPS) for _ in range(STARTS_OF_ONE)]
            for one in (*self.waiting, *self.stopped):
                one.join(30)
            over.set()
            self.bob.join(30)
        self.lines = httpd.log().splitlines()

    def count_refused(self):
        return len([n for n in self.waiting if n.times])


@pytest.fixture(scope="module")
def held(httpd):
    with httpd.expecting("") as lines:
        found = Held(httpd)
    words = ("PS0604", "PS0208", "PS0209", "End of script",
             "MaxRequestWorkers")
    strange = [n for n in lines if not any(word in n for word in words)]
    assert not strange, strange
    return found


def were_killed(httpd, tenant, asked, lines):
    """These requests were held, and let go when their scripts were killed;
    nothing of the tenant's is left, and she can go on."""
    assert len(asked) == STARTS_OF_ONE
    for one in asked:
        assert one.answers[0].status in (500, 504), one.answers
        assert START_MOST - 1 < one.times[0] < START_MOST + 3
    killed = [n for n in lines if "PS0604" in n and f"uid {tenant.uid} " in n]
    assert len(killed) == len(asked)
    assert proc.wait_until(
        lambda: not processes(tenant, proc.numbers("/proc")), 5)
    assert proc.wait_until(lambda: not zombies(httpd), 5)
    with httpd.expecting():
        assert Look(httpd.get("/look.cgi", tenant.name).text).is_(tenant)


def test_start_is_held_up(httpd, held):
    """Tried: a lease on the script (fcntl(2)), so that 16 starts of it wait in
    execve(2). Might work as each holds one of httpd's threads, and nobody
    else gets one."""
    were_killed(httpd, WAITS, [n for n in held.waiting if n.times[0] > 3],
                held.lines)
    refusals = [n for n in held.waiting if n.times[0] <= 3]
    assert len(refusals) == held.refused
    if httpd.mpm != "prefork":
        assert len(refusals) == 3 * STARTS_OF_ONE
        assert held.starts == STARTS_OF_ONE
    for one in refusals:
        refused(one.answers[0], 500)
    said = [n for n in held.lines if "PS0208" in n and "www/look.cgi" in n
            and "Resource temporarily unavailable" in n]
    assert len(said) == len(refusals)
    assert max(held.bob.times) < 3
    assert all(Look(n.text).is_(BOB) for n in held.bob.answers)


def test_start_is_stopped(httpd, held):
    """Tried: STOP for what is about to be her script. Might work as httpd
    waits for it to run, for ever."""
    were_killed(httpd, STOPS, held.stopped, held.lines)
    assert max(held.bob.times) < 3


def test_start_is_late(httpd):
    """A start that takes a while, and longer than a script may be silent, is
    none that fails: what runs then is answered with."""
    with holding(httpd, ALICE, "late"), httpd.expecting():
        begin = time.monotonic()
        answer = httpd.get("/look.cgi", "late")
        assert time.monotonic() - begin > 1.5
    assert answer.status == 200
    assert Look(answer.text).is_(ALICE)


# ---- where the kernel has not what is needed

CLOSE_RANGE = {"x86_64": 436, "aarch64": 436}


def refuse_close_range():
    for first in (0xffffffff, 3):
        refuse.call(CLOSE_RANGE, first)()


@pytest.mark.parametrize("extra, starts", (
    ("PSExAll On", False), (f"PSUserGroup {ALICE.ids}", False),
    ("PSExAll On\nPSCgiSpawn Off", True), ("", True)))
def test_no_close_range(folder, extra, starts):
    """Tried: a kernel, or a container, without close_range(2). Might work as
    scripts would have httpd's descriptors, or none would run. What starts no
    script of its own needs it not."""
    text = vhost("alice", folder / "home/alice/www", extra)
    httpd = Httpd(folder, "event", text, modules=["cgi"])
    try:
        done = subprocess.run(
            httpd.command("-k", "start"), text=True, stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=60,
            preexec_fn=refuse_close_range)
        httpd.said = done.stdout
        assert (done.returncode == 0) == starts, done.stdout
        assert ("PS0408: close_range(2) is refused" in done.stdout) != starts
        if starts:
            httpd._wait(httpd._listens, 20, "listen")
            who = httpd.get("/whoami.cgi").who
            assert who.is_(ALICE) if extra else who.is_server()
    finally:
        httpd.stop()
    httpd.tolerate += ["PS0504"] * starts + ["PS0408"] * (not starts)
    assert not httpd.unexpected_lines(), httpd.unexpected_lines()


# Modules, lines of the configuration, and whether it is warned of.
WARNS = {
    "cgid": ("cgid", "CGIDScriptTimeout 5", "PSExAll On", True),
    "cgi": ("cgi", "ScriptLog logs/x", "PSExAll On", True),
    "cgid-log": ("cgid", "ScriptLog logs/x", "PSExAll On", True),
    "cgid-none": ("cgid", "", "PSExAll On", False),
    "cgid-own": ("cgid", "", "PSExAll On\nPSCgiTimeout 5", False),
}


@pytest.mark.parametrize("name", WARNS)
def test_directives_of_others(folder, name):
    """Tried: mod_cgid's time-out, for scripts that it does not run. Might work
    as who reads the configuration believes it."""
    module, line, extra, warns = WARNS[name]
    text = line + "\n" + vhost("alice", folder / "home/alice/www", extra)
    status, said = Httpd(folder, "event", text, modules=[module]).configtest()
    assert status == 0, said
    assert ("PS0515" in said) == warns, said
    assert not warns or line.split()[0] in said.split("PS0515: ")[1]


# ---- words

@pytest.mark.parametrize("query, words", (
    ("+", ["", ""]), ("++", ["", "", ""]), ("a+b+", ["a", "b", ""]),
    ("+a", ["", "a"]), ("a", ["a"]), ("a+b", ["a", "b"]), ("a=b", []),
    ("a+b=", []), ("", [])))
def test_words(httpd, query, words):
    """A query without "=" is as many arguments as it has words, empty ones
    and the last included."""
    for host in ("alice", "owner"):
        with httpd.expecting():
            look = Look(httpd.get(f"/look.cgi?{query}", host).text)
        assert look.is_(ALICE)
        assert look.words == words
