/*
 * A library to preload into Postgres: every flush to disk takes two milliseconds longer. A login that is
 * acknowledged in less was not durable.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <unistd.h>

#define DELAY_US 2000

typedef int (*flush)(int);

static int delayed(const char *name, int descriptor) {
  flush real = (flush)dlsym(RTLD_NEXT, name);
  usleep(DELAY_US);
  return real(descriptor);
}

int fdatasync(int descriptor) { return delayed("fdatasync", descriptor); }

int fsync(int descriptor) { return delayed("fsync", descriptor); }
