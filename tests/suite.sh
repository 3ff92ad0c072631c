# shellcheck shell=bash
# Sourced by the scripts that fetch packages without installing them.
#
# suite_sources STATE: sets `sources`, options of apt that make it know the suite
# SUITE of Debian's alone, from where this machine has its own. Without SUITE
# none.
# shellcheck disable=SC2034 # for who sources this
sources=()
suite_sources() {
	local from

	[ -n "${SUITE-}" ] || return 0
	# shellcheck disable=SC2016 # apt's own words
	from=$(apt-get indextargets --format '$(REPO_URI)' \
		'Created-By: Packages' 'Label: Debian' | sed 1q)
	printf 'deb [signed-by=%s] %s %s main\n' \
		/usr/share/keyrings/debian-archive-keyring.gpg \
		"$from" "$SUITE" >"$1/sources"
	mkdir -p "$1/none"
	sources=(-o Dir::Etc::sourcelist="$1/sources"
		-o Dir::Etc::sourceparts="$1/none")
}
