// What is called of the null device, appended to the file NULL_DEVICE_LOG: "PID PARENT KIND NAME", a line for each call.
// What is recorded into a graph, instead of being done, has the kind `captured`; the launch of a graph is one call.
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

extern int captured_calls __attribute__((weak));  // of the graph that is being recorded, or -1; in runtime.c

static void note(const char *kind, const char *name) {
    static int file = -2;
    if (&captured_calls && captured_calls >= 0 && (!strcmp(kind, "launch") || !strcmp(kind, "copy") || !strcmp(kind, "memset"))) {
        captured_calls++;
        kind = "captured";
    }
    if (file == -2) {
        const char *path = getenv("NULL_DEVICE_LOG");
        file = path ? open(path, O_WRONLY | O_CREAT | O_APPEND, 0644) : -1;
    }
    if (file < 0) return;
    char line[1024];
    int size = snprintf(line, sizeof line, "%d %d %s %s\n", (int)getpid(), (int)getppid(), kind, name);
    if (size >= (int)sizeof line) {
        size = sizeof line;
        line[size - 1] = '\n';
    }
    if (write(file, line, size) != size) file = -1;
}

// The device's generation: NULL_DEVICE_SM is 80 for an A100, 89 for an RTX 4090, 90 (the default) for an H100.
static int generation(void) {
    const char *sm = getenv("NULL_DEVICE_SM");
    return sm ? atoi(sm) : 90;
}

static const char *device_name(void) {
    const char *name = getenv("NULL_DEVICE_NAME");
    if (name) return name;
    switch (generation()) {
        case 80: return "NVIDIA A100-SXM4-80GB";
        case 89: return "NVIDIA GeForce RTX 4090";
        default: return "NVIDIA H100 80GB HBM3";
    }
}
