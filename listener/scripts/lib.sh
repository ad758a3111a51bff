# shellcheck shell=bash
# What the scripts share: how they print messages, and how they find Docker.

cd "$(dirname "${BASH_SOURCE[0]}")/../.." || exit 1

if [ -t 1 ]; then bold=$'\e[1m' plain=$'\e[0m'; else bold='' plain=''; fi

say() { printf '%s\n' "$*"; }

title() { printf '%s%s%s\n' "$bold" "$*" "$plain"; }

# die WHAT NEXT_STEP: print what is wrong and what to do, and exit with 1
die() {
    printf '%s\n  Next step: %s\n' "$1" "$2" >&2
    exit 1
}

find_docker() {
    command -v docker >/dev/null ||
        die "Docker isn't installed." "install Docker Engine (on Debian: apt install docker.io docker-compose), then run make up"
    local answer
    answer=$(docker version --format '{{.Server.Version}}' 2>&1) && return
    case $answer in
        *"ermission denied"*) die "User $(id -un) is not allowed to use Docker." "run sudo usermod -aG docker $(id -un), log in again, then run make up" ;;
        *) die "The Docker Engine isn't running." "run sudo systemctl start docker, then make up" ;;
    esac
}

# Set the array $compose to the Docker plugin or the separate program.
# shellcheck disable=SC2034
find_compose() {
    if docker compose version >/dev/null 2>&1; then
        compose=(docker compose)
    elif command -v docker-compose >/dev/null; then
        compose=(docker-compose)
    else
        die "Docker Compose isn't installed." "install it (on Debian: apt install docker-compose), then run make up"
    fi
}

need_setup() {
    [ -f .env ] && [ -f secrets/mosquitto_passwd ] || die "Nothing is set up yet." "run make up"
}

# value NAME: print the value in .env, as Compose reads it: without quotes, and without a comment behind it
value() {
    sed -nE "s/^(export )?$1[[:space:]]*=[[:space:]]*//p" .env | tail -n 1 |
        sed -E "s/^\"(.*)\"[[:space:]]*(#.*)?\$/\1/; t; s/^'(.*)'[[:space:]]*(#.*)?\$/\1/; t; s/[[:space:]]+#.*//; s/[[:space:]]+\$//"
}

# problem WHAT NEXT_STEP: remember something that must be corrected before anything is started
problems=()
problem() { problems+=("$1"$'\n'"  Next step: $2"); }

stop_at_problems() {
    [ ${#problems[@]} != 0 ] || return 0
    printf '\n%s\n' "${problems[@]}" >&2
    printf '\nNothing was started, stopped or changed.\n' >&2
    exit 1
}

# Print the folder for backups on this machine.
backup_folder() {
    local folder
    folder=$(value BACKUP_FOLDER)
    printf '%s' "${folder:-data/backup}"
}

# For showing it only; what counts is how the program reads it.
user_of() { head -n 1 "$1" | cut -d, -f1 | sed 's/^\xef\xbb\xbf//; s/^[[:space:]]*//; s/[[:space:]]*$//'; }

# run_with_secrets ARGUMENTS: run the program in a container of its own that may write secrets/ and mosquitto/
run_with_secrets() {
    "${compose[@]}" run --rm --no-deps -T --volume "$PWD/secrets:/setup/secrets" \
        --volume "$PWD/mosquitto:/setup/mosquitto" listener \
        "$@" --secrets /setup/secrets --broker /setup/mosquitto </dev/null
}

# run_and_collect ARGUMENTS: do so, set $said to what it prints, and collect its problems
run_and_collect() {
    local errors line status=0
    errors=$(mktemp)
    said=$(run_with_secrets "$@" 2>"$errors") || status=$?
    if [ "$status" = 2 ] && [ -n "$said" ]; then
        while IFS= read -r line; do
            [ -z "$line" ] || [[ $line == Note:* ]] ||
                problem "$line" "correct it in .env, secrets/ or the command, then run it again"
        done <<<"$said"
    elif [ "$status" != 0 ]; then
        problem "The settings could not be checked: $(tail -n 3 "$errors")" "fix that (perhaps by make up), then run the command again"
    fi
    rm -f "$errors"
}

# check_accounts: check settings and secrets, and write the broker's files
check_accounts() {
    run_and_collect check
    grep '^Note:' <<<"$said" | sed 's/^/  /' || true
}

# What a container of its own must not do, as in docker-compose.yml.
least_rights=(--read-only --cap-drop ALL --security-opt no-new-privileges:true --memory 256m --pids-limit 50)

# check_hashes: let the broker itself judge hashes that nothing else here understands, because it stops at a wrong one
check_hashes() {
    local image answer
    grep -qF ":\$argon2id\$" secrets/mosquitto_passwd || return 0
    image=$(value MOSQUITTO_IMAGE)
    # shellcheck disable=SC2016
    answer=$(docker run --rm --network none "${least_rights[@]}" --user "$(value PUID):$(value PGID)" \
        --tmpfs /mosquitto/data:mode=1777 --volume "$PWD/secrets/mosquitto_passwd:/run/passwords:ro" \
        --entrypoint sh "${image:-eclipse-mosquitto:2.1.2-alpine}" -c '
            printf "listener 1883\nallow_anonymous false\npassword_file /run/passwords\n" >/mosquitto/data/conf
            mosquitto -c /mosquitto/data/conf & sleep 1; kill $!; wait $!' 2>&1) ||
        problem "The broker doesn't understand a hash in secrets/mosquitto_passwd: $(grep -i error <<<"$answer" | head -n 1)" \
            "use hashes that begin with \$7\$ (mosquitto_passwd -H sha512-pbkdf2), then run the command again"
}

# Print the Debian mirror that this machine uses, or nothing.
debian_mirror() {
    sed -nE 's/^(URIs: *|deb (\[[^]]*\] )?)(https?:[^ ]+\/debian\/?)( .*)?$/\3/p' \
        /etc/apt/sources.list /etc/apt/sources.list.d/debian.sources /etc/apt/sources.list.d/*.list 2>/dev/null |
        head -n 1 || true
}
