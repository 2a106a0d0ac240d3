#!/bin/sh
# The demo that `make demo` runs: every line that begins with $ can be typed as it stands.
#
# KTK names the program, KTK_STATE_DIR the directory of the stand, which is left running.
set -eu

cd "$(dirname "$0")/.."
: "${KTK:=ktk}"

title() {
    printf '\n== %s\n\n' "$1"
}

# Shows a command and carries it out.
ktk() {
    printf '$ ktk'
    for word in "$@"; do
        case $word in
        *[!A-Za-z0-9_./:=@-]*) printf " '%s'" "$word" ;;
        *) printf ' %s' "$word" ;;
        esac
    done
    printf '\n'
    command "$KTK" "$@"
}

title 'A stand of its own: NATS, Postgres and all parts of Kantoku'
ktk dev up --detach

title 'A pipeline: four pages are counted side by side, and one task leaves its output to a child'
ktk apply -f examples/words/top-words.yaml
ktk run pipeline/top-words -p "file=$PWD/examples/words/alice.txt" --watch

title 'What came of it'
ktk tree @last
ktk describe context/@last

title 'A task that fails says why'
ktk spawn words/read -i file=/nowhere/alice.txt --wait || echo "(exit code $?: what was waited for failed)"
ktk why @last
ktk logs @last --tail 2

title 'What happened, event by event'
ktk events tail --tail 8

title 'A workflow in the format of WfCommons, a thousand times faster than it would run'
ktk import wfcommons examples/wfcommons/mosaic.json
ktk run pipeline/mosaic --watch

title 'Is all well?'
ktk doctor
ktk projections verify

title 'The stand is still running. Try'
cat <<TRY
  alias ktk='$KTK'
  ktk get contexts
  ktk tree @last --full
  ktk apply -f examples/backoffice/month-end.yaml
  ktk run pipeline/month-end -p orders="\$PWD/examples/backoffice/orders.csv" -p limit:=2000 --watch
  ktk events export --context @last -f run.jsonl
  ktk --help
  make down
TRY
