# shellcheck shell=bash
# What can be wrong with ports, files and the Compose file, as problems; make up and make doctor look at it.

# Is a port used by another program than this project's containers?
in_use() { # in_use PORT
    local project
    project=$(value COMPOSE_PROJECT_NAME)
    docker ps --filter "label=com.docker.compose.project=${project:-ecc}" --format '{{.Ports}}' | grep -q ":$1->" && return 1
    (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null
}

check_port() { # check_port VARIABLE DEFAULT WHO
    local port
    port=$(value "$1")
    port=${port:-$2}
    if ! [[ $port =~ ^[0-9]{1,5}$ ]] || ((10#$port < 1 || 10#$port > 65535)); then
        problem "$1 in .env is '$port'; a port is a number from 1 to 65535." "correct it, then run make up again"
    elif in_use "$port"; then
        problem "Port $port, which $3 needs, is in use by another program." \
            "stop that program, or set another $1 in .env, then run make up again"
    fi
}

check_files() {
    local uid file folder
    uid=$(value PUID)
    for file in .env docker-compose.yml secrets/*_credentials secrets/apprise_urls secrets/mosquitto_*; do
        if [ ! -e "$file" ]; then
            problem "$file is missing." "run make up, which creates it"
        elif [ -d "$file" ]; then
            problem "$file is a folder; a file is expected." "remove it, then run make up again"
        elif [ ! -r "$file" ]; then
            problem "User $(id -un) can't read $file; it belongs to $(stat -c %U "$file")." \
                "run sudo chown $(id -u):$(id -g) $file, then make up again"
        elif [[ $file == secrets/* ]] && [ "$(stat -c %u "$file")" != "$uid" ]; then
            problem "$file belongs to $(stat -c %U "$file"), but the containers run as user $uid (PUID in .env)." \
                "run sudo chown $uid:$(value PGID) $file, then make up again"
        fi
    done
    for folder in data/db data/logs data/broker "$(backup_folder)"; do
        if [ ! -d "$folder" ]; then
            problem "The folder $folder is missing." "run make up, which creates it"
        elif [ "$(stat -c %u "$folder")" != "$uid" ]; then
            problem "The folder $folder belongs to $(stat -c %U "$folder"), but the containers run as user $uid (PUID in .env)." \
                "run sudo chown -R $uid:$(value PGID) $folder, then make up again"
        fi
    done
}

# $compose is from lib.sh; who calls this reads $is_compose_wrong.
# shellcheck disable=SC2034,SC2154
check_compose() {
    local answer
    answer=$("${compose[@]}" config --quiet 2>&1) && return
    is_compose_wrong=yes
    problem "The Compose file is wrong: $(tail -n 2 <<<"$answer" | tr '\n' ' ')" \
        "correct docker-compose.override.yml or docker-compose.yml, then run make up again"
}

# shellcheck disable=SC2034
is_compose_wrong=

# check_this_machine: do all of it; it needs .env
check_this_machine() {
    check_port MQTT_PORT 1883 "the broker"
    check_port WEB_PORT 8080 "the page"
    check_files
    check_compose
}
