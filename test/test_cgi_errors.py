"""What a script says on its standard error is in the log of its own host, line
by line, and never keeps the script waiting."""
import re

import pytest

import proc
from cgi import HEAD, SERVERS, Talk, put_scripts, server_id, site
from harness import ALICE, put, vhost

UID = f"{ALICE.uid}\n".encode()
WHO = f"{HEAD}id -u\n"
GO = "for _ in $(seq 500); do [ -e NOTES/go ] || sleep 0.02; done\n"
LINES = "yes '{:{}}' | head -n {}"
SCRIPTS = {
    "errors.cgi": f"{WHO}printf 'one\\ntwo\\r\\n\\nthree \\001\\303\\251\\n' "
                  ">&2\nprintf 'no end' >&2\n",
    "errors-late.cgi": f"{WHO}echo early >&2\n{GO}echo late >&2\n",
    "errors-alone.cgi": "#!/bin/sh\necho alone >&2\n",
    "some.cgi": f"{WHO}{LINES.format('a line', 63, 990)} >&2\necho text\n",
    "many.cgi": f"#!/bin/sh\n{LINES.format('a line', 319, 3125)} >&2\n"
                f"{WHO[10:]}echo text\n",
    "after.cgi": f"{WHO}echo text\n{LINES.format('a line', 319, 3125)} >&2\n",
    "short.cgi": f"#!/bin/sh\n{LINES.format('a line', 9, 100_000)} >&2\n"
                 f"{WHO[10:]}echo text\n",
    "one.cgi": "#!/bin/sh\nhead -c 1000000 /dev/zero | tr '\\0' x >&2\n"
               f"{WHO[10:]}echo text\n",
}


def config(folder):
    put_scripts(folder, SCRIPTS, [ALICE])
    www = folder / "home/alice/www"
    log = 'ErrorLogFormat "<%L> %-m:%l %M"\nLogFormat "<%L> %U" ids\n'
    return vhost("alice", www, f"PSUserGroup {ALICE.ids}") + "".join(
        vhost(name, www, f"{pin}\n{log}ErrorLog {folder}/{name}.log\n"
              f"CustomLog {folder}/{name}-ids.log ids")
        for name, pin in (("logs", f"PSUserGroup {ALICE.ids}"),
                          ("logs-owner", "PSExAll On")))


@pytest.fixture(scope="module", params=SERVERS, ids=server_id)
def httpd(request):
    with site(request.param, config) as server:
        server.go = server.notes / "go"
        yield server


def in_log(httpd, host):
    """The lines in the host's log, as (request's id, what was said)."""
    text = proc.read(httpd.folder / f"{host}.log")
    return re.findall(r"^<(\S*)> process_security:error .*?PS060[12]: "
                      r"\S+/www/[\w-]+\.cgi: (.*)$", text, re.M)


def said_by(httpd, name, host):
    """The script's answer, and its lines in the host's log, which carry the
    id that the host's other log has of the request; the server's has none."""
    before = len(in_log(httpd, host))
    ids = httpd.folder / f"{host}-ids.log"
    asked = len(proc.read(ids))
    with httpd.expecting():
        answer = httpd.get(f"/{name}.cgi", host)
    assert proc.wait_until(lambda: proc.read(ids)[asked:].endswith("\n"))
    own = re.fullmatch(r"<(\S{9,})> \S+\n", proc.read(ids)[asked:])[1]
    lines = in_log(httpd, host)[before:]
    assert {number for number, _ in lines} == {own}, lines[:5]
    return answer, [line for _, line in lines]


LOG_HOSTS = ("logs", "logs-owner")


def test_errors(httpd):
    """Standard error is in the log of the script's own host, a line each, with
    the request's id: also the last, without an end, and what a script says
    that prints nothing."""
    for host in LOG_HOSTS:
        for _ in range(2):
            answer, lines = said_by(httpd, "errors", host)
            assert answer.status == 200 and answer.body == UID
            assert lines == ["one", "two", r"three \x01\xc3\xa9", "no end"]
        answer, lines = said_by(httpd, "errors-alone", host)
        assert answer.status == 500 and lines == ["alone"]
    with httpd.expecting("PS0601") as lines:
        assert httpd.get("/errors.cgi").body == UID
    assert len(lines) == 4


def test_errors_while_it_runs(httpd):
    """A line is in the log while the script runs, or reads its body."""
    for host in LOG_HOSTS:
        httpd.go.unlink(missing_ok=True)
        before = len(in_log(httpd, host))
        with Talk(httpd) as talk, httpd.expecting():
            talk.send("/errors-late.cgi", host, "POST",
                      "Content-Length: 4\r\n")
            assert proc.wait_until(lambda: len(in_log(httpd, host)) > before)
            assert in_log(httpd, host)[-1][1] == "early"
            put(httpd.go)
            talk.socket.sendall(b"text")
            assert talk.answer().body == UID
            assert in_log(httpd, host)[-1][1] == "late"


# What bounds a script's words in the log, if anything does.
MUCH = {"some": None, "many": "bytes", "after": "bytes", "one": "bytes",
        "short": "lines"}


@pytest.mark.parametrize("name", MUCH)
def test_errors_limit(httpd, name):
    """64 KB, or 1,000 lines, of each request are logged, and then one line
    that says so; the script goes on as if all were read. What is less is
    logged whole."""
    for host in LOG_HOSTS:
        answer, lines = said_by(httpd, name, host)
        assert answer.status == 200
        assert answer.body == UID + b"text\n"
        if not MUCH[name]:
            assert lines == [f"{'a line':63}"] * 990
            continue
        *lines, last = lines
        assert "dropped" in last and "dropped" not in lines[-1]
        if MUCH[name] == "lines":
            assert len(lines) == 1000
        else:
            assert 64_000 <= sum(len(n) + 1 for n in lines) <= 67_000
