# mod_process_security
#
#   make            build mod_process_security.so
#   make install    build, and install it where httpd looks for modules
#   make demo       show, on a private httpd, what the module does
#   make check      run every test
#   make bench      measure what the module costs; QUICK=1: in three minutes
#   make lint       check format, static analysis, stray privilege calls
#   make clean
#
# APXS=/path/to/apxs chooses one httpd among several. CI=true turns compiler
# warnings into errors.

APXS ?= $(shell command -v apxs || command -v apxs2 || echo apxs)
CC ?= cc
PYTHON ?= /usr/bin/python3

BUILD := build
FLAGS := $(BUILD)/flags
MODULE := mod_process_security.so

# The parts that know no httpd header; t/ links them.
CORE := caps decision identity kernel lookup path privilege settings spawn stack step \
	tenant_thread
# The parts that httpd calls.
GLUE := cgi checks children content dav_locks directives docroot dump exec_tag \
	filters finding fs_identity matter neighbours opened pipes reaper record \
	refusal request script script_body script_copy \
	script_log startup suexec survey tenancy \
	warnings way way_in_place way_spawn way_thread

WARN := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wformat=2
ifeq ($(CI),true)
WARN += -Werror
endif
CFLAGS ?= -O2 -g
HARDEN := -fstack-protector-strong -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2
# httpd's headers are not ours to mend: -isystem keeps their warnings out.
ifneq ($(shell command -v $(APXS)),)
HTTPD_FLAGS := $(shell $(APXS) -q EXTRA_CPPFLAGS) \
	-isystem $(shell $(APXS) -q INCLUDEDIR) \
	-isystem $(shell $(APXS) -q APR_INCLUDEDIR) \
	-isystem $(shell $(APXS) -q APU_INCLUDEDIR)
endif
ALL_CFLAGS = -std=gnu11 -D_GNU_SOURCE -fPIC -pthread -fvisibility=hidden \
	$(WARN) $(HARDEN) $(CPPFLAGS) $(CFLAGS) $(HTTPD_FLAGS)

CORE_OBJECTS := $(CORE:%=$(BUILD)/%.o)
OBJECTS := $(BUILD)/mod_process_security.o $(GLUE:%=$(BUILD)/%.o) \
	$(CORE_OBJECTS)

.DELETE_ON_ERROR:
.PHONY: FORCE all install demo bench check check-debian13 check-unit lint clean need-apxs

all: $(MODULE)

$(MODULE): $(OBJECTS)
	$(CC) -shared -pthread -Wl,-z,relro,-z,now $(LDFLAGS) -o $@ $^ -lcap

$(BUILD)/mod_process_security.o: mod_process_security.c $(FLAGS) | need-apxs
	$(CC) $(ALL_CFLAGS) -MMD -MP -c -o $@ $<

$(BUILD)/%.o: src/%.c $(FLAGS) | need-apxs
	$(CC) $(ALL_CFLAGS) -MMD -MP -c -o $@ $<

# Changes when the compiler, httpd or flags do, and then all is built anew.
$(FLAGS): FORCE
	@mkdir -p $(BUILD)
	@echo '$(CC) $(ALL_CFLAGS)' | cmp -s - $@ || \
	  echo '$(CC) $(ALL_CFLAGS)' >$@
FORCE:

need-apxs:
	@command -v $(APXS) >/dev/null || { \
	  echo "apxs not found: install httpd's development package" \
	  "(Debian: apache2-dev; Fedora: httpd-devel), or APXS=/path" >&2; \
	  exit 1; }

install: $(MODULE)
	install -D -m 644 $(MODULE) \
	  $(DESTDIR)$(shell $(APXS) -q LIBEXECDIR)/$(MODULE)

-include $(wildcard $(BUILD)/*.d)

# ---- demo and tests; both install what they need ----

UNIT := $(BUILD)/unit
UNIT_SOURCES := $(wildcard t/*.c)
PKG = $(shell pkg-config $(1) check apr-1)

demo:
	test/install-packages.sh build run
	$(MAKE) $(MODULE) $(BUILD)/mod_who.so
	$(PYTHON) test/demo.py

check:
	test/install-packages.sh build run test
	$(MAKE) $(MODULE) $(BUILD)/mod_who.so $(UNIT)
	$(PYTHON) test/check.py

bench:
	test/install-packages.sh build run bench
	$(MAKE) $(MODULE) $(BUILD)/mod_who.so
	$(PYTHON) test/bench.py

# Inside of test/debian13.sh's tree.
check-debian13: $(MODULE) $(BUILD)/mod_who.so $(UNIT)
	$(PYTHON) test/check.py

# The unit tests alone; nothing is installed.
check-unit: $(UNIT)
	$(UNIT)

$(UNIT): $(UNIT_SOURCES) $(wildcard t/*.h) $(CORE_OBJECTS)
	$(CC) $(ALL_CFLAGS) $(call PKG,--cflags) -Isrc -o $@ \
	  $(UNIT_SOURCES) $(CORE_OBJECTS) $(call PKG,--libs) -lcap

$(BUILD)/mod_who.so: test/mod_who.c $(FLAGS) | need-apxs
	$(CC) $(ALL_CFLAGS) -fvisibility=default -shared -o $@ $<

# Where identity is changed, from where calls, and what is looked for.
PRIVILEGE := src/privilege.c src/privilege.h src/kernel.c src/kernel.h
STRAY := \b(set(res|re|fs|e)?[ug]id|setgroups|initgroups|cap_set_proc|capset)[[:space:]]*\(|SYS_(set(res|re|fs)?[ug]id|setgroups|capset)
C_FILES = $(wildcard *.c src/*.[ch] t/*.[ch] test/*.c)

lint:
	test/install-packages.sh build lint
	clang-format --dry-run --Werror $(C_FILES)
	cppcheck --quiet --std=c11 --error-exitcode=1 --inline-suppr \
	  --enable=warning,performance,portability \
	  --suppress=missingIncludeSystem mod_process_security.c src t
	@if grep -nE '$(STRAY)' $(filter-out $(PRIVILEGE), \
	  $(wildcard *.c src/*.[ch])); then \
	  echo "stray privilege calls: only src/privilege.c changes identity" >&2; \
	  exit 1; fi
	$(PYTHON) test/lint.py

clean:
	rm -rf $(BUILD) $(MODULE)
