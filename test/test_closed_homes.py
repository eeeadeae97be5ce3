"""Homes that are closed to everybody else. On a pinned host the whole request
reaches files as its tenant, from the .htaccess on; and the kernel opens
nothing for it that is not the tenant's to read."""
import base64
import contextlib
import hashlib
import os
import pathlib
import shutil
import subprocess

import pytest

from harness import (ALICE, BOB, CAROL, WHOAMI_CGI, Httpd, Tenant, Who,
                     new_folder, put, put_folder, server_ids, shared, vhost,
                     with_file_at)
from proc import read
from test_denials import MPMS, refused

SHA = base64.b64encode(hashlib.sha1(b"right").digest()).decode()
PASSWORDS = f"joe:{{SHA}}{SHA}\n"
AUTH = "AuthType Basic\nAuthName x\nRequire valid-user\nAuthUserFile "
PINNED = f"PSUserGroup {ALICE.ids}\n"


def basic(password):
    text = base64.b64encode(f"joe:{password}".encode())
    return {"Authorization": f"Basic {text.decode()}"}


def in_place(answer, tenant, text):
    """A file's text, read by httpd's thread as the tenant and nobody else."""
    assert answer.status == 200, answer
    assert answer.text == text, answer
    assert answer.served_by.is_in_place(tenant), answer


def in_thread(answer, tenant):
    """A script's report, from a thread that was the tenant altogether."""
    assert answer.status == 200, answer
    assert Who(answer.headers["x-who"]).is_(tenant), answer
    assert answer.who.is_(tenant), answer


def in_process(answer, tenant):
    """A CGI program's report, who was the tenant altogether; the server's
    handlers, in whatever thread, had no part in it."""
    assert answer.status == 200, answer
    assert "x-who" not in answer.headers, answer
    assert answer.who.is_(tenant), answer


# ---- what is read, from the .htaccess on

# name: (URL, and how a script there runs; whether httpd reads the closed file
# before any handler; what the server is answered with, and its log)
ROWS = {
    "file": ("/file.txt", None, False, 403, ("AH00132",)),
    "index": ("/", None, False, 403, ("AH00132",)),
    "cgi": ("/whoami.cgi", in_process, False, 500,
            ("AH01215", "End of script output")),
    "lua": ("/whoami.lua", in_thread, False, 500, ("AH01482",)),
    "php": ("/whoami.php", in_thread, False, 500,
            ("PHP Warning", "PHP Fatal")),
    "htaccess": ("/ht/x.txt", None, True, 403, ("AH00529",)),
    "htaccess-handler": ("/ht/x.made", in_process, True, 403, ("AH00529",)),
    "auth": ("/auth/x.txt", None, True, 500, ("AH01620",)),
}


def fill(folder, tenant, mode):
    """A home with a site in it of which every file is closed, and the site's
    folder, too, or not."""
    home = folder / "home" / tenant.name
    www = put_folder(home / "www", mode, tenant)
    text = f"file of {tenant.name}\n"
    for name in ("auth", "ht"):
        put_folder(www / name, owner=tenant)
    for name in ("file.txt", "index.html", "auth/x.txt", "ht/x.txt"):
        put(www / name, text, 0o600, tenant)
    for name in ("whoami.php", "whoami.lua"):
        (www / name).chmod(0o600)
    (www / "whoami.cgi").chmod(0o700)
    put(www / "ht/x.made", WHOAMI_CGI, 0o700, tenant)
    put(www / "ht/.htaccess", "Header always set X-Mine yes\nRedirect "
        "/ht/old /new\nAddHandler cgi-script .made\n", 0o600, tenant)
    put(www / "auth/.htaccess", f"{AUTH}{www}/auth/.passwords\n", 0o644,
        tenant)
    put(www / "auth/.passwords", PASSWORDS, 0o600, tenant)
    return www


def config(folder):
    """Two sites of which one's folder is closed, too; each pinned, in owner
    mode, and not covered; "none-": where no .htaccess is looked for. Then
    hosts on a third, for the symlinks, as "links" says."""
    text = ("AddHandler lua-script .lua\n"
            "AddHandler application/x-httpd-php .php\n")
    for tenant, mode in ((ALICE, 0o700), (CAROL, 0o755)):
        www = fill(folder, tenant, mode)
        none = f"<Directory {www}>\nAllowOverride None\n</Directory>\n"
        for name, extra in (("pinned", f"PSUserGroup {tenant.ids}\n"),
                            ("owner", "PSExAll On\n"), ("plain", "")):
            text += vhost(f"{tenant.name}-{name}", www, extra)
            text += vhost(f"{tenant.name}-none-{name}", www, extra + none)
    links = put_folder(folder / "links", owner=ALICE)
    match = (f"<Directory {links}>\nOptions -FollowSymLinks "
             "+SymLinksIfOwnerMatch\n</Directory>\n")
    rewrite = ("RewriteEngine On\nRewriteRule ^/direct/(.*)$ "
               f"{folder}/secrets/$1\n")
    return (f"{text}<Directory {folder}/secrets>\nRequire all granted\n"
            "</Directory>\n" + vhost("pinned", links, PINNED + rewrite)
            + vhost("pinned-match", links, PINNED + match)
            + vhost("plain", links, rewrite)
            + vhost("plain-match", links, match))


@pytest.fixture(scope="module", params=MPMS)
def site(request):
    php = ["php"] if request.param == "prefork" else []
    with shared(request.param, config, request.config.getoption("--keep"),
                modules=["cgi", "lua", "autoindex", "headers", "rewrite",
                         "auth_basic", "authn_core", "authn_file",
                         "authz_user", *php], expect=["PS0503"]) as httpd:
        yield httpd


def served(answer, tenant, ran):
    if ran:
        ran(answer, tenant)
    else:
        in_place(answer, tenant, f"file of {tenant.name}\n")


@pytest.mark.parametrize("name", ROWS)
def test_closed(site, name):
    """What only the tenant can read is served on the pinned host. Elsewhere
    httpd cannot look; in owner mode it can, where nothing is in the way."""
    url, ran, early, status, log = ROWS[name]
    if name == "php" and site.mpm != "prefork":
        return
    how = {"headers": basic("right")}
    for tenant in (ALICE, CAROL):
        with site.expecting():
            answer = site.get(url, f"{tenant.name}-pinned", **how)
        served(answer, tenant, ran)
        assert ("x-mine" in answer.headers) == url.startswith("/ht/")
    for host, said in (("", "AH00529"), ("none-", "AH00035")):
        for mode in ("plain", "owner"):
            with site.expecting(said) as lines:
                refused(site.get(url, f"alice-{host}{mode}", **how))
            assert "home/alice/www" in lines[0]
    with site.expecting(*log):
        assert site.get(url, "carol-plain", **how).status == status
    with site.expecting(*(log if early else ())):
        answer = site.get(url, "carol-owner", **how)
    assert answer.status == (status if early else 200)
    if not early:
        served(answer, CAROL, ran)


def test_closed_htaccess_and_passwords(site):
    """A redirect from the closed .htaccess; the closed list of passwords lets
    in who knows one, and no other."""
    for tenant in (ALICE, CAROL):
        host = f"{tenant.name}-pinned"
        with site.expecting():
            answer = site.get("/ht/old", host)
            assert answer.status == 302
            assert answer.headers["location"].endswith("/new")
            assert site.get("/auth/x.txt", host).status == 401
        with site.expecting("AH01617"):
            answer = site.get("/auth/x.txt", host, headers=basic("wrong"))
        assert answer.status == 401
        with site.expecting("AH00529"):
            assert site.get("/ht/old", f"{tenant.name}-owner").status == 403


# ---- what a tenant points at

# Whose file it is, and whether the tenant, and the server, may read it.
TARGETS = {
    "own": (lambda server: ALICE, 0o600, True, False),
    "neighbours": (lambda server: BOB, 0o600, False, False),
    "groups": (lambda server: Tenant(0, server.gid), 0o640, False, True),
    "servers": (lambda server: server, 0o600, False, True),
}


def point(link, target, owner):
    """A symlink of `owner`'s, wherever it pointed before."""
    link.unlink(missing_ok=True)
    link.symlink_to(target)
    os.lchown(link, owner.uid, owner.gid)


@pytest.mark.parametrize("name", TARGETS)
def test_symlink(site, name):
    """Through a symlink, by a .htaccess's rewriting, or the server's: read as
    the tenant, never as the server, which may where nothing is covered."""
    links = site.folder / "links"
    whose, mode, allowed, servers = TARGETS[name]
    owner = whose(server_ids())
    secret = put(site.folder / f"secrets/{name}.txt", "secret\n", mode, owner)
    point(links / f"{name}.txt", secret, ALICE)
    point(links / f"{name}-own.txt", secret, owner)
    folder = put_folder(links / "rewrite", owner=ALICE)
    put(folder / ".htaccess", "RewriteEngine On\nRewriteRule ^(.*)$ /$1.txt\n",
        0o644, ALICE)
    for url, host in ((f"/{name}.txt", ""), (f"/rewrite/{name}", ""),
                      (f"/direct/{name}.txt", ""),
                      (f"/{name}-own.txt", "-match")):
        with site.expecting(*(() if allowed else ("AH00132",))):
            answer = site.get(url, "pinned" + host)
        assert answer.status == (200 if allowed else 403), answer
        assert (answer.text == "secret\n") == allowed, answer
        assert answer.served_by.is_in_place(ALICE), answer
        with site.expecting(*(() if servers else ("AH00132",))):
            answer = site.get(url, "plain" + host)
        assert (answer.text == "secret\n") == servers, answer
        assert answer.served_by.is_server(), answer
    with site.expecting(*(() if allowed else ("AH00037",))):
        answer = site.get(f"/{name}.txt", "pinned-match")
    assert answer.status == (200 if allowed else 403)


# name: (the secret, the .htaccess that uses it, the name of the symlink to it;
# what is asked for; the answer where it cannot be read, and the log)
USES = {
    "htaccess": ("ErrorDocument 404 secret\n", None, ".htaccess", "none", 403,
                 "AH00529"),
    "auth": (PASSWORDS, AUTH + "{secret}\nErrorDocument 404 secret", None,
             "none", 500, "AH01620"),
    "error": ("secret\n", "ErrorDocument 404 /{here}/s.txt", "s.txt", "none",
              404, "AH00132"),
    "header": ("secret\n", "HeaderName s.txt", "s.txt", "", 200, None),
    "readme": ("secret\n", "ReadmeName s.txt", "s.txt", "", 200, None),
}


@pytest.mark.parametrize("use", USES)
@pytest.mark.parametrize("name", TARGETS)
def test_what_httpd_reads_on_the_way(site, name, use):
    """A .htaccess that is a symlink, a list of passwords, an error page, a
    listing's header and footer: all are read as the tenant."""
    text, htaccess, link, asked, status, log = USES[use]
    whose, mode, allowed, servers = TARGETS[name]
    owner = whose(server_ids())
    here = put_folder(site.folder / "links" / f"{use}-{name}", owner=ALICE)
    secret = put(site.folder / f"secrets/{use}-{name}", text, mode, owner)
    if htaccess:
        put(here / ".htaccess", htaccess.format(secret=secret, here=here.name),
            0o644, ALICE)
    if link:
        point(here / link, secret, ALICE)
    for host, opened in (("pinned", allowed), ("plain", servers)):
        with site.expecting(*((log,) if log and not opened else ())):
            answer = site.get(f"/{here.name}/{asked}", host,
                              headers=basic("right"))
        assert ("secret" in answer.text) == opened, answer
        assert answer.status == (status if not opened else
                                 404 if asked else 200), answer


# ---- the user database

ANN = Tenant(30011, 30011, (30011, 30020), "ann")
BEN = Tenant(30012, 30012, (30012,), "ben")
PASSWD = "".join(f"{t.name}:x:{t.uid}:{t.gid}::/:/bin/sh\n"
                 for t in (ANN, BEN))
GROUP = "ann:x:30011:\nben:x:30012:\nextra:x:30020:ann\nservers:x:30021:"


@contextlib.contextmanager
def started_in(httpd, database):
    """The server runs, and sees the files of `database` in /etc."""
    end = httpd.folder / "end"
    command = ["sh", "-c", 'end=$0; "$@" || exit; '
               'while [ ! -e "$end" ]; do sleep 0.05; done', str(end),
               *httpd.command("-k", "start")]
    for file in database:
        command = with_file_at(f"/etc/{file.name}", file, *command)
    with subprocess.Popen(command, stdin=subprocess.DEVNULL) as shell:
        try:
            httpd._wait(lambda: shell.poll() is not None or httpd._listens(),
                        20, "listen")
            assert shell.poll() is None, httpd.log()
            yield
        finally:
            httpd.stop()
            put(end)


@pytest.fixture(scope="module", params=MPMS)
def named(request):
    """A server with hosts of ann's and ben's, in a user database that is its
    own, and in which the server's user has a further group."""
    folder, server = new_folder(), server_ids()
    etc = [put(folder / name, pathlib.Path(f"/etc/{name}").read_text() + text)
           for name, text in (("passwd", PASSWD),
                              ("group", f"{GROUP}{server.name}\n"))]
    pool = put_folder(folder / "pool")
    for name, gid in (("extra", 30020), ("servers", 30021)):
        put(pool / f"{name}.txt", "text\n", 0o640, Tenant(0, gid))
        put(pool / f"{name}.cgi", WHOAMI_CGI, 0o750, Tenant(0, gid))
    httpd = Httpd(folder, request.param, "".join(
        vhost(name, pool, extra) for name, extra in (
            ("ann", "PSUserGroup ann ann"), ("ben", "PSUserGroup ben ben"),
            ("number", f"PSUserGroup {ANN.ids}"), ("plain", ""))),
        modules=["cgi"])
    httpd.etc = etc
    with started_in(httpd, etc):
        yield httpd
    assert not httpd.unexpected_lines(), httpd.unexpected_lines()
    if not request.config.getoption("--keep"):
        shutil.rmtree(folder)


@contextlib.contextmanager
def without_ann(httpd):
    """For the server she is in its user database no more."""
    before = [path.read_text() for path in httpd.etc]
    try:
        for path, text in zip(httpd.etc, before):
            path.write_text("".join(line for line in text.splitlines(True)
                                    if "ann" not in line))
            for pid in (httpd.pid, *httpd.children()):
                now = read(f"/proc/{pid}/root/etc/{path.name}")
                assert "ben" in now and "ann" not in now
        yield
    finally:
        for path, text in zip(httpd.etc, before):
            path.write_text(text)


def no_exec(httpd, name, tenant):
    return (f"PS0111: {httpd.folder}/pool/{name}.cgi: refused: executing it "
            f"failed for uid {tenant.uid}, gid {tenant.gid}")


@pytest.mark.parametrize("there", (True, False), ids=("there", "gone"))
def test_groups_of_a_named_tenant(named, there):
    """What only a group of ann's may read is served to her host, and runs
    there; not on ben's, nor as the server. She keeps ids and groups when the
    user database forgets her."""
    with contextlib.nullcontext() if there else without_ann(named):
        for host in ("ann", "number"):
            with named.expecting():
                in_place(named.get("/extra.txt", host), ANN, "text\n")
                in_process(named.get("/extra.cgi", host), ANN)
        for host in ("ben", "plain"):
            with named.expecting("AH00132"):
                answer = named.get("/extra.txt", host)
            refused(answer)
            assert answer.served_by.is_in_place(BEN) if host == "ben" \
                else answer.served_by.is_server()
        with named.expecting("AH01215", "End of script output"):
            assert named.get("/extra.cgi", "plain").status == 500
        with named.expecting(no_exec(named, "extra", BEN)):
            refused(named.get("/extra.cgi", "ben"))


def test_groups_of_the_server(named):
    """What the server may read by a group of its own is served where nothing
    is covered, and on no tenant's host."""
    with named.expecting():
        answer = named.get("/servers.txt", "plain")
        assert answer.text == "text\n" and answer.served_by.is_server()
        assert "30021" in answer.served_by.fields["Groups"].split()
        assert named.get("/servers.cgi", "plain").who.is_server()
    for host, tenant in (("ann", ANN), ("ben", BEN)):
        with named.expecting("AH00132"):
            answer = named.get("/servers.txt", host)
        refused(answer)
        assert answer.served_by.is_in_place(tenant)
        with named.expecting(no_exec(named, "servers", tenant)):
            refused(named.get("/servers.cgi", host))
