# Ends the servers of a data folder once its owner is gone. Speaks plain POSIX shell.
# Signals that are meant for the owner do not end the one who cleans up after it.
trap '' HUP INT QUIT TERM
folder=$1
kind=$2

# Is the process of this pid file alive, and one of this folder's? Sets pid.
mine() {
    { read -r pid && read -r mark; } 2>/dev/null <"$folder/run/$1.pid" || return 1
    if [ -r /proc/self/cmdline ]; then
        line=$(tr '\000' ' ' 2>/dev/null <"/proc/$pid/cmdline") || return 1
    else
        line=$(ps -p "$pid" -o command= 2>/dev/null) || return 1
    fi
    case "$line" in
    *"$folder"* | *"$mark"*) return 0 ;;
    esac
    return 1
}

tell() {
    if mine "$1"; then kill "-$2" "$pid" 2>/dev/null; fi
}

pause() {
    sleep 0.2 2>/dev/null || sleep 1
}

# Blocks until the owner says that it stopped, or its end of the pipe closes.
read -r word
# A server that was being started writes its pid first thing: let it.
[ "$word" = stopped ] || pause

tell initdb KILL
if [ "$kind" = ephemeral ]; then
    tell redis KILL
    tell postgres QUIT
else
    tell redis TERM
    tell postgres INT
fi
round=0
while mine initdb || mine redis || mine postgres; do
    round=$((round + 1))
    case $round in
    # After about 15 s without a checkpoint, after 20 s with force, after 25 s there is nothing more to do.
    75) tell redis KILL && tell postgres QUIT ;;
    100) tell postgres KILL ;;
    125) break ;;
    esac
    pause
done

if [ "$kind" = ephemeral ]; then
    # The last backends may still be closing files.
    for attempt in 1 2 3 4 5; do
        rm -rf -- "$folder" 2>/dev/null
        [ -e "$folder" ] || break
        pause
    done
else
    rm -f -- "$folder/run/initdb.pid" "$folder/run/redis.pid" "$folder/run/postgres.pid" "$folder/fealty.lock"
fi
