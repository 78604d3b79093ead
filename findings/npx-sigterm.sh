#!/bin/sh
# npm 11.19.1: SIGTERM to npx ends npx and leaves the program that it runs.
#
# A supervisor that starts a service as `npx -y PACKAGE`, and stops it by SIGTERM to the process that it has
# started, would expect what it gets of `node program.js`: that the program gets the signal, or at least does
# not outlive npx. But npx starts it by `sh -c`, passes SIGTERM on to that shell alone, and ends with 143; the
# shell dies, and the program goes on with process 1 as its parent. So it is where sh is dash, as on Debian and
# Ubuntu; a shell that replaces itself by the last command of `-c`, as bash does, hides it. Seen with npm
# 11.19.1, Node 20 and dash 0.5.12:
#
#   npx ended: 143
#   the program goes on
#
# What helps: `npx -y -p PACKAGE -c 'command -v PROGRAM'` says where the program is; start that.
#
# Needs: npm, dash, pgrep. Exits 0 while that is so, 1 when it is not any more.
set -u
dash=$(command -v dash) || { echo "this needs dash"; exit 1; }
dir=$(mktemp -d)
program=
trap 'if [ -n "$program" ]; then kill "$program" 2>/dev/null; fi; rm -rf "$dir"' EXIT
cd "$dir" || exit 1
npm install --silent --no-audit --no-fund --prefix "$dir" npm@11.19.1 http-server@14.1.1 >/dev/null || exit 1

npm_config_script_shell=$dash ./node_modules/.bin/npx http-server -p 0 -a 127.0.0.1 > out 2>&1 &
npx=$!
for _ in $(seq 300); do
  grep -q 'Hit CTRL-C' out && break
  sleep 0.1
done
program=$(pgrep -P "$(pgrep -P "$npx")")
if [ -z "$program" ]; then
  echo "there is no shell between npx and the program: not any more so"
  kill "$npx"
  exit 1
fi
kill -TERM "$npx"
wait "$npx"
echo "npx ended: $?"
# It has a second to end.
for _ in 1 2 3 4 5 6 7 8 9 10; do
  if ! kill -0 "$program" 2>/dev/null; then
    echo "the program ended too: not any more so"
    program=
    exit 1
  fi
  sleep 0.1
done
echo "the program goes on"
