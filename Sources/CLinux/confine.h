/* What a process gives up for good: Landlock (landlock(7)), filters of system calls (seccomp(2)), and a few calls that Swift does not import.
   The numbers and structures of Landlock stand here as its documentation has them: the headers of a distribution are often older than its kernel. */
#ifndef DMARCSTAT_CONFINE_H
#define DMARCSTAT_CONFINE_H
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <iconv.h>
#include <link.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#if defined(__x86_64__)
#define DMARCSTAT_FILTER_ARCHITECTURE AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define DMARCSTAT_FILTER_ARCHITECTURE AUDIT_ARCH_AARCH64
#endif

/* open(2): a file is only named. Swift asks the C library for fewer features than have it. */
#define DMARCSTAT_O_PATH 010000000

/* ---- Landlock. Its three calls have the same numbers on all architectures. ---- */

/* The version that the kernel has; 0: it has none, or it is switched off. */
static inline int dmarcstat_landlock_abi(void) {
    long version = syscall(444, NULL, 0, 1);
    return version > 0 ? (int)version : 0;
}

/* A set of rules that takes away these rights on files, on TCP and beyond the process; a descriptor, or -1. */
static inline int dmarcstat_landlock_begin(uint64_t files, uint64_t net, uint64_t scopes) {
    struct {
        uint64_t files, net, scopes;
    } attributes = {files, net, scopes};
    return (int)syscall(444, &attributes, sizeof(attributes), 0);
}

/* Gives rights back on a file, or on a directory and all that is below it. `path` is followed; 0, or -1. */
static inline int dmarcstat_landlock_allow_path(int rules, const char *path, uint64_t of_directory, uint64_t of_file) {
    struct {
        uint64_t rights;
        int32_t parent;
    } __attribute__((packed)) attributes = {of_directory, open(path, DMARCSTAT_O_PATH | O_CLOEXEC | O_DIRECTORY)};
    if (attributes.parent < 0) {
        attributes.rights = of_file;
        attributes.parent = open(path, DMARCSTAT_O_PATH | O_CLOEXEC);
    }
    if (attributes.parent < 0) return -1;
    int result = attributes.rights == 0 ? 0 : (int)syscall(445, rules, 1, &attributes, 0);
    close(attributes.parent);
    return result;
}

/* Gives back the right to connect to a TCP port; 0, or -1. */
static inline int dmarcstat_landlock_allow_connect(int rules, uint64_t port) {
    struct {
        uint64_t rights, port;
    } attributes = {1 << 1, port};
    return (int)syscall(445, rules, 2, &attributes, 0);
}

/* No program that is started has more rights than this process; then the rules hold, for the calling thread and all that it makes. 0, or an
   error number. */
static inline int dmarcstat_landlock_enforce(int rules) {
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return errno;
    return syscall(446, rules, 0) != 0 ? errno : 0;
}

/* No file can be opened, made, moved or removed any more, no TCP connection made, and no process outside signalled. Without Landlock: nothing. */
static inline void dmarcstat_landlock_nothing(void) {
    int abi = dmarcstat_landlock_abi();
    if (abi < 1) return;
    uint64_t files = (1 << 13) - 1;
    if (abi >= 2) files |= 1 << 13;
    if (abi >= 3) files |= 1 << 14;
    if (abi >= 5) files |= 1 << 15;
    int rules = dmarcstat_landlock_begin(files, abi >= 4 ? 3 : 0, abi >= 6 ? 3 : 0);
    if (rules < 0) return;
    dmarcstat_landlock_enforce(rules);
    close(rules);
}

/* ---- Filters of system calls ---- */

/* Whether the kernel can filter them as it is done here. */
static inline int dmarcstat_has_seccomp(void) {
#ifdef DMARCSTAT_FILTER_ARCHITECTURE
    uint32_t action = SECCOMP_RET_ERRNO;
    return syscall(__NR_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, &action) == 0;
#else
    return 0;
#endif
}

#ifdef DMARCSTAT_FILTER_ARCHITECTURE
/* A filter that is being written. */
struct dmarcstat_filter {
    struct sock_filter steps[192];
    unsigned short count;
};

static inline void dmarcstat_step(struct dmarcstat_filter *filter, unsigned short code, uint32_t value, unsigned char yes, unsigned char no) {
    if (filter->count < sizeof(filter->steps) / sizeof(filter->steps[0]))
        filter->steps[filter->count++] = (struct sock_filter){code, yes, no, value};
}

static inline void dmarcstat_begin_filter(struct dmarcstat_filter *filter) {
    filter->count = 0;
    /* Another architecture's calls have other numbers; all of them are refused. */
    dmarcstat_step(filter, BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, arch), 0, 0);
    dmarcstat_step(filter, BPF_JMP | BPF_JEQ | BPF_K, DMARCSTAT_FILTER_ARCHITECTURE, 1, 0);
    dmarcstat_step(filter, BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM, 0, 0);
    dmarcstat_step(filter, BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr), 0, 0);
}

/* The call `number` ends with `action`. */
static inline void dmarcstat_rule(struct dmarcstat_filter *filter, uint32_t number, uint32_t action) {
    dmarcstat_step(filter, BPF_JMP | BPF_JEQ | BPF_K, number, 0, 1);
    dmarcstat_step(filter, BPF_RET | BPF_K, action, 0, 0);
}

/* The call `number` is allowed if the lower half of its argument compares to `value` as `test` says (BPF_JEQ, BPF_JSET), or if it does not. */
static inline void dmarcstat_rule_if(
    struct dmarcstat_filter *filter, uint32_t number, unsigned argument, unsigned short test, uint32_t value, int wanted) {
    dmarcstat_step(filter, BPF_JMP | BPF_JEQ | BPF_K, number, 0, 4);
    /* Both architectures are little-endian. */
    dmarcstat_step(filter, BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args) + 8 * argument, 0, 0);
    dmarcstat_step(filter, BPF_JMP | test | BPF_K, value, wanted ? 0 : 1, wanted ? 1 : 0);
    dmarcstat_step(filter, BPF_RET | BPF_K, SECCOMP_RET_ALLOW, 0, 0);
    dmarcstat_step(filter, BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM, 0, 0);
}

static inline int dmarcstat_use_filter(struct dmarcstat_filter *filter, uint32_t otherwise) {
    dmarcstat_step(filter, BPF_RET | BPF_K, otherwise, 0, 0);
    if (filter->count >= sizeof(filter->steps) / sizeof(filter->steps[0])) return E2BIG;
    struct sock_fprog program = {filter->count, filter->steps};
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return errno;
    return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program, 0, 0) != 0 ? errno : 0;
}
#endif

/* From now on the calling thread may compute, take memory, and read from and write to what is open. Nothing can be opened or made, no program
   started, no process looked into or signalled, and no memory be made executable. With `threads` it may make threads of its own, which may do
   as much. What is refused ends with EPERM. 0, or an error number. */
static inline int dmarcstat_only_compute(int threads) {
    dmarcstat_landlock_nothing();
#ifdef DMARCSTAT_FILTER_ARCHITECTURE
    struct dmarcstat_filter filter;
    dmarcstat_begin_filter(&filter);
    /* The most frequent first. */
    static const uint32_t allowed[] = {
        __NR_recvfrom, __NR_sendto, __NR_futex, __NR_brk, __NR_munmap, __NR_mremap, __NR_madvise, __NR_read, __NR_write, __NR_close,
        __NR_clock_gettime, __NR_clock_getres, __NR_gettimeofday, __NR_getrandom, __NR_getpid, __NR_gettid, __NR_rt_sigprocmask,
        __NR_rt_sigreturn, __NR_rt_sigaction, __NR_sigaltstack, __NR_restart_syscall, __NR_sched_yield, __NR_getrusage, __NR_exit,
        __NR_exit_group,
#ifdef __NR_time
        __NR_time,
#endif
    };
    static const uint32_t of_threads[] = {
        __NR_set_robust_list, __NR_sched_getaffinity, __NR_sysinfo, __NR_setpriority, __NR_eventfd2, __NR_epoll_create1, __NR_epoll_ctl,
        __NR_epoll_pwait, __NR_timerfd_create, __NR_timerfd_settime, __NR_clock_nanosleep,
#ifdef __NR_epoll_wait
        __NR_epoll_wait,
#endif
#ifdef __NR_rseq
        __NR_rseq,
#endif
    };
    for (size_t index = 0; index < sizeof(allowed) / sizeof(allowed[0]); index++)
        dmarcstat_rule(&filter, allowed[index], SECCOMP_RET_ALLOW);
    dmarcstat_rule_if(&filter, __NR_mmap, 2, BPF_JSET, PROT_EXEC, 0);
    dmarcstat_rule_if(&filter, __NR_mprotect, 2, BPF_JSET, PROT_EXEC, 0);
    /* abort(3) signals its own process. */
    dmarcstat_rule_if(&filter, __NR_tgkill, 0, BPF_JEQ, (uint32_t)getpid(), 1);
    if (threads) {
        for (size_t index = 0; index < sizeof(of_threads) / sizeof(of_threads[0]); index++)
            dmarcstat_rule(&filter, of_threads[index], SECCOMP_RET_ALLOW);
        /* Its arguments lie in memory, where no filter can look: without it the C library takes clone. */
        dmarcstat_rule(&filter, 435 /* clone3 */, SECCOMP_RET_ERRNO | ENOSYS);
        dmarcstat_rule_if(&filter, __NR_clone, 0, BPF_JSET, 0x00010000 /* CLONE_THREAD */, 1);
        /* The name of a thread, and nothing else that prctl can do. */
        dmarcstat_step(&filter, BPF_JMP | BPF_JEQ | BPF_K, __NR_prctl, 0, 5);
        dmarcstat_step(&filter, BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args), 0, 0);
        dmarcstat_step(&filter, BPF_JMP | BPF_JEQ | BPF_K, PR_SET_NAME, 1, 0);
        dmarcstat_step(&filter, BPF_JMP | BPF_JEQ | BPF_K, PR_GET_NAME, 0, 1);
        dmarcstat_step(&filter, BPF_RET | BPF_K, SECCOMP_RET_ALLOW, 0, 0);
        dmarcstat_step(&filter, BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM, 0, 0);
    }
    return dmarcstat_use_filter(&filter, SECCOMP_RET_ERRNO | EPERM);
#else
    (void)threads;
    return ENOSYS;
#endif
}

/* From now on this process and its threads do none of the things that whoever took it over would need next, and that it never does itself; with
   `offline` they make no socket, either. 0, or an error number. */
static inline int dmarcstat_give_up_calls(int offline) {
#ifdef DMARCSTAT_FILTER_ARCHITECTURE
    struct dmarcstat_filter filter;
    dmarcstat_begin_filter(&filter);
    /* The 32-bit calls of x86-64 have numbers of their own from this bit on. */
    dmarcstat_step(&filter, BPF_JMP | BPF_JGE | BPF_K, 0x40000000, 0, 1);
    dmarcstat_step(&filter, BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM, 0, 0);
    if (offline) dmarcstat_rule(&filter, __NR_socket, SECCOMP_RET_ERRNO | EPERM);
    static const uint32_t refused[] = {
        /* io_uring does what no filter sees; its numbers are the same on all architectures. */
        425, 426, 427,
        __NR_ptrace, __NR_process_vm_readv, __NR_process_vm_writev, __NR_bpf, __NR_perf_event_open, __NR_userfaultfd, __NR_keyctl,
        __NR_add_key, __NR_request_key, __NR_unshare, __NR_setns, __NR_mount, __NR_umount2, __NR_pivot_root, __NR_chroot,
        __NR_init_module, __NR_finit_module, __NR_delete_module, __NR_kexec_load, __NR_open_by_handle_at, __NR_personality,
    };
    for (size_t index = 0; index < sizeof(refused) / sizeof(refused[0]); index++)
        dmarcstat_rule(&filter, refused[index], SECCOMP_RET_ERRNO | EPERM);
    return dmarcstat_use_filter(&filter, SECCOMP_RET_ALLOW);
#else
    (void)offline;
    return ENOSYS;
#endif
}

/* ---- Processes ---- */

/* Nobody looks into this process, and it leaves no image of its memory behind (PR_SET_DUMPABLE). */
static inline void dmarcstat_forbid_looking(void) { prctl(PR_SET_DUMPABLE, 0, 0, 0, 0); }

/* fork(2). The caller sees to it that there is one thread. */
static inline int dmarcstat_fork(void) { return (int)fork(); }

/* The calling process ends with the thread that made it. */
static inline void dmarcstat_end_with_parent(void) { prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0); }

/* Closes all descriptors from `first` on; 0, or -1 where the kernel cannot. */
static inline int dmarcstat_close_from(unsigned first) { return (int)syscall(436 /* close_range */, first, ~0U, 0); }

/* The program that loads this one (its interpreter, elf(5)); NULL: there is none. */
static inline const char *dmarcstat_loader(void) {
    const Elf64_Phdr *headers = (const Elf64_Phdr *)getauxval(AT_PHDR);
    unsigned long count = getauxval(AT_PHNUM);
    uintptr_t base = 0;
    if (headers == NULL) return NULL;
    for (unsigned long index = 0; index < count; index++)
        if (headers[index].p_type == PT_PHDR) base = (uintptr_t)headers - headers[index].p_vaddr;
    for (unsigned long index = 0; index < count; index++)
        if (headers[index].p_type == PT_INTERP) return (const char *)(base + headers[index].p_vaddr);
    return NULL;
}

/* Sends one byte over a socket, and with it a descriptor unless it is negative. 0, or -1. */
static inline int dmarcstat_send_descriptor(int channel, char byte, int descriptor) {
    struct iovec piece = {&byte, 1};
    union {
        struct cmsghdr header;
        char space[CMSG_SPACE(sizeof(int))];
    } control = {0};
    struct msghdr message = {0};
    message.msg_iov = &piece;
    message.msg_iovlen = 1;
    if (descriptor >= 0) {
        message.msg_control = control.space;
        message.msg_controllen = sizeof(control.space);
        struct cmsghdr *header = CMSG_FIRSTHDR(&message);
        header->cmsg_level = SOL_SOCKET;
        header->cmsg_type = SCM_RIGHTS;
        header->cmsg_len = CMSG_LEN(sizeof(int));
        memcpy(CMSG_DATA(header), &descriptor, sizeof(int));
    }
    ssize_t sent;
    do sent = sendmsg(channel, &message, MSG_NOSIGNAL);
    while (sent < 0 && errno == EINTR);
    return sent == 1 ? 0 : -1;
}

/* Waits for such a byte; -1: there will be none. `descriptor` is -1 if none came with it. */
static inline int dmarcstat_receive_descriptor(int channel, int *descriptor) {
    char byte = 0;
    struct iovec piece = {&byte, 1};
    union {
        struct cmsghdr header;
        char space[CMSG_SPACE(sizeof(int))];
    } control = {0};
    struct msghdr message = {0};
    message.msg_iov = &piece;
    message.msg_iovlen = 1;
    message.msg_control = control.space;
    message.msg_controllen = sizeof(control.space);
    ssize_t got;
    *descriptor = -1;
    do got = recvmsg(channel, &message, MSG_CMSG_CLOEXEC);
    while (got < 0 && errno == EINTR);
    if (got != 1) return -1;
    for (struct cmsghdr *header = CMSG_FIRSTHDR(&message); header != NULL; header = CMSG_NXTHDR(&message, header))
        if (header->cmsg_level == SOL_SOCKET && header->cmsg_type == SCM_RIGHTS) memcpy(descriptor, CMSG_DATA(header), sizeof(int));
    return (unsigned char)byte;
}

/* ---- For tests: what whoever took a process over would do next. Harmless where it is allowed. ---- */

/* The attempt of this number: 0 if it succeeds, or the error number; -1: there is none of this number. `name` is its name. */
static inline int dmarcstat_attempt(int number, const char **name) {
    static const char *const names[] = {
        "open", "create", "remove", "socket", "connect", "io_uring", "exec", "kill", "ptrace", "read-memory", "fork", "executable-memory",
    };
    if (number < 0 || number >= (int)(sizeof(names) / sizeof(names[0]))) return -1;
    *name = names[number];
    errno = 0;
    long result = 0;
    switch (number) {
    case 0: result = open("/etc/passwd", O_RDONLY | O_CLOEXEC); break;
    case 1: result = open("/tmp", O_WRONLY | O_CREAT, 0600); break;
    case 2: result = unlink("/nonexistent/dmarcstat"); break;
    case 3: result = socket(AF_INET, SOCK_STREAM, 0); break;
    case 4: result = connect(-1, NULL, 0); break;
    case 5: result = syscall(425, 1, NULL); break;
    case 6: result = syscall(__NR_execve, "/nonexistent/dmarcstat", NULL, NULL); break;
    case 7: result = kill(getppid(), 0); break;
    case 8: result = syscall(__NR_ptrace, 1 /* PTRACE_PEEKTEXT */, 0, NULL, NULL); break;
    case 9: result = syscall(__NR_process_vm_readv, getppid(), NULL, 0, NULL, 0, 0); break;
    case 10:
        result = fork();
        if (result == 0) _exit(0);
        break;
    case 11: result = mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED ? -1 : 0; break;
    }
    return result < 0 ? errno : 0;
}

/* ---- Libraries and what they load ---- */

/* The path of the library that was loaded as the `index`th, "" for what has none; NULL: there are not so many. */
static inline const char *dmarcstat_library(unsigned index) {
    const struct link_map *library = _r_debug.r_map;
    while (library != NULL && index-- > 0) library = library->l_next;
    return library == NULL ? NULL : library->l_name == NULL ? "" : library->l_name;
}

/* Loads what turns the charsets of mails into UTF-8, for good. Those that the C library has in itself are not named. */
static inline void dmarcstat_load_charsets(void) {
    static const char *const names[] = {
        "ISO-8859-1", "ISO-8859-2", "ISO-8859-5", "ISO-8859-7", "ISO-8859-9", "ISO-8859-15", "WINDOWS-1250", "WINDOWS-1251", "WINDOWS-1252",
        "WINDOWS-1254", "KOI8-R", "IBM437", "GBK", "GB18030", "BIG5", "SHIFT_JIS", "ISO-2022-JP", "EUC-KR", "UTF-16",
    };
    for (size_t index = 0; index < sizeof(names) / sizeof(names[0]); index++) iconv_open("UTF-8", names[index]);
}
#endif
