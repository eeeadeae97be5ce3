"""What is covered: where each directive may stand, what wins, what a name or
a method changes; and who a covered request is."""
import functools
import grp
import os

import pytest

from harness import (ALICE, BOB, CAROL, WHOAMI_CGI, WHOAMI_LUA, WHOAMI_PHP,
                     Tenant, Who, put, put_folder, server_ids, shared, vhost)
from test_denials import MPMS, OTHERS, place, ran_as, refused

ALL = {"txt", "cgi", "lua", "php"}
NONE = set()
BASE = """AddHandler lua-script .lua
AddHandler application/x-httpd-php .php
AddHandler who .who
"""
# Each directive, and which kinds of content it covers.
DIRECTIVES = {
    "all": ("PSExAll On", ALL),
    "cgi": ("PSExCGI On", {"cgi"}),
    "extensions": ("PSExtensions .nothing .lua", {"lua"}),
    "handlers": ("PSHandlers none LUA-SCRIPT", {"lua"}),
    "ignore": ("PSExAll On\nPSIgnoreExtensions .lua .txt", ALL - {"txt"}),
}
# Each place, and whether it holds for /out/y as well as for /in/x.
PLACES = {
    "vhost": ("@\n", True),
    "directory": ("<Directory ROOT/in>\n@\n</Directory>\n", False),
    "location": ("<Location /in>\n@\n</Location>\n", False),
    "files": ('<Files "x.*">\n@\n</Files>\n', False),
    "if": ('<If "%{REQUEST_URI} =~ m#^/in/#">\n@\n</If>\n', False),
}
PIN = f"PSUserGroup {BOB.ids}\n"


def within(place_name, text):
    return PLACES[place_name][0].replace("@", text)


IN = functools.partial(within, "directory")
AT = functools.partial(within, "location")

# name: (configuration of the host, who, covered at /in, covered at /out)
ROWS = {
    f"{name}-{at}": (within(at, text), ALICE, kinds,
                     kinds if everywhere else NONE)
    for name, (text, kinds) in DIRECTIVES.items()
    for at, (_, everywhere) in PLACES.items()
}
ROWS |= {
    "off-in": ("PSExAll On\n" + IN("PSExAll Off"), ALICE, NONE, ALL),
    "on-in": ("PSExAll Off\n" + IN("PSExAll On"), ALICE, ALL, NONE),
    "location-wins": (AT("PSExAll On") + IN("PSExAll Off"), ALICE, ALL,
                      NONE),
    "cgi-off": ("PSExCGI On\n" + within("files", "PSExCGI Off"),
                ALICE, NONE, {"cgi"}),
    "extensions-replaced": (
        "PSExtensions .cgi\n" + IN("PSExtensions .lua"),
        ALICE, {"lua"}, {"cgi"}),
    "handlers-replaced": (
        "PSHandlers cgi-script\n" + IN("PSHandlers lua-script"),
        ALICE, {"lua"}, {"cgi"}),
    "ignore-replaced": (
        "PSExAll On\nPSIgnoreExtensions .txt\n"
        + IN("PSIgnoreExtensions .css"), ALICE, ALL, ALL - {"txt"}),
    "lines-add-up": ("PSExtensions .cgi\nPSExtensions .lua", ALICE,
                     {"cgi", "lua"}, {"cgi", "lua"}),
    "directives-add-up": ("PSExCGI On\n" + IN("PSExtensions .lua"),
                          ALICE, {"cgi", "lua"}, {"cgi"}),
    "pin": (PIN, BOB, ALL, ALL),
    "pin-off": (PIN + "PSExAll Off", BOB, NONE, NONE),
    "pin-off-before": ("PSExAll Off\n" + PIN, BOB, NONE, NONE),
    "pin-off-cgi": (PIN + "PSExAll Off\nPSExCGI On", BOB, {"cgi"}, {"cgi"}),
    "pin-off-location": (PIN + AT("PSExAll Off"), BOB, NONE, ALL),
    "pin-on-location": (PIN + "PSExAll Off\n" + AT("PSExAll On"),
                        BOB, ALL, NONE),
    "pin-ignore": (PIN + "PSIgnoreExtensions .txt", BOB, ALL - {"txt"},
                   ALL - {"txt"}),
    "owner": ("PSUserGroup owner\nPSExAll On", ALICE, ALL, ALL),
    "owner-alone": ("PSUserGroup owner", ALICE, NONE, NONE),
}


def fill_pool(folder, kinds):
    """/in/x and /out/y of each kind, alice's, in root's folder."""
    for kind in kinds:
        place(folder / "pool/in", kind, ALICE)
        place(folder / "pool/out", kind, ALICE, "y")
    return folder / "pool"


def config(folder):
    pool = fill_pool(folder, ("txt", "cgi", "lua", "php"))
    www = folder / "home/alice/www"
    names = "PSExtensions .cgi .LUA .php"
    css = "PSIgnoreExtensions .css"
    return "".join((
        BASE, "AddType text/css .css\n",
        *(vhost(name, pool, row[0].replace("ROOT", str(pool)))
          for name, row in ROWS.items()),
        vhost("names", www, names), vhost("pinned", www,
                                          f"PSUserGroup {ALICE.ids}\n{css}"),
        vhost("alice", www, f"PSExAll On\n{css}"),
        vhost("pool", pool, "PSExAll On")))


@pytest.fixture(scope="module", params=MPMS)
def site(request):
    php = ["php"] if request.param == "prefork" else []
    with shared(request.param, config, request.config.getoption("--keep"),
                modules=["cgi", "lua", "autoindex", "include", "filter",
                         "deflate", *php],
                expect=["PS0503", "PS0504"]) as httpd:
        httpd.pool = httpd.folder / "pool"
        httpd.www = httpd.folder / "home/alice/www"
        httpd.kinds = ["txt", "cgi", "lua", *php]
        yield httpd


def check_kinds(httpd, host, who, where, covered):
    for kind in ("txt", "cgi", "lua", *["php"] * (httpd.mpm == "prefork")):
        answer = httpd.get(f"/{where}.{kind}", host)
        if kind in covered:
            ran_as(answer, who, kind)
            continue
        assert answer.status == 200
        assert answer.served_by.is_server(), (where, kind, answer)
        assert kind == "txt" or answer.who.is_server(), (where, kind, answer)


@pytest.mark.parametrize("name", ROWS)
def test_place(site, name):
    """Covered where the configuration says so, and nowhere else."""
    _, who, inside, outside = ROWS[name]
    with site.expecting():
        check_kinds(site, name, who, "in/x", inside)
        check_kinds(site, name, who, "out/y", outside)


@pytest.mark.parametrize("name", DIRECTIVES)
def test_main_server(start, folder, name):
    """What the main server says, virtual hosts inherit, or say otherwise."""
    pool = fill_pool(folder, ("txt", "cgi", "lua"))
    text, kinds = DIRECTIVES[name]
    off = "PSExAll Off\nPSExCGI Off\nPSExtensions .no\nPSHandlers no"
    httpd = start("event", BASE + text + "\n" + vhost("heir", pool)
                  + vhost("other", pool, off), modules=["cgi", "lua"],
                  expect=["PS0503", "PS0504"])
    check_kinds(httpd, "heir", ALICE, "in/x", kinds)
    check_kinds(httpd, "other", ALICE, "in/x", NONE)


def test_main_server_pinned(start, folder):
    """A pinned main server pins its hosts, unless they say otherwise."""
    pool = fill_pool(folder, ("txt", "cgi", "lua"))
    rows = {"heir": ("", BOB, ALL), "off": ("PSExAll Off", BOB, NONE),
            "owner": ("PSUserGroup owner", ALICE, ALL),
            "other": (f"PSUserGroup {CAROL.ids}", CAROL, ALL),
            "other-off": (f"PSUserGroup {CAROL.ids}\nPSExAll Off", CAROL,
                          NONE)}
    httpd = start("event", BASE + PIN + "".join(
        vhost(name, pool, row[0]) for name, row in rows.items()),
        modules=["cgi", "lua"], expect=["PS0503"])
    for name, (_, who, kinds) in rows.items():
        check_kinds(httpd, name, who, "in/x", kinds)


# ---- names and methods

@pytest.mark.parametrize("form", ("X.{}", "x.{}.en", "x.{}.bak", "x.en.{}",
                                  "x.{}/behind"))
def test_extension_in_a_name(site, form):
    """PSExtensions finds what mod_mime would run: in any case, before any
    dot, with a path behind it. What mod_mime does not run is not covered."""
    for kind in site.kinds[1:]:
        name = form.format(kind.upper() if "X" in form else kind)
        place(site.www, kind, ALICE, "made").rename(
            site.www / name.removesuffix("/behind"))
        put(site.www / f"x{kind}", "text\n", 0o644, ALICE)
        with site.expecting():
            ran_as(site.get(f"/{name}", "names"), ALICE, kind)
            assert site.get(f"/x{kind}", "names").served_by.is_server()


# Where there is no body, too, it says who it is.
IN_A_HEADER = WHOAMI_CGI.replace(
    "echo\n", "echo X-Script: $(tr '\\n' ';' </proc/self/status)\necho\n")


@pytest.mark.parametrize("method", ("OPTIONS", "HEAD", "POST", "PUT",
                                    "DELETE", "UNHEARD"))
def test_method(site, method):
    """Any method is covered, and shows nobody else's identity."""
    put(site.pool / "in/method.cgi", IN_A_HEADER, 0o755, ALICE)
    for host, tenant in (("all-vhost", ALICE), ("pin", BOB)):
        for kind in site.kinds:
            name = "method.cgi" if kind == "cgi" else f"x.{kind}"
            with site.expecting("") as lines:
                answer = site.get(f"/in/{name}", host, method)
            assert not [n for n in lines if "PS0" in n or "exit" in n], lines
            if kind != "cgi":
                assert answer.served_by.is_(tenant), answer
                continue
            assert answer.status == 200 and "x-who" not in answer.headers
            assert Who(answer.headers["x-script"]).is_(tenant), answer
            assert method == "HEAD" or answer.who.is_(tenant), answer


# ---- PSIgnoreExtensions .css

INCLUDE = '<!--#exec cmd="cat /proc/self/status" -->\n'
ATTACKS = {
    "handler": ("AddHandler cgi-script .css", WHOAMI_CGI),
    "set-handler": ("SetHandler cgi-script", WHOAMI_CGI),
    "cgi-type": ("AddType application/x-httpd-cgi .css", WHOAMI_CGI),
    "interpreter": ("AddType application/x-httpd-php .css", WHOAMI_PHP),
    "filter": ("AddOutputFilter INCLUDES .css", INCLUDE),
    "set-filter": ("SetOutputFilter INCLUDES", INCLUDE),
    "filter-by-type": ("AddOutputFilterByType INCLUDES text/css", INCLUDE),
    "harness": ("FilterDeclare DEFLATE\n"
                "FilterProvider DEFLATE INCLUDES true\n"
                "FilterChain DEFLATE", INCLUDE),
    "harness-by-type": ("FilterDeclare BYTYPE:DEFLATE\n"
                        "FilterProvider BYTYPE:DEFLATE INCLUDES true\n"
                        "FilterChain BYTYPE:DEFLATE", INCLUDE),
    "two": ("SetOutputFilter INCLUDES;DEFLATE", INCLUDE),
}


@pytest.mark.parametrize("host", ("alice", "pinned"))
@pytest.mark.parametrize("name", ATTACKS)
def test_ignored_extension(site, name, host):
    """The server reads a style sheet, but whatever a .htaccess would have run
    in one runs as the tenant."""
    htaccess, text = ATTACKS[name]
    if name == "interpreter" and "php" not in site.kinds:
        htaccess, text = "AddHandler lua-script .css", WHOAMI_LUA
    folder = put_folder(site.www / name, owner=ALICE)
    put(folder / ".htaccess", htaccess, 0o644, ALICE)
    put(folder / "x.css", text, 0o755, ALICE)
    put(site.www / "plain.css", "text\n", 0o644, ALICE)
    with site.expecting():
        answer = site.get(f"/{name}/x.css", host)
        assert answer.who.is_(ALICE), answer
        assert answer.served_by.is_(ALICE), answer
        answer = site.get("/plain.css", host)
        assert answer.text == "text\n"
        assert answer.served_by.is_server(), answer


# ---- what is not there

SERVER = "the server"
MISSING_ROWS = {
    "own": ("GET", "alice", "/none.txt", 404, ALICE, ()),
    "own_folder": ("GET", "alice", "/none/", 404, ALICE, ()),
    "pinned": ("GET", "pinned", "/none.txt", 404, ALICE, ()),
    "roots": ("GET", "pool", "/none.txt", 404, SERVER, ()),
    "untrusted": ("GET", "pool", "/open/none.txt", 404, None, ()),
    "low": ("GET", "pool", "/low/none.txt", 404, None, ()),
    "cgi": ("GET", "pool", "/own/none.cgi", 404, None, ()),
    "cgi_pinned": ("GET", "pinned", "/none.cgi", 404, None, ()),
    "handler": ("GET", "pool", "/own/none.who", 200, ALICE, ()),
    "handler_pinned": ("GET", "pinned", "/none.who", 200, ALICE, ()),
    "handler_roots": ("GET", "pool", "/none.who", 200, SERVER, ()),
    "handler_untrusted": ("GET", "pool", "/open/none.who", 404, None, ()),
    "handler_low": ("POST", "pool", "/low/none.who", 404, None, ()),
    "put": ("PUT", "pool", "/own/none.who", 200, ALICE, ()),
    "put_untrusted": ("PUT", "pool", "/open/none.who", 403, None,
                      ("PS0104: {}/open/none.who: ", OTHERS)),
    "put_low": ("PUT", "pool", "/low/none.who", 403, None,
                ("PS0102: {}/low/none.who: ", "uid 99, gid 30001")),
}


@pytest.mark.parametrize("name", MISSING_ROWS)
def test_missing(site, name):
    """404 however its folder is; a handler that makes something of nothing
    runs as the folder's owner, and is refused by the same rules."""
    method, host, url, status, who, lines = MISSING_ROWS[name]
    put_folder(site.pool / "own", owner=ALICE)
    put_folder(site.pool / "open", 0o777, owner=ALICE)
    put_folder(site.pool / "low", owner=Tenant(99, 30001))
    with site.expecting(*[n.format(site.pool) for n in lines]):
        answer = site.get(url, host, method)
    if who is None:  # no handler ran at all
        refused(answer, status)
        assert "x-who" not in answer.headers
    else:
        assert answer.status == status
        assert answer.served_by.is_server() if who is SERVER \
            else answer.served_by.is_(who), answer


# ---- who a covered request is

def test_pinned_kernel_decides(site):
    """What alice cannot read through a symlink is not served; what she can,
    is, as alice, whoever owns it."""
    www = site.folder / "home/alice/www"
    server = server_ids()
    for name, mode, owner, allowed in (
            ("bobs-closed", 0o600, BOB, False), ("bobs", 0o644, BOB, True),
            ("own", 0o600, ALICE, True), ("roots", 0o644, Tenant(0, 0), True),
            ("servers", 0o640, Tenant(0, server.gid), False),
            ("servers-own", 0o600, server, False)):
        put(site.pool / f"pin/{name}.txt", "text\n", mode, owner)
        (www / f"{name}.txt").symlink_to(site.pool / f"pin/{name}.txt")
        with site.expecting(*([] if allowed else ["AH00132"])):
            answer = site.get(f"/{name}.txt", "pinned")
        if allowed:
            ran_as(answer, ALICE, "txt")
        else:
            refused(answer)


def test_supplementary_groups(start, folder, mpm, member):
    """A pinned user has the groups of the user database, by name and by
    number, with any primary group; in owner mode there are none."""
    pool = put_folder(folder / "pool")
    place(pool, "cgi", Tenant(member.uid, member.gid))
    place(pool, "txt", Tenant(member.uid, member.gid))
    other = grp.getgrnam(f"{member.name}-a").gr_gid
    rows = {
        "name": (f"PSUserGroup {member.name} {member.name}", member),
        "number": (f"PSUserGroup #{member.uid} #{member.gid}", member),
        "other": (f"PSUserGroup {member.name} {member.name}-a",
                  Tenant(member.uid, other, tuple(set(os.getgrouplist(
                      member.name, other))))),
        "nobody": (f"PSUserGroup {ALICE.ids}", ALICE),
        "owner": ("PSExAll On", Tenant(member.uid, member.gid)),
    }
    httpd = start(mpm, "".join(vhost(name, pool, row[0])
                               for name, row in rows.items()),
                  modules=["cgi"])
    for name, (_, tenant) in rows.items():
        for kind in ("cgi", "txt"):
            ran_as(httpd.get(f"/x.{kind}", name), tenant, kind)
