# Installs the library, makes the source's archive, checks the packages.
#
#	DESTDIR=	a root to install below; it is in no installed file
#	PREFIX=, LIBDIR=, INCLUDEDIR=, DOCDIR=	where, as the system sees it
#	BINDIR=, MANDIR=	likewise, of the command (install-command)
#
# The version has one home, include/lanemalloc.h. The files that have to
# repeat it as text are read by `tests/packages/run.sh versions`.

PREFIX ?= /usr/local
LIBDIR ?= $(PREFIX)/lib
INCLUDEDIR ?= $(PREFIX)/include
BINDIR ?= $(PREFIX)/bin
DOCDIR ?= $(PREFIX)/share/doc/lanemalloc
MANDIR ?= $(PREFIX)/share/man
CMAKEDIR = $(LIBDIR)/cmake/lanemalloc
CXX_HEADER = contrib/cpp/lanemalloc/memory_resource.hpp

ifneq ($(words $(PREFIX)),1)
$(error PREFIX has to be one word: '$(PREFIX)')
endif

# In terms of the prefix, so that pkg-config may be told another one.
by_prefix = $(patsubst $(PREFIX)/%,$${prefix}/%,$(1))
# The CMake file finds the headers from its own place, so that an installed
# tree may be moved.
fill_in = sed -e 's|@PREFIX@|$(PREFIX)|g' -e 's|@VERSION@|$(VERSION)|g' \
	-e 's|@LIBDIR@|$(call by_prefix,$(LIBDIR))|g' \
	-e 's|@INCLUDEDIR@|$(call by_prefix,$(INCLUDEDIR))|g' \
	-e "s|@INCLUDEDIR_FROM_HERE@|$$(realpath -m -s \
		--relative-to='$(CMAKEDIR)' '$(INCLUDEDIR)')|g"

DOC_FILES := LICENSE $(wildcard *.md docs/*.md) src/README.md \
	stress/README.md stress/lab/README.md stress/perturb/README.md \
	packaging/APKBUILD contrib/rust/README.md
found_by_loader = PATH=$$PATH:/sbin:/usr/sbin ldconfig -p 2>/dev/null | \
	grep -q -F '> $(LIBDIR)/liblanemalloc.so.1'

.PHONY: install install-command uninstall dist deb check-abi test-packages
install: all ## DESTDIR=, PREFIX=/usr/local
	install -d '$(DESTDIR)$(LIBDIR)/pkgconfig' '$(DESTDIR)$(CMAKEDIR)' \
		'$(DESTDIR)$(INCLUDEDIR)/lanemalloc' '$(DESTDIR)$(DOCDIR)'
	install -m 755 $(BUILD)/liblanemalloc.so \
		'$(DESTDIR)$(LIBDIR)/liblanemalloc.so.$(VERSION)'
	$(Q)ln -sf liblanemalloc.so.$(VERSION) \
		'$(DESTDIR)$(LIBDIR)/liblanemalloc.so.1'
	$(Q)ln -sf liblanemalloc.so.1 '$(DESTDIR)$(LIBDIR)/liblanemalloc.so'
	install -m 644 $(BUILD)/liblanemalloc.a '$(DESTDIR)$(LIBDIR)'
	install -m 644 include/lanemalloc.h include/lanemalloc_view.h \
		'$(DESTDIR)$(INCLUDEDIR)'
	install -m 644 $(CXX_HEADER) '$(DESTDIR)$(INCLUDEDIR)/lanemalloc'
	$(fill_in) packaging/lanemalloc.pc.in \
		>'$(DESTDIR)$(LIBDIR)/pkgconfig/lanemalloc.pc'
	$(fill_in) packaging/lanemalloc-config.cmake.in \
		>'$(DESTDIR)$(CMAKEDIR)/lanemalloc-config.cmake'
	$(fill_in) packaging/lanemalloc-config-version.cmake.in \
		>'$(DESTDIR)$(CMAKEDIR)/lanemalloc-config-version.cmake'
	install -d '$(DESTDIR)$(MANDIR)/man5' '$(DESTDIR)$(MANDIR)/man7'
	install -m 644 docs/man/lanemalloc.conf.5 '$(DESTDIR)$(MANDIR)/man5'
	install -m 644 docs/man/lanemalloc.7 '$(DESTDIR)$(MANDIR)/man7'
	$(Q)for file in $(DOC_FILES); do install -D -m 644 $$file \
		'$(DESTDIR)$(DOCDIR)'/$$file || exit; done
	$(Q)[ -n '$(DESTDIR)' ] || $(call found_by_loader) || echo 'lanemalloc:' \
		'the loader does not know $(LIBDIR)/liblanemalloc.so.1;' \
		'run ldconfig as root, which has to know that directory' \
		'(ld.so.conf), or preload it by its whole path, link with' \
		'-Wl,-rpath'

install-command: command ## the command and its man page, to the same places
	install -d '$(DESTDIR)$(BINDIR)' '$(DESTDIR)$(MANDIR)/man1'
	install -m 755 $(COMMAND) '$(DESTDIR)$(BINDIR)'
	install -m 644 docs/man/lanemalloc.1 '$(DESTDIR)$(MANDIR)/man1'

# Nothing is removed but what install puts there, and folders that are empty
# then, but for those of the system's own prefixes.
LEFT_EMPTY = "$$(dirname '$(DOCDIR)')" $(patsubst %,'$(MANDIR)/man%',1 5 7) \
	'$(INCLUDEDIR)/lanemalloc' '$(LIBDIR)/pkgconfig' '$(CMAKEDIR)' \
	'$(LIBDIR)/cmake'
LEFT_EMPTY_PREFIX = '$(MANDIR)' $(PREFIX)/share '$(BINDIR)' '$(INCLUDEDIR)' \
	'$(LIBDIR)' "$$(dirname '$(LIBDIR)')" $(PREFIX)
uninstall: ## takes away what both install
	rm -f '$(DESTDIR)$(LIBDIR)'/liblanemalloc.{a,so,so.1,so.$(VERSION)} \
		'$(DESTDIR)$(LIBDIR)/pkgconfig/lanemalloc.pc' \
		'$(DESTDIR)$(CMAKEDIR)'/lanemalloc-config{,-version}.cmake \
		'$(DESTDIR)$(INCLUDEDIR)'/lanemalloc{,_view}.h \
		'$(DESTDIR)$(BINDIR)/lanemalloc' \
		'$(DESTDIR)$(MANDIR)/man1/lanemalloc.1' \
		'$(DESTDIR)$(INCLUDEDIR)/lanemalloc/$(notdir $(CXX_HEADER))' \
		'$(DESTDIR)$(MANDIR)'/man{5/lanemalloc.conf.5,7/lanemalloc.7} \
		$(patsubst %,'$(DESTDIR)$(DOCDIR)'/%,$(DOC_FILES))
	$(Q)find '$(DESTDIR)$(DOCDIR)' -depth -type d -empty -delete \
		2>/dev/null || :
	$(Q)for dir in $(LEFT_EMPTY) $(if $(filter /usr /usr/local,$(PREFIX)),,\
		$(LEFT_EMPTY_PREFIX)); do \
		rmdir '$(DESTDIR)'"$$dir" 2>/dev/null || :; done

# The same commit gives the same bytes: git dates the files by the commit,
# gzip -n writes no date of its own.
DIST := lanemalloc-$(VERSION)
dist: ## the source of git's HEAD as an archive, into build/dist
	@git rev-parse --git-dir >/dev/null 2>&1 || { echo 'lanemalloc:' \
		'make dist needs a clone: the archive is that of HEAD' >&2; \
		exit 1; }
	@mkdir -p $(BUILD)/dist
	$(call say,TAR,$(BUILD)/dist/$(DIST).tar.gz)
	$(Q)set -o pipefail; git archive --prefix=$(DIST)/ HEAD | gzip -9n \
		>$(BUILD)/dist/$(DIST).tar.gz

deb: dist ## the Debian packages of git's HEAD, into build/deb
	@command -v dh >/dev/null || { \
		echo 'make deb needs debhelper (apt install debhelper)' >&2; \
		exit 1; }
	packaging/build-deb.sh $(BUILD)/dist/$(DIST).tar.gz $(BUILD)/deb

check-abi: all ## the binary interface is the recorded one
	@tests/packages/run.sh abi

test-packages: ## the packages, and what is built against them
	@tests/packages/run.sh
