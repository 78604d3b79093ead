#!/bin/sh
# Deno 2.9.6: `deno compile` of a program that has prom-client in it overflows its stack.
#
# prom-client 15.1.3 is what Node's programs write Prometheus metrics by. By way of tdigest it needs bintrees 1.0.2.
# Such a program runs; one would expect that it can be compiled too. Seen:
#
#   deno run       a program that imports prom-client, or bintrees alone    it runs
#   deno compile   the same                                                 "has overflowed its stack", exit code 134
#   deno compile   a program that imports ws                                a binary is made
#
# So whoever wants one binary does without the package, however deep in the tree it is.
#
# `deno compile` fetches a runtime for the binary. DENORT_BIN names one that is there: here deno's own binary stands
# in, which is good enough to see whether anything is made.
#
# Needs: npm. Exits 0 while that is so, 1 when it is not any more.
set -eu
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
npm install --silent --no-audit --no-fund --prefix "$dir" deno@2.9.6 >/dev/null
deno="$dir/node_modules/deno/deno"
export DENO_DIR="$dir/cache" DENORT_BIN="$deno" NO_COLOR=1
mkdir programs
for package in prom-client@15.1.3 bintrees@1.0.2 ws@8.23.0; do
  name=${package%@*}
  printf 'import "npm:%s";\nconsole.log("runs");\n' "$package" > "programs/$name.mjs"
  [ "$("$deno" run -A --no-config "programs/$name.mjs" 2>/dev/null)" = runs ] || exit 1
  code=0
  # By a shell of its own, which says of a child that was aborted what it says.
  sh -c '"$0" compile -A --no-config --output "binary-$1" "programs/$1.mjs"' "$deno" "$name" > said 2>&1 || code=$?
  echo "$package: exit code $code$(grep -o ' has overflowed its stack' said || true)"
  if [ "$name" = ws ]; then
    [ "$code" = 0 ] && [ -s binary-ws ] || exit 1
  else
    [ "$code" != 0 ] && grep -q 'has overflowed its stack' said || { echo "not any more"; exit 1; }
  fi
done
