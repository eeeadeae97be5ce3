"""Attacks that worked once: a tenant's words reach code of the server's.

Filters of a tenant's on what the server itself sends, folders of root's that
a tenant may write, redirects and proxies to another process. Each command
notes who ran it; a host that is not covered shows that the way is open, and
there it is the server.
"""
import http.client
import os
import re
import subprocess
import sys
import time

import pytest

from conftest import MPMS
from harness import (ALICE, BOB, WHOAMI_CGI, WHOAMI_PHP, Answer, Tenant, Who,
                     free_port, put, put_folder, server_ids, shared, vhost)

ROOT = Tenant(0, 0, name="root")
# What a tenant can call a filter, and of which type; mod_filter runs any
# other under that name, and keeps one of type PROTOCOL over errors and
# redirects. DEFLATE is also the name of one that does no harm.
HARNESSES = {"protocol": ("evil", "PROTOCOL"), "set": ("evil", "CONTENT_SET"),
             "resource": ("evil", "RESOURCE"),
             "disguised": ("DEFLATE", "PROTOCOL")}


def harness(name):
    name, kind = HARNESSES[name]
    return (f'FilterDeclare {name} {kind}\n'
            f'FilterProvider {name} INCLUDES "true"\nFilterChain {name}\n'
            "SetEnvIf Request_URI . filter-errordocs=1\nOptions +Includes\n")


def config(folder):
    www, home = folder / "home/alice/www", folder / "home"
    pool = put_folder(folder / "pool")
    put_folder(folder / "notes", 0o777)
    ignore = "PSIgnoreExtensions .css .html\n"
    text = "".join(vhost(*host) for host in (
        # of any other name: a tenant's own server, which says one page
        ("origin", put_folder(folder / "origin"),
         f"AliasMatch ^ {folder}/origin/page.html"),
        ("alice", www, f"PSUserGroup {ALICE.ids}"),
        ("owner", www, "PSExAll On"),
        ("plain", www),
        ("alice-css", www, f"PSUserGroup {ALICE.ids}\n{ignore}"),
        ("owner-css", www, f"PSExAll On\n{ignore}"),
        ("users", home, f"PSExAll On\nAlias /alice {www}\n"
         f"Alias /bob {home}/bob/www"),
        ("pool", pool, "PSExAll On"),
        ("pool-plain", pool)))
    return text + "AddHandler application/x-httpd-php .php\n"


@pytest.fixture(scope="module", params=MPMS)
def httpd(request):
    mpm = request.param
    modules = ["cgi", "include", "filter", "autoindex", "deflate", "rewrite",
               "setenvif", "proxy", "proxy_http"]
    modules += ["php"] if mpm == "prefork" else []
    with shared(mpm, config, modules=modules) as server:
        server.www = server.folder / "home/alice/www"
        yield server


def command(httpd):
    """It appends who runs it to a file of everybody's."""
    return f"cat /proc/self/status >>{httpd.folder}/notes/note"


def exec_(httpd):
    return f"<!--#exec cmd='{command(httpd)}' -->"


def get(httpd, path, host, method, headers):
    """As httpd.get(). A filter that comes late makes a body shorter than the
    answer said, which is no matter here."""
    connection = httpd.connection()
    connection.request(method, path, headers={
        "Host": f"{host}.test", "Connection": "close", **headers})
    reply = connection.getresponse()
    fields = {k.lower(): v for k, v in reply.getheaders()}
    try:
        return Answer(reply.status, fields, reply.read())
    except http.client.IncompleteRead as e:
        return Answer(reply.status, fields, e.partial)
    finally:
        connection.close()


def ask(httpd, path, host, says=(), method="GET", **headers):
    """The answer, and whoever ran meanwhile."""
    note = put(httpd.folder / "notes/note", "", 0o666)
    with httpd.expecting(*says):
        answer = get(httpd, path, host, method, headers)
    return answer, [Who(text) for text in re.split("(?m)^(?=Name:)",
                                                   note.read_text())[1:]]


def as_alice(path, text):
    """A file that alice makes, where the kernel lets her."""
    subprocess.run(["tee", str(path)], input=text, text=True, check=True,
                   user=ALICE.uid, group=ALICE.gid, extra_groups=[])


# ---- error pages

# What to ask for, how, and the status; then what the log says where the host
# is pinned, in owner mode, and not covered.
ERRORS = {
    "missing": ("missing.txt", "GET", 404, (), (), ()),
    "link": ("link.txt", "GET", 403, ("AH00132",), ("PS0104",), ("AH00132",)),
    "denied": ("no.txt", "GET", 403, *3 * (("AH01630",),)),
    "closed": ("closed/x.txt", "GET", 403, *3 * (("AH00529",),)),
    "method": ("x.txt", "PUT", 405, (), (), ()),
    "cgi": ("fails.cgi", "GET", 500, *3 * (("fails.cgi",),)),
}


NO_HANDLER = ("denied", "closed")  # httpd itself leaves filters out


@pytest.mark.parametrize("error", ERRORS)
@pytest.mark.parametrize("kind", HARNESSES)
def test_error_page(httpd, kind, error):
    """Tried: the text of an ErrorDocument, with a command in it, through a
    filter that mod_filter adds to error pages. Might work as the server's
    own thread sends those. The command must not run, but for a tenant's
    page through the same filter, as the tenant."""
    path, method, status, *says = ERRORS[error]
    folder = put_folder(httpd.www / "errors", 0o755, ALICE)
    put(folder / ".htaccess", harness(kind) + "".join(
        f'ErrorDocument {n} "{exec_(httpd)}"\n' for n in (403, 404, 405, 500))
        + "<Files no.txt>\nRequire all denied\n</Files>\n", 0o644, ALICE)
    bobs = put(httpd.folder / "home/bob/www/bobs.txt", "bob's", 0o600, BOB)
    (folder / "link.txt").unlink(missing_ok=True)
    (folder / "link.txt").symlink_to(bobs)
    put(folder / "x.txt", "text", 0o644, ALICE)
    put_folder(folder / "closed", 0o700, BOB)  # to alice's host, too
    put(folder / "fails.cgi", "#!/bin/sh\n", 0o755, ALICE)
    put(folder / "page.html", exec_(httpd), 0o644, ALICE)
    for host, here in zip(("alice", "owner", "plain"), says):
        answer, ran = ask(httpd, f"/errors/{path}", host, here, method)
        assert answer.status == status
        open_ = (host == "plain" and "PROTOCOL" in HARNESSES[kind]
                 and error not in NO_HANDLER)
        assert bool(ran) == open_, (host, ran)
        assert all(who.is_server() for who in ran)
        if not open_ and error != "closed":  # too early for its .htaccess
            assert answer.text == exec_(httpd)
        answer, ran = ask(httpd, "/errors/page.html", host)
        assert answer.status == 200 and len(ran) == 1, (host, answer.text)
        assert ran[0].is_server() if host == "plain" else ran[0].is_(ALICE)


# ---- an internal redirect into another tenant's folder

# What alice's .htaccess says; what is asked for, and the status; why bob's
# script is refused, or None: nothing has run as alice, so it is a new request.
REDIRECTS = {
    "rewrite": ("RewriteEngine On\nRewriteRule ^go$ /TENANT/echo.cgi\n", "go",
                200, None),
    "error": ("ErrorDocument 404 /TENANT/echo.cgi\n", "no", 404, "PS0108"),
    "early-error": ("ErrorDocument 404 /TENANT/echo.cgi\nRewriteEngine On\n"
                    "RewriteRule ^gone$ - [R=404]\n", "gone", 404, None),
    "fallback": ("FallbackResource /TENANT/echo.cgi\n", "no", 200, "PS0109"),
}


@pytest.mark.parametrize("kind", HARNESSES)
@pytest.mark.parametrize("redirect", REDIRECTS)
def test_redirect(httpd, redirect, kind):
    """Tried: alice's filter on a request that goes on in bob's folder, so
    that a visitor's words in bob's answer run as bob. Might work as httpd
    takes filters along. Bob's answer must arrive as bob gives it; so must
    alice's own, redirected."""
    lines, path, status, why = REDIRECTS[redirect]
    for tenant in (ALICE, BOB):
        put(httpd.folder / "home" / tenant.name / "www/echo.cgi", "#!/bin/sh\n"
            "echo Content-Type: text/html\necho\n"
            'printf "%s said: %s\\n" $(id -u) "$HTTP_X"\n'
            "cat /proc/self/status\n", 0o755, tenant)
    folder = put_folder(httpd.www / "redirect", 0o755, ALICE)
    words = exec_(httpd)

    for tenant in (BOB, ALICE):
        two = tenant is BOB and why
        put(folder / ".htaccess", harness(kind)
            + lines.replace("TENANT", tenant.name), 0o644, ALICE)
        answer, ran = ask(httpd, f"/alice/redirect/{path}", "users",
                          [two] if two else [], X=words)
        assert answer.status == (403 if two == "PS0109" else status)
        assert not ran, ran
        if two:  # a handler has run as alice, or her .htaccess still counts
            assert "said" not in answer.text
        else:
            assert answer.who.is_(tenant), answer.text
            assert answer.text.startswith(f"{tenant.uid} said: {words}\n")


# ---- handlers that hand the request to another process

PROXIES = {
    "handler": 'SetHandler "proxy:http://127.0.0.1:PORT"\n',
    "rewrite": "RewriteEngine On\n"
               "RewriteRule (.*) http://127.0.0.1:PORT/$1 [P]\n",
}
FILTERS = {"set": "SetOutputFilter INCLUDES\nOptions +Includes\n",
           "harness": harness("protocol")}


@pytest.mark.parametrize("filters", FILTERS)
@pytest.mark.parametrize("proxy", PROXIES)
def test_proxied(httpd, proxy, filters):
    """Tried: a page from a tenant's own server, through mod_include. Might
    work as what is proxied is never covered, so runs in the server's thread.
    The page must arrive as it is; where the other server is down, the text
    of the error page must not run either."""
    words = f"{exec_(httpd)}<!--#echo var='X' -->"
    put(httpd.folder / "origin/page.html", words)
    folder = put_folder(httpd.www / "proxied", 0o755, ALICE)
    put(folder / "x.txt", "text", 0o644, ALICE)
    for port, status, says in ((httpd.port, 200, ()),
                               (free_port(), 503, ("AH00957", "AH01114"))):
        put(folder / ".htaccess", FILTERS[filters]
            + PROXIES[proxy].replace("PORT", str(port))
            + f'ErrorDocument 503 "{words}"\n', 0o644, ALICE)
        for host in ("alice", "owner", "plain"):
            answer, ran = ask(httpd, "/proxied/x.txt", host, says)
            assert answer.status == status
            # The command itself would only run in a folder "proxy:http:".
            parsed = host == "plain" and (status, filters) != (503, "set")
            assert answer.text == ("(none)" if parsed else words)
            assert not ran, (host, ran)


# ---- root's folders that others may write

WRITABLE = {"group": (Tenant(0, ALICE.gid), 0o2775), "sticky": (ROOT, 0o1777),
            "open": (ROOT, 0o777)}


def put_pool(httpd, name):
    owner, mode = WRITABLE.get(name, (ROOT, 0o755))
    folder = put_folder(httpd.folder / "pool" / name)
    os.chown(folder, owner.uid, owner.gid)
    folder.chmod(mode)
    return folder


@pytest.mark.parametrize("kind", ("protocol", "disguised"))
@pytest.mark.parametrize("name", WRITABLE)
def test_htaccess_in_roots_folder(httpd, name, kind):
    """Tried: a folder of root's with a .htaccess of alice's, who may write
    there: a command in the listing's head, or in a page of root's. Might
    work as root's folders and files are left to the server. Must be refused;
    where root alone writes, the listing and the page are served."""
    lines = harness(kind) + "Options +Indexes\nIndexOptions +HTMLTable\n"
    for folder in (put_pool(httpd, "closed"), put_pool(httpd, name)):
        put(folder / "page.html", f"page {exec_(httpd)}", 0o644, ROOT)
        (folder / ".htaccess").unlink(missing_ok=True)
    as_alice(folder / ".htaccess",
             f'{lines}IndexHeadInsert "{exec_(httpd)}"\n')
    for path in ("", "page.html"):
        answer, ran = ask(httpd, f"/{name}/{path}", "pool", ["PS0101"])
        assert answer.status == 403 and not ran, ran
        answer, ran = ask(httpd, f"/{name}/{path}", "pool-plain")
        assert answer.status == 200
        assert ran and all(who.is_server() for who in ran)
        answer, ran = ask(httpd, f"/closed/{path}", "pool")
        assert answer.status == 200 and answer.served_by.is_server()
        assert "page" in answer.text and not ran


@pytest.mark.parametrize("file", ("x.html", "x.txt"))
def test_roots_file_in_group_folder(httpd, file):
    """Tried: a file of root's in a folder that alice's group may write,
    swapped for a link to a file of the server's. Might work as the server
    reads root's files. Refused before and after; alice's script beside it
    runs as alice, and root's file elsewhere is served."""
    secret = put(httpd.folder / "secret", "SECRET", 0o640,
                 Tenant(0, server_ids().gid))
    folder = put_pool(httpd, "group")
    (folder / ".htaccess").unlink(missing_ok=True)
    (folder / file).unlink(missing_ok=True)
    put(folder / file, "text of root", 0o644, Tenant(0, ALICE.gid))
    put(folder / "whoami.cgi", WHOAMI_CGI, 0o755, ALICE)
    put(put_pool(httpd, "closed") / file, "text of root", 0o644, ROOT)
    for _ in ("before", "after"):
        answer, _ = ask(httpd, f"/group/{file}", "pool", ["PS0104"])
        assert answer.status == 403 and "text of" not in answer.text
        (folder / file).unlink()
        (folder / file).symlink_to(secret)
        os.lchown(folder / file, ALICE.uid, ALICE.gid)
    assert ask(httpd, f"/group/{file}", "pool-plain")[0].text == "SECRET"
    assert ask(httpd, "/group/whoami.cgi", "pool")[0].who.is_(ALICE)
    answer, _ = ask(httpd, f"/closed/{file}", "pool")
    assert answer.text == "text of root" and answer.served_by.is_server()


SWAPPER = """import ctypes, sys
a, b = (p.encode() for p in sys.argv[1:])
while True:
    ctypes.CDLL(None).renameat2(-100, a, -100, b, 2)
"""


@pytest.mark.parametrize("name", ("group", "sticky"))
def test_swapped_while_asked(start, folder, name):
    """Tried: the same two, and a script that comes and goes, exchanged
    without end while they are asked for, where no .htaccess counts. Might
    work between a look and the next. Never the secret, never a script but
    as its owner, nor a crash."""
    owner, mode = WRITABLE[name]
    pool = put_folder(folder / "pool" / name)
    put(folder / "secret", "SECRET", 0o640, Tenant(0, server_ids().gid))
    put(pool / "x.html", "text of root", 0o644,
        ALICE if name == "sticky" else Tenant(0, ALICE.gid))
    (pool / "l").symlink_to(folder / "secret")
    os.lchown(pool / "l", ALICE.uid, ALICE.gid)
    put(pool / "y", WHOAMI_CGI, 0o755, ALICE)
    put(pool / "x.cgi", "", 0o644, ALICE)
    os.chown(pool, owner.uid, owner.gid)
    pool.chmod(mode)
    httpd = start("event", "LogLevel crit\n" + vhost(
        "pool", folder / "pool", "PSExAll On").replace(
        "AllowOverride All", "AllowOverride None"), modules=["cgi"])
    swappers = [subprocess.Popen(
        [sys.executable, "-c", SWAPPER, str(pool / a), str(pool / b)],
        user=ALICE.uid, group=ALICE.gid, extra_groups=[])
        for a, b in (("x.html", "l"), ("x.cgi", "y"))]
    ran, end, connection = [], time.monotonic() + 2, httpd.connection()
    try:
        while time.monotonic() < end:
            answer = httpd.get(f"/{name}/x.html", "pool",
                               connection=connection)
            assert "SECRET" not in answer.text
            answer = httpd.get(f"/{name}/x.cgi", "pool",
                               connection=connection)
            if "Uid:" in answer.text:
                ran.append(answer.who)
    finally:
        for swapper in swappers:
            swapper.kill()
            swapper.wait()
    assert ran and all(who.is_(ALICE) for who in ran), ran


STICKY_PAGES = {
    "ssi": (harness("protocol") + "AddType text/html .txt\n", "page.txt",
            "page of bob: WORDS"),
    "php": ("php_value auto_prepend_file HOME/evil.php\n", "page.php",
            "<?php echo 'page of bob: ', posix_getuid();"),
}


@pytest.mark.parametrize("httpd, name", [
    *((mpm, "ssi") for mpm in MPMS), ("prefork", "php")], indirect=["httpd"])
def test_strangers_htaccess_above(httpd, name):
    """Tried: a .htaccess of alice's in a sticky folder, above bob's. Might
    work as the path rule trusts sticky folders, in which nobody takes away
    another's entries: but anybody adds. Refused; without the .htaccess bob's
    page is bob's."""
    lines, page, text = STICKY_PAGES[name]
    home = httpd.folder / "home/alice"
    put(home / "evil.php", f"<?php system('{command(httpd)}');")
    folder = put_pool(httpd, "sticky")
    put(put_folder(folder / "bob", 0o755, BOB) / page,
        text.replace("WORDS", exec_(httpd)), 0o644, BOB)
    htaccess = folder / ".htaccess"
    htaccess.unlink(missing_ok=True)
    as_alice(htaccess, lines.replace("HOME", str(home)))
    answer, ran = ask(httpd, f"/sticky/bob/{page}", "pool", ["PS0109"])
    assert answer.status == 403 and not ran, ran
    assert "page of bob" not in answer.text
    # As the index of a folder of root's, too.
    front = put_folder(httpd.folder / "pool/front")
    put(front / ".htaccess", f"DirectoryIndex /sticky/bob/{page}\n")
    answer, ran = ask(httpd, "/front/", "pool", ["PS0109"])
    assert answer.status == 403 and not ran, ran
    answer, ran = ask(httpd, f"/sticky/bob/{page}", "pool-plain")
    assert ran and all(who.is_server() for who in ran)
    htaccess.unlink()
    for url in (f"/sticky/bob/{page}", "/front/"):
        answer, ran = ask(httpd, url, "pool")
        assert answer.status == 200 and not ran
        assert answer.served_by.is_(BOB) and "page of bob" in answer.text


@pytest.mark.parametrize("httpd", ["prefork"], indirect=True)
def test_xbithack(httpd):
    """Tried: PHP in a file whose extension PSIgnoreExtensions leaves to the
    server: "xbithack" makes mod_php take all of type text/html. Must run as
    the tenant; a plain file of that extension is served by the server."""
    folder = put_folder(httpd.www / "bit", 0o755, ALICE)
    put(folder / "x.css", WHOAMI_PHP, 0o755, ALICE)
    for host in ("alice-css", "owner-css", "plain"):
        put(folder / ".htaccess", "", 0o644, ALICE)
        answer = httpd.get("/bit/x.css", host)
        assert answer.status == 200 and answer.served_by.is_server()
        assert answer.text == WHOAMI_PHP
        put(folder / ".htaccess", "AddType text/html .css\n"
            "php_flag xbithack on\nphp_flag engine on\n", 0o644, ALICE)
        answer = httpd.get("/bit/x.css", host)
        assert answer.status == 200
        who = answer.who
        assert who.is_server() if host == "plain" else who.is_(ALICE), who
