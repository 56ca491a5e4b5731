#!/bin/sh
# Starts a party's store: store.sh PASSWORD_FILE DATA_FOLDER [further options of redis-server ...]
# STORE_SERVER names another server program than valkey-server or redis-server on PATH.
# The users' file is written anew at each start, with the hash of the password and never the password itself.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
password_file=$1 data=$2
shift 2
umask 077
hash=$(tr -d '\n' <"$password_file" | sha256sum | cut -d ' ' -f 1)
users=$data/users.acl
server=${STORE_SERVER:-$(command -v valkey-server || command -v redis-server)}
case $("$server" --version) in
  *v=7.0.* | *v=7.1.*) newer= ;;
  *) newer=" +waitaof +client|setinfo" ;; # an older server would not start on a command that it does not know
esac
sed "s/#PASSWORD_SHA256/#$hash/; /^user dcx/ s/\$/$newer/" "$here/users.acl" >"$users"
exec "$server" "$here/redis.conf" --dir "$data" --aclfile "$users" "$@"
