/* What Swift cannot call by itself: functions with a variable number of arguments. */
#include <malloc.h>
#include <signal.h>
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

/* What is said, and with which status the process ends, should it trap or touch memory that is not its own: once one of our own databases is
   damaged in a way that SQLite does not see, that is how it ends. The text is kept, and at most 4 KiB long. */
struct dmarcstat_words {
    char text[4096];
    size_t length;
    int status;
};

/* In a function: what stands at the top level of a header is not emitted for Swift. */
static inline struct dmarcstat_words *dmarcstat_last_words(void) {
    static struct dmarcstat_words words;
    return &words;
}

static inline void dmarcstat_end_with_words(int number) {
    (void)number;
    const struct dmarcstat_words *last = dmarcstat_last_words();
    /* Both calls are safe in a handler (signal-safety(7)). */
    if (write(2, last->text, last->length) < 0) _exit(last->status);
    _exit(last->status);
}

static inline void dmarcstat_expect_trap(const char *words, size_t length, int status) {
    struct sigaction action = {0};
    struct dmarcstat_words *last = dmarcstat_last_words();
    const int signals[] = {SIGILL, SIGTRAP, SIGSEGV, SIGBUS, SIGFPE};
    if (length > sizeof(last->text)) length = sizeof(last->text);
    for (size_t index = 0; index < length; index++) last->text[index] = words[index];
    last->length = length;
    last->status = status;
    action.sa_handler = dmarcstat_end_with_words;
    action.sa_flags = SA_RESETHAND;
    for (size_t index = 0; index < sizeof(signals) / sizeof(signals[0]); index++) sigaction(signals[index], &action, NULL);
}

/* From now on a trap is one again. */
static inline void dmarcstat_expect_no_trap(void) {
    const int signals[] = {SIGILL, SIGTRAP, SIGSEGV, SIGBUS, SIGFPE};
    for (size_t index = 0; index < sizeof(signals) / sizeof(signals[0]); index++) signal(signals[index], SIG_DFL);
}
