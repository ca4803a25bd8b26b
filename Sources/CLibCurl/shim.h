/* libcurl is loaded when the first connection is made, and not linked: it brings more than twenty other libraries, which would be loaded
   for every command (docs/decisions/0006). The types are those of its header. */
#include <curl/curl.h>
#include <dlfcn.h>
#include <stddef.h>

/* The interface that the header describes has had the number 4 since 2006. */
#define CSHIM_LIBRARY "libcurl.so.4"

/* What is used of libcurl. */
struct cshim_curl {
    __typeof__(curl_global_init) *global_init;
    __typeof__(curl_easy_init) *easy_init;
    __typeof__(curl_easy_setopt) *easy_setopt;
    __typeof__(curl_easy_getinfo) *easy_getinfo;
    __typeof__(curl_easy_perform) *easy_perform;
    __typeof__(curl_easy_send) *easy_send;
    __typeof__(curl_easy_recv) *easy_recv;
    __typeof__(curl_easy_cleanup) *easy_cleanup;
    __typeof__(curl_easy_strerror) *easy_strerror;
};
typedef const struct cshim_curl *cshim_lib;

/* libcurl's functions, all of them; or NULL, and in `problem` a text of dlerror(3), valid until this thread's next call of dlfcn.h.
   To be called once: what is loaded stays loaded. */
static inline cshim_lib cshim_load(const char **problem) {
    static struct cshim_curl curl;
    void *library = dlopen(CSHIM_LIBRARY, RTLD_NOW | RTLD_LOCAL);
#define CSHIM_FIND(name) (curl.name = (__typeof__(curl.name)) dlsym(library, "curl_" #name)) != NULL
    if (library != NULL && CSHIM_FIND(global_init) && CSHIM_FIND(easy_init) && CSHIM_FIND(easy_setopt) && CSHIM_FIND(easy_getinfo)
        && CSHIM_FIND(easy_perform) && CSHIM_FIND(easy_send) && CSHIM_FIND(easy_recv) && CSHIM_FIND(easy_cleanup)
        && CSHIM_FIND(easy_strerror)) return &curl;
#undef CSHIM_FIND
    *problem = dlerror();
    return NULL;
}

/* Swift cannot call variadic functions: one inline wrapper for each type of argument. */
typedef size_t (*cshim_write_cb)(char *, size_t, size_t, void *);
static inline CURLcode cshim_set_long(cshim_lib l, CURL *h, CURLoption o, long v) { return l->easy_setopt(h, o, v); }
static inline CURLcode cshim_set_str(cshim_lib l, CURL *h, CURLoption o, const char *v) { return l->easy_setopt(h, o, v); }
static inline CURLcode cshim_set_ptr(cshim_lib l, CURL *h, CURLoption o, void *v) { return l->easy_setopt(h, o, v); }
static inline CURLcode cshim_set_cb(cshim_lib l, CURL *h, CURLoption o, cshim_write_cb v) { return l->easy_setopt(h, o, v); }
static inline CURLcode cshim_get_sock(cshim_lib l, CURL *h, curl_socket_t *v) { return l->easy_getinfo(h, CURLINFO_ACTIVESOCKET, v); }
static inline CURLcode cshim_get_certinfo(cshim_lib l, CURL *h, struct curl_certinfo **v) {
    return l->easy_getinfo(h, CURLINFO_CERTINFO, v);
}
