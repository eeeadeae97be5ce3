"""mod_lua: a script, what it starts, and what it leaves are its tenant's.

The attack: Lua calls a finalizer when httpd closes the interpreter, which it
does when it empties the request's pool, after the answer, in whatever thread.
"""
import re
import socket

import pytest

from conftest import MPMS
from harness import ALICE, BOB, TENANTS, Who, put, put_folder, shared
from test_leftovers import hang_up, wait_until
from test_tenants import hosts

SCRIPTS = {
    "popen": """function handle(r)
        r.content_type = "text/plain"
        r:puts(io.popen("cat /proc/self/status"):read("*a"))
        return apache2.OK end""",
    "post": """function handle(r)
        r.content_type = "text/plain"
        r:puts(r.method, " ", #(r:requestbody() or ""))
        return apache2.OK end""",
    "large": """function handle(r)
        r.content_type = "text/plain"
        for i = 1, 300 do r:puts(string.rep(tostring(i % 10), 4096)) end
        return apache2.OK end""",
    "own": """function handle(r)
        r.content_type = "text/plain"
        local f = io.open("HOME/private.txt")
        r:puts(f and f:read("*a") or "no")
        f = io.open("OTHER/private.txt")
        r:puts(f and f:read("*a") or "no")
        f = io.open("OTHER/new", "w")
        r:puts(f and "yes" or "no")
        return apache2.OK end""",
}
# How a script with a finalizer ends, the status, and what the log says.
ENDS = {
    "ok": ('r:puts("x") return apache2.OK', 200, ()),
    "large": ('r:puts(string.rep("x", 2000000)) return apache2.OK', 200, ()),
    "redirected": ("r.headers_out['Location'] = '/x' return 302", 302, ()),
    "missing": ("return 404", 404, ()),
    "error": ('r:puts("x") return 500', 500, ()),
    "thrown": ('r:puts("x") error("on purpose")', 500, ("on purpose",)),
    "declined": ("return apache2.DECLINED", 200, ()),
    "custom": ("r:custom_response(403, '/whoami.lua') return 403", 403, ()),
    "subrequest": ("r:custom_response(404, '/ends-ok.lua') return 404", 404,
                   ()),
}
NOTES = """function note()
    local f = io.open("NOTE", "a")
    f:write(io.open("/proc/thread-self/status"):read("*a"))
    f:close()
end
"""
FINALIZER = NOTES + """function handle(r)
    r.content_type = "text/plain"
    leave = setmetatable({}, {__gc = note})
    END
end
"""
FILTERS = NOTES + """function filter(r)
    note() coroutine.yield()
    while bucket do note() coroutine.yield(bucket) end
    note() coroutine.yield("")
end
"""
# Only the operator can declare filters of mod_lua.
DECLARED = """
LuaOutputFilter MINE_OUT {home}/www/filtered/filters.lua filter
LuaInputFilter MINE_IN {home}/www/filtered/filters.lua filter
"""
HTACCESS = "SetOutputFilter MINE_OUT\nSetInputFilter MINE_IN\n"


def put_scripts(folder):
    for tenant in TENANTS:
        www = folder / "home" / tenant.name / "www"
        other = BOB if tenant is ALICE else ALICE
        for name, text in SCRIPTS.items():
            put(www / f"{name}.lua",
                text.replace("HOME", str(www.parent)).replace(
                    "OTHER", str(folder / "home" / other.name)), 0o644, tenant)
        for name, (end, *_) in ENDS.items():
            put(www / f"ends-{name}.lua",
                FINALIZER.replace("NOTE", f"{folder}/notes/note")
                .replace("END", end), 0o644, tenant)
        put(www / "filtered/filters.lua", FILTERS.replace(
            "NOTE", f"{folder}/notes/note"), 0o644, tenant)
        put(www / "filtered/.htaccess", HTACCESS, 0o644, tenant)
        put_folder(www / "filtered", 0o755, tenant)
        for name in ("file.txt", "whoami.lua", "whoami.cgi"):
            put(www / "filtered" / name, (www / name).read_text(), 0o755,
                tenant)
        put(www / "filtered/reads.cgi", "#!/bin/sh\ncat >/dev/null\necho\n"
            "cat /proc/self/status\n", 0o755, tenant)
        put(www / "filtered/fails.cgi", "#!/bin/sh\ncat >/dev/null\n"
            f"cat /proc/self/status >>{folder}/notes/note\n", 0o755, tenant)
        put(www / "filtered/fails.lua", "function handle() return 404 end",
            0o644, tenant)


@pytest.fixture(scope="module", params=[
    (mpm, pinned) for mpm in MPMS for pinned in (True, False)],
    ids=lambda p: f"{p[0]}-{'pinned' if p[1] else 'owner'}")
def httpd(request):
    def config(folder):
        put_folder(folder / "notes", 0o777)
        put_scripts(folder)
        return (hosts(folder, request.param[1], DECLARED)
                + "AddHandler lua-script .lua\n")
    with shared(request.param[0], config, modules=["lua", "cgi"],
                expect=["PS0503"]) as server:
        yield server


HOSTS = (("alice", ALICE), ("bob", BOB), ("plain", None))


def is_(who, tenant):
    return who.is_(tenant) if tenant else who.is_server()


@pytest.mark.parametrize("script", ("whoami", "popen"))
def test_ids(httpd, script):
    """The script and what it starts; HEAD, and POST, too."""
    for host, tenant in HOSTS:
        for method in ("GET", "POST"):
            answer = httpd.get(f"/{script}.lua", host, method, body=b"a=b")
            assert answer.status == 200
            assert is_(answer.handled_by, tenant)
            assert is_(answer.who, tenant), answer.text
        answer = httpd.get(f"/{script}.lua", host, "HEAD")
        assert (answer.status, answer.text) == (200, "")
        assert is_(answer.handled_by, tenant)


def test_bodies(httpd):
    """A large body, either way, arrives whole."""
    for host, tenant in HOSTS:
        answer = httpd.get("/post.lua", host, "POST", b"a=" + b"x" * 200000)
        assert is_(answer.handled_by, tenant)
        assert answer.text == "POST 200002"
        answer = httpd.get("/large.lua", host)
        assert is_(answer.handled_by, tenant)
        assert answer.text == "".join(str(i % 10) * 4096
                                      for i in range(1, 301))


def test_files(httpd):
    """Own files open, a neighbour's and new ones beside them do not."""
    for tenant in (ALICE, BOB):
        answer = httpd.get("/own.lua", tenant.name)
        assert answer.handled_by.is_(tenant)
        assert answer.text == f"secret of {tenant.name}\nnono"


def notes(httpd):
    text = (httpd.folder / "notes" / "note").read_text()
    return [Who(t) for t in re.split("(?m)^(?=Name:)", text)[1:]]


def expect_notes(httpd, expected):
    """So many notes come, each by the tenant in turn, and no more."""
    assert wait_until(lambda: len(notes(httpd)) >= len(expected)), \
        (len(notes(httpd)), len(expected))
    whos = notes(httpd)
    assert len(whos) == len(expected), whos
    for who, tenant in zip(whos, expected):
        assert is_(who, tenant), who


@pytest.mark.parametrize("keep_alive", (True, False), ids=("keep", "close"))
@pytest.mark.parametrize("end", ENDS)
def test_finalizer(httpd, end, keep_alive):
    """A finalizer that writes who runs it finds itself the tenant, however
    the script ends, on a connection of its own or one of several hosts."""
    put(httpd.folder / "notes" / "note", "", 0o666)
    _, status, says = ENDS[end]
    per_request = 2 if end == "subrequest" else 1
    connection = httpd.connection() if keep_alive else None
    expected = []
    for host, tenant in HOSTS + HOSTS:
        with httpd.expecting(*says):
            answer = httpd.get(f"/ends-{end}.lua", host, connection=connection)
        assert answer.status == status
        assert is_(answer.handled_by, tenant)
        expected += [tenant] * per_request
        expect_notes(httpd, expected)
    if connection:
        connection.close()


def test_suspended(httpd):
    """A script that wants to go on when its thread has ended is stopped, and
    what it leaves is still its tenant's to clear."""
    note = put(httpd.folder / "notes" / "note", "", 0o666)
    for i, tenant in enumerate((ALICE, BOB)):
        put(httpd.folder / "home" / tenant.name / "www" / "suspends.lua",
            FINALIZER.replace("NOTE", str(note)).replace("END", "return -3"),
            0o644, tenant)
        with httpd.expecting("PS0206"):
            answer = httpd.get("/suspends.lua", tenant.name)
        assert answer.status == 500 and answer.handled_by.is_(tenant)
        expect_notes(httpd, [ALICE, BOB][:i + 1])


def test_finalizer_when_client_leaves(httpd):
    """So it does where the client breaks off, before, or in, the answer."""
    put(httpd.folder / "notes" / "note", "", 0o666)
    expected = []
    for read in (0, 1000):
        for host, tenant in HOSTS:
            hang_up(httpd, "/ends-large.lua", host, read)
            expected.append(tenant)
            expect_notes(httpd, expected)


# What is asked for in a folder with filters of the tenant's, and the status.
FILTERED = {
    "file": ("file.txt", "GET", 200),
    "lua": ("whoami.lua", "GET", 200),
    "cgi": ("whoami.cgi", "GET", 200),
    "missing": ("missing.txt", "GET", 404),
    "unread-lua": ("whoami.lua", "POST", 200),
    "read-cgi": ("reads.cgi", "POST", 200),
    "unread-file": ("file.txt", "POST", 200),
    "unread-put": ("file.txt", "PUT", 405),
    "read-cgi-error": ("fails.cgi", "POST", 500),
    "unread-lua-error": ("fails.lua", "POST", 404),
}


@pytest.mark.parametrize("name", FILTERED)
def test_filters(httpd, name):
    """A tenant's own filters see the answer, and the body that no script
    reads, as the tenant, also where the answer is an error of httpd's."""
    put(httpd.folder / "notes" / "note", "", 0o666)
    path, method, status = FILTERED[name]
    for tenant in (ALICE, BOB):
        before = len(notes(httpd))
        connection = httpd.connection()
        with httpd.expecting(*(["fails.cgi"] if "fails.cgi" in path else [])):
            answer = httpd.get(f"/filtered/{path}", tenant.name, method,
                               b"x" * 20000 if method != "GET" else None,
                               connection=connection)
        assert answer.status == status
        if ".cgi" not in path:
            assert answer.handled_by.is_(tenant)
        if "whoami" in path or "reads" in path:
            assert answer.who.is_(tenant), answer.text
        assert httpd.get("/whoami.lua", tenant.name,
                         connection=connection).who.is_(tenant)
        connection.close()
        whos = notes(httpd)[before:]
        assert all(who.is_(tenant) for who in whos), whos
        scripts = sum(who.fields["Name"] == "cat" for who in whos)
        assert scripts == ("fails.cgi" in path)
        # By the filter on what a script reads, too, where that then fails.
        assert len(whos) > scripts or (status >= 400 and not scripts)


@pytest.mark.parametrize("host", HOSTS, ids=[name for name, _ in HOSTS])
def test_finalizer_when_server_stops(start, folder, host):
    """prefork's child, told to end while a script runs, empties its pools
    from a signal handler: the finalizer is still the tenant's."""
    host, tenant = host
    put_folder(folder / "notes", 0o777)
    note = put(folder / "notes" / "note", "", 0o666)
    owner = tenant or ALICE
    put(folder / "home" / owner.name / "www" / "loops.lua",
        FINALIZER.replace("NOTE", str(note)).replace(
            "END", "note() while true do end"), 0o644, owner)
    httpd = start("prefork", hosts(folder, True)
                  + "AddHandler lua-script .lua\n", modules=["lua"],
                  expect=["PS0503"])
    with socket.create_connection(("127.0.0.1", httpd.port)) as s:
        s.sendall(f"GET /loops.lua HTTP/1.0\r\nHost: {host}.test\r\n\r\n"
                  .encode())
        assert wait_until(lambda: notes(httpd))
        httpd.stop()
    expect_notes(httpd, [tenant, tenant])
