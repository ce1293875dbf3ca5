/* Preloaded into a server: remembers how much of each append-only file a power failure would leave.
 *
 * Beside a file F that ends in ".incr.aof":
 *   F.durable  the length that the last fsync has made durable: 20 digits, one write, never less than before
 * Beside all of them, in their directory, by the test:
 *   slow       so many ms each fsync takes longer
 *   full       the device is full while this is there: it takes half of each write
 *
 * The length is what the file had before the fsync began, and it is noted after the fsync has returned and before anybody
 * is answered.  A server that is killed in between has promised nothing about what is not noted.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

typedef int (*sync_function)(int);
typedef ssize_t (*write_function)(int, const void *, size_t);

static pthread_mutex_t noting = PTHREAD_MUTEX_INITIALIZER;

/* The path of an append-only file, 0 for any other descriptor. */
static int append_only(int fd, char *path, size_t size) {
    char link[64];
    struct stat status;
    if (fstat(fd, &status) || !S_ISREG(status.st_mode)) return 0;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, size - 1);
    if (length < 9) return 0;
    path[length] = 0;
    return strcmp(path + length - 9, ".incr.aof") == 0;
}

/* Opens a file of the directory that `path` is in; -1 if it is not there. */
static int beside(const char *path, const char *name) {
    char other[4200];
    snprintf(other, sizeof other, "%.*s/%s", (int)(strrchr(path, '/') - path), path, name);
    return open(other, O_RDONLY | O_CLOEXEC);
}

static void note(const char *path, off_t length) {
    char marker[4200], digits[21] = "";
    snprintf(marker, sizeof marker, "%s.durable", path);
    pthread_mutex_lock(&noting);
    int fd = open(marker, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (pread(fd, digits, 20, 0) != 20 || atoll(digits) < length) {
        snprintf(digits, sizeof digits, "%020lld", (long long)length);
        if (pwrite(fd, digits, 20, 0) != 20) abort();
    }
    close(fd);
    pthread_mutex_unlock(&noting);
}

static void delay(const char *path) {
    char digits[21] = "";
    int fd = beside(path, "slow");
    if (fd < 0) return;
    if (pread(fd, digits, 20, 0) > 0) usleep(1000 * (useconds_t)atoi(digits));
    close(fd);
}

static int flush(int fd, const char *name) {
    char path[4096];
    struct stat status;
    sync_function real = (sync_function)dlsym(RTLD_NEXT, name);
    if (!append_only(fd, path, sizeof path)) return real(fd);
    fstat(fd, &status);
    delay(path);
    int failed = real(fd);
    if (!failed) note(path, status.st_size);
    return failed;
}

int fsync(int fd) { return flush(fd, "fsync"); }
int fdatasync(int fd) { return flush(fd, "fdatasync"); }

ssize_t write(int fd, const void *bytes, size_t count) {
    static write_function real;
    char path[4096];
    int full = -1;
    if (!real) real = (write_function)dlsym(RTLD_NEXT, "write");
    if (append_only(fd, path, sizeof path)) full = beside(path, "full");
    if (full < 0) return real(fd, bytes, count);
    close(full);
    if (count > 1) return real(fd, bytes, count / 2);
    errno = ENOSPC;
    return -1;
}
