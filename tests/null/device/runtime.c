// A CUDA runtime that computes nothing. The host's side is real: torch dispatches, allocates and waits as on a GPU, and
// kernels are only written to the log. Memory is address space that reads as zeros until something is copied into it.
#define _GNU_SOURCE
#include <cuda_runtime_api.h>
#include <dlfcn.h>
#include <stdint.h>
#include <sys/mman.h>
#include "log.h"

#define OK return cudaSuccess
#define MIB ((size_t)1 << 20)

static size_t used;

static size_t capacity(void) {
    const char *gigabytes = getenv("NULL_DEVICE_GB");
    return gigabytes ? (size_t)(atof(gigabytes) * 1e9) : generation() == 89 ? 24564 * MIB : 81559 * MIB;
}

// ---------------------------------------------------------------- the device

cudaError_t cudaGetDeviceCount(int *count) { note("init", "cudaGetDeviceCount"); *count = 1; OK; }
cudaError_t cudaGetDevice(int *device) { *device = 0; OK; }
cudaError_t cudaSetDevice(int device) { note("init", "cudaSetDevice"); OK; }
cudaError_t cudaDriverGetVersion(int *version) { *version = CUDART_VERSION; OK; }
cudaError_t cudaRuntimeGetVersion(int *version) { *version = CUDART_VERSION; OK; }
cudaError_t cudaDeviceGetPCIBusId(char *id, int size, int device) { snprintf(id, size, "0000:00:01.0"); OK; }
cudaError_t cudaDeviceCanAccessPeer(int *can, int a, int b) { *can = 0; OK; }
cudaError_t cudaDeviceEnablePeerAccess(int device, unsigned flags) { OK; }

cudaError_t cudaGetDeviceProperties(struct cudaDeviceProp *p, int device) {
    memset(p, 0, sizeof *p);
    snprintf(p->name, sizeof p->name, "%s", device_name());
    p->major = generation() / 10;
    p->minor = generation() % 10;
    p->totalGlobalMem = capacity();
    p->multiProcessorCount = 132;
    p->warpSize = 32;
    p->l2CacheSize = 50 * MIB;
    p->sharedMemPerBlock = 49152;
    p->sharedMemPerBlockOptin = 232448;
    p->sharedMemPerMultiprocessor = 233472;
    p->regsPerBlock = p->regsPerMultiprocessor = 65536;
    p->maxThreadsPerBlock = p->maxThreadsDim[0] = p->maxThreadsDim[1] = 1024;
    p->maxThreadsDim[2] = 64;
    p->maxThreadsPerMultiProcessor = 2048;
    p->maxBlocksPerMultiProcessor = 32;
    p->maxGridSize[0] = p->memPitch = 2147483647;
    p->maxGridSize[1] = p->maxGridSize[2] = 65535;
    p->managedMemory = p->unifiedAddressing = p->concurrentKernels = 1;
    p->asyncEngineCount = 3;
    p->textureAlignment = 512;
    OK;
}

cudaError_t cudaDeviceGetAttribute(int *value, enum cudaDeviceAttr attribute, int device) {
    struct cudaDeviceProp p;
    cudaGetDeviceProperties(&p, device);
    switch (attribute) {
        case cudaDevAttrComputeCapabilityMajor: *value = p.major; break;
        case cudaDevAttrComputeCapabilityMinor: *value = p.minor; break;
        case cudaDevAttrMultiProcessorCount: *value = p.multiProcessorCount; break;
        case cudaDevAttrMaxSharedMemoryPerBlock: *value = p.sharedMemPerBlock; break;
        case cudaDevAttrMaxSharedMemoryPerBlockOptin: *value = p.sharedMemPerBlockOptin; break;
        case cudaDevAttrMaxSharedMemoryPerMultiprocessor: *value = p.sharedMemPerMultiprocessor; break;
        case cudaDevAttrWarpSize: *value = p.warpSize; break;
        case cudaDevAttrMaxThreadsPerBlock: *value = p.maxThreadsPerBlock; break;
        case cudaDevAttrMaxThreadsPerMultiProcessor: *value = p.maxThreadsPerMultiProcessor; break;
        case cudaDevAttrL2CacheSize: *value = p.l2CacheSize; break;
        case cudaDevAttrMaxGridDimX: *value = p.maxGridSize[0]; break;
        case cudaDevAttrMaxGridDimY: *value = p.maxGridSize[1]; break;
        default: *value = 1;
    }
    OK;
}

// ---------------------------------------------------------------- memory

struct Block {  // in the page before an allocation
    size_t size, mapped;
    void *start;
};

static struct Block *block_of(void *memory) { return (struct Block *)((char *)memory - 4096); }

cudaError_t cudaMalloc(void **memory, size_t size) {
    note("malloc", "");
    *memory = NULL;
    if (used + size > capacity() - 600 * MIB) return cudaErrorMemoryAllocation;
    size_t mapped = ((size + 2 * MIB - 1) & ~(2 * MIB - 1)) + 4096 + 2 * MIB;
    char *start = mmap(0, mapped, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (start == MAP_FAILED) return cudaErrorMemoryAllocation;
    *memory = (void *)(((uintptr_t)start + 4096 + 2 * MIB - 1) & ~(uintptr_t)(2 * MIB - 1));
    *block_of(*memory) = (struct Block){size, mapped, start};
    used += size;
    OK;
}

cudaError_t cudaFree(void *memory) {
    if (memory) {
        struct Block block = *block_of(memory);
        used -= block.size;
        munmap(block.start, block.mapped);
    }
    OK;
}

cudaError_t cudaMallocAsync(void **memory, size_t size, cudaStream_t stream) { return cudaMalloc(memory, size); }
cudaError_t cudaFreeAsync(void *memory, cudaStream_t stream) { return cudaFree(memory); }
cudaError_t cudaMemGetInfo(size_t *left, size_t *total) { *total = capacity(); *left = *total - 600 * MIB - used; OK; }
cudaError_t cudaHostAlloc(void **memory, size_t size, unsigned flags) { *memory = aligned_alloc(4096, (size + 4095) & ~4095UL); OK; }
cudaError_t cudaFreeHost(void *memory) { free(memory); OK; }
cudaError_t cudaHostRegister(void *memory, size_t size, unsigned flags) { OK; }
cudaError_t cudaHostUnregister(void *memory) { OK; }
cudaError_t cudaPointerGetAttributes(struct cudaPointerAttributes *a, const void *memory) {
    memset(a, 0, sizeof *a);
    a->type = cudaMemoryTypeUnregistered;
    OK;
}

static void copy(void *to, const void *from, size_t size, enum cudaMemcpyKind kind) {
    note("copy", kind == cudaMemcpyHostToDevice ? "to the device" : kind == cudaMemcpyDeviceToHost ? "to the host" : "on the device");
    if (kind != cudaMemcpyDeviceToDevice) memcpy(to, from, size);
}

cudaError_t cudaMemcpy(void *to, const void *from, size_t size, enum cudaMemcpyKind kind) { copy(to, from, size, kind); OK; }
cudaError_t cudaMemcpyAsync(void *to, const void *from, size_t size, enum cudaMemcpyKind kind, cudaStream_t stream) { copy(to, from, size, kind); OK; }
cudaError_t cudaMemcpy2DAsync(void *to, size_t a, const void *from, size_t b, size_t c, size_t d, enum cudaMemcpyKind kind, cudaStream_t stream) { note("copy", "of rows"); OK; }
cudaError_t cudaMemcpyPeerAsync(void *to, int a, const void *from, int b, size_t size, cudaStream_t stream) { OK; }
cudaError_t cudaMemcpyToSymbol(const void *to, const void *from, size_t size, size_t at, enum cudaMemcpyKind kind) { OK; }
cudaError_t cudaMemset(void *to, int value, size_t size) { note("memset", ""); OK; }
cudaError_t cudaMemsetAsync(void *to, int value, size_t size, cudaStream_t stream) { note("memset", ""); OK; }
cudaError_t cudaGetSymbolAddress(void **address, const void *symbol) { static char some[MIB]; *address = some; OK; }

// ---------------------------------------------------------------- streams and events

int captured_calls = -1;
static cudaStream_t captured_stream;
static unsigned long long captures;
static int capture_failed;

static cudaError_t wait_for(const char *what) {  // which ends a capture
    note("wait", what);
    capture_failed = captured_calls >= 0;
    return capture_failed ? cudaErrorStreamCaptureUnsupported : cudaSuccess;
}

cudaError_t cudaDeviceSynchronize(void) { return wait_for("device"); }
cudaError_t cudaStreamSynchronize(cudaStream_t stream) { return wait_for("stream"); }
cudaError_t cudaEventSynchronize(cudaEvent_t event) { return wait_for("event"); }
cudaError_t cudaStreamCreate(cudaStream_t *stream) { *stream = malloc(16); OK; }
cudaError_t cudaStreamCreateWithPriority(cudaStream_t *stream, unsigned flags, int priority) { *stream = malloc(16); OK; }
cudaError_t cudaStreamDestroy(cudaStream_t stream) { OK; }
cudaError_t cudaStreamQuery(cudaStream_t stream) { OK; }
cudaError_t cudaStreamWaitEvent(cudaStream_t stream, cudaEvent_t event, unsigned flags) { OK; }
cudaError_t cudaStreamGetPriority(cudaStream_t stream, int *priority) { *priority = 0; OK; }
cudaError_t cudaDeviceGetStreamPriorityRange(int *least, int *greatest) { if (least) *least = 0; if (greatest) *greatest = -5; OK; }
cudaError_t cudaLaunchHostFunc(cudaStream_t stream, cudaHostFn_t function, void *data) { OK; }
cudaError_t cudaEventCreate(cudaEvent_t *event) { *event = malloc(16); OK; }
cudaError_t cudaEventCreateWithFlags(cudaEvent_t *event, unsigned flags) { *event = malloc(16); OK; }
cudaError_t cudaEventDestroy(cudaEvent_t event) { OK; }
cudaError_t cudaEventElapsedTime(float *milliseconds, cudaEvent_t a, cudaEvent_t b) { *milliseconds = 1; OK; }
cudaError_t cudaEventQuery(cudaEvent_t event) { OK; }
cudaError_t cudaEventRecord(cudaEvent_t event, cudaStream_t stream) { OK; }
cudaError_t cudaEventRecordWithFlags(cudaEvent_t event, cudaStream_t stream, unsigned flags) { OK; }
cudaError_t cudaGetLastError(void) { OK; }
cudaError_t cudaPeekAtLastError(void) { OK; }
cudaError_t cudaProfilerStart(void) { OK; }
cudaError_t cudaProfilerStop(void) { OK; }

// ---------------------------------------------------------------- graphs: one is recorded at a time

static int is_captured(cudaStream_t stream) { return captured_calls >= 0 && stream == captured_stream; }

cudaError_t cudaStreamBeginCapture(cudaStream_t stream, enum cudaStreamCaptureMode mode) {
    if (captured_calls >= 0 || !stream) return cudaErrorStreamCaptureUnsupported;
    captured_stream = stream;
    captured_calls = capture_failed = 0;
    captures++;
    OK;
}
cudaError_t cudaStreamEndCapture(cudaStream_t stream, cudaGraph_t *graph) {
    if (!is_captured(stream)) return cudaErrorIllegalState;
    *graph = NULL;
    int calls = captured_calls;
    captured_calls = -1;
    if (capture_failed) return cudaErrorStreamCaptureInvalidated;
    *(int *)(*graph = malloc(16)) = calls;
    OK;
}
cudaError_t cudaStreamIsCapturing(cudaStream_t stream, enum cudaStreamCaptureStatus *status) {
    *status = is_captured(stream) ? cudaStreamCaptureStatusActive : cudaStreamCaptureStatusNone;
    OK;
}
cudaError_t cudaStreamGetCaptureInfo(cudaStream_t stream, enum cudaStreamCaptureStatus *status, unsigned long long *id, cudaGraph_t *graph, const cudaGraphNode_t **nodes, const cudaGraphEdgeData **edges, size_t *count) {
    if (id) *id = captures;
    if (graph) *graph = NULL;
    if (count) *count = 0;
    return cudaStreamIsCapturing(stream, status);
}
cudaError_t cudaThreadExchangeStreamCaptureMode(enum cudaStreamCaptureMode *mode) { OK; }
cudaError_t cudaGraphGetNodes(cudaGraph_t graph, cudaGraphNode_t *nodes, size_t *count) { *count = *(int *)graph; OK; }
cudaError_t cudaGraphInstantiateWithFlags(cudaGraphExec_t *made, cudaGraph_t graph, unsigned long long flags) { *made = malloc(16); OK; }
cudaError_t cudaGraphLaunch(cudaGraphExec_t graph, cudaStream_t stream) { note("launch", "cudaGraphLaunch"); OK; }
cudaError_t cudaGraphExecDestroy(cudaGraphExec_t graph) { free(graph); OK; }
cudaError_t cudaGraphDestroy(cudaGraph_t graph) { free(graph); OK; }

// ---------------------------------------------------------------- kernels

static struct Kernel {
    const void *function;
    const char *name;
} *kernels;
static size_t count, room;
static int sorted;

static int compare(const void *a, const void *b) {
    const void *x = ((struct Kernel *)a)->function, *y = ((struct Kernel *)b)->function;
    return x < y ? -1 : x > y;
}

void __cudaRegisterFunction(void **binary, const char *function, char *symbol, const char *name, int limit, uint3 *a, uint3 *b, dim3 *c, dim3 *d, int *size) {
    static void (*real)(void **, const char *, char *, const char *, int, uint3 *, uint3 *, dim3 *, dim3 *, int *);
    if (!real) real = dlsym(RTLD_NEXT, "__cudaRegisterFunction");
    if (real) real(binary, function, symbol, name, limit, a, b, c, d, size);
    if (count == room) kernels = realloc(kernels, (room = 2 * room + 4096) * sizeof *kernels);
    kernels[count++] = (struct Kernel){function, name};
    sorted = 0;
}

static cudaError_t launch(const void *function) {
    if (!sorted) qsort(kernels, count, sizeof *kernels, compare);
    sorted = 1;
    struct Kernel *found = bsearch(&(struct Kernel){function, NULL}, kernels, count, sizeof *kernels, compare);
    note("launch", found ? found->name : "unnamed");
    OK;
}

cudaError_t cudaLaunchKernel(const void *f, dim3 g, dim3 b, void **a, size_t m, cudaStream_t s) { return launch(f); }
cudaError_t __cudaLaunchKernel(cudaKernel_t f, dim3 g, dim3 b, void **a, size_t m, cudaStream_t s) { return launch(f); }
cudaError_t cudaLaunchKernelExC(const cudaLaunchConfig_t *c, const void *f, void **a) { return launch(f); }
cudaError_t __cudaGetKernel(cudaKernel_t *kernel, const void *function) { *kernel = (cudaKernel_t)function; OK; }
char __cudaInitModule(void **handle) { return 1; }
cudaError_t cudaFuncSetAttribute(const void *function, enum cudaFuncAttribute attribute, int value) { OK; }
cudaError_t cudaFuncGetAttributes(struct cudaFuncAttributes *a, const void *function) {
    memset(a, 0, sizeof *a);
    a->ptxVersion = a->binaryVersion = 90;
    a->maxThreadsPerBlock = 1024;
    a->numRegs = 64;
    a->maxDynamicSharedSizeBytes = 232448;
    OK;
}
cudaError_t cudaOccupancyMaxActiveBlocksPerMultiprocessor(int *blocks, const void *function, int size, size_t memory) { *blocks = 2; OK; }
cudaError_t cudaOccupancyMaxActiveBlocksPerMultiprocessorWithFlags(int *blocks, const void *function, int size, size_t memory, unsigned flags) { *blocks = 2; OK; }
