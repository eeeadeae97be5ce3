"""The same scripts on a bare httpd with mod_cgi: what a client can observe is
the same, but for what is listed here with its reason."""
import concurrent.futures
import contextlib
import os
import re
import urllib.parse

import pytest

from cgi import HEAD, Talk, put_scripts
from conftest import MPMS
from harness import ALICE, Httpd, server_ids, shared, vhost


def says(*lines):
    """A script that prints these lines, as printf has them."""
    return "#!/bin/sh\nprintf '%b' '" + "".join(f"{n}\\n" for n in lines) \
        + "'\n"


TEXT = "Content-Type: text/plain"
# What a script prints, asked for with GET, HEAD, and HTTP/1.0.
PRINTS = {
    "plain": says(TEXT, "", "text"),
    "crlf": says(TEXT + "\\r", "X-Mine: 1\\r", "\\r", "text\\r"),
    "no-end-of-line": "#!/bin/sh\nprintf 'X-Mine: 1\\n\\ntext'\n",
    "no-body": says(TEXT, ""),
    "no-type": says("X-Mine: 1", "", "text"),
    "type-case": says("CONTENT-type:   Text/HTML; Charset=X  ", "", "text"),
    "nothing": "#!/bin/sh\n",
    "empty-line": says("", "text"),
    "no-headers": says("only text"),
    "no-headers-long": "#!/bin/sh\nhead -c 100000 /dev/zero | tr '\\0' x\n",
    "not-ended": "#!/bin/sh\nprintf 'X-Mine: 1\\nX-More: 2'\n",
    "bad-header": says("X-Mine: 1", "no header", "", "text"),
    "folded": says("X-Mine: 1", " more", "", "text"),
    "long-header": "#!/bin/sh\nprintf 'X-Mine: '; head -c 7000 /dev/zero | "
                   "tr '\\0' x; printf '\\n\\ntext'\n",
    "too-long-header": "#!/bin/sh\nprintf 'X-Mine: '; head -c 9000 /dev/zero "
                       "| tr '\\0' x; printf '\\n\\ntext'\n",
    "nul-in-header": says("X-Mine: 1\\0more", "", "text"),
    "status": says("Status: 404 Gone fishing", TEXT, "", "text"),
    "status-number": says("Status: 201", TEXT, "", "text"),
    "status-200": says("Status: 200 Fine", TEXT, "", "text"),
    "status-204": says("Status: 204 Nothing", ""),
    "status-204-body": says("Status: 204 Nothing", "", "text"),
    "status-304": says("Status: 304 Same", "ETag: \"x\"", ""),
    "status-401": says("Status: 401 Who", "WWW-Authenticate: Basic realm=x",
                       "", "text"),
    "status-500": says("Status: 500 Mine", TEXT, "", "text"),
    "status-word": says("Status: fine", TEXT, "", "text"),
    "status-interim": says("Status: 100 Go on", TEXT, "", "text"),
    "status-unknown": says("Status: 299 Odd", TEXT, "", "text"),
    "status-too-high": says("Status: 1000 Odd", TEXT, "", "text"),
    "location": says("Location: /plain.txt", ""),
    "location-body": says("Location: /plain.txt", TEXT, "", "text"),
    "location-type": says("Location: /plain", "Content-Type: text/x", ""),
    "location-script": says("Location: /look.cgi/x?a+b", "X-Mine: 1", ""),
    "location-missing": says("Location: /missing.txt", ""),
    "location-remote": says("Location: http://example.test/x?y", ""),
    "location-remote-body": says("Location: http://example.test/", TEXT, "",
                                 "text"),
    "location-status": says("Status: 301 Away", "Location: /plain.txt", TEXT,
                            "", "text"),
    "location-200": says("Status: 200 Here", "Location: /plain.txt", ""),
    "location-relative": says("Location: plain.txt", ""),
    "location-fragment": says("Location: /plain.txt#x", ""),
    "length": says("Content-Length: 4", TEXT, "", "text", "more"),
    "length-too-big": says("Content-Length: 400", TEXT, "", "text"),
    "own-chunks": says("Transfer-Encoding: chunked", TEXT, "", "4", "text",
                       "0", ""),
    "connection": says("Connection: close", "Keep-Alive: x", TEXT, "",
                       "text"),
    "server-date": says("Server: mine", "Date: then", TEXT, "", "text"),
    "cookies": says("Set-Cookie: a=1", "Set-Cookie: b=2", "X-Two: 1",
                    "X-Two: 2", TEXT, "", "text"),
    "modified": says("Last-Modified: Thu, 01 Jan 2015 00:00:00 GMT",
                     "ETag: \"mine\"", TEXT, "", "text"),
    "modified-bad": says("Last-Modified: then", TEXT, "", "text"),
    "content-range": says("Status: 206 Part", "Content-Range: bytes 1-2/9",
                          TEXT, "", "12"),
    "8k": f"{HEAD}head -c 8192 /dev/zero | tr '\\0' x\n",
    "100k": f"{HEAD}head -c 100000 /dev/zero | tr '\\0' x\n",
    "fails": f"{HEAD}echo text\nexit 3\n",
    "killed": f"{HEAD}echo text\nkill -KILL $$\n",
    "killed-early": "#!/bin/sh\nkill -KILL $$\n",
    "errors": f"{HEAD}echo text\necho 'an error' >&2\n",
    "errors-alone": "#!/bin/sh\necho 'an error' >&2\n",
    "closes": f"{HEAD}echo text\nexec >&-\nsleep 0.1\necho late >&2\n",
    "leaves-one": f"{HEAD}(sleep 0.3; echo late) &\necho text\n",
    "leaves-quiet": f"{HEAD}(sleep 0.3; echo late) >/dev/null 2>&1 &\n"
                    "echo text\n",
    "late": f"{HEAD}echo text\nsleep 0.2\necho more\n",
}
# An nph- script's answer is the client's to make sense of.
NPH = {
    "nph-plain": says("HTTP/1.1 203 Mine\\r", "X-Mine: 1\\r", "\\r", "text"),
    "nph-length": says("HTTP/1.1 200 OK\\r", "Content-Length: 5\\r", "\\r",
                       "text"),
    "nph-nothing": "#!/bin/sh\n",
    "nph-not-http": says("text"),
}
FILES = {
    "look.cgi": "LOOK", "plain.txt": ("plain\n", 0o644),
    "plain": ("plain\n", 0o644),
    "cat.cgi": f"{HEAD}exec cat\n",
    "reads-all.cgi": f"#!/bin/sh\nbody=$(cat)\n{HEAD[10:]}echo \"$body\"\n",
    "silent.cgi": "#!/bin/sh\nexec sleep 7\n",
    "stops.cgi": f"{HEAD}echo text\nexec sleep 7\n",
    "before.cgi": f"{HEAD}head -c 200000 /dev/zero\nwc -c\n",
    "input.cgi": f"{HEAD}readlink /proc/self/fd/0\n",
    "uid.cgi": f"{HEAD}id -u\n",
    "group.cgi": f"{HEAD}set -- $(cat /proc/$$/stat)\n"
                 "echo $((($5 == $$) + ($6 == $$))) of 2 are own\n",
    "signals.cgi": f"{HEAD}grep -E 'Sig(Ign|Blk)' /proc/self/status\n",
    "deaf.cgi": f"{HEAD}echo text\n",
    "closes-input.cgi": f"{HEAD}exec <&-\nsleep 0.1\necho text\n",
    "first.cgi": f"{HEAD}dd bs=1 count=3 2>/dev/null\n",
    "page.shtml": ('<!--#exec cgi="/look.cgi" -->'
                   '<!--#include virtual="/look.cgi/x?c+d" -->', 0o644),
    "cmd.shtml": ('<!--#exec cmd="env; pwd; echo \'$0\' $#" -->', 0o644),
    "fails.shtml": ('<!--#exec cmd="no-such-program 2>/dev/null" -->'
                    '<!--#exec cgi="/missing.cgi" -->'
                    '<!--#exec cgi="/look.cgi?x" -->'
                    '<!--#exec cgi="/prints/nothing.cgi" -->'
                    '<!--#include virtual="/prints/location-remote.cgi" -->'
                    '<!--#exec cgi="/prints/location-remote.cgi" -->.', 0o644),
    "errors/.htaccess": "ErrorDocument 404 /look.cgi\n"
                        "ErrorDocument 500 /look.cgi/x?y\n",
    "errors/fails.cgi": "#!/bin/sh\n",
    "off/.htaccess": "Options -ExecCGI\n", "off/look.cgi": "LOOK",
    "trust/.htaccess": "SetEnv ap_trust_cgilike_cl 1\n",
    "trust/length.cgi": "#!/bin/sh\nprintf 'Content-Length: 4\\n\\ntext'\n"
                        "sleep 0.2\necho more\n",
    "charset/.htaccess": "AddDefaultCharset utf-8\n",
    "charset/plain.cgi": PRINTS["plain"],
    "bad/mode.cgi": (HEAD, 0o644), "bad/program.cgi": "#!/no/such/program\n",
    "bad/no-first-line.cgi": "echo\n",
    "folder/.htaccess": "SetHandler cgi-script\n",
    "index/index.cgi": "LOOK",
}


class Asked:
    """A request: path, method, header lines, body, version."""

    def __init__(self, path, method="GET", more="", body="", version="1.1"):
        self.path, self.method, self.more = path, method, more
        self.body, self.version = body, version


def sized(path, body, method="POST", more=""):
    return Asked(path, method, f"Content-Length: {len(body)}\r\n{more}", body)


def chunked(path, *parts):
    return Asked(path, "POST", "Transfer-Encoding: chunked\r\n", "".join(
        f"{len(p):x}\r\n{p}\r\n" for p in (*parts, "")))


LATER = "Sat, 01 Jan 2022 00:00:00 GMT"
ASKED = {  # those that take long come first
    "silent": Asked("/silent.cgi"), "stops": Asked("/stops.cgi"),
    "echo-big": sized("/cat.cgi", "text" * 50_000),
    "before": sized("/before.cgi", "text" * 50_000),
    **{f"post-{name}": sized(f"/prints/{name}.cgi", "text" * 1000)
       for name in ("plain", "nothing", "location", "location-script",
                    "location-remote", "status-204", "errors")},
    "none-match": Asked("/prints/modified.cgi", more='If-None-Match: "mine"'
                        "\r\n"),
    "match": Asked("/prints/modified.cgi", more='If-Match: "other"\r\n'),
    "since": Asked("/prints/modified.cgi",
                   more=f"If-Modified-Since: {LATER}\r\n"),
    "unsince": Asked("/prints/modified.cgi", more="If-Unmodified-Since: Thu, "
                     "01 Jan 2004 00:00:00 GMT\r\n"),
    "trust-length": Asked("/trust/length.cgi"),
    "charset": Asked("/charset/plain.cgi"),
    **{f"look-{method}": Asked("/look.cgi", method) for method in (
        "GET", "POST", "PUT", "DELETE", "OPTIONS", "PATCH", "OWN", "TRACE")},
    "variables": Asked("/look.cgi/a//b%20c%3Fd?x=y&z", more="X-Mine: 1\r\n"
                       "X-Mine: 2\r\nX_Odd: 3\r\nX.Odd: 4\r\nCookie: a=b\r\n"
                       "Proxy: x\r\nAuthorization: Basic eDp5\r\n"
                       "Content-Type: text/x; a=b\r\nReferer: r\r\n"),
    **{f"words-{query}": Asked(f"/look.cgi?{query}") for query in (
        "a+b", "a=b+c", "a%20b+%24HOME", "+", "a++b+", "%3D", "%0Aid",
        "%zz", "a%00b", urllib.parse.quote("'\"\\`;&|<>(){}[]*?~^#!\r\t"),
        "%C3%A9+%FF", "+".join("x" * 99))},
    "old-variables": Asked("/look.cgi", version="1.0"),
    "sized": sized("/cat.cgi", "text\n" * 5),
    "sized-get": sized("/cat.cgi", "text\n", "GET"),
    "sized-empty": sized("/cat.cgi", ""),
    "sized-big": sized("/reads-all.cgi", "text" * 50_000),
    "sized-head": sized("/cat.cgi", "text", "HEAD"),
    "chunked": chunked("/cat.cgi", "text\n", "more\n"),
    "chunked-empty": chunked("/cat.cgi"),
    "chunked-bad": Asked("/reads-all.cgi", "POST", "Transfer-Encoding: "
                         "chunked\r\n", "4\r\ntext\r\nxyz\r\n"),
    "look-body": sized("/look.cgi", "text", more="Content-Type: x/y\r\n"),
    "look-chunked": chunked("/look.cgi", "text"),
    "continue": sized("/cat.cgi", "text", more="Expect: 100-continue\r\n"),
    "continue-deaf": sized("/deaf.cgi", "text",
                           more="Expect: 100-continue\r\n"),
    "expect": Asked("/look.cgi", more="Expect: something\r\n"),
    "deaf": sized("/deaf.cgi", "text" * 100),
    "deaf-big": sized("/deaf.cgi", "text" * 100_000),
    "closes-input": sized("/closes-input.cgi", "text" * 100_000),
    "first": sized("/first.cgi", "text" * 100_000),
    "page": Asked("/page.shtml/more?a+b"),
    "cmd": Asked("/cmd.shtml/more%20$HOME?a%20b;c+d"),
    "page-post": sized("/page.shtml", "text"),
    "page-fails": Asked("/fails.shtml"),
    "error-404": Asked("/errors/missing"),
    "error-404-cgi": Asked("/errors/missing.cgi"),
    "error-500": Asked("/errors/fails.cgi?q"),
    "error-500-post": sized("/errors/fails.cgi", "text"),
    **{name: Asked(f"/{name}.cgi")
       for name in ("input", "uid", "group", "signals")},
    "alias": Asked("/cgi-bin/look.cgi/x"),
    "action": Asked("/plain.acted/x?y+z"),
    "index": Asked("/index/?a+b"), "missing": Asked("/missing.cgi"),
    "off": Asked("/off/look.cgi"), "folder": Asked("/folder/"),
    "mode": Asked("/bad/mode.cgi"), "program": Asked("/bad/program.cgi"),
    "no-first-line": Asked("/bad/no-first-line.cgi"),
}


def three(path):
    return [Asked(path), Asked(path, "HEAD"), Asked(path, version="1.0")]


ROWS = {name: [asked] for name, asked in ASKED.items()} | {
    name: three(f"/prints/{name}.cgi") for name in PRINTS} | {
    name: three(f"/{name}.cgi") for name in NPH}
ROWS |= {name: ROWS[name][:1] for name in ("status-interim", "location-type")}


def config(folder, extra=""):
    put_scripts(folder, FILES | {f"{n}.cgi": text for n, text in NPH.items()}
                | {f"prints/{n}.cgi": text for n, text in PRINTS.items()},
                [ALICE])
    www = folder / "home/alice/www"
    for name in ("plain", "plain.txt"):  # of this second, tags would be weak
        os.utime(www / name, (0, 10**9))
    return f"""Timeout 4
AddType text/html .shtml
AddOutputFilter INCLUDES .shtml
AddHandler acted .acted
Action acted /look.cgi virtual
DirectoryIndex index.cgi
""" + vhost("alice", www, f"{extra}\nScriptAlias /cgi-bin/ {www}/")


def exchange(httpd, asked):
    """All that the server sends until it closes the connection."""
    with Talk(httpd) as talk:
        talk.socket.settimeout(10)
        with contextlib.suppress(ConnectionError):  # may not want the body
            talk.socket.sendall(
                f"{asked.method} {asked.path} HTTP/{asked.version}\r\n"
                f"Host: alice.test\r\nConnection: close\r\n{asked.more}\r\n"
                f"{asked.body}".encode())
        with contextlib.suppress(ConnectionResetError):
            return talk.file.read()
        return b"(reset)"


def dechunk(body):
    """The body, and whether it came to its end."""
    parts = b""
    while match := re.match(rb"([0-9a-f]+)\r\n", body):
        size, body = int(match[1], 16), body[match.end():]
        if size == 0:
            return parts, body == b"\r\n"
        parts, body = parts + body[:size], body[size + 2:]
    return parts, False


def same_for_both(text, httpd):
    """Without what differs between any two requests."""
    if "\ngroup=" in text:  # of `look`, what the server gives
        text = "\n".join(sorted(line for line in text.split("\n") if re.match(
            "env |argv |cwd=", line)))
    text = text.replace(str(httpd.run), "RUN")
    text = re.sub(r"(REMOTE_PORT=|pipe:)\S+", r"\1", text)
    return re.sub(r"(?m)^((?:env )?DATE_\w+=|Date: )[^\r\n]*", r"\1", text)


def observe(httpd, asked):
    """Of the length, and how it is told, what is not by chance: httpd says
    it where a script ends before it is looked for."""
    raw = exchange(httpd, asked)
    interim = []
    while raw.startswith(b"HTTP/1.1 100"):
        line, _, raw = raw.partition(b"\r\n\r\n")
        interim.append(line.decode())
    head, _, body = raw.partition(b"\r\n\r\n")
    first, *lines = same_for_both(head.decode("latin-1"), httpd).split("\r\n")
    complete = True
    if "Transfer-Encoding: chunked" in lines and asked.method != "HEAD":
        body, complete = dechunk(body)
    told = ("X-Who:", "Transfer-Encoding: chunked", f"Content-Length: "
            f"{len(body)}" if asked.method != "HEAD" else "Content-Length:")
    return {"interim": interim, "first": first,
            "headers": sorted(n for n in lines if not n.startswith(told)),
            "body": same_for_both(body.decode("latin-1"), httpd),
            "complete": complete}


# Why an answer is another here; what there is in mod_cgi's, and in ours.
DIFFERENT = {
    "uid": ("A script is its tenant's.",
            f"^{server_ids().uid}$", f"^{ALICE.uid}$"),
    "mode": ("What the tenant may not execute is forbidden, not a failure.",
             "^HTTP/1.1 500 ", "^HTTP/1.1 403 "),
    "input": ("Where there is no body nobody waits for one.",
              "^pipe:$", "^/dev/null$"),
    "location-type": ("The type that a script names could name the handler of "
                      "a file that is another's.",
                      "^Content-Type: text/x\n", "^(?!Content-Type)ETag"),
    "status-interim": ("That is none of an answer: a client waits for it.",
                       "^HTTP/1.1 100 Go on", "^HTTP/1.1 500 "),
    "group": ("A script is ended with what it has started; it can neither "
              "signal httpd's group, nor reach its terminal.",
              "^0 of 2 are own$", "^2 of 2 are own$"),
    "signals": ("What httpd ignores (SIGPIPE, say) is httpd's business.",
                r"SigIgn:\s0*[1-9]", r"SigIgn:\s0+$"),
    "echo-big": ("mod_cgi reads no answer before it has given the body away: "
                 "more than two pipes hold, and it is cut at Timeout.",
                 "^(text){9,49999}$", "^(text){50000}$"),
    "before": ("The same.", r"\D(?!200000\n)\d+\n\Z", r"\D200000\n\Z"),
}


MODULES = ["include", "actions"]


def ask(both, name):
    """[(mod_cgi's answer, ours)], or what went wrong."""
    try:
        for _ in range(3):
            found = [tuple(observe(httpd, asked) for httpd in both)
                     for asked in ROWS[name]]
            # A bare httpd resets a connection with an unread body, rarely.
            if not name.startswith("post-") or all(
                    bare["complete"] for bare, _ in found):
                break
        return found
    except Exception as e:  # the row's test says it
        return e


@pytest.fixture(scope="module", params=MPMS)
def answers(request):
    """Of all rows, a few at a time: mod_cgi is often idle for 50 ms. Ours has
    neither mod_cgi nor mod_cgid."""
    mpm = request.param
    many = "StartServers 8\nMaxSpareServers 9\n" if mpm == "prefork" else ""
    with shared(mpm, config, modules=["cgi", *MODULES], load=False,
                main_config=many) as bare, Httpd(
            bare.folder, mpm, config(bare.folder, f"PSUserGroup {ALICE.ids}"),
            modules=MODULES, main_config=many) as ours:
        for httpd in (bare, ours):
            httpd.tolerate.append("")
        with concurrent.futures.ThreadPoolExecutor(6) as pool:
            yield dict(zip(ROWS, pool.map(
                lambda name: ask((bare, ours), name), ROWS)))
        for httpd in (bare, ours):
            assert "exit signal" not in httpd.log()


@pytest.mark.parametrize("name", [n for n in ROWS if n not in DIFFERENT])
def test_same(answers, name):
    """Status, headers and body, to the byte."""
    assert isinstance(answers[name], list), answers[name]
    for bare, ours in answers[name]:
        assert ours == bare


@pytest.mark.parametrize("name", DIFFERENT)
def test_different(answers, name):
    """What differs, and how."""
    reason, *expected = DIFFERENT[name]
    assert isinstance(answers[name], list), answers[name]
    for both in answers[name]:
        for answer, text in zip(both, expected):
            assert answer["complete"], (reason, answer)
            said = "\n".join((*answer["interim"], answer["first"],
                              *answer["headers"], answer["body"]))
            assert re.search(text, said, re.M), (reason, said[:2000])
