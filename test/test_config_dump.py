"""apachectl -t -D DUMP_PROCESS_SECURITY, line by line."""
import subprocess

import pytest

from harness import Httpd, put, server_ids, vhost, with_file_at

SERVER = "as=server files=server cgi=server code=server"
OWNER = "as=owner(min=100:100)"
THREAD = "files=in-place cgi=spawn code=thread"

ROWS = {
    "plain": ("", f"covers=none {SERVER}"),
    "off": ("PSExAll Off\nPSIgnoreExtensions .css", f"covers=none {SERVER}"),
    "all": ("PSExAll On", f"covers=all {OWNER} {THREAD}"),
    "ignore": ("PSExAll On\nPSIgnoreExtensions .css .js",
               f"covers=all-but(.css,.js) {OWNER} {THREAD}"),
    "all-cgi": ("PSExAll On\nPSExCGI On",
                f"covers=all,cgi {OWNER} {THREAD}"),
    "extensions": ("PSExtensions .php .cgi", "covers=extensions(.php,.cgi) "
                   f"{OWNER} files=listed cgi=listed code=listed"),
    "minimum": ("PSExAll On\nPSMinUidGid 1000 50",
                f"covers=all as=owner(min=1000:50) {THREAD}"),
    "default": ("PSExAll On\nPSDefaultUidGid #30003 #30004", "covers=all "
                f"as=owner(min=100:100;default=30003:30004) {THREAD}"),
    "number": ("PSUserGroup #30001 #30002", "covers=all as=#30001:#30002"
               f"(uid=30001;groups=30002) {THREAD}"),
    "owner": ("PSUserGroup owner\nPSExAll On",
              f"covers=all {OWNER} {THREAD}"),
    "docroot": ("PSUserGroup docroot\nPSMinUidGid 1000 50",
                f"covers=all as=docroot(min=1000:50) {THREAD}"),
    "suexec": ("PSUserGroup suexec", "covers=all "
               f"as=userdir-or-owner(min=100:100) {THREAD}"),
    "suexec-named": ("PSUserGroup suexec\nSuexecUserGroup #30001 #30002",
                     "covers=all as=suexec:#30001:#30002"
                     f"(uid=30001;groups=30002) {THREAD}"),
    "section": ("<Location /x>\nPSExAll On\n</Location>",
                f"covers=none+1-sections {OWNER} files=server cgi=server "
                "code=server"),
    "sections": ("PSExAll On\n<Location /x>\nPSExAll Off\n</Location>\n"
                 '<Files "y">\nPSExCGI On\n</Files>\n<Directory /srv>\n'
                 "PSTrustedPath Off\n</Directory>",
                 f"covers=all+2-sections {OWNER} {THREAD}"),
    "pin-off": ("PSUserGroup #30001 #30002\nPSExAll Off",
                f"covers=none {SERVER}"),
    "cgi": ("PSExCGI On", f"covers=cgi {OWNER} files=server cgi=spawn "
            "code=server"),
    "handlers": ("PSHandlers lua-script", "covers=handlers(lua-script) "
                 f"{OWNER} files=server cgi=listed code=listed"),
    "both": ("PSExCGI On\nPSHandlers lua-script", "covers=cgi,"
             f"handlers(lua-script) {OWNER} files=server cgi=spawn "
             "code=listed"),
}


def dump(folder, config, group_file="/etc/group"):
    """The lines after the title, by name of host."""
    httpd = Httpd(folder, "event", config,
                  modules=["cgi", "suexec", "userdir"])
    said = subprocess.run(
        with_file_at("/etc/group", group_file, *httpd.command(
            "-t", "-D", "DUMP_PROCESS_SECURITY")), check=True, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=60).stdout
    lines = [n for n in said.splitlines() if "] PS0504: " not in n]
    assert lines[0] == "Process security:" and lines[-1] == "Syntax OK", said
    return dict(n.split(" covers=", 1) for n in lines[1:-1])


def host(folder, name, text):
    return vhost(name, folder / "home/alice/www", text)


@pytest.mark.parametrize("name", ROWS)
def test_line(folder, name):
    """A host's line; the main server's says that it covers nothing."""
    text, line = ROWS[name]
    assert dump(folder, host(folder, name, text)) == {
        "main server main.test": f"none {SERVER}",
        f"{name}.test": line.removeprefix("covers=")}


def test_all_hosts(folder):
    """Every host has its line, with what it inherits of the main server, and
    its port where it has one."""
    config = ("PSExAll On\nPSMinUidGid 200 200\n" + host(folder, "heir", "")
              + host(folder, "port", "PSExAll Off").replace(
                  "<VirtualHost *>", "<VirtualHost *:8080>"))
    covered = f"all as=owner(min=200:200) {THREAD}"
    assert dump(folder, config) == {
        "main server main.test": covered, "heir.test": covered,
        "port.test:8080": f"none {SERVER}"}


def test_groups_of_a_named_user(folder):
    """A named tenant is shown with all groups that its threads will have."""
    server = server_ids()
    groups = put(folder / "group", "nogroup:x:65534:\nlast:x:40002:nobody\n"
                 "first:x:40001:nobody,daemon\nother:x:40003:daemon\n"
                 f"{server.name}:x:{server.gid}:\n")
    for line, shown in (
            ("nobody nogroup", "nobody:nogroup(uid=65534;groups=65534,40001,"
             "40002)"),
            ("nobody last", "nobody:last(uid=65534;groups=40002,40001)"),
            ("#65534 #65534", "#65534:#65534(uid=65534;groups=65534,40001,"
             "40002)"),
            ("#30001 first", "#30001:first(uid=30001;groups=40001)")):
        found = dump(folder, host(folder, "pinned", f"PSUserGroup {line}"),
                     groups)
        assert found["pinned.test"] == f"all as={shown} {THREAD}"


def test_not_asked_for(folder):
    """Without the define there is no such line."""
    httpd = Httpd(folder, "event", host(folder, "all", "PSExAll On"))
    assert httpd.configtest() == (0, "Syntax OK\n")
