"""`make demo`: what the module does, shown on a private httpd.

Two tenants get a folder each; both folders also stand in hosts that the
module does not cover. The same files, CGI programs and PHP pages are asked
for through each, and the kernel says who ran them. Exits 0 only if all of it
is as promised.

PORT=8888  another port of 127.0.0.1 than 8080
KEEP=1     leaves the server running, and says how to ask and to stop it
"""
import contextlib
import os
import shutil
import socket
import subprocess
import sys
import threading

import harness
import proc
from harness import Tenant, Who, put, server_ids

# Numbers are enough for the kernel; the system's users stay as they are.
ALICE = Tenant(30101, 30101, name="alice")
BOB = Tenant(30102, 30102, name="bob")
COLOURS = {"ok": "\033[32mok\033[0m", "FAIL": "\033[31mFAIL\033[0m"}
NO_PHP = "(this httpd has no mod_php)"
SECRET = "$password = 'secret of bob';"

PEEK_CGI = """#!/bin/sh
echo Content-Type: text/plain
echo
cat {config} 2>&1
"""
PEEK_PHP = """<?php header("Content-Type: text/plain");
$text = @file_get_contents("{config}");
echo $text === false ? error_get_last()["message"] : $text;
"""
# Each runs until there is a file of the name beside it.
SLOW = {
    "cgi": "#!/bin/sh\necho Content-Type: text/plain\necho\n"
           "while [ ! -e end-cgi ]; do sleep 0.1; done\n",
    "php": "<?php while (!file_exists(__DIR__ . '/end-php')) {\n"
           "    usleep(100000); clearstatcache(); }\n",
}


class Stop(Exception):
    """Why there is nothing to show, in a sentence."""


class Report:
    """Tables whose last column says whether a row is as promised."""

    def __init__(self):
        self.failed = 0

    def table(self, title, head, widths, rows):
        def line(cells):
            return "  " + "  ".join(
                str(c).ljust(w) for c, w in zip(cells, widths))

        print(f"\n{title}\n\n{line(head).rstrip()}")
        print(line("-" * w for w in widths))
        for *cells, is_as_promised in rows:
            word = "ok" if is_as_promised else "FAIL"
            self.failed += not is_as_promised
            if sys.stdout.isatty():
                word = COLOURS[word]
            print(f"{line(cells)}  {word}")


def check_place(port):
    if os.geteuid() != 0:
        raise Stop("run this as root (or sudo make demo): httpd starts as "
                   "root, as it always does, and becomes the tenants")
    if harness.APXS is None:
        raise Stop("apxs is not here: run make demo, which installs it")
    for path in (harness.MODULE, harness.MOD_WHO):
        if not path.exists():
            raise Stop(f"{path} is not built: run make demo, which builds it")
    with socket.socket() as s:
        s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            s.bind(("127.0.0.1", port))
        except OSError as e:
            raise Stop(f"127.0.0.1:{port} cannot be used ({e.strerror}): "
                       "choose another, make demo PORT=8888") from None


def chosen_port():
    text = os.environ.get("PORT") or "8080"
    if not text.isdigit() or not 0 < int(text) < 65536:
        raise Stop(f"PORT={text} is no port")
    return int(text)


def make_sites(folder):
    """Folders for both, and bob's configuration, that the server may read:
    the classic config.php of a shared server."""
    harness.make_homes(folder, (ALICE, BOB))
    config = put(folder / "home/bob/www/config.php", f"<?php {SECRET}\n",
                 0o640, Tenant(BOB.uid, server_ids().gid))
    for tenant in (ALICE, BOB):
        www = folder / "home" / tenant.name / "www"
        for name, text in (("peek.cgi", PEEK_CGI), ("peek.php", PEEK_PHP)):
            put(www / name, text.replace("{config}", str(config)), 0o755,
                tenant)
    for kind, text in SLOW.items():
        put(folder / f"home/alice/www/slow.{kind}", text, 0o755, ALICE)


def configuration(folder):
    def host(name, tenant, extra=""):
        return harness.vhost(name, folder / "home" / tenant.name / "www",
                             extra)

    return "AddHandler application/x-httpd-php .php\n" + host(
        "alice", ALICE, f"PSUserGroup {ALICE.ids}") + host(
        "bob", BOB, "PSExAll On") + host("alice-bare", ALICE) + host(
        "bob-bare", BOB)


def name_of(who, which=0):
    """What the kernel said, for people: "30101:30101 (alice)". `which` of
    the four ids: 3 is whom it reaches files as."""
    uid, gid = (who.fields[f].split()[which] for f in ("Uid", "Gid"))
    known = {str(t.uid): t.name for t in (ALICE, BOB, server_ids())}
    return f"{uid}:{gid} ({known.get(uid, '?')})"


def capabilities(who, field):
    bits = int(who.fields[field], 16)
    names = {6: "setgid", 7: "setuid"}
    held = [names.get(n, str(n)) for n in range(64) if bits >> n & 1]
    return ",".join(held) or "none"


def show_identities(report, httpd, php):
    rows = []
    for host, tenant in (("alice", ALICE), ("bob", BOB), ("alice-bare", None),
                         ("bob-bare", None)):
        module = "in use" if tenant else "not in use"
        for kind, path in (("file", "/file.txt"), ("CGI", "/whoami.cgi"),
                           ("PHP", "/whoami.php")):
            if kind == "PHP" and not php:
                rows.append((f"{host}.test", module, kind, path, NO_PHP, True))
                continue
            answer = httpd.get(path, host)
            who = Who("")
            with contextlib.suppress(KeyError):
                who = answer.served_by if kind == "file" else answer.who
            seen = answer.status == 200 and "Uid" in who.fields
            rows.append((
                f"{host}.test", module, kind, path,
                name_of(who, 3 if kind == "file" else 0) if seen
                else f"status {answer.status}",
                seen and (who.is_(tenant) if tenant else who.is_server())))
    report.table("Who serves what, as the kernel reports it (uid:gid)",
                 ("host", "the module", "", "asked for", "ran, or read, as"),
                 (15, 10, 4, 11, 27), rows)


def show_secrets(report, httpd, php):
    rows = []
    for host, module, may in (("alice", "in use", False),
                              ("bob", "in use", True),
                              ("alice-bare", "not in use", True)):
        for kind in ("cgi", "php"):
            if kind == "php" and not php:
                rows.append((f"{host}.test", module, "/peek.php", NO_PHP,
                             True))
                continue
            answer = httpd.get(f"/peek.{kind}", host)
            read = SECRET in answer.text
            denied = "Permission denied" in answer.text
            said = (SECRET if read else
                    "Permission denied" if denied else
                    f"status {answer.status}, {answer.text[:30]!r}")
            rows.append((f"{host}.test", module, f"/peek.{kind}", said,
                         read if may else denied and not read))
    report.table("Who can read bob's config.php (mode 0640, bob:"
                 f"{server_ids().name}, so that httpd can)",
                 ("host", "the module", "script", "what the script gets"),
                 (15, 10, 9, 38), rows)


def alices_threads(httpd):
    return proc.threads_of(httpd, ALICE)


@contextlib.contextmanager
def running(httpd, kind):
    """While alice's slow script runs."""
    def ask():
        with contextlib.suppress(OSError):
            httpd.get(f"/slow.{kind}")

    end = httpd.folder / f"home/alice/www/end-{kind}"
    end.unlink(missing_ok=True)
    client = threading.Thread(target=ask)
    client.start()
    try:
        find = proc.scripts if kind == "cgi" else alices_threads
        if not proc.wait_until(lambda: find(httpd)):
            raise Stop(f"/slow.{kind} does not run\n{httpd.log()}")
        yield
    finally:
        put(end)
        client.join()


def show_privileges(report, httpd, php):
    """Of a page of alice's that runs, and of a CGI program."""
    rows = []

    def row(what, number, who, is_as_promised):
        rows.append((what, number, name_of(who), capabilities(who, "CapPrm"),
                     capabilities(who, "CapEff"), is_as_promised))

    with running(httpd, "cgi"):
        pid = proc.scripts(httpd)[0]
        who = Who(proc.read(f"/proc/{pid}/status"))
        row("alice's CGI program", pid, who, who.is_(ALICE))
        parent = int(who.fields["PPid"])
        who = proc.threads(parent)[parent]
        row("httpd's thread for it", parent, who,
            who.is_httpds() and not alices_threads(httpd)
            and int(who.fields["CapPrm"], 16) == 0xc0)
        idle = [p for p in httpd.children() if p != parent]
        for pid in idle[:1]:
            who = proc.threads(pid)[pid]
            row("httpd child, idle", pid, who, who.is_server())
    if php:
        with running(httpd, "php"):
            pid, tid = alices_threads(httpd)[0]
            who = proc.threads(pid)[tid]
            row("alice's thread (PHP)", tid, who, who.is_(ALICE))
            who = proc.threads(pid)[pid]
            row("httpd's thread beside it", pid, who,
                who.is_httpds() and int(who.fields["CapPrm"], 16) == 0xc0)
    report.table("What they may, while a script of alice's runs",
                 ("process or thread", "id", "runs as", "permitted",
                  "effective"), (24, 7, 20, 13, 9), rows)


def show(report, httpd, php):
    version = subprocess.run([harness.httpd_binary(), "-v"], text=True,
                             check=True, capture_output=True).stdout
    print(f"A private {version.split()[2]} (prefork) on 127.0.0.1:"
          f"{httpd.port}, in {httpd.folder}:\n"
          f"  alice.test       alice's folder, PSUserGroup {ALICE.ids}\n"
          "  bob.test         bob's folder, PSExAll On: each file's owner\n"
          "  alice-bare.test, bob-bare.test: the same folders, not covered")
    show_identities(report, httpd, php)
    show_secrets(report, httpd, php)
    show_privileges(report, httpd, php)
    strange = httpd.unexpected_lines()
    for line in strange:
        print(f"\nFAIL: in httpd's error log: {line}")
    report.failed += len(strange)


def say_how_to_go_on(httpd, php):
    print("\nThe server is left running. Ask it:\n")
    for host in ("alice", "bob", "alice-bare"):
        for path in ("/whoami.cgi", "/peek.cgi") + (
                ("/whoami.php",) if php else ()):
            print(f"  curl -H 'Host: {host}.test' "
                  f"http://127.0.0.1:{httpd.port}{path}")
    print(f"\nIts files, and its configuration:\n\n  {httpd.folder}\n"
          f"  {httpd.conf}\n\nTo stop it, and to remove its files:\n\n"
          f"  kill $(cat {httpd.pid_file}); sleep 1; rm -r {httpd.folder}")


def demo(report):
    port = chosen_port()
    check_place(port)
    php = harness.module_file("php") is not None
    if not php and os.environ.get("PS_MUST_RUN") == "1":
        raise Stop("PS_MUST_RUN=1, but this httpd has no mod_php")
    folder = harness.new_folder()
    keep = False
    httpd = None
    try:
        make_sites(folder)
        httpd = harness.Httpd(folder, "prefork", configuration(folder),
                              modules=["cgi"] + ["php"] * php, port=port)
        httpd.start()
        show(report, httpd, php)
        print("\nAll is as promised." if report.failed == 0 else
              f"\nFAIL: {report.failed} of it are not as promised.")
        keep = os.environ.get("KEEP") == "1"
        if keep:
            say_how_to_go_on(httpd, php)
    finally:
        if not keep:
            if httpd:
                httpd.stop()
            shutil.rmtree(folder)


def main():
    report = Report()
    try:
        demo(report)
    except (Stop, AssertionError) as e:  # httpd does not start, or stop
        print(f"demo: {e}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return 1 if report.failed else 0


if __name__ == "__main__":
    sys.exit(main())
