#!/bin/sh
# Deno 2.9.6: reading `rootCertificates` of node:tls needs every sys permission.
#
# In Node it is a constant, the authorities that ship with the program; code that trusts one more CA than
# usual is written `ca: [mine, ...tls.rootCertificates]`. One would expect no permission for it, or, as the
# error asks for sys access to "ca", that `--allow-sys=ca` is enough. Seen with deno 2.9.6 from npm:
#
#   no permission      NotCapable: Requires sys access to "ca", run again with the --allow-sys flag
#   --allow-sys=ca     the program does not start: unknown sys descriptor: 'ca'
#   --allow-sys        it works: an array of PEM texts
#
# So a program with explicit permissions gives `ca` its own file alone, with what else it trusts in it.
#
# Needs: npm. Exits 0 while that is so, 1 when it is not any more.
set -u
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir" || exit 1
npm install --silent --no-audit --no-fund --prefix "$dir" deno@2.9.6 >/dev/null || exit 1
cat > roots.mjs <<'EOF'
import tls from "node:tls";
console.log(tls.rootCertificates[0].split("\n")[0]);
EOF

# expect TEXT FLAGS...: what the program says with these flags holds the text
expect() {
  text=$1
  shift
  said=$(NO_COLOR=1 DENO_DIR="$dir/cache" ./node_modules/.bin/deno run --no-prompt "$@" roots.mjs 2>&1)
  case $said in
    *"$text"*) echo "$*: $text" ;;
    *) echo "$*: not any more: $said"; exit 1 ;;
  esac
}

expect 'Requires sys access to "ca"'
expect "unknown sys descriptor: 'ca'" --allow-sys=ca
expect '-----BEGIN CERTIFICATE-----' --allow-sys
