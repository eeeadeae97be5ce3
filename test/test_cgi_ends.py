"""How a script ends: at its timeout, with its client, or by itself; and what
goes on after its answer."""
import http.client
import os
import socket
import threading
import time

import pytest

import proc
from cgi import (FEW_SERVERS, HEAD, Look, Talk, hosts, noted, put_scripts,
                 seconds_until_gone, server_id, site, zombies)
from harness import ALICE, BOB, CAROL, TENANTS, vhost

GRACE = 3  # seconds between TERM and KILL
UID = f"{ALICE.uid}\n".encode()
WHO = f"{HEAD}id -u\n"
# What a script makes of TERM. Its child has its group, and does the same.
MANNERS = {
    "plain": "",
    "deaf": "trap '' TERM\n",
    "polite": "trap 'echo TERM >>NOTES/WAY-polite-got; exit' TERM\n"
              "exec 2>/dev/null\n",
}
# What it does until it is ended.
SILENT = "wait\n"
SPEAKS = f"{WHO[10:]}wait\n"
WRITES = f"{WHO[10:]}while :; do echo x; sleep 0.1; done\n"
# Host, what the script does, and how it is ended. (Of a client that has begun
# its next request httpd may keep an answer back, but not the script.)
WAYS = {
    "early": ("short", SILENT, "timeout"),
    "early-by-timeout": ("timeout", SILENT, "timeout"),
    "early-in-folder": ("alice", SILENT, "timeout"),
    "early-begun": ("short", SILENT, "timeout"),
    "amid": ("short", SPEAKS, "timeout"),
    "reset-early": ("alice", SILENT, "reset"),
    "reset": ("alice", SPEAKS, "reset"),
    "reset-writing": ("alice", WRITES, "reset"),
    "close-writing": ("alice", WRITES, "close"),
    "reset-body": ("alice", SILENT, "reset"),
}
# Scripts that nobody may end, with the host.
ALIVE = {
    "steady": ("short", f"{WHO}for i in 1 2 3 4; do sleep 0.6; echo $i; "
               "done\n"),
    "half-closed": ("alice", f"{WHO}sleep 1\necho text\n"),
    "slow-reader": ("short", f"{WHO}head -c 20000000 /dev/zero\n"),
    "slow-body": ("short", "#!/bin/sh\nn=$(wc -c)\n" + WHO[10:]
                  + "echo $n\n"),
}
WORK = "sleep 1.5\necho $? >>NOTES/NAME-done\n"
# Scripts whose answer ends before they do: what they do after its last line.
BEHIND = {
    "closes": f"exec >&- 2>&-\n{WORK}",
    "closes-input": f"exec <&- >&- 2>&-\n{WORK}",
    "leaves": f"({WORK}) </dev/null >/dev/null 2>&1 &\n",
    "leaves-group": f"setsid sh -c '{WORK}' </dev/null >/dev/null 2>&1 &\n",
}
# How many there are at once, and whose; of a tenant's last eight the standard
# error is read.
MANY = {"many": (60, BOB), "late": (8, CAROL)}
BEHIND |= {f"{name}-reset": does for name, does in BEHIND.items()}
PIDS = "sleep 61 &\necho $$ $! >NOTES/WAY-MANNER\n"
SCRIPTS = {"look.cgi": "LOOK", **{
    f"{'folder/' if 'folder' in way else ''}{way}-{manner}.cgi": (
        f"#!/bin/sh\n{trap}{PIDS}{does}".replace("WAY", way)
        .replace("MANNER", manner))
    for way, (_, does, _) in WAYS.items() for manner, trap in MANNERS.items()
}, **{f"{name}.cgi": text for name, (_, text) in ALIVE.items()}, **{
    f"{name}.cgi": f"{WHO}echo $$ >NOTES/{name}\n{does}".replace("NAME", name)
    for name, does in BEHIND.items()},
    "apart.cgi": f"#!/bin/sh\nsetsid sh -c '{WORK}' </dev/null >/dev/null 2>&1"
                 f" &\n{PIDS}{SPEAKS}".replace("NAME", "apart").replace(
                     "WAY-MANNER", "apart"),
    "many.cgi": f"{WHO}exec >&- 2>&-\nsleep 1.5\necho $? >>NOTES/many\n",
    "late.cgi": f"{WHO}exec >&-\nsleep 1.5\necho late word >&2\n"
                "echo $? >>NOTES/late\n",
    "kills-group.cgi": "#!/bin/sh\nkill -KILL 0\n",
    "kills-itself.cgi": f"{WHO}kill -KILL $$\n",
}


def config(folder):
    put_scripts(folder, SCRIPTS, TENANTS)
    www = folder / "home/alice/www"
    pin = f"PSUserGroup {ALICE.ids}\n"
    return f"""
<Directory {www}/folder>
    PSCgiTimeout 1
</Directory>
""" + hosts(folder) + vhost("short", www, f"{pin}PSCgiTimeout 1s") + vhost(
        "timeout", www, f"{pin}Timeout 1")


def room_for(mpm):
    """Requests at once: for all ways."""
    return ("StartServers 40\nMaxSpareServers 50\n" if mpm == "prefork" else
            "ThreadsPerChild 48\nMaxRequestWorkers 48\nMaxSpareThreads 64\n")


class Case(threading.Thread):
    """What is done with one script, beside all the others."""

    def __init__(self, httpd, name):
        super().__init__()
        self.httpd, self.name, self.error = httpd, name, None
        self.start()

    def run(self):
        try:
            with Talk(self.httpd) as talk:
                self.ask(talk)
        except Exception as e:  # in a thread it would be lost
            self.error = e

    def end(self):
        self.join(30)
        if self.error:
            raise self.error
        return self


class Ended(Case):
    """A script is ended: its answer, and when it and its child were gone, in
    seconds after what ended them."""
    status, body, whole = 0, b"", True

    def ask(self, talk):
        way = self.name.rsplit("-", 1)[0]
        host, does, how = WAYS[way]
        folder = "folder/" if "folder" in way else ""
        talk.send(f"/{folder}{self.name}.cgi", host, *(
            ("POST", "Content-Length: 9\r\n", "text") if "body" in way else
            ("GET", "", "GET /loo" if "begun" in way else "")))
        start = time.monotonic()
        pids = noted(self.httpd, self.name)
        self.uids = {os.stat(f"/proc/{pid}").st_uid for pid in pids}
        if how == "timeout":
            start += 1
            if "begun" not in way:
                self.read(talk.begin())
        else:
            if does != SILENT:
                self.body = talk.begin().readline()
            time.sleep(0.2)  # the child has come to its program
            getattr(talk, how)()
            start = time.monotonic()
        self.answered = time.monotonic() - start
        self.took = seconds_until_gone(pids, start)

    def read(self, reply):
        self.status = reply.status
        try:
            self.body = reply.read()
        except http.client.IncompleteRead as e:
            self.whole, self.body = False, e.partial


def slowly(sock, data):
    for byte in data:
        time.sleep(0.5)
        sock.sendall(bytes([byte]))


class Alive(Case):
    """A script that nobody ends."""

    def ask(self, talk):
        talk.send(f"/{self.name}.cgi", ALIVE[self.name][0], *(
            ("POST", "Content-Length: 4\r\n") * (self.name == "slow-body")))
        if self.name == "slow-body":
            slowly(talk.socket, b"text")
        if self.name == "half-closed":
            talk.socket.shutdown(socket.SHUT_WR)
        reply = talk.begin()
        assert reply.readline() == UID
        time.sleep(1.5 if self.name == "slow-reader" else 0)
        self.body = reply.read()


class Behind(Case):
    """A script that goes on behind its answer."""

    def ask(self, talk):
        done = self.httpd.notes / f"{self.name}-done"
        start = time.monotonic()
        answer = talk.get(f"/{self.name}.cgi")
        assert (answer.status, answer.body) == (200, UID)
        assert Look(talk.get("/look.cgi").text).is_(ALICE)
        self.answered = time.monotonic() - start
        self.too_soon = done.exists()
        if self.name.endswith("-reset"):
            talk.reset()
        self.done = proc.wait_until(lambda: proc.read(done), 5)
        self.left = proc.wait_until(
            lambda: not proc.alive(noted(self.httpd, self.name)), 5)


class Many(Case):
    """Scripts that go on behind their answers, all at once."""

    def ask(self, talk):
        many, tenant = MANY[self.name]
        self.expected = "0\n" * many
        for _ in range(many):
            answer = talk.get(f"/{self.name}.cgi", tenant.name)
            assert answer.status == 200
            assert answer.body == f"{tenant.uid}\n".encode()
        note = self.httpd.notes / self.name
        self.too_soon = note.exists()
        proc.wait_until(lambda: proc.read(note) == self.expected, 8)
        self.done = proc.read(note)


class Apart(Case):
    """A script that has started another, apart from its group; both run when
    the client is gone."""

    def ask(self, talk):
        talk.send("/apart.cgi")
        assert talk.begin().readline() == UID
        pids = noted(self.httpd, "apart")
        time.sleep(0.2)
        talk.reset()
        self.took = seconds_until_gone(pids, time.monotonic())
        self.done = proc.wait_until(
            lambda: proc.read(self.httpd.notes / "apart-done"), 5)


# What httpd says of header lines that did not come, and of nothing.
LINES_OF_HTTPD = ("Script timed out before", "End of script output before")


@pytest.fixture(scope="module", params=FEW_SERVERS, ids=server_id)
def httpd(request):
    with site(request.param, config,
              main_config=room_for(request.param[0])) as server:
        server.tolerate += ["PS0209", "PS0601", *LINES_OF_HTTPD]
        server.cases = {name: kind(server, name) for names, kind in (
            ([f"{w}-{m}" for w in WAYS for m in MANNERS], Ended),
            (ALIVE, Alive), (BEHIND, Behind), (MANY, Many), (["apart"], Apart)
        ) for name in names}
        for case in server.cases.values():
            case.join(30)
        yield server
        # When all is over, nothing stays.
        assert proc.wait_until(lambda: not zombies(server), 5)
        assert proc.wait_until(lambda: not proc.scripts(server), 5)
        assert not proc.threads_of(server, ALICE)


@pytest.mark.parametrize("manner", MANNERS)
@pytest.mark.parametrize("way", WAYS)
def test_ended(httpd, way, manner):
    """TERM for a script and its child, at its timeout or when the client is
    gone; KILL 3 s later, where that does not end them."""
    ended = httpd.cases[f"{way}-{manner}"].end()
    assert ended.uids == {ALICE.uid}
    if manner == "deaf":
        assert GRACE - 0.5 < ended.took < GRACE + 2
    else:
        assert -0.5 < ended.took < 1.5
    # (What writes on, without a reader, can be ended by that, too.)
    if manner == "polite" and WAYS[way][1] != WRITES:
        got = httpd.notes / f"{way}-polite-got"
        assert got.read_text() == "TERM\n"


@pytest.mark.parametrize("way", [w for w in WAYS if WAYS[w][2] == "timeout"
                                 and w != "early-begun"])
def test_timeout(httpd, way):
    """A script that is silent for PSCgiTimeout, or Timeout, is answered for
    with 504, or its answer is cut; the log says so."""
    for manner in MANNERS:
        ended = httpd.cases[f"{way}-{manner}"].end()
        assert ended.answered < 1.5, "the client waits for the script's end"
        lines = [line for line in httpd.log().splitlines()
                 if f"/{way}-{manner}.cgi" in line and "PS0209" in line]
        assert len(lines) == 1
        if way == "amid":
            assert (ended.status, ended.body, ended.whole) == (200, UID, False)
        else:
            assert ended.status == 504 and ended.whole
            assert b"PS0" not in ended.body


@pytest.mark.parametrize("name", ALIVE)
def test_not_ended(httpd, name):
    """A script that says a word in time; whose client has said all, but still
    listens; is slow to read; or slow to send what the script waits for."""
    assert httpd.cases[name].end().body == {
        "steady": b"1\n2\n3\n4\n", "half-closed": b"text\n",
        "slow-body": b"4\n", "slow-reader": bytes(20_000_000)}[name]


@pytest.mark.parametrize("name", BEHIND)
def test_goes_on(httpd, name):
    """Who has given the output back, or is left by who did, holds neither the
    answer nor the connection, and goes on to the end; also when the client is
    gone then."""
    behind = httpd.cases[name].end()
    assert behind.answered < 1 and not behind.too_soon
    assert behind.done == "0\n" and behind.left


@pytest.mark.parametrize("name", MANY)
def test_many_go_on(httpd, name):
    """However many go on at once, none is cut short; and what they still say
    is in the log."""
    many = httpd.cases[name].end()
    assert not many.too_soon and many.done == many.expected
    if name == "late":
        assert proc.wait_until(
            lambda: httpd.log().count(": late word\n") == MANY[name][0], 5)


def test_only_its_group(httpd):
    """What has left the script's group is not ended with it."""
    apart = httpd.cases["apart"].end()
    assert apart.took < 1 and apart.done == "0\n"


def test_client_is_gone(httpd):
    """That is nobody's error: the log blames no script for it."""
    for way in WAYS:
        if WAYS[way][2] != "timeout":
            lines = [line for line in httpd.log().splitlines()
                     if f"{way}-" in line and ":error" in line
                     and "PS0601" not in line]  # the shell's own word
            assert not lines, lines[0]


def test_no_zombies(httpd):
    """All that have ended are waited for."""
    assert proc.wait_until(lambda: not zombies(httpd), 5), httpd.log()


def test_kills(httpd):
    """A script that kills its group, or itself, does that alone."""
    children = httpd.children()
    for _ in range(3):
        with httpd.expecting("kills-group.cgi"):
            assert httpd.get("/kills-group.cgi").status == 500
        with httpd.expecting():
            answer = httpd.get("/kills-itself.cgi")
            assert (answer.status, answer.body) == (200, UID)
    assert proc.alive(children) == children
    assert "exit signal" not in httpd.log()


def test_nothing_stays(httpd):
    """After many requests, every third broken off, each child has as many
    descriptors and threads as after the first 30, and no zombie."""
    def ask(times):
        for number in range(times):
            with Talk(httpd) as talk:
                if number % 3 == 0:
                    talk.send("/slow-reader.cgi")
                    assert talk.begin().readline() == UID
                    talk.reset()
                else:
                    assert Look(talk.get("/look.cgi").text).is_(ALICE)

    def count():
        return {pid: (proc.descriptors(pid), len(proc.threads(pid)))
                for pid in httpd.children()}

    def is_quiet():
        return not zombies(httpd) and not proc.scripts(httpd)

    with httpd.expecting():
        ask(30)
        assert proc.wait_until(is_quiet, 5)
        before = count()
        ask(150 if httpd.beside == "alone" else 30)
        assert proc.wait_until(is_quiet, 5)
    assert proc.wait_until(lambda: all(
        n[0] <= before.get(pid, n)[0] and n[1] <= before.get(pid, n)[1]
        for pid, n in count().items()), 5), (before, count())
