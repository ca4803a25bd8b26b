/* What Swift cannot call by itself: functions with a variable number of arguments. */
#include <malloc.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

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
