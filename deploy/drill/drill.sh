#!/usr/bin/env bash
# The card of an instrument's computer has died: from a backup to predictions on a new box.
#
#   drill.sh BACKUP.zip CONFIG.toml [--install FILE.deb|FILE.whl] [-- OPTION...]
#
# CONFIG is where the configuration will be. OPTIONs are those of `spektron-edge restore`
# (--passphrase-file FILE, --key FILE, --signer ID, --replace). It installs the program if a package
# is given, restores, checks, starts the service (or, without systemd's unit, the daemon itself, which
# it leaves running), and waits for a prediction. Each step is told with the seconds it took.
# Exit status: 0 when the instrument predicts again, else that of the step which failed.
set -euo pipefail

usage() {
  sed -n '2,5s/^# \{0,1\}//p' "$0" >&2
  exit 2
}

[ $# -ge 2 ] || usage
backup=$1 config=$2
shift 2
package=
if [ "${1:-}" = --install ]; then
  package=${2:?a package}
  shift 2
fi
[ "${1:---}" = -- ] || usage
[ $# -eq 0 ] || shift

# Another program in its place: SPEKTRON_EDGE="python3 -m spektron_edge".
read -r -a edge <<<"${SPEKTRON_EDGE:-spektron-edge}"
patience_s=${DRILL_PATIENCE_S:-600}
began=$SECONDS

step() {
  printf '%4d s  %s\n' $((SECONDS - began)) "$1"
}

install_package() {
  step "installing $package"
  case $package in
    *.deb) apt-get install --yes --quiet "$(realpath "$package")" ;;
    *.whl)
      python3 -m venv /opt/spektron-edge
      /opt/spektron-edge/bin/pip install --quiet "$package"
      edge=(/opt/spektron-edge/bin/spektron-edge)
      ;;
    *) usage ;;
  esac
}

latest_prediction() {
  "${edge[@]}" inspect "$state" 2>/dev/null | sed -n 's/^latest prediction *//p'
}

[ -z "$package" ] || install_package

step "restoring $backup"
"${edge[@]}" restore "$backup" --config "$config" "$@"

step "checking the configuration"
checked=$("${edge[@]}" check-config "$config") || {
  status=$?
  # A backup without keys: passwords are given again by hand.
  echo "restored, but not started: put in place what is named above, then \`systemctl enable --now spektron-edge\`" >&2
  exit $status
}
echo "$checked"
state=$(sed -n 's/^state *//p' <<<"$checked")

step "verifying the audit log"
"${edge[@]}" audit verify --config "$config"

before=$(latest_prediction)
if [ -d /run/systemd/system ] && systemctl cat spektron-edge.service >/dev/null 2>&1; then
  step "starting the service"
  systemctl enable --now spektron-edge.service
else
  step "starting the daemon"
  "${edge[@]}" run --config "$config" >>"${DRILL_LOG:-/dev/null}" 2>&1 &
  echo "process id                 $!"
fi

step "waiting for a prediction"
deadline=$((SECONDS + patience_s))
while after=$(latest_prediction) && [ "$after" = "$before" ]; do
  if [ $SECONDS -ge $deadline ]; then
    echo "no prediction within $patience_s s: the log and \`spektron-edge check-config --probe\` say why" >&2
    exit 1
  fi
  sleep 0.5
done
step "in service: prediction $after"
