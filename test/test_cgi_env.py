"""What a CGI script is given: variables, words, a body, limits; and what the
pages of mod_include run."""
import contextlib
import os
import signal

import pytest

import proc
from cgi import (HEAD, SERVERS, Look, Talk, hosts, noted, put_scripts,
                 server_id, site)
from harness import ALICE, BOB, Tenant, make_homes, vhost
from test_denials import refused

# Whose processes nobody else starts: the kernel counts them.
FEW = Tenant(31000 + os.getpid() % 1000, 31000, name="few")
FEW_ALLOWED = 3
SCRIPTS = {
    "look.cgi": "LOOK", "folder/look.cgi": "LOOK", "auth/look.cgi": "LOOK",
    "path/look.cgi": "LOOK", "current/look.cgi": "LOOK",
    "to-look.cgi": "#!/bin/sh\nprintf 'Location: /look.cgi?a\\n\\n'\n",
    "current/to-look.cgi": "#!/bin/sh\n"
                           "printf 'Location: /current/look.cgi?a\\n\\n'\n",
    "htaccess/.htaccess": "SetEnv PS_MINE of-TENANT\nSetEnv PATH /mine\n"
                          "RLimitCPU 5 8\nCGIPassAuth On\n",
    "htaccess/look.cgi": "LOOK",
    "body.cgi": f"{HEAD}echo \"$CONTENT_LENGTH.$HTTP_TRANSFER_ENCODING.\"\n"
                "readlink /proc/self/fd/0\nid -u\nexec cat\n",
    "sleeps.cgi": "#!/bin/sh\necho $$ >>NOTES/sleeps\necho\necho\n"
                  "exec sleep 30\n",
    "no-exec/.htaccess": "Options -Includes +IncludesNOEXEC\n",
}
EXEC = '<!--#exec cmd="cat /proc/self/status; pwd; env" -->'
# Each is a page, and what there is in what it shows.
PAGES = {
    "exec-cmd": (EXEC, ["DOCUMENT_NAME=exec-cmd.shtml", "QUERY_STRING=a+b"]),
    "exec-cgi": ('<!--#exec cgi="/look.cgi" -->',
                 ["argv 1=a", "argv 2=b", "env SCRIPT_NAME=/look.cgi",
                  "env PATH_INFO=/more", "env DOCUMENT_NAME=exec-cgi.shtml"]),
    "virtual": ('<!--#include virtual="/look.cgi/x?c+d" -->',
                ["argv 1=c", "argv 2=d", "env PATH_INFO=/x"]),
    "page": ('<!--#include virtual="/virtual.shtml" -->', ["argv 1=c"]),
    "two": (f'{EXEC}<!--#exec cgi="/folder/look.cgi" -->',
            ["/www/folder\n", "DOCUMENT_NAME=two.shtml"]),
    "neighbours": ('<!--#include virtual="/bob/look.cgi" -->',
                   ["/bob/www\n"]),
    "body": ('<!--#include virtual="/body.cgi" -->' + EXEC, ["/dev/null\n"]),
}


def config(folder):
    homes = folder / "home"
    make_homes(folder, [FEW])
    put_scripts(folder, SCRIPTS | {
        f"{name}.shtml": (text, 0o644) for name, (text, _) in PAGES.items()}
        | {f"no-exec/{name}.shtml": (text, 0o644)
           for name, (text, _) in PAGES.items()})
    put_scripts(folder, SCRIPTS, [FEW])
    limits = "RLimitCPU 7 9\nRLimitMEM 300000000 400000000\n" \
             "RLimitNPROC 200 300\n"
    return f"""
AddType text/html .shtml
AddOutputFilter INCLUDES .shtml
PassEnv PS_TEST_PASSED
<Directory {homes}>
    Require all granted
    Options +ExecCGI
</Directory>
<Directory {homes}/*/www/auth>
    CGIPassAuth On
</Directory>
<Directory {homes}/*/www/path>
    SetEnv PATH /some/where:/usr/bin
</Directory>
<Directory {homes}/*/www/current>
    CGIVar REQUEST_URI current-uri
</Directory>
""" + hosts(folder, f"Alias /bob {homes}/bob/www\n"
            f"ScriptAlias /cgi-bin/ {homes}/alice/www/folder/") + vhost(
        "limits", homes / "alice/www", f"PSUserGroup {ALICE.ids}\n{limits}"
    ) + vhost("few", homes / "few/www", f"PSUserGroup {FEW.ids}\n"
              f"RLimitNPROC {FEW_ALLOWED}\n")


@pytest.fixture(scope="module", params=SERVERS, ids=server_id)
def httpd(request):
    os.environ["PS_TEST_PASSED"] = "passed on"
    os.environ["PS_TEST_NOT_PASSED"] = "not passed on"
    many = "StartServers 9\nMaxSpareServers 9\n"
    with site(request.param, config, "include", main_config=(
            many if request.param[0] == "prefork" else "")) as server:
        yield server


# What is asked for, and variables; those that are None are not there.
ENV = {
    "plain": ("/look.cgi", {
        "GATEWAY_INTERFACE": "CGI/1.1", "REQUEST_METHOD": "GET",
        "SERVER_PROTOCOL": "HTTP/1.1", "SERVER_NAME": "{host}.test",
        "REMOTE_ADDR": "127.0.0.1", "SERVER_ADDR": "127.0.0.1",
        "SCRIPT_NAME": "/look.cgi", "SCRIPT_FILENAME": "{www}/look.cgi",
        "REQUEST_URI": "/look.cgi", "DOCUMENT_ROOT": "{www}",
        "QUERY_STRING": "", "PATH": os.environ["PATH"],
        "PATH_INFO": None, "PATH_TRANSLATED": None, "CONTENT_LENGTH": None,
        "CONTENT_TYPE": None, "HTTP_AUTHORIZATION": None, "HTTP_PROXY": None,
        "HTTP_X_MINE": "of the client", "PS_TEST_PASSED": "passed on",
        "PS_TEST_NOT_PASSED": None, "PS_MINE": None, "REDIRECT_STATUS": None}),
    "path": ("/look.cgi/a/b%20c?x=y", {
        "PATH_INFO": "/a/b c", "PATH_TRANSLATED": "{www}/a/b c",
        "QUERY_STRING": "x=y", "SCRIPT_NAME": "/look.cgi",
        "REQUEST_URI": "/look.cgi/a/b%20c?x=y"}),
    "alias": ("/cgi-bin/look.cgi/a", {
        "SCRIPT_NAME": "/cgi-bin/look.cgi", "PATH_INFO": "/a",
        "CONTEXT_PREFIX": "/cgi-bin/",
        "SCRIPT_FILENAME": "{www}/folder/look.cgi"}),
    "auth": ("/auth/look.cgi", {"HTTP_AUTHORIZATION": "Basic eDp5"}),
    "set-path": ("/path/look.cgi", {"PATH": "/some/where:/usr/bin"}),
    "htaccess": ("/htaccess/look.cgi", {
        "PS_MINE": "of-alice", "PATH": "/mine",
        "HTTP_AUTHORIZATION": "Basic eDp5"}),
    "redirected": ("/to-look.cgi", {
        "REQUEST_URI": "/to-look.cgi", "SCRIPT_NAME": "/look.cgi",
        "REDIRECT_URL": "/to-look.cgi", "QUERY_STRING": "a"}),
    "current": ("/current/to-look.cgi", {
        "REQUEST_URI": "/current/look.cgi",
        "REDIRECT_URL": "/current/to-look.cgi"}),
}


@pytest.mark.parametrize("name", ENV)
def test_variables(httpd, name):
    """The variables of CGI, and what the configuration, the client and a
    .htaccess add; credentials with CGIPassAuth alone."""
    path, expected = ENV[name]
    www = httpd.folder / "home/alice/www"
    for host in ("alice", "owner"):
        with httpd.expecting():
            answer = httpd.get(path, host, headers={
                "X-Mine": "of the client", "Proxy": "http://x/",
                "Authorization": "Basic eDp5"})
        look = Look(answer.text)
        assert answer.status == 200 and look.is_(ALICE), answer
        assert {k: look.env.get(k) for k in expected} == {
            k: v and v.format(www=www, host=host) for k, v in expected.items()}
        assert look.cwd == os.path.dirname(look.env["SCRIPT_FILENAME"])
        assert look.name.endswith("/look.cgi")


WORDS = {"": [], "a": ["a"], "a+b": ["a", "b"], "a=b": [], "a+b=c": [],
         "a%3Db": ["a=b"], "a%20b": ["a b"], "a++b": ["a", "", "b"],
         "%2Ba": ["+a"], "$HOME+%3Bid": [r"\$HOME", r"\;id"],
         "a'b\"c": [r"a\'b\"c"], "`id`+(x)": [r"\`id\`", r"\(x\)"],
         "*+?+~": [r"\*", r"\?", r"\~"], "-x+--": ["-x", "--"]}


@pytest.mark.parametrize("query", WORDS)
def test_words(httpd, query):
    """A query without "=" is the script's arguments, one a word, with what a
    shell would take for its own behind a backslash."""
    for host in ("alice", "owner"):
        with httpd.expecting():
            answer = httpd.get(f"/look.cgi?{query}", host)
        look = Look(answer.text)
        assert look.is_(ALICE), answer
        assert look.words == WORDS[query]
        assert look.env["QUERY_STRING"] == query


# Header lines, the body as sent, and as the script gets it: its length and
# coding, where it comes from, whose the script is, and the body.
BODIES = {
    "none": ("", "", "..", "/dev/null", ""),
    "empty": ("Content-Length: 0\r\n", "", "0..", "", ""),
    "sized": ("Content-Length: 5\r\n", "body\n", "5..", "", "body\n"),
    "chunked": ("Transfer-Encoding: chunked\r\n",
                "5\r\nbody\n\r\n6\r\nmore\n\n\r\n0\r\n\r\n", ".chunked.", "",
                "body\nmore\n\n"),
    "chunked-empty": ("Transfer-Encoding: chunked\r\n", "0\r\n\r\n",
                      ".chunked.", "", ""),
}


@pytest.mark.parametrize("name", BODIES)
@pytest.mark.parametrize("method", ("GET", "POST", "PUT", "DELETE", "OWN"))
def test_body(httpd, method, name):
    """A body reaches the script however it is sent, with any method; without
    one there is nothing to read."""
    more, body, says, comes_from, arrives = BODIES[name]
    with httpd.expecting(), Talk(httpd) as talk:
        for host in ("alice", "owner"):
            answer = talk.get("/body.cgi", host, method, more, body)
            assert answer.status == 200, answer
            first, source, uid, *rest = answer.text.split("\n", 3)
            assert (first, uid) == (says, str(ALICE.uid)), answer
            assert source == comes_from or not comes_from
            assert rest == [arrives]


def test_limits(httpd):
    """RLimitCPU, RLimitMEM and RLimitNPROC, of the host or of a .htaccess."""
    def limits(path, host):
        with httpd.expecting():
            look = Look(httpd.get(path, host).text)
        assert look.is_(ALICE)
        return [look.limit(name) for name in ("cpu time", "address space",
                                              "processes")]

    without = limits("/look.cgi", "alice")
    assert limits("/look.cgi", "limits") == [
        ("7", "9"), ("300000000", "400000000"), ("200", "300")]
    for host in ("alice", "owner"):
        assert limits("/htaccess/look.cgi", host) == [("5", "8"), *without[1:]]
        assert limits("/look.cgi", host) == without


def end(httpd):
    """End those that sleep; whose they were."""
    whose = set()
    pids = proc.alive(noted(httpd, "sleeps"))
    for pid in pids:
        whose.add(os.stat(f"/proc/{pid}").st_uid)
        os.kill(pid, signal.SIGKILL)
    assert proc.wait_until(lambda: not proc.alive(pids))
    return whose


def test_too_many_processes(httpd):
    """Once the tenant has as many processes as RLimitNPROC says, scripts are
    refused; until one ends."""
    (httpd.notes / "sleeps").unlink(missing_ok=True)
    with contextlib.ExitStack() as stack:
        stack.callback(lambda: end(httpd))
        sleeping, refusals = [], []
        with httpd.expecting("PS0208") as lines:
            while len(sleeping) <= FEW_ALLOWED + 1 and not refusals:
                talk = stack.enter_context(Talk(httpd))
                talk.send("/sleeps.cgi", "few")
                reply = talk.begin()
                if reply.status == 200:
                    sleeping.append(reply)
                else:
                    refusals.append(reply.status)
        assert refusals == [500], len(sleeping)
        assert FEW_ALLOWED - 1 <= len(sleeping) <= FEW_ALLOWED + 1
        assert "temporarily unavailable" in lines[0]
        with httpd.expecting("PS0208"):
            refused(httpd.get("/look.cgi", "few"), 500)
        with httpd.expecting():
            assert Look(httpd.get("/look.cgi").text).is_(ALICE)
        assert end(httpd) == {FEW.uid}
        with httpd.expecting():
            assert Look(httpd.get("/look.cgi", "few").text).is_(FEW)


# ---- mod_include

@pytest.mark.parametrize("name", PAGES)
def test_page(httpd, name):
    """What a page runs is its tenant's, by #exec cmd, #exec cgi or #include
    virtual, whichever module would otherwise do that."""
    for host, tenant in (("alice", ALICE), ("owner", ALICE), ("bob", BOB)):
        for method in ("GET", "POST"):
            with httpd.expecting():
                answer = httpd.get(f"/{name}.shtml/more?a+b", host, method,
                                   "body" if method == "POST" else None)
            assert answer.status == 200
            uids = [line.split() for line in answer.text.splitlines()
                    if line.startswith("Uid:")]
            assert len(uids) == (2 if name == "two" else 1), answer.text
            assert {*sum(uids, [])} == {"Uid:", str(tenant.uid)}
            assert answer.who.is_(tenant), answer.who.fields["Groups"]
            for line in PAGES[name][1]:
                assert line in answer.text, (line, answer.text)


@pytest.mark.parametrize("name", ("exec-cmd", "exec-cgi", "two"))
def test_no_exec(httpd, name):
    """IncludesNOEXEC: no #exec; what stands beside it still runs."""
    for host in ("alice", "owner"):
        with httpd.expecting("PS0605"):
            answer = httpd.get(f"/no-exec/{name}.shtml", host)
        assert answer.status == 200
        assert "Uid:" not in answer.text and "an error" in answer.text
        with httpd.expecting():
            assert httpd.get("/no-exec/virtual.shtml", host).who.is_(ALICE)
