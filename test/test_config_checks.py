"""What configtest finds in a whole configuration: each error and warning with
its tag and remedy, and the configuration beside it that has none."""
import re
import subprocess

import pytest

from harness import (Httpd, httpd_binary, load_line, put, server_ids, vhost,
                     with_file_at)
from test_config import passes

PIN = "PSUserGroup #30001 #30001"
DAV = ["dav", "dav_fs"]
DAV_ON = "\n<Location />\nDav On\n</Location>\nDavLockDB "
CACHE = ["cache", "cache_disk"]
TLS = ["socache_dbm", "socache_shmcb", "ssl"]


def host(folder, text, override="All", name="alice"):
    return vhost(name, folder / "home/alice/www", text).replace(
        "AllowOverride All", f"AllowOverride {override}")


def configtest(folder, config, modules=("cgi", "suexec"), main=""):
    return Httpd(folder, "event", config, modules=modules,
                 main_config=main).configtest()


# ---- errors. A host's lines, what is said, and lines that pass.

TENANTS = {
    "root": ("PSUserGroup root root", "PSUserGroup root root (uid 0, gid 0) "
             "is root; name another user, or PSRootEnable On", PIN),
    "uid_0": ("PSUserGroup #0 #30001", "(uid 0, gid 30001) is root; name",
              "PSUserGroup #0 #30001\nPSRootEnable On\nPSMinUidGid 0 0"),
    "gid_0": ("PSUserGroup #30001 #0", "(uid 30001, gid 0) is root; name",
              "PSUserGroup #30001 #0\nPSRootEnable On\nPSMinUidGid 0 0"),
    "root_below": ("PSUserGroup #0 #30001\nPSRootEnable On",
                   "(uid 0, gid 30001) is below PSMinUidGid 100 100", PIN),
    "uid_below": ("PSUserGroup #99 #30001", "(uid 99, gid 30001) is below "
                  "PSMinUidGid 100 100; name another user, or lower",
                  "PSUserGroup #100 #30001"),
    "gid_below": ("PSUserGroup #30001 #99", "(uid 30001, gid 99) is below",
                  "PSUserGroup #30001 #99\nPSMinUidGid 100 99"),
    "raised": (PIN + "\nPSMinUidGid 30002 0", "is below PSMinUidGid 30002 0",
               PIN + "\nPSMinUidGid 30001 30001"),
    "default": ("PSExAll On\nPSDefaultUidGid root #100", "PSDefaultUidGid is "
                "root", "PSExAll On\nPSDefaultUidGid #100 #100"),
    "suexec": ("PSUserGroup suexec\nSuexecUserGroup #99 #30001",
               "SuexecUserGroup #99 #30001 (uid 99, gid 30001) is below",
               "PSUserGroup suexec\nSuexecUserGroup #100 #100"),
    "default_gid": ("PSExAll On\nPSDefaultUidGid #100 root", "or PSRootEnable "
                    "On", "PSExAll On\nPSDefaultUidGid #100 root\n"
                    "PSRootEnable On"),
}


@pytest.mark.parametrize("name", TENANTS)
def test_tenant(folder, name):
    """A tenant that is root, or below the minimum, is an error of its host's,
    also where the main server says it."""
    lines, said, right = TENANTS[name]
    for config, named in (
            (host(folder, lines), "alice.test"),
            (lines + "\n" + host(folder, ""), "main server main.test and 1 "
             "more hosts")):
        status, text = configtest(folder, config)
        assert status != 0
        line, = [n for n in text.splitlines() if "PS0405: " in n]
        assert f"PS0405: {named}: " in line and said in line, text
    status, text = configtest(folder, host(folder, right))
    assert status == 0 and "PS04" not in text, text


def test_hosts_are_counted(folder):
    """One line, however many hosts are wrong."""
    status, text = configtest(folder, "".join(
        host(folder, f"PSUserGroup #{uid} #100", name=f"h{uid}")
        for uid in (97, 98, 200)))
    assert status != 0
    (named, more), = re.findall(r"PS0405: (\S+) and (\d+) more hosts: ", text)
    assert named in ("h97.test", "h98.test") and more == "1"


def test_user_in_group_0(folder):
    """A named user whom the user database puts into group 0."""
    group = put(folder / "group", "root:x:0:nobody\nnogroup:x:65534:\n"
                f"{server_ids().name}:x:{server_ids().gid}:\n")
    for line, right in (("", False), ("\nPSRootEnable On", True)):
        httpd = Httpd(folder, "event",
                      host(folder, "PSUserGroup nobody nogroup" + line))
        done = subprocess.run(
            with_file_at("/etc/group", group, *httpd.command("-t")), text=True,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=60)
        assert (done.returncode == 0) == right, done.stdout
        assert ("PS0405" in done.stdout) != right
        assert ("is in group 0; take" in done.stdout) != right
    assert passes(folder, host(folder, "PSUserGroup nobody nogroup", "None"))


CGID = {
    "all": "PSExAll On", "cgi": "PSExCGI On", "extensions":
    "PSExtensions .txt", "handlers": "PSHandlers lua-script cgi-script",
    "type": "PSHandlers application/x-httpd-cgi", "pin": PIN,
    "directory": "<Directory /srv>\nPSExAll On\n</Directory>",
    "location": "<Location /x>\nPSExCGI On\n</Location>",
    "files": '<Files "x">\nPSExAll On\n</Files>',
    "if": '<If "true">\nPSExAll On\n</If>',
    "nested": '<Directory /srv>\n<Files "x">\n<If "true">\nPSExAll On\n</If>'
              "\n</Files>\n</Directory>",
}


@pytest.mark.parametrize("name", CGID)
def test_cgid(folder, name):
    """With PSCgiSpawn Off, coverage that leads to mod_cgid is refused with the
    remedy, wherever it stands, at configtest and at start; with mod_cgi, or
    where this module runs scripts, it passes."""
    off = "PSCgiSpawn Off\n"
    for config in (off + CGID[name] + "\n", off + host(folder, CGID[name]),
                   host(folder, CGID[name] + "\n<Directory /x>\n" + off
                        + "</Directory>")):
        httpd = Httpd(folder, "event", config, modules=["cgid"])
        with pytest.raises(AssertionError) as start:
            httpd.start()
        status, text = httpd.configtest()
        assert status != 0
        for said in (text, str(start.value)):
            assert "PS0401: " in said
            assert "PSCgiSpawn On" in said
            assert "a2dismod cgid" in said and "a2enmod cgi;" in said
        for right, modules in ((config, ()), (config.replace(
                off, "PSCgiSpawn On\n"), ["cgid"])):
            status, text = configtest(folder, right, modules)
            assert status == 0 and "PS04" not in text, text


def test_cgid_by_inclusion(folder):
    """mod_include would reach it from any covered page."""
    on = host(folder, "PSHandlers lua-script", "None")
    config = "PSCgiSpawn Off\n" + on
    status, text = configtest(folder, config, ["cgid", "include"])
    assert status != 0 and "PS0401: " in text, text
    status, text = configtest(folder, on, ["cgid", "include"])
    assert status == 0 and text == "Syntax OK\n", text
    for modules in (["cgid"], ["cgi", "include"]):
        status, text = configtest(folder, config, modules)
        assert status == 0 and text == "Syntax OK\n", text


@pytest.mark.parametrize("lines", ("", "PSHandlers lua-script",
                                   PIN + "\nPSExAll Off", "PSExAll Off"))
def test_cgid_not_reached(folder, lines):
    """Beside mod_cgid, what cannot lead to it passes."""
    status, text = configtest(folder, "PSCgiSpawn Off\n"
                              + host(folder, lines, "None"), ["cgid"])
    assert status == 0 and text == "Syntax OK\n", text


# ---- warnings. Tag, words, then (configuration, AllowOverride, modules, main)
# that has it, and others that have not.

SERVER = f"#{server_ids().uid} #{server_ids().gid}"
ALL = "PSExAll On"
WARNINGS = {
    "root": ("PS0501", "alice.test: PSRootEnable On",
             (ALL + "\nPSRootEnable On", "None"),
             [(ALL + "\nPSRootEnable Off", "None"),
              ("PSRootEnable On", "None")]),
    "dac": ("PS0502", "alice.test: PSCapDacOverride has no effect",
            (ALL + "\nPSCapDacOverride On", "None"),
            [(ALL + "\nPSCapDacOverride Off", "None")]),
    "lua": ("PS0503", "mod_lua.c is loaded", (ALL, "All", ["lua"]),
            [(ALL, "None", ["lua"]), (ALL, "All", ["cgi"]),
             ("", "All", ["lua"])]),
    "lua_list": ("PS0503", "unload the module",
                 (ALL, "None\nAllowOverrideList LuaHookFixups", ["lua"]),
                 [(ALL, "None", ["lua"])]),
    "session": ("PS0503", "mod_session_crypto.c is loaded",
                (ALL, "AuthConfig", ["session", "session_crypto"]),
                [(ALL, "FileInfo", ["session", "session_crypto"]),
                 (ALL, "AuthConfig", ["session"])]),
    "some": ("PS0504", "PSExAll On covers all", ("PSExCGI On", "FileInfo"),
             [("PSExCGI On", "None"), ("PSExCGI On", "AuthConfig"),
              (ALL, "All"), ("", "All")]),
    "places": ("PS0504", "some content is not covered",
               ("PSExCGI On\n<Location /x>\nPSExAll On\n</Location>", "All"),
               [(ALL + "\n<Location /x>\nPSExCGI On\n</Location>", "All")]),
    "folder": ("PS0504", "some content is not covered",
               (ALL + "\n<Directory FOLDER/home/alice/www/x>\nPSExAll Off\n"
                "</Directory>", "All"),
               [(ALL + "\n<Directory FOLDER/home/alice/www/x>\nPSExAll Off\n"
                "AllowOverride None\n</Directory>", "None")]),
    "extensions": ("PS0504", "some content is not covered",
                   ("PSExtensions .x", "All"),
                   [("PSExtensions .x", "None"),
                    ("PSExtensions .x\n" + ALL, "All")]),
    "handlers": ("PS0504", "some content is not covered",
                 ("PSHandlers x", "All"),
                 [("PSHandlers x", "Indexes")]),
    "server": ("PS0505", "alice.test: a tenant is the server's own user",
               (f"PSUserGroup {SERVER}\nPSMinUidGid 1 1", "None"),
               [(PIN, "None")]),
    "default": ("PS0505", "server's own user",
                (ALL + f"\nPSDefaultUidGid {SERVER}", "None"),
                [(ALL + "\nPSDefaultUidGid #100 #100", "None")]),
    "suexec": ("PS0506", "alice.test: PSCheckSuexecids On",
               (ALL + "\nPSCheckSuexecids On", "None", ["suexec"],
                "Suexec Off"),
               [(ALL + "\nPSCheckSuexecids On", "None", ["suexec"],
                 "Suexec On"), (ALL, "None", [], "Suexec Off")]),
    "no_suexec": ("PS0506", "alice.test: PSCheckSuexecids On",
                  (ALL + "\nPSCheckSuexecids On", "None"), []),
    "stack": ("PS0507", "ThreadStackSize is below 524288",
              (ALL, "None", [], "ThreadStackSize 300000"),
              [(ALL, "None", [], "ThreadStackSize 524288"), (ALL, "None")]),
    "core": ("PS0508", "CoreDumpDirectory has no effect",
             (ALL, "None", [], "CoreDumpDirectory /tmp"),
             [(ALL, "None"), ("", "None", [], "CoreDumpDirectory /tmp")]),
    "locks": ("PS0510", "alice.test: DavLockDB /tmp/no/locks: the host's "
              "tenant cannot open it", (PIN + DAV_ON + "/tmp/no/locks",
                                        "None", DAV),
              [(PIN + DAV_ON + "FOLDER/home/alice/locks", "None", DAV),
               (PIN + "\nDavLockDB /tmp/no/locks", "None", DAV),
               (ALL + DAV_ON + "/tmp/no/locks", "None", DAV),
               ("PSExAll Off" + DAV_ON + "/tmp/no/locks", "None", DAV)]),
    "locks_of_all": ("PS0510", "DavLockDB /tmp/no/locks: the host's tenant",
                     (PIN + DAV_ON.removesuffix("DavLockDB "),
                      "None", DAV,
                      "DavLockDB /tmp/no/locks"),
                     [(PIN + DAV_ON + "FOLDER/home/alice/locks", "None", DAV,
                       "DavLockDB /tmp/no/locks"),
                      (PIN, "None", DAV, "DavLockDB /tmp/no/locks")]),
    "cache": ("PS0511", "mod_cache_disk stores nothing of what is covered",
              (ALL + "\nCacheEnable disk /", "None", CACHE),
              [(ALL, "None", CACHE), ("CacheEnable disk /", "None", CACHE)]),
    "cache_lock": ("PS0513", "CacheLock On: mod_cache makes",
                   (ALL + "\nCacheLock On", "None", CACHE),
                   [(ALL + "\nCacheLock Off", "None", CACHE),
                    ("CacheLock On", "None", CACHE)]),
    "tls_sessions": ("PS0514", "SSLSessionCache dbm:/tmp/x: the file",
                     (ALL, "None", TLS, "SSLSessionCache dbm:/tmp/x"),
                     [(ALL, "None", TLS, "SSLSessionCache shmcb:/tmp/x"),
                      ("", "None", TLS, "SSLSessionCache dbm:/tmp/x")]),
    "nobody_named": ("PS0512", "alice.test: PSUserGroup suexec, but suexec is "
                     "not in use", ("PSUserGroup suexec", "None", ["suexec"],
                                    "Suexec Off"),
                     [("PSUserGroup suexec", "None", ["suexec"]),
                      ("PSUserGroup suexec", "None", ["userdir"]),
                      (PIN, "None", [], "Suexec Off")]),
    "mod_cgi_time": ("PS0515", "CGIScriptTimeout is mod_cgi's",
                     (ALL, "None", ["cgi"], "CGIScriptTimeout 5"),
                     [(ALL, "None", ["cgi"]),
                      ("", "None", ["cgi"], "CGIScriptTimeout 5")]),
    "mod_cgi_log": ("PS0515", "ScriptLog is mod_cgi's",
                    (ALL, "None", ["cgi"], "ScriptLog /tmp/x"),
                    [("", "None", ["cgi"], "ScriptLog /tmp/x")]),
    "fcgid": ("PS0509", "mod_fcgid", (ALL, "None", ["fcgid"]),
              [(ALL, "None", ["cgi"]), ("", "None", ["fcgid"])]),
}


def tags(folder, lines, override, modules=(), main=""):
    """Tags that configtest shows for a host, and all that it says."""
    lines = lines.replace("FOLDER", str(folder))
    status, text = configtest(folder, host(folder, lines, override), modules,
                              main + "\n")
    assert status == 0, text
    return re.findall(r"(PS\d{4}): ", text), text


@pytest.mark.parametrize("name", WARNINGS)
def test_warning(folder, name):
    """Shown once by configtest, which still passes; and not where it does not
    hold, or where nothing is covered."""
    tag, said, wrong, others = WARNINGS[name]
    found, text = tags(folder, *wrong)
    assert found == [tag], text
    line, = [n for n in text.splitlines() if tag in n]
    assert ":warn]" in line and said in line, text
    for other in others:
        found, text = tags(folder, *other)
        assert found == [], text


def test_warnings_at_start(start, folder):
    """A start says each of them once, in the error log."""
    server = {"PS0503", "PS0507", "PS0508", "PS0509"}
    hosts = {"PS0501", "PS0502", "PS0505", "PS0506"}
    text = f"""PSRootEnable On\nPSCapDacOverride On\nPSMinUidGid 1 1
PSUserGroup {SERVER}\nPSCheckSuexecids On"""
    httpd = start("event", f"FcgidIPCDir {folder}\n"
                  f"FcgidProcessTableFile {folder}/table\n"
                  + host(folder, text) + host(folder, "PSExCGI On",
                                              name="some"),
                  modules=["cgi", "lua", "fcgid"],
                  main_config="ThreadStackSize 300000\nSuexec Off\n"
                              f"CoreDumpDirectory {folder}\n",
                  expect=[*server, *hosts, "PS0504"])
    found = re.findall(r"(PS\d{4}): (mod_lua|mod_fcgid)?",
                       httpd.said + httpd.log())
    assert sorted(found) == sorted([
        *((tag, "") for tag in {*server, *hosts, "PS0504"}
          - {"PS0503", "PS0509"}), ("PS0509", "mod_fcgid"),
        ("PS0503", "mod_lua"), ("PS0503", "mod_fcgid")])
    httpd.stop()
    assert httpd.said == ""


def test_no_tenants_files_at_start(start, folder):
    """What is said of a tenant's lock database is configtest's: a start looks
    at no tenant's files, nor is the tenant in the parent to look."""
    config = host(folder, PIN + DAV_ON + "/tmp/no/locks", "None")
    httpd = start("event", config, modules=DAV)
    assert "PS0510: alice.test" in httpd.configtest()[1]
    httpd.signal("SIGUSR1")
    httpd.wait_for_log("AH00493")
    assert "PS0510" not in httpd.said + httpd.log()


def test_not_loaded_is_unknown(folder):
    """Without the module its directives are an error, not a silence."""
    conf = put(folder / "x.conf", f"ServerRoot {folder}\n"
               f"DefaultRuntimeDir {folder}\nErrorLog {folder}/log\n"
               "Listen 127.0.0.1:1\n" + load_line("mpm_event")
               + load_line("authz_core") + "PSExAll On\n")
    done = subprocess.run([httpd_binary(), "-t", "-f", conf], text=True,
                          capture_output=True, timeout=60)
    assert done.returncode != 0
    assert "Invalid command 'PSExAll'" in done.stderr
