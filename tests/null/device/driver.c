// libcuda.so.1, as far as Triton and torch call it: modules load, and a launch is written to the log by its name.
#define _GNU_SOURCE
#include <cuda.h>
#include <dlfcn.h>
#include <elf.h>
#include <sys/mman.h>
#include "log.h"

#define OK return CUDA_SUCCESS

CUresult cuInit(unsigned flags) { note("init", "cuInit"); OK; }
CUresult cuDriverGetVersion(int *version) { *version = CUDA_VERSION; OK; }
CUresult cuDeviceGet(CUdevice *device, int number) { *device = number; OK; }
CUresult cuDeviceGetCount(int *count) { note("init", "cuDeviceGetCount"); *count = 1; OK; }
CUresult cuDeviceGetName(char *name, int size, CUdevice device) { snprintf(name, size, "%s", device_name()); OK; }
CUresult cuDeviceGetAttribute(int *value, CUdevice_attribute attribute, CUdevice device) {
    switch (attribute) {
        case CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR: *value = generation() / 10; break;
        case CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR: *value = generation() % 10; break;
        case CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT: *value = 132; break;
        case CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK_OPTIN: *value = 232448; break;
        case CU_DEVICE_ATTRIBUTE_MAX_REGISTERS_PER_BLOCK: *value = 65536; break;
        case CU_DEVICE_ATTRIBUTE_WARP_SIZE: *value = 32; break;
        case CU_DEVICE_ATTRIBUTE_CLOCK_RATE: *value = 1980000; break;
        case CU_DEVICE_ATTRIBUTE_MEMORY_CLOCK_RATE: *value = 2619000; break;
        case CU_DEVICE_ATTRIBUTE_GLOBAL_MEMORY_BUS_WIDTH: *value = 5120; break;
        default: *value = 1;
    }
    OK;
}
CUresult cuDevicePrimaryCtxGetState(CUdevice device, unsigned *flags, int *active) { *flags = 0; *active = 1; OK; }
CUresult cuDevicePrimaryCtxRetain(CUcontext *context, CUdevice device) { *context = (CUcontext)0x10; OK; }
CUresult cuCtxGetCurrent(CUcontext *context) { *context = (CUcontext)0x10; OK; }
CUresult cuCtxSetCurrent(CUcontext context) { OK; }
CUresult cuCtxGetDevice(CUdevice *device) { *device = 0; OK; }
CUresult cuCtxGetLimit(size_t *value, CUlimit limit) { *value = 1 << 20; OK; }
CUresult cuCtxSetLimit(CUlimit limit, size_t value) { OK; }
CUresult cuCtxSynchronize(void) { note("wait", "context"); OK; }
CUresult cuStreamSynchronize(CUstream stream) { note("wait", "stream"); OK; }
CUresult cuGetErrorString(CUresult result, const char **text) { *text = "null device"; OK; }
CUresult cuGetErrorName(CUresult result, const char **text) { *text = "null device"; OK; }
CUresult cuPointerGetAttribute(void *value, CUpointer_attribute attribute, CUdeviceptr pointer) {
    if (attribute == CU_POINTER_ATTRIBUTE_DEVICE_POINTER) *(CUdeviceptr *)value = pointer;
    else *(int *)value = 0;
    OK;
}

// A module is its image, which is a cubin in ELF; a function has the registers that ptxas gave it.
typedef struct { const char *name; int registers; } Function;

static int registers_of(const char *image, const char *name) {
    const Elf64_Ehdr *elf = (const Elf64_Ehdr *)image;
    if (memcmp(image, ELFMAG, SELFMAG)) return 64;
    const Elf64_Shdr *sections = (const Elf64_Shdr *)(image + elf->e_shoff);
    const char *names = image + sections[elf->e_shstrndx].sh_offset;
    for (int i = 0; i < elf->e_shnum; i++) {
        const char *section = names + sections[i].sh_name;
        if (!strncmp(section, ".text.", 6) && !strcmp(section + 6, name)) return sections[i].sh_info >> 24;
    }
    return 64;
}

CUresult cuModuleLoadData(CUmodule *module, const void *image) { *module = (CUmodule)image; OK; }
CUresult cuModuleLoadDataEx(CUmodule *module, const void *image, unsigned n, CUjit_option *o, void **v) { return cuModuleLoadData(module, image); }
CUresult cuModuleLoad(CUmodule *module, const char *path) {
    int file = open(path, O_RDONLY);
    if (file < 0) return CUDA_ERROR_FILE_NOT_FOUND;
    void *image = mmap(NULL, lseek(file, 0, SEEK_END), PROT_READ, MAP_PRIVATE, file, 0);
    close(file);
    return image == MAP_FAILED ? CUDA_ERROR_FILE_NOT_FOUND : cuModuleLoadData(module, image);
}
CUresult cuModuleUnload(CUmodule module) { OK; }
CUresult cuModuleGetFunction(CUfunction *function, CUmodule module, const char *name) {
    Function *found = malloc(sizeof *found);
    *found = (Function){strdup(name), registers_of((const char *)module, name)};
    *function = (CUfunction)found;
    OK;
}
CUresult cuFuncGetAttribute(int *value, CUfunction_attribute attribute, CUfunction function) {
    switch (attribute) {
        case CU_FUNC_ATTRIBUTE_NUM_REGS: *value = ((Function *)function)->registers; break;
        case CU_FUNC_ATTRIBUTE_MAX_THREADS_PER_BLOCK: *value = 1024; break;
        default: *value = 0;
    }
    OK;
}
CUresult cuFuncSetAttribute(CUfunction function, CUfunction_attribute attribute, int value) { OK; }
CUresult cuFuncSetCacheConfig(CUfunction function, CUfunc_cache config) { OK; }
CUresult cuOccupancyMaxActiveClusters(int *n, CUfunction f, const CUlaunchConfig *config) { *n = 1; OK; }
CUresult cuOccupancyMaxActiveBlocksPerMultiprocessor(int *n, CUfunction f, int size, size_t memory) { *n = 2; OK; }

static CUresult launch(CUfunction function) { note("launch", ((Function *)function)->name); OK; }
CUresult cuLaunchKernel(CUfunction f, unsigned a, unsigned b, unsigned c, unsigned d, unsigned e, unsigned g, unsigned m, CUstream s, void **p, void **x) { return launch(f); }
CUresult cuLaunchKernelEx(const CUlaunchConfig *config, CUfunction f, void **p, void **x) { return launch(f); }
CUresult cuLaunchCooperativeKernel(CUfunction f, unsigned a, unsigned b, unsigned c, unsigned d, unsigned e, unsigned g, unsigned m, CUstream s, void **p) { return launch(f); }

CUresult cuGetProcAddress_v2(const char *name, void **address, int version, cuuint64_t flags, CUdriverProcAddressQueryResult *result) {
    *address = dlsym(RTLD_DEFAULT, name);
    if (result) *result = *address ? CU_GET_PROC_ADDRESS_SUCCESS : CU_GET_PROC_ADDRESS_SYMBOL_NOT_FOUND;
    return *address ? CUDA_SUCCESS : CUDA_ERROR_NOT_FOUND;
}
