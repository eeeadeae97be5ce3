"""What a request leaves behind is its tenant's to clear, and soon gone.

Clean-ups of its pool, threads, descriptors, and scripts that do not end.
"""
import contextlib
import os
import pathlib
import signal
import socket
import struct
import time

import pytest

from conftest import MPMS
from harness import (ALICE, BOB, TENANTS, Who, is_zombie, put, put_folder,
                     shared)
from test_tenants import hosts


def hang_up(httpd, path, host="alice", read=0):
    """Ask, read that many bytes of the answer, and break off.

    With a reset, but not before any byte: that would take the request back."""
    with socket.create_connection(("127.0.0.1", httpd.port), 30) as s:
        s.sendall(f"GET {path} HTTP/1.1\r\nHost: {host}.test\r\n\r\n".encode())
        received = 0
        while received < read:
            received += len(s.recv(read - received)) or read
        s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                     struct.pack("ii", received > 0, 0))


def wait_until(condition, seconds=10):
    """What the condition says once it is true, or at the end."""
    end = time.monotonic() + seconds
    while not (said := condition()) and time.monotonic() < end:
        time.sleep(0.02)
    return said


def threads(httpd):
    """What the kernel says of each thread of each child."""
    found = []
    for pid in httpd.children():
        for path in pathlib.Path(f"/proc/{pid}/task").glob("*/status"):
            with contextlib.suppress(OSError):
                found.append(Who(path.read_text()))
    return found


def foreign_threads(httpd):
    """Threads of httpd that are not the server's."""
    return [who for who in threads(httpd) if not who.is_server()]


def descriptors(httpd):
    """{child: what its descriptors lead to}."""
    found = {}
    for pid in httpd.children():
        found[pid] = []
        for path in pathlib.Path(f"/proc/{pid}/fd").iterdir():
            with contextlib.suppress(OSError):
                found[pid].append(os.readlink(path))
    return found


HOSTS = (("alice", ALICE), ("bob", BOB), ("plain", None))


def is_(who, tenant):
    return who.is_(tenant) if tenant else who.is_server()


LARGE = '#!/bin/sh\necho; exec head -c 4000000 /dev/zero\n'
WAIT = "for _ in $(seq 500); do [ -e NOTES/go ] || sleep 0.02; done"
REPORT = "ls -l /proc/self/fd; cat /proc/self/status"
SLOW = {"cgi": f"#!/bin/sh\necho; echo start\n{WAIT}\n{REPORT}\n",
        "lua": f"""function handle(r)
    r:puts("start\\n") r:flush() os.execute("{WAIT}")
    r:puts(io.popen("{REPORT}"):read("*a"))
    return apache2.OK
end
"""}
# Scripts that would never end; each says in a file who it is. All ignore
# SIGTERM, as the first word to a script is that, and that nobody reads them.
ENDLESS = {
    # goes on writing, whoever listens
    "writes": "while :; do echo x 2>/dev/null; sleep 0.1; done",
    # has given its output back, so that the answer is complete
    "closed": "exec >&- 2>&-; while :; do sleep 0.1; done",
    # says no word, so that httpd's Timeout ends it
    "silent": "while :; do sleep 0.1; done",
}


def put_site(folder, tenant):
    www = folder / "home" / tenant.name / "www"
    put(www / "leaves.who-leaves", "", 0o644, tenant)
    put(www / "large.cgi", LARGE, 0o755, tenant)
    for place in (www, www / "on", www / "off", www / "mod_cgi"):
        put_folder(place, 0o755, tenant)
        for kind, text in SLOW.items():
            put(place / f"slow.{kind}",
                text.replace("NOTES", f"{folder}/notes"), 0o755, tenant)
        for name, text in ENDLESS.items():
            start = "" if name == "silent" else "echo; echo start\n"
            put(place / f"{name}.cgi",
                f"#!/bin/sh\ntrap '' TERM PIPE\necho $$ >>{folder}/notes/pid\n"
                f"{start}{text}\n", 0o755, tenant)


def config(folder, pinned):
    notes = put_folder(folder / "notes", 0o777)
    put(notes / "note", "", 0o666)
    put(notes / "pid", "", 0o666)
    for tenant in TENANTS:
        put_site(folder, tenant)
    keep = "".join(f"<Directory {folder}/home/*/www/{keep}>\n"
                   f"PSKeepOpenFile {keep}\n</Directory>\n"
                   for keep in ("on", "off"))
    keep += (f"<Directory {folder}/home/*/www/mod_cgi>\nPSCgiSpawn Off\n"
             "</Directory>\n")
    return (f"{hosts(folder, pinned, f'WhoNote {notes}/note')}{keep}"
            "AddHandler who-leaves .who-leaves\nAddHandler lua-script .lua\n"
            "MaxKeepAliveRequests 0\n")


@pytest.fixture(scope="module", params=[
    (mpm, pinned) for mpm in MPMS for pinned in (True, False)],
    ids=lambda p: f"{p[0]}-{'pinned' if p[1] else 'owner'}")
def httpd(request):
    mpm, pinned = request.param
    with shared(mpm, lambda folder: config(folder, pinned),
                modules=["cgi", "lua"], expect=["PS0503"]) as server:
        yield server


def expect_notes(httpd, expected):
    """The clean-ups' notes: two for each request, by its tenant."""
    note = httpd.folder / "notes" / "note"
    wait_until(lambda: note.read_text().count("\n") >= 2 * len(expected))
    whos = [Who(line) for line in note.read_text().splitlines()]
    assert len(whos) == 2 * len(expected), whos
    for i, who in enumerate(whos):
        assert is_(who, expected[i // 2]), who


@pytest.mark.parametrize("keep_alive", (True, False), ids=("keep", "close"))
def test_cleanups(httpd, keep_alive):
    """Clean-ups in a request's pool, and in one below, run as its tenant,
    also where other hosts' requests come before on the same connection."""
    put(httpd.folder / "notes" / "note", "", 0o666)
    connection = httpd.connection() if keep_alive else None
    expected = []
    for host, tenant in 2 * HOSTS:
        answer = httpd.get("/leaves.who-leaves", host, connection=connection)
        assert answer.status == 200
        assert is_(answer.served_by, tenant) and is_(answer.who, tenant)
        expected.append(tenant)
        expect_notes(httpd, expected)
    if connection:
        connection.close()


def test_cleanups_when_client_leaves(httpd):
    """So they do where the client breaks off before, or in, the answer."""
    put(httpd.folder / "notes" / "note", "", 0o666)
    expected = []
    for read in (0, 20):
        for host, tenant in HOSTS:
            hang_up(httpd, "/leaves.who-leaves", host, read)
            expected.append(tenant)
            expect_notes(httpd, expected)


def test_nothing_stays(httpd):
    """After requests of all kinds no thread of httpd is a tenant; and after
    500 there are as many threads and descriptors as before."""
    def ask(times):
        for host, tenant in HOSTS:
            connection = httpd.connection()
            for path in (["/file.txt", "/whoami.lua"] * times
                         + ["/whoami.cgi"] * 6):
                answer = httpd.get(path, host, connection=connection)
                assert is_(answer.served_by, tenant)
            connection.close()
            hang_up(httpd, "/large.cgi", host, 1000)

    def count():
        """Of each child, when all is quiet."""
        assert wait_until(lambda: not foreign_threads(httpd))
        return {pid: (len(os.listdir(f"/proc/{pid}/task")), len(fds))
                for pid, fds in descriptors(httpd).items()}

    def is_steady():
        now = count()
        both = before.keys() & now.keys()
        return both and all(now[pid] == before[pid] for pid in both)

    ask(2)
    time.sleep(0.3)
    before = count()
    ask(80)
    assert wait_until(is_steady), (before, count())


def test_keep_open_file(httpd):
    """PSKeepOpenFile On shows the script among httpd's descriptors while it
    runs, and not to the script; Off, and the default, do not."""
    go = httpd.folder / "notes" / "go"
    for host, tenant in (("alice", ALICE), ("bob", BOB)):
        for path in [f"{place}slow.{kind}" for kind in SLOW
                     for place in ("on/", "off/", "mod_cgi/", "")]:
            script = str(httpd.folder / "home" / host / "www" / path)
            connection = httpd.connection()
            connection.request("GET", f"/{path}",
                               headers={"Host": f"{host}.test"})
            answer = connection.getresponse()
            assert answer.read(6) == b"start\n"
            shown = [fd for fds in descriptors(httpd).values() for fd in fds]
            put(go)
            inside = answer.read().decode()
            connection.close()
            go.unlink()
            assert (script in shown) == path.startswith("on/")
            assert "pipe:" in inside and f"{script}\n" not in inside
            assert Who(inside).is_(tenant), inside
    assert wait_until(lambda: not any(
        "/slow." in fd for fds in descriptors(httpd).values() for fd in fds))


ONE_WORKER = """ServerLimit 1
StartServers 1
MinSpareServers 1
MaxSpareServers 1
MaxRequestWorkers 1
""", """ServerLimit 1
StartServers 1
ThreadsPerChild 1
MaxRequestWorkers 1
MinSpareThreads 1
MaxSpareThreads 1
"""


@pytest.fixture(scope="module", params=MPMS)
def one_worker(request):
    """A server that can answer one request at a time, and may be silent
    about that."""
    mpm = request.param
    prefork = mpm == "prefork"
    with shared(mpm, lambda folder: config(folder, True) + "Timeout 2\n"
                f"LogLevel warn mpm_{mpm}:crit\n",
                modules=["cgi", "lua"], expect=["PS0503"],
                main_config=ONE_WORKER[0 if prefork else 1]) as server:
        server.pids = server.folder / "notes" / "pid"
        yield server
        for pid in map(int, server.pids.read_text().split()):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


def run_endless(httpd, path):
    """Its pid, when its client has left, or has its answer."""
    before = len(httpd.pids.read_text())
    if "closed" in path:
        answer = httpd.get(path)
        assert answer.status == 200 and answer.text == "start\n"
    else:
        hang_up(httpd, path, read=400 if "writes" in path else 0)
    wait_until(lambda: len(httpd.pids.read_text()) > before)
    pid = int(httpd.pids.read_text()[before:])
    with contextlib.suppress(FileNotFoundError):
        who = Who(pathlib.Path(f"/proc/{pid}/status").read_text())
        assert who.is_(ALICE), who
    return pid


def expect_free(httpd, seconds):
    """The only worker answers again in so many."""
    start = time.monotonic()
    answer = httpd.get("/whoami.cgi")
    assert answer.who.is_(ALICE), answer.text
    assert time.monotonic() - start < seconds


def is_gone(pid):
    """Not even a zombie."""
    return not os.path.exists(f"/proc/{pid}")


@pytest.mark.parametrize("name", ENDLESS)
def test_endless(one_worker, name):
    """A script that never ends, whose client has left, or that says nothing:
    the only worker is free at once, or after Timeout, and the script is ended
    by KILL, 3 s after TERM. One that has given its answer goes on, and keeps
    nobody."""
    with one_worker.expecting(*(["PS0209"] if name == "silent" else [])):
        pid = run_endless(one_worker, f"/{name}.cgi")
        expect_free(one_worker, 3.5 if name == "silent" else 1.5)
        if name == "closed":
            assert not wait_until(lambda: is_zombie(pid), 4.5)
            os.kill(pid, signal.SIGKILL)
        assert wait_until(lambda: is_gone(pid), 4.5), "the script still runs"


@pytest.mark.parametrize("name", ENDLESS)
def test_endless_of_mod_cgi(one_worker, name):
    """PSCgiSpawn Off: a script that never ends, whose client has left, or has
    its answer, is ended by KILL as its tenant, and the only worker is free
    again."""
    says = (["Timeout waiting for output", "timed out before"]
            if name == "silent" else [])
    with one_worker.expecting(*says):
        pid = run_endless(one_worker, f"/mod_cgi/{name}.cgi")
        expect_free(one_worker, 10)
    assert is_zombie(pid), "the script still runs"
