#!/bin/sh
# Finds or installs what building, testing and measuring Muster needs beside Go:
#
#	deploy/need.sh [cc] [postgresql] [chromium] [postfix] [swaks] [python3-dkim] [openssl] [mlmmj]
#		[mailman]
#
# It is silent where all is there. On Debian and Ubuntu it installs with apt-get, as root or with
# sudo; elsewhere it says what to install and ends with 1. It never makes, starts or changes a
# service: PostgreSQL comes without a cluster, Postfix without a configuration, and where the
# machine has another mail server, Postfix is only unpacked, into var/peers/postfix.
set -eu

PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin
peers=$(cd "$(dirname "$0")/.." && pwd)/var/peers
export DEBIAN_FRONTEND=noninteractive

say() { echo "need.sh: $*" >&2; }

has() { command -v "$1" >/dev/null 2>&1; }

has_any() {
	for program; do
		if has "$program"; then return 0; fi
	done
	return 1
}

as_root() {
	if [ "$(id -u)" = 0 ]; then
		"$@"
	elif has sudo; then
		sudo DEBIAN_FRONTEND=noninteractive "$@"
	else
		say "run this as root: $*"
		return 1
	fi
}

# install PACKAGE…: those there are, with as little else as possible.
install() {
	if [ -z "${updated-}" ]; then
		as_root apt-get update -qq >&2
		updated=yes
	fi
	as_root apt-get install -y -qq -o Dpkg::Use-Pty=0 --no-install-recommends "$@" >&2
}

# There is a PostgreSQL of at least version 15, in PATH or where distributions put it.
has_postgresql() {
	for dir in $(echo "$PATH" | tr : ' ') /usr/lib/postgresql/*/bin /usr/pgsql-*/bin \
		/opt/homebrew/opt/postgresql*/bin /usr/local/opt/postgresql*/bin; do
		[ -x "$dir/initdb" ] && [ -x "$dir/postgres" ] || continue
		version=$("$dir/postgres" --version | sed 's/^postgres (PostgreSQL) \([0-9]*\).*/\1/')
		if [ "${version:-0}" -ge 15 ]; then return 0; fi
	done
	return 1
}

# Debian makes and starts a cluster for whoever installs PostgreSQL. Muster wants the programs
# only, so that is switched off for the moment of the installation.
install_postgresql() {
	conf=/etc/postgresql-common/createcluster.conf
	install postgresql-common
	as_root cp -p $conf $conf.muster
	as_root sed -i 's/^#* *create_main_cluster.*/create_main_cluster = false/' $conf
	status=0
	install postgresql || status=$?
	as_root mv $conf.muster $conf
	[ $status = 0 ] || return $status
	has_postgresql || {
		say "this distribution's PostgreSQL is older than 15: see https://www.postgresql.org/download/ for a newer one"
		return 1
	}
}

# Chromium under one of the names that the browser tests look for.
has_chromium() {
	has_any headless_shell headless-shell chromium chromium-browser google-chrome google-chrome-stable ||
		[ -x "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome" ] ||
		[ -x "/Applications/Chromium.app/Contents/MacOS/Chromium" ]
}

has_postfix() { has postfix || [ -x "$peers/postfix/usr/sbin/postfix" ]; }

# Without a configuration Debian's Postfix does not start. Next to another mail server it cannot
# be installed, apt would remove that one.
install_postfix() {
	if ! has sendmail; then
		# debconf is asked only where it is there; without an answer it takes a default that starts.
		printf 'postfix postfix/main_mailer_type select No configuration\n' | as_root debconf-set-selections
		install postfix
		return
	fi
	# shellcheck disable=SC2046 # a list of packages
	install $(apt-cache depends postfix | sed -n 's/^ *Depends: \(lib[^ <]*\)$/\1/p')
	mkdir -p "$peers/postfix"
	(
		cd "$peers"
		apt-get download -q postfix >&2
		dpkg -x postfix_*.deb postfix
		rm -f postfix_*.deb
	)
	say "another mail server is installed here; Postfix was unpacked into $peers/postfix"
}

# Debian starts a daemon as it installs it, unless this file says no.
install_idle() {
	policy=/usr/sbin/policy-rc.d
	if [ ! -e $policy ]; then
		printf '#!/bin/sh\nexit 101\n' | as_root tee $policy >/dev/null
		as_root chmod 755 $policy
		made=yes
	fi
	status=0
	install "$@" || status=$?
	if [ -n "${made-}" ]; then as_root rm -f $policy; fi
	return $status
}

# A Python with the module dkim, and nacl, which it verifies Ed25519 with. Debian's is perhaps not
# the first in PATH.
has_python3_dkim() {
	for python in python3 /usr/bin/python3; do
		if "$python" -c 'import dkim, nacl' 2>/dev/null; then return 0; fi
	done
	return 1
}

# OpenSSL's library, to build with -tags openssl.
has_openssl() { printf '#include <openssl/evp.h>\n' | cc -E - >/dev/null 2>&1; }

need() {
	case $1 in
	cc) has_any cc gcc clang || missing="$missing cc" ;;
	postgresql) has_postgresql || missing="$missing postgresql" ;;
	chromium) has_chromium || missing="$missing chromium" ;;
	postfix) has_postfix || missing="$missing postfix" ;;
	swaks) has swaks || missing="$missing swaks" ;;
	mlmmj) has mlmmj-receive || missing="$missing mlmmj" ;;
	mailman) has mailman || [ -x /usr/lib/mailman3/bin/mailman ] || missing="$missing mailman" ;;
	openssl) has_openssl || missing="$missing openssl" ;;
	python3-dkim) has_python3_dkim || missing="$missing python3-dkim" ;;
	*)
		say "do not know what $1 is"
		exit 2
		;;
	esac
}

install_missing() {
	for thing in $missing; do
		say "installing $thing"
		case $thing in
		cc) install gcc libc6-dev ;;
		postgresql) install_postgresql ;;
		postfix) install_postfix ;;
		mailman) install_idle mailman3 ;;
		openssl) install libssl-dev ;;
		python3-dkim) install python3-dkim python3-nacl ;;
		*) install "$thing" ;;
		esac
	done
}

advise() {
	if [ "$(uname)" = Darwin ]; then
		formulas=$(echo "$missing" | sed 's/postgresql/postgresql@17/; s/chromium/--cask google-chrome/; s/ cc/ llvm/')
		say "please install: brew install$formulas"
	else
		say "please install, as your system does that:$missing"
	fi
	exit 1
}

missing=
for thing; do
	need "$thing"
done
[ -n "$missing" ] || exit 0
has apt-get || advise
install_missing
for thing; do
	missing=
	need "$thing"
	[ -z "$missing" ] || {
		say "$thing is still missing after its installation"
		exit 1
	}
done
