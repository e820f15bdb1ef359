# Ends what a lab started, once nobody holds the other end of standard input any more: the lab has closed it, or is dead
# in whatever way. Also run in the foreground, with /dev/null as input, to clear what an older lab left behind.
#
#   keeper.sh LAB_DIRECTORY FAILED_DIRECTORY
#
# Every process of a lab, and what those start in turn, has CAPITANA_LAB=<its directory> in its environment; this script
# must not. nginx writes over its environment, so a program run from a copy in that directory is one of the lab's too.
# A child that has been forked and not yet executed still holds the pipe, so none can be missed after EOF.
trap '' INT HUP TERM
lab=$1
failed=$2

while read -r _; do :; done

marked() {
    {
        grep -lzxF "CAPITANA_LAB=$lab" /proc/[0-9]*/environ
        find /proc/[0-9]*/exe -maxdepth 0 -lname "$lab/*"
    } 2>/dev/null | sed 's|^/proc/||; s|/.*||' | sort -u
}

# SIGKILL ends stopped processes too. A minute is for those that are stuck in the kernel.
rounds=1200
while pids=$(marked) && [ -n "$pids" ] && [ "$rounds" -gt 0 ]; do
    kill -9 $pids 2>/dev/null
    rounds=$((rounds - 1))
    sleep 0.05
done

if [ -e "$lab/keep" ]; then
    find "$lab" -mindepth 1 ! -type d \( ! -name '*.log' -o -path '*/data/*' \) -delete
    find "$lab" -mindepth 1 -type d -empty -delete
    mkdir -p "$failed"
    mv "$lab" "$failed/"
    # The last ten: whoever breaks things all day would fill the disk.
    ls -1dt "$failed"/*/ 2>/dev/null | tail -n +11 | while IFS= read -r old; do rm -rf "$old"; done
else
    rm -rf "$lab"
fi
