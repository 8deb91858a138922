#!/bin/sh
# A certificate authority, a broker's certificate and one for every client named, for a trial: the
# authority's key lies beside them, unprotected, and all of them end after 30 days.
#   make-test-pki.sh FOLDER HOST[,HOST...] CLIENT [CLIENT...]
# writes FOLDER/ca.crt, broker.crt, broker.key, CLIENT.crt, CLIENT.key. A client's name is the name
# that the broker knows it by: for an instrument, `instrument` of its configuration.
set -eu
umask 077

if [ $# -lt 3 ]; then
  sed -n 's/^#   //p' "$0" >&2
  exit 2
fi
folder=$1 hosts=$2
shift 2
for name in "$@"; do
  case $name in
    ca | broker | *[!A-Za-z0-9_.-]* | "")
      echo "$0: a client cannot be called '$name': letters, digits, _ . - only" >&2
      exit 2
      ;;
  esac
done

names=
for host in $(echo "$hosts" | tr , ' '); do
  case $host in
    *[!0-9.]*) names="$names,DNS:$host" ;;
    *) names="$names,IP:$host" ;;
  esac
done

mkdir -p "$folder"
cd "$folder"
if [ -e ca.key ]; then
  echo "$0: $folder has an authority already; remove it to begin anew" >&2
  exit 1
fi

new_key() { openssl ecparam -name prime256v1 -genkey -noout -out "$1"; }

# issue NAME EXTENSIONS
issue() {
  new_key "$1.key"
  openssl req -new -key "$1.key" -subj "/CN=$1" -out "$1.csr"
  printf '%s\n' "$2" >"$1.ext"
  openssl x509 -req -in "$1.csr" -CA ca.crt -CAkey ca.key -CAcreateserial -days 30 -sha256 \
    -extfile "$1.ext" -out "$1.crt" 2>openssl.log || { cat openssl.log >&2; exit 1; }
  rm "$1.csr" "$1.ext" openssl.log
}

new_key ca.key
openssl req -x509 -new -key ca.key -sha256 -days 30 -subj "/CN=Spektron test authority" \
  -addext basicConstraints=critical,CA:TRUE,pathlen:0 -addext keyUsage=critical,keyCertSign,cRLSign \
  -out ca.crt
issue broker "subjectAltName=${names#,}
extendedKeyUsage=serverAuth"
for name in "$@"; do
  issue "$name" "extendedKeyUsage=clientAuth"
done
echo "$folder: ca, broker ($hosts), $*"
