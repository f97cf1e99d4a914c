#!/bin/sh
# Unpacks a real MySQL server and client of Debian unstable, with their libraries, into a folder: Debian stable has MariaDB alone.
# Nothing is installed, and no right of root is needed. The script prints the folder.
#
#     sh tests/mysql.sh .make/mysql
set -eu
folder=$(mkdir -p "$1" && cd "$1" && pwd)
if [ -x "$folder/usr/sbin/mysqld" ] && [ -x "$folder/usr/bin/mysqldump" ]; then
    echo "$folder"
    exit 0
fi
# The mirror of this machine: the first of its sources whose address ends in /debian.
mirror=${DEBIAN_MIRROR:-$(grep -rhoE 'https?://[^ ]+/debian/?( |$)' /etc/apt/sources.list /etc/apt/sources.list.d 2>/dev/null \
    | grep -v snapshot | head -n 1 | tr -d ' ')}
[ -n "$mirror" ] || {
    echo "No mirror of Debian is known here: set DEBIAN_MIRROR" >&2
    exit 1
}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p "$work/state/lists/partial" "$work/cache/archives/partial" "$work/log"
: > "$work/state/status"
keyring=/usr/share/keyrings/debian-archive-keyring.gpg
echo "deb [signed-by=$keyring] $mirror unstable main" > "$work/sources.list"
# A list of packages and a state of its own: apt sees nothing of this machine, and changes nothing on it.
cat > "$work/apt.conf" <<EOF
Dir::State "$work/state";
Dir::State::status "$work/state/status";
Dir::Cache "$work/cache";
Dir::Etc::sourcelist "$work/sources.list";
Dir::Etc::sourceparts "/dev/null";
Dir::Etc::preferences "/dev/null";
Dir::Etc::preferencesparts "/dev/null";
Dir::Log "$work/log";
Debug::NoLocking "true";
APT::Sandbox::User "";
APT::Install-Recommends "false";
Acquire::Languages "none";
EOF
export APT_CONFIG="$work/apt.conf"
{
    apt-get update
    apt-get install --download-only --yes mysql-server-core mysql-client-core
} > "$work/log/all" 2>&1 || {
    tail -n 20 "$work/log/all" >&2
    echo "MySQL cannot be loaded from $mirror" >&2
    exit 1
}
mkdir -p "$work/root"
for package in "$work"/cache/archives/*.deb; do
    case "$package" in
        */perl* | */libperl*) ;; # for the scripts of an installation
        *) dpkg-deb --fsys-tarfile "$package" | tar -x -C "$work/root" --exclude=./usr/share/doc --exclude=./usr/share/man ;;
    esac
done
cp -a "$work/root/." "$folder/"
echo "$folder"
