/* What Swift cannot call by itself: functions with a variable number of arguments, and the filter of system calls. */
#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <malloc.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#if defined(__x86_64__)
#define DMARCSTAT_ARCHITECTURE AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define DMARCSTAT_ARCHITECTURE AUDIT_ARCH_AARCH64
#endif

/* One heap for all threads: others reserve 64 MiB of address space each. */
static inline void dmarcstat_one_heap(void) { mallopt(M_ARENA_MAX, 1); }

/* Gives what has been freed back to the system. */
static inline void dmarcstat_give_memory_back(void) { malloc_trim(0); }

/* The calling thread is about to fill tens of MiB once. Its heap grows at one stroke, takes large blocks too, keeps what is freed, and is
   given in pages of 2 MiB where the kernel has them (madvise(2)): page by page of 4 KiB that takes a fifth of the time of what fills it.
   Nothing is touched that is not used, and nothing depends on it. */
static inline void dmarcstat_expect_large_heap(void) {
    const size_t step = (size_t)32 << 20;
    /* The heap of a thread that is not the first lies in one piece of this size, which begins at a multiple of it. */
    const uintptr_t reserved = (uintptr_t)64 << 20;
    mallopt(M_MMAP_THRESHOLD, (int)step);
    mallopt(M_TRIM_THRESHOLD, (int)(reserved * 4));
    mallopt(M_TOP_PAD, (int)step);
    void *block = malloc((size_t)1 << 20);
    if (block == NULL) return;
    uintptr_t begin = (uintptr_t)block & ~(uintptr_t)(sysconf(_SC_PAGESIZE) - 1), top = (uintptr_t)sbrk(0);
    int is_first = begin < top && top - begin <= 2 * reserved;
    uintptr_t end = is_first ? top : (begin | (reserved - 1)) + 1;
    madvise((void *)begin, end - begin, MADV_HUGEPAGE);
    free(block);
}

/* From now on this process and its threads make no socket, start no program and look into no other process
   (seccomp(2); the numbers of system calls depend on the architecture). 0, or an error number. */
static inline int dmarcstat_forbid_network_and_programs(void) {
#ifdef DMARCSTAT_ARCHITECTURE
    struct sock_filter filter[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, arch)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, DMARCSTAT_ARCHITECTURE, 0, 9),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        /* The 32-bit calls of x86-64 have numbers of their own from this bit on. */
        BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, 0x40000000, 7, 0),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, __NR_socket, 6, 0),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, __NR_execve, 5, 0),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, __NR_execveat, 4, 0),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, __NR_ptrace, 3, 0),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, __NR_process_vm_readv, 2, 0),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, __NR_process_vm_writev, 1, 0),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
    };
    struct sock_fprog program = {sizeof(filter) / sizeof(filter[0]), filter};
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return errno;
    return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program, 0, 0) != 0 ? errno : 0;
#else
    return ENOSYS;
#endif
}
