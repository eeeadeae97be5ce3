"""mod_php: as its tenant, and otherwise as in a httpd without the module.

On prefork, as that is where mod_php runs. "plain" is a host that is not
covered, which serves the same scripts: bare httpd, to compare with.
"""
import os
import re

import pytest

from harness import ALICE, BOB, TENANTS, Who, put, put_folder, shared
from test_leftovers import hang_up
from test_tenants import hosts

PHP = """AddHandler application/x-httpd-php .php
php_flag display_errors on
php_admin_flag html_errors off
php_admin_flag log_errors off
php_admin_value error_reporting 32767
php_value memory_limit 32M
"""


@pytest.fixture(scope="module", params=(True, False), ids=("pinned", "owner"))
def httpd(request):
    """One server for all cases; each case has pages of its own."""
    def config(folder):
        return PHP + hosts(folder, request.param, f"""
            php_admin_value upload_tmp_dir {{home}}/tmp
            php_admin_value opcache.validate_permission 1
            Alias /bob {folder}/home/bob/www
            <Directory {folder}/home/bob/www>
            Require all granted
            </Directory>""")
    with shared("prefork", config, modules=["php"]) as server:
        for tenant in TENANTS:
            put_folder(server.folder / "home" / tenant.name / "tmp", 0o700,
                       tenant)
        yield server


def put_pages(httpd, **pages):
    """Pages for each tenant; HOME in one is its tenant's."""
    for tenant in TENANTS:
        home = httpd.folder / "home" / tenant.name
        for name, text in pages.items():
            put(home / "www" / f"{name}.php",
                text.replace("HOME", str(home)), 0o644, tenant)


def get_all(httpd, path, **kwargs):
    """The answers of alice, bob, and the bare host; ids are checked."""
    answers = []
    for tenant in (ALICE, BOB, None):
        answer = httpd.get(path, tenant.name if tenant else "plain", **kwargs)
        who = answer.handled_by
        assert who.is_(tenant) if tenant else who.is_server(), who
        answers.append(answer)
    return answers


def test_ids(httpd):
    """The page, what PHP's functions say, and the groups are the tenant's."""
    put_pages(httpd, ids="""<?php echo implode(" ", array_merge(
        [posix_getuid(), posix_geteuid(), posix_getgid(), posix_getegid()],
        posix_getgroups()));""")
    for answer, tenant in zip(get_all(httpd, "/ids.php"), (ALICE, BOB)):
        assert answer.text == f"{tenant.uid} {tenant.uid} " \
                              f"{tenant.gid} {tenant.gid}"
    *tenants, plain = get_all(httpd, "/whoami.php")
    assert tenants[0].who.is_(ALICE) and tenants[1].who.is_(BOB)
    assert plain.who.is_server()


# Each as bare httpd: status and body, and then the child serves on.
SAME = {
    "exit": '<?php echo "before"; exit(3); echo "after";',
    "status": '<?php http_response_code(404); header("X-A: b"); echo "gone";',
    "header": '<?php header("Location: http://x.test/", true, 302);',
    "shown": '<?php echo "before"; nosuchfunction();',
    "hidden": '<?php ini_set("display_errors", "0"); nosuchfunction();',
    "thrown": '<?php throw new Exception("x");',
    "parse": "<?php this is no PHP",
    "memory": '<?php $s = str_repeat("x", 200 << 20);',
    "large": '<?php for ($i = 0; $i < 300; $i++) echo str_repeat("$i", 4096);',
    "path": '<?php echo $_SERVER["PATH_INFO"] ?? "none";',
    "post": '<?php echo md5(file_get_contents("php://input")), $_POST["a"];',
    "nest": """<?php $a = 1; for ($i = 0; $i < 4000; $i++) $a = [$a];
        $s = serialize($a); echo md5($s);
        echo json_encode($a, 0, 5000) === false ? "no" : "yes";
        function f($n) { return $n ? f($n - 1) + 1 : 0; } echo f(20000);
        function g($n) { return $n ? array_map("g", [$n - 1])[0] + 1 : 0; }
        echo g(2000);""",
    "endless": "<?php function f() { return f() + 1; } f();",
    # Through C frames, which PHP looks after from 8.3 on; before, it ends in
    # a segmentation fault, here as in bare httpd.
    "native": """<?php
        if (PHP_VERSION_ID < 80300) exit("Maximum call stack: not in 8.2");
        function f() { return array_map("f", [1]); }
        try { f(); } catch (Error $e) { echo $e->getMessage(); }""",
}


@pytest.mark.parametrize("name", SAME)
def test_same_as_bare(httpd, name):
    """What a page does is what it does in bare httpd; its child lives on."""
    put_pages(httpd, **{name: SAME[name]})
    children = set(httpd.children())
    post = name == "post"
    *tenants, plain = get_all(
        httpd, f"/{name}.php/a/b" if name == "path" else f"/{name}.php",
        method="POST" if post else "GET", body=b"a=" + b"x" * 100000,
        headers={"Content-Type": "application/x-www-form-urlencoded"})
    for answer in tenants:
        assert answer.status == plain.status
        assert re.sub("/home/[a-z]+/", "/home/alice/",
                      answer.text) == plain.text
        assert answer.headers.get("x-a") == plain.headers.get("x-a")
    expected = {"exit": (200, "before"), "status": (404, "gone"),
                "header": (302, ""), "shown": (200, "nosuchfunction"),
                "hidden": (500, ""), "thrown": (200, "Uncaught Exception"),
                "parse": (200, "syntax error"),
                "memory": (200, "Allowed memory size"),
                "large": (200, "299" * 4096), "path": (200, "/a/b"),
                "post": (200, "x" * 100000), "nest": (200, "yes200002000"),
                "endless": (200, "Allowed memory size"),
                "native": (200, "")}[name]
    assert plain.status == expected[0]
    assert expected[1] in plain.text
    if name == "native":
        assert re.search("Allowed memory|Maximum call stack", plain.text)
    assert httpd.get("/whoami.php").who.is_(ALICE)
    assert children <= set(httpd.children())


def test_time_limit(httpd):
    """An endless loop ends with PHP's own error, and its child serves on."""
    put_pages(httpd, pid="<?php echo getmypid();",
              loop="""<?php set_time_limit(1);
                  if (isset($_GET["quiet"])) ini_set("display_errors", 0);
                  while (true);""")
    for host in ("plain", "alice"):
        answer = httpd.get("/loop.php", host)
        assert answer.status == 200
        assert "Maximum execution time of 1 second exceeded" in answer.text
    assert answer.handled_by.is_(ALICE)
    connection = httpd.connection()
    before = httpd.get("/pid.php", connection=connection).text
    answer = httpd.get("/loop.php?quiet", connection=connection)
    assert (answer.status, answer.text) == (500, "")
    assert answer.handled_by.is_(ALICE)
    assert int(before) in httpd.children()
    assert httpd.get("/whoami.php").who.is_(ALICE)


RUN = {
    "passthru": 'passthru("cat /proc/self/status");',
    "exec": 'exec("cat /proc/self/status", $out); echo implode("\n", $out);',
    "popen": 'echo stream_get_contents(popen("cat /proc/self/status", "r"));',
    "proc_open": """$p = proc_open(["/bin/cat", "/proc/self/status"],
                                   [1 => ["pipe", "w"]], $pipes);
                    echo stream_get_contents($pipes[1]);""",
}


def test_programs(httpd):
    """What a page starts is its tenant's, and has no capability."""
    put_pages(httpd, **{name: f"<?php {text}" for name, text in RUN.items()})
    for name in RUN:
        *tenants, plain = get_all(httpd, f"/{name}.php")
        assert plain.who.is_server(), plain.text
        for answer, tenant in zip(tenants, (ALICE, BOB)):
            assert answer.who.is_(tenant), (name, answer.text)


def test_upload(httpd):
    """An uploaded file is the tenant's, before and after it was moved."""
    put_pages(httpd, upload="""<?php $f = $_FILES["f"];
        echo fileowner($f["tmp_name"]), " ", filegroup($f["tmp_name"]), " ";
        echo move_uploaded_file($f["tmp_name"], "HOME/tmp/kept") ? "y" : "n";
        """)
    content = os.urandom(300000)
    body = (b'--B\r\nContent-Disposition: form-data; name="f"; '
            b'filename="n"\r\n\r\n' + content + b"\r\n--B--\r\n")
    for tenant in (ALICE, BOB):
        answer = httpd.get("/upload.php", tenant.name, "POST", body, {
            "Content-Type": "multipart/form-data; boundary=B"})
        assert answer.handled_by.is_(tenant)
        assert answer.text == f"{tenant.uid} {tenant.gid} y"
        tmp = httpd.folder / "home" / tenant.name / "tmp"
        kept = os.stat(tmp / "kept")
        assert (kept.st_uid, kept.st_gid) == (tenant.uid, tenant.gid)
        assert (tmp / "kept").read_bytes() == content
        assert os.listdir(tmp) == ["kept"]
        (tmp / "kept").unlink()


def test_session(httpd):
    """A session's file is the tenant's; the next request finds it, and a
    neighbour with the same cookie does not."""
    put_pages(httpd, count="""<?php
        session_save_path("HOME/tmp"); session_start();
        echo $_SESSION["n"] = ($_SESSION["n"] ?? 0) + 1;""",
              steal="""<?php session_save_path($_GET["from"]);
        @session_start(); echo json_encode($_SESSION ?? null);""")
    for tenant in (ALICE, BOB):
        first = httpd.get("/count.php", tenant.name)
        assert first.handled_by.is_(tenant) and first.text == "1"
        cookie = {"Cookie": first.headers["set-cookie"].split(";")[0]}
        assert httpd.get("/count.php", tenant.name,
                         headers=cookie).text == "2"
        tmp = httpd.folder / "home" / tenant.name / "tmp"
        file, = tmp.glob("sess_*")
        assert (file.stat().st_uid, file.stat().st_gid) == (tenant.uid,
                                                            tenant.gid)
        steal = f"/steal.php?from={tmp}"
        assert '"n":2' in httpd.get(steal, tenant.name, headers=cookie).text
        thief = BOB if tenant is ALICE else ALICE
        answer = httpd.get(steal, thief.name, headers=cookie)
        assert answer.handled_by.is_(thief)
        assert '"n"' not in answer.text


def test_files(httpd):
    """Own files can be read and written, a neighbour's and httpd's not."""
    put_pages(httpd, file="""<?php $f = $_GET["f"];
        echo $_GET["do"] == "read" ? var_export(@file_get_contents($f), true)
            : var_export(@file_put_contents($f, "new"), true);""")
    home = httpd.folder / "home"
    for tenant, other in ((ALICE, BOB), (BOB, ALICE)):
        own, foreign = home / tenant.name, home / other.name
        put(foreign / "www" / "closed", "secret", 0o600, other)
        for do, path, said in (
                ("read", own / "private.txt", f"'secret of {tenant.name}\n'"),
                ("read", foreign / "private.txt", "false"),
                ("read", foreign / "www" / "closed", "false"),
                ("read", foreign / "tmp", "false"),
                ("read", "/etc/shadow", "false"),
                ("read", "/proc/self/environ", "false"),
                ("write", own / "tmp" / "new", "3"),
                ("write", foreign / "tmp" / "new", "false"),
                ("write", foreign / "www" / "new", "false"),
                ("write", httpd.error_log, "false"),
                ("write", httpd.run / "new", "false")):
            answer = httpd.get(f"/file.php?do={do}&f={path}", tenant.name)
            assert answer.handled_by.is_(tenant)
            assert answer.text == said, (do, path, answer.text)
        new = os.stat(own / "tmp" / "new")
        assert (new.st_uid, new.st_gid) == (tenant.uid, tenant.gid)


def test_end_of_page(httpd):
    """Code that PHP runs when a page ends is the tenant's, also after a
    fatal error, an exit, and when the client has gone."""
    note = 'clearstatcache(true); file_put_contents("HOME/tmp/note", ' \
           'file_get_contents("/proc/thread-self/status"), FILE_APPEND);'
    leave = f"<?php register_shutdown_function(function () {{ {note} }});" \
            f"class C {{ function __destruct() {{ {note} }} }} $c = new C;" \
            f"ob_start(function ($b) {{ {note} return $b; }});"
    ends = {"ends": "", "exits": "exit;", "fails": "nosuch();",
            "writes": 'ob_end_flush(); while (true) {'
                      ' echo str_repeat("x", 1 << 20); }'}
    put_pages(httpd, **{name: leave + text for name, text in ends.items()})
    for tenant in (ALICE, BOB):
        note = httpd.folder / "home" / tenant.name / "tmp" / "note"
        for name in ends:
            if name == "writes":
                hang_up(httpd, f"/{name}.php", tenant.name, read=100)
            else:
                answer = httpd.get(f"/{name}.php", tenant.name)
                assert answer.handled_by.is_(tenant)
            # After a fatal error PHP calls no destructors.
            least = 2 if name == "fails" else 3
            httpd._wait(lambda: note.exists()
                        and note.read_text().count("Uid:") >= least, 10, name)
            whos = re.split(r"(?m)^(?=Name:)", note.read_text())[1:]
            assert all(Who(w).is_(tenant) for w in whos), (name, whos)
            note.unlink()
        assert httpd.get("/whoami.php", tenant.name).who.is_(tenant)


def test_subrequest(httpd):
    """virtual() of a page stays in the tenant's thread: the neighbour's
    script runs as the caller, and his closed one does not."""
    put_pages(httpd, virtual='<?php virtual($_GET["of"]);')
    put(httpd.folder / "home/bob/www/closed.php", "<?php echo 'ran';", 0o600,
        BOB)
    for path in ("/whoami.php", "/bob/whoami.php"):
        answer = httpd.get(f"/virtual.php?of={path}")
        assert answer.handled_by.is_(ALICE)
        assert answer.who.is_(ALICE), answer.text
    answer = httpd.get("/virtual.php?of=/bob/closed.php")
    assert answer.handled_by.is_(ALICE)
    assert "denied" in answer.text and "ran" not in answer.text
    answer = httpd.get("/virtual.php?of=/closed.php", "bob")
    assert answer.handled_by.is_(BOB) and answer.text == "ran"


def test_cached_script(httpd):
    """What OPcache has compiled for one tenant is not another's to include,
    with opcache.validate_permission, which README demands."""
    closed = put(httpd.folder / "home/alice/closed.php", "<?php echo 'ran';",
                 0o600, ALICE)
    os.utime(closed, (1e9, 1e9))  # OPcache leaves new files alone
    put_pages(httpd, include=f'<?php include "{closed}";')
    for _ in range(8):
        answer = httpd.get("/include.php", "alice")
        assert answer.handled_by.is_(ALICE) and answer.text == "ran"
        answer = httpd.get("/include.php", "bob")
        assert answer.handled_by.is_(BOB)
        assert "Failed opening" in answer.text and "ran" not in answer.text
