"""WebDAV writes as the tenant: who owns what on disk afterwards, and what the
kernel refuses."""
import itertools
import socket
import threading

import pytest

from harness import (ALICE, BOB, WHOAMI_CGI, Who, put, put_folder, server_ids,
                     shared, vhost)
from proc import wait_until
from test_closed_homes import in_process
from test_denials import MPMS

LOCK = """<?xml version="1.0"?><D:lockinfo xmlns:D="DAV:">
<D:lockscope><D:exclusive/></D:lockscope><D:locktype><D:write/></D:locktype>
</D:lockinfo>"""
PATCH = """<?xml version="1.0"?>
<D:propertyupdate xmlns:D="DAV:" xmlns:x="urn:x">
<D:set><D:prop><x:color>COLOR</x:color></D:prop></D:set>
</D:propertyupdate>"""


def dav_host(name, root, extra):
    return vhost(name, root, f"{extra}\n<Directory {root}>\nDav On\n"
                 "DavDepthInfinity On\n</Directory>")


def config(folder):
    text = "ExtFilterDefine upper mode=input cmd=\"/usr/bin/tr a-z A-Z\"\n"
    for tenant in (ALICE, BOB):
        home = folder / "home" / tenant.name
        put_folder(home / "locks", 0o700, tenant)
        home.chmod(0o700)
        # mod_dav makes its data base for each PUT, so that an owner needs one
        # that he can write.
        put_folder(folder / f"locks-{tenant.name}", 0o755, tenant)
        text += dav_host(f"docroot-{tenant.name}", put_folder(
            folder / f"docroot-{tenant.name}", 0o700, tenant),
            f"PSUserGroup docroot\nDavLockDB {folder}/locks-{tenant.name}/db")
        text += dav_host(tenant.name, home / "www",
                         f"PSUserGroup {tenant.ids}\n"
                         f"DavLockDB {home}/locks/db")
    servers = put_folder(folder / "servers", 0o700, server_ids())
    pool = put_folder(folder / "pool")
    return text + dav_host(
        "servers", folder / "home/alice/www",
        f"PSUserGroup {ALICE.ids}\nDavLockDB {servers}/db") + "".join(
            dav_host(name, pool, f"PSExAll On\n{extra}\n"
                     f"DavLockDB {folder}/locks-{locks}/db")
            for name, locks, extra in (
                ("pool", "alice", ""), ("pool-bob", "bob", ""),
                ("loose", "alice", "PSTrustedPath Off")))


@pytest.fixture(scope="module", params=MPMS)
def site(request):
    with shared(request.param, config, request.config.getoption("--keep"),
                modules=["cgi", "dav", "dav_fs", "ext_filter"]) as httpd:
        httpd.pool = httpd.folder / "pool"
        yield httpd


def www(site, tenant):
    return site.folder / "home" / tenant.name / "www"


@pytest.fixture(name="top", params=(0o755, 0o700), ids=("open", "closed"))
def make_top(request, site):
    """A new folder of alice's in her document root, open or closed."""
    number = len(list(www(site, ALICE).glob("top*")))
    yield put_folder(www(site, ALICE) / f"top{number}", request.param, ALICE)


def ask(site, method, path, status, tenant=ALICE, host=None, **kwargs):
    """A request that is answered so, as the tenant."""
    url = path if host else f"/{path.relative_to(www(site, tenant))}"
    url += "/" * (not host and path.is_dir())
    answer = site.get(url, host or tenant.name, method, **kwargs)
    assert answer.status == status, (method, url, answer, site.log()[-900:])
    assert answer.served_by.is_(tenant), (method, url, answer)
    return answer


def to(path, site, tenant=ALICE):
    """The Destination header for a path below the tenant's www."""
    return {"Destination": f"http://{tenant.name}.test/"
                           f"{path.relative_to(www(site, tenant))}"}


def belongs(tenant, top):
    """All below `top` is the tenant's, by uid, gid and mode; and nothing is
    left half-written."""
    for path in (top, *top.rglob("*")):
        st = path.lstat()
        assert (st.st_uid, st.st_gid) == (tenant.uid, tenant.gid), path
        assert not st.st_mode & 0o6022, (path, oct(st.st_mode))
        assert not path.name.startswith(".davfs"), path


def listing(top):
    """Names, owners and contents below a folder."""
    return {str(p): (p.lstat().st_uid, p.read_bytes() if p.is_file() else b"")
            for p in top.rglob("*")}


# ---- pinned

def test_put(site, top):
    """PUT makes a file, and writes over one; DELETE removes it."""
    path = top / "x.txt"
    with site.expecting():
        for text, status in (("one\n", 201), ("two\n", 204)):
            ask(site, "PUT", path, status, body=text)
            assert path.read_text() == text
            assert path.stat().st_mode & 0o7777 == 0o644
            belongs(ALICE, top)
            answer = ask(site, "GET", path, 200)
            assert answer.text == text
        ask(site, "DELETE", path, 204)
        assert listing(top) == {}


def test_large_and_chunked(site, top):
    """5 MB, with a length and in chunks."""
    data = bytes(range(256)) * 20480
    pieces = (data[n:n + 60000] for n in range(0, len(data), 60000))
    with site.expecting():
        for name, body in (("length", data), ("chunks", pieces)):
            ask(site, "PUT", top / name, 201, body=body)
            assert (top / name).read_bytes() == data
            ask(site, "GET", top / name, 200)
    belongs(ALICE, top)


@pytest.mark.parametrize("chunked", (False, True), ids=("length", "chunked"))
@pytest.mark.parametrize("there", (False, True), ids=("new", "old"))
def test_broken_off(site, top, there, chunked):
    """A client that goes away leaves what was there, and no other file."""
    path = top / "x.txt"
    if there:
        put(path, "old\n", 0o600, ALICE)
    before = listing(top)
    head = "Transfer-Encoding: chunked" if chunked else \
        "Content-Length: 400000"
    said = "An error occurred while reading the request body"
    told = site.log().count(said)
    with site.expecting(said):
        with socket.create_connection(("127.0.0.1", site.port), 10) as s:
            s.sendall(f"PUT /{path.relative_to(www(site, ALICE))} HTTP/1.1\r\n"
                      f"Host: alice.test\r\n{head}\r\n\r\n".encode()
                      + b"30d40\r\n" * chunked + b"x" * 150000)
            assert wait_until(lambda: len(listing(top)) > len(before))
            half, = [p for p in top.iterdir() if p != path]
            assert half.stat().st_uid == ALICE.uid
        assert wait_until(lambda: site.log().count(said) > told)
        assert wait_until(lambda: listing(top) == before), listing(top)
        ask(site, "PUT", path, 204 if there else 201, body="new\n")
    assert path.read_text() == "new\n"
    belongs(ALICE, top)


def test_tree(site, top):
    """MKCOL, COPY and MOVE of files and trees, DELETE of a tree."""
    with site.expecting():
        ask(site, "MKCOL", top / "a", 201)
        ask(site, "MKCOL", top / "a/b", 201)
        for name in ("a/1.txt", "a/b/2.txt"):
            ask(site, "PUT", top / name, 201, body=name)
        ask(site, "COPY", top / "a/1.txt", 201, headers=to(top / "3", site))
        ask(site, "MOVE", top / "3", 201, headers=to(top / "a/4", site))
        ask(site, "COPY", top / "a", 201, headers=to(top / "c", site))
        ask(site, "MOVE", top / "c", 201, headers=to(top / "d", site))
        belongs(ALICE, top)
        for name in ("a", "d"):
            assert sorted(str(p.relative_to(top / name))
                          for p in (top / name).rglob("*")) == [
                              "1.txt", "4", "b", "b/2.txt"]
            assert (top / name / "4").read_text() == "a/1.txt"
            ask(site, "DELETE", top / name, 204)
    assert listing(top) == {}


def test_properties(site, top):
    """PROPPATCH keeps its file beside the content, as the tenant's."""
    path = put(top / "x.txt", "text\n", 0o600, ALICE)
    with site.expecting():
        ask(site, "PROPPATCH", path, 207, body=PATCH.replace("COLOR", "red"))
        answer = ask(site, "PROPFIND", path, 207, headers={"Depth": "0"})
        assert ">red<" in answer.text
        ask(site, "MOVE", path, 201, headers=to(top / "y.txt", site))
        for depth in ("1", "infinity"):
            answer = ask(site, "PROPFIND", top, 207, headers={"Depth": depth})
            assert ">red<" in answer.text and "y.txt" in answer.text
    assert (top / ".DAV").is_dir() and (top / "y.txt").exists()
    belongs(ALICE, top)


def test_lock(site, top):
    """LOCK and UNLOCK with a data base in the closed home; locked, a file is
    written only with the token. The data base is the tenant's."""
    path = top / "x.txt"
    locks = site.folder / "home/alice/locks"
    with site.expecting("423"):
        answer = ask(site, "LOCK", path, 200, body=LOCK)
        token = answer.headers["lock-token"]
        with_token = {"If": f"({token})"}
        ask(site, "PUT", path, 423, body="no\n")
        ask(site, "PUT", path, 201, body="yes\n", headers=with_token)
        ask(site, "DELETE", path, 423)
        ask(site, "UNLOCK", path, 204, headers={"Lock-Token": token})
        ask(site, "PUT", path, 204, body="free\n")
    assert path.read_text() == "free\n"
    belongs(ALICE, top)
    assert list(locks.iterdir())
    belongs(ALICE, locks)


def test_lock_in_servers_folder(site, top):
    """A lock data base that the tenant cannot reach: an error, and nothing is
    made; reading goes on."""
    path = put(top / "x.txt", "text\n", 0o600, ALICE)
    url = f"/{path.relative_to(www(site, ALICE))}"
    before = listing(site.folder / "servers"), listing(top)
    with site.expecting("dav:error") as lines:
        ask(site, "LOCK", url, 500, host="servers", body=LOCK)
        ask(site, "LOCK", url + "-new", 500, host="servers", body=LOCK)
    assert any("Could not open the lock data" in n for n in lines), lines
    assert (listing(site.folder / "servers"), listing(top)) == before
    assert before[0] == {}
    with site.expecting():
        assert ask(site, "GET", url, 200, host="servers").text == "text\n"
        ask(site, "LOCK", path, 200, body=LOCK)


def test_script_in_dav_folder(site, top):
    """GET of a CGI program there runs it as the tenant; PUT replaces it."""
    path = put(top / "x.cgi", "#!/bin/sh\n", 0o700, ALICE)
    url = f"/{path.relative_to(www(site, ALICE))}"
    with site.expecting():
        ask(site, "PUT", path, 204, body=WHOAMI_CGI)
        path.chmod(0o700)
        for method in ("GET", "POST"):
            in_process(site.get(url, method=method), ALICE)


def test_input_filter(site, top):
    """A .htaccess that puts a program before PUT: in a thread that is the
    tenant, as all of mod_dav."""
    for line, text in (("", "text\n"), ("SetInputFilter upper\n", "TEXT\n")):
        put(top / ".htaccess", line, 0o600, ALICE)
        path = top / ("plain" if not line else "upper")
        with site.expecting():
            answer = site.get(f"/{path.relative_to(www(site, ALICE))}",
                              method="PUT", body="text\n")
        assert answer.status == 201, answer
        assert path.read_text() == text
        assert Who(answer.headers["x-who"]).is_(ALICE), answer
    belongs(ALICE, top)


def test_into_neighbours_folder(site, top):
    """Through alice's symlink into bob's folder: the kernel refuses, and
    nothing changes; in her own folder it works."""
    bobs = put_folder(site.folder / "bobs" / top.name, 0o755, BOB)
    put(bobs / "open.txt", "bob's\n", 0o644, BOB)
    put(bobs / "closed.txt", "bob's\n", 0o600, BOB)
    put_folder(bobs / "d", owner=BOB)
    put(top / "x.txt", "text\n", 0o600, ALICE)
    put(put_folder(top / "tree", owner=ALICE) / "x.txt", "text\n", 0o600,
        ALICE)
    (top / "bobs").symlink_to(bobs)
    (top / "trap").mkdir()
    put(top / "trap/x.txt", "text\n", owner=ALICE)
    (top / "trap/.DAV").symlink_to(bobs)
    before = listing(site.folder / "bobs"), listing(top)
    rows = [("PUT", "bobs/new.txt", None), ("PUT", "bobs/open.txt", None),
            ("MKCOL", "bobs/new", None), ("DELETE", "bobs/open.txt", None),
            ("DELETE", "bobs/d/", None), ("LOCK", "bobs/new.txt", None),
            ("COPY", "bobs/closed.txt", to(top / "stolen.txt", site)),
            ("PROPPATCH", "bobs/open.txt", None),
            ("PROPPATCH", "trap/x.txt", None),
            ("MOVE", "bobs/open.txt", to(top / "stolen.txt", site))]
    for method, source, name in itertools.product(
            ("COPY", "MOVE"), ("x.txt", "tree/"), ("new", "open.txt", "d/")):
        rows.append((method, source, to(top / "bobs" / name, site)))
    with site.expecting("") as lines:
        for method, source, headers in rows:
            body = {"PUT": "new\n", "LOCK": LOCK,
                    "PROPPATCH": PATCH}.get(method)
            answer = site.get(f"/{top.relative_to(www(site, ALICE))}/{source}",
                              method=method, body=body, headers=headers)
            case = (method, source, headers, answer)
            assert answer.status >= 300 or (
                answer.status == 207 and "200 OK" not in answer.text), case
            assert "x-who" not in answer.headers \
                or answer.served_by.is_(ALICE), case
            assert (listing(site.folder / "bobs"), listing(top)) == before, \
                case
    assert not [n for n in lines if "PS0" in n or "exit" in n], lines
    ask(site, "COPY", top / "bobs/open.txt", 201,
        headers=to(top / "read.txt", site))
    assert (top / "read.txt").stat().st_uid == ALICE.uid


@pytest.mark.parametrize("method", ("COPY", "MOVE"))
def test_to_neighbours_host(site, top, method):
    """mod_dav looks at the path of a Destination alone: on alice's host it is
    alice's, whatever host it names."""
    path = put(top / "x.txt", "text\n", 0o600, ALICE)
    before = listing(www(site, BOB))
    for host in ("bob.test", "alice.test", "nobody.test"):
        put(path, "text\n", 0o600, ALICE)
        to_path = f"/{top.relative_to(www(site, ALICE))}/to-{host}"
        with site.expecting():
            ask(site, method, path, 201,
                headers={"Destination": f"http://{host}{to_path}"})
        assert listing(www(site, BOB)) == before
        assert (top / f"to-{host}").read_text() == "text\n"
        assert path.exists() == (method == "COPY")
    belongs(ALICE, top)


def test_two_tenants_at_once(site):
    """Both write, list and remove at the same time, on connections that go
    from one host to the other: everything is its own tenant's."""
    tops = {t: put_folder(www(site, t) / "busy", 0o700, t)
            for t in (ALICE, BOB)}

    def work(number):
        connection = site.connection()
        for turn in range(12):
            for tenant in (ALICE, BOB) if number % 2 else (BOB, ALICE):
                top = tops[tenant] / f"{number}-{turn}"
                text = f"{tenant.name} {number}"
                for method, path, status, more in (
                        ("MKCOL", top, 201, {}),
                        ("PUT", top / "x", 201, {"body": text}),
                        ("COPY", top / "x", 201,
                         {"headers": to(top / "y", site, tenant)}),
                        ("LOCK", top / "y", 200, {"body": LOCK}),
                        ("PROPFIND", top, 207, {}),
                        ("DELETE", top / "x", 204, {})):
                    ask(site, method, path, status, tenant,
                        connection=connection, **more)
                answer = ask(site, "GET", top / "y", 200, tenant,
                             connection=connection)
                assert answer.text == text
                done.append(number)

    done = []
    threads = [threading.Thread(target=work, args=(n,)) for n in range(4)]
    with site.expecting():
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert len(done) == 4 * 12 * 2
    for tenant, top in tops.items():
        belongs(tenant, top)
        belongs(tenant, top.parent.parent / "locks")
        assert len(list(top.rglob("y"))) == 48
