"""What the directives accept, and where: each wrong line is refused with the
directive's name, and stands beside one that passes."""
import pytest

from harness import ALICE, Httpd, put, put_folder, vhost

HOST_FLAGS = ("PSRootEnable", "PSCapDacOverride")
DIR_FLAGS = ("PSExAll", "PSExCGI", "PSCheckSuexecids", "PSTrustedPath",
             "PSKeepOpenFile")
# A right line of each directive.
HOST_LINES = ["PSUserGroup #30001 #30001", "PSUserGroup owner",
              "PSMinUidGid 100 100", "PSDefaultUidGid #30001 #30001",
              *[f"{name} Off" for name in HOST_FLAGS]]
DIR_LINES = ["PSExtensions .php .pl", "PSHandlers cgi-script",
             "PSIgnoreExtensions .css", *[f"{name} On" for name in DIR_FLAGS]]
HIGHEST = 2**32 - 2

# A wrong line, what is said of it, and a right one that differs little.
WRONG = [
    ("PSUserGroup ps-nobody #30001", "unknown user ps-nobody",
     "PSUserGroup nobody #30001"),
    ("PSUserGroup #30001 ps-nogroup", "unknown group ps-nogroup",
     "PSUserGroup #30001 #30001"),
    ("PSUserGroup #30001x #30001", "is not a number",
     "PSUserGroup #030001 #30001"),
    ("PSUserGroup 30001 #30001", "unknown user 30001",
     "PSUserGroup #30001 #30001"),
    ("PSUserGroup # #30001", "is not a number", "PSUserGroup #100 #30001"),
    ("PSUserGroup #-1 #30001", "is not a number", "PSUserGroup #100 #100"),
    ("PSUserGroup #30001 #-1", "is not a number", "PSUserGroup #100 #100"),
    ("PSUserGroup #+100 #100", "is not a number", "PSUserGroup #100 #100"),
    ("PSUserGroup #4294967295 #30001", "out of range",
     f"PSUserGroup #{HIGHEST} #{HIGHEST}"),
    ("PSUserGroup #30001 #4294967295", "out of range",
     f"PSUserGroup #30001 #{HIGHEST}"),
    ("PSUserGroup #4294967396 #30001", "out of range",
     "PSUserGroup #100 #30001"),
    ("PSUserGroup #99999999999999999999 #30001", "out of range",
     f"PSUserGroup #{HIGHEST} #30001"),
    ("PSUserGroup nobody", "wants a group too", "PSUserGroup owner"),
    ("PSUserGroup own", "wants a group too", "PSUserGroup OWNER"),
    ("PSUserGroup docroots", "wants a group too", "PSUserGroup DocRoot"),
    ("PSUserGroup 1", "wants a group too", "PSUserGroup Suexec"),
    ("PSUserGroup", "takes 1-2 arguments", "PSUserGroup owner"),
    ("PSUserGroup a b c", "takes 1-2 arguments", "PSUserGroup #100 #100"),
    ("PSMinUidGid x 100", "is not a number", "PSMinUidGid 0 100"),
    ("PSMinUidGid 100 -1", "is not a number", "PSMinUidGid 100 0"),
    ("PSMinUidGid #100 100", "is not a number", "PSMinUidGid 100 100"),
    ("PSMinUidGid 4294967295 100", "out of range",
     f"PSMinUidGid {HIGHEST} 100"),
    ("PSMinUidGid 100 4294967295", "out of range",
     f"PSMinUidGid 100 {HIGHEST}"),
    ("PSMinUidGid 100", "takes two arguments", "PSMinUidGid 100 100"),
    ("PSDefaultUidGid ps-nobody #100", "unknown user ps-nobody",
     "PSDefaultUidGid nobody #100"),
    ("PSDefaultUidGid #100 ps-nogroup", "unknown group ps-nogroup",
     "PSDefaultUidGid 100 100"),
    ("PSDefaultUidGid #4294967295 #100", "out of range",
     "PSDefaultUidGid #100 #100"),
    ("PSDefaultUidGid 100 4294967295", "4294967295",
     f"PSDefaultUidGid 100 {HIGHEST}"),
    ("PSDefaultUidGid 100 -1", "-1", "PSDefaultUidGid 100 100"),
    ("PSDefaultUidGid 100x 100", "100x", "PSDefaultUidGid 100 100"),
    ("PSDefaultUidGid #100", "takes two arguments",
     "PSDefaultUidGid #100 #100"),
    ("PSExtensions", "empty list", "PSExtensions .php"),
    ("PSExtensions .php pl", "pl is not an extension",
     "PSExtensions .php .pl"),
    ("PSExtensions .", ". is not an extension", "PSExtensions .p"),
    ('PSExtensions ""', "is not an extension", 'PSExtensions ".php"'),
    ("PSExtensions .a/.b", ".a/.b is not an extension",
     "PSExtensions .a.b"),
    ("PSIgnoreExtensions", "empty list", "PSIgnoreExtensions .css"),
    ("PSIgnoreExtensions css", "css is not an extension",
     "PSIgnoreExtensions .css .CSS"),
    ("PSHandlers", "empty list", "PSHandlers cgi-script"),
    ('PSHandlers cgi-script ""', "no handler",
     'PSHandlers cgi-script "lua-script"'),
    ("PSHandlers proxy-server", "hands requests to another process",
     "PSHandlers server"),
    ("PSHandlers cgi-script fcgid-script", "fcgid-script hands requests",
     "PSHandlers cgi-script fcgid"),
    ("PSHandlers proxy:fcgi://127.0.0.1:1/", "hands requests",
     "PSHandlers proxy"),
    *[(f"{name} Maybe", "must be On or Off", f"{name} off")
      for name in (*HOST_FLAGS, *DIR_FLAGS)],
]


def check(folder, config):
    return Httpd(folder, "event", config, modules=["cgi"]).configtest()


def passes(folder, config):
    status, said = check(folder, config)
    return status == 0 and said.strip().endswith("Syntax OK")


@pytest.mark.parametrize("wrong, said, right", WRONG,
                         ids=[row[0].replace(" ", "_") for row in WRONG])
def test_value(folder, wrong, said, right):
    """The wrong line is refused, naming the directive and what is wrong with
    it; the right one passes. In a virtual host as in the main server."""
    name = wrong.split()[0]
    for place in ("{}\n", "<VirtualHost *>\n{}\n</VirtualHost>\n"):
        status, text = check(folder, place.format(wrong))
        assert status != 0
        message = text.split("httpd.conf:")[1]
        assert message.strip().startswith(name), text
        assert said in message, text
        assert passes(folder, place.format(right))


def test_case_of_proxy_names(folder):
    """Handlers are found in any case, so those of proxies are refused so."""
    for name in ("Proxy-Server", "PROXY:x", "FCGID-Script"):
        status, text = check(folder, f"PSHandlers {name}")
        assert status != 0 and "PSHandlers" in text, text


PLACES = ("<Directory /srv>\n{}\n</Directory>",
          "<Location /x>\n{}\n</Location>", '<Files "x">\n{}\n</Files>',
          '<If "true">\n{}\n</If>',
          "<VirtualHost *>\n<Location /x>\n{}\n</Location>\n</VirtualHost>")


@pytest.mark.parametrize("line", HOST_LINES)
def test_host_directive_in_a_section(folder, line):
    """A host's directive is refused in a section, and passes in a host."""
    for place in PLACES:
        status, text = check(folder, place.format(line))
        assert status != 0
        assert f"{line.split()[0]} not allowed " in text, text
    assert passes(folder, f"<VirtualHost *>\n{line}\n</VirtualHost>")


@pytest.mark.parametrize("line", DIR_LINES)
def test_directory_directive_in_a_section(folder, line):
    """A directory's directive passes everywhere, but not in <Limit>."""
    for place in PLACES:
        assert passes(folder, place.format(line))
    status, text = check(folder, "<Location /x>\n<Limit GET>\n" + line
                         + "\n</Limit>\n</Location>")
    assert status != 0
    assert f"{line.split()[0]} cannot occur within <Limit>" in text, text


def test_never_in_htaccess(start, folder):
    """No directive works in a .htaccess, whatever AllowOverride says."""
    www = folder / "home/alice/www"
    httpd = start("event", vhost("alice", www, "PSExAll On"))
    for number, line in enumerate(HOST_LINES + DIR_LINES):
        place = put_folder(www / str(number), owner=ALICE)
        put(place / "file.txt", "text\n", 0o644, ALICE)
        put(place / ".htaccess", line + "\n", 0o644, ALICE)
        with httpd.expecting(f"{line.split()[0]} not allowed here"):
            assert httpd.get(f"/{number}/file.txt").status == 500
        put(place / ".htaccess", "# " + line + "\n", 0o644, ALICE)
        with httpd.expecting():
            answer = httpd.get(f"/{number}/file.txt")
        assert answer.text == "text\n"
        assert answer.served_by.is_(ALICE)
