/* Preloaded into a mariadbd of the lab: while the file named by LAB_HOLD is there, nothing that is to reach the disk
 * does, as on a disk that has stopped: fsync and fdatasync wait. Everything else goes on. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdlib.h>
#include <unistd.h>

static void hold(void)
{
    const char *path = getenv("LAB_HOLD");
    while (path && access(path, F_OK) == 0)
        usleep(10000);
}

static int after_hold(const char *name, int fd)
{
    int (*real)(int) = (int (*)(int))dlsym(RTLD_NEXT, name);
    hold();
    return real(fd);
}

int fsync(int fd) { return after_hold("fsync", fd); }

int fdatasync(int fd) { return after_hold("fdatasync", fd); }
