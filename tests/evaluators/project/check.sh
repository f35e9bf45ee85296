#!/bin/sh
# Judges as its first argument says: the second is printed, the third is the exit code.
case "$1" in
  say) cat > /dev/null; printf '%s\n' "$2"; exit "${3:-0}" ;;
  complain) cat > /dev/null; printf '%s\n' "$2" >&2; exit "${3:-0}" ;;
  find) grep -q -- "$2" ;;
  deaf) exit "${3:-0}" ;;
  hang) exec sleep 1000 ;;
  leave) (exec sleep 1000) & printf '%s' "$!" > "$2"; exec sleep 1000 ;;
  flood) exec yes ;;
  die) kill -9 $$ ;;
  *) exit 64 ;;
esac
