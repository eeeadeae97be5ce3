"""PSUserGroup docroot: the owner of a request's document root, for hosts that
the configuration never names. (Who is refused: test_docroot_refused.py.)"""
import itertools
import os
import socket

import pytest

import http2
from harness import (ALICE, BOB, CAROL, TENANTS, WHOAMI_CGI, Tenant, Who,
                     put, put_folder, server_ids, shared)
from test_denials import MPMS, place, ran_as, refused

ROOT = Tenant(0, 0)
FOREIGN = "#!/bin/sh\necho Content-Type: text/plain\necho\n" \
          'echo "root=$DOCUMENT_ROOT"\ncat /proc/self/status\n'
# Each tenant's; TENANT in a text is the tenant's name.
FILES = {
    "env.cgi": (FOREIGN, 0o700),
    "closed.txt": ("closed of TENANT\n", 0o600),
    ".htaccess": ("ErrorDocument 404 /whoami.cgi\n", 0o600),
    "index/index.txt": ("index of TENANT\n", 0o600),
    "index-cgi/index.cgi": (WHOAMI_CGI, 0o700),
    "rules/.htaccess": ("RewriteEngine On\n"
                        "RewriteCond %{REQUEST_FILENAME} !-f\n"
                        "RewriteRule ^ /whoami.cgi [L]\n", 0o600),
    "rules/there.txt": ("there\n", 0o600),
    "hop.cgi": ("#!/bin/sh\nprintf 'Location: /whoami.cgi\\n\\n'\n", 0o700),
    "hop-file.cgi": ("#!/bin/sh\nprintf 'Location: /file.txt\\n\\n'\n", 0o700),
    "server/whoami.cgi": (WHOAMI_CGI, 0o755),
    "server/file.txt": ("file of TENANT\n", 0o644),
    "server/closed.txt": ("closed of TENANT\n", 0o600),
}


def block(name, root, extra="", alias=""):
    return f"""<VirtualHost *>
    ServerName {name}
    ServerAlias {alias or name}
    VirtualDocumentRoot {root}
    PSUserGroup docroot
    {extra}
</VirtualHost>
"""


def config(folder):
    for tenant in TENANTS:
        www = folder / "home" / tenant.name / "www"
        for name, (text, mode) in FILES.items():
            path = put(www / name, text.replace("TENANT", tenant.name), mode,
                       tenant)
            os.chown(path.parent, tenant.uid, tenant.gid)
        www.chmod(0o700)
        open_folder = put_folder(www.parent / "open", owner=tenant)
        put(open_folder / "open.txt", "text\n", 0o644, tenant)
        put(open_folder / "closed.txt", "text\n", 0o600, tenant)
        put(open_folder / "x.cgi", WHOAMI_CGI, 0o755, tenant)
        put(www.parent / "cgi-bin/who", WHOAMI_CGI, 0o700, tenant)
        os.chown(www.parent / "cgi-bin", tenant.uid, tenant.gid)
    put(folder / "icons/icon.txt", "icon\n")
    put(folder / "icons/closed.txt", "icon\n", 0o640,
        Tenant(0, server_ids().gid))
    # What "..", "." and the like would lead to.
    for trap in ("www", "home/www", "home/_/www"):
        place(folder / trap, "txt", CAROL, "file")
        os.chown(folder / trap, CAROL.uid, CAROL.gid)
    place(put_folder(folder / "pool/alice", owner=ALICE) / "www", "cgi", ALICE)
    os.chown(folder / "pool/alice/www", ALICE.uid, ALICE.gid)
    home = folder / "home"
    rules = f"""Alias /icons {folder}/icons
    Alias /bobs {home}/bob/open
    VirtualScriptAlias {home}/%1/cgi-bin
    RewriteEngine On
    RewriteRule ^/rewritten$ /whoami.cgi [PT]
    RewriteCond {home}/bob/www/closed.txt -f
    RewriteRule ^/bobs-eyes$ /file.txt [PT]
    RewriteCond {home}/alice/www/closed.txt -f
    RewriteRule ^/alices-eyes$ /file.txt [PT]
    <Location /server>
        PSExAll Off
    </Location>
"""
    static = "".join(f"""<VirtualHost *>
    ServerName static-{t.name}.test
    DocumentRoot {home}/{t.name}/www
    PSUserGroup docroot
</VirtualHost>
""" for t in TENANTS)
    return f"""AddHandler lua-script .lua
AddHandler application/x-httpd-php .php
DirectoryIndex index.txt index.cgi
HttpProtocolOptions Unsafe
<Directory {folder}>
    Require all granted
    Options +ExecCGI +FollowSymLinks +Indexes
    AllowOverride All
</Directory>
{block("first.invalid", home / "%0/www")}
{static}
{block("pool.invalid", folder / "pool/%1/www", alias="*.pool.test")}
{block("loose.invalid", folder / "pool/%1/www", "PSTrustedPath Off",
       "*.loose.test")}
{block("min.invalid", home / "%1/www", "PSMinUidGid 30002 30002",
       "*.min.test")}
{block("tenants.invalid", home / "%1/www", rules, "*.test")}
"""


@pytest.fixture(scope="module", params=MPMS)
def site(request):
    php = ["php"] if request.param == "prefork" else []
    with shared(request.param, config, request.config.getoption("--keep"),
                modules=["cgi", "lua", "vhost_alias", "rewrite", "autoindex",
                         *php], expect=["PS0503", "PS0504"]) as httpd:
        httpd.pool = httpd.folder / "pool"
        httpd.kinds = ["cgi", "lua", *php]
        yield httpd


def as_file(answer, tenant, text):
    """A file, served in place as the tenant."""
    assert (answer.status, answer.text) == (200, text), answer
    assert answer.served_by.is_in_place(tenant), answer


def as_script(answer, tenant, status=200):
    assert answer.status == status, answer
    assert answer.who.is_(tenant), answer


# ---- who it is

@pytest.mark.parametrize("prefix", ("", "static-"))
def test_tenant(site, prefix):
    """File, CGI, Lua and PHP of hosts that are not named, as who owns their
    document root, 0700; so too with a DocumentRoot."""
    with site.expecting():
        for tenant in TENANTS:
            host, name = prefix + tenant.name, tenant.name
            as_file(site.get("/file.txt", host), tenant, f"file of {name}\n")
            as_file(site.get("/closed.txt", host), tenant,
                    f"closed of {name}\n")
            for kind in site.kinds:
                as_script(site.get(f"/whoami.{kind}", host), tenant)
            as_file(site.get("/index/", host), tenant, f"index of {name}\n")
            answer = site.get("/env.cgi", host)
            as_script(answer, tenant)
            assert answer.text.startswith(
                f"root={site.folder}/home/{name}/www\n"), answer


def test_led_elsewhere(site):
    """DirectoryIndex, a closed .htaccess's ErrorDocument and rules, a script's
    Location, and VirtualScriptAlias stay the tenant's."""
    with site.expecting():
        for tenant in TENANTS:
            as_script(site.get("/none", tenant.name), tenant, 404)
            for url in ("/index-cgi/", "/hop.cgi", "/rules/none",
                        "/rewritten", "/cgi-bin/who"):
                as_script(site.get(url, tenant.name), tenant)
            for url, text in (("/hop-file.cgi", f"file of {tenant.name}\n"),
                              ("/rules/there.txt", "there\n")):
                answer = site.get(url, tenant.name)
                assert answer.served_by.is_(tenant), answer
                assert answer.text == text


def test_rewrite_sees_as_tenant(site):
    """RewriteCond -f of the server's configuration finds a closed file where
    the tenant can, and only there."""
    with site.expecting():
        for url, tenant in (("/alices-eyes", ALICE), ("/bobs-eyes", BOB)):
            for asked in (ALICE, BOB):
                answer = site.get(url, asked.name)
                if asked is tenant:
                    as_file(answer, tenant, f"file of {tenant.name}\n")
                else:
                    as_script(answer, asked, 404)


def test_alias(site):
    """An alias changes what is served, not whose request it is."""
    with site.expecting("AH00132"):
        for tenant in TENANTS:
            as_file(site.get("/icons/icon.txt", tenant.name), tenant, "icon\n")
            as_file(site.get("/bobs/open.txt", tenant.name), tenant, "text\n")
            as_script(site.get("/bobs/x.cgi", tenant.name), tenant)
            refused(site.get("/icons/closed.txt", tenant.name))
            answer = site.get("/bobs/closed.txt", tenant.name)
            if tenant is BOB:
                as_file(answer, BOB, "text\n")
            else:
                refused(answer)


def test_not_covered(site):
    """PSExAll Off in a <Location> is the server's identity, which does not
    reach what is closed; beside it the tenant's."""
    server = server_ids()
    www = site.folder / "home/alice/www"
    www.chmod(0o755)
    put(www / ".htaccess", mode=0o644)
    with site.expecting("AH00132"):
        connection = site.connection()
        for _ in range(2):
            answer = site.get("/server/whoami.cgi", connection=connection)
            assert answer.who.is_server() and server.uid != ALICE.uid, answer
            answer = site.get("/server/file.txt", connection=connection)
            assert answer.served_by.is_server() and answer.status == 200
            refused(site.get("/server/closed.txt", connection=connection))
            as_file(site.get("/closed.txt", connection=connection), ALICE,
                    "closed of alice\n")
    text, mode = FILES[".htaccess"]
    put(www / ".htaccess", text, mode, ALICE)
    www.chmod(0o700)


def test_keep_alive(site):
    """Three hosts on one connection, in every order: each request its own."""
    with site.expecting():
        for order in itertools.permutations(TENANTS):
            connection = site.connection()
            for tenant in (*order, order[0]):
                get = lambda url: site.get(  # noqa: E731
                    url, tenant.name, connection=connection)
                as_file(get("/closed.txt"), tenant,
                        f"closed of {tenant.name}\n")
                as_script(get("/whoami.cgi"), tenant)
                as_file(get("/index/"), tenant, f"index of {tenant.name}\n")
            connection.close()


def test_pipelined(site):
    """Requests sent at once, before any is answered, each are their own."""
    asked = [(t, url) for _ in range(3) for t in TENANTS
             for url in ("/closed.txt", "/env.cgi")]
    with site.expecting(), socket.create_connection(
            ("127.0.0.1", site.port), 30) as s:
        s.sendall("".join(
            f"GET {url} HTTP/1.1\r\nHost: {t.name}.test\r\n\r\n"
            for t, url in asked).encode())
        s.shutdown(socket.SHUT_WR)
        text = b"".join(iter(lambda: s.recv(65536), b"")).decode()
    answers = text.split("HTTP/1.1 ")[1:]
    assert len(answers) == len(asked)
    for (tenant, url), answer in zip(asked, answers):
        assert answer.startswith("200 ")
        said = f"closed of {tenant.name}\n" if url == "/closed.txt" else \
            f"Uid:\t{tenant.uid}\t{tenant.uid}\t{tenant.uid}\t{tenant.uid}\n"
        assert said in answer, (tenant, url, answer)


@pytest.mark.parametrize("mpm", MPMS)
def test_http2(start, folder, mpm):
    """Streams of one connection, to hosts of three tenants at once."""
    text = block("tenants.invalid", folder / "home/%1/www", "Protocols h2c",
                 "*.test")
    httpd = start(mpm, f"""Protocols h2c
<Directory {folder}/home>
    Require all granted
    Options +ExecCGI
</Directory>
{text}""", modules=["cgi", "http2", "vhost_alias"])
    httpd.tolerate.append("AH10034")
    asked = [(t.name, url) for _ in range(8) for t in TENANTS
             for url in ("/closed.txt", "/whoami.cgi", "/file.txt")]
    for tenant in TENANTS:
        put(folder / "home" / tenant.name / "www/closed.txt",
            f"closed of {tenant.name}\n", 0o600, tenant)
        (folder / "home" / tenant.name / "www").chmod(0o700)
    by_name = {t.name: t for t in TENANTS}
    for stream, (name, url) in zip(http2.ask(httpd.port, asked), asked):
        if url == "/whoami.cgi":
            assert Who(stream.text).is_(by_name[name]), stream.text
        else:
            assert stream.text == f"{url[1:-4]} of {name}\n", (name, url)


def test_chown_takes_effect(site):
    """The next request, on the same connection too, is the new owner's."""
    www = put_folder(site.pool / "chown/www", owner=ALICE)
    put(www / "x.txt", "text\n")
    put(www / "x.cgi", WHOAMI_CGI, 0o755)
    connection = site.connection()
    with site.expecting("PS0101"):
        for owner in (ALICE, BOB, ROOT, Tenant(BOB.uid, CAROL.gid), ALICE):
            os.chown(www, owner.uid, owner.gid)
            for kind in ("txt", "cgi"):
                answer = site.get(f"/x.{kind}", "chown.pool",
                                  connection=connection)
                if owner is ROOT:
                    refused(answer)
                else:
                    ran_as(answer, owner, kind)


@pytest.mark.parametrize("mpm", MPMS)
def test_inherited(start, folder, mpm):
    """PSUserGroup docroot of the main server holds for its hosts' own roots,
    unless they say otherwise."""
    hosts = "".join(f"""<VirtualHost *>
    ServerName {name}.test
    DocumentRoot {folder}/home/{root.name}/www
    {extra}
</VirtualHost>
""" for name, root, extra in (
        ("alice", ALICE, ""), ("bob", BOB, ""),
        ("off", ALICE, "PSExAll Off"), ("owner", ALICE, "PSUserGroup owner"),
        ("pinned", ALICE, f"PSUserGroup {CAROL.ids}")))
    put(folder / "home/alice/www/bobs.cgi", WHOAMI_CGI, 0o755, BOB)
    httpd = start(mpm, f"""PSUserGroup docroot
<Directory {folder}/home>
    Require all granted
    Options +ExecCGI
</Directory>
{hosts}""", modules=["cgi"], expect=["PS0104"])
    for host, tenant in (("alice", ALICE), ("bob", BOB), ("pinned", CAROL),
                         ("owner", ALICE)):
        as_script(httpd.get("/whoami.cgi", host), tenant)
    assert httpd.get("/whoami.cgi", "off").who.is_server()
    as_script(httpd.get("/bobs.cgi", "alice"), ALICE)
    refused(httpd.get("/bobs.cgi", "owner"))
