"""Whom a thread of httpd is, from request to request: always who it should
be, and nobody is left behind. One thread serves all, so that what comes next
finds what was left."""
import itertools
import os
import socket
import subprocess
import threading
import time

import pytest

import http2
import proc
from conftest import MPMS
from harness import ALICE, Who, put, put_folder, server_ids, shared
from identity import (HOSTS, LOUD, Line, backend, context_for,
                      expect_nothing_left, expect_own, forget_sessions,
                      is_hosts, one_worker, session_owners, sites)


@pytest.fixture(scope="module", params=MPMS)
def site(request):
    mpm = request.param
    ws = f"ProxyPass /ws http://127.0.0.1:{backend()}/ upgrade=word"
    with one_worker(
            mpm, lambda folder: sites(folder, ws),
            ["proxy", "proxy_http", *(["http2"] * (mpm == "event"))],
            main_config="Protocols h2c http/1.1\n") as httpd:
        httpd.tolerate += LOUD
        yield httpd


# ---- what can happen to a request of alice's; True where the connection can
# go on.

def ends_with(status, text=None, who="alice", **request):
    def act(line):
        answer = line.get(**{"path": "/closed.txt", **request})
        assert answer.status == status, answer
        assert text is None or answer.text == text
        if text and text.startswith("closed"):
            assert is_hosts(answer.served_by, who), answer
        return answer
    return act


def script(path, status=200, **request):
    def act(line):
        answer = line.get(path, **request)
        assert answer.status == status and answer.who.is_(ALICE), answer
        return True
    return act


def in_thread(path, status=200):
    def act(line):
        answer = line.get(path)
        assert answer.status == status, answer
        assert Who(answer.headers["x-who"]).is_(ALICE), answer
        return True
    return act


def bad_request(host):
    """Its error page is the first host's closed file, whoever was there."""
    def act(line):
        line.get("/closed.txt", host)
        answer = line.get("/", host, more="no header\r\n")
        assert answer.status == 400
        assert answer.text == "closed of alice\n"
        assert is_hosts(answer.served_by, "alice")
    return act


def half_a_request(line):
    line.get("/closed.txt")
    line.socket.sendall(b"GET /closed.txt HTTP/1.1\r\nHost: alice.te")
    said = line.file.read()
    assert not said or said.startswith(b"HTTP/1.1 408 "), said


def aborted_post(line):
    line.send("/whoami.cgi", method="POST", more="Content-Length: 9999\r\n",
              body="part")


def client_gone(line):
    line.send("/big.bin")
    assert len(line.file.read(100_000)) == 100_000


def upgrade(host):
    def act(line):
        line.send(host=host, more="Connection: Upgrade, HTTP2-Settings\r\n"
                  "Upgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n")
        answer = line.answer()
        if host == "plain" and line.has_http2:
            assert answer.status == 101
            return False
        assert answer.status == 200 and answer.text == f"closed of {host}\n"
        return True
    return act


def other_protocol(line):
    """Proxied, as the server; the thread stays with the connection."""
    line.send("/ws", more="Connection: Upgrade\r\nUpgrade: word\r\n")
    assert line.file.readline().startswith(b"HTTP/1.1 101 ")
    while line.file.readline().strip():
        pass
    line.socket.sendall(b"hello")
    assert line.file.read(5) == b"HELLO"


ACTS = {
    "in_place": ends_with(200, "closed of alice\n"),
    "process": script("/whoami.cgi"),
    "thread": in_thread("/whoami.who"),
    "304": ends_with(304, more="If-None-Match: *\r\n"),
    "403": ends_with(403, path="/of/plain"),
    "404": ends_with(404, path="/missing"),
    "error_text": ends_with(404, "words", path="/text/x"),
    "error_file": ends_with(404, "closed of alice\n", path="/file/x"),
    "error_cgi": script("/cgi/x", 404),
    "error_thread": in_thread("/who/x", 404),
    "error_uncovered": ends_with(404, "closed of plain\n", "plain",
                                 path="/uncovered/x"),
    "uncovered": ends_with(200, "closed of plain\n", "plain",
                           path="/open/closed.txt"),
    "400": bad_request("alice"),
    "400_after_bob": bad_request("bob"),
    "400_after_plain": bad_request("plain"),
    "range": ends_with(206, "of", more="Range: bytes=7-8\r\n"),
    "head": ends_with(200, method="HEAD"),
    "options": ends_with(200, method="OPTIONS"),
    "options_all": ends_with(200, method="OPTIONS", path="*"),
    "trace": ends_with(200, method="TRACE"),
    "expect": script("/whoami.cgi", method="POST", body="x", more="Expect: "
                     "100-continue\r\nContent-Length: 1\r\n"),
    "absolute": ends_with(200, "closed of bob\n", "bob",
                          path="http://bob.test/closed.txt"),
    "upgrade": upgrade("alice"),
    "upgrade_plain": upgrade("plain"),
    "other_protocol": other_protocol,
    "aborted_post": aborted_post,
    "client_gone": client_gone,
    "half_a_request": half_a_request,
}


@pytest.mark.parametrize("name", ACTS)
def test_after(site, name):
    """Whatever happened to a request of alice's, the next one, of any host,
    on this connection or another, is its host's own; and when all is closed,
    all threads are the server's."""
    if name == "half_a_request":  # takes its time
        line = Line(site)
        half_a_request(line)
        line.close()
        expect_own(site.get, "plain")
        expect_nothing_left(site)
        return
    for host in HOSTS:
        line = Line(site)
        if ACTS[name](line):
            expect_own(line.get, host)
        line.close()
        expect_nothing_left(site)
        line = Line(site)
        ACTS[name](line)
        line.close()
        expect_own(site.get, host)
        expect_nothing_left(site)


def test_all_orders(site):
    """On one connection, each host after each other, and after itself."""
    line = Line(site)
    for pair in itertools.product(HOSTS, repeat=2):
        for host in pair:
            expect_own(line.get, host)
    line.close()
    expect_nothing_left(site)


def test_pipelined(site):
    """Requests for all hosts in one packet: each answer is its own."""
    order = [h for pair in itertools.permutations(HOSTS, 2) for h in pair]
    paths = itertools.cycle(("/closed.txt", "/whoami.cgi", "/missing",
                             "/whoami.who", "/closed.txt", "/of/plain"))
    asked = list(zip(order, paths))
    line = Line(site)
    line.socket.sendall(b"".join(
        f"GET {path} HTTP/1.1\r\nHost: {host}.test\r\n\r\n".encode()
        for host, path in asked))
    for host, path in asked:
        answer = line.answer()
        if path.startswith("/whoami"):
            who, tenant = answer.who, HOSTS[host][0]
            if path == "/whoami.who":
                who = Who(answer.headers["x-who"])
            assert who.is_(tenant) if tenant else who.is_server(), answer
        elif path == "/closed.txt" or (host, path) == ("plain", "/of/plain"):
            assert answer.text == f"closed of {host}\n"
            assert is_hosts(answer.served_by, host), answer
        else:
            assert answer.status == (404 if path == "/missing" else 403)
    line.close()
    expect_nothing_left(site)


@pytest.mark.parametrize("name", ("alice.test:1", "alice.test.", "ALICE.test",
                                  "bob.test, alice.test", "", "nobody.test",
                                  "alice.test\tbob.test"))
def test_odd_names(site, name):
    """Tried: names that httpd could read one way for the file, and another
    for whom it is. What is shown is the first host's, as that; or nothing."""
    for before in ("bob", "plain", "dave"):
        line = Line(site)
        line.get("/closed.txt", before)
        line.socket.sendall(f"GET /closed.txt HTTP/1.1\r\nHost: {name}\r\n"
                            "\r\n".encode())
        answer = line.answer()
        assert answer.status in (200, 400)
        assert answer.text == "closed of alice\n"
        assert is_hosts(answer.served_by, "alice"), answer
        line.close()
    expect_nothing_left(site)


# ---- TLS

@pytest.fixture(scope="module", params=MPMS)
def tls(request):
    def config(folder):
        cache = put_folder(folder / "cache", 0o777)
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes",
             "-subj", "/CN=alice.test", "-days", "2", "-addext",
             "basicConstraints=critical,CA:FALSE", "-addext",
             "subjectAltName=DNS:" + ",DNS:".join(f"{h}.test" for h in HOSTS),
             "-keyout", folder / "key.pem", "-out", folder / "cert.pem"],
            check=True, capture_output=True)
        return (f"SSLSessionCache dbm:{cache}/sessions\n"
                "SSLSessionTickets off\n" + sites(
                    folder, "SSLEngine on\n"
                    f"SSLCertificateFile {folder}/cert.pem\n"
                    f"SSLCertificateKeyFile {folder}/key.pem"))

    with one_worker(request.param, config, ["ssl", "socache_dbm"],
                    main_config="Mutex sem\n") as httpd:
        httpd.tolerate += [*LOUD, "PS0514", "AH01882", "AH00810"]  # old OpenSSL; no file
        yield httpd


versions = pytest.mark.parametrize("version", ("TLSv1_2", "TLSv1_3"))


@versions
def test_tls(tls, version):
    """After a request of alice's, the same thread shakes hands as the server:
    the file of TLS sessions, which anybody could make here, is the server's;
    and each host's requests are its own."""
    context = context_for(version)
    for host in HOSTS:
        for before in ("alice", "carol"):
            line = Line(tls, context)
            expect_own(line.get, before)
            if tls.mpm != "event":  # there its thread is free already
                line.close()
            forget_sessions(tls)
            other = Line(tls, context)
            expect_own(other.get, host)
            assert session_owners(tls) == {server_ids().uid}
            expect_own(other.get, before)
            line.close()
            other.close()
            expect_nothing_left(tls)


@versions
def test_tls_between_requests(tls, version):
    """Tried: a record that makes no sense, on a connection that was alice's.
    Might work as OpenSSL then has httpd forget the session, in the file of
    sessions, before it is known whose the next request is: not as alice."""
    line = Line(tls, context_for(version))
    expect_own(line.get, "alice")
    forget_sessions(tls)
    with socket.socket(fileno=os.dup(line.socket.fileno())) as s:
        s.sendall(b"\x15\x03\x03\x00\x20" + b"x" * 32)
    assert proc.wait_until(lambda: session_owners(tls))
    line.close()
    owners = session_owners(tls)
    forget_sessions(tls)  # another's would hinder the server from now on
    assert owners == {server_ids().uid}


# ---- HTTP/2

WORDS = "LogFormat \"%v %U %>s %{X-Who}o\" words\nCustomLog {log} words\n"


@pytest.fixture(scope="module", params=("worker", "event"))
def h2(request):
    def config(folder):
        return (WORDS.replace("{log}", f"{folder}/words.log")
                + sites(folder).replace("Timeout 2", "Timeout 20"))

    with shared(request.param, config, modules=["cgi", "lua", "http2"],
                expect=["PS0503"], main_config=(
                    "Protocols h2c http/1.1\nH2MinWorkers 1\n"
                    "H2MaxWorkers 8\nH2MaxWorkerIdleSeconds 1\n")) as httpd:
        httpd.tolerate += LOUD
        yield httpd


def logged(httpd, number):
    """(host, path, Who, status) of so many requests."""
    path = httpd.folder / "words.log"
    assert proc.wait_until(
        lambda: path.read_text().count("\n") >= number), path.read_text()
    for line in path.read_text().splitlines():
        host, url, status, who = line.split(" ", 3)
        yield host.removesuffix(".test"), url, status, who
    os.truncate(path, 0)


def ask_streams(httpd, asked):
    """Each its own, as it is answered."""
    for stream, (host, path) in zip(http2.ask(httpd.port, asked), asked):
        tenant = HOSTS[host][0]
        assert stream.ended
        if path == "/closed.txt":
            assert stream.text == f"closed of {host}\n"
        elif path.startswith("/whoami"):
            who = Who(stream.text)
            assert who.is_(tenant) if tenant else who.is_server(), who
        else:
            assert not stream.is_200 and "closed of" not in stream.text


def test_streams(h2):
    """Streams of one connection for all hosts, on connections side by side,
    while workers start on demand, from whatever thread: each is its own, as
    the kernel had it when it was served. The workers' next use, by what is
    not covered, is the server's."""
    kinds = list(itertools.product(HOSTS, (
        "/closed.txt", "/closed.txt", "/whoami.lua", "/of/nobody")))
    kinds += [(host, "/whoami.cgi") for host in HOSTS]
    faults = []

    def client(step):
        asked = [kinds[i * step % len(kinds)] for i in range(60)]
        try:
            for _ in range(3):
                ask_streams(h2, asked)
        except Exception as e:  # in a thread it would be lost
            faults.append(e)

    for _ in range(2):
        clients = [threading.Thread(target=client, args=(step,))
                   for step in (1, 7, 11, 13)]
        for c in clients:
            c.start()
        for c in clients:
            c.join()
        assert not faults, faults
        ask_streams(h2, [("plain", "/closed.txt")] * 60)
        shown = [row for row in logged(h2, 4 * 3 * 60 + 60)
                 if row[1] == "/closed.txt"]
        assert len(shown) > 300
        for host, _, status, who in shown:
            assert status == "200" and is_hosts(Who(who), host), (host, who)
        expect_nothing_left(h2)
        time.sleep(1.2)  # the idle workers end


def test_big_file(h2):
    """5 MB through HTTP/2, for three hosts at once, intact."""
    asked = {}
    for host in ("alice", "dave", "plain"):
        text = os.urandom(5_000_000)
        put(h2.folder / "home" / host / "www/five.bin", text, 0o600,
            HOSTS[host][0] or server_ids())
        asked[host] = text, subprocess.Popen(
            ["nghttp", "-H", f":authority: {host}.test",
             f"http://127.0.0.1:{h2.port}/five.bin"], stdout=subprocess.PIPE)
    for text, client in asked.values():
        assert client.communicate(timeout=60)[0] == text
    expect_nothing_left(h2)
