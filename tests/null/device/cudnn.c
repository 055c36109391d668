// The part of cuDNN through which torch asks for attention: every graph has one engine, and runs as a launch in the log.
#include <stdint.h>
#include "log.h"

enum { INT64 = 3, DESCRIPTOR = 15, INT32 = 23 };  // values of cudnnBackendAttributeType_t

int cudnnCreate(void **handle) { *handle = malloc(64); return 0; }
int cudnnDestroy(void *handle) { return 0; }
int cudnnSetStream(void *handle, void *stream) { return 0; }
int cudnnGetStream(void *handle, void **stream) { *stream = 0; return 0; }
int cudnnBackendCreateDescriptor(int kind, void **made) { *made = calloc(1, 256); return 0; }
int cudnnBackendDestroyDescriptor(void *made) { free(made); return 0; }
int cudnnBackendInitialize(void *made) { return 0; }
int cudnnBackendFinalize(void *made) { return 0; }
int cudnnBackendSetAttribute(void *made, int name, int type, int64_t count, const void *values) { return 0; }
int cudnnBackendGetAttribute(void *made, int name, int type, int64_t wanted, int64_t *count, void *values) {
    if (count) *count = type == INT64 || type == INT32 || type == DESCRIPTOR;
    if (values && type == INT64) *(int64_t *)values = 0;
    if (values && type == INT32) *(int32_t *)values = 0;  // bytes of shared memory: torch's limit is no lower
    return 0;
}
int cudnnBackendExecute(void *handle, void *plan, void *pack) { note("launch", "cudnnBackendExecute"); return 0; }
