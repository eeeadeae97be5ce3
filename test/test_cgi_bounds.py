"""What a script or a client makes too long, too much, too late or wrong: it
ends, or is cut, where it can be seen, and nobody else waits for it."""
import concurrent.futures
import contextlib
import http.client
import os
import re
import signal
import time

import pytest

import proc
from cgi import HEAD, Look, Talk, hosts, noted, put_scripts, zombies
from conftest import MPMS
from harness import ALICE, put, shared, vhost

UID = f"{ALICE.uid}\n".encode()
WHO = f"{HEAD}id -u\n"
GO = "for _ in $(seq 500); do [ -e NOTES/go ] || sleep 0.02; done\n"
# What ends a script is in its note, with its uid.
ENDLESS = "yes\necho $? $(id -u) >NOTES/NAME\n"
BY_PIPE = [128 + signal.SIGPIPE, ALICE.uid]
TRAP = "trap 'echo 15 $(id -u) >NOTES/NAME; exit' TERM\n"
SILENT = f"{TRAP}sleep 20 &\nwait\n"
STAYS = "for _ in $(seq 200); do sleep 0.1; done\n"
BY_TERM = [signal.SIGTERM, ALICE.uid]
LINE_BY_LINE = """while read line; do
    echo "$line"; [ "$line" = end ] && exit
done
echo late
"""
THEN = "Thu, 01 Jan 2015 00:00:00 GMT"
SOME = "Content-Length: 9\r\n"


def says(line):
    return f"#!/bin/sh\necho '{line}'\n"


# A script that TERM does not end before it has left its note.
LINES = "#!/bin/sh\ntrap '' TERM\nyes {}" + ENDLESS[3:]
# The script, the status (None: an answer that is cut), what the script ends
# by, and how it is asked for. All of them at once.
SLOW = {
    "head": (HEAD + ENDLESS, 200, BY_PIPE, "HEAD"),
    "no-content": (says("Status: 204 Nothing\n") + ENDLESS, 204, BY_PIPE),
    "not-modified": (says("Status: 304 Same\n") + ENDLESS, 304, BY_PIPE),
    "met": (says(f"Last-Modified: {THEN}\n") + ENDLESS, 304, BY_PIPE, "GET",
            f"If-Modified-Since: {THEN}\r\n"),
    "location": (says("Location: /file.txt\n") + ENDLESS, 200, BY_PIPE),
    "remote": (says("Location: http://x.test/\n") + ENDLESS, 302, BY_PIPE),
    "lines": (LINES.format("X-Mine: 1"), 500, BY_PIPE),
    "long-lines": (LINES.format("X-Mine: $(seq 1000)"), 500, BY_PIPE),
    "malformed": (says("no header line") + ENDLESS, 500, BY_PIPE),
    "nothing": (f"#!/bin/sh\n{SILENT}", 504, BY_TERM),
    "half-head": (f"#!/bin/sh\necho X-Mine: 1\n{SILENT}", 504, BY_TERM),
    "silent": (HEAD + SILENT, None, BY_TERM),
    "silent-later": (WHO + SILENT, None, BY_TERM),
    "body": (f"#!/bin/sh\n{SILENT}", 408, BY_TERM, "POST", SOME),
    "body-amid": (WHO + SILENT, None, BY_TERM, "POST", SOME),
}
SLOW |= {f"{name}-owner": SLOW[name]
         for name in ("head", "location", "lines", "nothing", "silent")}


def host_of(name):
    return next((n for n in ("owner", "body") if n in name), "alice")


WRONG_TRAP = "exec 2>/dev/null\ntrap '' PIPE\necho $$ >NOTES/runs\n" \
    + TRAP.replace("NAME", "wrong")
SCRIPTS = {
    "look.cgi": "LOOK",
    "says.cgi": f"#!/bin/sh\n{WRONG_TRAP}{WHO[10:]}{LINE_BY_LINE}{STAYS}",
    "reads.cgi": f"#!/bin/sh\n{WRONG_TRAP}while read line; do\n"
                 "out=\"$out$line,\"\n[ \"$line\" = end ] || continue\n"
                 f"{WHO[10:]}echo \"$out\"\nexit\ndone\n{STAYS}",
    "status.cgi": "#!/bin/sh\nid -u >NOTES/status\n"
                  "printf 'Status: %s Word\\n\\ntext\\n' $QUERY_STRING\n",
    "many-lines.cgi": "#!/bin/sh\nfor i in $(seq 100); do printf 'X-%d: "
                      "%05000d\\n' $i $i; done\necho\nid -u\n",
    "head-first.cgi": f"{HEAD}{GO}id -u\n",
    "exec.shtml": ('<!--#exec cmd="./exec.sh" -->', 0o644),
    "exec.sh": f"#!/bin/sh\necho one\n{GO}id -u\n",
    "many.shtml": ('<!--#exec cmd="true" -->' * 30
                   + '<!--#exec cmd="./last.sh" -->', 0o644),
    "last.sh": f"#!/bin/sh\necho $(id -u) >NOTES/last\n{GO}id -u\n",
    "loud.cgi": f"{WHO}yes a | head -n 33000 >&2\n",
    "less-loud.cgi": f"{WHO}yes a | head -n 900 >&2\n",
    "flood.cgi": f"{WHO}exec >&-\nyes >&2\necho $? $(id -u) >NOTES/flood\n",
    "late.cgi": f"{WHO}exec >&-\nsleep 0.3; echo late >&2\n"
                "echo $? $(id -u) >NOTES/late\n",
}


def config(folder):
    homes = folder / "home"
    put_scripts(folder, SCRIPTS | {
        f"slow/{name}.cgi": text.replace("NAME", name)
        for name, (text, *_) in SLOW.items()})
    return f"""
AddType text/html .shtml
AddOutputFilter INCLUDES .shtml
<Directory {homes}/alice/www/slow>
    PSCgiTimeout 2
</Directory>
<Location /limit>
    LimitRequestBody 100
</Location>
""" + hosts(folder, f"Alias /limit {homes}/alice/www\n") + vhost(
        "body", homes / "alice/www", f"PSUserGroup {ALICE.ids}\n"
        "RequestReadTimeout body=1\n"
        "<Location />\nPSCgiTimeout 20\n</Location>")


@pytest.fixture(scope="module", params=MPMS)
def httpd(request):
    many = ("StartServers 22\nMaxSpareServers 24\n"
            if request.param == "prefork" else
            "ServerLimit 1\nThreadsPerChild 24\nMaxRequestWorkers 24\n")
    with shared(request.param, config, modules=["include", "reqtimeout"],
                main_config=many) as server:
        server.notes = server.folder / "notes"
        server.go = server.notes / "go"
        server.tolerate += ["PS0601: ", "PS0602: "]  # and they are counted
        yield server


# ---- a body that is wrong

def chunk(text):
    return f"{len(text):x}\r\n{text}\r\n"


def chunks(data):
    """Of an answer in chunks: its body, whether it has ended, and what else
    there is."""
    body = b""
    while found := re.match(rb"([0-9a-f]+)\r\n", data):
        size = int(found[1], 16)
        piece, data = data[found.end():][:size], data[found.end() + size + 2:]
        body += piece
        if size == 0:
            return body, True, data
    return body, False, data


WRONG = {"limit": ("/limit", chunk("x" * 199), 413),
         "line": ("", "xyz\r\n", 400), "size": ("", "-3\r\n", 400)}
RIGHT = chunk("more\n") + chunk("end\n") + chunk("")


@contextlib.contextmanager
def begun(httpd, path, host):
    """A request that is amid its body, and whose script runs."""
    for name in ("wrong", "runs"):
        (httpd.notes / name).unlink(missing_ok=True)
    with Talk(httpd) as talk, httpd.expecting():
        talk.socket.settimeout(10)
        talk.send(path, host, "POST", "Transfer-Encoding: chunked\r\n",
                  chunk("one\n"))
        pids = noted(httpd, "runs")
        yield talk
    assert proc.wait_until(lambda: not proc.alive(pids), 5)


@pytest.mark.parametrize("name", WRONG)
def test_body_turns_wrong(httpd, name):
    """Tried: a body that is too long, or no body, once its script has begun to
    answer. Might work as httpd's own answer to that ends the script's as if
    it were whole, and what the script says then is the next answer."""
    folder, wrong, _ = WRONG[name]
    for host in ("alice", "owner"):
        for last in (wrong, RIGHT):
            with begun(httpd, f"{folder}/says.cgi", host) as talk:
                data = b""
                while not data.endswith(b"one\n\r\n"):
                    data += talk.socket.recv(65536)
                talk.socket.sendall(last.encode())
                if last == RIGHT:
                    talk.send("/look.cgi?next", host, "GET",
                              "Connection: close\r\n")
                head, data = (data + talk.file.read()).split(b"\r\n\r\n", 1)
                body, ended, rest = chunks(data)
                assert head.startswith(b"HTTP/1.1 200 ")
                if last == RIGHT:
                    assert ended and body == UID + b"one\nmore\nend\n"
                    assert Look(rest.decode()).is_(ALICE)
                else:
                    assert not ended and body == UID + b"one\n"
                    assert rest == b""
                    assert noted(httpd, "wrong") == BY_TERM


@pytest.mark.parametrize("name", WRONG)
def test_body_is_wrong(httpd, name):
    """Tried: the same, before the script has said a word. Might work as it
    would be left alone, and its answer would follow that of httpd."""
    folder, wrong, status = WRONG[name]
    for host in ("alice", "owner"):
        with begun(httpd, f"{folder}/reads.cgi", host) as talk:
            talk.socket.sendall(wrong.encode())
            assert talk.answer().status == status
            assert talk.file.read() == b""
            assert noted(httpd, "wrong") == BY_TERM
        with begun(httpd, f"{folder}/reads.cgi", host) as talk:
            talk.socket.sendall(RIGHT.encode())
            answer = talk.answer()
            assert answer.status == 200
            assert answer.body == UID + b"one,more,end,\n"
            assert Look(talk.get("/look.cgi", host).text).is_(ALICE)


# ---- header lines

@pytest.mark.parametrize("said, status", (
    (100, 500), (101, 500), (199, 500), (200, 200), (204, 204), (304, 304),
    (404, 404)))
def test_status(httpd, said, status):
    """Tried: an interim status as a script's own. Might work as the client
    goes on to wait for an answer, and takes the next one for it. (httpd itself
    ends a connection with 500.)"""
    for host in ("alice", "owner"):
        for how in (("GET",), ("POST", SOME, "123456789"), ("HEAD",)):
            (httpd.notes / "status").unlink(missing_ok=True)
            tags = ["PS0211"] * (said < 200)
            with Talk(httpd) as talk, httpd.expecting(*tags):
                talk.socket.settimeout(10)
                answer = talk.get(f"/status.cgi?{said}", host, *how)
                assert answer.status == status
                assert b"PS0" not in answer.body
                assert noted(httpd, "status") == [ALICE.uid]
                with contextlib.suppress(*[ConnectionError] * (said < 200)):
                    look = Look(talk.get("/look.cgi?next", host).text)
                    assert look.env["QUERY_STRING"] == "next"
                    assert look.is_(ALICE)


def test_header_lines(httpd):
    """500 KB of them pass: the twin of "lines" below."""
    for host in ("alice", "owner"):
        with Talk(httpd) as talk, httpd.expecting():
            talk.send("/many-lines.cgi", host, "GET", "Connection: close\r\n")
            data = talk.file.read()
        assert len(re.findall(rb"^X-\d+: \d+\r$", data, re.M)) == 100
        assert len(data) > 500_000
        assert re.search(rb"\r\n\r\n(6\r\n)?" + UID, data)


# ---- too slow

def memory(httpd):
    """KB that a child has had at most."""
    return max(proc.status_number(pid, "VmHWM") for pid in httpd.children())


def end_all(httpd):
    """Those that httpd has not."""
    for pid in proc.scripts(httpd):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def ask(httpd, name):
    """A row of SLOW: what was answered, whether that was whole and the
    connection goes on, how long it took, and what ended the script."""
    how = SLOW[name][3:]
    begin = time.monotonic()
    status, whole, goes_on = None, True, False
    with Talk(httpd) as talk:
        talk.socket.settimeout(15)
        try:
            talk.send(f"/slow/{name}.cgi", host_of(name), *how)
            reply = talk.begin(*how[:1])
            status = reply.status
            reply.read()
            with contextlib.suppress(ConnectionError):
                goes_on = Look(talk.get("/look.cgi").text).is_(ALICE)
        except http.client.IncompleteRead:
            whole = False
        took = time.monotonic() - begin
        note = httpd.notes / name
        proc.wait_until(lambda: proc.read(note).endswith("\n"), 5)
    return status, whole, goes_on, took, proc.read(note)


@pytest.fixture(scope="module")
def slow(httpd):
    before = memory(httpd)
    with concurrent.futures.ThreadPoolExecutor(len(SLOW)) as pool:
        with httpd.expecting(""):
            found = dict(zip(SLOW, [f.exception() or f.result() for f in [
                pool.submit(ask, httpd, name) for name in SLOW]]))
    end_all(httpd)
    return found | {"memory": memory(httpd) - before}


@pytest.mark.parametrize("name", SLOW)
def test_slow(httpd, slow, name):
    """Tried: output without end where none is wanted, silence, or a body that
    does not come. Might work as a thread of httpd waits for it, for ever."""
    assert not isinstance(slow[name], Exception), slow[name]
    status, whole, goes_on, took, note = slow[name]
    _, expected, ends_by, *_ = SLOW[name]
    assert took < 8
    assert (status, whole) == (expected or 200, expected is not None)
    assert goes_on == whole or expected in (408, 500)
    assert [int(n) for n in note.split()] == ends_by
    lines = [n for n in httpd.log().splitlines() if f"/slow/{name}.cgi" in n]
    is_late = host_of(name) != "body" and ends_by == BY_TERM
    assert len([n for n in lines if "PS0209" in n]) == is_late
    assert len([n for n in lines if "PS0211" in n]) == ("lines" in name)
    assert proc.wait_until(lambda: not zombies(httpd), 5)


def test_memory(slow):
    """All that at once: httpd keeps little of it."""
    assert slow["memory"] < 30_000


# ---- while it runs

@pytest.mark.parametrize("name, first", (("head-first.cgi", b""),
                                         ("exec.shtml", b"one\n")))
def test_comes_at_once(httpd, name, first):
    """Header lines alone, or a line of #exec, are at the client while the
    program runs."""
    for host in ("alice", "owner"):
        httpd.go.unlink(missing_ok=True)
        with Talk(httpd) as talk, httpd.expecting():
            talk.socket.settimeout(5)
            talk.send(f"/{name}", host)
            reply = talk.begin()
            assert reply.status == 200
            assert not first or reply.readline() == first
            put(httpd.go)
            assert reply.read() == UID


def test_page_of_many(httpd):
    """Tried: a page with much to #exec, and one that waits. Might work as what
    has ended stays until the page does: processes, and descriptors."""
    for host in ("alice", "owner"):
        httpd.go.unlink(missing_ok=True)
        (httpd.notes / "last").unlink(missing_ok=True)
        before = {pid: proc.descriptors(pid) for pid in httpd.children()}
        with Talk(httpd) as talk, httpd.expecting():
            talk.send("/many.shtml", host)
            assert noted(httpd, "last") == [ALICE.uid]
            assert proc.wait_until(lambda: not zombies(httpd), 3)
            grown = [proc.descriptors(pid) - n for pid, n in before.items()]
            put(httpd.go)
            assert talk.answer().body == UID
        assert max(grown) < 20, grown


# ---- standard error

@pytest.mark.parametrize("name, lines, full", (("loud", 1000, 1),
                                               ("less-loud", 900, 0)))
def test_standard_error(httpd, name, lines, full):
    """Tried: 66 KB of empty words. Might work as each line has a hundred bytes
    of the log's own before it."""
    for host in ("alice", "owner"):
        before = len(httpd.log())
        assert httpd.get(f"/{name}.cgi", host).body == UID
        log = httpd.log()[before:]
        assert lines <= log.count("PS0601: ") <= lines + full
        assert log.count("PS0602: ") == full


def seconds_used(httpd):
    ticks = 0
    for pid in httpd.children():
        stat = proc.read(f"/proc/{pid}/stat").rsplit(")", 1)[1].split()
        ticks += int(stat[11]) + int(stat[12])
    return ticks / os.sysconf("SC_CLK_TCK")


def test_flood(httpd):
    """Tried: standard error without end, after the answer. Might work as
    httpd reads it, and drops it, for as long as there is some."""
    for host, name, ends_by in (("alice", "flood", BY_PIPE),
                                ("owner", "late", [0, ALICE.uid])):
        before, length = seconds_used(httpd), len(httpd.log())
        try:
            assert httpd.get(f"/{name}.cgi", host).body == UID
            time.sleep(1)
            used = seconds_used(httpd) - before
            assert noted(httpd, name) == ends_by
        finally:
            end_all(httpd)
        assert used < 0.2
        assert 1 <= httpd.log()[length:].count("PS0601: ") <= 1001
        assert proc.wait_until(lambda: not zombies(httpd), 5)
