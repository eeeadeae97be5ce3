"""A request that httpd leads elsewhere stays, or becomes, the right tenant's.

DirectoryIndex, listings, ErrorDocument, Location of a script, mod_rewrite,
Action, type maps, aliases: each reaches its script as the tenant whose it is,
in one thread or process; and what two tenants have a part in inside of httpd
is refused.
"""
import re
import socket
import time

import pytest

from conftest import MPMS
from harness import (ALICE, BOB, TENANTS, WHOAMI_CGI, WHOAMI_LUA, WHOAMI_PHP,
                     Answer, Who, put, put_folder, shared)
from test_leftovers import foreign_threads, wait_until
from test_tenants import hosts


def location(path):
    return f"#!/bin/sh\nprintf 'Location: {path}\\n\\n'\n"


def front(name):
    return ("RewriteEngine On\nRewriteCond %{REQUEST_FILENAME} !-f\n"
            f"RewriteRule ^ {name} [L]\n")


FAILS = "#!/bin/sh\n"
FAILS_LUA = "function handle(r)\n return 500\nend\n"
# The files of each tenant.
FILES = {
    "index-html/index.html": "index of TENANT\n",
    "index-cgi/index.cgi": WHOAMI_CGI,
    "index-lua/index.lua": WHOAMI_LUA,
    "index-php/index.php": WHOAMI_PHP,
    "index-who/index.who": "",
    "index-own/.htaccess": "DirectoryIndex start.cgi",
    "index-own/start.cgi": WHOAMI_CGI,
    "fallback/.htaccess": "FallbackResource /whoami.cgi",
    "listing/.htaccess": "Options +Indexes",
    "listing/seen.txt": "", "listing/also-seen.cgi": "",
    "errors/.htaccess": "ErrorDocument 404 /whoami.cgi\n"
                        "ErrorDocument 500 /whoami.cgi\n"
                        "ErrorDocument 403 /whoami.lua\n"
                        "<Files no.txt>\nRequire all denied\n</Files>\n",
    "errors/fails.cgi": FAILS, "errors/fails.lua": FAILS_LUA,
    "errors/no.txt": "",
    "local.cgi": location("/whoami.cgi"),
    "local-lua.cgi": location("/whoami.lua"),
    "hops.cgi": location("/local.cgi"),
    "to-rewrite.cgi": location("/front/a/page"),
    "to-bob.cgi": location("/bob/whoami.cgi"),
    "to-bob-closed.cgi": location("/bob/closed.cgi"),
    "filtered/.htaccess": "SetOutputFilter INCLUDES\n",
    "filtered/to-bob.cgi": location("/bob/whoami.cgi"),
    "filtered/to-bob-closed.cgi": location("/bob/closed.cgi"),
    "to-who.cgi": location("/x.who"),
    "front/.htaccess": front("index.cgi"),
    "front/index.cgi": WHOAMI_CGI,
    "front-lua/.htaccess": front("index.lua"),
    "front-lua/index.lua": WHOAMI_LUA,
    "front-php/.htaccess": front("index.php"),
    "front-php/index.php": WHOAMI_PHP,
    "front-who/.htaccess": front("/x.who"),
    "action/.htaccess": "Action mine /whoami.cgi\nAddHandler mine .mine\n",
    "action/x.mine": "content",
    "action-who/.htaccess": "Action mine /x.who\nAddHandler mine .mine\n",
    "action-who/x.mine": "content",
    "map/x.var": "URI: page.cgi\nContent-type: text/plain\n",
    "map/page.cgi": WHOAMI_CGI,
    "views/.htaccess": "Options +MultiViews\nMultiviewsMatch Handlers\n",
    "views/page.cgi": WHOAMI_CGI,
    "x.who": "",
    "errors-who/.htaccess": "ErrorDocument 404 /x.who\n",
    "include-who.shtml": '<!--#include virtual="/x.who" -->',
    "include-twice.shtml": '<!--#include virtual="/include-who.shtml" -->',
    "closed.cgi": WHOAMI_CGI,
    "two/.htaccess": "ErrorDocument 500 /bob/whoami.cgi\n"
                     "ErrorDocument 404 /bob/whoami.cgi\n",
    "two/fails.cgi": FAILS, "two/fails.lua": FAILS_LUA,
    "two-file/.htaccess": "ErrorDocument 500 /bob/file.txt\n",
    "two-file/fails.cgi": FAILS,
}


def put_site(folder, tenant):
    www = folder / "home" / tenant.name / "www"
    for name, text in FILES.items():
        path = www / name
        put(path, text.replace("TENANT", tenant.name),
            0o700 if name == "closed.cgi" else 0o755, tenant)
        if path.parent != www:
            put_folder(path.parent, 0o755, tenant)


SERVERS = [(mpm, pinned) for mpm in MPMS for pinned in (True, False)]


def server_id(server):
    return f"{server[0]}-{'pinned' if server[1] else 'owner'}"


@pytest.fixture(scope="module", params=SERVERS, ids=server_id)
def httpd(request):
    mpm, pinned = request.param

    def config(folder):
        for tenant in TENANTS:
            put_site(folder, tenant)
        return hosts(folder, pinned, f"""
            Alias /bob {folder}/home/bob/www
            <Directory {folder}/home/bob/www>
            Require all granted
            Options +ExecCGI
            </Directory>""") + """
            DirectoryIndex index.html index.cgi index.lua index.php index.who
            AddHandler lua-script .lua
            AddHandler application/x-httpd-php .php
            AddHandler type-map .var
            AddHandler who .who
            AddType text/html .shtml
            AddOutputFilter INCLUDES .shtml"""
    modules = ["cgi", "lua", "rewrite", "actions", "negotiation", "autoindex",
               "include"] + (["php"] if mpm == "prefork" else [])
    with shared(mpm, config, modules=modules, expect=["PS0503"]) as server:
        server.pinned = pinned
        yield server


HOSTS = (("alice", ALICE), ("bob", BOB), ("plain", None))


def is_(who, tenant):
    return who.is_(tenant) if tenant else who.is_server()


# What is asked for; the status; what the log says of it.
WAYS = {
    "index-cgi": ("/index-cgi/", 200, ()),
    "index-lua": ("/index-lua/", 200, ()),
    "index-own": ("/index-own/", 200, ()),
    "fallback": ("/fallback/no/such", 200, ()),
    "error-404": ("/errors/missing", 404, ()),
    "error-404-cgi": ("/errors/missing.cgi", 404, ()),
    "error-403": ("/errors/no.txt", 403, ("no.txt",)),
    "error-500-cgi": ("/errors/fails.cgi", 500, ("fails.cgi",)),
    "error-500-lua": ("/errors/fails.lua", 500, ()),
    "location": ("/local.cgi", 200, ()),
    "location-lua": ("/local-lua.cgi", 200, ()),
    "location-twice": ("/hops.cgi", 200, ()),
    "location-rewrite": ("/to-rewrite.cgi", 200, ()),
    "rewrite": ("/front/a/page?x=y", 200, ()),
    "rewrite-lua": ("/front-lua/a/page", 200, ()),
    "action": ("/action/x.mine", 200, ()),
    "type-map": ("/map/x.var", 200, ()),
    "multiviews": ("/views/page", 200, ()),
    "path-info": ("/whoami.cgi/some/path", 200, ()),
}


@pytest.mark.parametrize("way", WAYS)
def test_way(httpd, way):
    """Each way to a script ends in that script as its tenant, and where the
    host is not covered, as the server."""
    path, status, says = WAYS[way]
    for host, tenant in HOSTS:
        if way == "error-404-cgi" and not tenant:  # mod_cgi has a word for it
            says = ("missing.cgi",)
        with httpd.expecting(*says):
            answer = httpd.get(path, host)
        assert answer.status == status
        assert is_(answer.served_by, tenant)
        assert is_(answer.who, tenant), answer.text


@pytest.mark.parametrize("path", ("/index-php/", "/front-php/a/page"))
@pytest.mark.parametrize("httpd", SERVERS[:2], ids=server_id, indirect=True)
def test_way_to_php(httpd, path):
    """The same to mod_php's pages, where there is mod_php: on prefork."""
    assert httpd.mpm == "prefork"
    for host, tenant in HOSTS:
        answer = httpd.get(path, host)
        assert answer.status == 200
        assert is_(answer.served_by, tenant)
        assert is_(answer.who, tenant), answer.text


def test_index_and_listing(httpd):
    """A folder's page, and the list of what is in it."""
    for host, tenant in HOSTS:
        name = "bob" if host == "bob" else "alice"
        answer = httpd.get("/index-html/", host)
        assert is_(answer.served_by, tenant)
        assert answer.text == f"index of {name}\n"
        answer = httpd.get("/listing/", host)
        assert is_(answer.served_by, tenant)
        assert "seen.txt" in answer.text and "also-seen.cgi" in answer.text


def get_to_end(httpd, path, host):
    """An answer, when the server has cleared up after it: httpd closes the
    connection after that."""
    with socket.create_connection(("127.0.0.1", httpd.port), 30) as s:
        s.sendall(f"GET {path} HTTP/1.0\r\nHost: {host}.test\r\n\r\n".encode())
        answer = b"".join(iter(lambda: s.recv(65536), b""))
    head, _, body = answer.partition(b"\r\n\r\n")
    first, *lines = head.decode().split("\r\n")
    headers = (line.split(": ", 1) for line in lines)
    return Answer(int(first.split()[1]), {k.lower(): v for k, v in headers},
                  body)


# The handler "who" lists all threads of its process.
ONE_THREAD = ("/x.who", "/index-who/", "/front-who/a", "/errors-who/missing",
              "/to-who.cgi", "/action-who/x.mine", "/include-who.shtml",
              "/include-twice.shtml", "/x.who/path")


@pytest.mark.parametrize("path", ONE_THREAD)
def test_one_thread(httpd, path):
    """However a handler is reached, one thread is the tenant, and all others
    are the server's, with no effective capability; the one that waits may
    reach files as the tenant."""
    # Answers of the case before may still be cleared up after.
    for _ in range(4):
        time.sleep(0.02)
        assert wait_until(lambda: not foreign_threads(httpd))
    for host, tenant in HOSTS:
        answer = get_to_end(httpd, path, host)
        assert is_(answer.served_by, tenant)
        # A thread that was joined can still be listed for a moment, without
        # memory: the one, say, that found that a file is missing.
        threads = [Who(t) for t in re.split(r"(?m)^thread \d+$",
                                            answer.text)[1:] if "VmSize:" in t]
        tenants = [t for t in threads if not t.is_server()
                   and not (tenant and t.is_in_place(tenant))]
        assert len(threads) > len(tenants)
        assert len(tenants) == (1 if tenant else 0), tenants
        assert all(t.is_(tenant) for t in tenants), tenants


def test_alias(httpd):
    """A neighbour's script under an alias: in owner mode it runs as its
    owner, pinned as the host's tenant, whom the kernel may deny it."""
    tenant = ALICE if httpd.pinned else BOB
    for script in ("whoami.cgi", "whoami.lua"):
        answer = httpd.get(f"/bob/{script}")
        assert answer.served_by.is_(tenant)
        assert answer.who.is_(tenant), answer.text
    if httpd.pinned:
        expect_closed(httpd, "/bob/closed.cgi")
    else:
        assert httpd.get("/bob/closed.cgi").who.is_(BOB)


def expect_closed(httpd, path):
    """bob's closed script, which alice's host leads to, does not run."""
    with httpd.expecting("PS0111", f"uid {ALICE.uid}, gid") as lines:
        answer = httpd.get(path)
    assert len(lines) == 1 and "bob/www/closed.cgi: refused" in lines[0]
    assert answer.status == 403 and "Uid" not in answer.text, answer


def test_location_of_neighbour(httpd):
    """A script that leads to a neighbour's: a new request, as of any client.
    In owner mode it is the neighbour's, and runs as him; pinned it stays the
    host's tenant's, so that his closed script does not run."""
    for path in ("/to-bob.cgi", "/to-bob-closed.cgi"):
        if httpd.pinned and "closed" in path:
            expect_closed(httpd, path)
            continue
        with httpd.expecting():
            answer = httpd.get(path)
        assert answer.status == 200
        assert answer.who.is_(ALICE if httpd.pinned else BOB), answer.text
        assert "x-who" not in answer.headers  # no thread had a part in it
    answer = httpd.get("/to-bob-closed.cgi", "bob")
    assert answer.status == 200 and answer.who.is_(BOB)


def test_location_of_neighbour_in_thread(httpd):
    """A script that answers through a filter of alice's does so in a thread
    that is alice. There the neighbour's runs as alice, too, in both modes; so
    his closed script does not run."""
    with httpd.expecting():
        answer = httpd.get("/filtered/to-bob.cgi")
    assert answer.status == 200 and answer.who.is_(ALICE), answer
    expect_closed(httpd, "/filtered/to-bob-closed.cgi")
    answer = httpd.get("/filtered/to-bob-closed.cgi", "bob")
    assert answer.status == 200 and answer.who.is_(BOB)


@pytest.mark.parametrize("path", ("/two/fails.cgi", "/two/fails.lua"))
def test_two_tenants(httpd, path):
    """The error page of alice's, which is bob's script. Pinned, it runs as
    alice; in owner mode as bob, where alice's script was a process of its own.
    Where it ran inside of httpd, that is refused: what it left would be
    cleared as bob."""
    says = ["fails.cgi"] if path.endswith(".cgi") else []
    two = not httpd.pinned and path.endswith(".lua")
    with httpd.expecting(*says, *(["PS0108"] if two else [])):
        answer = httpd.get(path)
    assert answer.status == 500
    if two:
        assert "Uid" not in answer.text
    else:
        assert answer.who.is_(ALICE if httpd.pinned else BOB), answer.text
    with httpd.expecting(*says):
        answer = httpd.get(path, "bob")
    assert answer.status == 500
    assert answer.who.is_(BOB), answer.text


def test_two_tenants_of_a_file(httpd):
    """Where one of the two only has a file read, both are served."""
    answer = httpd.get("/two/missing.txt")
    assert answer.status == 404
    assert answer.who.is_(ALICE if httpd.pinned else BOB), answer.text
    with httpd.expecting("fails.cgi"):
        answer = httpd.get("/two-file/fails.cgi")
    assert answer.status == 500
    assert answer.served_by.is_(ALICE if httpd.pinned else BOB)
    assert answer.text == "file of bob\n"
