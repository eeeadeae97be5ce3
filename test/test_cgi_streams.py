"""What a script reads and prints flows while it runs, in whatever order,
without end, and through little memory."""
import contextlib
import pathlib
import struct
import threading
import time

import pytest

import http2
import proc
from cgi import (FEW_SERVERS, HEAD, Look, Talk, hosts, put_scripts, server_id,
                 site)
from harness import ALICE, BOB, put

MEGABYTE = 1_000_000
UID = f"{ALICE.uid}\n".encode()
WHO = f"{HEAD}id -u\n"
GO = "for _ in $(seq 500); do [ -e NOTES/go ] || sleep 0.02; done\n"
ZEROS = "head -c {} /dev/zero"
SCRIPTS = {
    "look.cgi": "LOOK",
    "before.cgi": f"{WHO}{ZEROS.format(MEGABYTE)}\nwc -c\n",
    "loud-before.cgi": f"#!/bin/sh\n{ZEROS.format(MEGABYTE)} >&2\n"
                       f"{WHO[10:]}{ZEROS.format(MEGABYTE)}\nwc -c\n",
    "echo.cgi": f"{WHO}exec cat\n",
    "count.cgi": f"{WHO}exec wc -c\n",
    "counts-first.cgi": f"#!/bin/sh\nn=$(wc -c)\n{WHO[10:]}echo $n\n",
    "many.cgi": f"{WHO}exec head -c $QUERY_STRING /dev/zero\n",
    "deaf.cgi": f"{WHO}echo text\n",
    "reads-little.cgi": f"{WHO}dd bs=1 count=3 2>/dev/null\necho\n",
    "closes.cgi": f"{WHO}exec <&-\nsleep 0.1\necho text\n",
    "local.cgi": "#!/bin/sh\nprintf 'Location: /look.cgi\\n\\n'\n",
    "remote.cgi": "#!/bin/sh\nprintf 'Location: http://x.test/\\n\\n'\n",
    "gone.cgi": "#!/bin/sh\nprintf 'Status: 410\\n\\n'\n",
    "nothing.cgi": "#!/bin/sh\n", "bad.cgi": "#!/no/such/program\n",
    "mode.cgi": ("", 0o644), "errors/nothing.cgi": "#!/bin/sh\n",
    "errors/.htaccess": "ErrorDocument 500 /look.cgi\n",
    "off/.htaccess": "Options -ExecCGI\n", "off/look.cgi": "LOOK",
    "first.cgi": f"{WHO}{GO}echo last\n",
    "nph-first.cgi": "#!/bin/sh\nprintf 'HTTP/1.1 200 OK\\r\\n"
                     f"Connection: close\\r\\n\\r\\n'\nid -u\n{GO}echo last\n",
    "endless.cgi": "#!/bin/sh\nid -u >NOTES/endless\nexec yes 'X-Mine: 1'\n",
    "head.cgi": f"{WHO}{ZEROS.format(10 * MEGABYTE)}\n"
                "echo $? $(id -u) >NOTES/head\n",
    "head-204.cgi": f"#!/bin/sh\nprintf 'Status: 204\\n\\n'\n"
                    f"{ZEROS.format(10 * MEGABYTE)}\n"
                    "echo $? $(id -u) >NOTES/head\n",
}


def config(folder):
    put_scripts(folder, SCRIPTS)
    return ("Protocols h2c http/1.1\n<Files endless.cgi>\nPSCgiTimeout 1\n"
            f"</Files>\n{hosts(folder)}")


@pytest.fixture(scope="module", params=FEW_SERVERS, ids=server_id)
def httpd(request):
    modules = [] if request.param[0] == "prefork" else ["http2"]
    with site(request.param, config, *modules) as server:
        server.go = server.notes / "go"
        yield server


HOSTS = ("alice", "owner")


def chunk(data):
    return b"%x\r\n%s\r\n" % (len(data), data)


@contextlib.contextmanager
def sending(talk, path, host, size, kind, head=b""):
    """A POST whose body of zeros goes out beside whatever the block reads;
    "chunked" or "sized"."""
    more = (f"Content-Length: {size}\r\n" if kind == "sized"
            else "Transfer-Encoding: chunked\r\n")
    talk.send(path, host, "POST", more)

    def send():
        block = bytes(1 << 18)
        with contextlib.suppress(OSError):  # whoever waits for it, says so
            for start in range(0, size, len(block)):
                data = block[:size - start]
                talk.socket.sendall(data if kind == "sized" else chunk(data))
            if kind != "sized":
                talk.socket.sendall(chunk(b""))

    thread = threading.Thread(target=send)
    thread.start()
    try:
        yield
    finally:
        if thread.is_alive():
            talk.socket.settimeout(5)
        thread.join(20)
        assert not thread.is_alive(), "the body is still being sent"


@pytest.mark.parametrize("kind", ("sized", "chunked"))
@pytest.mark.parametrize("name", ("before", "loud-before", "echo", "count"))
def test_duplex(httpd, name, kind):
    """A megabyte each way, whoever begins: the script prints first, complains
    first, prints as it reads, or reads first."""
    for host in HOSTS:
        says = ["PS0601", "PS0602"] if name == "loud-before" else []
        with Talk(httpd) as talk, httpd.expecting(*says):
            talk.socket.settimeout(10)
            with sending(talk, f"/{name}.cgi", host, MEGABYTE, kind):
                reply = talk.begin()
                body = reply.read()
            assert reply.status == 200
            assert body == UID + {
                "echo": bytes(MEGABYTE), "count": b"%d\n" % MEGABYTE}.get(
                    name, bytes(MEGABYTE) + b"%d\n" % MEGABYTE), len(body)
            assert talk.get("/look.cgi", host).who.is_(ALICE)


@pytest.mark.parametrize("name", ("deaf", "reads-little", "closes"))
def test_body_that_nobody_reads(httpd, name):
    """A script need not read its body, and the connection goes on; or at
    least ends."""
    for host in HOSTS:
        with Talk(httpd) as talk, httpd.expecting():
            talk.socket.settimeout(10)
            with sending(talk, f"/{name}.cgi", host, MEGABYTE, "sized"):
                answer = talk.answer()
            assert answer.status == 200
            assert answer.body == UID + (
                b"\0\0\0\n" if name == "reads-little" else b"text\n")
            with contextlib.suppress(ConnectionError):
                assert talk.get("/look.cgi", host).who.is_(ALICE)


# Each leaves its body unread; what it is answered with, and the log says.
UNREAD = {"deaf": (200, ()), "local": (200, ()), "remote": (302, ()),
          "gone": (410, ()), "nothing": (500, ("End of script",)),
          "errors/nothing": (500, ("End of script",)),
          "bad": (500, ("PS0208",)), "mode": (403, ("PS0111",)),
          "off/look": (403, ("PS0112",))}


@pytest.mark.parametrize("name", UNREAD)
def test_body_is_no_request(httpd, name):
    """A body that nobody read, and that looks like a request, is none: what
    is asked next on the connection is what is answered next."""
    status, says = UNREAD[name]
    body = f"GET /look.cgi?inside HTTP/1.1\r\nHost: {'x' * 99}\r\n\r\n"
    for host in HOSTS * (5 if name == "local" else 1):
        for more in (f"Content-Length: {len(body)}\r\n",
                     "Transfer-Encoding: chunked\r\n"):
            sent = body if "Length" in more else chunk(
                body.encode()).decode() + "0\r\n\r\n"
            with Talk(httpd) as talk, httpd.expecting(*says):
                talk.socket.settimeout(3)
                answer = talk.get(f"/{name}.cgi", host, "POST", more, sent)
                assert answer.status == status
                assert "inside" not in answer.text
                with contextlib.suppress(ConnectionError):
                    answer = talk.get("/look.cgi?next", host)
                    assert Look(answer.text).env["QUERY_STRING"] == "next"
                    assert answer.who.is_(ALICE)


@pytest.mark.parametrize("kind", ("sized", "chunked"))
@pytest.mark.parametrize("name", ("counts-first", "deaf"))
def test_expect_continue(httpd, name, kind):
    """A client that does not send its body before it is told to, is told; or
    has its answer, where the script does not read."""
    more, body = {
        "sized": ("Content-Length: 4\r\n", b"text"),
        "chunked": ("Transfer-Encoding: chunked\r\n", chunk(b"text")
                    + chunk(b""))}[kind]
    for host in HOSTS:
        with Talk(httpd) as talk, httpd.expecting():
            talk.socket.settimeout(5)
            talk.send(f"/{name}.cgi", host, "POST",
                      f"Expect: 100-continue\r\n{more}")
            if talk.file.peek().startswith(b"HTTP/1.1 100 "):
                assert talk.file.readline() and talk.file.readline() == b"\r\n"
                talk.socket.sendall(body)
            answer = talk.answer()
            assert answer.status == 200
            assert answer.body == UID + (b"text\n" if name == "deaf"
                                         else b"4\n")


# ---- while it runs

@pytest.mark.parametrize("name", ("first", "nph-first"))
@pytest.mark.parametrize("version", ("1.0", "1.1"))
def test_first_line(httpd, name, version):
    """A script's first line is at the client while the script runs."""
    for host in HOSTS:
        httpd.go.unlink(missing_ok=True)
        with Talk(httpd) as talk, httpd.expecting():
            talk.socket.settimeout(5)
            talk.socket.sendall(f"GET /{name}.cgi HTTP/{version}\r\nHost: "
                                f"{host}.test\r\n\r\n".encode())
            reply = talk.begin()
            assert reply.readline() == UID
            put(httpd.go)
            assert reply.read() == b"last\n"


def test_conversation(httpd):
    """Question and answer by turns in one request."""
    for host in HOSTS:
        with Talk(httpd) as talk, httpd.expecting():
            talk.socket.settimeout(5)
            talk.send("/echo.cgi", host, "POST",
                      "Transfer-Encoding: chunked\r\n")
            reply = talk.begin()
            assert reply.readline() == UID
            for line in (b"one\n", b"two\n", b"three\n"):
                talk.socket.sendall(chunk(line))
                assert reply.readline() == line
            talk.socket.sendall(chunk(b""))
            assert reply.read() == b""


class Post:
    """A POST by HTTP/2, whose body is sent in pieces; as little as its
    windows let through at the start."""

    def __init__(self, httpd, path, host, number=1):
        self.talk = Talk(httpd)
        self.talk.socket.settimeout(5)
        self.frames = self.received = None
        self.body, self.ended = b"", False
        fields = ((":method", "POST"), (":scheme", "http"), (":path", path),
                  (":authority", f"{host}.test"))
        block = b"".join(b"\0" + b"".join(bytes([len(t)]) + t.encode()
                                          for t in field) for field in fields)
        self.talk.socket.sendall(
            b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
            + http2.frame(http2.SETTINGS, 0, 0, struct.pack("!HI", 4, 1 << 20))
            + http2.frame(http2.HEADERS, http2.END_HEADERS, 1, block))
        self.frames = http2.read_frames(self.talk.socket)

    def send(self, data, flags=0):
        self.talk.socket.sendall(http2.frame(http2.DATA, flags, 1, data))

    def until(self, text):
        """Whether the answer's body gets to end so; None: whether it ends."""
        while not self.ended and not (text and self.body.endswith(text)):
            kind, flags, number, payload = next(self.frames)
            if kind == http2.SETTINGS and not flags & http2.ACK:
                self.talk.socket.sendall(http2.frame(kind, http2.ACK, 0))
            assert kind not in (http2.RST_STREAM, http2.GOAWAY), payload
            if number == 1 and kind == http2.HEADERS:
                assert http2.is_200(payload), payload
            if number == 1 and kind == http2.DATA:
                self.body += payload
            self.ended = number == 1 and kind in (http2.HEADERS, http2.DATA) \
                and bool(flags & http2.END_STREAM)
        return text is None or self.body.endswith(text)


def test_http2(httpd):
    """The same conversation by HTTP/2, and a first line."""
    if httpd.mpm == "prefork":  # where mod_http2 serves one at a time
        return
    for host in HOSTS:
        with httpd.expecting():
            post = Post(httpd, "/echo.cgi", host)
            with post.talk:
                assert post.until(UID)
                for line in (b"one\n", b"two\n"):
                    post.send(line)
                    assert post.until(line), post.body
                post.send(b"three\n", http2.END_STREAM)
                assert post.until(None)
                assert post.body == UID + b"one\ntwo\nthree\n"
            answers = http2.ask(httpd.port, [
                (host, "/look.cgi"), ("bob", "/look.cgi")] * 4)
        for answer, tenant in zip(answers, (ALICE, BOB) * 4):
            assert answer.is_200 and f"\nUid:\t{tenant.uid}\t" in answer.text


@pytest.mark.parametrize("name", ("head", "head-204"))
def test_head(httpd, name):
    """What may not be sent is read all the same, to its end."""
    for host in HOSTS:
        note = httpd.notes / "head"
        note.unlink(missing_ok=True)
        with Talk(httpd) as talk, httpd.expecting():
            method = "HEAD" if name == "head" else "GET"
            talk.send(f"/{name}.cgi", host, method)
            answer = talk.answer(method)
            assert answer.status == (200 if name == "head" else 204)
            assert answer.body == b""
            assert proc.wait_until(lambda: proc.read(note)), "was cut"
            assert proc.read(note) == f"0 {ALICE.uid}\n"
            assert talk.get("/look.cgi", host).who.is_(ALICE)


def test_endless_headers(httpd):
    """Header lines without end are not kept, nor waited for."""
    before = memory(httpd, anew=True)
    with httpd.expecting("PS0211", "Premature end of script headers"):
        assert httpd.get("/endless.cgi").status == 500
    assert proc.read(httpd.notes / "endless").encode() == UID
    assert memory(httpd) - before < 16384
    assert proc.wait_until(lambda: not proc.scripts(httpd), 5)


# ---- memory

def memory(httpd, anew=False):
    """KB that a child has had at most, since it was asked anew."""
    assert proc.wait_until(httpd.children)
    if anew:
        for pid in httpd.children():
            pathlib.Path(f"/proc/{pid}/clear_refs").write_text("5")
    return max(proc.status_number(pid, "VmHWM") for pid in httpd.children())


def read_all(reply, pause=0):
    """The number of bytes, those of the script's uid apart."""
    assert reply.readline() == UID
    time.sleep(pause)
    size, block = 0, bytearray(1 << 18)
    while count := reply.readinto(block):
        size += count
    return size


# The script, and how the request's body is sent.
FLOWS = {"out": ("many", None), "in": ("count", "sized"),
         "in-chunked": ("count", "chunked"), "both": ("echo", "chunked")}


@pytest.mark.parametrize("flow", FLOWS)
def test_memory(httpd, flow):
    """100 MB, once 1 GB each way, through a child that grows by no more than
    8 MB; also where the client does not read for a while."""
    if httpd.beside != "alone":
        return
    size = 1 << 30 if (httpd.mpm, flow) == ("event", "both") else 100 << 20
    script, kind = FLOWS[flow]
    with Talk(httpd) as talk:
        talk.get("/many.cgi?100000")
    before = memory(httpd, anew=True)
    with Talk(httpd) as talk, httpd.expecting():
        if kind:
            with sending(talk, f"/{script}.cgi", "alice", size, kind):
                reply = talk.begin()
                if script == "count":
                    assert reply.read() == UID + b"%d\n" % size
                else:
                    assert read_all(reply) == size
        else:
            talk.send(f"/{script}.cgi?{size}")
            assert read_all(talk.begin(), pause=0.5) == size
    grown = memory(httpd) - before
    assert grown < 8192, grown
