"""A thread of httpd that cannot become a tenant, or cannot return, serves
nobody wrongly; and what does not answer blocks its own requests alone."""
import contextlib
import fcntl
import http.client
import os
import re
import signal
import socket
import subprocess
import threading
import time

import pytest

import proc
import refuse
from harness import ALICE, START_SECONDS, Httpd, put, server_ids, vhost
from identity import (HOSTS, LOUD, Line, expect_nothing_left, expect_own,
                      is_hosts, sites)

KINDS = {"fsuid": (refuse.setfsuid_to, "uid"),
         "fsgid": (refuse.setfsgid_to, "gid")}
kinds = pytest.mark.parametrize("kind", KINDS)
# Where one child ends another is there; its threads are few.
CHILDREN = {"prefork": "StartServers 3\nMinSpareServers 3\n"
                       "MaxSpareServers 4\nMaxRequestWorkers 4\n",
            "worker": "ServerLimit 3\nStartServers 3\nThreadsPerChild 2\n"
                      "MinSpareThreads 6\nMaxRequestWorkers 6\n"}
ONE = {"prefork": "StartServers 1\nMinSpareServers 1\nMaxSpareServers 1\n"
                  "MaxRequestWorkers 1\n",
       "worker": "StartServers 1\nServerLimit 1\nMaxRequestWorkers 8\n"}
for some in (CHILDREN, ONE):
    some["event"] = some["worker"]


@contextlib.contextmanager
def refusing(folder, mpm, refused, children, more=""):
    """A running server to whose children the kernel refuses that call."""
    httpd = Httpd(folder, mpm, sites(
        folder, "ErrorDocument 500 /closed.txt") + more
        + f"LogLevel warn mpm_{mpm}:crit\n", modules=["cgi"],
        main_config=children[mpm])
    httpd.tolerate += LOUD
    done = subprocess.run(
        httpd.command("-k", "start"), stdin=subprocess.DEVNULL, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False,
        timeout=START_SECONDS, preexec_fn=refused)
    httpd.said = done.stdout
    assert done.returncode == 0, httpd.said + httpd.log()
    assert proc.wait_until(httpd._listens, START_SECONDS), httpd.log()
    assert proc.wait_until(httpd.children)
    try:
        yield httpd
    finally:
        httpd.stop()
    assert not httpd.unexpected_lines(), httpd.unexpected_lines()


def is_nobodys(answer, host=None):
    """An error that shows nothing of anybody's; or the host's own page."""
    if host == "dave" and answer.text == "closed of dave\n":
        return answer.status == 500 and is_hosts(answer.served_by, host)
    return answer.status == 500 and not any(
        word in answer.text for word in ("closed of", "file of", "Uid:"))


# ---- a thread that cannot become alice

def expect_refused(httpd, child, host="alice", paths=()):
    """Her requests fail, whoever comes in between; the others' do not."""
    for path in paths or ("/closed.txt", "/whoami.cgi", "/missing",
                          "/file/x", "/cgi/x", "/uncovered/x",
                          "/open/closed.txt", "/text/x"):
        for between in ("plain", "bob", "carol", "dave"):
            line = Line(httpd)
            if between != "dave":
                expect_own(line.get, between)
            with httpd.expecting("PS0207"):
                answer = line.get(path, host)
                line.close()
                assert is_nobodys(answer, host), (path, answer)
            expect_own(httpd.get, between)
    assert httpd.children() == [child]
    expect_nothing_left(httpd)


@kinds
def test_refused(folder, mpm, kind):
    """Tried: a tenant whose file-system ids the kernel refuses. Might work
    as those calls do not tell that they fail, and half of it is done. Each
    of alice's requests is an error, with an error page of hers, too; all
    others go on in the same child. In owner mode the same for her file."""
    call, name = KINDS[kind]
    with refusing(folder, mpm, call(getattr(ALICE, name)), ONE) as httpd:
        child, = httpd.children()
        expect_refused(httpd, child)
        expect_refused(httpd, child, "dave", ["/of/alice"])


def test_refused_groups(folder, mpm, member):
    """The same where it is the tenant's list of groups that is refused."""
    www = folder / "home/bob/www"
    with refusing(folder, mpm, refuse.setgroups_of(len(member.groups)), ONE,
                  more=vhost("member", www, f"PSUserGroup #{member.uid} "
                             f"#{member.gid}")) as httpd:
        child, = httpd.children()
        expect_refused(httpd, child, "member",
                       ["/file.txt", "/whoami.cgi", "/missing"])
        expect_own(httpd.get, "alice")


# ---- a thread that cannot be the server's again

def gone(before, httpd):
    return set(before) - set(proc.alive(httpd.children()))


def expect_ended(before, httpd):
    """One of the children is gone, and the server goes on."""
    said = re.findall(r"process_security:crit\] \[pid (\d+)", httpd.log())
    assert proc.wait_until(lambda: gone(before, httpd)
                           or not proc.alive([int(said[-1])])), httpd.log()
    assert proc.wait_until(httpd.children)


@contextlib.contextmanager
def cannot_return(folder, mpm, kind):
    call, name = KINDS[kind]
    with refusing(folder, mpm, call(getattr(server_ids(), name)),
                  CHILDREN) as httpd:
        httpd.tolerate.append("PS0204")  # of a child that had to wait
        yield httpd


@kinds
def test_stuck_in_a_connection(folder, mpm, kind):
    """Tried: a thread that stays alice's, and then, on the same connection,
    in one packet with hers, a request that is the server's to serve. Might
    work as it could read her files, or hers could be read as another's. An
    error, no page of anybody's, nothing after it; and the child ends."""
    with cannot_return(folder, mpm, kind) as httpd:
        for nexts in (["plain"], ["bob", "dave"],
                      ["alice", "carol", "plain"]):
            before = proc.wait_until(httpd.children)
            with httpd.expecting("PS0204"):
                line = Line(httpd)
                line.socket.sendall(b"".join(
                    "GET /closed.txt HTTP/1.1\r\n"
                    f"Host: {host}.test\r\n\r\n".encode()
                    for host in ["alice", *nexts, "plain", "alice"]))
                for host in ["alice", *nexts[:-1]]:
                    answer = line.answer()
                    assert answer.text == f"closed of {host}\n"
                    assert is_hosts(answer.served_by, host)
                answer = line.answer()
                assert is_nobodys(answer), answer
                assert answer.headers["connection"] == "close"
                assert line.file.read() == b""
                line.close()
                expect_ended(before, httpd)


@kinds
def test_stuck_between_connections(folder, mpm, kind):
    """Tried: a thread that stays alice's, and then new connections. Each gets
    its own, or nothing at all; and the child ends."""
    with cannot_return(folder, mpm, kind) as httpd:
        before = proc.wait_until(httpd.children)
        unanswered = 0
        with httpd.expecting("PS0204"):
            assert httpd.get("/closed.txt").text == "closed of alice\n"
            for host in ["plain"] * 6 + ["dave", "plain"]:
                try:
                    answer = httpd.get("/closed.txt", host)
                except (http.client.RemoteDisconnected, ConnectionError):
                    unanswered += 1
                    continue
                assert is_nobodys(answer) or (
                    answer.text == f"closed of {host}\n"
                    and is_hosts(answer.served_by, host)), answer
            expect_ended(before, httpd)
        assert unanswered < 8


# ---- what does not answer

@contextlib.contextmanager
def not_answering(path):
    """Whoever opens the file waits until the block ends."""
    handler = signal.signal(signal.SIGIO, signal.SIG_IGN)
    fd = os.open(path, os.O_RDWR)
    try:
        fcntl.fcntl(fd, fcntl.F_SETLEASE, fcntl.F_WRLCK)
        yield
    finally:
        os.close(fd)
        signal.signal(signal.SIGIO, handler)


def test_blocked(start, folder, mpm):
    """alice's requests wait: for a file that nobody lets httpd open (a lease,
    as for a file system that is away), for a script in a process or a thread,
    and for a client that does not read. The others are served meanwhile, hers
    when it is over."""
    go = folder / "go"
    www = folder / "home/alice/www"
    httpd = start(mpm, sites(folder), modules=["cgi", "lua"], main_config=(
        "StartServers 8\nMinSpareServers 4\nMaxSpareServers 9\n"
        if mpm == "prefork" else ""), expect=["PS0503"])
    httpd.tolerate += LOUD
    put(www / "waits.cgi", f"#!/bin/sh\nwhile [ ! -e {go} ]; do sleep 0.05; "
        "done\necho\ncat /proc/self/status\n", 0o755, ALICE)
    put(www / "waits.lua", f"""function handle(r)
    os.execute("while [ ! -e {go} ]; do sleep 0.05; done")
    r:puts(io.open("/proc/thread-self/status"):read("*a"))
    return apache2.OK
end
""", 0o644, ALICE)
    put(www / "away.txt", "away\n", 0o600, ALICE)
    answers = []

    def ask(path):
        answers.append((path, httpd.get(path)))

    threads = [threading.Thread(target=ask, args=(path,))
               for path in ("/away.txt", "/away.txt", "/waits.cgi",
                            "/waits.lua")]
    slow = Line(httpd)
    slow.send("/big.bin")
    with not_answering(www / "away.txt"):
        for thread in threads:
            thread.start()
        assert proc.wait_until(
            lambda: len(proc.threads_reaching_as(httpd, ALICE)) >= 5
            and len(proc.threads_of(httpd, ALICE)) == 1
            and len(proc.scripts(httpd)) >= 2)
        kept, begun = Line(httpd), time.monotonic()
        for host in [h for h in HOSTS if h != "alice"] * 3:
            expect_own(httpd.get, host)
            expect_own(kept.get, host)
        kept.close()
        assert time.monotonic() - begun < 1.5  # and Timeout is 2
        assert not answers
    put(go)
    for thread in threads:
        thread.join(30)
    slow.close()
    for path, answer in answers:
        assert answer.status == 200, (path, answer)
        if path == "/away.txt":
            assert answer.text == "away\n" and is_hosts(answer.served_by,
                                                        "alice")
        else:
            assert answer.who.is_(ALICE)
    assert len(answers) == 4
    expect_nothing_left(httpd)


@pytest.mark.parametrize("keep", ("On", "Off"))
def test_fifo(start, folder, mpm, keep):
    """Tried: FIFOs and sockets in the document root, to hang for ever who
    opens them. Refused at once, with PSKeepOpenFile On, too."""
    httpd = start(mpm, sites(folder, f"PSKeepOpenFile {keep}"),
                  modules=["cgi", "lua"], expect=["PS0503"])
    httpd.tolerate += [*LOUD, "AH00038", "PS0104", "PS0110"]
    fifos, hung = [], []
    for name, (tenant, _) in HOSTS.items():
        www, owner = folder / "home" / name / "www", tenant or server_ids()
        fifos.append(www / "fifo.txt")
        os.mkfifo(fifos[-1])
        with socket.socket(socket.AF_UNIX) as s:
            s.bind(str(www / "socket.txt"))
        for path in (www / "fifo.txt", www / "socket.txt"):
            os.chown(path, owner.uid, owner.gid)
    covered = [name for name in HOSTS if name != "plain"]  # a bare one hangs
    for name in covered:
        for path in ("/fifo.txt", "/socket.txt", "/fifo.txt/x"):
            connection = httpd.connection(timeout=0.5)
            try:
                answer = httpd.get(path, name, connection=connection)
                assert answer.status == 403, (name, path, answer)
            except TimeoutError:
                hung.append((name, path))
            connection.close()
    for fifo in fifos:
        os.close(os.open(fifo, os.O_RDWR | os.O_NONBLOCK))
    assert not hung, hung
    for name in HOSTS:
        expect_own(httpd.get, name)
    expect_nothing_left(httpd)
