#!/bin/busybox sh
# The first process of the emulated machine: what the load needs of a system, the load, and the end.
export PATH=/usr/sbin:/usr/bin:/sbin:/bin
/bin/busybox mount -t proc proc /proc
/bin/busybox mount -t sysfs sys /sys
/bin/busybox mount -t devtmpfs dev /dev
/bin/busybox ip link set lo up
ulimit -n 20000
/lab emulated-load
/bin/busybox poweroff -f
