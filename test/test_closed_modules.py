"""httpd's own modules on a pinned host: each finds, reads and sends the files
of a folder that only the tenant can look into; mod_cache stores what is
proxied, and nothing of a tenant's."""
import contextlib
import hashlib
import http.server
import os
import socket
import threading

import pytest

from harness import (ALICE, BOB, WHOAMI_CGI, WHOAMI_PHP, Who, put, put_folder,
                     server_ids, shared, vhost)
from proc import numbers, read, wait_until
from test_closed_homes import in_place, in_process, in_thread
from test_denials import MPMS, refused

TEXT = "0123456789\n"
BIG = b"".join(hashlib.sha512(str(n).encode()).digest()
               for n in range(3 * 1024 * 1024 // 64))
CONFIG = """AddHandler application/x-httpd-php .php
AddHandler type-map .var
AddLanguage de .de
AddLanguage en .en
AddType text/html .shtml
AddOutputFilter INCLUDES .shtml
SendBufferSize 65536
"""
HTACCESS = """Options +MultiViews
DirectoryIndex front.txt
RewriteEngine On
RewriteCond {here}/x.txt -f
RewriteCond {here}/list -d
RewriteRule ^both$ /closed/x.txt
RewriteCond {bobs}/x.txt -f
RewriteRule ^theirs$ /closed/x.txt
"""
REWRITE = """RewriteEngine On
RewriteCond {here}/x.txt -f
RewriteCond {here}/list -d
RewriteRule ^/vhost$ /file.txt
RewriteCond {bobs}/x.txt -f
RewriteRule ^/bobs$ /file.txt
"""
VAR = "".join(f"URI: page.{language}.txt\nContent-Language: {language}\n"
              "Content-Type: text/plain\n\n" for language in ("en", "de"))
SHTML = """<!--#include virtual="x.txt" -->
<!--#exec cmd="cat /proc/self/status" -->
"""
BOBS = '<!--#include virtual="bobs.txt" -->'
SWITCHES = [(a, b) for a in ("On", "Off") for b in ("On", "Off")]


def fill(folder, tenant):
    """A folder that only the tenant can look into, full of what modules want;
    and folders whose missing files another answers for."""
    www = folder / "home" / tenant.name / "www"
    here = put_folder(www / "closed", 0o700, tenant)
    bobs = folder / "home/bob/www/closed"
    for name, text, mode in (
            ("x.txt", TEXT, 0o600), ("front.txt", TEXT, 0o600),
            ("page.de.txt", "deutsch\n", 0o600), ("map.var", VAR, 0o600),
            ("page.en.txt", "english\n", 0o600), ("big.bin", BIG, 0o600),
            ("x.html", TEXT, 0o600), ("run.html", TEXT, 0o700),
            ("x.shtml", SHTML, 0o600), ("bobs.shtml", BOBS, 0o600),
            ("whoami.cgi", WHOAMI_CGI, 0o700),
            ("whoami.php", WHOAMI_PHP, 0o600),
            (".htaccess", HTACCESS.format(here=here, bobs=bobs), 0o600)):
        put(here / name, text, mode, tenant)
    put(put_folder(here / "list", 0o700, tenant) / "listed.txt", TEXT)
    (here / "bobs.txt").symlink_to(folder / "home/bob/private.txt")
    (www / "theirs").symlink_to(bobs)
    (www / "home").symlink_to(folder / "home/bob")  # 0711
    for name in ("x.txt", "whoami.cgi", "whoami.php"):
        put(put_folder(here / f"for-{name}", 0o700, tenant) / ".htaccess",
            f"FallbackResource /closed/{name}\n", 0o600, tenant)
    return www


def config(folder):
    text, bobs = CONFIG, folder / "home/bob/www/closed"
    for tenant in (ALICE, BOB):
        www = fill(folder, tenant)
        rewrite = REWRITE.format(here=www / "closed", bobs=bobs)
        text += vhost(tenant.name, www, f"PSUserGroup {tenant.ids}\n{rewrite}")
        text += vhost(f"{tenant.name}-plain", www, rewrite)
    text += vhost("alice-keep", folder / "home/alice/www",
                  f"PSUserGroup {ALICE.ids}\nPSKeepOpenFile On\n")
    return text + "".join(vhost(
        f"big-{a}-{b}", folder / "home/alice/www", f"PSUserGroup {ALICE.ids}\n"
        f"EnableSendfile {a}\nEnableMMAP {b}\n") for a, b in SWITCHES)


@pytest.fixture(scope="module", params=MPMS)
def site(request):
    php = ["php"] if request.param == "prefork" else []
    with shared(request.param, config, request.config.getoption("--keep"),
                modules=["cgi", "rewrite", "negotiation", "autoindex",
                         "include", *php]) as httpd:
        httpd.has_php = bool(php)
        yield httpd


# ---- what a module makes of a URL

# URL below /closed/, further headers, what is answered: text, or a script's
# report, and how that runs.
URLS = {
    "file": ("x.txt", {}, TEXT),
    "index": ("", {}, TEXT),
    "multiviews-de": ("page", {"Accept-Language": "de"}, "deutsch\n"),
    "multiviews-en": ("page", {"Accept-Language": "en"}, "english\n"),
    "multiviews-one": ("x", {}, TEXT),
    "type-map-de": ("map.var", {"Accept-Language": "de"}, "deutsch\n"),
    "type-map-en": ("map.var", {"Accept-Language": "en"}, "english\n"),
    "rewrite": ("both", {}, TEXT),
    "fallback-file": ("for-x.txt/none", {}, TEXT),
    "fallback-cgi": ("for-whoami.cgi/none", {}, in_process),
    "fallback-php": ("for-whoami.php/none", {}, in_thread),
    "html": ("x.html", {}, TEXT),
}


@pytest.mark.parametrize("name", URLS)
def test_url(site, name):
    """Each tenant's own is found and sent as that tenant; not by the server,
    where nothing is covered."""
    url, headers, said = URLS[name]
    if name.endswith("php") and not site.has_php:
        return
    for tenant in (ALICE, BOB):
        with site.expecting():
            answer = site.get(f"/closed/{url}", tenant.name, headers=headers)
        if callable(said):
            said(answer, tenant)
        elif "map" in name:
            assert answer.text == said
            assert Who(answer.headers["x-who"]).is_(tenant), answer
        else:
            in_place(answer, tenant, said)
        with site.expecting("AH00529"):
            refused(site.get(f"/closed/{url}", f"{tenant.name}-plain",
                             headers=headers))


def test_rewrite_conditions(site):
    """-f and -d see what the tenant can see: bob's host his closed folder,
    alice's not; the server neither."""
    for url, host, tenant in (
            ("/vhost", "alice", ALICE), ("/vhost", "bob", BOB),
            ("/bobs", "bob", BOB), ("/closed/theirs", "bob", BOB)):
        with site.expecting():
            answer = site.get(url, host)
        in_place(answer, tenant, answer.text)
        assert answer.text == (TEXT if "closed" in url else
                               f"file of {tenant.name}\n")
    with site.expecting():
        for url, host in (("/bobs", "alice"), ("/closed/theirs", "alice"),
                          ("/vhost", "alice-plain"), ("/bobs", "bob-plain")):
            assert site.get(url, host).status == 404, (url, host)


def test_listing(site):
    """mod_autoindex lists, and mod_dir completes, a tenant's closed folder;
    not the neighbour's behind a symlink."""
    for tenant in (ALICE, BOB):
        with site.expecting():
            answer = site.get("/closed/list", tenant.name)
            assert answer.status == 301
            assert answer.headers["location"].endswith("/closed/list/")
            answer = site.get("/closed/list/", tenant.name)
        assert answer.status == 200 and "listed.txt" in answer.text
        assert Who(answer.headers["x-who"]).is_(tenant), answer
        with site.expecting("AH00529"):
            refused(site.get("/closed/list", f"{tenant.name}-plain"))
    for url, said, name in (("/theirs/list/", "AH00529", "listed.txt"),
                            ("/home/", "AH01275", "private.txt")):
        with site.expecting(said):
            refused(site.get(url, "alice"))
        with site.expecting():
            assert name in site.get(url, "bob").text


def test_page_that_may_run(site):
    """What may run code is answered in a thread that is the tenant: text/html
    that is executable, as PHP's xbithack would take it, and mod_include's
    pages, which get nothing of a neighbour's."""
    for tenant in (ALICE, BOB):
        with site.expecting():
            answer = site.get("/closed/run.html", tenant.name)
            assert answer.text == TEXT
            assert Who(answer.headers["x-who"]).is_(tenant), answer
            answer = site.get("/closed/x.shtml", tenant.name)
            assert answer.text.startswith(TEXT)
            in_thread(answer, tenant)
    with site.expecting():
        assert "secret" in site.get("/closed/bobs.shtml", "bob").text
    with site.expecting("AH00132", "unable to include"):
        answer = site.get("/closed/bobs.shtml", "alice")
    assert answer.status == 200 and "secret" not in answer.text


# ---- how a file is sent

def test_part_of_a_file(site):
    """Ranges, conditions and HEAD, of a closed file in place."""
    def get(method="GET", **headers):
        return site.get("/closed/x.txt", "alice", method, headers={
            name.replace("_", "-"): text for name, text in headers.items()})

    whole = get()
    in_place(whole, ALICE, TEXT)
    answer = get(Range="bytes=2-4")
    assert answer.status == 206 and answer.text == "234"
    assert answer.headers["content-range"] == "bytes 2-4/11"
    assert answer.served_by.is_in_place(ALICE)
    answer = get(Range="bytes=0-1,7-8")
    assert answer.status == 206
    assert "multipart/byteranges" in answer.headers["content-type"]
    assert "\r\n\r\n01\r\n" in answer.text and "\r\n\r\n78\r\n" in answer.text
    assert answer.served_by.is_in_place(ALICE)
    assert get(Range="bytes=11-").status == 416
    tag, date = whole.headers["etag"], whole.headers["last-modified"]
    for headers in ({"If_None_Match": tag}, {"If_Modified_Since": date}):
        answer = get(**headers)
        assert answer.status == 304 and not answer.body
    assert get(If_Match='"other"').status == 412
    in_place(get(If_None_Match='"other"'), ALICE, TEXT)
    answer = get("HEAD")
    assert answer.headers["content-length"] == "11"
    in_place(answer, ALICE, "")


@pytest.mark.parametrize("sendfile, mmap", SWITCHES)
def test_big_file(site, sendfile, mmap):
    """3 MB arrive whole, however httpd is to send them; and a part."""
    with site.expecting():
        answer = site.get("/closed/big.bin", f"big-{sendfile}-{mmap}")
        part = site.get("/closed/big.bin", f"big-{sendfile}-{mmap}",
                        headers={"Range": "bytes=1500000-2499999"})
    assert answer.status == 200
    assert hashlib.sha256(answer.body).digest() == hashlib.sha256(BIG).digest()
    assert answer.served_by.is_in_place(ALICE)
    assert part.status == 206 and part.body == BIG[1500000:2500000]
    assert part.served_by.is_in_place(ALICE)


def kept(httpd, path):
    """How many descriptors of httpd's are of that file, but not for reading:
    those of PSKeepOpenFile."""
    count = 0
    for pid in httpd.children():
        for fd in numbers(f"/proc/{pid}/fd"):
            with contextlib.suppress(OSError):
                if os.readlink(f"/proc/{pid}/fd/{fd}") == str(path):
                    flags = read(f"/proc/{pid}/fdinfo/{fd}").split()[3]
                    count += bool(int(flags, 8) & os.O_PATH)
    return count


@pytest.mark.parametrize("host, expected", (("alice-keep", 1), ("alice", 0)))
def test_keep_open_file(site, host, expected):
    """PSKeepOpenFile On keeps a file that is served in place, as long as it
    is sent, and no longer."""
    path = site.folder / "home/alice/www/closed/big.bin"
    with site.expecting(), socket.socket() as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
        client.connect(("127.0.0.1", site.port))
        client.sendall(f"GET /closed/big.bin HTTP/1.0\r\nHost: {host}.test"
                       "\r\n\r\n".encode())
        assert client.recv(12) == b"HTTP/1.1 200"
        assert kept(site, path) == expected
        while client.recv(1 << 20):
            pass
        assert wait_until(lambda: kept(site, path) == 0)


# ---- mod_cache

@contextlib.contextmanager
def backend():
    """A web server whose answers may be stored; yields its port and the list
    of what it was asked."""
    asked = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            asked.append(self.path)
            self.send_response(200)
            self.send_header("Cache-Control", "max-age=3600")
            self.send_header("Content-Length", "7")
            self.end_headers()
            self.wfile.write(b"backend")

        def log_message(self, *_):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as s:
        threading.Thread(target=s.serve_forever, daemon=True).start()
        yield s.server_port, asked
        s.shutdown()


HOSTS = {f"{name}-{quick}": (text, quick) for name, text in
         (("pinned", f"PSUserGroup {ALICE.ids}"), ("owner", "PSExAll On"),
          ("plain", "")) for quick in ("On", "Off")}


def cache_config(folder, port):
    www = folder / "home/alice/www"
    put(put_folder(www / "closed", 0o700, ALICE) / "x.txt", TEXT, 0o600, ALICE)
    text = 'ExpiresActive On\nExpiresDefault "access plus 1 hour"\n'
    for name, (cover, quick) in HOSTS.items():
        root = put_folder(folder / "cache" / name, 0o700, server_ids())
        text += vhost(name, www, f"""{cover}
            CacheQuickHandler {quick}
            CacheEnable disk /
            CacheRoot {root}
            ProxyPass /backend http://127.0.0.1:{port}/{name}
            """)
    return text


@pytest.fixture(scope="module", params=MPMS)
def cached(request):
    with backend() as (port, asked), shared(
            request.param, lambda f: cache_config(f, port),
            request.config.getoption("--keep"), modules=[
                "cgi", "cache", "cache_disk", "expires", "proxy",
                "proxy_http"], expect=["PS0511"]) as httpd:
        httpd.asked = asked
        yield httpd


@pytest.mark.parametrize("host", HOSTS)
def test_cache(cached, host):
    """What is covered is answered each time anew, and nothing of it stored;
    without coverage it is. What is proxied is asked for once, and then comes
    from the server's store, on a pinned host, too."""
    covered = not host.startswith("plain")
    store = cached.folder / "cache" / host

    def stored():
        return [path for path in store.rglob("*") if path.is_file()]

    pinned = host.startswith("pinned")
    with cached.expecting(*(() if pinned else ("AH00529",))):
        for _ in range(2):
            answer = cached.get("/closed/x.txt", host)
            assert answer.text == TEXT if pinned else answer.status == 403
    with cached.expecting():
        for url in ("/file.txt", "/whoami.cgi") * 2:
            answer = cached.get(url, host)
            assert answer.status == 200
            assert "max-age=3600" in answer.headers["cache-control"]
            if not covered:
                assert answer.served_by.is_server(), answer
                continue
            if url == "/whoami.cgi":
                in_process(answer, ALICE)
            else:
                in_place(answer, ALICE, "file of alice\n")
            assert "age" not in answer.headers and not stored(), stored()
        assert covered or ("age" in answer.headers and stored())
        before = len(stored())
        answers = [cached.get("/backend/x", host) for _ in range(3)]
    assert [a.text for a in answers] == ["backend"] * 3, answers
    assert ["age" in a.headers for a in answers] == [False, True, True]
    assert all(a.served_by.is_server() for a in answers), answers
    assert cached.asked.count(f"/{host}/x") == 1
    assert len(stored()) == before + 2
